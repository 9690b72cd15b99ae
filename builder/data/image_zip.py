"""Plain functions that read pictures from a zip of class folders; copied into the exported ``train.py``."""

from __future__ import annotations

from typing import Any

import numpy as np


def small_entries(archive: Any) -> dict[str, Any]:
    """The files of a zipfile.ZipFile that are read, by name: those of at most 100 MB unpacked."""
    return {e.filename: e for e in archive.infolist() if not e.is_dir() and e.file_size <= 100_000_000}


def sort_pictures(names: list[str]) -> dict[str, tuple[str, str]]:
    """Which split and class each picture of a zip belongs to, by its folders: name -> (split, class).

    Folders that hold everything are stepped into; then the first folder is the class, or, where there
    is one for training, the split (train, val or valid, test) and the second is the class. Names that
    are no picture's, hidden files, and pictures outside a class folder are left out.
    """
    splits = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
    splits |= {"validation": "validation", "test": "test", "testing": "test"}
    endings = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
    folders: dict[str, list[str]] = {}
    for name in names:
        parts = name.split("/")
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if not hidden and len(parts) > 1 and name.lower().endswith(endings):
            folders[name] = parts[:-1]
    while folders and len({parts[0] for parts in folders.values()}) == 1 and all(len(p) > 1 for p in folders.values()):
        folders = {name: parts[1:] for name, parts in folders.items()}
    divided = any(splits.get(parts[0].lower()) == "train" and len(parts) > 1 for parts in folders.values())
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(folders):
        parts = folders[name]
        if not divided:
            found[name] = ("train", parts[0])
        elif len(parts) > 1 and parts[0].lower() in splits:
            found[name] = (splits[parts[0].lower()], parts[1])
    return found


def decode_picture(content: bytes, size: int, colour: str, fit: str) -> np.ndarray[Any, Any]:
    """A picture file's pixels, uint8 (C, size, size). Raises ValueError that says why it cannot be read.

    `fit` brings it to a square: "pad" adds the colour of its edge, "crop" keeps the middle, "stretch"
    distorts it. Transparent parts become white.
    """
    import io

    from PIL import Image, ImageOps

    try:
        opened = Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"))
    except Image.DecompressionBombError as error:
        raise ValueError("it has too many pixels; at most 50 million are read") from error
    except Exception as error:  # decoders raise many kinds for a spoiled or hostile file; all mean the same
        raise ValueError("it is no picture, or of a kind that is not supported") from error
    width, height = opened.size
    if width * height > 50_000_000:
        raise ValueError(f"it has {width}×{height} pixels; at most 50 million are read")
    try:
        opened.draft(opened.mode, (2 * size, 2 * size))  # large photographs are decoded at a part of their size
        opened.load()
        picture: Image.Image = ImageOps.exif_transpose(opened)
        if picture.mode.startswith(("I", "F")):  # 16 bits and more would be cut off instead of scaled
            values = np.asarray(picture, np.float64)
            values = values / 257 if values.max() > 255 else values
            picture = Image.fromarray(values.clip(0, 255).astype(np.uint8))
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        picture = picture.convert("L" if colour == "grey" else "RGB")
    except Exception as error:  # as above
        raise ValueError(f"it is damaged or cut off ({str(error).strip() or type(error).__name__})") from error
    if fit == "crop":
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)
    elif fit == "stretch":
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    else:
        scale = size / max(picture.size)
        shape = tuple(max(1, round(side * scale)) for side in picture.size)
        pixels = np.asarray(picture.resize((shape[0], shape[1]), Image.Resampling.BILINEAR))
        edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        square = np.empty((size, size, *pixels.shape[2:]), np.uint8)
        square[:] = np.median(edge, axis=0)
        top, left = (size - shape[1]) // 2, (size - shape[0]) // 2
        square[top : top + shape[1], left : left + shape[0]] = pixels
        picture = Image.fromarray(square)
    array = np.asarray(picture, np.uint8)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))
