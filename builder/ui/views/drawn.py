"""Figures as plain HTML, for what changes while one watches: they are changed in place, never mounted anew."""

from __future__ import annotations

import base64
import math
from html import escape
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from builder.ui.views import pictures, plots

Array = np.ndarray[Any, Any]

PALETTE = (plots.BLUE, plots.ORANGE, plots.GREEN, "#8a4fd0", plots.TEAL, "#b83268", "#8a6d2f", "#5b6472")
"""Colours of classes."""
NAMED = 20
"""Up to so many classes a matrix has numbers and names."""
MANY = 60
"""Bars of more classes than this stand without gaps."""

_STYLE = """<style>
.bars { display: flex; align-items: flex-end; gap: 1px; border-bottom: 1px solid rgba(130, 140, 160, .5); }
.bars i { flex: 1; min-width: 1px; border-radius: 1px 1px 0 0; }
.scale { position: relative; height: 16px; font-size: 11px; font-variant-numeric: tabular-nums; opacity: .75; }
.scale span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.scale span:first-child { transform: none; } .scale span:last-child { transform: translateX(-100%); }
.bars.stack { gap: 3px; } .bars.stack.many { gap: 0; overflow: hidden; } .bars.stack.many i { min-width: 0; } .bars.stack, .ends { justify-content: center; }
.bars.stack i { height: 100%; max-width: 44px; display: flex; flex-direction: column; justify-content: flex-end; background: none; }
.most { font-size: 11px; opacity: .75; border-bottom: 1px dotted rgba(130, 140, 160, .5); font-variant-numeric: tabular-nums; }
.ends { display: flex; gap: 3px; font-size: 11px; opacity: .75; padding-top: 2px; }
.ends span { flex: 1; min-width: 0; max-width: 44px; text-align: center; overflow: hidden; text-overflow: clip; white-space: nowrap; }
.matrix { display: grid; gap: 1px; line-height: 1; font-size: 11px; font-variant-numeric: tabular-nums; }
.matrix i { font-style: normal; display: grid; place-items: center; border-radius: 1px; overflow: hidden; }
.matrix span { display: grid; align-items: center; opacity: .75; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.matrix .row { justify-items: end; padding-right: 5px; } .matrix .column { display: block; text-align: center; }
.ranked { display: grid; grid-template-columns: max-content 1fr max-content; gap: 1px 8px; font-size: 12px; max-height: 168px; overflow: auto; align-items: center; }
.ranked b { display: block; height: 7px; } .ranked i { display: block; height: 7px; border-radius: 2px; background: #4a68e8; }
.ranked em { font-style: normal; font-variant-numeric: tabular-nums; opacity: .75; text-align: right; }
.plane { position: relative; } .plane img { position: absolute; inset: 0; width: 100%; height: 100%; border-radius: 4px; }
.names { display: flex; flex-wrap: wrap; gap: 2px 12px; font-size: 12px; padding-top: 5px; }
.names i { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 5px; }
</style>"""


def histogram(counts: list[int] | Array, low: float, high: float, height: int, colour: str = plots.BLUE) -> str:
    """Bars of equal width from `low` to `high`, with the two ends and, if it lies between, zero."""
    most = max(1, *(int(c) for c in counts))
    step = (high - low) / max(1, len(counts))
    bars = "".join(
        f"<i style='height:{100 * int(c) / most:.1f}%;background:{colour}' title='{low + i * step:.3g} to {low + (i + 1) * step:.3g}: {int(c):,}'></i>"
        for i, c in enumerate(counts)
    )
    places = [(0.0, number(low)), (100.0, number(high))]
    if low < 0 < high:
        at = -100 * low / (high - low)
        if 28 < at < 76:  # else it would stand in the number of an end
            places.insert(1, (at, "0"))
    marks = "".join(f"<span style='left:{at:.1f}%'>{text}</span>" for at, text in places)
    return f"{_STYLE}<div class='bars' style='height:{height}px'>{bars}</div><div class='scale'>{marks}</div>"


