"""Remedies for inputs and outputs: against the data, the task, and when there are too few or too many."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import blocks
from blocks.base import Block, SettingError, Shape
from builder import data, edits, tasks
from builder.data.base import Dataset, Field
from builder.graph import UnknownBlock
from builder.problems import Edit
from builder.project import node_to_json
from builder.remedies.maps import behind, chained, output_map
from builder.remedies.resize import data_of
from builder.remedies.scene import (
    STEP,
    Candidate,
    Scene,
    by_role,
    fresh,
    insert,
    only_for,
    plain_edge,
    set_to,
    wire,
    without_port,
)
from builder.shapes import size
from builder.structure import is_input, is_output, wiring
from builder.tasks.base import Loss, Task


def input_for(given: Field) -> Block | None:
    """The input block whose settings can take this field's shape."""
    for cls in blocks.catalogue().values():
        if (
            cls.category != "input"
            or cls.role == "output"
            or cls.holds != ("tokens" if given.holds == "tokens" else "features")
        ):
            continue
        values = (*given.shape, given.size) if given.holds == "tokens" else given.shape
        if len(values) != len(cls.settings()):
            continue
        try:
            block = cls.from_settings({s.name: v for s, v in zip(cls.settings(), values, strict=True)})
        except SettingError:
            continue
        if block.source_shape() == given.shape:
            return block
    return None


def _chosen(scene: Scene) -> tuple[Dataset, Task, Loss] | None:
    """The project's data set, task and loss; None if one cannot be had or the network has no part in the task."""
    project = scene.project
    try:
        task = tasks.find(project.task.name).from_settings(project.task.settings)
        dataset = data.find(project.data.name).from_settings(project.data.settings)
        loss = tasks.find_loss(task, project.loss.name).from_settings(project.loss.settings)
    except (KeyError, SettingError):
        return None
    return (dataset, task, loss) if scene.problem.network in task.slots else None


def _wanted_inputs(scene: Scene) -> tuple[tuple[str, Field], ...]:
    chosen = _chosen(scene)
    return () if chosen is None else chosen[1].inputs(chosen[0], scene.problem.network)


def _wanted_output(scene: Scene) -> Shape | None:
    """The shape that must reach the problem's output node."""
    chosen = _chosen(scene)
    if chosen is None:
        return None
    dataset, task, loss = chosen
    outputs = [n.id for n in scene.graph.nodes if is_output(n)]
    shapes = task.all_output_shapes(dataset, loss, scene.problem.network, len(outputs))
    return dict(zip(outputs, shapes, strict=False)).get(scene.node.id)


def input(scene: Scene) -> Iterator[Candidate]:
    inputs = [n for n in scene.graph.nodes if is_input(n)]
    for node, (_, given) in zip(inputs, _wanted_inputs(scene), strict=False):
        block = input_for(given)
        if node.id == scene.node.id and block is not None:
            new = dataclasses.replace(node, block=block)
            replaced = scene.edit("replace_node", id=node.id, node=node_to_json(new))
            more = [] if given.size is None else _tables(scene, node.id, given.size)
            tokens = f" of {given.size:,} tokens" if given.holds == "tokens" else ""
            label = f"Set the input to {size(given.shape)}{tokens}"
            if more:
                yield label, [replaced, *more]
            yield label, [replaced]
            expected = scene.node.block.source_shape() if isinstance(scene.node.block, Block) else None
            if expected is not None:
                yield from data_of(scene, given.shape, expected)


def _tables(scene: Scene, id: str, vocabulary: int) -> list[Edit]:
    """Edits that give the tables of vectors which read this input's tokens a row for each."""
    found: list[Edit] = []
    for edge in scene.graph.outgoing(id):
        block = scene.graph.node(edge.target).block if edge.target in scene.graph.ids() else None
        if isinstance(block, Block) and any(s.name == "num_embeddings" for s in block.settings()):
            found += set_to(scene, "num_embeddings", vocabulary, id=edge.target)
    return found


