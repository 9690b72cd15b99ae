"""Microseconds to make one batch, by data set and augmentation.

    LAYERLOOM_DATA=FOLDER python tests/benchmarks/batch_cost.py [BATCH_SIZE]

One thread, warm; the best of 5 rounds of 200 batches drawn at random. The goal is 60 µs for 32
pictures of 28×28 without augmentation. Data sets that are not on this machine are left out.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from builder import data

ROUNDS, BATCHES = 5, 200
AUGMENTED = {"shift": 0.1, "zoom": 0.1, "rotate": 10.0}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("spirals", {}),
    ("iris", {}),
    ("digits", {}),
    ("mnist", {}),
    ("mnist", {"normalization": "standard"}),
    ("mnist", {"flip": True}),
    ("mnist", AUGMENTED),
    ("pictures", {"samples": 2000}),
    ("pictures", {"samples": 2000, "normalization": "standard", **AUGMENTED}),
    ("pictures", {"samples": 200, "height": 224, "width": 224}),
]


def cost(dataset: data.Dataset, size: int) -> float:
    """Microseconds a batch of `size` training samples, the best of ROUNDS."""
    split, settings = data.load(dataset)["train"], dataset.to_settings()
    indices = [torch.randint(0, len(split["label"]), (size,)) for _ in range(BATCHES)]
    generator = torch.Generator().manual_seed(0)
    best = float("inf")
    for _ in range(ROUNDS + 1):  # the first one warms up
        start = time.perf_counter()
        for index in indices:
            dataset.make_batch(split, index, settings, generator)
        best = min(best, (time.perf_counter() - start) / BATCHES)
    return best * 1e6


def main(size: int = 32) -> None:
    """Print a line for each case."""
    torch.set_num_threads(1)
    present = data.folder()
    for name, settings in CASES:
        if name == "mnist" and (present is None or not (present / name).is_dir()):
            print(f"{name:10} left out: LAYERLOOM_DATA names no folder with {name}/")
            continue
        shown = ", ".join(f"{key} {value}" for key, value in settings.items())
        print(f"{name:10} {cost(data.find(name).from_settings(settings), size):8.0f} µs  {shown}")


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:]))
