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


# --- networks of papers whose tasks are others than classification -----------------------------------------


def unet(channels: int = 1, classes: int = 2, size: int = 572, padding: int = 0, **up: Any) -> Graph:
    """Ronneberger et al. 2015, figure 1: unpadded convolutions, 572 → 388 pixels."""
    same = {"padding": padding}
    rows: list[Row] = [
        ("image", "Image", {"channels": channels, "height": size, "width": size}),
        ("enc1", "DoubleConv", {"out_channels": 64, **same}),
        *((f"enc{i}", "EncoderStage", {"out_channels": 32 * 2**i, **same}) for i in (2, 3, 4, 5)),
    ]
    below = "enc5"
    for i in (4, 3, 2, 1):
        rows.append((f"dec{i}", "DecoderStage", {"out_channels": 32 * 2**i, **same, **up}, [below, f"enc{i}"]))
        below = f"dec{i}"
    rows += [("score", "Conv2d", {"out_channels": classes, "kernel_size": 1}), ("output", "Output", {})]
    return graph(*rows)


def dcgan_generator(noise: int = 100, width: int = 64, channels: int = 3) -> Graph:
    """Radford et al. 2016, figure 1, with the widths of PyTorch's tutorial: noise to 64×64 pixels from −1 to 1."""
    rows: list[Row] = [
        ("noise", "Vector", {"features": noise}),
        ("reshape", "Reshape", {"shape": (noise, 1, 1)}),
    ]
    for i, factor in enumerate((8, 4, 2, 1), 1):
        grow = {"stride": 1} if i == 1 else {"stride": 2, "padding": 1}
        settings = {"out_channels": factor * width, "kernel_size": 4, **grow, "bias": False}
        rows += [(f"deconv{i}", "ConvTranspose2d", settings), (f"bn{i}", "BatchNorm2d", {}), (f"relu{i}", "ReLU", {})]
    last = {"out_channels": channels, "kernel_size": 4, "stride": 2, "padding": 1, "bias": False}
    return graph(*rows, ("deconv5", "ConvTranspose2d", last), ("tanh", "Tanh", {}), ("output", "Output", {}))


def dcgan_discriminator(width: int = 64, channels: int = 3) -> Graph:
    """The generator's mirror image, which gives one score: PyTorch's tutorial, without its sigmoid."""
    rows: list[Row] = [("image", "Image", {"channels": channels, "height": 64, "width": 64})]
    for i, factor in enumerate((1, 2, 4, 8), 1):
        settings = {"out_channels": factor * width, "kernel_size": 4, "stride": 2, "padding": 1, "bias": False}
        rows += [(f"conv{i}", "Conv2d", settings)]
        rows += [(f"bn{i}", "BatchNorm2d", {})] if i > 1 else []
        rows += [(f"act{i}", "LeakyReLU", {"negative_slope": 0.2})]
    last = {"out_channels": 1, "kernel_size": 4, "bias": False}
    return graph(*rows, ("conv5", "Conv2d", last), ("flatten", "Flatten", {}), ("output", "Output", {}))


def yolo_v1(classes: int = 20, boxes: int = 2) -> Graph:
    """Redmon et al. 2016, figure 3: 24 convolutions and two dense layers; each of 7×7 cells answers with 30 numbers."""
    leaky = ("LeakyReLU", {"negative_slope": 0.1})
    large = {"out_channels": 1024, "kernel_size": 3, "padding": 1}
    answers = classes + 5 * boxes
    rows: list[Row] = [
        ("image", "Image", {"channels": 3, "height": 448, "width": 448}),
        ("conv1", "Conv2d", {"out_channels": 64, "kernel_size": 7, "stride": 2, "padding": 3}),
        ("act1", *leaky),
        ("pool1", "MaxPool2d", {}),
        ("conv2", "Conv2d", {"out_channels": 192, "kernel_size": 3, "padding": 1}),
        ("act2", *leaky),
        ("pool2", "MaxPool2d", {}),
        ("stage3a", "DarknetStage", {"out_channels": 256, "reduce_channels": 128, "pool": False}),
        ("stage3b", "DarknetStage", {"out_channels": 512, "reduce_channels": 256}),
        ("stage4a", "DarknetStage", {"out_channels": 512, "reduce_channels": 256, "pairs": 4, "pool": False}),
        ("stage4b", "DarknetStage", {"out_channels": 1024, "reduce_channels": 512}),
        ("stage5", "DarknetStage", {"out_channels": 1024, "reduce_channels": 512, "pairs": 2, "pool": False}),
    ]
    for i, more in enumerate(({}, {"stride": 2}, {}, {}), 3):
        rows += [(f"conv{i}", "Conv2d", {**large, **more}), (f"act{i}", *leaky)]
    rows += [
        ("flatten", "Flatten", {}),
        ("fc1", "Linear", {"out_features": 4096}),
        ("act7", *leaky),
        ("dropout", "Dropout", {"p": 0.5}),
        ("fc2", "Linear", {"out_features": 49 * answers}),
        ("grid", "Reshape", {"shape": (answers, 7, 7)}),
        ("output", "Output", {}),
    ]
    return graph(*rows)


def unet_small(channels: int, size: int, widths: tuple[int, ...], maps: int) -> Graph:
    """A padded U-Net with normalization, of these widths from the finest stage to the coarsest."""
    same = {"padding": 1, "batch_norm": True}
    rows: list[Row] = [
        ("image", "Image", {"channels": channels, "height": size, "width": size}),
        ("enc1", "DoubleConv", {"out_channels": widths[0], **same}),
        *((f"enc{i}", "EncoderStage", {"out_channels": w, **same}) for i, w in enumerate(widths[1:], 2)),
    ]
    below = f"enc{len(widths)}"
    for i in range(len(widths) - 1, 0, -1):
        rows.append((f"dec{i}", "DecoderStage", {"out_channels": widths[i - 1], **same}, [below, f"enc{i}"]))
        below = f"dec{i}"
    return graph(*rows, ("score", "Conv2d", {"out_channels": maps, "kernel_size": 1}), ("output", "Output", {}))
