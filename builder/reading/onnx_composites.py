"""Single layers of an ONNX file as the composites of the catalogue they were, by the modules that the file names."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from blocks.base import Block, Shape, Step
from builder.graph import Edge, Graph, Node, UnknownBlock
from builder.reading import matching
from builder.reading.assemble import agree

Path = tuple[str, ...]
MAX_INSIDE = 200
"""The most blocks that are tried as one; a whole network is none."""


@dataclass(frozen=True)
class Folded:
    """A graph with composites, and for each block of the graph before the path at which it is now: "layer1_0.conv1"."""

    graph: Graph
    places: dict[str, str]


def folded(
    graph: Graph,
    paths: Mapping[str, Path],
    classes: Mapping[Path, str],
    shapes: Mapping[str, Shape],
    name: Callable[[Path, set[str]], str],
) -> Folded:
    """The graph with a composite wherever the blocks within one module are just its inside.

    `paths` are the modules of the blocks and `classes` those of modules, as far as the file tells them; `shapes` what
    the blocks give. `name` makes a free name of a module's path.
    """
    folder = _Folder(graph, dict(paths), classes, dict(shapes))
    prefixes = {path[:n] for path in paths.values() for n in range(1, len(path))}
    for prefix in sorted(prefixes, key=lambda path: (-len(path), path)):
        folder.fold(prefix, name)
    return folder.result()


class _Folder:
    def __init__(
        self, graph: Graph, paths: dict[str, Path], classes: Mapping[Path, str], shapes: dict[str, Shape]
    ) -> None:
        self.nodes = {node.id: node for node in graph.nodes}
        self.edges = list(graph.edges)
        self.paths, self.classes, self.shapes = paths, classes, shapes
        self.held: dict[str, list[tuple[str, str]]] = {id: [(id, "")] for id in self.nodes}
        """The blocks of the graph before that are in each of now, and their paths inside it."""

    def fold(self, prefix: Path, name: Callable[[Path, set[str]], str]) -> None:
        """Put a composite in the place of all blocks within this module, if one has just this inside."""
        members = [id for id in self.nodes if self.paths.get(id, ())[: len(prefix)] == prefix]
        if not 2 <= len(members) <= MAX_INSIDE:
            return
        inside = set(members)
        entering = list(dict.fromkeys(e.source for e in self.edges if e.target in inside and e.source not in inside))
        leaving = {e.source for e in self.edges if e.source in inside and e.target not in inside}
        known = all(id in self.shapes and isinstance(self.nodes[id].block, Block) for id in members)
        if len(leaving) != 1 or not known or not 1 <= len(entering) <= 3 or any(s not in self.shapes for s in entering):
            return
        (result,) = leaving
        rests = {id: "_".join(self.paths[id][len(prefix) :]) for id in members}
        named = len(set(rests.values())) == len(members) and all(rests.values())
        for order in itertools.permutations(entering):
            ports = {id: f"#{i}" for i, id in enumerate(order)}
            received = tuple(self.shapes[id] for id in order)
            for ids in ([rests] if named else []) + [{id: str(i) for i, id in enumerate(members)}]:
                steps = tuple(self._step(id, ids, ports) for id in members)
                taken = tuple(tuple(self.shapes[s] for s in self._sources(id)) for id in members)
                block = matching.composite(
                    self.classes.get(prefix, ""), steps, taken, ids[result], received, {}, named=ids is rests
                )
                if block is not None:
                    id = name(prefix, set(self.nodes) - inside)
                    self._replace(members, result, order, id, block, received, prefix)
                    return

    def _sources(self, id: str) -> tuple[str, ...]:
        arriving = {e.target_port: e.source for e in self.edges if e.target == id}
        return tuple(arriving[port.name] for port in self.nodes[id].block.ports())

    def _step(self, id: str, ids: Mapping[str, str], ports: Mapping[str, str]) -> Step:
        block = self.nodes[id].block
        assert isinstance(block, Block)
        return Step(ids[id], block, tuple(ids.get(s) or ports[s] for s in self._sources(id)))

    def _replace(
        self,
        members: list[str],
        result: str,
        order: tuple[str, ...],
        id: str,
        block: Block,
        received: tuple[Shape, ...],
        prefix: Path,
    ) -> None:
        inner = matching.inside(block, received)
        found = [
            (before, f"{step.id}.{within}" if within else step.id)
            for member, step in zip(members, inner, strict=True)
            for before, within in self.held.pop(member)
        ]
        shape = self.shapes[result]
        nodes: dict[str, Node] = {}
        for node in self.nodes.values():
            if node.id == members[-1]:
                nodes[id] = Node(id, block)
            elif node.id not in members:
                nodes[node.id] = node
        self.nodes = nodes
        wires = [e for e in self.edges if e.source not in members and e.target not in members]
        wires += [Edge(source, "out", id, port.name) for source, port in zip(order, block.ports(), strict=True)]
        wires += [
            Edge(id, "out", e.target, e.target_port)
            for e in self.edges
            if e.source in members and e.target not in members
        ]
        self.edges = wires
        for member in members:
            self.paths.pop(member), self.shapes.pop(member)
        self.paths[id], self.shapes[id], self.held[id] = prefix, shape, found

    def result(self) -> Folded:
        steps = [
            Step(id, node.block, self._sources(id))
            for id, node in self.nodes.items()
            if isinstance(node.block, Block) and self._whole(id)
        ]
        for step in agree(steps, self.shapes):
            self.nodes[step.id] = Node(step.id, step.block, note=self.nodes[step.id].note)
        places = {
            before: f"{id}.{within}" if within else id for id, held in self.held.items() for before, within in held
        }
        return Folded(Graph(tuple(self.nodes.values()), tuple(self.edges)), places)

    def _whole(self, id: str) -> bool:
        """Whether a block and all that it reads are known."""
        block = self.nodes[id].block
        arriving = [e.source for e in self.edges if e.target == id]
        known = not isinstance(block, UnknownBlock) and len(arriving) == len(block.ports())
        return known and bool(arriving) and all(source in self.shapes for source in arriving)
