"""The inputs and outputs of a network that was read: blocks of the catalogue for what enters and leaves."""

from __future__ import annotations

from collections.abc import Iterable

import blocks
from blocks.base import Block, BlockError, SettingError, Shape
from builder.reading import matching
from builder.reading.errors import ReadError
from builder.remedies.scene import by_role
from builder.shapes import size

MAX_VOCABULARY = 100_000_000


def entering(shape: Shape, tokens: bool) -> Block:
    """The input block of the catalogue that gives this shape. Raises ReadError when there is none."""
    for cls in blocks.catalogue().values():
        if cls.source_shape is Block.source_shape or (cls.holds == "tokens") is not tokens:
            continue
        try:
            block = matching.having(cls, shape)
        except (BlockError, SettingError):
            continue
        if block is not None:
            return block
    raise ReadError(f"No input block gives {size(shape)}; a sample has one to three dimensions.")


def answer() -> Block:
    """The block at which a network's answer leaves it."""
    found = by_role("output")
    assert found is not None
    return found()


def with_vocabulary(block: Block, readers: Iterable[Block], told: int | None = None) -> Block:
    """Tokens with as many different ones as is told, or else as the blocks that read them take."""
    if "vocabulary" not in block.to_settings():
        return block
    if told is not None and told > 1:
        return block.replace(vocabulary=told)
    low, high = 2, MAX_VOCABULARY
    held = list(readers)
    while low < high:
        middle = (low + high + 1) // 2
        try:
            for reader in held:
                reader.check_vocabulary(middle)
            low = middle
        except BlockError:
            high = middle - 1
    return block.replace(vocabulary=low) if low < MAX_VOCABULARY else block
