"""What one run trains: its project's data, networks and loop, made from the run folder."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import builder.data
import builder.project
from builder import optimizers, tasks
from builder.compile import instantiate, write
from builder.data.base import Dataset, Progress, Splits
from builder.initialization import initialize
from builder.project import Project
from builder.shapes import Inner
from builder.source import generate
from builder.tasks.base import Loss, Task
from builder.training import looking
from builder.training import weights as beginning
from builder.training.loop import Loop
from builder.training.probes import Prober
from builder.training.results import Collector
from builder.training.run import PROJECT_FILE, Run
from builder.training.settings import TrainingSettings
from builder.validate import check, inspect


class JobError(ValueError):
    """A project cannot be trained as it is; the message says why in a sentence."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """The declarations a project names, with its settings."""

    dataset: Dataset
    task: Task
    loss: Loss
    training: TrainingSettings


def parts(project: Project) -> Parts:
    """Look up what the project names.

    Raises KeyError, DataError or SettingError (all with a sentence) when something is unknown or out
    of bounds; `builder.check` reports the same as problems.
    """
    task = tasks.find(project.task.name).from_settings(project.task.settings)
    return Parts(
        builder.data.find(project.data.name).from_settings(project.data.settings),
        task,
        tasks.find_loss(task, project.loss.name).from_settings(project.loss.settings),
        TrainingSettings.from_settings(project.training),
    )


def task_settings(project: Project) -> dict[str, Any]:
    """What a task's plain functions take: ``{"task": {...}, "loss": {"name", ...}}``."""
    found = parts(project)
    return {
        "task": {**found.task.to_settings(), **found.task.constants(found.dataset)},
        "loss": {"name": project.loss.name, **found.loss.to_settings()},
    }


def settings(project: Project) -> dict[str, Any]:
    """All settings of a training as the loop takes them, JSON throughout.

    "data", "task", "loss", "optimizer" (by slot, with torch's argument names), "rates" (by slot, the modules
    that learn at a rate of their own), "training", and "best": which number of the validation decides the
    weights to keep.
    """
    found = parts(project)
    optimizer = {}
    for slot in found.task.slots:
        choice = project.optimizer[slot]
        chosen = optimizers.find(choice.name).from_settings(choice.settings)
        optimizer[slot] = {"name": choice.name, **chosen.to_settings()}
    best: dict[str, Any] = {"kind": "losses", "name": "loss", "higher_is_better": False}
    if found.task.metrics and not found.task.best_by_loss:
        first = found.task.metrics[0]
        best = {"kind": "metrics", "name": first.name, "higher_is_better": first.higher_is_better}
    return {
        "data": found.dataset.to_settings(),
        **task_settings(project),
        "optimizer": optimizer,
        "rates": _rates(project),
        "training": found.training.to_settings(),
        "best": best,
    }


def _rates(project: Project) -> dict[str, dict[str, float]]:
    """By slot and module: the factors of the blocks that learn faster or slower than their network, 0 if not at all.

    A module stands before those inside it, whose factors are the products of all around them.
    """
    nodes = inspect(project).nodes
    chosen = {
        slot: {
            path: factor
            for n in graph.nodes
            for path, factor in _factors(n.id, n.rate, n.rate, nodes[slot][n.id].inner)
        }
        for slot, graph in project.networks.items()
    }
    if not any(chosen.values()):
        return {}
    modules = generate(project).modules
    return {
        slot: {modules[slot][id]: rate for id, rate in rates.items() if id in modules[slot]}
        for slot, rates in chosen.items()
        if rates
    }


def _factors(path: str, rate: float, factor: float, inner: Iterable[Inner]) -> Iterator[tuple[str, float]]:
    """The blocks with a rate of their own, from this one (of `rate`, in all `factor`) inwards; inside a frozen one all are."""
    if rate != 1.0:
        yield path, factor
    if factor != 0:
        for part in inner:
            yield from _factors(f"{path}.{part.id}", part.rate, factor * part.rate, part.inferred.inner)


# --- before training -----------------------------------------------------------------------------


