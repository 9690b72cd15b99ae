"""Checking a project: every mistake at once, and every shape that can be known."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blocks.base import Block, BlockError, Port, SettingError, Shape
from builder import data, definition, fixes, optimizers, structure, tasks
from builder.against_task import against_task
from builder.graph import Graph, Node, UnknownBlock
from builder.problems import Problem
from builder.project import Choice, Project
from builder.report import NodeReport, Parts, Report
from builder.shapes import Inferred, infer, size
from builder.structure import Wiring, is_input, is_output
from builder.tasks.base import Task
from builder.training.settings import TrainingSettings

NAMED = 12
"""The most names of data sets, tasks and the like that a message lists."""
BYTES = 4
"""Bytes of a number in single precision."""


def check(project: Project) -> Report:
    """Everything that is wrong with the project, with tried fixes, and all shapes.

    Reads only declarations, never a disk or the network. Never raises for a user's mistake.
    """
    report = inspect(project)
    report.problems = fixes.with_fixes(project, report, inspect)
    return report


def inspect(project: Project) -> Report:
    """As `check`, but without looking for fixes."""
    report = Report()
    problems: list[Problem] = []
    parts = look_up(project, problems)
    report.missing = None if parts.dataset is None else parts.dataset.missing()
    for name, graph in project.networks.items():
        wires = structure.wiring(graph.ids(), graph.edges)
        problems.extend(structure.problems(name, graph, wires))
        known = _shapes(name, graph, wires, problems)
        report.nodes[name] = known
        report.shapes[name] = {id: n.shape for id, n in known.items() if n.shape is not None}
        report.parameters[name] = sum(n.parameters for n in known.values())
        report.flops[name] = sum(n.flops for n in known.values())
        report.memory[name] = _memory(report.parameters[name], known, parts.training)
        problems.extend(against_task(name, graph, wires, known, parts))
        problems.extend(_too_large(name, report))
        _mark(name, graph, wires, known, problems)
    if parts.task is not None:
        problems.extend(_slots(project, parts.task))
    problems.extend(_insides(project, report))
    report.problems = tuple(problems)
    return report


# --- data, task, loss, optimizer, training -------------------------------------------------------


def look_up(project: Project, problems: list[Problem]) -> Parts:
    """The declared things the project names; what cannot be found or set is added to `problems`."""
    dataset = _declared(project.data, "data", "data set", data.find, data.names, problems)
    task = _declared(project.task, "task", "task", tasks.find, tasks.names, problems)
    loss = None
    if task is not None:
        offered = {cls.name: cls for cls in task.losses}

        loss = _declared(project.loss, "loss", "loss", offered.__getitem__, lambda: tuple(offered), problems)
    for slot, choice in project.optimizer.items():
        _declared(choice, "optimizer", f"optimizer of {slot}", optimizers.find, optimizers.names, problems)
    training = None
    try:
        training = TrainingSettings.from_settings(project.training)
    except SettingError as error:
        problems.append(Problem("", None, None, "training-setting", "error", f"Training: {error}", part="training"))
    if dataset is not None and task is not None and task.name not in dataset.tasks:
        message = (
            f"The data set {dataset.label} does not suit the task {task.label}. Choose other data or another task."
        )
        problems.append(Problem("", None, None, "data-task", "error", message, part="data"))
        return Parts(None, task, loss, training)
    unfit = loss.problem(dataset) if loss is not None and dataset is not None else None
    if unfit is not None:
        problems.append(Problem("", None, None, "loss-setting", "error", unfit, part="loss"))
    return Parts(dataset, task, loss, training)


def _declared(choice: Choice, part: str, what: str, find: Any, names: Any, problems: list[Problem]) -> Any:
    try:
        cls = find(choice.name)
    except KeyError:
        known = list(names())
        listed = ", ".join(known[:NAMED]) + (f" and {len(known) - NAMED} more" if len(known) > NAMED else "")
        message = f"There is no {what} called {choice.name!r}. Known are {listed}."
        problems.append(Problem("", None, None, f"unknown-{part}", "error", message, part=part))
        return None
    try:
        return cls.from_settings(choice.settings)
    except SettingError as error:
        problems.append(Problem("", None, None, f"{part}-setting", "error", f"The {what}: {error}", part=part))
        return None


def _slots(project: Project, task: Task) -> Iterator[Problem]:
    for slot in task.slots:
        if slot not in project.networks:
            message = f"The task {task.label} needs a network called {slot!r}. Add it, or choose another task."
            yield Problem(slot, None, None, "missing-network", "error", message)
        elif slot not in project.optimizer:
            message = f"The network {slot!r} has no optimizer. Choose one."
            yield Problem(slot, None, None, "missing-optimizer", "error", message, part="optimizer")


# --- shapes --------------------------------------------------------------------------------------


def _shapes(network: str, graph: Graph, wires: Wiring, problems: list[Problem]) -> dict[str, NodeReport]:
    nodes = {n.id: n for n in graph.nodes}
    reports = {n.id: NodeReport() for n in graph.nodes}
    for id in wires.order:
        node, report = nodes[id], reports[id]
        block = node.block
        if isinstance(block, UnknownBlock):
            continue
        ports = block.ports()  # an input has none
        sources = wires.sources[id]
        received = []
        for port in ports:
            source = sources.get(port.name)
            shape = None if source is None else reports[source].shape
            if shape is not None:
                report.inputs[port.name] = shape
                received.append(shape)
        if len(received) < len(ports):
            continue
        try:
            for port in ports:
                source_node = nodes[sources[port.name]]
                if not port.holds == source_node.block.holds == "features":
                    _holds(node, block, port, source_node)
            found, report.explain = _understood(block, tuple(received))
        except BlockError as error:
            cause = error.__cause__
            details = str(cause) if cause is not None and not isinstance(cause, BlockError) else ""
            message = f"{id} ({block.label}): {error}"
            problems.append(Problem(network, id, error.port, error.code, "error", message, details=details))
            continue
        report.shape, report.parameters, report.flops = found.shape, found.parameters, found.flops
        report.elements, report.inner = found.elements, found.inner
    return reports


@functools.lru_cache(maxsize=50_000)
def _understood(block: Block, shapes: tuple[Shape, ...]) -> tuple[Inferred, str]:
    """What `infer` says, and the block's formula with its numbers. Cached, since most edits leave most blocks alone."""
    if shapes:
        _ranks(block, shapes)
    found = infer(block, shapes)
    return found, block.explain(shapes, found.shape)


