"""Opening a composite for good: its inner blocks take its place in the graph."""

from __future__ import annotations

import dataclasses

from blocks.base import Shape
from builder.graph import Edge, Graph, Node, UnknownBlock
from builder.shapes import infer

STEP = 160.0
"""Canvas pixels from one block to the next."""
ROW = 200.0
"""Blocks nearer than this above or below are in the composite's row and make room."""


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
            nodes.extend(Node(names[part.id], part.block, (x + STEP * i, y)) for i, part in enumerate(inner))
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
