"""What a remedy sees of its problem, and the edits remedies are made of."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import blocks
from blocks.base import Block, SettingError, Shape
from builder.definition import PLACE, opened
from builder.graph import Edge, Graph, Node
from builder.problems import Edit, Problem
from builder.project import Project, node_to_json
from builder.report import NodeReport, Report
from builder.structure import is_input, wiring

Candidate = tuple[str, list[Edit]]
"""A remedy to be tried: what its button says, and its edits."""

STEP = 180.0
"""Canvas pixels from one block to the next."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """A problem with all that a remedy may need to look at."""

    project: Project
    report: Report
    problem: Problem

    @functools.cached_property
    def graph(self) -> Graph:
        """The network, or the inside of an own block, that the problem is in."""
        place = self.problem.network
        if place in self.project.networks:
            return self.project.networks[place]
        return opened(self.project.blocks.get(place.removeprefix(PLACE)), self.project.own) or Graph()

    @functools.cached_property
    def known(self) -> dict[str, NodeReport]:
        """What is known of the nodes there."""
        place = self.problem.network
        return self.report.nodes.get(place) or self.report.insides.get(place.removeprefix(PLACE), {})

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """The shapes at the node's ports, as far as they are known."""
        return tuple(self.known[self.node.id].inputs.values())

    @functools.cached_property
    def node(self) -> Node:
        """The node the problem is at."""
        assert self.problem.node is not None
        return self.graph.node(self.problem.node)

    @functools.cached_property
    def sources(self) -> dict[str, dict[str, str]]:
        """What each node reads, by port."""
        return wiring(self.graph.ids(), self.graph.edges).sources

    def shape(self, id: str) -> Shape | None:
        """The output shape of a node, if known."""
        return self.known[id].shape if id in self.known else None

    def edit(self, op: str, **values: Any) -> Edit:
        """An edit in the problem's network."""
        if op == "replace_node":
            values = {**values, "node": self._with_arguments(values["node"])}
        return {"op": op, "network": self.problem.network, **values}

    def _with_arguments(self, node: dict[str, Any]) -> dict[str, Any]:
        """The node with arguments of the own block it is in wherever it keeps the values these stand for."""
        raw = self.project.blocks.get(self.problem.network.removeprefix(PLACE))
        if self.problem.network in self.project.networks or not isinstance(raw, dict) or node["id"] not in self.known:
            return node
        before = node_to_json(self.graph.node(node["id"]))["settings"]
        written: dict[str, Any] = next((n.get("settings", {}) for n in raw["nodes"] if n.get("id") == node["id"]), {})
        kept = {
            name: written[name]
            for name, value in node["settings"].items()
            if isinstance(written.get(name), dict) and before.get(name) == value
        }
        return {**node, "settings": {**node["settings"], **kept}}


def by_role(role: str) -> type[Block] | None:
    """The block that declares this role; None if there is none."""
    return next((cls for cls in blocks.catalogue().values() if cls.role == role), None)


def fresh(scene: Scene, block: Block, position: tuple[float, float]) -> Node:
    """A new node with a name that is free."""
    name = type(block).stem or type(block).__name__.lower()
    graph = scene.graph
    id = name if name not in graph.ids() else graph.free_id(name)
    return Node(id, block, position)


def insert(scene: Scene, edge: Edge, block: Block) -> list[Edit]:
    """Edits that put a block of one input into a wire; what lies to the right makes room.

    Where source and target lie on each other nobody has placed them yet, so nothing is moved.
    """
    source, target = scene.graph.node(edge.source), scene.graph.node(edge.target)
    gap = target.position[0] - source.position[0]
    room = gap >= 2 * STEP * 0.8 or gap < 0
    x = (source.position[0] + target.position[0]) / 2 if room else target.position[0]
    node = fresh(scene, block, (x, target.position[1]))
    found = [scene.edit("add_node", node=node_to_json(node)), scene.edit("remove_edge", edge=dataclasses.asdict(edge))]
    found += [
        scene.edit("add_edge", edge=plain_edge(edge.source, node.id, node.block.ports()[0].name)),
        scene.edit("add_edge", edge=plain_edge(node.id, edge.target, edge.target_port)),
    ]
    if not room and source.position != target.position:
        for other in scene.graph.nodes:
            right = other.position[0] >= target.position[0] and abs(other.position[1] - target.position[1]) < 120
            if right and other.id != source.id:
                moved = [other.position[0] + STEP, other.position[1]]
                found.append(scene.edit("move_node", id=other.id, position=moved))
    return found


