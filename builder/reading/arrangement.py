"""Values that hold the numbers of another value in other places, and the block that puts them there.

Files move numbers about in several steps: they bring the time before the batch and back, or keep every second pixel
and pad with zeros. What matters is where each number ends; then the catalogue is searched for a block that does the
same with numbers of its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import blocks
from blocks.base import Block, BlockError, Shape
from builder.reading import matching
from builder.reading.onnx_file import Array
from builder.shapes import build, infer

Places = npt.NDArray[np.int64]

SAMPLES = 2
"""So many samples are followed: with fewer, nothing would tell the batch from other dimensions."""
BATCH = -1
"""The number of samples where lengths are worked out."""
ZERO = -1
"""The place of a number that is zero."""
LARGEST = 2**22
"""More numbers than this are not followed."""


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Where the numbers of a value stand in the value `source`, for two samples; the batch may be anywhere."""

    source: str
    shape: Shape
    places: Places

    @property
    def size(self) -> int:
        """How many numbers a sample of the source has."""
        return math.prod(self.shape)

    def lengths(self) -> Array | None:
        """The lengths, with BATCH where the samples lie; None where these are mixed."""
        for axis, length in enumerate(self.places.shape):
            if length == SAMPLES and self._apart(axis) is not None:
                return np.array([BATCH if i == axis else n for i, n in enumerate(self.places.shape)])
        return None

    def sample(self) -> Places | None:
        """The places for one sample, when the batch comes first; None otherwise."""
        return self._apart(0) if self.places.shape[:1] == (SAMPLES,) else None

    def _apart(self, axis: int) -> Places | None:
        first, second = (np.take(self.places, i, axis) for i in range(SAMPLES))
        same = np.where(first == ZERO, second == ZERO, second == first + self.size)
        return first if same.all() and (first < self.size).all() else None


def whole(source: str, shape: Shape) -> Arrangement | None:
    """A value as it is; None when it is too large to be followed."""
    size = math.prod(shape)
    if size * SAMPLES > LARGEST:
        return None
    return Arrangement(source, shape, np.arange(SAMPLES * size, dtype=np.int64).reshape(SAMPLES, *shape))


def moved(
    kind: str, attributes: Mapping[str, Any], given: Arrangement, constants: list[Array | None]
) -> Arrangement | None:
    """What an operator makes of an arrangement; `constants` are its other inputs. None for one that does more."""
    places = moved_array(kind, attributes, given.places, constants)
    if places is None or places.size > LARGEST:
        return None
    return Arrangement(given.source, given.shape, places)


def joined(given: list[Arrangement], axis: int) -> Arrangement | None:
    """Several arrangements of one source side by side; None where they do not fit or are too large."""
    if sum(g.places.size for g in given) > LARGEST:
        return None
    try:
        return Arrangement(given[0].source, given[0].shape, np.concatenate([g.places for g in given], axis))
    except ValueError:
        return None


def moved_array(kind: str, attributes: Mapping[str, Any], x: Array, constants: list[Array | None]) -> Array | None:
    """What an operator that only moves numbers makes of an array; ZERO is what it pads with. None for others."""
    try:
        return _moved(kind, attributes, x, constants)
    except (ValueError, IndexError, TypeError, np.exceptions.AxisError, OverflowError, MemoryError):
        return None


