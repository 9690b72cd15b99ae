"""Samples of a data set, drawn by what they are: pictures with masks or boxes, points, sequences, texts, tables."""

from __future__ import annotations

import functools
import re
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from builder.data.view import Samples
from builder.ui.views import drawn, pictures

Array = np.ndarray[Any, Any]

SHOWN = 60
LARGE = 24
"""Pictures shown; fewer of those on which something is marked, since they are drawn larger."""
ROWS = 12
SIDE, LARGE_SIDE = 96, 192
"""Pixels of a picture's longer side, at most: what a sharp screen shows of it. Sixty larger ones are megabytes of page."""

# Two rows whatever the width; what does not fit into them has no height.
_GRID = """<style>
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(38px, 1fr)); column-gap: 6px;
  grid-template-rows: auto auto; grid-auto-rows: 0; }
.samples.large { grid-template-columns: repeat(auto-fill, minmax(80px, 1fr)); row-gap: 6px; }
@media (min-height: 900px) { .samples { grid-template-rows: repeat(4, auto); } .samples.large { grid-template-rows: repeat(3, auto); } }
.samples figure { margin: 0; text-align: center; overflow: hidden; min-height: 0; }
.samples .sheet { position: relative; aspect-ratio: 1; display: block; border-radius: 4px; overflow: hidden; background: #0b0d12; }
.samples img { width: 100%; height: 100%; object-fit: fill; image-rendering: pixelated; display: block; }
.samples .sheet i { position: absolute; border: 1.5px solid; border-radius: 1px; box-sizing: border-box; }
.samples figcaption { font-size: 11px; padding-bottom: 4px; opacity: .75; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.texts { columns: 2; column-gap: 28px; margin: 0; padding: 0 !important; list-style: none; font-size: 13px; max-height: 190px; overflow: auto; }
.texts li { break-inside: avoid; padding: 2px 0; margin: 0; line-height: 1.35; } .texts small { opacity: .65; }
.series { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 8px; }
.series img { width: 100%; height: 54px; display: block; }
</style>"""


def draw(samples: Samples) -> None:
    """Draw the panel's samples."""
    st.markdown("##### Samples")
    inputs = samples.inputs
    if samples.texts:
        cells = "".join(f"<li>{_written(samples, i)}</li>" for i in _mixed(samples)[:SHOWN] if i < len(samples.texts))
        st.html(f"{_GRID}<ul class='texts'>{cells}</ul>")
    elif samples.kind == "points" and inputs.ndim == 2 and inputs.shape[1] == 2:
        labels = np.zeros(len(inputs), int) if samples.labels is None else samples.labels
        st.html(drawn.plane(inputs, labels, samples.class_names, 190))
    elif inputs.ndim == 4:
        _pictures(samples)
    elif inputs.ndim == 3:
        _sequences(samples)
    else:
        _table(samples)


def _written(samples: Samples, i: int) -> str:
    """A sample as text; what stands in brackets is meant."""
    text = re.sub(r"\[([^\[\]]+)\]", r"<b>\1</b>", escape(samples.texts[i].replace("\n", " ⏎ ")))
    return f"{text} <small>{_caption(samples, i)}</small>" if samples.labels is not None else text


def _pictures(samples: Samples) -> None:
    st.html(_grid(samples))


@functools.lru_cache(maxsize=2)
def _grid(samples: Samples) -> str:
    """Pictures side by side. Kept, since to write them as PNG would take half a second of every script run."""
    large = bool({"mask", "boxes"} & set(samples.fields))
    cells = []
    for i in _mixed(samples)[: LARGE if large else SHOWN]:
        caption = f"<figcaption>{_caption(samples, i)}</figcaption>" if samples.labels is not None else ""
        url = pictures.url(pictures.reduced(masked(samples, i), LARGE_SIDE if large else SIDE))
        cells.append(
            f"<figure><span class='sheet'><img src='{url}' alt=''/>{boxes(samples, i)}</span>{caption}</figure>"
        )
    return f"{_GRID}<div class='samples{' large' if large else ''}'>{''.join(cells)}</div>"


