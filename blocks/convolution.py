"""Convolutions: small filters that slide over their input."""

from __future__ import annotations

import math

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting
from blocks.geometry import explain_window, fit_window, pair, text


def _options(**values: object) -> dict[str, object]:
    """Keyword arguments that differ from torch's defaults, as a person would write them."""
    usual = {
        "stride": 1,
        "padding": 0,
        "dilation": 1,
        "groups": 1,
        "bias": True,
        "padding_mode": "zeros",
        "output_padding": 0,
    }
    return {k: v for k, v in values.items() if v != usual[k] and v != (usual[k], usual[k])}


def _check_groups(groups: int, channels: int, out_channels: int) -> None:
    if channels % groups or out_channels % groups:
        raise BlockError(
            f"groups {groups} must divide the {channels} channels it receives and its {out_channels} out_channels. "
            f"Use a common divisor of both, such as {math.gcd(channels, out_channels)}.",
            "groups",
        )


def _check_padding_mode(mode: str, padding: tuple[int, ...], received: Shape) -> None:
    spare = {"reflect": 1, "circular": 0}.get(mode)  # a mirror leaves out the border itself
    if spare is None:
        return
    for pad, length in zip(padding, received[1:], strict=True):
        if pad > length - spare:
            raise BlockError(
                f"padding {pad} with padding_mode {mode} needs more values than the {text(received)} it receives has; "
                f"use at most {length - spare}, or zeros.",
                "padding",
            )


def _explain_weights(out: int, fan: int, kernel: tuple[int, ...], bias: bool) -> str:
    """The number of weights with its numbers: 16·(6·5·5) + 16 = 2,416."""
    total = out * (fan * math.prod(kernel) + bias)
    return f"{out}·({fan}·{'·'.join(map(str, kernel))}){f' + {out}' if bias else ''} = {total:,}"


