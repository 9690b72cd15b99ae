"""What an uploaded zip of pictures and masks holds: which classes its masks speak of, and what cannot be used."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.data.base import DataError, Progress
from builder.data.image_zip import small_entries
from builder.data.mask_files import COLOURED, decode_mask, pair_masks, read_pair
from builder.data.uploads import refuse_danger

MAX_CLASSES = 200
FEWEST = 3
LOOKED_AT = 64
"""Pictures are measured (mean, deviation) at this side."""
VOID = 255
"""PASCAL VOC's value for the rims of things, which belong to no class."""
LISTS = ("classes.txt", "class_names.txt", "codes.txt", "labels.txt", "labelmap.txt")
"""Files that name the classes: one a line in the order of their values, or CVAT's ``name:red,green,blue:...``."""


@dataclass(frozen=True)
class MaskReport:
    """What a zip with masks holds, as the settings of the data set, and sentences on what is left out or changed."""

    classes: tuple[str, ...]
    values: tuple[str, ...]
    reading: str
    palette: bool
    counts: tuple[int, ...]
    colour: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    problems: tuple[str, ...]

    def settings(self) -> dict[str, Any]:
        """The settings of the data set "own_masks" for this upload, all but `file`."""
        names = ("classes", "values", "reading", "palette", "counts", "colour", "mean", "std")
        return {n: list(v) if isinstance(v := getattr(self, n), tuple) else v for n in names}


@dataclass(frozen=True)
class Counted:
    """The pixels of one picture's mask by their number; `file` names the mask in a sentence."""

    file: str
    pixels: dict[int, int]


def inspect_masks(content: bytes, progress: Progress | None = None) -> MaskReport:
    """Look at every picture and mask of a zip.

    Raises DataError with a sentence when it cannot be used at all; all else is in the report.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            refuse_danger(archive.infolist())
            return _inspect(archive, progress)
    except (zipfile.BadZipFile, struct.error, zlib.error, NotImplementedError) as error:
        raise DataError(f"This is no zip file, or it is damaged or encrypted ({error}). Pack it again.") from error


def _inspect(archive: zipfile.ZipFile, progress: Progress | None) -> MaskReport:
    small = small_entries(archive)
    problems = [
        f"{e.filename}: it has {e.file_size / 1e6:.0f} MB unpacked; at most 100 MB are read, so it is left out."
        for e in archive.infolist()
        if not e.is_dir() and e.filename not in small
    ]
    pairs, told = pair_masks(list(small))
    problems += told
    named, listed_colours = _class_list(archive, small)
    palette = listed_colours or _palettes_differ(archive, pairs)
    splits: Counter[str] = Counter()
    counted: list[Counted] = []
    sums, grey = np.zeros((2, 3)), True
    for done, (name, (split, masks)) in enumerate(pairs.items()):
        try:
            pixels, codes = read_pair(archive, name, masks, LOOKED_AT, "colour", palette)
        except ValueError as error:
            problems.append(str(error))
            continue
        file = masks[0] if len(masks) == 1 else f"{masks[0]} and {len(masks) - 1} more"
        counted.append(
            Counted(file, dict(zip(*(a.tolist() for a in np.unique(codes, return_counts=True)), strict=True)))
        )
        splits[split] += 1
        values = pixels.reshape(3, -1) / 255
        sums += values.mean(1), (values**2).mean(1)
        grey = grey and bool((pixels[0] == pixels[1]).all() and (pixels[1] == pixels[2]).all())
        if progress is not None and done % 20 == 0:
            progress("Looking at the pictures", done / len(pairs))
    if len(counted) < FEWEST or not splits["train"]:
        first = f" The first problem: {problems[0]}" if problems else ""
        raise DataError(
            f"The zip file has {len(counted)} usable pictures with masks, and at least {FEWEST} are needed. Put the "
            f"pictures into a folder images and the masks into a folder masks, each named as its picture.{first}"
        )
    lossy = any(mask.lower().endswith((".jpg", ".jpeg")) for _, masks in pairs.values() for mask in masks)
    reading, values_, classes, more = classes_of(counted, lossy, named)
    mean, square = sums / len(counted)
    std = np.sqrt(np.maximum(square - mean**2, 1e-6))
    channels = 1 if grey else 3
    totals = tuple(splits[split] for split in ("train", "validation", "test"))
    return MaskReport(
        classes=classes,
        values=values_,
        reading=reading,
        palette=palette,
        counts=totals if any(totals[1:]) else totals[:1],
        colour="grey" if grey else "colour",
        mean=tuple(round(float(value), 4) for value in mean[:channels]),
        std=tuple(round(float(value), 4) for value in std[:channels]),
        problems=(*more, *problems),
    )


# --- classes -----------------------------------------------------------------------------------------


def shown(code: int) -> str:
    """The number of a pixel as the settings have it: a value, or a colour as #rrggbb."""
    return f"#{code - COLOURED:06x}" if code >= COLOURED else str(code)


