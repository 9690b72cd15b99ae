"""Arithmetic that convolution and pooling share: windows that slide over a padded input."""

from __future__ import annotations

from blocks.base import BlockError, Shape

Size = int | tuple[int, int]


def pair(value: Size) -> tuple[int, int]:
    """A size as (height, width); one number stands for both."""
    return value if isinstance(value, tuple) else (value, value)


def text(shape: Shape | tuple[int, ...]) -> str:
    """A shape as people write it: 6×28×28."""
    return "×".join(map(str, shape))


def fit_window(received: Shape, kernel: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...]) -> None:
    """Raise BlockError when a window is larger than the padded input it slides over.

    `received` is the input's shape, its last dimensions those the window slides along.
    """
    lengths = received[len(received) - len(kernel) :]
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    padded = tuple(n + 2 * p for n, p in zip(lengths, padding, strict=True))
    if all(r <= n for r, n in zip(reach, padded, strict=True)):
        return
    most = tuple((n - 1) // d + 1 for n, d in zip(padded, dilation, strict=True))
    spread = f" with dilation {_short(dilation)} reaches over {text(reach)}, which" if max(dilation) > 1 else ""
    raise BlockError(
        f"kernel_size {_short(kernel)}{spread} is larger than the padded input of {text(padded)} "
        f"(it receives {text(received)}). Use a kernel_size of at most {_short(most)}, more padding, "
        "or less pooling before it.",
        "kernel-too-large",
    )


def _short(values: tuple[int, ...]) -> str:
    """One number where all are equal, as it is typed in a form."""
    return str(values[0]) if len(set(values)) == 1 else text(values)


def explain_window(length: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil: bool = False) -> str:
    """The formula of the output length with its numbers: out = ⌊(14 + 2·0 − 5) / 1⌋ + 1 = 10."""
    reach = dilation * (kernel - 1) + 1
    span = length + 2 * padding - reach
    out = -(-span // stride) + 1 if ceil else span // stride + 1
    if ceil and (out - 1) * stride >= length + padding:
        out -= 1  # torch drops a window that would begin in the right padding
    left, right = ("⌈", "⌉") if ceil else ("⌊", "⌋")
    return f"out = {left}({length} + 2·{padding} − {reach}) / {stride}{right} + 1 = {out}"