class Conv2d(Block):
    """A two-dimensional convolution; the number of input channels comes from the wire."""

    label, category, stem, role = "Conv2d", "convolution", "conv", "project"
    help = "Slides small filters over a picture. Each filter looks for one pattern and gives one channel (feature map)."
    formula = "y[c, i, j] = b[c] + Σ w[c, k, u, v] · x[k, i·s + u, j·s + v]"
    source = "LeCun et al. 1998, Gradient-based learning applied to document recognition; torch.nn.Conv2d"
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(16, min=1, max=1_000_000, help="number of filters, and of channels that come out")
    kernel_size: int | tuple[int, int] = setting(3, min=1, max=1024, help="height and width of a filter")
    stride: int | tuple[int, int] = setting(1, min=1, max=1024, help="how far the filter moves at each step")
    padding: int | tuple[int, int] = setting(0, min=0, max=1024, help="pixels added at each border")
    dilation: int | tuple[int, int] = setting(1, min=1, max=1024, help="distance between the filter's points")
    groups: int = setting(1, min=1, max=1_000_000, help="splits the channels into groups with filters of their own")
    bias: bool = setting(True, help="adds a trainable number to every channel")
    padding_mode: str = setting("zeros", choices=("zeros", "reflect", "replicate", "circular"), help="what is padded")
    examples = (
        Example({"out_channels": 6, "kernel_size": 5, "padding": 2}, ((1, 28, 28),), (6, 28, 28), 156),
        Example({"out_channels": 16, "kernel_size": 5}, ((6, 14, 14),), (16, 10, 10), 2416),
        Example({"out_channels": 8, "kernel_size": 3, "groups": 4, "bias": False}, ((4, 9, 9),), (8, 7, 7), 72),
        Example(
            {"out_channels": 64, "kernel_size": 7, "stride": 2, "padding": 3}, ((3, 224, 224),), (64, 112, 112), 9472
        ),
        Example({"out_channels": 2, "kernel_size": [1, 3], "dilation": [1, 2]}, ((3, 4, 9),), (2, 4, 5), 20),
    )

    def check(self, *shapes: Shape) -> None:
        (x,) = shapes
        _check_groups(self.groups, x[0], self.out_channels)
        fit_window(x, pair(self.kernel_size), pair(self.padding), pair(self.dilation))
        _check_padding_mode(self.padding_mode, pair(self.padding), x)

    def layer(self, *shapes: Shape) -> Call:
        options = _options(
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
            padding_mode=self.padding_mode,
        )
        return Call("nn.Conv2d", shapes[0][0], self.out_channels, kernel_size=self.kernel_size, **options)

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        return math.prod(output) * (shapes[0][0] // self.groups) * math.prod(pair(self.kernel_size))

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        kernel, stride, padding, dilation = (
            pair(v) for v in (self.kernel_size, self.stride, self.padding, self.dilation)
        )
        lines = [explain_window(shapes[0][1], kernel[0], stride[0], padding[0], dilation[0])]
        if (shapes[0][1], kernel[0], stride[0], padding[0], dilation[0]) != (
            shapes[0][2],
            kernel[1],
            stride[1],
            padding[1],
            dilation[1],
        ):
            lines.append(explain_window(shapes[0][2], kernel[1], stride[1], padding[1], dilation[1]))
        lines.append(_explain_weights(self.out_channels, shapes[0][0] // self.groups, kernel, self.bias))
        return "\n".join(lines)


class Conv1d(Block):
    """A one-dimensional convolution over channels × length."""

    label, category, stem = "Conv1d", "convolution", "conv"
    help = "Slides small filters along a signal of channels × length."
    formula = "y[c, i] = b[c] + Σ w[c, k, u] · x[k, i·s + u]"
    source = "torch.nn.Conv1d"
    inputs = (Port("in", rank=2),)
    out_channels: int = setting(16, min=1, max=1_000_000, help="number of filters, and of channels that come out")
    kernel_size: int = setting(3, min=1, max=100_000, help="length of a filter")
    stride: int = setting(1, min=1, max=1024, help="how far the filter moves at each step")
    padding: int = setting(0, min=0, max=100_000, help="values added at each end")
    dilation: int = setting(1, min=1, max=100_000, help="distance between the filter's points")
    groups: int = setting(1, min=1, max=1_000_000, help="splits the channels into groups with filters of their own")
    bias: bool = setting(True, help="adds a trainable number to every channel")
    padding_mode: str = setting("zeros", choices=("zeros", "reflect", "replicate", "circular"), help="what is padded")
    examples = (
        Example({"out_channels": 4}, ((2, 10),), (4, 8), 28),
        Example({"out_channels": 4, "kernel_size": 5, "stride": 2, "padding": 2}, ((1, 10),), (4, 5), 24),
    )

    def check(self, *shapes: Shape) -> None:
        (x,) = shapes
        _check_groups(self.groups, x[0], self.out_channels)
        fit_window(x, (self.kernel_size,), (self.padding,), (self.dilation,))
        _check_padding_mode(self.padding_mode, (self.padding,), x)

    def layer(self, *shapes: Shape) -> Call:
        options = _options(
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
            padding_mode=self.padding_mode,
        )
        return Call("nn.Conv1d", shapes[0][0], self.out_channels, kernel_size=self.kernel_size, **options)

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        return math.prod(output) * (shapes[0][0] // self.groups) * self.kernel_size

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        window = explain_window(shapes[0][1], self.kernel_size, self.stride, self.padding, self.dilation)
        weights = _explain_weights(self.out_channels, shapes[0][0] // self.groups, (self.kernel_size,), self.bias)
        return f"{window}\n{weights}"


class ConvTranspose2d(Block):
    """A transposed convolution: the backward pass of Conv2d used forwards, which enlarges a picture."""

    label, category, stem = "ConvTranspose2d", "convolution", "deconv"
    help = "Enlarges a picture with trainable filters: every input pixel paints a filter onto the output."
    formula = "out = (in − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1"
    source = "Zeiler et al. 2010, Deconvolutional networks; torch.nn.ConvTranspose2d"
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(16, min=1, max=1_000_000, help="number of channels that come out")
    kernel_size: int | tuple[int, int] = setting(2, min=1, max=1024, help="height and width of a filter")
    stride: int | tuple[int, int] = setting(2, min=1, max=1024, help="by how much the picture grows")
    padding: int | tuple[int, int] = setting(0, min=0, max=1024, help="pixels taken off each border")
    output_padding: int | tuple[int, int] = setting(0, min=0, max=1024, help="rows and columns added at one side")
    dilation: int | tuple[int, int] = setting(1, min=1, max=1024, help="distance between the filter's points")
    groups: int = setting(1, min=1, max=1_000_000, help="splits the channels into groups with filters of their own")
    bias: bool = setting(True, help="adds a trainable number to every channel")
    examples = (
        Example({"out_channels": 8}, ((16, 7, 7),), (8, 14, 14), 520),
        Example({"out_channels": 4, "kernel_size": 4, "stride": 2, "padding": 1}, ((2, 5, 5),), (4, 10, 10), 132),
    )

    def check(self, *shapes: Shape) -> None:
        (x,) = shapes
        _check_groups(self.groups, x[0], self.out_channels)
        for extra, stride, dilation in zip(
            pair(self.output_padding), pair(self.stride), pair(self.dilation), strict=True
        ):
            if extra >= max(stride, dilation):
                raise BlockError(
                    f"output_padding {extra} must be smaller than the stride {stride} or the dilation {dilation}.",
                    "padding",
                )
        out = [
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1
            for n, s, p, d, k, e in zip(
                x[1:],
                pair(self.stride),
                pair(self.padding),
                pair(self.dilation),
                pair(self.kernel_size),
                pair(self.output_padding),
                strict=True,
            )
        ]
        if min(out) < 1:
            raise BlockError(
                f"padding {text(pair(self.padding))} takes away more than there is: the output would be "
                f"{text(tuple(out))} from {text(x)}. Use less padding or a larger kernel_size.",
                "kernel-too-large",
            )

    def layer(self, *shapes: Shape) -> Call:
        options = _options(
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            groups=self.groups,
            bias=self.bias,
            dilation=self.dilation,
        )
        return Call("nn.ConvTranspose2d", shapes[0][0], self.out_channels, kernel_size=self.kernel_size, **options)

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        return math.prod(shapes[0]) * (self.out_channels // self.groups) * math.prod(pair(self.kernel_size))

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        lines = []
        for axis in (0, 1):
            n, out = shapes[0][axis + 1], output[axis + 1]
            kernel, stride, padding, extra, dilation = (
                pair(v)[axis] for v in (self.kernel_size, self.stride, self.padding, self.output_padding, self.dilation)
            )
            line = f"out = ({n} − 1)·{stride} − 2·{padding} + {dilation}·({kernel} − 1) + {extra} + 1 = {out}"
            if line not in lines:
                lines.append(line)
        channels, fan, kernels = shapes[0][0], self.out_channels // self.groups, pair(self.kernel_size)
        bias = self.out_channels if self.bias else 0
        total = channels * fan * math.prod(kernels) + bias
        plus = f" + {bias}" if bias else ""
        lines.append(f"{channels}·({fan}·{kernels[0]}·{kernels[1]}){plus} = {total:,}")
        return "\n".join(lines)