def classes_of(
    masks: list[Counted], lossy: bool, named: list[str] | dict[int, str] | None = None
) -> tuple[str, tuple[str, ...], tuple[str, ...], list[str]]:
    """How masks are read, the values of the classes and their names, the background first, and what is to be said.

    `named` are the names of classes that the zip lists: in the order of their values, or by their value.
    Raises DataError where nothing is marked.
    """
    total: Counter[int] = Counter()
    for mask in masks:
        total.update(mask.pixels)
    if len(total) < 2:
        raise DataError(f"All masks have only the value {shown(next(iter(total)))}, so nothing is marked in them.")
    one = ("background", "object")
    if named is None:
        kind = _one_class(masks, total, lossy)
        if kind is not None:
            reading, sentence = kind
            return reading, ("0", "255" if reading == "half" else "1"), one, [sentence]
        known = _known(masks, total)
        names = {code: _name(code, len(known)) for code in known}
    else:
        names = named if isinstance(named, dict) else _in_order(named, total)
        known = list(names)
    told: list[str] = []
    background = 0
    if background not in known:
        background = max(known, key=lambda code: total[code])
        told.append(f"No mask has the value 0; {shown(background)}, the most frequent, is taken for the background.")
    order = [background, *(code for code in known if code != background)]
    if named is None:
        names[background] = "background"
    if len(order) > MAX_CLASSES:
        raise DataError(f"The masks have {len(order)} classes; at most {MAX_CLASSES} can be told apart.")
    if total[VOID] and VOID not in order:
        share = 100 * total[VOID] / sum(total.values())
        told.append(
            f"The value {VOID} ({share:.1f} % of all pixels) is what borders that belong to nothing have; "
            "it is taken for the background."
        )
    return "values", tuple(map(shown, order)), tuple(names[c] for c in order), told + _unknown(masks, order)


def _one_class(masks: list[Counted], total: Counter[int], lossy: bool) -> tuple[str, str] | None:
    """Whether masks tell only one thing from the background, with soft edges or a number for each; else None."""
    pixels = sum(total.values())
    grey = all(code < 256 for code in total)
    light = sum(count for code, count in total.items() if code > 246)
    dark = sum(count for code, count in total.items() if code < 9)
    middle = pixels - light - dark
    if grey and len(total) > 2 and (lossy or (len(total) > 5 and light > middle and 10 * middle < pixels)):
        return "half", f"The masks have {len(total)} shades of grey, as soft edges do; from 128 on they are the object."
    numbered = all(_runs(mask.pixels) for mask in masks) and max(map(len, (m.pixels for m in masks))) > 10
    if len(total) > MAX_CLASSES or (numbered and len({len(mask.pixels) for mask in masks}) > 1):
        return "any", (
            f"The masks have up to {max(len(m.pixels) for m in masks) - 1:,} values each, as single things that are "
            "numbered have; all that is not 0 is one class."
        )
    return None


def _runs(pixels: dict[int, int]) -> bool:
    """Whether the values are 1, 2, 3 and so on besides 0."""
    marked = sorted(code for code in pixels if code)
    return marked == list(range(1, len(marked) + 1))


