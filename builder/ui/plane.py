"""A plane of coloured points in which a place is dragged, and a picture of what lies there: a Streamlit component of its own.

While the pointer is held the place is sent again as soon as the last one has been answered, so that the picture follows it
as fast as the page can.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

Array = np.ndarray[Any, Any]

_HTML = """
<div class="both"><div class="plane"><svg tabindex="0" role="application"></svg><div class="names"></div></div>
<figure><img data-testid="decoded" alt="decoded"/><figcaption></figcaption></figure></div>
"""
_CSS = """
.both { display: flex; gap: 12px; color: var(--st-text-color); }
.plane { flex: 1; min-width: 0; font-size: 12px; }
svg { display: block; width: 100%; touch-action: none; cursor: crosshair; border-radius: 4px; overflow: visible; }
svg:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.sheet { fill: var(--st-text-color); fill-opacity: .035; }
.grid line { stroke: var(--st-text-color); stroke-opacity: .12; }
.grid text { fill: var(--st-text-color); fill-opacity: .7; font-size: 11px; font-variant-numeric: tabular-nums; }
.place circle { fill: none; stroke: var(--st-text-color); stroke-width: 2; }
.place circle:first-child { stroke: var(--st-background-color); stroke-width: 5; }
.names { display: flex; flex-wrap: wrap; gap: 0 10px; padding-top: 3px; }
.names i { display: inline-block; width: 8px; height: 8px; border-radius: 50%; margin-right: 4px; }
figure { flex: 0 0 112px; margin: 6px 0 0; }
img { width: 112px; height: 112px; object-fit: contain; image-rendering: pixelated; border-radius: 4px; background: #0b0d12; display: block; }
figcaption { font-size: 12px; line-height: 1.35; opacity: .75; padding-top: 4px; font-variant-numeric: tabular-nums; }
"""


@st.cache_resource(show_spinner=False)
def _component(script: str) -> Any:
    return st.components.v2.component("layerloom_plane", html=_HTML, css=_CSS, js=script)


def place(key: str) -> tuple[tuple[float, float], int] | None:
    """The place that was last sent and its number; None before any was."""
    sent = (st.session_state.get(key) or {}).get("place")
    if not isinstance(sent, (list, tuple)) or len(sent) != 3:
        return None
    x, y, number = (float(value) for value in sent)
    return ((x, y), int(number)) if math.isfinite(x) and math.isfinite(y) else None


def plane(
    key: str,
    points: Array,
    kinds: Array,
    names: dict[int, str],
    colours: dict[int, str],
    at: tuple[float, float],
    picture: str,
    caption: str,
    height: int,
) -> None:
    """Draw points (N, 2) of these kinds (N,), the place `at`, and the picture (a data URL) of what lies there."""
    sent = place(key)
    data = {
        "points": [[round(float(x), 4), round(float(y), 4), int(k)] for (x, y), k in zip(points, kinds, strict=True)],
        "names": {str(k): name for k, name in names.items()},
        "colours": {str(k): colour for k, colour in colours.items()},
        "at": list(at),
        "answered": 0 if sent is None else sent[1],
        "picture": picture,
        "caption": caption,
        "height": height,
    }
    script = (Path(__file__).parent / "plane.js").read_text(encoding="utf-8")
    _component(script)(key=key, data=data, default={"place": None}, on_place_change=lambda: None, height="content")
