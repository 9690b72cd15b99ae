"""Constants that an ONNX file leaves to be worked out: lengths for a reshape, weights cut out of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from builder.reading.arrangement import BATCH, moved_array
from builder.reading.onnx_file import Array, Operator

SPARE = 2**20
"""So many numbers may be worked out besides twice those that the file holds; a small file cannot fill the memory."""
MAX_CALCULATED = 4096
"""More numbers than this are not calculated with, only moved."""


class Constants(dict[str, Array]):
    """The constants of a file by name, and those worked out of them."""

    def __init__(self, given: Mapping[str, Array]) -> None:
        super().__init__(given)
        self.left = SPARE + 2 * sum(array.size for array in given.values())

    def work_out(self, operator: Operator, lengths: Array | None) -> bool:
        """Note what the operator gives, if that is constant; `lengths` are those of what it reads, where known."""
        if len(operator.outputs) != 1:
            return False
        found = self._value(operator, lengths)
        if found is None or found.size > self.left:
            return False
        self.left -= found.size
        self[operator.outputs[0]] = found
        return True

    def _value(self, operator: Operator, lengths: Array | None) -> Array | None:
        kind, attributes = operator.kind.lower(), operator.attributes
        if kind == "constant":
            value = next(iter(attributes.values()), None)
            return None if value is None or isinstance(value, str) else np.asarray(value)
        if kind == "shape" and operator.inputs:
            held = self.get(operator.inputs[0])
            lengths = np.array(held.shape) if held is not None else lengths
            return None if lengths is None else lengths[attributes.get("start", 0) : attributes.get("end")]
        if kind == "castlike" and operator.inputs:
            return self.get(operator.inputs[0])
        given = [self.get(name) if name else None for name in operator.inputs]
        if not given or given[0] is None or any(g is None and n for g, n in zip(given, operator.inputs, strict=True)):
            return None
        try:
            return self._calculated(kind, attributes, given[0], [g for g in given if g is not None], given[1:])
        except (ValueError, IndexError, TypeError, np.exceptions.AxisError, OverflowError, MemoryError):
            return None

    def _calculated(
        self, kind: str, attributes: Mapping[str, Any], first: Array, given: list[Array], others: list[Array | None]
    ) -> Array | None:
        match kind:
            case "concat":
                if sum(a.size for a in given) > self.left:
                    return None
                return np.concatenate([np.atleast_1d(a) for a in given], int(attributes.get("axis", 0)))
            case "expand" if len(given) == 2:
                wanted = [1 if n == BATCH else int(n) for n in given[1].ravel()[:8]]  # alike for every sample
                return np.broadcast_to(first, np.broadcast_shapes(first.shape, tuple(wanted)))
            case "cast":
                return first.astype(np.int64) if attributes.get("to") in (6, 7) else first.astype(np.float32)
            case "add" | "sub" | "mul" | "div" if len(given) == 2 and max(a.size for a in given) <= MAX_CALCULATED:
                if any((a == BATCH).any() for a in given):
                    return None
                return _CALCULATIONS[kind](given[0], given[1])
        if kind == "pad":
            return None
        return moved_array(kind, attributes, first, others)


_CALCULATIONS = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.floor_divide}
