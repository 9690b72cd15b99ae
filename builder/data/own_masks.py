"""The user's own pictures with masks: a zip in which every picture has a mask of its size."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blocks.base import SettingError, setting
from builder.data.base import Field, own_split_sizes
from builder.data.download import file_hash
from builder.data.image_zip import decode_picture, small_entries
from builder.data.mask_files import (
    class_mask,
    decode_mask,
    join_masks,
    mask_place,
    pair_masks,
    read_pair,
    shrink_mask,
    stem_forms,
    upright_size,
)
from builder.data.mask_report import MAX_CLASSES, inspect_masks
from builder.data.masks import masked_batch
from builder.data.own_files import find_upload
from builder.data.picture_settings import SizedPictures
from builder.data.plain import (
    augment,
    check_memory,
    complete_splits,
    measured_colours,
    picture_batch,
    stratified_split,
    take_splits,
)


def load_own_masks(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """The usable pictures of an uploaded zip and their masks, in the order of the pictures' names."""
    import zipfile

    path = find_upload(settings["file"], folder)
    size, colour = settings["size"], settings["colour"]
    images: dict[str, list[np.ndarray[Any, Any]]] = {}
    masks: dict[str, list[np.ndarray[Any, Any]]] = {}
    with zipfile.ZipFile(path) as archive:
        pairs, _ = pair_masks(list(small_entries(archive)))
        check_memory(len(pairs), 2 if colour == "grey" else 4, size, size)
        for done, (name, (split, mine)) in enumerate(pairs.items()):
            try:
                pixels, codes = read_pair(archive, name, mine, size, colour, settings["palette"])
            except ValueError:
                continue  # the report on the upload has named it
            images.setdefault(split, []).append(pixels)
            masks.setdefault(split, []).append(
                shrink_mask(class_mask(codes, settings["reading"], settings["values"]), size)
            )
            if progress is not None and done % 20 == 0:
                progress("Reading pictures and masks", done / len(pairs))
    if not images.get("train"):
        raise ValueError("The uploaded zip holds no readable picture with a mask. Upload the zip file again.")
    splits: dict[str, dict[str, torch.Tensor]] = {
        name: {"image": torch.from_numpy(np.stack(images[name])), "mask": torch.from_numpy(np.stack(masks[name]))}
        for name in ("train", "validation", "test")
        if name in images
    }
    return complete_splits(splits, settings)


def own_masks_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Pictures as floats, normalised with the mean and deviation measured at the upload, and their masks."""
    mean, std = measured_colours(settings)
    return masked_batch(split, index, settings, generator, mean, std)


class OwnMasks(SizedPictures):
    """Pictures with masks uploaded as a zip; `inspect_masks` checks it and fills in the settings."""

    name = "own_masks"
    label = "Your own pictures with masks"
    help = (
        "A zip file with folders images and masks whose files have equal names, or with masks named picture_mask.png. "
        "The values of the masks' pixels are the classes."
    )
    order = 51
    tasks = ("segmentation",)
    upload = "Your pictures with masks: a zip"
    measured = ("file", "values", "reading", "palette", "counts", "mean", "std")
    requires = ("pillow",)
    helpers = (
        *(small_entries, mask_place, stem_forms, pair_masks, decode_picture, decode_mask, join_masks, upright_size),
        *(read_pair, class_mask, shrink_mask, check_memory, stratified_split, take_splits, complete_splits),
        *(augment, measured_colours, picture_batch, masked_batch, file_hash, find_upload),
    )
    load_arrays = staticmethod(load_own_masks)
    make_batch = staticmethod(own_masks_batch)

    file: str = setting("", help="the stored upload, named by the sha256 of its content")
    classes: tuple[str, ...] = setting((), help="the names of the classes, the background first")
    values: tuple[str, ...] = setting((), help="the values of the classes' pixels: numbers, or colours as #rrggbb")
    reading: str = setting(
        "values",
        choices=("values", "half", "any"),
        help="a class for each value; or one class: from 128 on, or whatever is not 0",
    )
    palette: bool = setting(False, help="whether indexed masks are told apart by the colours of their palettes")
    counts: tuple[int, ...] = setting(
        (), min=0, help="usable pictures in all, or those of the zip's own folders for train, validation and test"
    )
    mean: tuple[float, ...] = setting((0.5,), min=0, max=1, help="mean of the pictures, or of each channel")
    std: tuple[float, ...] = setting((0.25,), min=0.001, max=1, help="standard deviation, or that of each channel")
    size: int = setting(128, min=16, max=512, unit="px", help="height and width pictures and masks are resized to")
    colour: str = setting("colour", choices=("grey", "colour"), help="one channel, or three")
    test: float = setting(0.15, min=0, max=0.4, label="test part", help="part of the samples kept for the final test")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.classes) != len(self.values):
            raise SettingError(
                f"classes names {len(self.classes)} classes; the masks have {len(self.values)} values. Name each once."
            )
        strange = [value for value in self.values if not re.fullmatch(r"[0-9]{1,9}|#[0-9a-f]{6}", value)]
        if strange or len(self.values) > MAX_CLASSES:
            raise SettingError(
                f"values is {', '.join(self.values)[:80]}; it lists at most {MAX_CLASSES} numbers or colours as #rrggbb."
            )
        if len(self.counts) not in (0, 1, 3):
            raise SettingError(f"counts has {len(self.counts)} numbers; it takes one, or three for the splits.")
        if len(self.mean) not in (1, 3) or len(self.std) != len(self.mean):
            raise SettingError("mean and std must both have one number, or one for each of three channels.")

    @classmethod
    def receive(cls, content: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
        report = inspect_masks(content)
        return report.settings(), report.problems

    def missing(self) -> str | None:
        if not self.file:
            return "No pictures have been chosen yet. Upload a zip file with a folder images and a folder masks."
        return None

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((self.channels(), self.size, self.size), "image"),
            "mask": Field((self.size, self.size), "mask", max(2, len(self.values))),
        }

    def class_names(self) -> tuple[str, ...]:
        return self.classes

    def size_hint(self) -> dict[str, int] | None:
        return own_split_sizes(self.counts, self.validation, self.test)
