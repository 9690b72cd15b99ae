"""Arrays as small pictures: colour maps, mosaics of channels, PNG."""

from __future__ import annotations

import base64
import functools
import io
import math
from typing import Any

import numpy as np
from PIL import Image
from plotly.colors import sample_colorscale

Array = np.ndarray[Any, Any]

CLASS_COLOURS = np.array(
    [(0, 0, 0), (74, 104, 232), (232, 120, 40), (60, 170, 100), (176, 90, 210), (42, 150, 165), (214, 60, 110)],
    np.uint8,
)
"""Of the classes of a mask, the background first; more classes begin again after the background."""


@functools.cache
def colours(name: str) -> Array:
    """A plotly colour scale as 256 RGB values, uint8 (256, 3)."""
    points = sample_colorscale(name, [i / 255 for i in range(256)], colortype="tuple")
    return np.round(np.array(points) * 255).astype(np.uint8)


def scaled(values: Array, low: float | None = None, high: float | None = None) -> Array:
    """Values as uint8 from 0 (low) to 255 (high); the array's own range unless told. NaN becomes 0."""
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low = float(values.min()) if low is None and values.size else (low or 0.0)
    high = float(values.max()) if high is None and values.size else (high or 1.0)
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    return np.clip((values - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8)


def coloured(values: Array, scale: str = "Viridis", low: float | None = None, high: float | None = None) -> Array:
    """A 2-D array as an RGB picture, uint8 (H, W, 3)."""
    found: Array = colours(scale)[scaled(values, low, high)]
    return found


def diverging(values: Array) -> Array:
    """A 2-D array as an RGB picture with white at zero: blue below, red above."""
    limit = float(np.abs(np.nan_to_num(values)).max()) if values.size else 1.0
    return coloured(values, "RdBu_r", -limit or -1.0, limit or 1.0)


def flat_grid(values: Array, ratio: float = 1.5) -> Array:
    """A vector laid out in rows, about `ratio` times as wide as high; the rest of the last row is the smallest value."""
    count = values.size
    if count <= 16:
        return values.reshape(1, -1)
    columns = max(1, round(math.sqrt(count * ratio)))
    rows = -(-count // columns)
    padded = np.full(rows * columns, values.min(), values.dtype)
    padded[:count] = values.reshape(-1)
    return padded.reshape(rows, columns)


def class_colour(number: int) -> Array:
    """The colour of a mask's class, RGB."""
    found: Array = CLASS_COLOURS[0 if number == 0 else 1 + (number - 1) % (len(CLASS_COLOURS) - 1)]
    return found


def painted(mask: Array) -> Array:
    """A mask (H, W) in the colours of its classes, RGB."""
    palette = np.stack([class_colour(k) for k in range(int(mask.max(initial=0)) + 1)])
    shown: Array = palette[mask.astype(int)]
    return shown


def mosaic(maps: Array, columns: int, gap: int = 1) -> Array:
    """Channels (C, H, W) side by side as RGB, each on its own scale, with a transparent gap: uint8 (…, …, 4)."""
    count, height, width = maps.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for i in range(count):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width, :3] = coloured(maps[i])
        sheet[top : top + height, left : left + width, 3] = 255
    return sheet


def sheet(values: Array, columns: int, gap: int = 1) -> Array:
    """Pictures (N, C, H, W) side by side on one common scale, with transparent gaps: RGBA uint8."""
    count, channels, height, width = values.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    found = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for i, picture in enumerate(scaled(values)):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        shown = picture[:3] if channels >= 3 else picture[:1].repeat(3, axis=0)
        found[top : top + height, left : left + width, :3] = shown.transpose(1, 2, 0)
        found[top : top + height, left : left + width, 3] = 255
    return found


def bars(values: Array, height: int = 40, width: int = 6, colour: tuple[int, int, int] = (74, 104, 232)) -> Array:
    """Values from 0 to 1 as bars, RGBA uint8."""
    sheet = np.zeros((height, values.size * (width + 2), 4), np.uint8)
    for i, value in enumerate(np.clip(np.nan_to_num(values), 0, 1)):
        top = height - max(1, round(float(value) * height))
        sheet[top:, i * (width + 2) : i * (width + 2) + width] = (*colour, 255)
    return sheet


def png(picture: Array) -> bytes:
    """A picture (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8, as PNG."""
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def reduced(picture: Array, most: int) -> Array:
    """A picture as `png` takes it whose sides are at most `most` pixels, by averaging whole squares of pixels."""
    factor = -(-max(picture.shape[:2]) // most)
    if factor <= 1:
        return picture
    plain = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    return np.asarray(Image.fromarray(np.ascontiguousarray(plain)).reduce(factor))


def url(picture: Array) -> str:
    """A picture as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode()


def sample_picture(values: Array) -> Array:
    """An input sample as a grey or colour picture: (C, H, W), (T, F) or a vector of any numbers."""
    if values.ndim == 3 and values.shape[0] == 3:
        return scaled(values.transpose(1, 2, 0))
    if values.ndim == 3:
        return scaled(values[0])
    return scaled(values) if values.ndim == 2 else coloured(flat_grid(values))


def thumbnail(values: Array, channels: int = 6) -> Array:
    """A block's output as one small picture: six channels, a sequence, or a vector in rows."""
    if values.ndim == 3:
        if values.shape[1] * values.shape[2] == 1:
            return coloured(flat_grid(values.reshape(-1)))
        if values.shape[0] == 1:
            return coloured(values[0])
        shown = values[:channels]
        return mosaic(shown, 3 if len(shown) > 4 else 2, gap=max(1, values.shape[2] // 14))
    return coloured(values.T if values.ndim == 2 else flat_grid(values))
