"""One operator of an ONNX file as its readers see it, and what it becomes: a call of torch with weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from blocks.base import Call, Shape
from builder.reading.onnx_file import Array, Operator


class UnlikeError(ValueError):
    """No layer of PyTorch does exactly this; the message says what is unlike."""


@dataclass(frozen=True)
class Layer:
    """A module in place of an operator; `data` are the values that flow into it."""

    call: Call
    data: tuple[str, ...]
    weights: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """One operator with the shapes of what flows into it (without the batch), and its constants by name."""

    operator: Operator
    shapes: dict[str, Shape]
    constants: dict[str, Array]

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.operator.attributes.get(name, default)

    def input(self, index: int) -> str:
        return self.operator.inputs[index] if index < len(self.operator.inputs) else ""

    def constant(self, index: int) -> Array | None:
        """The constant at this input; None where nothing is given. Raises UnlikeError for what flows there."""
        name = self.input(index)
        if not name:
            return None
        if name not in self.constants:
            raise UnlikeError("its weights are worked out, not given")
        return self.constants[name]

    def weight(self, index: int) -> Array:
        found = self.constant(index)
        if found is None:
            raise UnlikeError("it has no weights")
        return found

    def shape(self, index: int = 0) -> Shape:
        if self.input(index) not in self.shapes:
            raise UnlikeError("what it reads is no data")
        return self.shapes[self.input(index)]

    def flowing(self) -> tuple[str, ...]:
        """All inputs, when data flows at every one. Raises UnlikeError otherwise."""
        if any(name not in self.shapes for name in self.operator.inputs):
            raise UnlikeError("a constant is joined with data")
        return self.operator.inputs


MAX_AXES = 8


def short(value: Any) -> Any:
    """A float32 of the file as people wrote it: 0.1, not 0.10000000149."""
    return float(f"{value:.7g}") if isinstance(value, float) else value


def sides(context: Context, dims: int) -> int | tuple[int, ...]:
    """Padding that is equal at both ends. Raises UnlikeError."""
    auto = context.attribute("auto_pad", "NOTSET")
    if auto == "VALID":
        return 0
    if auto != "NOTSET":
        raise UnlikeError(f"it pads by {auto}")
    pads = tuple(context.attribute("pads", (0,) * 2 * dims))
    if len(pads) != 2 * dims or pads[:dims] != pads[dims:] or min(pads) < 0:
        raise UnlikeError(f"it pads unevenly by {', '.join(map(str, pads[:8]))}")
    return one(pads[:dims])


def one(values: tuple[int, ...]) -> int | tuple[int, ...]:
    return values[0] if len(set(values)) == 1 else tuple(values)


def several(context: Context, name: str, dims: int, default: int = 1) -> int | tuple[int, ...]:
    values = tuple(context.attribute(name, (default,) * dims))
    if len(values) != dims or any(v < 0 for v in values):
        raise UnlikeError(f"its {name} is {values[:8]}")
    return one(values)


def named(**arrays: Array | None) -> dict[str, Array]:
    return {name: array for name, array in arrays.items() if array is not None}
