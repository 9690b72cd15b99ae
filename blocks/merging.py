"""Blocks where several wires come together."""

from __future__ import annotations

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting
from blocks.geometry import text


def _check_equal(shapes: tuple[Shape, ...], code: str) -> None:
    if len(set(shapes)) > 1:
        raise BlockError(
            f"Its inputs must have equal shapes, but they are {' and '.join(map(text, shapes))}. "
            "Change the layers before it so that channels and sizes agree.",
            code,
        )


class Add(Block):
    """The sum of equal shapes."""

    label, category, stem = "Add", "merge", "add"
    help = "Adds its inputs number by number: the meeting point of a skip connection."
    formula = "y = x1 + x2 + …"
    source = "He et al. 2016, Deep residual learning for image recognition"
    inputs = (Port("in"),)
    functions = ("+", "add")
    variadic = "count"
    count: int = setting(2, min=2, max=64, label="inputs", help="how many inputs it has")
    examples = (
        Example({}, ((8, 4, 4), (8, 4, 4)), (8, 4, 4), 0),
        Example({"count": 3}, ((5,), (5,), (5,)), (5,), 0),
    )

    def check(self, *shapes: Shape) -> None:
        _check_equal(shapes, "add-mismatch")

    def layer(self, *shapes: Shape) -> Call:
        return Call("Add")


class Multiply(Block):
    """The product of shapes that are equal, or 1 where they differ."""

    label, category, stem = "Multiply", "merge", "multiply"
    help = "Multiplies its inputs number by number: a gate. A picture may be multiplied by one number per channel."
    formula = "y = x1 · x2 · …"
    source = "Hu et al. 2018, Squeeze-and-excitation networks"
    inputs = (Port("in"),)
    functions = ("*", "mul", "multiply")
    variadic = "count"
    count: int = setting(2, min=2, max=64, label="inputs", help="how many inputs it has")
    examples = (
        Example({}, ((8, 4, 4), (8, 4, 4)), (8, 4, 4), 0),
        Example({}, ((8, 4, 4), (8, 1, 1)), (8, 4, 4), 0),
    )

    def check(self, *shapes: Shape) -> None:
        if len({len(s) for s in shapes}) > 1 or any(
            len(set(lengths) - {1}) > 1 for lengths in zip(*shapes, strict=True)
        ):
            raise BlockError(
                f"Its inputs must have equal shapes, or length 1 where they differ, but they are "
                f"{' and '.join(map(text, shapes))}.",
                "multiply-mismatch",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("Multiply")


class Subtract(Block):
    """The first input minus the second."""

    label, category, stem = "Subtract", "merge", "subtract"
    help = "Subtracts the second input from the first, number by number."
    formula = "y = first − second"
    source = "torch.sub"
    inputs = (Port("first"), Port("second"))
    functions = ("-", "sub", "subtract")
    examples = (Example({}, ((5,), (5,)), (5,), 0),)

    def check(self, *shapes: Shape) -> None:
        _check_equal(shapes, "subtract-mismatch")

    def layer(self, *shapes: Shape) -> Call:
        return Call("Subtract")


class Mean(Block):
    """The mean of equal shapes."""

    label, category, stem = "Mean", "merge", "mean"
    help = "Takes the mean of its inputs number by number: an ensemble of branches."
    formula = "y = (x1 + x2 + …) / n"
    source = "torch.mean"
    inputs = (Port("in"),)
    variadic = "count"
    count: int = setting(2, min=2, max=64, label="inputs", help="how many inputs it has")
    examples = (
        Example({}, ((5,), (5,)), (5,), 0),
        Example({"count": 3}, ((2, 4, 4), (2, 4, 4), (2, 4, 4)), (2, 4, 4), 0),
    )

    def check(self, *shapes: Shape) -> None:
        _check_equal(shapes, "mean-mismatch")

    def layer(self, *shapes: Shape) -> Call:
        return Call("Mean")


class Concatenate(Block):
    """Inputs side by side along one dimension."""

    label, category, stem = "Concatenate", "merge", "concat"
    help = (
        "Puts its inputs side by side: the channels of pictures, or the numbers of vectors. Other lengths must agree."
    )
    formula = "channels add up, the rest stays"
    source = "torch.cat"
    inputs = (Port("in"),)
    functions = ("cat", "concat", "concatenate")
    variadic = "count"
    count: int = setting(2, min=2, max=64, label="inputs", help="how many inputs it has")
    dim: int = setting(0, min=0, max=7, help="dimension along which they are joined; 0 is the channel")
    examples = (
        Example({}, ((8, 4, 4), (3, 4, 4)), (11, 4, 4), 0),
        Example({"count": 3, "dim": 1}, ((5, 2), (5, 3), (5, 4)), (5, 9), 0),
    )

    def check(self, *shapes: Shape) -> None:
        if len({len(s) for s in shapes}) > 1:
            raise BlockError(
                f"Its inputs must have the same number of dimensions, but they are {' and '.join(map(text, shapes))}. "
                "Flatten them, or bring them to one size first.",
                "concat-mismatch",
            )
        if self.dim >= len(shapes[0]):
            raise BlockError(
                f"dim {self.dim} is too large for {text(shapes[0])}; use at most {len(shapes[0]) - 1}.", "dim"
            )
        rest = {s[: self.dim] + s[self.dim + 1 :] for s in shapes}
        if len(rest) > 1:
            where = (
                "height and width" if len(shapes[0]) == 3 and self.dim == 0 else f"all lengths but dimension {self.dim}"
            )
            raise BlockError(
                f"Its inputs are {' and '.join(map(text, shapes))}; {where} must agree. "
                "Pad, crop or pool one of them, or choose another dim.",
                "concat-mismatch",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("Concatenate", **({} if self.dim == 0 else {"dim": self.dim}))

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{' + '.join(str(s[self.dim]) for s in shapes)} = {output[self.dim]}"
