"""Plain functions that pair pictures with their masks and read masks; copied into the exported ``train.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from builder.data.image_zip import decode_picture

MASK_FOLDERS = (
    *("mask", "masks", "segmentationclass", "label", "labels", "annotation", "annotations", "annot", "groundtruth"),
    *("ground", "truth", "gt", "segmentation", "segmentations", "seg", "trimap", "trimaps", "target", "targets"),
    *("instance", "instances", "segmentationobject"),
)
"""Words in the name of a folder of masks. Where a picture has masks in several folders, the word named first counts."""
IMAGE_FOLDERS = (
    *("image", "images", "img", "imgs", "jpegimages", "picture", "pictures", "photo", "photos", "input", "inputs"),
    *("original", "originals", "raw", "frames"),
)
MASK_WORDS = "masks?|labels?|labelids|annot(?:ation)?s?|groundtruth|gt|segmentations?|seg|trimap|target"
IMAGE_WORDS = "images?|imgs?|sat|rgb|photo|original|input"
"""What is added to a file's name, before or after, to say what it is."""
COLOURED = 1 << 24
"""Pixels of a mask that are not grey have this number and 65536·red + 256·green + blue."""


def mask_place(name: str) -> tuple[tuple[str, ...], int | None]:
    """The folders of a file without the words for pictures and masks, and the rank of its folder of masks.

    The innermost folder that has such a word decides; the rank is None for a picture.
    """
    import re

    rest, rank = [], None
    for folder in name.lower().split("/")[:-1]:
        glued = re.sub(r"\b(train|val|valid|test)(annot|masks?|labels?|gt|images?)\b", r"\1_\2", folder)
        words = re.findall(r"[^\W_]+", glued)
        told = [word for word in words if word in MASK_FOLDERS or word in IMAGE_FOLDERS]
        if told:
            rank = min((MASK_FOLDERS.index(word) for word in told if word in MASK_FOLDERS), default=None)
        left = "_".join(word for word in words if word not in told)
        if left:
            rest.append(left)
    return tuple(rest), rank


def stem_forms(stem: str, words: str) -> list[str]:
    """What a file may be called besides `stem`, the nearest first: ``cell_mask_2`` is cell_2's, or cell's second."""
    import re

    forms = [stem]
    after = re.fullmatch(rf"(.+?)[_\-. ]+(?:{words})([_\-. ]*\d*)", stem)
    before = re.fullmatch(rf"(?:{words})(?:[_\-. ]+|(?=\d))(.+)", stem)
    if after:
        forms += [after[1] + after[2], after[1]]
    if before:
        forms.append(before[1])
    return forms


def pair_masks(names: list[str]) -> tuple[dict[str, tuple[str, list[str]]], list[str]]:
    """Pictures that have a mask, name -> (split, its masks), and a sentence for every other file.

    Masks lie in a folder of that name beside that of the pictures (``images/a.png`` and ``masks/a.png``, also
    ``train/images`` and ``train_masks``), are named after their pictures (``a.png`` and ``a_mask.png``), or lie as
    single things in a folder for each picture (``a/images/a.png`` and ``a/masks/1.png``). Folders called train, val
    or valid, and test are splits where there is one for training and another; else all is "train".
    """
    import re

    endings = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
    lists = (".txt", ".csv", ".json", ".xml", ".md", ".db", ".ini", ".yaml", ".yml", ".html", ".pdf")
    told: list[str] = []
    seen: list[str] = []
    for name in sorted(names):
        if any(part.startswith(".") or part == "__MACOSX" for part in name.split("/")):
            continue
        if name.lower().endswith(endings):
            seen.append(name)
        elif not name.lower().endswith(lists):
            told.append(f"{name}: it is not a kind of picture that is read, so it is left out.")
    shared = 0  # folders that hold everything say nothing
    while (
        seen
        and len({tuple(n.split("/")[: shared + 1]) for n in seen}) == 1
        and all(n.count("/") > shared for n in seen)
    ):
        shared += 1
    places = {name: mask_place("/".join(name.split("/")[shared:])) for name in seen}
    stems = {name: name.lower().rpartition("/")[2].rpartition(".")[0] for name in seen}
    outside = [name for name in seen if places[name][1] is None]
    named = [name for name in outside if len(stem_forms(stems[name], MASK_WORDS)) > 1]
    pictures = [name for name in outside if name not in set(named)]

    def index(files: list[str]) -> dict[tuple[tuple[str, ...], str], str]:
        found: dict[tuple[tuple[str, ...], str], str] = {}
        for depth in (slice(0, 1), slice(1, None)):
            for name in files:
                for form in stem_forms(stems[name], IMAGE_WORDS)[depth]:
                    found.setdefault((places[name][0], form), name)
        return found

    known = index(pictures)
    owner: dict[str, str] = {}
    for name in named:
        forms = stem_forms(stems[name], MASK_WORDS)[1:]
        match = next((known[places[name][0], form] for form in forms if (places[name][0], form) in known), None)
        if match is None:
            pictures.append(name)  # a picture that is merely called so
        else:
            owner[name] = match
    pictures.sort()
    known = index(pictures)
    folders: dict[tuple[str, ...], list[str]] = {}
    for name in pictures:
        folders.setdefault(places[name][0], []).append(name)
    unique: dict[str, str | None] = {}
    for (_, form), name in known.items():
        unique[form] = name if unique.get(form, name) == name else None
    for name in (name for name in seen if places[name][1] is not None):
        folder, stem = places[name][0], stems[name]
        forms = stem_forms(stem, MASK_WORDS)
        forms += [re.sub(r"[_\-. ]+(?:\d+|[lp])$", "", form) for form in forms]
        match = next((known[folder, form] for form in forms if (folder, form) in known), None)
        if match is None and len(folders) > 1 and len(folders.get(folder, ())) == 1:
            match = folders[folder][0]
        match = match or next((unique[form] for form in forms if unique.get(form)), None)
        if match is None:
            told.append(f"{name}: there is no picture for this mask, so it is left out.")
        else:
            owner[name] = match
    masks: dict[str, list[str]] = {}
    for name, picture in sorted(owner.items()):
        masks.setdefault(picture, []).append(name)
    for picture, mine in masks.items():
        best = min(places[name][1] or 0 for name in mine)
        masks[picture] = [name for name in mine if (places[name][1] or 0) == best]
    told += [f"{name}: it has no mask, so it is left out." for name in pictures if name not in masks]
    parts = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
    parts |= {"validation": "validation", "test": "test", "testing": "test"}
    split = {name: next((parts[f] for f in places[name][0] if f in parts), "") for name in masks}
    divided = "train" in split.values() and len(set(split.values())) > 1
    return {n: ((split[n] or "train") if divided else "train", masks[n]) for n in pictures if n in masks}, told


