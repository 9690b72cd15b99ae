"""The latent space of an autoencoder as a map: drag in it and each place is decoded; walk from one sample to another."""

from __future__ import annotations

import numpy as np
import streamlit as st

from builder.data.base import DataError
from builder.training import evaluate
from builder.training.checkpoint import CheckpointError
from builder.training.snapshot import Array
from builder.ui import plane
from builder.ui.views import pictures
from builder.ui.views.reconstructions import as_picture
from builder.ui.views.scene import Scene

ENCODED = 600
HEIGHT = 190
STEPS = 9

_WALK = """
.walk { display: grid; grid-template-columns: repeat(3, minmax(0, 46px)); gap: 3px; }
.walk img { width: 100%; image-rendering: pixelated; border-radius: 3px; display: block; }
"""


def draw(scene: Scene) -> None:
    """Draw the map with what lies at the chosen place, and a walk."""
    weights = scene.run.weights()
    if weights is None:
        scene.title()
        st.info("The map comes with the first weights, after the first epoch.")
        return
    try:
        codes, labels = _encoded(scene, f"{weights}.{weights.stat().st_mtime_ns}")
        size = codes.shape[1]
        scene.title(
            {1: "one number, along the line", 2: ""}.get(size, f"{size} numbers, seen along the two that differ most")
        )
        left, right = st.columns([5, 2], gap="small")
        with left:
            st.fragment(_map)(scene, codes, labels)
        with right:
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


def _map(scene: Scene, codes: Array, labels: Array | None) -> None:
    """The map and what the network makes of its place: a fragment, since a dragged place asks many times a second."""
    points, axes, middle = flattened(codes)
    key = scene.key("map")
    chosen = plane.place(key)
    at = (float(points[:, 0].mean()), float(points[:, 1].mean())) if chosen is None else chosen[0]
    code = middle + np.array(at) @ axes
    try:
        made = evaluate.ask(scene.run.folder, {"decode": [[float(v) for v in code]]})["made"]
    except (CheckpointError, ValueError, OSError) as error:
        st.error(str(error))
        return
    kinds = np.zeros(len(points), int) if labels is None else labels.astype(int)
    names = scene.dataset.class_names()
    seen = [int(k) for k in np.unique(kinds)]
    place = ", ".join(f"{v:.2f}" for v in at)
    plane.plane(
        key,
        points,
        kinds,
        {} if labels is None else {k: names[k] if k < len(names) else str(k) for k in seen},
        {k: _PALETTE[k % len(_PALETTE)] for k in seen},
        at,
        pictures.url(as_picture(made[0])),
        f"Decoded at ({place})." if chosen else "What lies in the middle. Drag in the map.",
        HEIGHT,
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
    st.caption("A straight walk, row by row.")
