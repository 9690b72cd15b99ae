"""Stages of well-known convolutional networks as one block each."""

from __future__ import annotations

from blocks.activation import LeakyReLU, ReLU, Sigmoid
from blocks.base import Block, BlockError, Example, Port, Shape, Subgraph, setting
from blocks.convolution import Conv2d
from blocks.merging import Concatenate, Multiply
from blocks.normalization import BatchNorm2d
from blocks.pooling import AdaptiveAvgPool2d, MaxPool2d


def _conv_relu(g: Subgraph, number: str, channels: int, source: str, padding: int, batch_norm: bool) -> str:
    h = g.add(
        f"conv{number}", Conv2d(out_channels=channels, kernel_size=3, padding=padding, bias=not batch_norm), source
    )
    if batch_norm:
        h = g.add(f"bn{number}", BatchNorm2d(), h)
    return g.add(f"relu{number}", ReLU(), h)


class VGGStage(Block):
    """Several 3×3 convolutions, then max pooling."""

    label, category, stem = "VGGStage", "composite", "stage"
    help = "A few 3×3 convolutions in a row, then pooling: small filters stacked see as much as large ones."
    formula = "n × relu(conv3×3), then max 2×2"
    source = "Simonyan and Zisserman 2015, Very deep convolutional networks, table 1"
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(64, min=1, max=100_000, help="channels of every convolution")
    convolutions: int = setting(2, min=1, max=16, help="how many convolutions")
    batch_norm: bool = setting(False, help="normalizes after every convolution")
    pool: bool = setting(True, help="halves the picture at the end")
    examples = (
        Example({}, ((3, 32, 32),), (64, 16, 16), 38_720),
        Example({"convolutions": 1, "batch_norm": True, "pool": False}, ((3, 8, 8),), (64, 8, 8), 1856),
    )

    def template(self, *shapes: Shape) -> Subgraph:
        g, h = Subgraph(), "in"
        for i in range(1, self.convolutions + 1):
            h = _conv_relu(g, str(i), self.out_channels, h, 1, self.batch_norm)
        if self.pool:
            g.add("pool", MaxPool2d(), h)
        return g


class DarknetStage(Block):
    """Pairs of a 1×1 and a 3×3 convolution, then max pooling."""

    label, category, stem = "DarknetStage", "composite", "stage"
    help = "Pairs of convolutions: 1×1 shrinks the channels, so that the 3×3 after it stays cheap; then pooling."
    formula = "n × leaky(conv3×3(leaky(conv1×1(x)))), then max 2×2"
    source = "Redmon et al. 2016, You only look once, figure 3"
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(512, min=1, max=100_000, help="channels of every 3×3 convolution")
    reduce_channels: int = setting(256, min=1, max=100_000, help="channels of every 1×1 convolution")
    pairs: int = setting(1, min=1, max=16, help="how many pairs")
    batch_norm: bool = setting(False, help="normalizes after every convolution, as later versions do")
    pool: bool = setting(True, help="halves the picture at the end")
    examples = (
        # 192·128 + 128, 128·256·9 + 256, 256·256 + 256, 256·512·9 + 512.
        Example(
            {"out_channels": 256, "reduce_channels": 128, "pool": False},
            ((192, 56, 56),),
            (256, 56, 56),
            24_704 + 295_168,
        ),
        Example({}, ((256, 56, 56),), (512, 28, 28), 65_792 + 1_180_160),
        Example(
            {"out_channels": 4, "reduce_channels": 2, "pairs": 2, "batch_norm": True},
            ((4, 6, 6),),
            (4, 3, 3),
            2 * (8 + 4 + 72 + 8),
        ),
    )

    def template(self, *shapes: Shape) -> Subgraph:
        g, h = Subgraph(), "in"
        for i in range(1, 2 * self.pairs + 1):
            channels, kernel = (self.reduce_channels, 1) if i % 2 else (self.out_channels, 3)
            convolution = Conv2d(
                out_channels=channels, kernel_size=kernel, padding=kernel // 2, bias=not self.batch_norm
            )
            h = g.add(f"conv{i}", convolution, h)
            if self.batch_norm:
                h = g.add(f"bn{i}", BatchNorm2d(), h)
            h = g.add(f"act{i}", LeakyReLU(negative_slope=0.1), h)
        if self.pool:
            g.add("pool", MaxPool2d(), h)
        return g


class DoubleConv(Block):
    """The two 3×3 convolutions at every level of a U-Net."""

    label, category, stem = "DoubleConv", "composite", "convs"
    help = "Two 3×3 convolutions with ReLU: one level of a U-Net."
    formula = "relu(conv3×3(relu(conv3×3(x))))"
    source = "Ronneberger et al. 2015, U-Net"
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(64, min=1, max=100_000, help="channels of both convolutions")
    padding: int = setting(1, min=0, max=1, help="1 keeps the size, 0 loses 4 pixels as in the paper")
    batch_norm: bool = setting(False, help="normalizes after every convolution")
    examples = (
        Example({"padding": 0}, ((1, 28, 28),), (64, 24, 24), 37_568),
        Example({"out_channels": 8}, ((4, 9, 9),), (8, 9, 9), 880),
    )

    def template(self, *shapes: Shape) -> Subgraph:
        g = Subgraph()
        h = _conv_relu(g, "1", self.out_channels, "in", self.padding, self.batch_norm)
        _conv_relu(g, "2", self.out_channels, h, self.padding, self.batch_norm)
        return g


