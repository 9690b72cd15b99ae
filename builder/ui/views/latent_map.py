"""The latent space of an autoencoder as a map: click a place and it is decoded; walk from one sample to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder.data.base import DataError
from builder.training import evaluate
from builder.training.checkpoint import CheckpointError
from builder.training.snapshot import Array
from builder.ui.views import pictures, plots
from builder.ui.views.reconstructions import as_picture
from builder.ui.views.scene import Scene

ENCODED = 600
GRID = 25
"""Places along each side of the map that can be clicked, besides the samples."""
STEPS = 9

_WALK = """
.walk { display: grid; grid-template-columns: repeat(9, minmax(0, 1fr)); gap: 3px; }
.walk img { width: 100%; image-rendering: pixelated; border-radius: 3px; display: block; }
"""


def draw(scene: Scene) -> None:
    """Draw the map, what lies at the chosen place, and a walk."""
    weights = scene.run.weights()
    if weights is None:
        scene.title()
        st.info("The map comes with the first weights, after the first epoch.")
        return
    try:
        codes, labels = _encoded(scene, f"{weights}.{weights.stat().st_mtime_ns}")
        plane, axes, middle = flattened(codes)
        scene.title("" if codes.shape[1] == 2 else f"{codes.shape[1]} numbers, seen along the two that differ most")
        left, right = st.columns([3, 2], gap="small")
        with left:
            figure = _figure(plane, labels, scene.dataset.class_names())
            event: Any = st.plotly_chart(
                figure, key=scene.key("map"), config=plots.CONFIG, on_select="rerun", selection_mode="points"
            )
        with right:
            _decoded(scene, event, middle, axes)
            _walk(scene, len(codes))
    except (CheckpointError, DataError, ValueError, OSError) as error:
        st.error(str(error))


def _encoded(scene: Scene, version: str) -> tuple[Array, Array | None]:
    """The codes of the first validation samples; asked once for every state of the weights."""
    key = scene.key("codes")
    if st.session_state.get(f"{key}.version") != version:
        st.session_state[key] = evaluate.ask(scene.run.folder, {"encode": ENCODED})
        st.session_state[f"{key}.version"] = version
    found = st.session_state[key]
    return found["code"], found.get("label")


def flattened(codes: Array) -> tuple[Array, Array, Array]:
    """Codes (N, d) as points (N, 2), with the two axes (2, d) and the middle (d,) that lead back.

    Two numbers stay as they are; more are seen along their two principal components; one lies on a line.
    """
    size = codes.shape[1]
    if size <= 2:
        axes = np.eye(2, size)
        return codes @ axes.T, axes, np.zeros(size)
    middle = codes.mean(0)
    axes = np.linalg.svd(codes - middle, full_matrices=False)[2][:2]
    return (codes - middle) @ axes.T, axes, middle


def _figure(plane: Array, labels: Array | None, names: tuple[str, ...]) -> go.Figure:
    low, high = plane.min(0), plane.max(0)
    margin = np.maximum(high - low, 1e-3) * 0.05
    x, y = (np.linspace(low[i] - margin[i], high[i] + margin[i], GRID) for i in (0, 1))
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    figure = go.Figure(
        go.Scatter(
            x=grid[:, 0],
            y=grid[:, 1],
            mode="markers",
            showlegend=False,
            hoverinfo="none",
            marker={"size": 9, "color": "rgba(128,128,128,0.04)"},
        )
    )
    kinds = np.zeros(len(plane), int) if labels is None else labels.astype(int)
    for k in np.unique(kinds):
        chosen = plane[kinds == k]
        name = names[k] if labels is not None and k < len(names) else "sample"
        figure.add_trace(
            go.Scatter(
                x=chosen[:, 0],
                y=chosen[:, 1],
                mode="markers",
                name=name,
                marker={"size": 5, "color": _PALETTE[k % len(_PALETTE)]},
                hovertemplate=f"{name}<extra></extra>",
            )
        )
    plots.layout(figure, 250)
    figure.update_layout(
        showlegend=labels is not None,
        legend={"font": {"size": 10}, "tracegroupgap": 0, "itemwidth": 30, "y": 1, "yanchor": "top"},
    )
    return figure


_PALETTE = (
    "#4a68e8",
    "#e87828",
    "#3caa64",
    "#b05ad2",
    "#2a96a5",
    "#d63c6e",
    "#8a6d2f",
    "#7f93a8",
    "#c9a400",
    "#5b3fb0",
)


def _decoded(scene: Scene, event: Any, middle: Array, axes: Array) -> None:
    """What the network makes of the place that was clicked; of the middle before any was."""
    points = event.selection.points if event else []
    at = np.array([points[-1]["x"], points[-1]["y"]]) if points else np.zeros(2)
    code = middle + at @ axes
    made = evaluate.ask(scene.run.folder, {"decode": [[float(v) for v in code]]})["made"]
    picture, words = st.columns([1, 1.4], vertical_alignment="center")
    picture.html(
        f"<img data-testid='decoded' src='{pictures.url(as_picture(made[0]))}' alt='decoded' "
        "style='width: 96px; image-rendering: pixelated; border-radius: 4px'/>"
    )
    place = ", ".join(f"{v:.2f}" for v in at)
    words.caption(
        f"Decoded at ({place}). Click anywhere in the map." if points else "The middle. Click anywhere in the map."
    )


def _walk(scene: Scene, count: int) -> None:
    first, last = st.columns(2)
    ends = [
        int(column.number_input(f"{word} sample", 0, count - 1, value, key=scene.key(word)))
        for column, word, value in ((first, "From", 0), (last, "to", min(1, count - 1)))
    ]
    made = evaluate.ask(scene.run.folder, {"walk": ends, "steps": STEPS})["made"]
    cells = "".join(f"<img src='{pictures.url(as_picture(sample))}' alt=''/>" for sample in made)
    st.html(f"<style>{_WALK}</style><div class='walk' data-testid='walk'>{cells}</div>")
