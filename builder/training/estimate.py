"""How long a training step will take on this machine, before one is made."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from builder.project import Project
from builder.training.settings import TrainingSettings
from builder.validate import Parts, Report

FORWARD_AND_BACKWARD = 3
"""A backward pass is the work of two forward ones: one for the inputs' gradients, one for the weights'."""
LAYER_SECONDS = 60e-6
"""What calling a layer costs in both directions, whatever its size."""
PARAMETER_SECONDS = 2.5e-9
"""What an optimizer needs for one parameter: it reads and writes four numbers in main memory."""
VALUE_SECONDS = 2e-9
"""The same for a value that a layer gives: written, read, and its gradient likewise."""


@dataclass(frozen=True)
class Estimate:
    """`step` and `epoch` are seconds, `memory` bytes; `epoch` is None where the data does not say its size."""

    step: float
    epoch: float | None
    memory: int


def estimate(project: Project, report: Report, parts: Parts) -> Estimate | None:
    """What a step of the project's training costs; None while shapes are not known or settings do not fit.

    On a graphics card it will be less: the estimate is for the processor.
    """
    if not report.ok or parts.training is None:
        return None
    training: TrainingSettings = parts.training
    batch = training.batch_size
    sizes = (parts.dataset.size_hint() or {}) if parts.dataset is not None else {}
    samples = sizes.get("train")
    if samples is not None:
        batch = min(batch, samples)
    work = sum(report.flops.values()) * batch * FORWARD_AND_BACKWARD
    nodes = [node for known in report.nodes.values() for node in known.values()]
    seconds = work / (multiply_adds_a_second() * max(1, min(training.threads, torch.get_num_threads() or 1)))
    seconds += LAYER_SECONDS * sum(max(1, len(node.inner)) for node in nodes)
    seconds += PARAMETER_SECONDS * sum(report.parameters.values())
    seconds += VALUE_SECONDS * batch * sum(node.elements for node in nodes)
    epoch = None if samples is None else seconds * math.ceil(samples / batch)
    return Estimate(seconds, epoch, sum(report.memory.values()))


@functools.cache
def multiply_adds_a_second() -> float:
    """How fast one thread of this machine convolves: measured once, in a few hundredths of a second."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        x, weight = torch.zeros(4, 32, 32, 32), torch.zeros(32, 32, 3, 3)
        work = 4 * 32 * 32 * 32 * 32 * 9
        best = math.inf
        with torch.no_grad():
            for _ in range(6):
                begun = time.perf_counter()
                F.conv2d(x, weight, padding=1)
                best = min(best, time.perf_counter() - begun)
        return work / best
    finally:
        torch.set_num_threads(threads)


def duration(seconds: float) -> str:
    """Seconds as people say them: 12 ms, 3.4 s, 5 min, 2.5 h."""
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36000 else f"{seconds / 3600:.0f} h"
