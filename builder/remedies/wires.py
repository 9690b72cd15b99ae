"""Remedies for wires, names and unknown blocks."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import blocks
from builder import names
from builder.graph import UnknownBlock
from builder.project import node_to_json
from builder.remedies.scene import Candidate, Scene, only_for, plain_edge, removal, valid, without_port
from builder.structure import RESERVED, is_output, wiring


def loop(scene: Scene) -> Iterator[Candidate]:
    loop = next(lp for lp in wiring(scene.graph.ids(), scene.graph.edges).loops if lp[0] == scene.node.id)
    for source, target in reversed([*zip(loop, (*loop[1:], loop[0]), strict=True)]):
        for edge in scene.graph.edges:
            if (edge.source, edge.target) == (source, target):
                removed = scene.edit("remove_edge", edge=dataclasses.asdict(edge))
                yield f"Remove the wire {source} → {target}", [removed]
                if len(scene.graph.node(target).block.ports()) > 1:
                    changes = without_port(scene, target, edge.target_port)
                    yield f"Remove the wire {source} → {target} and its input", changes


def bad_wire(scene: Scene) -> Iterator[Candidate]:
    ids = scene.graph.ids()
    seen: set[tuple[str, str]] = set()
    for edge in scene.graph.edges:
        ports = [p.name for p in scene.graph.node(edge.target).block.ports()] if edge.target in ids else []
        loose = edge.source not in ids or edge.target not in ids or edge.target_port not in ports
        double = (edge.target, edge.target_port) in seen
        seen.add((edge.target, edge.target_port))
        if loose or double:
            removed = scene.edit("remove_edge", edge=dataclasses.asdict(edge))
            yield f"Remove the wire {edge.source} → {edge.target}", [removed]


def after_output(scene: Scene) -> Iterator[Candidate]:
    source = next(iter(scene.sources[scene.node.id].values()), None)
    changes = []
    for edge in scene.graph.outgoing(scene.node.id):
        changes.append(scene.edit("remove_edge", edge=dataclasses.asdict(edge)))
        if source is not None:
            changes.append(scene.edit("add_edge", edge=plain_edge(source, edge.target, edge.target_port)))
    yield f"Take the wire from {source}" if source else "Remove the wire", changes


def missing(scene: Scene) -> Iterator[Candidate]:
    """Connect the block that leads nowhere, or one that fits; else take the block out."""
    users = wiring(scene.graph.ids(), scene.graph.edges).users
    others = [n for n in scene.graph.nodes if n.id != scene.node.id and not is_output(n)]
    x = scene.node.position[0]
    for other in sorted(others, key=lambda n: (bool(users[n.id]), n.position[0] > x, abs(n.position[0] - x))):
        if not users[other.id] or len(scene.node.block.ports()) > 1:
            edge = plain_edge(other.id, scene.node.id, scene.problem.port or "in")
            yield f"Connect {other.id}", [scene.edit("add_edge", edge=edge)]
    if len(scene.node.block.ports()) > 1 and scene.problem.port is not None:
        yield f"Do without {scene.problem.port}", without_port(scene, scene.node.id, scene.problem.port)
    if not users[scene.node.id]:
        yield f"Remove {scene.node.id}", [scene.edit("remove_node", id=scene.node.id)]


def dangling(scene: Scene) -> Iterator[Candidate]:
    gone = [scene.node.id, *only_for(scene, scene.node.id)]
    yield f"Remove {', '.join(gone)}", [scene.edit("remove_node", id=id) for id in gone]


def name(scene: Scene) -> Iterator[Candidate]:
    plain = re.sub(r"\W", "_", scene.node.id, flags=re.ASCII).strip("_") or "block"
    for wanted in (plain, f"{plain}_", f"block_{plain}", f"{plain}1"):
        try:
            names.identifier(wanted)
        except ValueError:
            continue
        if wanted not in RESERVED and wanted not in scene.graph.ids():
            yield f"Rename it {wanted}", [scene.edit("rename_node", id=scene.node.id, to=wanted)]


def unknown(scene: Scene) -> Iterator[Candidate]:
    block = scene.node.block
    assert isinstance(block, UnknownBlock)
    cls = blocks.catalogue().get(block.name) or scene.project.own.get(block.name)
    if isinstance(cls, type):
        node = dataclasses.replace(scene.node, block=cls.from_settings(valid(cls, block.settings)))
        changes = [scene.edit("replace_node", id=node.id, node=node_to_json(node))]
        yield "Use the usual value", changes
    if not isinstance(cls, str):  # an own block that is broken inside is to be mended, not removed
        yield from removal(scene)
