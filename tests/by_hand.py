"""Small projects put together in code, for tests of training and export."""

import itertools
from typing import Any

import blocks
from blocks.base import Block
from builder.graph import Edge, Graph, Node
from builder.project import Choice, Project


def block(name: str, **settings: Any) -> Block:
    return blocks.catalogue()[name].from_settings(settings)


def chain(*nodes: tuple[str, Block]) -> Graph:
    """Nodes one after the other, each joined to the next one's first port."""
    made = tuple(Node(id, b) for id, b in nodes)
    edges = tuple(Edge(a.id, "out", b.id, b.block.ports()[0].name) for a, b in itertools.pairwise(made))
    return Graph(made, edges)


def project(graph: Graph, data: Choice, name: str = "network", **changes: Any) -> Project:
    training = {"epochs": 2, "batch_size": 64, "threads": 1, "seed": 3, **changes.pop("training", {})}
    return Project(name=name, networks={"network": graph}, data=data, training=training, **changes)


def lenet5(**changes: Any) -> Project:
    graph = chain(
        ("image", block("Image", channels=1, height=28, width=28)),
        ("conv1", block("Conv2d", out_channels=6, kernel_size=5, padding=2)),
        ("act1", block("Tanh")),
        ("pool1", block("AvgPool2d", kernel_size=2)),
        ("conv2", block("Conv2d", out_channels=16, kernel_size=5)),
        ("act2", block("Tanh")),
        ("pool2", block("AvgPool2d", kernel_size=2)),
        ("flatten", block("Flatten")),
        ("fc1", block("Linear", out_features=120)),
        ("act3", block("Tanh")),
        ("fc2", block("Linear", out_features=84)),
        ("act4", block("Tanh")),
        ("fc3", block("Linear", out_features=10)),
        ("output", block("Output")),
    )
    return project(graph, Choice("digits", {"size": 28}), "LeNet-5", **changes)


def small_resnet(**changes: Any) -> Project:
    graph = chain(
        ("image", block("Image", channels=1, height=8, width=8)),
        ("conv1", block("Conv2d", out_channels=8, kernel_size=3, padding=1)),
        ("norm1", block("BatchNorm2d")),
        ("relu1", block("ReLU")),
        ("res1", block("Residual", out_channels=8)),
        ("res2", block("Residual", out_channels=16, stride=2)),
        ("drop", block("Dropout", p=0.2)),
        ("pool", block("AdaptiveAvgPool2d")),
        ("flatten", block("Flatten")),
        ("fc", block("Linear", out_features=10)),
        ("output", block("Output")),
    )
    return project(graph, Choice("digits", {"size": 8, "shift": 0.1}), "Small ResNet", **changes)


def row_lstm(**changes: Any) -> Project:
    graph = chain(
        ("rows", block("Sequence", length=8, features=8)),
        ("lstm", block("LSTM", hidden_size=16, output="last")),
        ("fc", block("Linear", out_features=10)),
        ("output", block("Output")),
    )
    return project(graph, Choice("digits", {"size": 8, "layout": "rows"}), "LSTM on rows", **changes)


def spiral_mlp(**changes: Any) -> Project:
    graph = chain(
        ("point", block("Vector", features=2)),
        ("fc1", block("Linear", out_features=16)),
        ("relu1", block("ReLU")),
        ("drop", block("Dropout", p=0.1)),
        ("fc2", block("Linear", out_features=3)),
        ("output", block("Output")),
    )
    return project(graph, Choice("spirals", {"classes": 3}), "MLP", **changes)


def point_gan(**changes: Any) -> Project:
    generator = chain(
        ("noise", block("Vector", features=3)),
        ("fc1", block("Linear", out_features=16)),
        ("relu1", block("ReLU")),
        ("fc2", block("Linear", out_features=2)),
        ("output", block("Output")),
    )
    discriminator = chain(
        ("point", block("Vector", features=2)),
        ("fc1", block("Linear", out_features=16)),
        ("act1", block("LeakyReLU", negative_slope=0.2)),
        ("drop", block("Dropout", p=0.1)),
        ("fc2", block("Linear", out_features=1)),
        ("output", block("Output")),
    )
    adam = Choice("Adam", {"lr": 0.001})
    settings = {
        "networks": {"generator": generator, "discriminator": discriminator},
        "data": Choice("ring_of_clouds", {"samples": 500}),
        "task": Choice("generation", {"noise": 3, "discriminator_steps": 2}),
        "loss": Choice("bce", {}),
        "optimizer": {"generator": adam, "discriminator": adam},
    }
    training = {"epochs": 2, "batch_size": 64, "threads": 1, "seed": 3, **changes.pop("training", {})}
    return Project(name="GAN", training=training, **{**settings, **changes})


def shape_finder(**changes: Any) -> Project:
    graph = chain(
        ("image", block("Image", channels=3, height=32, width=32)),
        ("conv1", block("Conv2d", out_channels=8, kernel_size=3, padding=1)),
        ("relu1", block("ReLU")),
        ("pool1", block("MaxPool2d", kernel_size=2)),
        ("conv2", block("Conv2d", out_channels=16, kernel_size=3, padding=1)),
        ("relu2", block("ReLU")),
        ("pool2", block("MaxPool2d", kernel_size=4)),
        ("answers", block("Conv2d", out_channels=9, kernel_size=1)),
        ("output", block("Output")),
    )
    settings = {
        "data": Choice("shape_boxes", {"height": 32, "width": 32, "samples": 300, "flip": True, "shift": 0.1}),
        "task": Choice("detection", {"grid": 4, "most": 10}),
        "loss": Choice("yolo", {}),
    }
    return project(graph, name="Finder", **{**settings, **changes})  # type: ignore[arg-type]
