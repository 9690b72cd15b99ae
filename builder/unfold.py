"""Opening a composite or an own block for good: its inner blocks take its place in the graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from blocks.base import Shape
from builder import definition
from builder.fold import FoldError, changed, free_name, network_of
from builder.graph import Edge, Graph, Node, UnknownBlock
from builder.graph_file import MAX_RATE
from builder.own import OwnBlock
from builder.problems import Edit
from builder.project import Project, graph_from_json, graph_to_json
from builder.shapes import Inner, infer
from builder.structure import is_input, is_output
from builder.validate import Report

Json = dict[str, Any]

STEP = 160.0
"""Canvas pixels from one block to the next."""
ROW = 200.0
"""Blocks nearer than this above or below are in the composite's row and make room."""


def ungroup(project: Project, report: Report, network: str, id: str) -> list[Edit]:
    """The edits that put the blocks inside the node `id` in its place. Raises FoldError with a sentence."""
    graph, raw, known = network_of(project, report, network)
    seen = known.get(id)
    node = graph.node(id)
    plain = next(n for n in raw["nodes"] if n["id"] == id)
    cls = project.own.get(plain["block"])
    if isinstance(cls, type) and issubclass(cls, OwnBlock) and plain["settings"].get(definition.REPEAT, 1) == 1:
        parts = {} if seen is None else {part.id: part for part in seen.inner}
        return changed(project, network, _opened(graph, raw, node, plain["settings"], cls, parts), project.blocks)
    if seen is None or not seen.inner:
        raise FoldError(f"{id} has no inner blocks that are known yet. Connect its input first.")
    if any(isinstance(value, dict) for value in plain["settings"].values()):
        raise FoldError(f"{id} takes a setting of the block it is in. Give it a value of its own first.")
    apart = graph_to_json(unfold(graph, id, tuple(seen.inputs.values())))
    written = {n["id"]: n["settings"] for n in raw["nodes"]}  # where a setting is an argument, it stays one
    nodes = [{**n, "settings": written.get(n["id"], n["settings"])} for n in apart["nodes"]]
    return changed(project, network, {**apart, "nodes": nodes}, project.blocks)


def unfold(graph: Graph, id: str, shapes: tuple[Shape, ...]) -> Graph:
    """The graph with a composite's inner blocks in its place, named ``<composite>_<inner>``.

    `shapes` are those at the composite's input ports. Raises ValueError when the node is no composite.
    """
    node = graph.node(id)
    template = None if isinstance(node.block, UnknownBlock) else node.block.template(*shapes)
    if template is None or isinstance(node.block, UnknownBlock):
        raise ValueError(f"{id} has no inner blocks.")
    inner = infer(node.block, shapes).inner
    names: dict[str, str] = {}
    taken = set(graph.ids())
    for part in inner:
        name = f"{id}_{part.id}"
        while name in taken:
            name += "_"
        taken.add(name)
        names[part.id] = name
    outside = {e.target_port: (e.source, e.source_port) for e in graph.incoming(id)}
    x, y = node.position
    nodes: list[Node] = []
    for other in graph.nodes:
        if other.id == id:
            nodes.extend(
                Node(names[part.id], part.block, (x + STEP * i, y), rate=_rate(node, part.rate, part))
                for i, part in enumerate(inner)
            )
        elif other.position[0] > x and abs(other.position[1] - y) < ROW:
            moved = (other.position[0] + STEP * (len(inner) - 1), other.position[1])
            nodes.append(dataclasses.replace(other, position=moved))
        else:
            nodes.append(other)
    wires = [e for e in graph.edges if id not in (e.source, e.target)]
    for part in inner:
        for port, source in zip(part.block.ports(), part.sources, strict=True):
            start = (names[source], "out") if source in names else outside[source]
            wires.append(Edge(*start, names[part.id], port.name))
    wires += [Edge(names[template.result], "out", e.target, e.target_port) for e in graph.outgoing(id)]
    return Graph(tuple(nodes), tuple(wires))


def _rate(node: Node, rate: float, part: Inner | None) -> float:
    """At which rate a part of a composite learns by itself; what is known to have no parameters needs none."""
    return min(node.rate * rate, MAX_RATE) if part is None or part.inferred.parameters else 1.0


def _opened(
    graph: Graph, raw: Json, node: Node, settings: Json, cls: type[OwnBlock], inner: Mapping[str, Inner]
) -> Json:
    """The graph with the inside of one use of an own block in its place, where arguments stay arguments.

    `inner` is what is known of its parts.
    """
    values = {**{s.name: s.default for s in cls.settings()}, **settings}
    content = definition.substituted(cls._raw, values)
    within = graph_from_json(content, "its inside", cls._own)
    ends = {n.id for n in within.nodes if is_input(n) or is_output(n)}
    taken = set(graph.ids()) - {node.id}
    names: dict[str, str] = {}
    for part in within.nodes:
        if part.id not in ends:
            names[part.id] = part.id if part.id not in taken else free_name(f"{node.id}_{part.id}", taken)
            taken.add(names[part.id])
    ports = dict(zip((n.id for n in within.nodes if is_input(n)), (p.name for p in cls.inputs), strict=True))
    outside = {e.target_port: e.source for e in graph.incoming(node.id)}
    body = [n for n in content["nodes"] if n["id"] in names]
    places = [n.get("position", [0, 0]) for n in body]
    left, top = min(x for x, _ in places), min(y for _, y in places)
    wide = max(x for x, _ in places) - left
    nodes: list[Json] = []
    for other in raw["nodes"]:
        x, y = other["position"]
        if other["id"] == node.id:
            for part in body:
                px, py = part.get("position", [0, 0])
                rate = _rate(node, part.get("rate", 1.0), inner.get(part["id"]))
                nodes.append(
                    {
                        **{key: value for key, value in part.items() if key != "rate"},
                        "id": names[part["id"]],
                        "position": [x + px - left, y + py - top],
                        **({} if rate == 1.0 else {"rate": rate}),
                    }
                )
        elif x > node.position[0] and abs(y - node.position[1]) < ROW:
            nodes.append({**other, "position": [x + wide, y]})
        else:
            nodes.append(other)
    wires = [e for e in raw["edges"] if node.id not in (e["source"], e["target"])]
    for edge in within.edges:
        if edge.target in names:
            source = names.get(edge.source) or outside.get(ports.get(edge.source, ""))
            if source is not None:
                target = names[edge.target]
                wires.append(
                    {"source": source, "source_port": "out", "target": target, "target_port": edge.target_port}
                )
    end = next(e for e in within.edges if e.target in ends)
    for edge in graph.outgoing(node.id):
        target, port = edge.target, edge.target_port
        wires.append({"source": names[end.source], "source_port": "out", "target": target, "target_port": port})
    return {"nodes": nodes, "edges": wires}
