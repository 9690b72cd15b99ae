"""What a person uploads: checked before anything is unpacked, and stored by its content.

Nothing is ever written under a name that comes from an upload.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import tempfile
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from builder.data.base import DataError, Progress
from builder.data.image_zip import decode_picture, small_entries, sort_pictures
from builder.data.own_picture import OwnPicture, read_drawing, read_picture

__all__ = ["OwnPicture", "Unreadable", "UploadReport", "inspect_zip", "read_drawing", "read_picture", "store"]

MAX_FILES = 100_000
MAX_TOTAL_BYTES = 4_000_000_000
"""Of all files together, unpacked."""
MAX_RATIO = 100
"""How much larger than packed the whole may be; picture files hardly shrink in a zip."""
SMALL_BYTES = 50_000_000
"""Below this much unpacked, no ratio is a danger."""
MAX_CLASSES = 1000
SIZES = (28, 32, 48, 64, 96, 128, 160, 224)
"""Sides that are suggested, in pixels."""
THUMBNAIL = 64
"""Pictures are measured (mean, deviation) at this side."""


@dataclass(frozen=True)
class Unreadable:
    """A file of an upload that cannot be used, and why, as the end of a sentence."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True)
class UploadReport:
    """What a zip of class folders holds.

    `counts` has per split of the zip (only "train" when it has no folders for splits) the readable
    pictures per class. `unreadable` are files that are left out, `warnings` whole sentences.
    `size` is a suggestion for the side in pixels, `mean` and `std` are per channel from 0 to 1.
    """

    classes: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    unreadable: tuple[Unreadable, ...]
    warnings: tuple[str, ...]
    size: int
    colour: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def settings(self, file: str) -> dict[str, Any]:
        """The settings of the data set "image_folder" for this upload, stored as `file`."""
        totals = [sum(self.counts.get(split, {}).values()) for split in ("train", "validation", "test")]
        return {
            "file": file,
            "classes": list(self.classes),
            "counts": totals if any(totals[1:]) else totals[:1],
            "mean": list(self.mean),
            "std": list(self.std),
            "size": self.size,
            "colour": self.colour,
        }


