"""A person's own picture, brought to the form of a data set's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from builder.data.base import DataError, Dataset
from builder.data.image_zip import decode_picture
from builder.data.picture_settings import Drawing, Pictures
from builder.data.plain import resize

Array = np.ndarray[Any, Any]

MAX_BYTES = 50_000_000
WORKING_SIZE = 256
"""Drawings are looked at, inverted and centred at this side."""


@dataclass(frozen=True)
class OwnPicture:
    """A picture as the splits of a data set hold it: `image` uint8, (1, C, H, W), or (1, H, W) for rows.

    `suggest_invert` says that its background is light while the data's is dark, so that it should be
    read again with `invert`.
    """

    image: Array
    suggest_invert: bool


def read_picture(content: bytes, dataset: Dataset, invert: bool = False, center: bool = True) -> OwnPicture:
    """A picture file as a sample of `dataset`: its size and colour, padded to a square.

    `invert` swaps light and dark. With `center`, for data of single written signs (MNIST), the sign
    is cut out, scaled and placed as the data's signs are. Raises DataError when the file cannot be
    read or the data has no pictures.
    """
    channels, height, width = _picture_shape(dataset)
    if len(content) > MAX_BYTES:
        raise DataError(
            f"The picture's file has {len(content) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read."
        )
    colour = "grey" if channels == 1 else "colour"
    drawing = dataset.drawing if isinstance(dataset, Pictures) and center else None
    fit = getattr(dataset, "fit", "pad")
    try:
        pixels = decode_picture(content, WORKING_SIZE if drawing else max(height, width), colour, fit)
    except ValueError as error:
        raise DataError(f"The picture cannot be used: {error}.") from error
    dark = isinstance(dataset, Pictures) and dataset.dark
    suggest = dark and not invert and _background(pixels) > 127
    if invert:
        pixels = 255 - pixels
    if drawing is not None:
        pixels = np.repeat(_place(pixels.mean(0), drawing)[None], channels, 0)
    return OwnPicture(_as_sample(pixels, dataset), suggest)


def read_drawing(pixels: Array, dataset: Dataset) -> Array:
    """A drawing, uint8 or float (H, W) with light ink on black, as a sample of `dataset`; see `OwnPicture.image`."""
    channels, _, _ = _picture_shape(dataset)
    square = np.asarray(pixels, np.float64)
    if square.ndim != 2 or square.size == 0:
        raise DataError(f"A drawing is a table of grey values; this one has the shape {square.shape}.")
    drawing = dataset.drawing if isinstance(dataset, Pictures) else None
    if drawing is not None:
        square = _place(square, drawing)
    grey = np.repeat(square.clip(0, 255).astype(np.uint8)[None], channels, 0)
    return _as_sample(grey, dataset)


def _picture_shape(dataset: Dataset) -> tuple[int, int, int]:
    """Channels, height and width of the data set's pictures (a sequence of rows counts as a grey one)."""
    field = dataset.fields().get("image")
    if field is None or len(field.shape) not in (2, 3):
        raise DataError(f"{dataset.label or dataset.name} has no pictures, so it takes none.")
    channels, height, width = field.shape if len(field.shape) == 3 else (1, *field.shape)
    if channels not in (1, 3):
        raise DataError(f"The data has {channels} channels; a picture has 1 (grey) or 3 (colour).")
    return channels, height, width


def _as_sample(pixels: Array, dataset: Dataset) -> Array:
    """Pixels uint8 (C, H, W) at the data set's size, with a sample dimension, without channels for rows."""
    shape = dataset.fields()["image"].shape
    image = resize(torch.from_numpy(pixels.copy()).unsqueeze(0), shape[-2], shape[-1])
    result: Array = (image if len(shape) == 3 else image.squeeze(1)).numpy()
    return result


def _background(pixels: Array) -> float:
    """The typical value along the edge of pixels (C, H, W)."""
    edge = [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
    return float(np.median(np.concatenate([side.ravel() for side in edge])))


def _place(pixels: Array, drawing: Drawing) -> Array:
    """A light sign on a dark ground (H, W), cut out and placed as the data's own signs are, uint8 (size, size)."""
    ink = np.clip(pixels - _background(pixels[None]), 0, None)
    size = drawing.size
    if ink.max() <= 0:
        return np.zeros((size, size), np.uint8)
    ink = ink * (255 / ink.max())
    rows, columns = np.nonzero((ink > 64).any(1))[0], np.nonzero((ink > 64).any(0))[0]
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = drawing.fill * size / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    sign = resize(torch.from_numpy(ink.astype(np.uint8))[None, None], height, width)[0, 0].numpy()
    total = max(1.0, float(sign.sum()))
    if drawing.by_mass:
        middle = (sign.sum(1) @ np.arange(height) / total + 0.5, sign.sum(0) @ np.arange(width) / total + 0.5)
    else:
        middle = (height / 2, width / 2)
    top, left = (
        min(max(0, round(size / 2 - float(at))), size - side) for at, side in zip(middle, (height, width), strict=True)
    )
    result = np.zeros((size, size), np.uint8)
    result[top : top + height, left : left + width] = sign
    return result