def number(value: float) -> str:
    """A number as people write it: three digits, or whole with its thousands parted where it is large."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def matrix(values: Array, names: tuple[str, ...], dark: bool = False) -> str:
    """A confusion matrix: rows the true classes, columns the predicted ones, counts in the cells.

    Of more than 20 classes those are shown that occur; where these are too many as well, they become a picture.
    """
    names = _safe(names, len(values))
    occur = np.flatnonzero(values.sum(0) + values.sum(1))
    if len(values) > NAMED and 0 < len(occur) <= NAMED:
        values, names = values[np.ix_(occur, occur)], tuple(names[i] for i in occur)
    shares = values / np.maximum(values.sum(1, keepdims=True), 1)
    count = len(values)
    if count > NAMED:
        url = pictures.url(pictures.coloured(shares, "Viridis" if dark else "Blues", 0.0, 1.0))
        return f"{_STYLE}<img src='{url}' alt='confusion matrix' style='width:100%;max-width:330px;image-rendering:pixelated'/>"
    wide = min(70, max(14, 7 * max(len(name) for name in names) + 8))
    cells = []
    for row, name in enumerate(names):
        cells.append(f"<span class='row' title='{name}'>{name}</span>")
        for column, other in enumerate(names):
            share, number = float(shares[row, column]), int(values[row, column])
            back = f"color-mix(in srgb, #4a68e8 {100 * share:.0f}%, rgba(130, 140, 160, .10))"
            text = f"color:{'#fff' if share > 0.45 else 'inherit'}"
            cells.append(
                f"<i style='background:{back};{text}' title='true {name}, predicted {other}: {number:,}'>{number or ''}</i>"
            )
    ends = "".join(f"<span class='column' title='{name}'>{name}</span>" for name in names)
    grid = f"grid-template-columns:{wide}px repeat({count}, minmax(0, 72px));grid-auto-rows:{_row_height(count)};font-size:{9 if count > 14 else 11}px"
    return f"{_STYLE}<div class='matrix' style='{grid}'>{''.join(cells)}<span></span>{ends}</div>"


def _row_height(count: int) -> str:
    """Of a confusion matrix, so that it stands on the screen as a whole, with its title, names and remark."""
    return f"clamp(9.8px, calc((100vh - 596px) / {count + 1} - 1px), 27px)"


def plane(
    points: Array,
    labels: Array,
    names: tuple[str, ...],
    height: int,
    bounds: tuple[Array, Array] | None = None,
    classes: Array | None = None,
) -> str:
    """Points (N, 2) coloured by class, over the classes (S, S) that a network gives the plane within `bounds`.

    Row 0 of `classes` is the lowest y; `bounds` are the low and the high corner, the points' own unless told.
    """
    names = _safe(names, int(labels.max()) + 1 if len(labels) else 1)
    low, high = bounds or _bounds(points)
    ratio = float((high[0] - low[0]) / max(1e-9, high[1] - low[1]))
    tall = 2 * height
    wide = max(1, round(tall * min(3.0, max(0.33, ratio))))
    front = Image.new("RGBA", (wide, tall), (0, 0, 0, 0))
    pen = ImageDraw.Draw(front)
    scaled = (points - low) / np.maximum(high - low, 1e-9)
    size = 5 if len(points) < 400 else 4
    for (x, y), label in zip(scaled.tolist(), labels.tolist(), strict=True):
        if math.isfinite(x) and math.isfinite(y):
            at = (x * wide, (1 - y) * tall)
            box = (at[0] - size, at[1] - size, at[0] + size, at[1] + size)
            pen.ellipse(box, fill=(*_rgb(PALETTE[int(label) % len(PALETTE)]), 255), outline=(255, 255, 255, 210))
    key = "".join(
        f"<span><i style='background:{PALETTE[i % len(PALETTE)]}'></i>{name}</span>" for i, name in enumerate(names)
    )
    return (
        f"{_STYLE}<div class='plane' style='height:{height}px;width:{wide // 2}px;max-width:100%'>"
        f"{'' if classes is None else _regions(classes)}"
        f"<img src='{pictures.url(np.asarray(front))}' alt='training points'/></div><div class='names'>{key}</div>"
    )


def _bounds(points: Array) -> tuple[Array, Array]:
    """The corners of a set of points, with a margin."""
    low, high = points.min(0), points.max(0)
    margin = np.maximum(high - low, 1e-6) * 0.05
    return low - margin, high + margin


def _regions(classes: Array) -> str:
    rgb = np.array([_rgb(colour) for colour in PALETTE], np.uint8)
    picture = np.full((*classes.shape, 4), 78, np.uint8)
    picture[..., :3] = rgb[classes.astype(int) % len(PALETTE)]
    return f"<img src='{pictures.url(picture[::-1])}' alt='the class that the network gives every place'/>"


def stacked(names: tuple[str, ...], parts: dict[str, tuple[int, ...]], colours: dict[str, str], height: int) -> str:
    """For every class a bar of its samples in each part of the data (train, validation ...), on top of each other."""
    count = max((len(c) for c in parts.values()), default=0)
    names = _safe(names, count)
    most = max((sum(c[i] for c in parts.values()) for i in range(count)), default=0) or 1
    bars = []
    for i in range(count):
        told = ", ".join(f"{part} {counts[i]:,}" for part, counts in parts.items())
        pieces = "".join(
            f"<b style='height:{100 * counts[i] / most:.2f}%;background:{colours.get(part, plots.TEAL)}'></b>"
            for part, counts in reversed(parts.items())
        )
        bars.append(f"<i title='{names[i]}: {told}'>{pieces}</i>")
    most_text = f"<div class='most'>{most:,}</div>"
    ends = (
        "".join(f"<span title='{name}'>{name}</span>" for name in names)
        if count <= NAMED
        else f"<span>{names[0]}</span><span></span><span>{names[-1]}</span>"
    )
    return (
        f"{_STYLE}{most_text}<div class='bars stack{' many' if count > MANY else ''}' style='height:{height}px'>{''.join(bars)}</div>"
        f"<div class='ends'>{ends}</div>"
    )


def ranked(counts: tuple[tuple[str, int], ...]) -> str:
    """Names with their counts as bars beneath each other, the largest first."""
    most = max((count for _, count in counts), default=0) or 1
    rows = "".join(
        f"<span>{escape(name) if name.strip() else escape(repr(name).strip(chr(39))).replace(' ', '␣')}</span>"
        f"<b><i style='width:{100 * count / most:.1f}%'></i></b><em>{count:,}</em>"
        for name, count in counts
    )
    return f"{_STYLE}<div class='ranked'>{rows}</div>"


def sparkline(values: Array) -> str:
    """A sequence (T, F) as lines over its steps, one for each feature, on one scale."""
    values = np.nan_to_num(np.asarray(values, float))
    low, high = float(values.min()), float(values.max())
    span = high - low or 1.0
    steps = max(1, len(values) - 1)
    lines = "".join(
        "<polyline fill='none' vector-effect='non-scaling-stroke' stroke-width='1.5' stroke='{}' points='{}'/>".format(
            PALETTE[f % len(PALETTE)],
            " ".join(f"{100 * t / steps:.1f},{38 - 36 * (v - low) / span:.1f}" for t, v in enumerate(values[:, f])),
        )
        for f in range(values.shape[1])
    )
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg' width='100' height='40' viewBox='0 0 100 40' "
        f"preserveAspectRatio='none'>{lines}</svg>"
    )
    # As a picture: the page takes drawings out of HTML.
    url = f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
    return f"<img class='sparkline' src='{url}' alt='a sequence'/>"


def colour(number: int) -> tuple[int, int, int]:
    """The colour of a class as red, green and blue from 0 to 255."""
    return _rgb(PALETTE[number % len(PALETTE)])


def _safe(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Names of `count` classes that may stand in HTML; the numbers of those that have none."""
    return (*map(escape, names), *map(str, range(len(names), count)))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
