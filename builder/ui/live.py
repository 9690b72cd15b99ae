"""What the canvas is told while a network trains: the run's state and a thumbnail for every block."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from blocks.base import Shape
from builder import data, structure, tasks, validate
from builder.graph import UnknownBlock
from builder.project import Project, ProjectError, from_json, to_json
from builder.report import Report
from builder.training.run import Run, State, differences
from builder.training.settings import TrainingSettings
from builder.training.snapshot import Snapshot
from builder.ui.views import pictures

Json = dict[str, Any]
Kinds = dict[str, dict[str, tuple[str, Shape | None]]]


def run_json(run: Run | None, state: State | None) -> Json:
    """A run's state as the canvas takes it."""
    if run is None or state is None:
        return {"id": None, "status": "none"}
    told = state.to_json()
    names = ("status", "epoch", "epochs", "step", "steps", "seconds_left", "message", "lr", "losses")
    metrics = (state.test or state.validation).get("metrics") or state.metrics
    score = next((_score(run, name, value) for name, value in metrics.items()), "")
    return {"id": run.id, **{name: told[name] for name in names}, "score": score, "slots": _slots(run)}


def _slots(run: Run) -> list[str]:
    """The networks of the run's task, where there are several."""
    try:
        slots = tasks.find(run.project_json()["task"]["name"]).slots
    except (KeyError, TypeError):
        return []
    return list(slots) if len(slots) > 1 else []


def _score(run: Run, name: str, value: float) -> str:
    """The run's first metric, as people read it."""
    try:
        metric = tasks.find(run.project_json()["task"]["name"]).metric(name)
    except (KeyError, TypeError):
        return ""
    if metric is None or not math.isfinite(value):
        return ""
    return f"{100 * value:.1f}%" if metric.unit == "%" else f"{metric.short or metric.label} {value:.3f}"


def belongs(run: Run, project: Project) -> bool:
    """Whether a run trained the networks that are on the canvas: the same blocks, by name and kind."""
    trained = run.project_json().get("networks", {})
    if not isinstance(trained, dict) or set(trained) != set(project.networks):
        return False
    for name, graph in to_json(project)["networks"].items():
        kinds = {node["id"]: node["block"] for node in graph["nodes"]}
        if kinds != {node.get("id"): node.get("block") for node in trained[name].get("nodes", [])}:
            return False
    return True


def remark(run: Run, project: Project) -> str:
    """That a run trained other networks than those on the canvas, as a sentence; empty where it trained these."""
    if belongs(run, project):
        return ""
    name = run.project_json().get("name")
    other = f"the network of {name}, not" if name and name != project.name else "another network than"
    return f":material/info: {run.name} trained {other} the one on the canvas."


def edited(run: Run, project: Project) -> bool:
    """Whether a network, its data or its settings have been changed since a run was started with them.

    What the next run begins with (its first weights) is no change of either.
    """
    before = trained(run)
    if before is None:
        return True
    return any(key.partition(".")[0] != "weights" for key in differences(_settled(before), _settled(project)))


def _settled(project: Project) -> Json:
    """A project as JSON with every setting of the training, those left to their defaults, too."""
    told = to_json(project)
    return told | {"training": TrainingSettings().to_settings() | told["training"]}


def trained(run: Run) -> Project | None:
    """The project as the run trained it; None when its file cannot be read."""
    try:
        return from_json(run.project_json())
    except ProjectError:
        return None


def kinds(project: Project, report: Report | None = None) -> Kinds:
    """By network and node: which block it is, and the shape that comes out of it (of `report` if it was made)."""
    shapes = (report or validate.inspect(project)).shapes
    return {
        name: {
            node.id: (
                node.block.name if isinstance(node.block, UnknownBlock) else type(node.block).__name__,
                shapes.get(name, {}).get(node.id),
            )
            for node in graph.nodes
        }
        for name, graph in project.networks.items()
    }


def standing(pictured: dict[str, dict[str, str]], then: Kinds, now: Kinds) -> dict[str, dict[str, str]]:
    """Of pictures by network and node path, those of nodes that are still the same blocks with outputs of the same shape."""
    return {
        network: {path: url for path, url in found.items() if _stands(path.partition(".")[0], network, then, now)}
        for network, found in pictured.items()
    }


def akin(then: Kinds, now: Kinds) -> bool:
    """Whether at least half of the blocks of a run are still there, by name and kind: the same network, edited."""
    before = {(network, id, kind) for network, nodes in then.items() for id, (kind, _) in nodes.items()}
    after = {(network, id, kind) for network, nodes in now.items() for id, (kind, _) in nodes.items()}
    return 2 * len(before & after) >= len(before)


def _stands(id: str, network: str, then: Kinds, now: Kinds) -> bool:
    before = then.get(network, {}).get(id)
    return before is not None and before == now.get(network, {}).get(id)


def input_fields(project: Project) -> dict[str, dict[str, str]]:
    """For every network, which field of the data each of its input nodes reads."""
    try:
        dataset = data.find(project.data.name).from_settings(project.data.settings)
        task = tasks.find(project.task.name).from_settings(project.task.settings)
    except (KeyError, ValueError):
        return {}
    found: dict[str, dict[str, str]] = {}
    for slot in task.slots:
        if slot in project.networks:
            nodes = [n.id for n in project.networks[slot].nodes if structure.is_input(n)]
            found[slot] = dict(zip(nodes, (name for name, _ in task.inputs(dataset, slot)), strict=False))
    return found


def thumbnails(project: Project, probe: Snapshot) -> dict[str, dict[str, str]]:
    """A data URL for every node path of every network that the probe has seen; `project` as it is trained."""
    samples = probe.part("sample")
    found: dict[str, dict[str, str]] = {}
    for network, graph in project.networks.items():
        pictured = {path: pictures.url(pictures.thumbnail(_plain(a))) for path, a in probe.maps(network).items()}
        for id, field in input_fields(project).get(network, {}).items():
            if field in samples:
                pictured[id] = pictures.url(pictures.sample_picture(_plain(samples[field])))
        answer = probe.part("prediction").get("probability")
        wires = structure.wiring(graph.ids(), graph.edges)
        for node in graph.nodes:
            if not structure.is_output(node):
                continue
            source = wires.sources[node.id].get("in", "")
            if answer is not None and answer.ndim == 1 and answer.size <= 40:
                pictured[node.id] = pictures.url(pictures.bars(_plain(answer)))
            elif source in pictured:  # it hands on what it receives
                pictured[node.id] = pictured[source]
        found[network] = pictured
    return found


def probe_json(project: Project, probe: Snapshot) -> Json:
    """Which sample is shown, its class, and what the network says of it; `project` as it is trained."""
    prediction = probe.part("prediction")
    names: tuple[str, ...] = ()
    with contextlib.suppress(KeyError, ValueError):  # the data has been changed to something unknown meanwhile
        names = data.find(project.data.name).from_settings(project.data.settings).class_names()
    told: Json = {"sample": probe.info.get("sample"), "label": None, "prediction": None}
    answer = prediction.get("probability")
    if answer is not None and answer.size and answer.ndim == 1:  # of pixels there is no one answer
        best = int(np.argmax(answer))
        told["prediction"] = f"{_name(names, best)} ({100 * float(answer.reshape(-1)[best]):.0f} %)"
    if "label" in prediction:
        told["label"] = _name(names, int(prediction["label"].reshape(-1)[0]))
    return told


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def _plain(array: Any) -> Any:
    return np.asarray(array, dtype=np.float32)
