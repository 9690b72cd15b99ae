"""Pictures that a network makes: ``generated`` (N, C, H, W), the first 36, in a square."""

from __future__ import annotations

import streamlit as st

from builder.ui.views import noise, pictures
from builder.ui.views.scene import Scene

SIDE = 6


def draw(scene: Scene) -> None:
    """Draw them."""
    made = noise.samples(scene, SIDE * SIDE)
    if made is None:
        return
    sheet = pictures.sheet(made, SIDE)
    st.html(
        f"<img src='{pictures.url(sheet)}' alt='Generated samples' data-testid='generated' "
        "style='width: min(100%, max(196px, 100vh - 572px)); image-rendering: pixelated; border-radius: 4px'/>"
    )
