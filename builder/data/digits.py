"""The handwritten digits that come with scikit-learn: no download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch

from blocks.base import SettingError, setting
from builder.data.base import Field, split_sizes
from builder.data.picture_settings import Drawing, SizedPictures
from builder.data.plain import augment, check_memory, picture_batch, recolour, resize, stratified_split, take_splits


def load_digits_arrays(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """scikit-learn's 1797 handwritten digits of 8×8 pixels with values from 0 to 16, as uint8 pictures."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(digits.images * (255 / 16)).round().to(torch.uint8).unsqueeze(1)
    images = recolour(resize(images, settings["size"], settings["size"]), settings["colour"])
    if settings["layout"] == "rows":
        images = images.squeeze(1)
    return take_splits({"image": images, "label": torch.from_numpy(digits.target).long()}, settings)


def digits_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Digits as floats; with the layout "rows" a picture is a sequence of its rows, N×H×W."""
    if settings["layout"] == "rows":
        split = {**split, "image": split["image"].unsqueeze(1)}
    # Mean and standard deviation of the training digits, measured at 28×28.
    batch = picture_batch(split, index, settings, generator, mean=(0.306,), std=(0.325,))
    if settings["layout"] == "rows":
        batch["image"] = batch["image"].squeeze(1)
    return batch


class Digits(SizedPictures):
    """Optical recognition of handwritten digits, the test part (E. Alpaydin, C. Kaynak, UCI 1998), CC BY 4.0."""

    name = "digits"
    label = "Digits (scikit-learn)"
    help = "1,797 handwritten digits of 8×8 pixels, on this machine already."
    order = 0
    requires = ("scikit-learn",)
    helpers = (stratified_split, take_splits, check_memory, resize, recolour, augment, picture_batch)
    load_arrays = staticmethod(load_digits_arrays)
    make_batch = staticmethod(digits_batch)
    count: ClassVar[int] = 1797
    dark = True
    drawing = Drawing(size=8, fill=1.0, by_mass=False)

    test: float = setting(0.15, min=0, max=0.5, label="test part", help="part of the samples kept for the final test")
    layout: str = setting(
        "image",
        choices=("image", "rows"),
        help="a picture, or a sequence of its rows from top to bottom for recurrent networks",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout == "rows" and self.colour != "grey":
            raise SettingError("layout is 'rows'; that needs colour to be 'grey'.")

    def fields(self) -> dict[str, Field]:
        classes = {"label": Field((), "class", 10)}
        if self.layout == "rows":
            return {"image": Field((self.size, self.size), "features"), **classes}
        return {"image": Field((self.channels(), self.size, self.size), "image"), **classes}

    def class_names(self) -> tuple[str, ...]:
        return tuple("0123456789")

    def size_hint(self) -> dict[str, int]:
        return split_sizes(self.count, self.validation, self.test)
