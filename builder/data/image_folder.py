"""The user's own pictures: a zip with one folder a class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blocks.base import SettingError, setting
from builder.data.base import Field, own_split_sizes
from builder.data.download import file_hash
from builder.data.image_zip import decode_picture, small_entries, sort_pictures
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
from builder.data.uploads import inspect_zip


def load_image_folder(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """The readable pictures of an uploaded zip, in the order of their names."""
    import zipfile
    import zlib

    path = find_upload(settings["file"], folder)
    size, colour = settings["size"], settings["colour"]
    numbers = {name: number for number, name in enumerate(settings["classes"])}
    images: dict[str, list[np.ndarray[Any, Any]]] = {}
    labels: dict[str, list[int]] = {}
    with zipfile.ZipFile(path) as archive:
        entries = small_entries(archive)
        places = sort_pictures(list(entries))
        check_memory(len(places), 1 if colour == "grey" else 3, size, size)
        for done, (name, (split, label)) in enumerate(places.items()):
            if label not in numbers:
                continue
            try:
                pixels = decode_picture(archive.read(entries[name]), size, colour, settings["fit"])
            except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
                continue  # the report on the upload has named it
            images.setdefault(split, []).append(pixels)
            labels.setdefault(split, []).append(numbers[label])
            if progress is not None and done % 50 == 0:
                progress("Reading pictures", done / len(places))
    if not images.get("train"):
        raise ValueError("The uploaded zip holds no readable picture of these classes. Upload the zip file again.")
    splits: dict[str, dict[str, torch.Tensor]] = {
        name: {"image": torch.from_numpy(np.stack(images[name])), "label": torch.tensor(labels[name])}
        for name in ("train", "validation", "test")
        if name in images
    }
    return complete_splits(splits, settings)


def image_folder_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """The pictures as floats, normalised with the mean and deviation measured at the upload."""
    mean, std = measured_colours(settings)
    return picture_batch(split, index, settings, generator, mean, std)


class ImageFolder(SizedPictures):
    """Pictures uploaded as a zip. `builder.data.uploads` checks it and fills in the settings."""

    name = "image_folder"
    label = "Your own pictures"
    help = "A zip file with one folder of pictures for each class."
    order = 50
    requires = ("pillow",)
    helpers = (
        stratified_split,
        take_splits,
        complete_splits,
        check_memory,
        augment,
        measured_colours,
        picture_batch,
        file_hash,
        small_entries,
        sort_pictures,
        decode_picture,
        find_upload,
    )
    upload = "Your pictures: a zip with one folder per class"
    measured = ("file", "classes", "counts", "mean", "std")
    load_arrays = staticmethod(load_image_folder)
    make_batch = staticmethod(image_folder_batch)

    file: str = setting("", help="the stored upload, named by the sha256 of its content")
    classes: tuple[str, ...] = setting((), help="the names of the class folders")
    counts: tuple[int, ...] = setting(
        (), min=0, help="readable pictures in all, or those of the zip's own folders for train, validation and test"
    )
    mean: tuple[float, ...] = setting((0.5,), min=0, max=1, help="mean of the pictures, or of each channel")
    std: tuple[float, ...] = setting((0.25,), min=0.001, max=1, help="standard deviation, or that of each channel")
    size: int = setting(64, min=4, max=512, unit="px", help="height and width the pictures are brought to")
    colour: str = setting("colour", choices=("grey", "colour"), help="one channel, or three")
    fit: str = setting(
        "pad", choices=("pad", "crop", "stretch"), help="how oblong pictures become square: add edges, cut, distort"
    )
    test: float = setting(0.15, min=0, max=0.4, label="test part", help="part of the samples kept for the final test")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.counts) not in (0, 1, 3):
            raise SettingError(f"counts has {len(self.counts)} numbers; it takes one, or three for the splits.")
        if len(self.mean) not in (1, 3) or len(self.std) != len(self.mean):
            raise SettingError("mean and std must both have one number, or one for each of three channels.")

    @classmethod
    def receive(cls, content: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
        report = inspect_zip(content)
        settings = {name: value for name, value in report.settings("").items() if name != "file"}
        return settings, (*report.warnings, *map(str, report.unreadable))

    def missing(self) -> str | None:
        if not self.file:
            return "No pictures have been chosen yet. Upload a zip file with one folder of pictures a class."
        return None

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((self.channels(), self.size, self.size), "image"),
            "label": Field((), "class", max(2, len(self.classes))),
        }

    def class_names(self) -> tuple[str, ...]:
        return self.classes

    def size_hint(self) -> dict[str, int] | None:
        return own_split_sizes(self.counts, self.validation, self.test)
