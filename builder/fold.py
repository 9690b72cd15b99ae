"""Making a block of selected ones: project edits, which the browser applies as one undoable step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import networkx as nx

from blocks.base import Block, Shape
from builder import definition, edits
from builder.data.base import Field
from builder.definition import PLACE
from builder.graph import Graph, Node
from builder.own import vocabulary
from builder.problems import Edit
from builder.project import Project, graph_from_json, graph_to_json, node_to_json
from builder.remedies.ends import input_for
from builder.remedies.scene import by_role
from builder.structure import is_input, is_output, wiring
from builder.validate import NodeReport, Report

Json = dict[str, Any]
STEP = 180.0
"""Canvas pixels from a block to the input or output beside it."""
ROW = 60.0
"""Blocks whose upper edges differ by less stand in one row."""
LIKELY: dict[int, Shape] = {1: (16,), 2: (8, 16), 3: (16, 16, 16)}
"""What is shown while a block is edited whose input had no shape when it was made, by rank."""


class FoldError(ValueError):
    """A selection cannot become a block, or a block cannot be put back; the message is a sentence."""


def make_block(
    project: Project,
    report: Report,
    network: str,
    ids: Iterable[str],
    name: str,
    exposed: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> list[Edit]:
    """The edits that make one block called `name` of the nodes `ids`, and put a use of it in their place.

    `network` may be the inside of an own block (``blocks/<name>``). `exposed` gives the block's settings:
    for each argument the (node, setting) pairs it feeds, whose values must be equal. Raises FoldError with
    a sentence when these nodes cannot be one block.
    """
    graph, raw, known = network_of(project, report, network)
    chosen = _chosen(graph, set(ids))
    _new_name(project, name)
    inside = {node.id for node in chosen}
    entering = _entering(graph, inside)
    _no_way_round(graph, inside)
    result = _result(graph, inside)
    plain = {node["id"]: node for node in raw["nodes"]}
    arguments, settings = _arguments(project, network, chosen, plain, exposed or {})
    inputs = [_input(entry, graph, known, len(entering)) for entry in entering]
    made = _definition(graph, raw["edges"], plain, chosen, inputs, entering, result, arguments)
    blocks = {**project.blocks, name: made}
    cls = vocabulary(blocks)[name]
    if isinstance(cls, str):
        raise FoldError(f"These blocks cannot be one: {cls}")
    use = _use(graph, chosen, cls, settings)
    ports = [port.name for port in cls.inputs]
    nodes = []
    for node in raw["nodes"]:
        if node["id"] == chosen[0].id:
            nodes.append(use)
        elif node["id"] not in inside:
            nodes.append(node)
    wires = [e for e in raw["edges"] if e["source"] not in inside and e["target"] not in inside]
    for (source, _), port in zip(entering, ports, strict=True):
        if source is not None:
            wires.append({"source": source, "source_port": "out", "target": use["id"], "target_port": port})
    for edge in raw["edges"]:
        if edge["source"] in inside and edge["target"] not in inside:
            wires.append({**edge, "source": use["id"], "source_port": "out"})
    return changed(project, network, {"nodes": nodes, "edges": wires}, blocks)


def network_of(project: Project, report: Report, network: str) -> tuple[Graph, Json, Mapping[str, NodeReport]]:
    """A network, or the inside of an own block: as a graph, as it stands in the file, and what is known of its nodes."""
    if network in project.networks:
        graph = project.networks[network]
        return graph, graph_to_json(graph), report.nodes.get(network, {})
    name = network.removeprefix(PLACE)
    if not network.startswith(PLACE) or name not in project.blocks:
        raise FoldError(f"There is no network called {network}.")
    raw = graph_from_json(project.blocks[name], name, project.own)
    return definition.opened(project.blocks[name], project.own) or raw, graph_to_json(raw), report.insides.get(name, {})


def changed(project: Project, network: str, value: Json, blocks: Mapping[str, Any]) -> list[Edit]:
    """The edits that put `value` in the place of a network or of an own block's inside, with these own blocks."""
    if network in project.networks:
        new = [] if blocks is project.blocks else [edits.set_part("blocks", dict(blocks))]
        return [*new, {"op": "set_network", "network": network, "value": value}]
    name = network.removeprefix(PLACE)
    return [edits.set_part("blocks", {**blocks, name: {**blocks[name], **value}})]


