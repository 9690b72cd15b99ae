"""What a project's networks are looked at with: its data set's samples and its task's view of outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from builder.data.base import Dataset, Split, Splits
from builder.project import Project
from builder.source import generate
from builder.tasks.base import Task
from builder.training import probes
from builder.training.probes import Sources


def sources(
    project: Project,
    dataset: Dataset,
    task: Task,
    settings: dict[str, Any],
    splits: Splits,
    device: torch.device | str = "cpu",
) -> Sources:
    """What a probe of this project needs to know.

    `settings` is what the task's functions take. Samples come from the validation split, or from the
    first there is.
    """
    inputs = {slot: tuple(name for name, _ in task.inputs(dataset, slot)) for slot in task.slots}
    split = splits.get("validation") or next(iter(splits.values()), {})
    data_settings = dataset.to_settings()

    def make_batch(index: Tensor) -> dict[str, Tensor]:
        return task.complete(_on(dataset.make_batch(split, index, data_settings), device), settings, index)

    grid, bounds = _grid(dataset, inputs, splits, device)
    return Sources(
        inputs=inputs,
        modules=generate(project).modules,
        make_batch=make_batch,
        count=_count(split),
        results=task_view(task.results, settings),
        complete=lambda batch: task.complete(batch, settings),
        outputs=lambda networks, batch: task.outputs(networks, inputs, task.complete(batch, settings), settings),
        live=task.followed(dataset),
        film=task.film,
        grid=grid,
        grid_range=bounds,
    )


def task_view(
    function: Callable[..., dict[str, Tensor]], settings: dict[str, Any]
) -> Callable[[dict[str, Any], dict[str, Tensor]], dict[str, Tensor]]:
    """A task's `results` or `totals` with its settings filled in."""
    return lambda outputs, batch: function(outputs, batch, settings)


def own_batch(dataset: Dataset, arrays: dict[str, Any], device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """A batch of samples that do not come from the data set, in the form of its splits (pictures uint8, N×C×H×W).

    Fields that are not given (the targets) are left out. Raises ValueError with a sentence when a
    field is unknown or has another shape than the data set's.
    """
    fields = dataset.fields()
    split: Split = {}
    count = 0
    for name, array in arrays.items():
        if name not in fields:
            raise ValueError(f"The data has no field {name!r}; it has {', '.join(fields)}.")
        tensor = torch.as_tensor(array)
        if tensor.dim() != len(fields[name].shape) + 1:
            raise ValueError(
                f"{name} has the shape {tuple(tensor.shape)}; it must be (samples, *{fields[name].shape})."
            )
        split[name] = tensor
        count = len(tensor)
    for name, field in fields.items():
        if name not in split:
            kind = torch.float32 if field.holds in ("image", "features", "boxes") else torch.int64
            split[name] = torch.zeros((count, *field.shape), dtype=kind)
    batch = dataset.make_batch(split, torch.arange(count), dataset.to_settings())
    return _on({name: value for name, value in batch.items() if name in arrays or name not in fields}, device)


def _grid(
    dataset: Dataset, inputs: dict[str, tuple[str, ...]], splits: Splits, device: torch.device | str
) -> tuple[dict[str, Tensor] | None, tuple[list[float], list[float]] | None]:
    """The plane of 2-D points as a batch, with its bounds in the data's own units; (None, None) for other data."""
    names = {name for fields in inputs.values() for name in fields if name in dataset.fields()}
    if dataset.kind != "points" or len(names) != 1:
        return None, None
    name = names.pop()
    if dataset.fields()[name].shape != (2,):
        return None, None
    points = [split[name] for split in splits.values() if name in split]
    if not points:  # a trained network that is looked at without its data
        return None, None
    grid, bounds = probes.point_grid(torch.cat(points))
    return own_batch(dataset, {name: grid}, device), bounds


def _count(split: Split) -> int:
    return min((len(tensor) for tensor in split.values()), default=0)


def _on(batch: dict[str, Tensor], device: torch.device | str) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in batch.items()}