def inspect_zip(source: bytes | str | os.PathLike[str], progress: Progress | None = None) -> UploadReport:
    """Look at every picture of a zip with one folder a class (or such folders in train, val, test).

    Raises DataError with a sentence when the zip cannot be used at all; single files that cannot be
    read are in the report, and the rest stays usable.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
            return _inspect(archive, progress)
    except (zipfile.BadZipFile, struct.error) as error:
        raise DataError(f"This is no zip file, or it is damaged ({error}). Pack the folders again.") from error
    except OSError as error:
        raise DataError(f"The zip file cannot be read ({error.strerror or error}).") from error


def store(content: bytes, workspace: str | os.PathLike[str], ending: str = "zip") -> str:
    """Keep an upload in the workspace; returns its name, the sha256 of its content and an ending.

    The same content is stored once. Raises DataError when it cannot be written.
    """
    name = hashlib.sha256(content).hexdigest() + f".{ending}"
    folder = Path(workspace) / "uploads"
    path = folder / name
    part = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size == len(content):
            return name
        handle, part = tempfile.mkstemp(dir=folder, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        if part is not None:
            Path(part).unlink(missing_ok=True)
        raise DataError(
            f"The upload ({len(content) / 1e6:.1f} MB) cannot be saved in {folder} ({error.strerror or error}). "
            f"Free some space there and upload it again."
        ) from error
    return name


def _inspect(archive: zipfile.ZipFile, progress: Progress | None) -> UploadReport:
    entries = archive.infolist()
    refuse_danger(entries)
    files = {entry.filename: entry for entry in entries if not entry.is_dir()}
    if not files:
        raise DataError("The zip file is empty. Pack one folder of pictures for each class.")
    small = small_entries(archive)
    places = sort_pictures(list(small))
    unreadable = _left_out(files, small, places)
    counts: dict[str, Counter[str]] = {}
    sides: list[int] = []
    sums = np.zeros((2, 3))
    grey = True
    for done, (name, (split, label)) in enumerate(places.items()):
        try:
            content = archive.read(files[name])
            pixels = decode_picture(content, THUMBNAIL, "colour", "stretch")
            sides.append(_side(content))
        except ValueError as error:
            unreadable.append(Unreadable(name, str(error)))
            continue
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            reason = "it is encrypted" if files[name].flag_bits & 1 else f"it cannot be unpacked ({error})"
            unreadable.append(Unreadable(name, reason))
            continue
        counts.setdefault(split, Counter())[label] += 1
        values = pixels.reshape(3, -1) / 255
        sums += values.mean(1), (values**2).mean(1)
        grey = grey and bool((pixels[0] == pixels[1]).all() and (pixels[1] == pixels[2]).all())
        if progress is not None and done % 20 == 0:
            progress("Looking at the pictures", done / len(places))
    train = counts.get("train", Counter())
    classes = tuple(sorted(train))
    if len(classes) < 2:
        raise DataError(_no_classes(classes, unreadable, bool(places)))
    if len(classes) > MAX_CLASSES:
        raise DataError(f"The zip file has {len(classes):,} class folders; at most {MAX_CLASSES:,} can be told apart.")
    warnings = _warnings(archive, places, counts, classes)
    mean, square = sums / len(sides)
    std = np.sqrt(np.maximum(square - mean**2, 1e-6))
    channels = 1 if grey else 3
    return UploadReport(
        classes=classes,
        counts={split: {label: counts[split][label] for label in classes} for split in counts},
        unreadable=tuple(sorted(unreadable, key=lambda file: file.name)),
        warnings=tuple(warnings),
        size=min(SIZES, key=lambda size: abs(size - float(np.median(sides)))),
        colour="grey" if grey else "colour",
        mean=tuple(round(float(value), 4) for value in mean[:channels]),
        std=tuple(round(float(value), 4) for value in std[:channels]),
    )


def refuse_danger(entries: list[zipfile.ZipInfo]) -> None:
    """Raise DataError for a zip that no honest person packs, before anything is unpacked."""
    if len(entries) > MAX_FILES:
        raise DataError(f"The zip file has {len(entries):,} entries; at most {MAX_FILES:,} are read.")
    for entry in entries:
        name, shown = entry.filename, _shown(entry.filename)
        # zipfile itself cuts names at a NUL and turns backslashes on Windows; orig_filename is what was packed.
        parts = entry.orig_filename.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":") or ".." in parts:
            raise DataError(
                f"The zip file names {shown}, a place outside itself. It is refused; pack the folders anew."
            )
        if "\0" in entry.orig_filename or "\\" in name:
            raise DataError(f"The zip file has an entry with a name that is not allowed, {shown}. Rename it.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"The zip file holds {shown}, a link to another file. Put the file itself in its place.")
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if total > MAX_TOTAL_BYTES:
        raise DataError(
            f"Unpacked, the zip file has {total / 1e9:.1f} GB; at most {MAX_TOTAL_BYTES / 1e9:.0f} GB are read."
        )
    if total > SMALL_BYTES and total > MAX_RATIO * max(1, packed):
        worst = max(entries, key=lambda entry: entry.file_size)
        raise DataError(
            f"Unpacked, the zip file would grow from {packed / 1e6:.1f} MB to {total / 1e6:,.0f} MB, as no pictures do "
            f"(most in {_shown(worst.filename)}). It is refused."
        )


def _left_out(
    files: dict[str, zipfile.ZipInfo], small: dict[str, zipfile.ZipInfo], used: dict[str, tuple[str, str]]
) -> list[Unreadable]:
    """Files that are no pictures of a class, but for those that systems and archivers add."""
    found = []
    for name, entry in files.items():
        parts = name.split("/")
        if name in used or any(part.startswith(".") or part == "__MACOSX" for part in parts):
            continue
        if parts[-1].lower() in ("thumbs.db", "desktop.ini"):
            continue
        if name not in small:
            reason = f"it has {entry.file_size / 1e6:.0f} MB unpacked; at most 100 MB are read"
        elif sort_pictures([f"a/{parts[-1]}", "b/x.png"]).keys() != {f"a/{parts[-1]}", "b/x.png"}:
            reason = "it is not a kind of picture that is read (PNG, JPEG, BMP, GIF, WebP, TIFF)"
        else:
            reason = "it lies in no class folder"
        found.append(Unreadable(name, reason))
    return found


def _warnings(
    archive: zipfile.ZipFile,
    places: dict[str, tuple[str, str]],
    counts: dict[str, Counter[str]],
    classes: tuple[str, ...],
) -> list[str]:
    """What a person should know of an upload that can be used."""
    found = []
    # A folder without files is seen only by its own entry; give it a picture to learn what it would be.
    hollow = [entry.filename for entry in archive.infolist() if entry.is_dir()]
    inside = {name: f"{name}x.png" for name in hollow if not any(place.startswith(name) for place in places)}
    imagined = sort_pictures([*places, *inside.values()])
    empty = {imagined[name] for name in inside.values() if name in imagined}
    empty |= {place for place in places.values() if counts.get(place[0], Counter())[place[1]] == 0}
    for split, label in sorted(empty):
        if split == "train":
            found.append(f"The folder {_shown(label)} holds no readable picture, so it is left out as a class.")
    for split in ("validation", "test"):
        extra = sorted(set(counts.get(split, ())) - set(classes))
        if extra:
            names = ", ".join(_shown(label) for label in extra)
            found.append(f"The {split} folders {names} have no pictures to train on, so they are left out.")
    train = counts["train"]
    few = [label for label in classes if train[label] < 10]
    if few:
        names = ", ".join(f"{_shown(label)} ({train[label]})" for label in few[:5])
        found.append(f"Few pictures to learn from: {names}{' ...' if len(few) > 5 else ''}.")
    most, least = max(train.values()), min(train.values())
    if most > 10 * least:
        found.append(f"The classes are uneven: the largest has {most:,} pictures, the smallest {least:,}.")
    return found


def _no_classes(classes: tuple[str, ...], unreadable: list[Unreadable], pictures: bool) -> str:
    """The sentence for a zip with fewer than two classes."""
    advice = "Pack one folder of pictures for each class, at least two."
    if classes:
        return f"The zip file has pictures of only one class, {_shown(classes[0])}. {advice}"
    if unreadable:
        first = unreadable[0]
        kind = "readable pictures" if pictures else "pictures in class folders"
        return f"The zip file has no {kind}; for instance {_shown(first.name)}: {first.reason}. {advice}"
    return f"The zip file has no pictures. {advice}"


def _side(content: bytes) -> int:
    """The longer side of a picture that has been decoded, in pixels."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        return max(picture.size)


def _shown(name: str) -> str:
    """A name from an upload as it may stand in a sentence."""
    return repr(name if len(name) <= 80 else name[:77] + "...")
