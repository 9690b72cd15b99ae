"""What a block does to a single number, drawn: its function and the derivative, by running it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from blocks.base import Block, BlockError
from builder.shapes import build

REACH = 4.0
"""Inputs from −4 to 4."""
POINTS = 65


@dataclass(frozen=True)
class Curve:
    """Values of a function and of its derivative at evenly spaced inputs from -`reach` to `reach`."""

    reach: float
    value: tuple[float, ...]
    slope: tuple[float, ...]


@functools.lru_cache(maxsize=1000)
def curve(block: Block) -> Curve | None:
    """The curve of an activation that works number by number; None for any other block."""
    if block.category != "activation" or len(block.ports()) != 1:
        return None
    try:
        block.check((1,))
        call = block.layer((1,))
    except BlockError:
        return None  # it compares numbers with each other, as softmax does
    if call is None:
        return None
    with torch.random.fork_rng([]):
        module = build(call).eval()
    x = torch.linspace(-REACH, REACH, POINTS).reshape(-1, 1).requires_grad_()
    y = module(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    return Curve(REACH, _rounded(y), _rounded(slope))


def _rounded(numbers: Tensor) -> tuple[float, ...]:
    return tuple(round(n, 4) for n in numbers.detach().flatten().tolist())