def _ranks(block: Block, shapes: tuple[Shape, ...]) -> None:
    for port, shape in zip(block.ports(), shapes, strict=True):
        if port.accepts(shape):
            continue
        wanted = (port.rank,) if isinstance(port.rank, int) else port.rank or ()
        kinds = {1: "a flat vector", 2: "a sequence (length × features)", 3: "a picture (channels × height × width)"}
        listed = " or ".join(kinds.get(rank, f"{rank} dimensions") for rank in wanted)
        count = f" ({math.prod(shape):,} values)" if len(shape) > 1 else ""
        remedy = (
            "Insert a Flatten before it." if wanted == (1,) else "Insert a Reshape before it, or connect another block."
        )
        raise BlockError(f"it takes {listed} but receives {size(shape)}{count}. {remedy}", "rank", port.name)


def _holds(node: Node, block: Block, port: Port, source: Node) -> None:
    """Raise BlockError where features meet a port for tokens, or the other way round, or tokens are too large."""
    given = source.block
    if isinstance(given, UnknownBlock):
        return
    if port.holds != given.holds and not is_output(node):
        if given.holds == "tokens":
            message = "it receives tokens (whole numbers) but needs features. Insert an Embedding before it."
        else:
            message = "it needs tokens (whole numbers), so it must come right after a Tokens input."
        raise BlockError(message, "tokens", port.name)
    if port.holds == "tokens" and is_input(source):
        block.check_vocabulary(given.to_settings()["vocabulary"])


def _insides(project: Project, report: Report) -> Iterator[Problem]:
    """What is wrong inside own blocks, as warnings: where one is used, the use has the error."""
    for name, raw in project.blocks.items():
        place, refused = definition.PLACE + name, project.own[name]
        graph = definition.opened(raw, project.own)
        found: list[Problem] = []
        if graph is not None:
            wires = structure.wiring(graph.ids(), graph.edges)
            found.extend(structure.problems(place, graph, wires))
            report.insides[name] = _shapes(place, graph, wires, found)
            _mark(place, graph, wires, report.insides[name], found)
        for problem in found:
            yield dataclasses.replace(problem, severity="warning")
        if isinstance(refused, str) and not found:
            yield Problem(place, None, None, "own-block", "warning", refused)
        for argument in definition.unused_arguments(raw):
            message = f"The setting {argument} of the block {name} does nothing: no block inside takes it. Remove it."
            yield Problem(place, None, None, "unused-argument", "warning", message)


# --- size ----------------------------------------------------------------------------------------


@functools.cache
def machine_memory() -> int:
    """Bytes of memory this machine has, or those a container is given of them."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        given = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return whole  # no container, or none that says so
    return min(whole, int(given)) if given.isdigit() else whole


def _memory(parameters: int, known: dict[str, NodeReport], training: TrainingSettings | None) -> int:
    batch = training.batch_size if training is not None else 1
    return BYTES * (4 * parameters + 2 * batch * sum(n.elements for n in known.values()))


def _too_large(network: str, report: Report) -> Iterator[Problem]:
    available = machine_memory()
    needed = 16 * report.parameters[network]
    if needed > available:
        worst = max(report.nodes[network], key=lambda id: report.nodes[network][id].parameters)
        message = (
            f"The network has {report.parameters[network]:,} parameters ({report.nodes[network][worst].parameters:,} in "
            f"{worst}); training needs {needed / 2**30:.1f} GB for them, but this machine has {available / 2**30:.1f} GB. "
            f"Make {worst} smaller."
        )
        yield Problem(network, worst, None, "too-large", "error", message)
    elif report.memory[network] > available:
        message = (
            f"Training needs about {report.memory[network] / 2**30:.1f} GB at this batch size, but this machine has "
            f"{available / 2**30:.1f} GB. Use a smaller batch size."
        )
        yield Problem(network, None, None, "memory", "error", message)


def _mark(network: str, graph: Graph, wires: Wiring, known: dict[str, NodeReport], problems: list[Problem]) -> None:
    """Set every node's state: its own error or warning, or waiting for a broken node upstream."""
    for problem in problems:
        if problem.network == network and problem.node is not None and problem.node in known:
            report = known[problem.node]
            if report.state != "error":
                report.state = problem.severity
    for loop in wires.loops:
        for id in loop:
            if known[id].state != "error":
                known[id].state, known[id].waits_for = "waiting", loop[0]
    placed = set(wires.order)
    for id in (*wires.order, *(i for i in graph.ids() if i not in placed)):
        report = known[id]
        if report.shape is not None or report.state == "error":
            continue
        blocked = [s for s in wires.sources[id].values() if known[s].shape is None]
        if blocked:
            report.state = "waiting"
            report.waits_for = known[blocked[0]].waits_for or blocked[0]


__all__ = ["Inferred", "NodeReport", "Parts", "Report", "check", "inspect", "look_up", "machine_memory"]
