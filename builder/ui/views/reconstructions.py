"""Samples and what a network makes of them: ``original``, ``given`` (with noise, if any) and ``made``, sample first."""

from __future__ import annotations

import numpy as np
import streamlit as st

from builder.training.snapshot import Array
from builder.ui.views import pictures
from builder.ui.views.scene import Scene

SHOWN = 12
_STYLE = """
.remade { display: grid; grid-template-columns: max-content repeat(SHOWN, minmax(0, 1fr)); gap: 4px; align-items: center; }
.remade img { width: 100%; max-width: 64px; image-rendering: pixelated; border-radius: 3px; display: block; }
.remade span { font-size: 12px; opacity: .8; padding-right: 6px; }
""".replace("SHOWN", str(SHOWN))


def draw(scene: Scene) -> None:
    """Draw them in rows, one below the other."""
    made, original = scene.array("made"), scene.array("original")
    scene.title(scene.when)
    if made is None or original is None:
        st.info("Reconstructions appear as soon as something trains.")
        return
    rows = [("original", original), ("with noise", scene.array("given")), ("made", made)]
    cells = "".join(
        f"<span>{name}</span>" + "".join(f"<img src='{url}' alt=''/>" for url in _urls(values))
        for name, values in rows
        if values is not None
    )
    st.html(f"<style>{_STYLE}</style><div class='remade' data-testid='reconstructions'>{cells}</div>")
    error = np.mean((made[:SHOWN] - original[: len(made[:SHOWN])]) ** 2)
    st.caption(f"Mean squared error of these: {error:.4f}.")


def _urls(values: Array) -> list[str]:
    low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
    if low >= -0.5 and high <= 1.5:
        low, high = 0.0, 1.0  # noise that reaches beyond is cut off, so that the picture keeps its contrast
    return [pictures.url(as_picture(sample, low, high)) for sample in values[:SHOWN]]


def as_picture(values: Array, low: float = 0.0, high: float = 1.0) -> Array:
    """A sample as a picture on a common scale."""
    shown = pictures.scaled(np.asarray(values, np.float32), low, high)
    if shown.ndim == 3:
        return shown.transpose(1, 2, 0) if shown.shape[0] == 3 else shown[0]
    return shown if shown.ndim == 2 else pictures.flat_grid(shown)