def no_input(scene: Scene) -> Iterator[Candidate]:
    for _, given in _wanted_inputs(scene)[:1]:
        block = input_for(given)
        if block is None:
            continue
        left = min((n.position[0] for n in scene.graph.nodes), default=STEP)
        top = min((n.position[1] for n in scene.graph.nodes), default=0.0)
        node = fresh(scene, block, (left - STEP, top))
        added = scene.edit("add_node", node=node_to_json(node))
        label = f"Add {type(block).label} {size(given.shape)}"
        for other in scene.graph.nodes:
            for port in other.block.ports():
                if port.name not in scene.sources[other.id]:
                    yield label, [added, scene.edit("add_edge", edge=plain_edge(node.id, other.id, port.name))]
        yield label, [added]


def no_output(scene: Scene) -> Iterator[Candidate]:
    cls = by_role("output")
    users = wiring(scene.graph.ids(), scene.graph.edges).users
    if cls is None:
        return
    for last in reversed(scene.graph.nodes):
        if not users[last.id] and not isinstance(last.block, UnknownBlock):
            node = fresh(scene, cls(), (last.position[0] + STEP, last.position[1]))
            yield (
                f"Add {cls.label} after {last.id}",
                [
                    scene.edit("add_node", node=node_to_json(node)),
                    scene.edit("add_edge", edge=plain_edge(last.id, node.id, cls.inputs[0].name)),
                ],
            )


def output_shape(scene: Scene) -> Iterator[Candidate]:
    """Give the last layer as many outputs as wanted, or add such a layer."""
    shape, edge = _wanted_output(scene), wire(scene)
    if shape is None or edge is None:
        return
    if len(shape) != 1:
        yield from output_map(scene, shape, edge)
        return
    (wanted,) = shape
    for at in behind(scene, edge.source):  # activations and the like may stand between the last layer and the output
        block = scene.graph.node(at).block
        if isinstance(block, Block):
            for name in ("out_features", "out_channels"):
                if any(s.name == name for s in block.settings()):
                    yield f"Set {name} of {at} to {wanted}", set_to(scene, name, wanted, id=at)
    readout, flatten = by_role("readout"), by_role("flatten")
    received = scene.shape(edge.source) or ()
    if readout is None or flatten is None:
        return
    layer = readout.from_settings({"out_features": wanted})
    if len(received) == 1:
        yield f"Insert {readout.label} → {wanted}", insert(scene, edge, layer)
    else:
        label = f"Insert {flatten.label} and {readout.label} → {wanted}"
        yield label, chained(scene, edge, flatten(), layer)


def output(scene: Scene) -> Iterator[Candidate]:
    """Set the task to what the network gives, where its settings decide on that; else change the last layer."""
    chosen, edge = _chosen(scene), wire(scene)
    received = None if edge is None else scene.shape(edge.source)
    other = None if chosen is None or received is None else chosen[1].taking(received)
    if chosen is not None and other is not None:
        before, after = chosen[1].to_settings(), other.to_settings()
        changed = [f"{name} to {_short(after[name])}" for name in after if after[name] != before[name]]
        if changed:
            value = {"name": other.name, "settings": after}
            yield f"Set {', '.join(changed)}", [edits.set_part("task", value)]
    wanted = _wanted_output(scene)
    if received is not None and wanted is not None:
        yield from data_of(scene, wanted, received)
    yield from output_shape(scene)


def _short(value: object) -> str:
    return "×".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def extra_end(scene: Scene) -> Iterator[Candidate]:
    ends = [n for n in scene.graph.nodes if (is_output(n) if scene.problem.code == "outputs" else is_input(n))]
    for node in reversed(ends):
        if is_output(node):
            gone = [node.id, *only_for(scene, node.id)]
            yield f"Remove {node.id}", [scene.edit("remove_node", id=id) for id in gone]
        else:
            yield f"Remove {node.id}", _without_input(scene, node.id)


def _without_input(scene: Scene, id: str) -> list[Edit]:
    """Edits that remove an input, and what reads it alone; where it meets others they go on without it."""
    found: list[Edit] = []
    ids = set(scene.graph.ids())
    gone, queue = {id}, [id]
    while queue:
        at = queue.pop()
        found.append(scene.edit("remove_node", id=at))
        for edge in scene.graph.outgoing(at):
            if edge.target not in ids or edge.target in gone:
                continue  # a loose wire, or a loop
            if len(scene.graph.node(edge.target).block.ports()) > 1:
                found += without_port(scene, edge.target, edge.target_port)
            else:
                gone.add(edge.target)
                queue.append(edge.target)
    return found