# --- what may become a block -----------------------------------------------------------------------


def _chosen(graph: Graph, ids: set[str]) -> list[Node]:
    chosen = [node for node in graph.nodes if node.id in ids]
    if not chosen:
        raise FoldError("Select the blocks that shall become one first.")
    for node in chosen:
        if is_input(node) or is_output(node):
            kind = "an input" if is_input(node) else "the output"
            raise FoldError(
                f"{node.id} is {kind} of the network; a block is made of what lies in between. "
                f"Take {node.id} out of the selection."
            )
    return chosen


def _new_name(project: Project, name: str) -> None:
    problem = definition.name_problem(name)
    if problem is not None:
        raise FoldError(f"A block cannot be called {name!r}: {problem}")
    if name in project.blocks:
        raise FoldError(f"This project has a block called {name} already. Choose another name.")


Entry = tuple[str | None, list[tuple[str, str]]]
"""Something that comes in: the node outside, None where nothing is connected, and the ports inside it feeds."""


def _entering(graph: Graph, inside: set[str]) -> list[Entry]:
    sources = wiring(graph.ids(), graph.edges).sources
    wired: dict[str, list[tuple[str, str]]] = {}
    found: list[Entry] = []
    for node in graph.nodes:
        if node.id not in inside:
            continue
        ports = [port.name for port in node.block.ports()] or list(sources[node.id])
        for port in ports:
            source = sources[node.id].get(port)
            if source is None:
                found.append((None, [(node.id, port)]))
            elif source not in inside:
                if source not in wired:
                    wired[source] = []
                    found.append((source, wired[source]))
                wired[source].append((node.id, port))
    return found


def _result(graph: Graph, inside: set[str]) -> str:
    leaving = [
        n.id for n in graph.nodes if n.id in inside and any(e.target not in inside for e in graph.outgoing(n.id))
    ]
    if not leaving:
        leaving = [n.id for n in graph.nodes if n.id in inside and not graph.outgoing(n.id)]
    if not leaving:
        raise FoldError("These blocks form a loop. Remove one of its wires first.")
    if len(leaving) > 1:
        raise FoldError(
            f"The selection gives {len(leaving)} results: {', '.join(leaving[:-1])} and {leaving[-1]}. A block gives "
            "one. Select what joins them too, or fewer blocks."
        )
    return leaving[0]


def _no_way_round(graph: Graph, inside: set[str]) -> None:
    """Refuse a selection that waits for a block outside which itself waits for the selection."""
    view = graph.networkx()
    after = set().union(*(nx.descendants(view, id) for id in inside)) - inside
    before = set().union(*(nx.ancestors(view, id) for id in inside)) - inside
    between = [id for id in graph.ids() if id in after & before]
    if between:
        raise FoldError(
            f"A wire leaves the selection and comes back to it through {', '.join(between)}. "
            f"Select {'it' if len(between) == 1 else 'them'} too."
        )


# --- the definition --------------------------------------------------------------------------------


def _arguments(
    project: Project,
    network: str,
    chosen: Sequence[Node],
    plain: Mapping[str, Json],
    exposed: Mapping[str, Sequence[tuple[str, str]]],
) -> tuple[Json, Json]:
    """The arguments with their usual values, and the values of the use; puts the arguments into `plain`.

    Where the selection lies inside an own block, what takes an argument of that block goes on doing so.
    """
    arguments: Json = {}
    settings: Json = {}
    inside = {node.id for node in chosen}
    for argument, targets in exposed.items():
        values = []
        for id, setting in targets:
            if id not in inside or setting not in plain[id]["settings"]:
                raise FoldError(f"{argument} shall set {id}.{setting}, but the selection has no such setting.")
            values.append(plain[id]["settings"][setting])
        if not values or any(value != values[0] for value in values):
            told = ", ".join(f"{id}.{setting}" for id, setting in targets)
            raise FoldError(f"One setting can stand for several only where they are equal now: {argument} for {told}.")
        arguments[argument], settings[argument] = _usual(project, network, values[0]), values[0]
        for id, setting in targets:
            plain[id]["settings"][setting] = {"argument": argument}
    for node in chosen:
        for setting, value in plain[node.id]["settings"].items():
            if isinstance(value, dict) and value.get("argument") not in arguments:
                argument = str(value.get("argument"))
                arguments[argument], settings[argument] = _usual(project, network, value), dict(value)
                plain[node.id]["settings"][setting] = {"argument": argument}
    return arguments, settings


