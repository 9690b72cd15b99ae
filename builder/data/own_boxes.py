"""The user's own pictures with boxes: a zip of pictures with PASCAL VOC's XML files or a COCO JSON file."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from blocks.base import setting
from builder.data.annotations import annotated_pictures, read_coco, read_voc, usable_box
from builder.data.base import DataError, Field, Progress, split_sizes
from builder.data.blood_cells import box_fields
from builder.data.boxes import box_batch, move_boxes
from builder.data.download import file_hash
from builder.data.image_zip import decode_picture
from builder.data.own_files import find_upload
from builder.data.picture_settings import SizedPictures
from builder.data.plain import augment, check_memory, picture_batch, stratified_split, take_splits

MAX_CLASSES = 1000
MAX_BOXES = 100


def load_own_boxes(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """The readable pictures of an uploaded zip that have an annotation, in the order of their names."""
    import zipfile
    import zlib

    path = find_upload(settings["file"], folder)
    size, colour, classes = settings["size"], settings["colour"], list(settings["classes"])
    pictures = []
    with zipfile.ZipFile(path) as archive:
        annotated, _ = annotated_pictures(archive, tuple(classes))
        check_memory(len(annotated), 1 if colour == "grey" else 3, size, size)
        for done, (name, told) in enumerate(sorted(annotated.items())):
            try:
                pixels = decode_picture(archive.read(name), size, colour, "stretch")
            except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
                continue  # the report on the upload has named it
            told["objects"] = [(label, box) for label, box in told["objects"] if label in classes]
            pictures.append((pixels, told))
            if progress is not None and done % 50 == 0:
                progress("Reading pictures", done / len(annotated))
    if len(pictures) < 3:
        raise ValueError("The uploaded zip holds fewer than three readable pictures with boxes. Upload another one.")
    return take_splits(box_fields(pictures, classes, settings["most"]), settings)


class OwnBoxes(SizedPictures):
    """Pictures with boxes uploaded as a zip; `inspect_boxes` checks it and fills in the settings."""

    name = "own_boxes"
    label = "Your own pictures with boxes"
    help = "A zip file of pictures with PASCAL VOC's XML files, or with one COCO JSON file."
    order = 51
    tasks = ("detection",)
    upload = "Your pictures with boxes: a zip with XML files (VOC) or a JSON file (COCO)"
    measured = ("file", "classes", "counts")
    requires = ("pillow",)
    helpers = (
        *(usable_box, read_voc, read_coco, annotated_pictures, decode_picture, box_fields, check_memory),
        *(stratified_split, take_splits, augment, picture_batch, move_boxes, file_hash, find_upload),
    )
    load_arrays = staticmethod(load_own_boxes)
    make_batch = staticmethod(box_batch)

    file: str = setting("", help="the stored upload, named by the sha256 of its content")
    classes: tuple[str, ...] = setting((), help="the names of the classes")
    counts: tuple[int, ...] = setting((), min=0, help="readable pictures in all")
    size: int = setting(208, min=32, max=512, unit="px", help="height and width the pictures are resized to")
    colour: str = setting("colour", choices=("grey", "colour"), help="one channel, or three")
    rotate: float = setting(0.0, min=0, max=0, unit="°", help="pictures with boxes are not turned")
    most: int = setting(30, min=1, max=MAX_BOXES, help="the most boxes of a picture; of more, the largest are kept")
    test: float = setting(0.15, min=0, max=0.4, label="test part", help="part of the samples kept for the final test")

    @classmethod
    def receive(cls, content: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
        report = inspect_boxes(content)
        return report.settings(), report.problems

    def missing(self) -> str | None:
        if not self.file:
            return "No pictures have been chosen yet. Upload a zip file of pictures with VOC or COCO boxes."
        return None

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((self.channels(), self.size, self.size), "image"),
            "box": Field((self.most, 4), "boxes"),
            "box_class": Field((self.most,), "box_classes", max(1, len(self.classes))),
        }

    def class_names(self) -> tuple[str, ...]:
        return self.classes

    def size_hint(self) -> dict[str, int] | None:
        return split_sizes(self.counts[0], self.validation, self.test) if self.counts else None


# --- an upload -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BoxReport:
    """What a zip with boxes holds: boxes per class, usable pictures, and sentences on what is left out or cut."""

    classes: dict[str, int]
    pictures: int
    most: int
    problems: tuple[str, ...]

    def settings(self) -> dict[str, Any]:
        """The settings of the data set "own_boxes" for this upload, all but `file`."""
        return {"classes": list(self.classes), "counts": [self.pictures], "most": self.most}


def inspect_boxes(content: bytes, progress: Progress | None = None) -> BoxReport:
    """Look at every annotation and picture of a zip.

    Raises DataError with a sentence when it cannot be used at all; all else is in the report.
    """
    from builder.data.uploads import refuse_danger

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            refuse_danger(archive.infolist())
            annotated, problems = annotated_pictures(archive)
            usable = _decodable(archive, annotated, problems, progress)
    except (zipfile.BadZipFile, struct.error, zlib.error, RuntimeError, NotImplementedError) as error:
        raise DataError(f"This is no zip file, or it is damaged or encrypted ({error}). Pack it again.") from error
    classes = Counter(label for told in usable for label, _ in told["objects"])
    if len(usable) < 3 or not classes:
        first = f" The first problem: {problems[0]}" if problems else ""
        raise DataError(
            f"The zip file has {len(usable)} usable pictures with {sum(classes.values())} boxes; at least three pictures "
            f"are needed, with an XML file each (VOC) or one JSON file for all (COCO).{first}"
        )
    if len(classes) > MAX_CLASSES:
        raise DataError(f"The zip file has {len(classes):,} classes; at most {MAX_CLASSES:,} can be told apart.")
    most = min(MAX_BOXES, max(len(told["objects"]) for told in usable))
    return BoxReport(dict(sorted(classes.items())), len(usable), most, tuple(problems))


def _decodable(
    archive: zipfile.ZipFile, annotated: dict[str, dict[str, Any]], problems: list[str], progress: Progress | None
) -> list[dict[str, Any]]:
    usable = []
    for done, (name, told) in enumerate(sorted(annotated.items())):
        try:
            decode_picture(archive.read(name), 32, "grey", "stretch")
        except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            problems.append(f"{name}: {error}, so it is left out.")
            continue
        usable.append(told)
        if progress is not None and done % 20 == 0:
            progress("Looking at the pictures", done / len(annotated))
    return usable
