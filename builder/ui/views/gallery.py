"""Pictures that a network makes: ``generated`` (N, C, H, W), the first 36, in a square."""

from __future__ import annotations

import streamlit as st

from builder.ui.views import pictures
from builder.ui.views.scene import Scene

SIDE = 6


def draw(scene: Scene) -> None:
    """Draw them."""
    step = scene.step
    scene.title("" if step is None else f"step {step:,}")
    made = scene.array("generated")
    if made is None:
        st.info("The first samples come as soon as something trains.")
        return
    sheet = pictures.sheet(made[: SIDE * SIDE], SIDE)
    st.html(
        f"<img src='{pictures.url(sheet)}' alt='Generated samples' data-testid='generated' "
        "style='width: 100%; max-width: 300px; image-rendering: pixelated; border-radius: 4px'/>"
    )
