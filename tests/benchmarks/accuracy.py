"""What the tasks reach on real data, a row for each: goal, seed, split and time.

    python tests/benchmarks/accuracy.py [--only NAME ...] [--list]

A row is a function that gives its line; those of this file and of its neighbours accuracy_*.py (their ROWS).
One thread; LAYERLOOM_DATA names the data. Here:

- nuclei: a U-Net on microscope pictures, mean IoU per validation image of at least 0.83, beside Otsu's threshold.
- conv_autoencoder: the starter project with 16 numbers on MNIST, pixels from 0 to 1, test error of at most 0.013.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from networks import unet_small

import builder
from builder import data, templates
from builder.data.masks import Nuclei
from builder.project import Choice, Project
from builder.tasks import segmentation
from builder.training.headless import TrainedRun

SEED = 0
HERE = Path(__file__).resolve().parent


def trained(project: Project) -> tuple[TrainedRun, float]:
    """The run and its seconds; a line for every evaluation goes to stderr."""

    def told(record: dict[str, Any]) -> None:
        if "split" in record:
            numbers = ", ".join(f"{k} {v:.4f}" for k, v in {**record["losses"], **record["metrics"]}.items())
            print(
                f"  {time.monotonic() - began:5.0f} s  epoch {record['epoch']}  {numbers}", file=sys.stderr, flush=True
            )

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = builder.train(project, Path(folder) / "run", told)
    return run, time.monotonic() - began


def row(name: str, found: str, good: bool, seconds: float) -> str:
    """A line of the table."""
    return f"{'reached' if good else 'MISSED '}  {name}: {found}; seed {SEED}, {seconds / 60:.1f} min"


def otsu(image: np.ndarray[Any, Any]) -> int:
    """Otsu's threshold (1979) of a grey picture, uint8: where the variance between both sides is largest."""
    counts = np.bincount(image.ravel(), minlength=256).astype(float)
    below = np.cumsum(counts)
    sums = np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * below - below[-1] * sums) ** 2 / (below * (below[-1] - below))
    return int(np.nan_to_num(between).argmax())


def otsu_iou(dataset: Nuclei) -> float:
    """The mean IoU per validation image of Otsu's threshold; nuclei are the side with fewer pixels."""
    split = data.load(dataset)["validation"]
    said = []
    for image in split["image"].numpy()[:, 0]:
        light = image > otsu(image)
        said.append(light if light.mean() < 0.5 else ~light)
    counts = segmentation.overlap_counts(torch.from_numpy(np.stack(said)).long(), split["mask"].long(), 2)
    return segmentation.segmentation_score({"overlap": counts}, {})["picture_iou"]


def nuclei() -> str:
    """The data's own 120 training and 30 validation pictures, in colour, 128×128."""
    dataset = Nuclei(size=128, colour="colour", flip=True, rotate=90.0, zoom=0.1)
    project = Project(
        name="U-Net",
        networks={"network": unet_small(3, 128, (16, 32, 64, 128), 1)},
        data=Choice("nuclei", dataset.to_settings()),
        task=Choice("segmentation"),
        loss=Choice("bce_dice"),
        optimizer={"network": Choice("Adam", {"lr": 0.003})},
        training={"epochs": 60, "batch_size": 8, "seed": SEED, "schedule": "cosine"},
    )
    run, seconds = trained(project)
    best = max(r["metrics"]["picture_iou"] for r in run.history if r.get("split") == "validation")
    plain = otsu_iou(Nuclei(size=128))
    told = f"mean IoU per validation image {best:.3f} (at least 0.83), Otsu's threshold {plain:.3f}"
    return row("U-Net on nuclei, 120 to train and 30 to validate", told, best >= 0.83, seconds)


def conv_autoencoder() -> str:
    """MNIST's own 10,000 test digits; 54,000 to train, 6,000 to choose the weights."""
    project = templates.load("conv_autoencoder")
    training = {**project.training, "epochs": 10, "batch_size": 128, "seed": SEED, "schedule": "cosine"}
    project = project.replace(data=Choice("mnist", data.find("mnist")().to_settings()), training=training)
    run, seconds = trained(project)
    error = run.metrics["mse"]
    return row(
        "autoencoder with 16 numbers on MNIST, test", f"error {error:.4f} (at most 0.013)", error <= 0.013, seconds
    )


ROWS: dict[str, Callable[[], str]] = {"nuclei": nuclei, "conv_autoencoder": conv_autoencoder}


def rows() -> dict[str, Callable[[], str]]:
    """The rows of this file and of its neighbours."""
    found = dict(ROWS)
    for path in sorted(HERE.glob("accuracy_*.py")):
        found |= getattr(importlib.import_module(path.stem), "ROWS", {})
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="rows to fill; all unless told")
    parser.add_argument("--list", action="store_true", help="name the rows and do nothing")
    options = parser.parse_args()
    known = rows()
    for name in options.only or known:
        print(name if options.list else known[name](), flush=True)
