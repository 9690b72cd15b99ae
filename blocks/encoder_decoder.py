"""The two halves of a U-Net: stages that go down to coarser pictures, and stages that come back up."""

from __future__ import annotations

from blocks.base import Block, BlockError, Example, Port, Shape, Subgraph, setting
from blocks.convolution import Conv2d, ConvTranspose2d
from blocks.geometry import text
from blocks.merging import Concatenate
from blocks.pooling import MaxPool2d
from blocks.resample import PixelShuffle, Upsample
from blocks.reshape import Crop
from blocks.stages import DoubleConv

SOURCE = "Ronneberger et al. 2015, U-Net, figure 1"


class EncoderStage(Block):
    """One step down a U-Net: half the height and width, then two convolutions."""

    label, category, stem = "EncoderStage", "composite", "down"
    help = "One step down a U-Net: max pooling halves the picture, then two 3×3 convolutions look at it."
    formula = "relu(conv3×3(relu(conv3×3(max2×2(x)))))"
    source = SOURCE
    inputs = (Port("in", rank=3),)
    out_channels: int = setting(128, min=1, max=100_000, help="channels of both convolutions")
    padding: int = setting(1, min=0, max=1, help="1 keeps the size, 0 loses 4 pixels as in the paper")
    batch_norm: bool = setting(False, help="normalizes after every convolution")
    examples = (
        # 64·128·9 + 128 and 128·128·9 + 128.
        Example({"padding": 0}, ((64, 568, 568),), (128, 280, 280), 221_440),
        Example({"out_channels": 8, "batch_norm": True}, ((4, 9, 9),), (8, 4, 4), 288 + 576 + 32),
    )

    def template(self, *shapes: Shape) -> Subgraph:
        g = Subgraph()
        convs = DoubleConv(out_channels=self.out_channels, padding=self.padding, batch_norm=self.batch_norm)
        g.add("convs", convs, g.add("pool", MaxPool2d(), "in"))
        return g

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        loss = "" if self.padding else " − 4"
        return f"⌊{shapes[0][1]}/2⌋{loss} × ⌊{shapes[0][2]}/2⌋{loss} = {text(output[1:])}"


class DecoderStage(Block):
    """One step up a U-Net: twice the height and width, joined with the picture of that size from the way down."""

    label, category, stem = "DecoderStage", "composite", "up"
    help = (
        "One step up a U-Net: doubles the picture, joins the middle of one from the way down, and convolves both twice."
    )
    formula = "relu(conv3×3(relu(conv3×3([crop(skip), up(below)]))))"
    source = SOURCE
    inputs = (Port("below", rank=3), Port("skip", rank=3))
    out_channels: int = setting(64, min=1, max=100_000, help="channels of the enlarged picture and of what comes out")
    upsampling: str = setting(
        "transposed",
        choices=("transposed", "pixel_shuffle", "nearest", "bilinear"),
        help="how it grows: a 2×2 transposed convolution as in the paper; channels laid out as pixels; interpolation, "
        "then a 3×3 convolution",
    )
    padding: int = setting(1, min=0, max=1, help="1 keeps the size, 0 loses 4 pixels as in the paper")
    batch_norm: bool = setting(False, help="normalizes after every convolution")
    examples = (
        # 1024·512·4 + 512, 1024·512·9 + 512, 512·512·9 + 512.
        Example(
            {"out_channels": 512, "padding": 0}, ((1024, 28, 28), (512, 64, 64)), (512, 52, 52), 2_097_664 + 7_078_912
        ),
        # 8·16 + 16, 8·4·9 + 4, 4·4·9 + 4.
        Example({"out_channels": 4, "upsampling": "pixel_shuffle"}, ((8, 5, 5), (4, 11, 10)), (4, 10, 10), 144 + 440),
        Example({"out_channels": 4, "upsampling": "nearest"}, ((8, 5, 5), (4, 10, 10)), (4, 10, 10), 292 + 440),
    )

    def check(self, *shapes: Shape) -> None:
        below, skip = shapes
        height, width = 2 * below[1], 2 * below[2]
        if skip[1] < height or skip[2] < width:
            raise BlockError(
                f"It enlarges {text(below)} to {height}×{width}, but the picture at its input skip has only "
                f"{skip[1]}×{skip[2]}. Connect skip to the stage before that pooling.",
                "skip",
                "skip",
            )

    def template(self, *shapes: Shape) -> Subgraph:
        below, skip = shapes
        g = Subgraph()
        match self.upsampling:
            case "transposed":
                up = g.add("up", ConvTranspose2d(out_channels=self.out_channels, kernel_size=2, stride=2), "below")
            case "pixel_shuffle":
                up = g.add("up_conv", Conv2d(out_channels=4 * self.out_channels, kernel_size=1), "below")
                up = g.add("up", PixelShuffle(), up)
            case _:
                up = g.add("up", Upsample(mode=self.upsampling), "below")
                up = g.add("up_conv", Conv2d(out_channels=self.out_channels, kernel_size=3, padding=1), up)
        height, width = 2 * below[1], 2 * below[2]
        carried = "skip"
        if skip[1:] != (height, width):
            carried = g.add("crop", Crop(height=height, width=width), carried)
        joined = g.add("concat", Concatenate(), carried, up)
        convs = DoubleConv(out_channels=self.out_channels, padding=self.padding, batch_norm=self.batch_norm)
        g.add("convs", convs, joined)
        return g

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        (_, height, width), skip = shapes
        loss = "" if self.padding else " − 4"
        return (
            f"{skip[0]} + {self.out_channels} = {skip[0] + self.out_channels} channels side by side\n"
            f"2·{height}{loss} × 2·{width}{loss} = {text(output[1:])}"
        )
