"""Larger and smaller pictures."""

from __future__ import annotations

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting
from blocks.geometry import text


class Upsample(Block):
    """A picture enlarged by interpolation."""

    label, category, stem, role = "Upsample", "resample", "up", "enlarge"
    help = "Enlarges a picture by repeating pixels (nearest) or by blending neighbours (bilinear); nothing is learned."
    formula = "height · scale × width · scale"
    source = "torch.nn.Upsample"
    inputs = (Port("in", rank=3),)
    scale_factor: int = setting(2, min=1, max=64, help="by how much the picture grows")
    mode: str = setting("nearest", choices=("nearest", "bilinear", "bicubic"), help="how new pixels are found")
    examples = (
        Example({}, ((8, 7, 7),), (8, 14, 14), 0),
        Example({"scale_factor": 3, "mode": "bilinear"}, ((2, 4, 5),), (2, 12, 15), 0),
    )

    def layer(self, *shapes: Shape) -> Call:
        return Call(
            "nn.Upsample", scale_factor=self.scale_factor, **({} if self.mode == "nearest" else {"mode": self.mode})
        )

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{shapes[0][1]}·{self.scale_factor} × {shapes[0][2]}·{self.scale_factor} = {text(output[1:])}"


class PixelShuffle(Block):
    """Channels laid out as pixels."""

    label, category, stem = "PixelShuffle", "resample", "shuffle"
    help = "Lays groups of r² channels out as r × r pixels: fewer channels, a larger picture, nothing lost."
    formula = "C·r² × H × W → C × r·H × r·W"
    source = "Shi et al. 2016, Real-time single image and video super-resolution; torch.nn.PixelShuffle"
    inputs = (Port("in", rank=3),)
    upscale_factor: int = setting(2, min=1, max=64, help="by how much the picture grows")
    examples = (
        Example({}, ((16, 5, 5),), (4, 10, 10), 0),
        Example({"upscale_factor": 3}, ((9, 2, 3),), (1, 6, 9), 0),
    )

    def check(self, *shapes: Shape) -> None:
        square = self.upscale_factor**2
        if shapes[0][0] % square:
            raise BlockError(
                f"It receives {shapes[0][0]} channels, which {self.upscale_factor}² = {square} does not divide. "
                f"Give the layer before it a multiple of {square} channels.",
                "channels",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.PixelShuffle", self.upscale_factor)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        channels, height, width = shapes[0]
        r = self.upscale_factor
        return f"{channels}/{r}² × {height}·{r} × {width}·{r} = {text(output)}"


class PixelUnshuffle(Block):
    """Pixels laid out as channels, the way back of PixelShuffle."""

    label, category, stem = "PixelUnshuffle", "resample", "unshuffle"
    help = "Lays r × r pixels out as r² channels: a smaller picture, more channels, nothing lost."
    formula = "C × r·H × r·W → C·r² × H × W"
    source = "Shi et al. 2016; torch.nn.PixelUnshuffle"
    inputs = (Port("in", rank=3),)
    downscale_factor: int = setting(2, min=1, max=64, help="by how much the picture shrinks")
    examples = (
        Example({}, ((4, 10, 10),), (16, 5, 5), 0),
        Example({"downscale_factor": 3}, ((1, 6, 9),), (9, 2, 3), 0),
    )

    def check(self, *shapes: Shape) -> None:
        _, height, width = shapes[0]
        if height % self.downscale_factor or width % self.downscale_factor:
            raise BlockError(
                f"downscale_factor {self.downscale_factor} must divide the picture's {height}×{width}. "
                "Choose a common divisor, or pad or crop the picture.",
                "size",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.PixelUnshuffle", self.downscale_factor)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        channels, height, width = shapes[0]
        r = self.downscale_factor
        return f"{channels}·{r}² × {height}/{r} × {width}/{r} = {text(output)}"