def _known(masks: list[Counted], total: Counter[int]) -> list[int]:
    """The values that are classes: what is in one mask of many alone is none, nor is VOID beside small numbers."""
    known = sorted(total)
    if len(masks) >= 10:
        files = Counter(code for mask in masks for code in mask.pixels)
        known = [code for code in known if files[code] > 1]
    small = [code for code in known if 0 < code < VOID]
    if VOID in known and small and small[0] <= 20:
        known.remove(VOID)
    if len(known) < 2:
        known = sorted(total)
    return known


def _name(code: int, classes: int) -> str:
    if classes == 2:
        return "object"
    return shown(code) if code >= COLOURED else f"class {code}"


def _in_order(names: list[str], total: Counter[int]) -> dict[int, str]:
    """Names by value: as the values count from 0, from 1 beside a background, or as the values follow each other."""
    found = sorted(code for code in total if code != VOID or len(total) == len(names))
    if max(found) < len(names) or len(found) not in (len(names), len(names) + 1):
        return dict(enumerate(names))
    if len(found) == len(names):
        return dict(zip(found, names, strict=True))
    return dict(zip(found, ["background", *names], strict=True))


def _unknown(masks: list[Counted], known: list[int]) -> list[str]:
    """A sentence for each mask with pixels of no class."""
    told = []
    classes = ", ".join(map(shown, known[:10])) + (" and more" if len(known) > 10 else "")
    for mask in masks:
        strange = {c: n for c, n in mask.pixels.items() if c not in known and c != VOID}
        if strange:
            values = ", ".join(shown(code) for code in list(strange)[:5]) + (" and more" if len(strange) > 5 else "")
            told.append(
                f"{mask.file}: {sum(strange.values()):,} of its pixels have the unknown value {values} (classes are "
                f"{classes}); they are taken for the background."
            )
    return told


# --- files -------------------------------------------------------------------------------------------


def _class_list(archive: zipfile.ZipFile, small: dict[str, Any]) -> tuple[list[str] | dict[int, str] | None, bool]:
    """The names of the classes that a file of the zip lists, and whether they go by colours."""
    files = (name for name in sorted(small) if name.lower().rpartition("/")[2] in LISTS and "__MACOSX" not in name)
    for name in files:
        try:
            text = archive.read(name).decode("utf-8-sig", "replace")
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):
            continue
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        parts = [re.fullmatch(r"([^:]+):(\d+),(\d+),(\d+)(?::.*)?", line) for line in lines]
        if lines and all(parts):
            found: dict[int, str] = {}
            for told in parts:
                assert told is not None
                red, green, blue = (min(255, int(told[i])) for i in (2, 3, 4))
                found[red if red == green == blue else COLOURED + 65536 * red + 256 * green + blue] = told[1][:60]
            return found, True
        if 2 <= len(lines) <= MAX_CLASSES and all(len(line) <= 60 for line in lines):
            return lines, False
    return None, False


def _palettes_differ(archive: zipfile.ZipFile, pairs: dict[str, tuple[str, list[str]]]) -> bool:
    """Whether the same index of indexed masks shows different colours in different files."""
    from PIL import Image

    seen: dict[int, Any] = {}
    for mask in (mask for _, masks in pairs.values() for mask in masks):
        if not mask.lower().endswith((".png", ".gif", ".bmp", ".tif", ".tiff")):
            continue
        try:
            content = archive.read(mask)
            with Image.open(io.BytesIO(content), formats=("PNG", "GIF", "BMP", "TIFF")) as picture:
                if picture.mode != "P":
                    continue
            indices, colours = decode_mask(content, False), decode_mask(content, True)
        except (
            ValueError,
            OSError,
            EOFError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
            Image.DecompressionBombError,
        ):
            continue  # read_pair names it
        for index in np.unique(indices).tolist():
            colour = int(colours[indices == index][0])
            if seen.setdefault(index, colour) != colour:
                return True
    return False