def decode_mask(content: bytes, colours: bool) -> np.ndarray[Any, Any]:
    """The number of every pixel of a mask file, int32 (H, W). Raises ValueError that says why it cannot be read.

    Grey pixels have their value, indexed ones their index or, with `colours`, what their palette shows; see COLOURED
    for others. Where only the transparency differs it is the mask; else transparent pixels are 0.
    """
    import io

    from PIL import Image

    try:
        opened = Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"))
    except Image.DecompressionBombError as error:
        raise ValueError("it has too many pixels; at most 50 million are read") from error
    except Exception as error:  # decoders raise many kinds for a spoiled or hostile file; all mean the same
        raise ValueError("it is no picture, or of a kind that is not supported") from error
    if opened.width * opened.height > 50_000_000:
        raise ValueError(f"it has {opened.width}×{opened.height} pixels; at most 50 million are read")
    try:
        opened.load()
        if opened.mode == "P" and not colours:
            return np.asarray(opened).astype(np.int32)
        if opened.mode in ("1", "L") or opened.mode.startswith(("I", "F")):
            return np.asarray(opened.convert("L") if opened.mode == "1" else opened).astype(np.int32)
        pixels = np.asarray(opened.convert("RGBA")).astype(np.int32)
    except Exception as error:  # as above
        raise ValueError(f"it is damaged or cut off ({str(error).strip() or type(error).__name__})") from error
    red, green, blue, alpha = pixels.transpose(2, 0, 1)
    grey = (red == green) & (green == blue)
    codes: np.ndarray[Any, Any] = np.where(grey, red, COLOURED + 65536 * red + 256 * green + blue).astype(np.int32)
    if (alpha != alpha[0, 0]).any():
        codes = alpha if (codes == codes[0, 0]).all() else codes * (alpha > 0)
    return codes


def join_masks(masks: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Masks of one picture, each of one thing, as one mask: of those that are not 0 the last counts."""
    joined = masks[0].copy()
    for mask in masks[1:]:
        np.copyto(joined, mask, where=mask != 0)
    return joined


def class_mask(codes: np.ndarray[Any, Any], reading: str, values: list[str]) -> np.ndarray[Any, Any]:
    """Numbers of pixels as classes, uint8 (H, W): "half" takes from 128 on, "any" whatever is not 0.

    Else the place of a pixel's value in `values` is its class; other values are 0, the background.
    """
    if reading == "half":
        return np.asarray(codes >= 128, np.uint8)
    if reading == "any":
        return np.asarray(codes != 0, np.uint8)
    found: np.ndarray[Any, Any] = np.zeros(codes.shape, np.uint8)
    for number, value in enumerate(values):
        code = COLOURED + int(value[1:], 16) if value.startswith("#") else int(value)
        found[codes == code] = number
    return found


def shrink_mask(classes: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """A mask of classes at size×size: every pixel gets the class that covers most of it, of equals the last."""
    from PIL import Image

    if classes.shape == (size, size):
        return classes
    best = np.zeros((size, size), np.uint8)
    most = np.full((size, size), -1, np.int16)
    for number in np.unique(classes):
        share = Image.fromarray((classes == number).astype(np.uint8) * 255)
        covered = np.asarray(share.resize((size, size), Image.Resampling.BILINEAR)).astype(np.int16)
        best[covered >= most] = number
        most = np.maximum(most, covered)
    return best


def upright_size(content: bytes) -> tuple[int, int]:
    """Width and height of a picture file as it is shown: a photograph may be stored on its side."""
    import io

    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        width, height = picture.size
        return (height, width) if picture.getexif().get(0x0112, 1) >= 5 else (width, height)


def read_pair(
    archive: Any, name: str, masks: list[str], size: int, colour: str, colours: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A picture of a zipfile.ZipFile, uint8 (C, size, size), and its pixels' numbers, int32 at their own (H, W).

    Raises ValueError with a sentence that names the file which cannot be used.
    """
    import zipfile
    import zlib

    read: list[np.ndarray[Any, Any]] = []
    file = name
    try:
        content = archive.read(name)
        pixels = decode_picture(content, size, colour, "stretch")
        width, height = upright_size(content)
        for mask in masks:
            file = mask
            read.append(decode_mask(archive.read(mask), colours))
    except ValueError as error:
        raise ValueError(f"{file}: {error}, so it is left out.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{file}: it cannot be unpacked ({error}), so it is left out.") from error
    for mask, codes in zip(masks, read, strict=True):
        if codes.shape != (height, width):
            raise ValueError(
                f"{mask}: the mask has {codes.shape[1]}×{codes.shape[0]} pixels and its picture {name} "
                f"{width}×{height}, so both are left out. Save the mask in its picture's size."
            )
    return pixels, join_masks(read)
