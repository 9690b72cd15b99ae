"""The settings that picture data sets share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from blocks.base import setting
from builder.data.base import Dataset


@dataclass(frozen=True)
class Drawing:
    """How a data set of single written signs was made, so that a sign drawn by hand can be brought to its form.

    A sign fills at most the part `fill` of a square of `size` pixels; its centre of mass, or else the
    middle of its extent, lies in the middle.
    """

    size: int
    fill: float
    by_mass: bool


class AugmentedPictures(Dataset):
    """Base of data sets of pictures that come divided: normalisation and augmentation."""

    dark: ClassVar[bool] = False
    """Whether the background of its pictures is black."""
    drawing: ClassVar[Drawing | None] = None
    """How single written signs lie in its pictures; None for other pictures."""

    normalization: str = setting(
        "none",
        choices=("none", "standard", "symmetric"),
        help="none leaves 0 to 1; standard subtracts the training mean and divides by the deviation; symmetric is −1 to 1",
    )
    flip: bool = setting(False, help="mirror half of the training pictures left to right")
    shift: float = setting(0.0, min=0, max=0.5, help="move training pictures by at most this part of their side")
    zoom: float = setting(0.0, min=0, max=0.5, help="enlarge (and crop) or shrink training pictures by at most this")
    rotate: float = setting(0.0, min=0, max=180, unit="°", help="turn training pictures by at most this angle")


class Pictures(AugmentedPictures):
    """Base of data sets of pictures of which a part is set aside for validation."""

    validation: float = setting(
        0.15, min=0.01, max=0.5, label="validation part", help="part of the training samples kept for validation"
    )
    split_seed: int = setting(0, min=0, max=2**31 - 1, help="another number gives another split")


class SizedPictures(Pictures):
    """Base of data sets of square pictures that are resized when loaded."""

    tasks: ClassVar[tuple[str, ...]] = ("classification", "generation", "reconstruction")

    size: int = setting(28, min=4, max=512, unit="px", help="height and width the pictures are resized to")
    colour: str = setting("grey", choices=("grey", "colour"), help="one channel, or three")

    def channels(self) -> int:
        """1 for grey pictures, 3 for colour."""
        return 1 if self.colour == "grey" else 3