def _moved(kind: str, attributes: Mapping[str, Any], x: Array, constants: list[Array | None]) -> Array | None:
    given = [c for c in constants if c is not None]

    def numbers(index: int, name: str) -> list[int] | None:
        """A list of whole numbers: an input of the operator, or in older files an attribute."""
        held = constants[index] if index < len(constants) else None
        if held is not None:
            return [int(n) for n in held.ravel()[:64]]
        return [int(n) for n in attributes[name]] if name in attributes else None

    match kind:
        case "identity":
            return x
        case "transpose":
            return np.transpose(x, attributes.get("perm"))
        case "reshape" if given:
            shape = [int(n) for n in given[0].ravel()[:64]]
            if shape.count(BATCH) > 1 and shape[0] == BATCH:
                shape[0] = SAMPLES  # the other one is to be worked out
            return x.reshape(
                [x.shape[i] if n == 0 and not attributes.get("allowzero") else n for i, n in enumerate(shape)]
            )
        case "flatten":
            axis = int(attributes.get("axis", 1))
            return x.reshape(math.prod(x.shape[:axis]), -1)
        case "squeeze":
            axes = numbers(0, "axes")
            return np.squeeze(x, None if axes is None else tuple(axes))
        case "unsqueeze":
            return np.expand_dims(x, tuple(numbers(0, "axes") or ()))
        case "slice":
            return _sliced(x, *(numbers(i, name) for i, name in enumerate(("starts", "ends", "axes", "steps"))))
        case "gather" if given and given[0].size * x.size <= LARGEST * x.shape[int(attributes.get("axis", 0))]:
            return np.take(x, given[0].astype(np.int64), int(attributes.get("axis", 0)))
        case "pad":
            pads = numbers(0, "pads") or []
            filled = constants[1] if len(constants) > 1 and constants[1] is not None else np.zeros(1)
            if attributes.get("mode", "constant") != "constant" or filled.any() or len(pads) != 2 * x.ndim:
                return None
            if min(pads) < 0 or math.prod(n + a + b for n, a, b in zip(x.shape, pads, pads[x.ndim :])) > LARGEST:
                return None
            return np.pad(x, list(zip(pads, pads[x.ndim :])), constant_values=ZERO)
    return None


def _sliced(
    x: Array, starts: list[int] | None, ends: list[int] | None, axes: list[int] | None, steps: list[int] | None
) -> Array | None:
    if starts is None or ends is None:
        return None
    cut = [slice(None)] * x.ndim
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis, step = (i if axes is None else axes[i]), (1 if steps is None else steps[i])
        reached = None if step < 0 and end < -x.shape[axis] else end  # backwards to the very first
        cut[axis] = slice(start, reached, step)
    return x[tuple(cut)]


# --- the block that does the same ------------------------------------------------------------------


def block_for(places: Places, shape: Shape) -> Block | None:
    """The block that puts the numbers of a sample of this shape into these places, or None."""
    wanted = np.concatenate([_numbers(math.prod(shape)), [0.0]])[places]
    pool = {*shape, *places.shape, *(a // b for a in shape for b in places.shape if b)}
    for cls in _movers():
        if not cls.inputs[0].accepts(shape):
            continue

        def distance(block: Block) -> matching.Distance:
            inferred = infer(block, (shape,))
            lengths = sum(a != b for a, b in zip(inferred.shape, places.shape))
            apart = abs(len(inferred.shape) - places.ndim) * 100 + lengths
            if inferred.parameters or apart or inferred.call is None:
                return (apart + 10_000 * bool(inferred.parameters), 1)
            return (0, int(not np.array_equal(_run(block, shape), wanted)))

        try:
            found = matching.solve(cls, {}, 1, pool, distance, (shape,))
        except BlockError:
            continue
        if not any(distance(found)):
            return found
    return None


@functools.cache
def _movers() -> tuple[type[Block], ...]:
    """Blocks of one input that only move numbers: what comes out of their example was in it, or is zero."""
    found = []
    for cls in blocks.catalogue().values():
        if cls.layer is Block.layer or len(cls.inputs) != 1 or cls.variadic or not cls.examples:
            continue
        example, block = cls.examples[0], cls.from_settings(cls.examples[0].settings)
        if cls.probe_real or example.parameters or cls.inputs[0].holds != "features":
            continue
        held = {0.0, *_numbers(math.prod(example.inputs[0]))}
        if set(_run(block, example.inputs[0]).ravel()) <= held:
            found.append(cls)
    return tuple(found)


def _numbers(count: int) -> Array:
    """Different numbers of both signs, in no order."""
    values: Array = np.random.default_rng(0).permutation(count) - count / 2 + 0.25
    return values


def _run(block: Block, shape: Shape) -> Array:
    call = block.layer(shape)
    assert call is not None
    x = torch.from_numpy(_numbers(math.prod(shape))).reshape(1, *shape)
    with torch.random.fork_rng([]), torch.no_grad():
        out: Array = build(call).double().eval()(x)[0].numpy()
    return out
