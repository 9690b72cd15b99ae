"""Curves drawn by a small Streamlit component of our own.

`st.plotly_chart` mounts a new chart for every new figure, which flickers and loses the zoom when it
happens twice a second; this one changes its lines in place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

Array = np.ndarray[Any, Any]

_HTML = "<div class='chart'></div>"
_CSS = """
.chart { position: relative; font-size: 12px; font-variant-numeric: tabular-nums; color: var(--st-text-color);
  --train: #3351d1; --held-out: #b8500f; --level: #227a4b; }
@media (prefers-color-scheme: dark) { .chart { --train: #8c9cff; --held-out: #f0995a; --level: #5cc98b; } }
svg { display: block; overflow: visible; touch-action: pan-y; cursor: crosshair; }
.grid line { stroke: var(--st-text-color); stroke-opacity: .13; }
.grid text { fill: var(--st-text-color); fill-opacity: .72; font-size: 11.5px; }
.line-train { color: var(--train); } .line-each { color: var(--train); opacity: .3; }
.line-held-out { color: var(--held-out); }
.line { stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.line-each .line { stroke-width: 1; } .line-earlier .line { stroke-width: 1.5; } .line-held-out .line { stroke-width: 1.5; stroke-dasharray: 5 3; }
.line-earlier-held-out .line { stroke-width: 1.2; stroke-dasharray: 5 3; }
.dots { fill: var(--st-background-color); stroke: currentColor; stroke-width: 1.5; }
.level { stroke: var(--level); stroke-dasharray: 2 3; } .note { fill: var(--level); font-size: 11.5px; paint-order: stroke; stroke: var(--st-background-color); stroke-width: 4px; }
.cursor { stroke: var(--st-text-color); stroke-opacity: .35; } .band { fill: var(--train); fill-opacity: .15; }
.tip { position: absolute; top: 12px; pointer-events: none; padding: 5px 9px; border-radius: 6px; background: var(--st-background-color);
  border: 1px solid var(--st-border-color, #ccc); box-shadow: 0 2px 8px rgba(0, 0, 0, .15); white-space: nowrap; z-index: 2; }
.row { display: flex; gap: 14px; justify-content: space-between; opacity: 1; } .row.line-earlier, .row.line-earlier-held-out { color: var(--own); }
"""


@st.cache_resource(show_spinner=False)
def _component(script: str) -> Any:
    return st.components.v2.component("layerloom_chart", html=_HTML, css=_CSS, js=script)


def line(x: Array, y: Array, look: str, name: str = "", colour: str | None = None, dots: float = 0) -> dict[str, Any]:
    """One line of a chart.

    `look` is train, each (the single steps behind the mean), held-out, earlier or earlier-held-out; a
    line without a name is not named under the pointer. `dots` is the radius of a circle at each point.
    """
    return {"x": _plain(x), "y": _plain(y), "look": look, "name": name, "colour": colour, "dots": dots}


def chart(
    key: str,
    lines: list[dict[str, Any]],
    *,
    about: str,
    title: str,
    range: tuple[float, float],
    height: int,
    log: bool = False,
    percent: bool = False,
    zero: bool = False,
    grow: bool = False,
    level: tuple[float, str] | None = None,
) -> None:
    """Draw lines over an x axis called `title` from `range[0]` to `range[1]`.

    With `zero` the y axis begins there; with `grow` a high window makes the picture higher than `height`. `level` is a dotted line at a height, with its text. `about` says in words what is shown.
    """
    script = (Path(__file__).parent / "chart.js").read_text(encoding="utf-8")
    data = {
        "name": key,
        "lines": lines,
        "about": about,
        "title": title,
        "range": list(range),
        "height": height,
        "log": log,
        "percent": percent,
        "zero": zero,
        "grow": grow,
        "level": None if level is None else {"value": level[0], "text": level[1]},
    }
    _component(script)(key=f"chart.{key}", data=data, height="content" if grow else height)


def _plain(values: Array) -> list[float | None]:
    """Five digits are more than a pixel; what is no number becomes None."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in np.asarray(values, float)]
