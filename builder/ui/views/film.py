"""A few samples as they were at several moments of the training: one frame a moment, the earliest first."""

from __future__ import annotations

import numpy as np
import streamlit as st

from builder.training import film
from builder.training.snapshot import Array
from builder.ui.views import pictures
from builder.ui.views.scene import Scene

PIXELS = 56
SIDE = 3

_STRIP = """
.film { display: grid; grid-template-columns: repeat(auto-fill, minmax(62px, 1fr)); gap: 8px; }
@media (min-height: 900px) { .film { grid-template-columns: repeat(auto-fill, minmax(108px, 1fr)); } }
.film figure { margin: 0; text-align: center; font-size: 11px; font-variant-numeric: tabular-nums; }
.film img { width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border-radius: 4px; background: #0b0d12; }
"""


def draw(scene: Scene) -> None:
    """Draw the frames with their steps."""
    scene.title()
    frames = film.frames(scene.run.folder, scene.look.arrays["generated"])
    if not frames:
        st.info("The first frame comes as soon as something trains.")
        return
    limits = _limits([array for _, array in frames])
    cells = [
        f"<figure><img src='{pictures.url(_frame(array, limits))}' alt=''/><figcaption>step {step:,}</figcaption></figure>"
        for step, array in frames
    ]
    st.html(f"<style>{_STRIP}</style><div class='film' data-testid='film'>{''.join(cells)}</div>")


def _limits(frames: list[Array]) -> tuple[Array, Array]:
    """The plane that points of all frames but wild ones lie in: (low, high) of both coordinates."""
    values = np.concatenate([f.reshape(-1, f.shape[-1])[:, :2] for f in frames if f.ndim == 2] or [np.zeros((1, 2))])
    low, high = np.percentile(values, 1, axis=0), np.percentile(values, 99, axis=0)
    room = np.maximum(high - low, 1e-3) * 0.1
    return low - room, high + room


def _frame(array: Array, limits: tuple[Array, Array]) -> Array:
    """Pictures side by side; points as bright dots on a dark square, the second coordinate upwards."""
    if array.ndim == 4:
        return pictures.sheet(array[: SIDE * SIDE], SIDE)
    if array.shape[-1] < 2:
        return pictures.coloured(pictures.flat_grid(array[:, 0]))
    (low, high), counts = limits, np.zeros((PIXELS, PIXELS), np.float32)
    at = np.floor((array[:, :2] - low) / (high - low) * PIXELS).astype(int)
    inside = ((at >= 0) & (at < PIXELS)).all(1)
    np.add.at(counts, (PIXELS - 1 - at[inside, 1], at[inside, 0]), 1)
    return pictures.coloured(np.minimum(counts, 3), "Viridis", 0, 3)