def _usual(project: Project, network: str, value: Any) -> Any:
    """The value itself, or the usual one where it is an argument of the own block it stands in."""
    if isinstance(value, dict):
        return project.blocks[network.removeprefix(PLACE)].get("arguments", {}).get(value.get("argument"))
    return value


def _input(entry: Entry, graph: Graph, known: Mapping[str, NodeReport], count: int) -> Block:
    """The input block that stands for what comes in: of the shape it has now."""
    source, targets = entry
    ports = [p for id, name in targets for p in graph.node(id).block.ports() if p.name == name]
    holds = "tokens" if any(port.holds == "tokens" for port in ports) else "features"
    shape = known[source].shape if source is not None and source in known else None
    vocabulary = None
    if holds == "tokens":
        given = graph.node(source).block if source is not None else None
        vocabulary = given.to_settings().get("vocabulary") if isinstance(given, Block) else None
        vocabulary, shape = vocabulary or 100, shape or (16,)
    elif shape is None:
        ranks = [r for p in ports for r in ((p.rank,) if isinstance(p.rank, int) else p.rank or ())]
        shape = LIKELY[next((r for r in ranks if r in LIKELY), 3 if not ranks else 1)]
    found = input_for(Field(shape, holds, vocabulary))
    if found is None:
        raise FoldError(
            f"What comes from {source} has {len(shape)} dimensions; a block takes vectors, sequences, pictures or tokens. "
            "Select the block before it too."
        )
    return found


def _definition(
    graph: Graph,
    edges: Sequence[Json],
    plain: Mapping[str, Json],
    chosen: Sequence[Node],
    inputs: Sequence[Block],
    entering: Sequence[Entry],
    result: str,
    arguments: Json,
) -> Json:
    inside = {node.id for node in chosen}
    taken = set(inside)
    left, top = min(n.position[0] for n in chosen), min(n.position[1] for n in chosen)
    right = max(n.position[0] for n in chosen)
    nodes: list[Json] = []
    wires: list[Json] = []
    for number, (block, (_, targets)) in enumerate(zip(inputs, entering, strict=True), 1):
        id = free_name("x" if len(inputs) == 1 else f"x{number}", taken)
        taken.add(id)
        nodes.append(node_to_json(Node(id, block, (0.0, 110.0 * (number - 1)))))
        wires += [{"source": id, "source_port": "out", "target": at, "target_port": port} for at, port in targets]
    for node in chosen:
        x, y = node.position
        nodes.append({**plain[node.id], "position": [x - left + STEP, y - top]})
    last = graph.node(result).position
    end = by_role("output")
    assert end is not None
    output = free_name("output", taken)
    nodes.append(node_to_json(Node(output, end(), (right - left + 2 * STEP, last[1] - top))))
    wires += [e for e in edges if e["source"] in inside and e["target"] in inside]
    port = end.inputs[0].name
    wires.append({"source": result, "source_port": "out", "target": output, "target_port": port})
    return {"arguments": arguments, "nodes": nodes, "edges": wires}


def free_name(name: str, taken: set[str]) -> str:
    """The name, with underscores after it until it is free."""
    while name in taken:
        name += "_"
    return name


def _use(graph: Graph, chosen: Sequence[Node], cls: type[Block], settings: Json) -> Json:
    """The node that takes the place of the chosen ones, with their values."""
    remaining = Graph(tuple(n for n in graph.nodes if n not in chosen))
    xs, ys = [n.position[0] for n in chosen], [n.position[1] for n in chosen]
    # In the middle of a row, at the height of its tallest blocks; else where the first of them stood.
    x, y = (sum(xs) / len(xs), min(ys)) if max(ys) - min(ys) < ROW else chosen[0].position
    node = node_to_json(Node(remaining.free_id(cls.stem), cls(), (round(x), round(y))))
    return {**node, "settings": {**node["settings"], **settings}}
