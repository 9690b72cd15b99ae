"""How a few samples looked at several moments of a training: a strip of at most 16 frames, evenly spaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from builder.training import snapshot
from builder.training.snapshot import Array, Snapshot

FILE = "film.safetensors"
FRAMES = 16
SAMPLES = 512
ELEMENTS = 200_000
"""The most numbers kept of one frame; the first samples are kept."""


class Film:
    """The frames of a run, in film.safetensors: ``STEP/NAME`` in half precision, and ``steps`` in its `info`.

    When it is full, every second frame goes and the distance between frames doubles. A run that goes on
    from a checkpoint replaces the frames after it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.steps: list[int] = []
        self.arrays: dict[str, Array] = {}
        found = snapshot.read(self.path)
        if found is not None:
            self.steps, self.arrays = [int(s) for s in found.info.get("steps", [])], dict(found.arrays)
        self.distance = max((b - a for a, b in zip(self.steps, self.steps[1:])), default=1)

    def wants(self, step: int) -> bool:
        """Whether this moment is to be kept."""
        return not self.steps or step < self.steps[-1] or step >= self.steps[-1] + self.distance

    def add(self, step: int, results: dict[str, Tensor]) -> str | None:
        """Keep these results (the sample first) as a frame and write the file; what went wrong, or None."""
        kept = [s for s in self.steps if s < step]
        if len(kept) >= FRAMES:
            kept = kept[::2]
            self.distance = max(2 * self.distance, step - kept[-1])
        self.steps = [*kept, step]
        for name, value in results.items():
            count = max(1, min(SAMPLES, ELEMENTS // max(1, value[0].numel()), len(value)))
            frame: Array = value[:count].detach().float().clamp(-65504, 65504).to("cpu", torch.float16).numpy().copy()
            self.arrays[f"{step}/{name}"] = frame
        self.arrays = {key: array for key, array in self.arrays.items() if int(key.partition("/")[0]) in self.steps}
        try:
            snapshot.write(self.path, Snapshot({"steps": self.steps}, self.arrays))
        except OSError as error:
            return error.strerror or str(error)
        return None


def frames(folder: Path, name: str) -> list[tuple[int, Array]]:
    """The frames of one result by step, the earliest first; empty when there are none."""
    found = snapshot.read(folder / FILE)
    if found is None:
        return []
    arrays = {int(s): found.arrays.get(f"{s}/{name}") for s in found.info.get("steps", [])}
    return [(step, np.asarray(array, np.float32)) for step, array in arrays.items() if array is not None]
