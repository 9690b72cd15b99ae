"""Inception: convolutions of several sizes side by side."""

from __future__ import annotations

from blocks.activation import ReLU
from blocks.base import Block, Example, Port, Shape, Subgraph, setting
from blocks.convolution import Conv2d
from blocks.merging import Concatenate
from blocks.normalization import BatchNorm2d
from blocks.pooling import MaxPool2d


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

    def _conv(self, g: Subgraph, name: str, channels: int, kernel: int, source: str) -> str:
        convolution = Conv2d(out_channels=channels, kernel_size=kernel, padding=kernel // 2, bias=not self.batch_norm)
        h = g.add(f"{name}_conv", convolution, source)
        if self.batch_norm:
            h = g.add(f"{name}_bn", BatchNorm2d(eps=0.001), h)
        return g.add(f"{name}_relu", ReLU(), h)

    def template(self, *shapes: Shape) -> Subgraph:
        g = Subgraph()
        first = self._conv(g, "branch1", self.ch1x1, 1, "in")
        second = self._conv(g, "branch2a", self.ch3x3_reduce, 1, "in")
        second = self._conv(g, "branch2b", self.ch3x3, 3, second)
        third = self._conv(g, "branch3a", self.ch5x5_reduce, 1, "in")
        third = self._conv(g, "branch3b", self.ch5x5, self.large_kernel, third)
        fourth = g.add("branch4_pool", MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True), "in")
        fourth = self._conv(g, "branch4", self.pool_proj, 1, fourth)
        g.add("concat", Concatenate(count=4), first, second, third, fourth)
        return g

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{self.ch1x1} + {self.ch3x3} + {self.ch5x5} + {self.pool_proj} = {output[0]} channels"
