"""Pooling: a window slides over every channel and keeps one number of it."""

from __future__ import annotations

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting
from blocks.geometry import explain_window, fit_window, pair, text


def _check_pool(x: Shape, kernel: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...]) -> None:
    for k, p in zip(kernel, padding, strict=True):
        if p > k // 2:
            raise BlockError(f"padding {p} is more than half the kernel_size {k}; use at most {k // 2}.", "padding")
    fit_window(x, kernel, padding, dilation)


def _explain_grid(received: Shape, output: Shape) -> str:
    """How large the cells are: cells of 2×3 where they divide the picture, else how many of them there are."""
    if received[1] % output[1] == 0 and received[2] % output[2] == 0:
        cell = (received[1] // output[1], received[2] // output[2])
        return f"{text(received[1:])} in {text(output[1:])} cells of {text(cell)}"
    return f"{text(received[1:])} in {text(output[1:])} cells of unequal size"


class MaxPool2d(Block):
    """The largest number in each window."""

    label, category, stem = "MaxPool2d", "pooling", "pool"
    help = "Keeps the strongest answer in each small window, so the picture shrinks and small shifts matter less."
    formula = "y[c, i, j] = max x[c, i·s + u, j·s + v]"
    source = "torch.nn.MaxPool2d"
    inputs = (Port("in", rank=3),)
    kernel_size: int | tuple[int, int] = setting(2, min=1, max=1024, help="height and width of the window")
    stride: int | tuple[int, int] | None = setting(None, min=1, max=1024, help="step of the window; empty: its size")
    padding: int | tuple[int, int] = setting(
        0, min=0, max=512, help="pixels added at each border, at most half the window"
    )
    dilation: int | tuple[int, int] = setting(1, min=1, max=1024, help="distance between the window's points")
    ceil_mode: bool = setting(False, help="also counts a window that sticks out at the end")
    examples = (
        Example({}, ((6, 28, 28),), (6, 14, 14), 0),
        Example({"kernel_size": 3, "stride": 2, "padding": 1}, ((64, 112, 112),), (64, 56, 56), 0),
        Example({"kernel_size": 3, "stride": 2, "ceil_mode": True}, ((64, 112, 112),), (64, 56, 56), 0),
    )

    def check(self, *shapes: Shape) -> None:
        _check_pool(shapes[0], pair(self.kernel_size), pair(self.padding), pair(self.dilation))

    def layer(self, *shapes: Shape) -> Call:
        options = {"stride": (self.stride, None), "padding": (self.padding, 0), "dilation": (self.dilation, 1)}
        kept = {k: v for k, (v, usual) in options.items() if v not in (usual, (usual, usual))}
        if self.ceil_mode:
            kept["ceil_mode"] = True
        return Call("nn.MaxPool2d", self.kernel_size, **kept)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        kernel = pair(self.kernel_size)
        stride = pair(self.stride if self.stride is not None else self.kernel_size)
        padding, dilation = pair(self.padding), pair(self.dilation)
        return explain_window(shapes[0][1], kernel[0], stride[0], padding[0], dilation[0], self.ceil_mode)


class AvgPool2d(Block):
    """The mean of each window."""

    label, category, stem = "AvgPool2d", "pooling", "pool"
    help = "Takes the mean of each small window: a picture with fewer, smoother pixels."
    formula = "y[c, i, j] = mean x[c, i·s + u, j·s + v]"
    source = "torch.nn.AvgPool2d"
    inputs = (Port("in", rank=3),)
    kernel_size: int | tuple[int, int] = setting(2, min=1, max=1024, help="height and width of the window")
    stride: int | tuple[int, int] | None = setting(None, min=1, max=1024, help="step of the window; empty: its size")
    padding: int | tuple[int, int] = setting(
        0, min=0, max=512, help="pixels added at each border, at most half the window"
    )
    ceil_mode: bool = setting(False, help="also counts a window that sticks out at the end")
    count_include_pad: bool = setting(True, help="counts the padded zeros in the mean")
    examples = (
        Example({}, ((6, 28, 28),), (6, 14, 14), 0),
        Example({"kernel_size": 3, "stride": 1, "padding": 1}, ((4, 7, 7),), (4, 7, 7), 0),
    )

    def check(self, *shapes: Shape) -> None:
        _check_pool(shapes[0], pair(self.kernel_size), pair(self.padding), (1, 1))

    def layer(self, *shapes: Shape) -> Call:
        options = {"stride": (self.stride, None), "padding": (self.padding, 0)}
        kept: dict[str, object] = {k: v for k, (v, usual) in options.items() if v not in (usual, (usual, usual))}
        if self.ceil_mode:
            kept["ceil_mode"] = True
        if not self.count_include_pad:
            kept["count_include_pad"] = False
        return Call("nn.AvgPool2d", self.kernel_size, **kept)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        kernel = pair(self.kernel_size)
        stride = pair(self.stride if self.stride is not None else self.kernel_size)
        return explain_window(shapes[0][1], kernel[0], stride[0], pair(self.padding)[0], 1, self.ceil_mode)


class AdaptiveAvgPool2d(Block):
    """Means over a grid of the wished size, whatever comes in."""

    label, category, stem = "AdaptiveAvgPool2d", "pooling", "avgpool"
    help = "Takes means so that every picture comes out at the same size; size 1 leaves one number per channel."
    formula = "y[c, i, j] = mean of cell (i, j) of an h × w grid"
    source = "Lin et al. 2013, Network in network; torch.nn.AdaptiveAvgPool2d"
    inputs = (Port("in", rank=3),)
    output_size: int | tuple[int, int] = setting(1, min=1, max=4096, help="height and width that come out")
    examples = (
        Example({}, ((512, 7, 7),), (512, 1, 1), 0),
        Example({"output_size": [6, 3]}, ((4, 13, 10),), (4, 6, 3), 0),
    )

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.AdaptiveAvgPool2d", self.output_size)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_grid(shapes[0], output)


class GlobalAvgPool2d(Block):
    """The mean of every channel, as a flat vector."""

    label, category, stem = "GlobalAvgPool2d", "pooling", "avgpool"
    help = "Keeps one number of every channel, its mean, and lays them in one row: a dense layer can follow."
    formula = "y[c] = mean x[c, i, j]"
    source = "Lin et al. 2013, Network in network, section 3.2"
    inputs = (Port("in", rank=3),)
    functions = ("mean",)
    examples = (Example({}, ((512, 7, 7),), (512,), 0), Example({}, ((3, 1, 5),), (3,), 0))

    def layer(self, *shapes: Shape) -> Call:
        return Call("GlobalAvgPool2d")

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{shapes[0][1]}·{shapes[0][2]} = {shapes[0][1] * shapes[0][2]:,} pixels in every mean"


class AdaptiveMaxPool2d(Block):
    """Maxima over a grid of the wished size, whatever comes in."""

    label, category, stem = "AdaptiveMaxPool2d", "pooling", "maxpool"
    help = "Keeps the strongest answers so that every picture comes out at the same size."
    formula = "y[c, i, j] = max of cell (i, j) of an h × w grid"
    source = "torch.nn.AdaptiveMaxPool2d"
    inputs = (Port("in", rank=3),)
    output_size: int | tuple[int, int] = setting(1, min=1, max=4096, help="height and width that come out")
    examples = (Example({}, ((8, 7, 7),), (8, 1, 1), 0), Example({"output_size": 3}, ((4, 9, 9),), (4, 3, 3), 0))

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.AdaptiveMaxPool2d", self.output_size)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_grid(shapes[0], output)


class MaxPool1d(Block):
    """The largest number in each window along a signal."""

    label, category, stem = "MaxPool1d", "pooling", "pool"
    help = "Keeps the strongest answer in each short window of a signal of channels × length."
    formula = "y[c, i] = max x[c, i·s + u]"
    source = "torch.nn.MaxPool1d"
    inputs = (Port("in", rank=2),)
    kernel_size: int = setting(2, min=1, max=100_000, help="length of the window")
    stride: int | None = setting(None, min=1, max=100_000, help="step of the window; empty: its length")
    padding: int = setting(0, min=0, max=50_000, help="values added at each end, at most half the window")
    examples = (
        Example({}, ((4, 10),), (4, 5), 0),
        Example({"kernel_size": 3, "stride": 1, "padding": 1}, ((4, 10),), (4, 10), 0),
    )

    def check(self, *shapes: Shape) -> None:
        _check_pool(shapes[0], (self.kernel_size,), (self.padding,), (1,))

    def layer(self, *shapes: Shape) -> Call:
        kept = {k: v for k, v, usual in (("stride", self.stride, None), ("padding", self.padding, 0)) if v != usual}
        return Call("nn.MaxPool1d", self.kernel_size, **kept)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        stride = self.stride if self.stride is not None else self.kernel_size
        return explain_window(shapes[0][1], self.kernel_size, stride, self.padding)
