"""Boxes over validation pictures: ``found`` (N, K, 6), ``truths`` (N, M, 5), and each cell's raw ``answers`` (N, A, H, W)."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder.data.base import DataError
from builder.training.snapshot import Array
from builder.ui.views import pictures, plots
from builder.ui.views.scene import Scene

SHOWN = 12
LARGE = 196

_GRID = """
.boxes { display: grid; grid-template-columns: repeat(auto-fill, minmax(86px, 1fr)); gap: 6px; }
@media (min-height: 900px) { .boxes { grid-template-columns: repeat(auto-fill, minmax(124px, 1fr)); } }
.boxes .picture { position: relative; overflow: hidden; border-radius: 4px; background: #0b0d12; }
.boxes img { width: 100%; display: block; image-rendering: pixelated; }
.boxes i { position: absolute; box-sizing: border-box; }
.boxes .true { border: 1px dashed rgba(255, 255, 255, .85); }
.boxes .found { border: 2px solid; }
.boxes-key { font-size: 12px; display: flex; gap: 4px 14px; flex-wrap: wrap; align-items: center; padding-top: 4px; }
.boxes-key i { width: 12px; height: 12px; border: 2px solid; display: inline-block; margin-right: 5px; vertical-align: -1px; }
"""


def draw(scene: Scene) -> None:
    """Draw some small pictures, and one large with the grid."""
    found = scene.array("found")
    if found is None or not len(found):
        scene.title()
        st.info("The first boxes come as soon as something trains.")
        return
    try:
        inputs = scene.samples()[next(iter(scene.dataset.fields()))]
    except (DataError, ValueError, OSError) as error:
        st.error(str(error))
        return
    truths, answers = scene.array("truths"), scene.array("answers")
    count = min(SHOWN, len(found), len(inputs))
    heading, field, chooser = st.columns([2, 1.7, 0.8], gap="medium", vertical_alignment="top")
    with heading:
        scene.title(scene.when)
    least = field.slider(
        "Confidence from",
        0.0,
        1.0,
        0.3,
        0.01,
        key=scene.key("least"),
        format="confidence from %.2f",
        label_visibility="collapsed",
    )
    chosen = chooser.selectbox(
        "The large picture",
        range(1, count + 1),
        format_func=lambda number: f"picture {number}",
        key=scene.key("chosen"),
        label_visibility="collapsed",
    )
    left, right = st.columns([2.6, 1], gap="medium", vertical_alignment="top")
    with left:
        cells = [
            _small(np.asarray(inputs[i]), found[i], None if truths is None else truths[i], least) for i in range(count)
        ]
        st.html(f"<style>{_GRID}</style><div class='boxes' data-testid='boxes'>{''.join(cells)}</div>{_key(scene)}")
    with right:
        i = int(chosen) - 1
        shown = _large(scene, np.asarray(inputs[i]), found[i], truths, answers, i, least)
        st.plotly_chart(shown, key=scene.key("large"), config=plots.CONFIG)


def _colour(label: float) -> str:
    return plots.SERIES[int(label) % len(plots.SERIES)]


def _small(values: Array, found: Array, truths: Array | None, least: float) -> str:
    """A picture with its boxes over it, placed in parts of the picture."""
    picture = pictures.url(pictures.sample_picture(values))
    drawn = "".join(_box(row[1:], "true", "") for row in (() if truths is None else truths) if row[0] >= 0)
    drawn += "".join(
        _box(row[2:], "found", f"border-color: {_colour(row[0])};") for row in found if row[0] >= 0 and row[1] >= least
    )
    return f"<div class='picture'><img src='{picture}' alt=''/>{drawn}</div>"


def _box(box: Array, kind: str, more: str) -> str:
    left, top, right, bottom = (100 * min(1.0, max(0.0, float(v))) for v in box)
    place = f"left: {left:.2f}%; top: {top:.2f}%; width: {right - left:.2f}%; height: {bottom - top:.2f}%;"
    return f"<i class='{kind}' style='{place}{more}'></i>"


def _key(scene: Scene) -> str:
    names = scene.dataset.class_names()
    shown = "".join(
        f"<span><i style='border-color: {_colour(i)}'></i>{scene.class_name(i)}</span>"
        for i in range(min(8, len(names)))
    )
    more = f"<span>and {len(names) - 8} more</span>" if len(names) > 8 else ""
    return f"<div class='boxes-key'>{shown}{more}<span style='opacity: .75'>dashed: true</span></div>"


def _large(
    scene: Scene, values: Array, found: Array, truths: Array | None, answers: Array | None, i: int, least: float
) -> go.Figure:
    """One picture with boxes and the grid, whose cells tell their answers under the pointer."""
    height, width = values.shape[-2:]
    figure = go.Figure(go.Image(z=_rgb(values), hoverinfo="skip"))
    for row in () if truths is None else truths[i]:
        if row[0] >= 0:
            figure.add_shape(**_edges(row[1:], width, height), line={"color": "white", "width": 1, "dash": "dot"})
    for row in found:
        if row[0] >= 0 and row[1] >= least:
            edges = _edges(row[2:], width, height)
            figure.add_shape(**edges, line={"color": _colour(row[0]), "width": 2})
            figure.add_annotation(
                x=edges["x0"],
                y=edges["y0"],
                text=f"{scene.class_name(row[0])} {100 * row[1]:.0f} %",
                showarrow=False,
                xanchor="left",
                yanchor="top" if edges["y0"] < 0.1 * height else "bottom",
                font={"size": 10, "color": "white"},
                bgcolor=_colour(row[0]),
                borderpad=1,
            )
    if answers is not None and i < len(answers):
        _cells(figure, answers[i], width, height)
    plots.layout(figure, LARGE)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 4})
    figure.update_xaxes(visible=False, range=[-0.5, width - 0.5])
    figure.update_yaxes(visible=False, range=[height - 0.5, -0.5], scaleanchor="x")
    return figure


def _cells(figure: go.Figure, answers: Array, width: int, height: int) -> None:
    rows, columns = answers.shape[1:]
    for k in range(1, columns):
        x = k * width / columns - 0.5
        figure.add_shape(type="line", x0=x, x1=x, y0=-0.5, y1=height - 0.5, line=_THIN)
    for k in range(1, rows):
        y = k * height / rows - 0.5
        figure.add_shape(type="line", y0=y, y1=y, x0=-0.5, x1=width - 0.5, line=_THIN)
    told = [
        [
            f"cell {r + 1}, {c + 1}<br>" + "<br>".join(f"z{k} = {z:.2f}" for k, z in enumerate(answers[:12, r, c]))
            for c in range(columns)
        ]
        for r in range(rows)
    ]
    figure.add_trace(
        go.Heatmap(
            z=np.zeros((rows, columns)),
            x=(np.arange(columns) + 0.5) * width / columns - 0.5,
            y=(np.arange(rows) + 0.5) * height / rows - 0.5,
            text=told,
            hovertemplate="%{text}<extra></extra>",
            colorscale=[[0, "rgba(0,0,0,0)"], [1, "rgba(0,0,0,0)"]],
            showscale=False,
        )
    )


_THIN: dict[str, Any] = {"color": "rgba(255,255,255,0.28)", "width": 1}


def _edges(box: Array, width: int, height: int) -> dict[str, float]:
    left, top, right, bottom = (float(v) for v in box)
    return {"x0": left * width - 0.5, "x1": right * width - 0.5, "y0": top * height - 0.5, "y1": bottom * height - 0.5}


def _rgb(values: Array) -> Array:
    picture = pictures.sample_picture(values)
    return np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
