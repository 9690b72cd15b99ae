"""What segmentation and reconstruction reach on real data: masks of nuclei, and digits squeezed into 16 numbers.

    python tests/benchmarks/accuracy.py --only nuclei conv_autoencoder

- nuclei: a U-Net on microscope pictures, mean IoU per validation image of at least 0.83, beside Otsu's threshold.
  There is no test part: the epoch is chosen by the same 30 pictures whose number is told.
- conv_autoencoder: the starter project with 16 numbers on MNIST, pixels from 0 to 1, test error of at most 0.013.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from figures import QUICK, SEED, Row, Rows, epochs_of, trained
from networks import unet_small

from builder import data, templates
from builder.data.masks import Nuclei
from builder.project import Choice, Project
from builder.tasks import segmentation


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


def nuclei() -> Row:
    """The data's own 120 training and 30 validation pictures, in colour, 128×128."""
    dataset = Nuclei(size=128, colour="colour", flip=True, rotate=90.0, zoom=0.2, normalization="standard")
    project = Project(
        name="U-Net",
        networks={"network": unet_small(3, 128, (16, 32, 64, 128), 1)},
        data=Choice("nuclei", dataset.to_settings()),
        task=Choice("segmentation"),
        loss=Choice("bce_dice"),
        optimizer={"network": Choice("AdamW", {"lr": 0.004})},
        training={"epochs": 200, "batch_size": 8, "seed": SEED, "schedule": "one_cycle", **QUICK},
    )
    run, time = trained(project)
    best = max(r["metrics"]["picture_iou"] for r in run.history if r.get("split") == "validation")
    return Row(
        "U-Net on nuclei, 120 to train and 30 to validate",
        f"mean IoU per validation image {best:.4f} in the best epoch, Otsu's threshold {otsu_iou(Nuclei(size=128)):.3f}",
        "at least 0.83",
        best >= 0.83,
        time,
        epochs_of(run),
    )


def conv_autoencoder() -> Row:
    """MNIST's own 10,000 test digits; 54,000 to train, 6,000 to choose the weights."""
    project = templates.load("conv_autoencoder")
    training = {**project.training, "epochs": 10, "batch_size": 128, "seed": SEED, "schedule": "cosine"}
    project = project.replace(data=Choice("mnist", data.find("mnist")().to_settings()), training=training)
    run, time = trained(project)
    error = run.metrics["mse"]
    return Row(
        "autoencoder with 16 numbers on MNIST, test",
        f"squared error {error:.4f}",
        "at most 0.013",
        error <= 0.013,
        time,
        epochs_of(run),
    )


ROWS: Rows = {"nuclei": nuclei, "conv_autoencoder": conv_autoencoder}
