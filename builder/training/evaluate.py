"""Asking a trained network, also another day: predictions and feature maps from a run folder alone."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import builder.data
import builder.project
import builder.tasks
from builder.compile import compile as compile_project
from builder.data.base import Dataset
from builder.tasks.base import Task
from builder.training import checkpoint, looking, probes
from builder.training.checkpoint import CheckpointError
from builder.training.job import preload, task_settings
from builder.training.probes import Sources
from builder.training.run import PROJECT_FILE, Run
from builder.training.snapshot import Array, Snapshot

MAX_BATCH = 256
KEPT = 4
"""How many trained projects stay in memory."""


@dataclass(frozen=True)
class Trained:
    """A run's networks with their best weights, on the CPU, and what they are looked at with."""

    networks: dict[str, nn.Module]
    dataset: Dataset
    task: Task
    settings: dict[str, Any]
    sources: Sources


_lock = threading.Lock()
_opened: dict[tuple[str, int], Trained] = {}


def opened(folder: str | os.PathLike[str]) -> Trained:
    """The run's networks; kept in memory while its weights stay the same.

    Raises CheckpointError with a sentence when there are no weights yet or they do not fit the
    project, ProjectError when the project's file cannot be read.
    """
    folder = Path(folder)
    path = Run(folder).weights()
    if path is None:
        raise CheckpointError("This run has no weights yet; they are saved after the first epoch or on pause.")
    key = (str(path.resolve()), path.stat().st_mtime_ns)
    with _lock:
        if key not in _opened:
            _opened[key] = _open(folder, path)
            for old in list(_opened)[:-KEPT]:
                del _opened[old]
        return _opened[key]


def _open(folder: Path, path: Path) -> Trained:
    project = builder.project.load(folder / PROJECT_FILE)
    dataset = builder.data.find(project.data.name).from_settings(project.data.settings)
    task = builder.tasks.find(project.task.name).from_settings(project.task.settings)
    # Compiling draws the initial weights; the server's random numbers are left as they are.
    with torch.random.fork_rng([]):
        networks = compile_project(project)
    for slot, weights in checkpoint.load_weights(path).items():
        try:
            networks[slot].load_state_dict(weights)
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"The weights {path.name} do not fit the run's project ({error}).") from error
    for network in networks.values():
        network.eval()
    settings = task_settings(project)
    return Trained(networks, dataset, task, settings, looking.sources(project, dataset, task, settings, {}))


def predict(folder: str | os.PathLike[str], arrays: dict[str, Any]) -> dict[str, Array]:
    """What the run's best weights say about samples of one's own: the task's arrays, the sample first.

    `arrays` holds each input field as the data set's splits do: ``{"image": uint8 (N, C, H, W)}``, at
    most 256 samples. Raises ValueError with a sentence when a shape does not fit, CheckpointError
    when there are no weights.
    """
    trained = opened(folder)
    batch = _batch(trained, arrays)
    with _lock, torch.random.fork_rng([]), torch.no_grad():
        found = trained.sources.results(trained.sources.outputs(trained.networks, batch), batch)
    return {name: value.float().cpu().numpy() for name, value in found.items()}


def ask(folder: str | os.PathLike[str], question: dict[str, Any]) -> dict[str, Array]:
    """The task's answer to a question, from the run's best weights.

    Raises ValueError with a sentence when the question makes no sense, CheckpointError when there are
    no weights.
    """
    trained = opened(folder)
    with _lock, torch.random.fork_rng([]), torch.no_grad():
        found = trained.task.answer(trained.networks, trained.dataset, trained.settings, question)
    return {name: value.float().cpu().numpy() for name, value in found.items()}


def maps(folder: str | os.PathLike[str], arrays: dict[str, Any], watched: tuple[str, str] | None = None) -> Snapshot:
    """Feature maps of one sample of one's own (the first of `arrays`), as a probe gives them.

    `watched` is (network, node path) of the node whose map is wanted in full, with its weights.
    Raises as `predict` does.
    """
    trained = opened(folder)
    batch = _batch(trained, {name: array[:1] for name, array in arrays.items()})
    with _lock:  # hooks belong to the shared networks
        found, nodes = probes.observe(trained.networks, trained.sources, batch, watched)
    return Snapshot({"nodes": nodes, "watched": list(watched) if watched else None}, found)


def maps_of_sample(folder: str | os.PathLike[str], sample: int, watched: tuple[str, str] | None = None) -> Snapshot:
    """Feature maps of one validation sample, from the run's best weights, as a probe of the training gives them.

    An index too large wraps round. Raises as `predict` does, DataError when the data cannot be had.
    """
    trained = opened(folder)
    splits = preload({"name": trained.dataset.name, "settings": trained.dataset.to_settings()})
    split = splits.get("validation") or next(iter(splits.values()))
    sample %= max(1, min(len(field) for field in split.values()))
    index = torch.tensor([sample])
    batch = trained.dataset.make_batch(split, index, trained.dataset.to_settings())
    batch = trained.task.complete(batch, trained.settings, index)
    with _lock:  # hooks belong to the shared networks
        found, nodes = probes.observe(trained.networks, trained.sources, batch, watched)
    return Snapshot({"nodes": nodes, "sample": sample, "watched": list(watched) if watched else None}, found)


def _batch(trained: Trained, arrays: dict[str, Any]) -> dict[str, Tensor]:
    if any(len(array) > MAX_BATCH for array in arrays.values()):
        raise ValueError(f"At most {MAX_BATCH} samples can be asked about at once.")
    batch = looking.own_batch(trained.dataset, arrays)
    for name, field in trained.dataset.fields().items():
        if name in batch and tuple(batch[name].shape[1:]) != field.shape:
            shape = tuple(batch[name].shape[1:])
            raise ValueError(f"The network takes {name} of shape {field.shape}, but this one has {shape}.")
    return batch
