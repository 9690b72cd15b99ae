"""What detection and generation reach on real data: mean average precision, and what a classifier sees in samples.

    python tests/benchmarks/accuracy.py --only shapes blood_cells dcgan

- shapes: the starter project yolo_tiny on drawn shapes, test split; mAP@0.5 of at least 0.90.
- blood_cells: a larger one with 13×13 cells on BCCD, its authors' split; mAP@0.5 of at least 0.45.
- dcgan: DCGAN at half width on MNIST of 32×32. A LeNet that is right on 99 % of MNIST's test digits sees all ten
  classes in 1,000 samples, none of them under 1 %, with a mean confidence of at least 0.8.
"""

from __future__ import annotations

import torch
from figures import QUICK, SEED, Row, Rows, epochs_of, trained
from networks import Row as Layer
from networks import graph

from builder import templates
from builder.graph import Graph
from builder.project import Choice, Project


def shapes() -> Row:
    """The starter project as it is."""
    project = templates.load("yolo_tiny")
    run, time = trained(project)
    found = run.metrics["map50"]
    return Row(
        "YOLO on drawn shapes, test split", f"mAP@0.5 {found:.3f}", "at least 0.90", found >= 0.9, time, epochs_of(run)
    )


def blood_cells(epochs: int = 16) -> Row:
    """Seven convolutions, 208×208 pixels, 13×13 cells."""
    project = Project(
        name="blood cells",
        networks={"network": cell_finder()},
        data=Choice("blood_cells", {"size": 208, "flip": True, "shift": 0.1, "zoom": 0.2}),
        task=Choice("detection", {"grid": 13, "most": 60}),
        loss=Choice("yolo", {}),
        optimizer={"network": Choice("Adam", {"lr": 0.001})},
        training={"epochs": epochs, "batch_size": 8, "seed": SEED, "schedule": "cosine", "warmup": 50},
    )
    run, time = trained(project)
    found = run.metrics["map50"]
    return Row(
        "YOLO on blood cells, test split", f"mAP@0.5 {found:.3f}", "at least 0.45", found >= 0.45, time, epochs_of(run)
    )


def cell_finder() -> Graph:
    """A small backbone whose picture is halved four times."""
    rows: list[Layer] = [("image", "Image", {"channels": 3, "height": 208, "width": 208})]
    for i, channels in enumerate((16, 32, 64, 128, 128, 128), 1):
        rows += [
            (f"conv{i}", "Conv2d", {"out_channels": channels, "kernel_size": 3, "padding": 1, "bias": False}),
            (f"bn{i}", "BatchNorm2d", {}),
            (f"act{i}", "LeakyReLU", {"negative_slope": 0.1}),
        ]
        rows += [(f"pool{i}", "MaxPool2d", {"kernel_size": 2})] if i <= 4 else []
    return graph(*rows, ("answers", "Conv2d", {"out_channels": 8, "kernel_size": 1}), ("output", "Output", {}))


def dcgan(epochs: int = 5) -> Row:
    """Half the widths of the paper, three transposed convolutions from 4×4 to 32×32."""
    adam = Choice("Adam", {"lr": 0.0002, "betas": [0.5, 0.999]})
    project = Project(
        name="digits",
        networks={"generator": small_generator(), "discriminator": small_discriminator()},
        data=Choice("mnist", {"size": 32, "normalization": "symmetric"}),
        task=Choice("generation", {"noise": 100}),
        loss=Choice("bce", {}),
        optimizer={"generator": adam, "discriminator": adam},
        training={"epochs": epochs, "batch_size": 64, "seed": SEED, "initialization": "dcgan", **QUICK},
    )
    run, time = trained(project)
    judge, right = classifier()
    torch.manual_seed(SEED)
    generator = run.networks["generator"].eval()
    with torch.no_grad():
        samples = generator(torch.randn(1000, 100)) / 2 + 0.5
        sure, seen = judge(samples).softmax(1).max(1)
    shares = torch.bincount(seen, minlength=10) / 1000
    found = f"classes {int((shares > 0).sum())}, rarest {100 * shares.min():.1f} %, confidence {sure.mean():.3f}"
    good = right >= 0.99 and bool((shares >= 0.01).all()) and sure.mean().item() >= 0.8
    return Row(
        f"DCGAN on MNIST, judged by a LeNet of {100 * right:.1f} %",
        found,
        "judge at least 99 %, all 10 classes, none under 1 %, confidence at least 0.8",
        good,
        time,
        epochs_of(run),
    )


def small_generator(width: int = 32) -> Graph:
    """Noise to 1×32×32 from −1 to 1."""
    rows: list[Layer] = [("noise", "Vector", {"features": 100}), ("reshape", "Reshape", {"shape": (100, 1, 1)})]
    for i, factor in enumerate((4, 2, 1), 1):
        grow = {"stride": 1} if i == 1 else {"stride": 2, "padding": 1}
        settings = {"out_channels": factor * width, "kernel_size": 4, **grow, "bias": False}
        rows += [(f"deconv{i}", "ConvTranspose2d", settings), (f"bn{i}", "BatchNorm2d", {}), (f"relu{i}", "ReLU", {})]
    last = {"out_channels": 1, "kernel_size": 4, "stride": 2, "padding": 1, "bias": False}
    return graph(*rows, ("deconv4", "ConvTranspose2d", last), ("tanh", "Tanh", {}), ("output", "Output", {}))


def small_discriminator(width: int = 32) -> Graph:
    """1×32×32 to one score."""
    rows: list[Layer] = [("image", "Image", {"channels": 1, "height": 32, "width": 32})]
    for i, factor in enumerate((1, 2, 4), 1):
        settings = {"out_channels": factor * width, "kernel_size": 4, "stride": 2, "padding": 1, "bias": False}
        rows += [(f"conv{i}", "Conv2d", settings)]
        rows += [(f"bn{i}", "BatchNorm2d", {})] if i > 1 else []
        rows += [(f"act{i}", "LeakyReLU", {"negative_slope": 0.2})]
    last = {"out_channels": 1, "kernel_size": 4, "bias": False}
    return graph(*rows, ("conv4", "Conv2d", last), ("flatten", "Flatten", {}), ("output", "Output", {}))


def classifier() -> tuple[torch.nn.Module, float]:
    """A LeNet for 32×32 digits from 0 to 1, and the part of MNIST's test digits on which it is right."""
    lenet = graph(
        ("image", "Image", {"channels": 1, "height": 32, "width": 32}),
        ("conv1", "Conv2d", {"out_channels": 16, "kernel_size": 5}),
        ("relu1", "ReLU", {}),
        ("pool1", "MaxPool2d", {"kernel_size": 2}),
        ("conv2", "Conv2d", {"out_channels": 32, "kernel_size": 5}),
        ("relu2", "ReLU", {}),
        ("pool2", "MaxPool2d", {"kernel_size": 2}),
        ("flatten", "Flatten", {}),
        ("fc1", "Linear", {"out_features": 120}),
        ("relu3", "ReLU", {}),
        ("fc2", "Linear", {"out_features": 10}),
        ("output", "Output", {}),
    )
    project = Project(
        name="LeNet",
        networks={"network": lenet},
        data=Choice("mnist", {"size": 32}),
        optimizer={"network": Choice("Adam", {"lr": 0.001})},
        training={"epochs": 5, "batch_size": 64, "seed": SEED, "schedule": "cosine"},
    )
    run, _ = trained(project)
    return run.networks["network"].eval(), run.metrics["accuracy"]


ROWS: Rows = {"shapes": shapes, "blood_cells": blood_cells, "dcgan": dcgan}
