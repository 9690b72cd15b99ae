"""Networks that several tests and benchmarks use, written as short tables."""

from __future__ import annotations

from typing import Any

import blocks
from builder.graph import Edge, Graph, Node
from builder.project import Choice, Project

Row = tuple[Any, ...]


def graph(*rows: Row) -> Graph:
    """A network from rows (id, block, settings, sources); without sources a row reads the row before it."""
    nodes, edges, before = [], [], ""
    for id, block, settings, *rest in rows:
        node = Node(id, blocks.catalogue()[block](**settings))
        ports = () if node.block.source_shape() else node.block.ports()
        for port, source in zip(ports, rest[0] if rest else [before], strict=bool(ports)):
            edges.append(Edge(source, "out", id, port.name))
        nodes.append(node)
        before = id
    return Graph(tuple(nodes), tuple(edges))


def project(name: str, *rows: Row) -> Project:
    """A project of one network that learns digits."""
    return Project(name=name, networks={"network": graph(*rows)}, data=Choice("digits"))


def lenet5() -> Project:
    """LeNet-5 on 28 by 28 digits: 61,706 parameters."""
    return project(
        "LeNet-5",
        ("image", "Image", {"channels": 1, "height": 28, "width": 28}),
        ("conv1", "Conv2d", {"out_channels": 6, "kernel_size": 5, "padding": 2}),
        ("relu1", "ReLU", {}),
        ("pool1", "MaxPool2d", {"kernel_size": 2}),
        ("conv2", "Conv2d", {"out_channels": 16, "kernel_size": 5}),
        ("relu2", "ReLU", {}),
        ("pool2", "MaxPool2d", {"kernel_size": 2}),
        ("flatten", "Flatten", {}),
        ("fc1", "Linear", {"out_features": 120}),
        ("relu3", "ReLU", {}),
        ("fc2", "Linear", {"out_features": 84}),
        ("relu4", "ReLU", {}),
        ("fc3", "Linear", {"out_features": 10}),
        ("output", "Output", {}),
    )


def small_resnet() -> Project:
    """Four residual blocks, two with a projection."""
    return project(
        "small resnet",
        ("image", "Image", {"channels": 1, "height": 28, "width": 28}),
        ("conv1", "Conv2d", {"out_channels": 16, "kernel_size": 3, "padding": 1, "bias": False}),
        ("bn1", "BatchNorm2d", {}),
        ("relu1", "ReLU", {}),
        ("layer1", "Residual", {"out_channels": 16}),
        ("layer2", "Residual", {"out_channels": 32, "stride": 2}),
        ("layer3", "Residual", {"out_channels": 32}),
        ("layer4", "Residual", {"out_channels": 64, "stride": 2}),
        ("pool", "AdaptiveAvgPool2d", {}),
        ("flatten", "Flatten", {}),
        ("fc", "Linear", {"out_features": 10}),
        ("output", "Output", {}),
    )


def _inception(id: str, *channels: int) -> Row:
    names = ("ch1x1", "ch3x3_reduce", "ch3x3", "ch5x5_reduce", "ch5x5", "pool_proj")
    return (id, "Inception", dict(zip(names, channels, strict=True)))


def small_googlenet() -> Project:
    """A stem and three inception blocks."""
    return project(
        "small GoogLeNet",
        ("image", "Image", {"channels": 1, "height": 28, "width": 28}),
        ("conv1", "Conv2d", {"out_channels": 32, "kernel_size": 3, "padding": 1, "bias": False}),
        ("bn1", "BatchNorm2d", {}),
        ("relu1", "ReLU", {}),
        ("pool1", "MaxPool2d", {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
        _inception("inception1", 16, 16, 24, 4, 8, 8),
        _inception("inception2", 32, 32, 48, 8, 24, 16),
        ("pool2", "MaxPool2d", {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
        _inception("inception3", 48, 24, 52, 4, 12, 16),
        ("pool", "AdaptiveAvgPool2d", {}),
        ("flatten", "Flatten", {}),
        ("dropout", "Dropout", {"p": 0.2}),
        ("fc", "Linear", {"out_features": 10}),
        ("output", "Output", {}),
    )