def bypass(scene: Scene, id: str) -> list[Edit]:
    """Edits that remove a node and join what was before it to what was after it."""
    source = next(iter(scene.sources[id].values()), None)
    found = [scene.edit("remove_node", id=id)]
    if source is not None:
        found += [
            scene.edit("add_edge", edge=plain_edge(source, e.target, e.target_port)) for e in scene.graph.outgoing(id)
        ]
    return found


def without_port(scene: Scene, id: str, port: str) -> list[Edit]:
    """Edits after which a node with several inputs does without one of them.

    A block with a variable number of inputs gets one fewer, as long as two are left; else the node is removed and
    what enters the other input goes on in its place.
    """
    node = scene.graph.node(id)
    block = node.block
    names = [p.name for p in block.ports()]
    if port not in names:
        return []
    dropped = names.index(port)
    if isinstance(block, Block) and block.variadic is not None and len(names) > 2:
        found = []
        for edge in scene.graph.incoming(id):
            at = names.index(edge.target_port) if edge.target_port in names else -1
            if at >= dropped:
                found.append(scene.edit("remove_edge", edge=dataclasses.asdict(edge)))
            if at > dropped:
                found.append(scene.edit("add_edge", edge=plain_edge(edge.source, id, names[at - 1])))
        return [*found, scene.edit("set", id=id, setting=block.variadic, value=len(names) - 1)]
    other = next((s for p, s in scene.sources[id].items() if p != port and s != id), None)
    found = [scene.edit("remove_node", id=id)]
    if other is not None:
        outgoing = [e for e in scene.graph.outgoing(id) if e.target != other]
        found += [scene.edit("add_edge", edge=plain_edge(other, e.target, e.target_port)) for e in outgoing]
    return found


def plain_edge(source: str, target: str, port: str) -> dict[str, str]:
    """An edge as in the file."""
    return {"source": source, "source_port": "out", "target": target, "target_port": port}


def wire(scene: Scene, port: str | None = None) -> Edge | None:
    """The first wire into the problem's node (at this port, if one is named)."""
    found = [e for e in scene.graph.incoming(scene.node.id) if port is None or e.target_port == port]
    return found[0] if found else None


def set_to(scene: Scene, setting: str, value: Any, id: str | None = None) -> list[Edit]:
    """The edit that gives a setting of a node (the problem's, unless told) another value."""
    return [scene.edit("set", id=id or scene.node.id, setting=setting, value=value)]


def removal(scene: Scene) -> Iterator[Candidate]:
    """Take the block out and join its neighbours."""
    yield f"Remove {scene.node.id}", bypass(scene, scene.node.id)


def valid(cls: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that the settings take; none of them when they do not go together."""
    kept = {}
    for spec in cls.settings():
        if spec.name in values:
            try:
                kept[spec.name] = spec.check(values[spec.name])
            except SettingError:
                continue
    try:
        cls.from_settings(kept)
    except SettingError:
        return {}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in kept.items()}


def only_for(scene: Scene, id: str) -> list[str]:
    """The nodes before `id` whose results are used for it alone."""
    users = wiring(scene.graph.ids(), scene.graph.edges).users
    gone, queue = [id], [id]
    while queue:
        for source in scene.sources[queue.pop()].values():
            if source not in gone and set(users[source]) <= set(gone) and not is_input(scene.graph.node(source)):
                gone.append(source)
                queue.append(source)
    return gone[1:]
