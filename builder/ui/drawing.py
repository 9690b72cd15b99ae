"""A square in which a person draws a digit: a Streamlit component of its own."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

SIZE = 112
"""Pixels of the drawing's side, as in drawing.js."""

_HTML = """
<canvas data-testid="drawing" aria-label="Draw a digit here"></canvas>
<button type="button" data-testid="clear-drawing">Clear</button>
"""
_CSS = """
canvas { width: 148px; height: 148px; border-radius: 6px; touch-action: none; cursor: crosshair; display: block; background: #000; }
button { margin-top: 6px; font: inherit; font-size: 12px; padding: 2px 10px; border-radius: 6px; cursor: pointer;
  border: 1px solid var(--st-border-color, #ccc); background: transparent; color: inherit; }
"""


@st.cache_resource(show_spinner=False)
def _component(script: str) -> Any:
    return st.components.v2.component("layerloom_drawing", html=_HTML, css=_CSS, js=script)


def drawing(key: str) -> np.ndarray[Any, Any] | None:
    """The drawing as grey values, uint8 (112, 112), light on black; None while it is empty."""
    script = (Path(__file__).parent / "drawing.js").read_text(encoding="utf-8")
    result = _component(script)(key=key, default={"pixels": None}, on_pixels_change=lambda: None, height=184)
    if not result.pixels:
        return None
    try:
        values = np.frombuffer(base64.b64decode(result.pixels, validate=True), np.uint8)
    except (binascii.Error, ValueError):
        return None
    return values.reshape(SIZE, SIZE) if values.size == SIZE * SIZE else None
