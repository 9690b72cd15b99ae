"""Plotly figures in the page's look: curves, matrices, points, bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

Array = np.ndarray[Any, Any]

BLUE, ORANGE, GREY, GREEN, TEAL = "#4a68e8", "#c2581a", "#9aa3b2", "#2f855a", "#2a8c99"
EARLIER = ("#a47bd1", "#4f9e86", "#bd9140", "#c77a9b", "#7f93a8")
SERIES = (BLUE, ORANGE, GREEN, "#8a4fd0", TEAL, "#b83268")
"""Colours of curves that belong together."""
MAX_POINTS = 600
CONFIG = {"displayModeBar": False, "doubleClick": "reset"}


def layout(figure: go.Figure, height: int, **more: Any) -> go.Figure:
    """The common look: small margins, thin grid, no title."""
    figure.update_layout(
        height=height,
        width=320,  # until the page has measured the real one; without a width Streamlit hides the plot
        margin={"l": 44, "r": 12, "t": 8, "b": 34},
        showlegend=False,
        uirevision="kept",
        hovermode="closest",
        font={"size": 12},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        **more,
    )
    figure.update_xaxes(showgrid=False, zeroline=False, ticks="outside", ticklen=3, title_standoff=4)
    figure.update_yaxes(gridcolor="rgba(140,150,170,0.25)", zeroline=False)
    return figure


def thinned(x: Array, y: Array, points: int = MAX_POINTS) -> tuple[Array, Array]:
    """At most so many points of a curve, each the mean of a stretch; the last point stays exact."""
    if len(x) <= points:
        return x, y
    edges = np.linspace(0, len(x), points + 1).astype(int)
    counts = np.maximum(np.diff(edges), 1)
    return np.append(np.add.reduceat(x, edges[:-1]) / counts, x[-1]), np.append(
        np.add.reduceat(y, edges[:-1]) / counts, y[-1]
    )


def smoothed(y: Array, amount: float) -> Array:
    """Exponential running mean with its start corrected (Kingma and Ba 2015); `amount` from 0 (none) to below 1."""
    if amount <= 0 or not len(y):
        return y
    # Within a block the recursion is a triangular matrix, so that only blocks are walked in Python.
    count, width = len(y), 64
    padded = np.zeros(-(-count // width) * width)
    padded[:count] = np.nan_to_num(y)
    power = np.arange(width)[:, None] - np.arange(width)[None, :]
    weights = np.where(power >= 0, (1 - amount) * amount ** np.maximum(power, 0), 0.0)
    blocks = padded.reshape(-1, width) @ weights.T
    carry = amount ** np.arange(1, width + 1)
    before = 0.0
    for block in blocks:
        block += before * carry
        before = block[-1]
    found: Array = blocks.reshape(-1)[:count] / (1 - amount ** np.arange(1, count + 1))
    return found


def histogram(counts: list[int] | Array, low: float, high: float, height: int, colour: str = BLUE) -> go.Figure:
    """Bars of a histogram whose bins are of equal width between low and high."""
    edges = np.linspace(low, high, len(counts) + 1)
    figure = go.Figure(
        go.Bar(x=(edges[:-1] + edges[1:]) / 2, y=list(counts), width=np.diff(edges) * 0.94, marker_color=colour)
    )
    layout(figure, height, bargap=0)
    figure.update_yaxes(showticklabels=False)
    return figure