def prepare(
    project: Project,
    folder: str | os.PathLike[str],
    weights: str | os.PathLike[str] | Run | None = None,
    partial: bool = False,
    name: str = "",
) -> Path:
    """Check everything that needs no data to be read, and write project.json and model.py to a run folder.

    With `weights`, a file (called `name` in sentences) or an earlier run, training begins with these; `partial`
    takes what fits of them.

    Raises ValueError with sentences when the project has errors, lacks data of the user's, needs more
    memory than there is, names a device that is not there, or the weights do not fit; OSError with a sentence when the folder
    cannot be written; FileExistsError when it already holds a run.
    """
    folder = Path(folder)
    errors = [p for p in check(project).problems if p.severity == "error"]
    if errors:
        listed = "\n".join(
            f"- {p.network}{'.' + p.node if p.node else ''}: {p.message}".replace("- : ", "- ") for p in errors
        )
        raise JobError(f"{project.name} cannot be trained yet:\n{listed}")
    found = parts(project)
    problem = found.dataset.missing() or found.loss.problem(found.dataset)
    if problem:
        raise JobError(problem)
    if (folder / PROJECT_FILE).exists():
        raise FileExistsError(f"{folder} already holds a run; choose another folder, so that nothing is lost.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise OSError(f"The run folder {folder} cannot be written ({error.strerror or error}).") from error
    if weights is not None:
        tensors, matched = beginning.find(weights, project, name)
        beginning.keep(folder, tensors, matched, partial)
    write(generate(project), folder)
    # The project's file comes last: a folder that has it is a whole one.
    builder.project.save(project, folder / PROJECT_FILE)
    return folder


# --- data ----------------------------------------------------------------------------------------

_loaded: dict[str, Splits] = {}


def preload(choice: dict[str, Any], progress: Progress | None = None) -> Splits:
    """The samples of ``{"name", "settings"}``, kept in memory until others are asked for. Raises DataError."""
    dataset = builder.data.find(choice["name"]).from_settings(choice.get("settings", {}))
    return _load(dataset, None, progress)


def _load(dataset: Dataset, folder: Path | None, progress: Progress | None) -> Splits:
    key = json.dumps([dataset.name, dataset.to_settings(), str(folder or builder.data.folder())])
    if key not in _loaded:
        splits = builder.data.load(dataset, progress, folder)
        _loaded.clear()
        _loaded[key] = splits
    return _loaded[key]


# --- the job -------------------------------------------------------------------------------------


class Job:
    """The project in a prepared run folder, ready to train.

    `loop` trains; `dataset`, `task`, `loss`, `training`, `splits`, `settings` and `networks` are what it
    was made from. `folder_of_data` holds files that are already present (LAYERLOOM_DATA unless told).
    Raises ValueError with a sentence when the data cannot be had or the networks do not run on it.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        folder_of_data: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.project = builder.project.load(self.folder / PROJECT_FILE)
        found = parts(self.project)
        self.dataset, self.task, self.loss, self.training = found.dataset, found.task, found.loss, found.training
        torch.set_num_threads(self.training.threads)
        self.splits = _load(self.dataset, folder_of_data, progress)
        self.settings = self.task.prepare(self.splits, settings(self.project))
        # From here on the exported train.py does the same: the seed right before the weights are drawn.
        generated = generate(self.project)
        path = write(generated, self.folder)
        torch.manual_seed(self.training.seed)
        self.networks = instantiate(path, generated.classes)
        initialize(self.networks, self.settings["training"])
        given = beginning.begin(self.folder, self.networks)
        heads = self._rehearse()
        self.loop = Loop(
            self.networks,
            self.splits,
            self.dataset.make_batch,
            self.task.train_step,
            self.task.evaluate,
            self.settings,
            self.task.score,
            self.task.measure,
            self.dataset.renewal(),
        )
        self.expected_loss = None if given else self.task.initial_loss(self.dataset, self.loss)
        if self.expected_loss is not None:
            self.expected_loss *= 1 + heads * (self.task.auxiliary() or 0.0)

    def prober(self, folder: Path) -> Prober:
        """What looks into the networks while they train."""
        sources = looking.sources(
            self.project, self.dataset, self.task, self.settings, self.loop.splits, self.loop.device
        )
        return Prober(folder, self.networks, sources)

    def collector(self) -> Collector:
        """What keeps the results of each validation; from now on it listens to the loop."""
        results = looking.task_view(self.task.results, self.settings)
        totals = looking.task_view(self.task.totals, self.settings)
        collector = Collector(results, totals)
        self.loop.evaluate = collector.listening(self.task.evaluate)
        return collector

    def _rehearse(self) -> int:
        """Run two real samples through the networks: what `meta` cannot see must not wait for the first step.

        Returns how many outputs are auxiliary heads.
        """
        heads = 0
        split = self.splits["train"]
        count = min(2, min(len(field) for field in split.values()))
        if not count:
            raise JobError(f"The data set {self.dataset.label} has no training samples. Change its settings.")
        batch = self.dataset.make_batch(split, torch.arange(count), self.dataset.to_settings())
        batch = self.task.complete(batch, self.settings)
        for slot, network in self.networks.items():
            names = [name for name, _ in self.task.inputs(self.dataset, slot)]
            if any(name not in batch for name in names):
                continue  # fed by another network
            try:
                outputs = _look(network, [batch[name] for name in names])
            except (RuntimeError, IndexError, TypeError) as error:
                text = str(error).strip().splitlines()[0]
                raise JobError(
                    f"The network {slot!r} does not run on samples of {self.dataset.label}: {text}"
                ) from error
            wanted = self.task.all_output_shapes(self.dataset, self.loss, slot, len(outputs))
            heads += len(outputs) - len(self.task.output_shapes(self.dataset, self.loss, slot))
            for output, shape in zip(outputs, wanted):
                same = len(output) == count
                if shape is not None and not (
                    same and self.task.output_problem(tuple(output.shape[1:]), shape) is None
                ):
                    raise JobError(
                        f"The network {slot!r} gives {tuple(output.shape[1:])} for a sample, "
                        f"but the task {self.task.label} needs {shape}."
                    )
        return heads


def _look(network: nn.Module, inputs: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """The outputs in evaluation mode, leaving mode and random numbers as they were."""
    modes = [(module, module.training) for module in network.modules()]
    with torch.random.fork_rng([]), torch.no_grad():
        try:
            found = network.eval()(*inputs)
        finally:
            for module, mode in modes:
                module.training = mode
    return found if isinstance(found, tuple) else (found,)
