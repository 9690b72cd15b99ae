"""The same numbers in another arrangement."""

from __future__ import annotations

import math

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting
from blocks.geometry import text


class Flatten(Block):
    """All numbers of a sample in one row."""

    label, category, stem, role = "Flatten", "reshape", "flatten", "flatten"
    help = "Lays all numbers of a sample in one row, so that a fully connected layer can read them."
    formula = "channels × height × width → channels · height · width"
    source = "torch.nn.Flatten"
    inputs = (Port("in"),)
    functions = ("flatten",)
    examples = (Example({}, ((16, 5, 5),), (400,), 0), Example({}, ((8, 3),), (24,), 0))

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.Flatten")

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{'·'.join(map(str, shapes[0]))} = {math.prod(shapes[0]):,}"


class Reshape(Block):
    """The same numbers in a shape of one's choice."""

    label, category, stem, role = "Reshape", "reshape", "reshape", "reshape"
    help = "Puts the numbers into another shape with the same count; one length may be −1 and is worked out."
    formula = "product of lengths stays the same"
    source = "torch.Tensor.reshape"
    inputs = (Port("in"),)
    functions = ("reshape", "view")
    shape: tuple[int, ...] = setting(
        (1, 28, 28), min=-1, max=10_000_000, help="lengths without the batch, one may be −1"
    )
    examples = (
        Example({"shape": [16, 5, 5]}, ((400,),), (16, 5, 5), 0),
        Example({"shape": [-1, 8]}, ((4, 6),), (3, 8), 0),
    )

    def check(self, *shapes: Shape) -> None:
        total, open_ = math.prod(shapes[0]), self.shape.count(-1)
        known = math.prod(n for n in self.shape if n != -1)
        if not self.shape or 0 in self.shape or open_ > 1:
            raise BlockError(f"shape {text(self.shape)} needs lengths of at least 1, and at most one −1.", "reshape")
        if total % known or (not open_ and total != known):
            raise BlockError(
                f"It receives {text(shapes[0])}, which is {total:,} numbers, but shape {text(self.shape)} holds "
                f"{'a multiple of ' if open_ else ''}{known:,}. Choose lengths whose product is {total:,}.",
                "reshape",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("Reshape", *self.shape)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{'·'.join(map(str, shapes[0]))} = {'·'.join(map(str, output))} = {math.prod(output):,}"


class Permute(Block):
    """The dimensions in another order."""

    label, category, stem = "Permute", "reshape", "permute"
    help = "Puts the dimensions of a sample in another order; 0 is the first (the channels of a picture)."
    formula = "1, 0 turns length × features into features × length"
    source = "torch.permute"
    inputs = (Port("in"),)
    functions = ("permute",)
    order: tuple[int, ...] = setting((1, 0), min=0, max=7, help="the old dimension at each new place")
    examples = (
        Example({}, ((4, 9),), (9, 4), 0),
        Example({"order": [1, 2, 0]}, ((3, 4, 5),), (4, 5, 3), 0),
    )

    def check(self, *shapes: Shape) -> None:
        wanted = tuple(range(len(shapes[0])))
        if tuple(sorted(self.order)) != wanted:
            raise BlockError(
                f"order {', '.join(map(str, self.order))} must name each of the dimensions "
                f"{', '.join(map(str, wanted))} of {text(shapes[0])} once.",
                "permute",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("Permute", *self.order)


class Crop(Block):
    """The middle of a picture."""

    label, category, stem, role = "Crop", "reshape", "crop", "crop"
    help = "Cuts the middle out of a picture, to make two pictures equal in size."
    formula = "channels × height × width of the centre"
    source = "Ronneberger et al. 2015, U-Net"
    inputs = (Port("in", rank=3),)
    height: int = setting(24, min=1, max=65536, unit="px", help="rows that are kept")
    width: int = setting(24, min=1, max=65536, unit="px", help="columns that are kept")
    examples = (
        Example({}, ((4, 28, 28),), (4, 24, 24), 0),
        Example({"height": 2, "width": 5}, ((1, 5, 5),), (1, 2, 5), 0),
    )

    def check(self, *shapes: Shape) -> None:
        if self.height > shapes[0][1] or self.width > shapes[0][2]:
            raise BlockError(
                f"It should keep {self.height}×{self.width} of a picture of {shapes[0][1]}×{shapes[0][2]}; "
                "it can only make pictures smaller.",
                "crop",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("Crop", self.height, self.width)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        (_, height, width), top, left = shapes[0], (shapes[0][1] - self.height) // 2, (shapes[0][2] - self.width) // 2
        return f"keeps rows {top} to {top + self.height - 1} of {height}, columns {left} to {left + self.width - 1} of {width}"


class Pad(Block):
    """Zeros, or mirrored pixels, around a picture."""

    label, category, stem, role = "Pad", "reshape", "pad", "pad"
    help = "Adds pixels around a picture, to make two pictures equal in size."
    formula = "height + top + bottom, width + left + right"
    source = "torch.nn.ZeroPad2d, ReflectionPad2d, ReplicationPad2d"
    inputs = (Port("in", rank=3),)
    left: int = setting(1, min=0, max=4096, unit="px", help="columns added at the left")
    right: int = setting(1, min=0, max=4096, unit="px", help="columns added at the right")
    top: int = setting(1, min=0, max=4096, unit="px", help="rows added at the top")
    bottom: int = setting(1, min=0, max=4096, unit="px", help="rows added at the bottom")
    mode: str = setting("zeros", choices=("zeros", "reflect", "replicate"), help="what the new pixels hold")
    examples = (
        Example({}, ((4, 8, 8),), (4, 10, 10), 0),
        Example({"left": 0, "mode": "reflect"}, ((4, 8, 8),), (4, 10, 9), 0),
    )

    def check(self, *shapes: Shape) -> None:
        _, height, width = shapes[0]
        if self.mode == "reflect" and (max(self.left, self.right) >= width or max(self.top, self.bottom) >= height):
            raise BlockError(
                f"Mirrored pixels must be fewer than the picture's {height}×{width}; use less, or mode zeros.",
                "padding",
            )

    def layer(self, *shapes: Shape) -> Call:
        names = {"zeros": "nn.ZeroPad2d", "reflect": "nn.ReflectionPad2d", "replicate": "nn.ReplicationPad2d"}
        sides = (self.left, self.right, self.top, self.bottom)
        return Call(names[self.mode], sides[0] if len(set(sides)) == 1 else sides)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        _, height, width = shapes[0]
        return (
            f"height {height} + {self.top} + {self.bottom} = {output[1]}, "
            f"width {width} + {self.left} + {self.right} = {output[2]}"
        )