def masked(samples: Samples, i: int) -> Array:
    """A sample's picture with the classes of its pixels laid over in colour; class 0 is the background."""
    picture = samples.inputs[i]
    masks = samples.fields.get("mask")
    if masks is None:
        return np.asarray(picture)
    mask = np.asarray(masks[i]).reshape(picture.shape[:2])
    rgb = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
    mixed = rgb.astype(np.float32)
    for number in np.unique(mask[mask > 0]):
        colour = np.array(drawn.colour(int(number) - 1), np.float32)
        mixed[mask == number] = 0.5 * mixed[mask == number] + 0.5 * colour
    return mixed.astype(np.uint8)


def boxes(samples: Samples, i: int) -> str:
    """The boxes of a sample as elements over its picture, in the colours of their classes."""
    corners, classes = samples.fields.get("boxes"), samples.fields.get("box_classes")
    if corners is None or classes is None:
        return ""
    found = []
    for (left, top, right, bottom), number in zip(corners[i].tolist(), classes[i].tolist(), strict=False):
        if number < 0:
            continue
        names = samples.class_names
        name = escape(names[number]) if number < len(names) else str(number)
        colour = drawn.PALETTE[number % len(drawn.PALETTE)]
        place = f"left:{100 * left:.1f}%;top:{100 * top:.1f}%;width:{100 * (right - left):.1f}%;height:{100 * (bottom - top):.1f}%"
        found.append(f"<i style='{place};border-color:{colour}' title='{name}'></i>")
    return "".join(found)


def _sequences(samples: Samples) -> None:
    """Sequences (N, T, F): each feature a line over the steps, where there are few; else a picture."""
    inputs = samples.inputs
    if inputs.shape[2] > 4:
        cells = "".join(
            f"<figure><span class='sheet'><img src='{pictures.url(pictures.sample_picture(inputs[i]))}' alt=''/></span>"
            f"<figcaption>{_caption(samples, i)}</figcaption></figure>"
            for i in _mixed(samples)[:SHOWN]
        )
        st.html(f"{_GRID}<div class='samples'>{cells}</div>")
        return
    cells = "".join(
        f"<figure style='margin:0'>{drawn.sparkline(inputs[i])}<figcaption style='font-size:11px;opacity:.75'>{_caption(samples, i)}</figcaption></figure>"
        for i in _mixed(samples)[:ROWS]
    )
    st.html(f"{_GRID}<div class='series'>{cells}</div>")


def _table(samples: Samples) -> None:
    inputs = samples.inputs.reshape(len(samples.inputs), -1)
    shown = min(inputs.shape[1], ROWS)
    names = samples.columns if len(samples.columns) == inputs.shape[1] else tuple(map(str, range(1, shown + 1)))
    guessed = "class, to be guessed"
    columns: list[tuple[str, Any]] = [(names[i], inputs[:ROWS, i]) for i in range(shown)]
    if samples.labels is not None:
        columns.append((guessed, [_name(samples, i) for i in range(min(ROWS, len(inputs)))]))
    target = samples.fields.get("target")
    if target is not None:
        guessed = f"{samples.guessed}, to be guessed" if samples.guessed else "to be guessed"
        columns.append((guessed, np.asarray(target).reshape(len(inputs), -1)[:ROWS, 0]))
    pinned = {guessed: st.column_config.Column(pinned=True)}  # however far one scrolls
    st.dataframe(_headed(columns), height=196, column_config=pinned)
    if shown < inputs.shape[1]:
        st.caption(f"The first {shown} of {inputs.shape[1]:,} columns.")


def _headed(columns: list[tuple[str, Any]]) -> dict[str, Any]:
    """Columns by their names; of equal names the second is told apart by a number."""
    found: dict[str, Any] = {}
    for name, values in columns:
        number, head = 2, name
        while head in found:
            head, number = f"{name} ({number})", number + 1
        found[head] = values
    return found


def _name(samples: Samples, i: int) -> str:
    if samples.labels is None:
        return ""
    label = int(samples.labels[i])
    return samples.class_names[label] if label < len(samples.class_names) else str(label)


def _caption(samples: Samples, i: int) -> str:
    return escape(_name(samples, i))


def _mixed(samples: Samples) -> list[int]:
    """The samples so that every class comes once before one comes twice."""
    seen: dict[int, int] = {}
    turns = []
    for i in range(len(samples.inputs)):
        label = 0 if samples.labels is None else int(samples.labels[i])
        seen[label] = seen.get(label, 0) + 1
        turns.append((seen[label], i))
    return [i for _, i in sorted(turns)]
