"""Residual blocks: a path that changes its input a little, and a shortcut around it."""

from __future__ import annotations

from blocks.activation import GELU, SiLU
from blocks.activation import ReLU as _ReLU
from blocks.base import Block, BlockError, Call, Example, Port, Shape, Subgraph, setting
from blocks.convolution import Conv2d
from blocks.geometry import text
from blocks.merging import Add
from blocks.normalization import BatchNorm2d

ACTIVATIONS: dict[str, type[Block]] = {"ReLU": _ReLU, "GELU": GELU, "SiLU": SiLU}


class ZeroPadShortcut(Block):
    """A shortcut without parameters that halves a picture and adds channels of zeros."""

    label, category, stem = "ZeroPadShortcut", "resample", "shortcut"
    help = "Takes every stride-th pixel and adds channels of zeros: the shortcut without parameters of small ResNets."
    formula = "y = pad(x[:, ::s, ::s])"
    source = "He et al. 2016, Deep residual learning for image recognition, option A"
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(32, min=1, max=1_000_000, help="channels that come out")
    stride: int = setting(2, min=1, max=64, help="every how many pixels one is taken")
    examples = (Example({}, ((16, 8, 8),), (32, 4, 4), 0), Example({"stride": 1}, ((31, 3, 3),), (32, 3, 3), 0))

    def check(self, *shapes: Shape) -> None:
        if self.out_channels < shapes[0][0]:
            raise BlockError(
                f"It receives {shapes[0][0]} channels and should give {self.out_channels}; it can only add channels.",
                "channels",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("ShortcutA", self.stride, self.out_channels)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{self.out_channels} − {shapes[0][0]} = {self.out_channels - shapes[0][0]} channels of zeros"


class Residual(Block):
    """Two or three convolutions and a shortcut around them."""

    label, category, stem = "Residual", "composite", "block"
    help = (
        "Two 3×3 convolutions (or a bottleneck of three) learn what to add to their input; the shortcut carries it on."
    )
    formula = "y = relu(F(x) + x), or relu(F(x) + P(x)) where sizes differ"
    source = "He et al. 2016, Deep residual learning for image recognition, figures 2 and 5"
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(64, min=1, max=1_000_000, help="channels that come out")
    stride: int = setting(1, min=1, max=8, help="2 halves height and width")
    kind: str = setting(
        "basic", choices=("basic", "bottleneck"), help="two 3×3, or 1×1, 3×3, 1×1 with a quarter of the channels"
    )
    shortcut: str = setting(
        "projection",
        choices=("projection", "zeros", "identity", "none"),
        help="what joins where sizes differ (identity: they may not); none: no shortcut at all",
    )
    order: str = setting(
        "v1", choices=("v1", "preactivation"), help="activation after, or normalization and activation before"
    )
    activation: str = setting("ReLU", choices=tuple(ACTIVATIONS), help="the function between the convolutions")
    examples = (
        Example({}, ((64, 56, 56),), (64, 56, 56), 73_984),
        Example({"out_channels": 128, "stride": 2}, ((64, 56, 56),), (128, 28, 28), 230_144),
        Example({"out_channels": 256, "kind": "bottleneck"}, ((64, 56, 56),), (256, 56, 56), 75_008),
        Example({"out_channels": 32, "stride": 2, "shortcut": "zeros"}, ((16, 32, 32),), (32, 16, 16), 13_952),
    )

    def check(self, *shapes: Shape) -> None:
        if self.kind == "bottleneck" and self.out_channels % 4:
            raise BlockError(f"A bottleneck needs out_channels that 4 divides, not {self.out_channels}.", "channels")
        if self.shortcut == "zeros" and self.out_channels < shapes[0][0]:
            raise BlockError(
                f"A shortcut of zeros can only add channels, but it receives {shapes[0][0]} and gives "
                f"{self.out_channels}. Use a projection.",
                "channels",
            )

        if self.shortcut == "identity" and (self.stride != 1 or self.out_channels != shapes[0][0]):
            raise BlockError(
                f"An identity shortcut carries its {shapes[0][0]} channels on unchanged, but the block gives "
                f"{self.out_channels} channels at stride {self.stride}. Use a projection, or out_channels "
                f"{shapes[0][0]} and stride 1.",
                "shortcut",
            )

    def class_name(self) -> str:
        return "Bottleneck" if self.kind == "bottleneck" else "Residual"

    def summary(self) -> str:
        learn = "Two 3×3 convolutions learn"
        if self.kind == "bottleneck":
            learn = "Convolutions of 1×1, 3×3 and 1×1 learn"
        if self.shortcut == "none":
            return f"{learn} what comes out; no shortcut leads around them."
        return f"{learn} what to add to their input; the shortcut carries it on."

    def template(self, *shapes: Shape) -> Subgraph:
        (x,) = shapes
        g = Subgraph()
        act = ACTIVATIONS[self.activation]
        pre = self.order == "preactivation"
        changes = x[0] != self.out_channels or self.stride != 1
        sides = [(self.out_channels, 3, self.stride), (self.out_channels, 3, 1)]
        if self.kind == "bottleneck":
            width = self.out_channels // 4
            sides = [(width, 1, 1), (width, 3, self.stride), (self.out_channels, 1, 1)]
        h = carried = "in"
        for i, (channels, kernel, stride) in enumerate(sides, 1):
            convolution = Conv2d(
                out_channels=channels, kernel_size=kernel, stride=stride, padding=kernel // 2, bias=False
            )
            if pre:
                h = g.add(f"act{i}", act(), g.add(f"bn{i}", BatchNorm2d(), h))
                if i == 1 and changes:
                    carried = h  # He et al. 2016b project what is already normalized and activated
                h = g.add(f"conv{i}", convolution, h)
            else:
                h = g.add(f"bn{i}", BatchNorm2d(), g.add(f"conv{i}", convolution, h))
                if i < len(sides):
                    h = g.add(f"act{i}", act(), h)
        if self.shortcut != "none":
            if changes and self.shortcut == "zeros":
                block = ZeroPadShortcut(out_channels=self.out_channels, stride=self.stride)
                carried = g.add("shortcut", block, carried)
            elif changes:
                projection = Conv2d(out_channels=self.out_channels, kernel_size=1, stride=self.stride, bias=False)
                carried = g.add("shortcut_conv", projection, carried)
                if not pre:
                    carried = g.add("shortcut_bn", BatchNorm2d(), carried)
            h = g.add("add", Add(), h, carried)
        if not pre:
            h = g.add("act_out", act(), h)
        return g.output(h)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        if self.shortcut == "none":
            joined = "no shortcut"
        elif shapes[0] == output:
            joined = f"shortcut: x itself, {text(output)}"
        else:
            joined = f"shortcut: {text(shapes[0])} → {text(output)} by {self.shortcut}"
        return f"F(x): {text(shapes[0])} → {text(output)}\n{joined}"
