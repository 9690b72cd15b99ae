"""Remedies for data, task, loss, optimizer and training settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from builder import data, definition, edits, optimizers, tasks
from builder.project import node_to_json
from builder.remedies.scene import Candidate, Scene, valid
from builder.training.settings import TrainingSettings


def training(scene: Scene) -> Iterator[Candidate]:
    kept = valid(TrainingSettings, scene.project.training)
    values = TrainingSettings.from_settings(kept).to_settings()
    yield "Use the usual value", [edits.set_part("training", values)]


def batch_size(scene: Scene) -> Iterator[Candidate]:
    now = int(scene.project.training.get("batch_size", 32))
    sizes: Iterable[int] = (32,) if scene.problem.code == "one-value" else (now // 2**i for i in range(1, 12))
    for wanted in sizes:
        if wanted >= 1:
            changes = [edits.set_part("training", {**scene.project.training, "batch_size": wanted})]
            yield f"Use a batch size of {wanted}", changes


def part(scene: Scene) -> Iterator[Candidate]:
    """The usual data set, task, loss or optimizer in place of one that is unknown or wrongly set."""
    kind = scene.problem.code.removeprefix("unknown-").removesuffix("-setting")
    project = scene.project
    if kind == "data":
        known: Any = data
        current = project.data
    elif kind == "task":
        known, current = tasks, project.task
    elif kind == "loss":
        current = project.loss
        losses = {cls.name: cls for cls in tasks.find(project.task.name).losses}
        cls = losses.get(current.name) or next(iter(losses.values()))
        yield f"Use {cls.label}", [edits.set_part("loss", _choice(cls, current.name, current.settings))]
        return
    else:
        slots = {}
        for slot, choice in project.optimizer.items():
            chosen = optimizers.find(choice.name if choice.name in optimizers.names() else "Adam")
            slots[slot] = _choice(chosen, choice.name, choice.settings)
        yield "Use the usual optimizer", [edits.set_part("optimizer", slots)]
        return
    for name in (current.name, *known.names()):
        if name in known.names():
            cls = known.find(name)
            yield f"Use {cls.label}", [edits.set_part(kind, _choice(cls, current.name, current.settings))]


def thaw(scene: Scene) -> Iterator[Candidate]:
    node, known = dataclasses.replace(scene.node, rate=1.0), scene.project.blocks
    learning = scene.edit("replace_node", id=node.id, node=node_to_json(node))
    yield f"Let {node.id} learn", [learning]
    name = type(node.block).__name__
    if name in known:
        inside = definition.needed(name, known)
        thawed = {n: definition.thawed(raw) if n in inside else raw for n, raw in known.items()}
        yield f"Let the blocks inside {name} learn", [learning, edits.set_part("blocks", thawed)]


def _choice(cls: Any, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    kept = valid(cls, settings) if cls.name == name else {}
    return {"name": cls.name, "settings": cls.from_settings(kept).to_settings()}


def optimizer(scene: Scene) -> Iterator[Candidate]:
    slots = {slot: {"name": c.name, "settings": c.settings} for slot, c in scene.project.optimizer.items()}
    slots[scene.problem.network] = _choice(optimizers.find("Adam"), "", {})
    yield "Use Adam", [edits.set_part("optimizer", slots)]