class DenseBlock(Block):
    """Layers that each see all earlier ones."""

    label, category, stem = "DenseBlock", "composite", "dense"
    help = "Every layer reads the outputs of all layers before it and adds a few channels of its own."
    formula = "x[l] = H([x[0], …, x[l−1]]),  H = conv3×3 · relu · bn"
    source = "Huang et al. 2017, Densely connected convolutional networks"
    inputs = (Port("in", rank=3),)
    growth_rate: int = setting(12, min=1, max=10_000, help="channels every layer adds")
    layers: int = setting(4, min=1, max=64, help="number of layers")
    examples = (
        Example({"layers": 2}, ((16, 8, 8),), (40, 8, 8), 4840),
        Example({"growth_rate": 2, "layers": 3}, ((4, 5, 5),), (10, 5, 5), 360),
    )

    def template(self, *shapes: Shape) -> Subgraph:
        g, h = Subgraph(), "in"
        for i in range(1, self.layers + 1):
            n = g.add(f"relu{i}", ReLU(), g.add(f"bn{i}", BatchNorm2d(), h))
            n = g.add(f"conv{i}", Conv2d(out_channels=self.growth_rate, kernel_size=3, padding=1, bias=False), n)
            h = g.add(f"concat{i}", Concatenate(), h, n)
        return g

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{shapes[0][0]} + {self.layers}·{self.growth_rate} = {output[0]} channels"


class SqueezeExcite(Block):
    """Channels weighted by what the whole picture shows."""

    label, category, stem = "SqueezeExcite", "composite", "se"
    help = "Looks at the mean of every channel and decides how much each channel counts."
    formula = "y = x · σ(W2 · relu(W1 · mean(x)))"
    source = "Hu et al. 2018, Squeeze-and-excitation networks"
    inputs = (Port("in", rank=3),)
    reduction: int = setting(16, min=1, max=1024, help="by how much the channels are squeezed in between")
    examples = (
        Example({"reduction": 4}, ((16, 8, 8),), (16, 8, 8), 148),
        Example({}, ((32, 3, 3),), (32, 3, 3), 162),
    )

    def check(self, *shapes: Shape) -> None:
        if shapes[0][0] < self.reduction:
            raise BlockError(
                f"reduction {self.reduction} leaves nothing of the {shapes[0][0]} channels it receives; "
                f"use at most {shapes[0][0]}.",
                "channels",
            )

    def template(self, *shapes: Shape) -> Subgraph:
        channels, g = shapes[0][0], Subgraph()
        h = g.add("pool", AdaptiveAvgPool2d(), "in")
        h = g.add("fc1", Conv2d(out_channels=channels // self.reduction, kernel_size=1), h)
        h = g.add("fc2", Conv2d(out_channels=channels, kernel_size=1), g.add("relu", ReLU(), h))
        g.add("scale", Multiply(), "in", g.add("gate", Sigmoid(), h))
        return g

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        n, r = shapes[0][0], self.reduction
        m = n // r
        return f"⌊{n}/{r}⌋ = {m} in between\n{n}·{m} + {m} + {m}·{n} + {n} = {2 * n * m + m + n:,}"


class DepthwiseSeparable(Block):
    """A convolution split into one per channel and one across channels."""

    label, category, stem = "DepthwiseSeparable", "composite", "separable"
    help = "First filters every channel by itself, then mixes channels with 1×1: almost a convolution, far cheaper."
    formula = "relu(bn(conv1×1(relu(bn(depthwise3×3(x))))))"
    source = "Howard et al. 2017, MobileNets, figure 3"
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(64, min=1, max=100_000, help="channels that come out")
    stride: int = setting(1, min=1, max=8, help="2 halves height and width")
    examples = (
        Example({"stride": 2}, ((32, 8, 8),), (64, 4, 4), 2528),
        Example({"out_channels": 3}, ((2, 5, 5),), (3, 5, 5), 34),
    )

    def template(self, *shapes: Shape) -> Subgraph:
        channels, g = shapes[0][0], Subgraph()
        depthwise = Conv2d(
            out_channels=channels, kernel_size=3, stride=self.stride, padding=1, groups=channels, bias=False
        )
        h = g.add("bn1", BatchNorm2d(), g.add("depthwise", depthwise, "in"))
        h = g.add(
            "pointwise", Conv2d(out_channels=self.out_channels, kernel_size=1, bias=False), g.add("relu1", ReLU(), h)
        )
        g.add("relu2", ReLU(), g.add("bn2", BatchNorm2d(), h))
        return g

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        n, m = shapes[0][0], self.out_channels
        return f"{n}·9 + {n}·{m} = {n * (9 + m):,} weights; a whole convolution has {n}·{m}·9 = {9 * n * m:,}"
