"""Inception: convolutions of several sizes side by side, and the heads that help such a deep network learn."""

from __future__ import annotations

from blocks.activation import ReLU
from blocks.base import Block, Example, Port, Shape, Subgraph, setting
from blocks.convolution import Conv2d
from blocks.dense import Dropout, Linear
from blocks.merging import Concatenate
from blocks.normalization import BatchNorm2d
from blocks.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from blocks.reshape import Flatten


class BasicConv2d(Block):
    """A convolution with what usually follows it."""

    label, category, stem = "BasicConv2d", "composite", "conv"
    help = (
        "A convolution, normalized over the batch, then ReLU: the brick that most convolutional networks are made of."
    )
    formula = "y = relu(bn(conv(x)))"
    source = "Ioffe and Szegedy 2015, Batch normalization, section 3.2; BasicConv2d of torchvision's GoogLeNet"
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(64, min=1, max=1_000_000, help="channels that come out")
    kernel_size: int | tuple[int, int] = setting(3, min=1, max=1024, help="height and width of a filter")
    stride: int | tuple[int, int] = setting(1, min=1, max=1024, help="how far the filter moves at each step")
    padding: int | tuple[int, int] = setting(1, min=0, max=1024, help="pixels added at each border")
    batch_norm: bool = setting(True, help="normalizes after the convolution, which then has no bias")
    eps: float = setting(1e-5, min=1e-12, max=1.0, help="keeps the division of the normalization from zero")
    examples = (
        Example({}, ((3, 8, 8),), (64, 8, 8), 1856),
        Example(
            {"out_channels": 4, "kernel_size": [1, 3], "stride": 2, "padding": [0, 1], "batch_norm": False},
            ((2, 8, 8),),
            (4, 4, 4),
            28,
        ),
    )

    def template(self, *shapes: Shape) -> Subgraph:
        g = Subgraph()
        convolution = Conv2d(
            out_channels=self.out_channels,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            bias=not self.batch_norm,
        )
        h = g.add("conv", convolution, "in")
        if self.batch_norm:
            h = g.add("bn", BatchNorm2d(eps=self.eps), h)
        g.add("relu", ReLU(), h)
        return g


class Inception(Block):
    """Four branches of the paper: 1×1, 3×3, 5×5 and pooled, joined by their channels."""

    label, category, stem = "Inception", "composite", "inception"
    help = "Looks with several filter sizes at once and puts all answers side by side; 1×1 convolutions keep it cheap."
    formula = "y = [1×1, 1×1→3×3, 1×1→5×5, pool→1×1]"
    source = "Szegedy et al. 2015, Going deeper with convolutions, figure 2b and table 1"
    inputs = (Port("in", rank=3),)
    ch1x1: int = setting(64, min=1, max=100_000, help="channels of the 1×1 branch")
    ch3x3_reduce: int = setting(96, min=1, max=100_000, help="channels before the 3×3 convolution")
    ch3x3: int = setting(128, min=1, max=100_000, help="channels of the 3×3 branch")
    ch5x5_reduce: int = setting(16, min=1, max=100_000, help="channels before the 5×5 convolution")
    ch5x5: int = setting(32, min=1, max=100_000, help="channels of the 5×5 branch")
    pool_proj: int = setting(32, min=1, max=100_000, help="channels of the pooled branch")
    large_kernel: int = setting(
        5, choices=(3, 5), help="filter size of the third branch: 5 as in the paper, 3 as in torchvision"
    )
    batch_norm: bool = setting(True, help="normalizes after every convolution, which then has no bias")
    examples = (
        Example({"batch_norm": False}, ((192, 28, 28),), (256, 28, 28), 163_696),
        Example({"large_kernel": 3}, ((192, 28, 28),), (256, 28, 28), 155_872),
    )

    def _conv(self, channels: int, kernel: int) -> BasicConv2d:
        eps = {"eps": 0.001} if self.batch_norm else {}
        return BasicConv2d(
            out_channels=channels, kernel_size=kernel, padding=kernel // 2, batch_norm=self.batch_norm, **eps
        )

    def template(self, *shapes: Shape) -> Subgraph:
        g = Subgraph()
        first = g.add("branch1", self._conv(self.ch1x1, 1), "in")
        second = g.add("branch2_0", self._conv(self.ch3x3_reduce, 1), "in")
        second = g.add("branch2_1", self._conv(self.ch3x3, 3), second)
        third = g.add("branch3_0", self._conv(self.ch5x5_reduce, 1), "in")
        third = g.add("branch3_1", self._conv(self.ch5x5, self.large_kernel), third)
        fourth = g.add("branch4_0", MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True), "in")
        fourth = g.add("branch4_1", self._conv(self.pool_proj, 1), fourth)
        g.add("concat", Concatenate(count=4), first, second, third, fourth)
        return g

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{self.ch1x1} + {self.ch3x3} + {self.ch5x5} + {self.pool_proj} = {output[0]} channels"


class AuxiliaryHead(Block):
    """A small classifier on features from the middle of a network."""

    label, category, stem = "AuxiliaryHead", "composite", "aux"
    help = (
        "A small classifier halfway up: with an Output of its own it adds its loss, so that early layers learn sooner."
    )
    formula = "fc(dropout(relu(fc(relu(conv1×1(pool(x)))))))"
    source = "Szegedy et al. 2015, Going deeper with convolutions, section 5"
    inputs = (Port("in", rank=3),)
    stochastic = True
    out_features: int = setting(1000, min=1, max=1_000_000, help="how many numbers come out: one per class")
    channels: int = setting(128, min=1, max=100_000, help="channels of the 1×1 convolution")
    hidden_features: int = setting(1024, min=1, max=1_000_000, help="numbers between the two dense layers")
    p: float = setting(0.7, min=0.0, max=1.0, label="dropout", help="share of numbers dropped before the last layer")
    adaptive: bool = setting(
        True, help="pools to 4×4 whatever comes in, as torchvision does; else 5×5 windows at stride 3, as in the paper"
    )
    batch_norm: bool = setting(True, help="normalizes after the convolution, which then has no bias")
    examples = (
        # 512·128 + 2·128, 2048·1024 + 1024, 1024·1000 + 1000.
        Example({}, ((512, 14, 14),), (1000,), 65_792 + 2_098_176 + 1_025_000),
        Example({"adaptive": False, "batch_norm": False}, ((528, 14, 14),), (1000,), 67_712 + 2_098_176 + 1_025_000),
        Example({"channels": 2, "hidden_features": 3, "out_features": 4}, ((5, 6, 6),), (4,), 14 + 99 + 16),
    )

    def template(self, *shapes: Shape) -> Subgraph:
        g = Subgraph()
        pool = AdaptiveAvgPool2d(output_size=4) if self.adaptive else AvgPool2d(kernel_size=5, stride=3)
        convolution = BasicConv2d(
            out_channels=self.channels, kernel_size=1, padding=0, batch_norm=self.batch_norm, eps=0.001
        )
        h = g.add("flatten", Flatten(), g.add("conv", convolution, g.add("pool", pool, "in")))
        h = g.add("fc1", Linear(out_features=self.hidden_features), h)
        h = g.add("dropout", Dropout(p=self.p), g.add("relu", ReLU(), h))
        g.add("fc2", Linear(out_features=self.out_features), h)
        return g
