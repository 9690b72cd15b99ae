"""A series with its forecast and the naive one: ``truth``, ``forecast`` and ``naive`` (N, H), in the order of time."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder.ui.views import plots
from builder.ui.views.scene import Scene

SHOWN = 200
HEIGHT = 178


def draw(scene: Scene) -> None:
    """Draw a stretch of the series, with the forecast for a step ahead or the last one."""
    forecast, truth, naive = (scene.array(role) for role in ("forecast", "truth", "naive"))
    if forecast is None or truth is None or naive is None:
        scene.title()
        st.info("The forecast comes with the first steps of the training.")
        return
    horizon = truth.shape[1]
    heading, left, right = st.columns([1.4, 1, 1.4], gap="medium", vertical_alignment="top")
    with heading:
        scene.title(scene.when)
    ahead, start = horizon, 0
    if horizon > 1:
        ahead = left.slider(
            "Steps ahead",
            1,
            horizon,
            horizon,
            key=scene.key("ahead"),
            format="%d steps ahead",
            label_visibility="collapsed",
        )
    if len(truth) > SHOWN:
        start = right.slider(
            "From",
            0,
            len(truth) - SHOWN,
            0,
            key=scene.key("from"),
            format="from step %d",
            label_visibility="collapsed",
        )
    stretch = slice(start, start + SHOWN)
    time = np.arange(start, min(start + SHOWN, len(truth))) + ahead
    figure = go.Figure()
    ink = "#d8dde6" if scene.dark else "#222b38"
    for name, values, line in (
        ("truth", truth, {"color": ink, "width": 1.6}),
        ("naive", naive, {"color": plots.GREY, "width": 1, "dash": "dot"}),
        ("forecast", forecast, {"color": plots.ORANGE, "width": 1.8}),
    ):
        figure.add_trace(go.Scatter(x=time, y=values[stretch, ahead - 1], mode="lines", name=name, line=line))
    plots.layout(figure, HEIGHT)
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(title="step")
    scene.plot(figure, "series")
    error, baseline = (float(np.abs(v - truth).mean()) for v in (forecast, naive))
    told = (
        f"Mean absolute error {error:.4g}; that of the naive forecast {baseline:.4g}, "
        f"so {error / max(baseline, 1e-12):.2f} of it."
    )
    key = f"{_line(ink)}truth{_line(plots.GREY, 'dotted')}naive: nothing changes{_line(plots.ORANGE)}forecast"
    st.html(f"<div style='font-size: 12px'>{key} <span style='opacity: .75; margin-left: 20px'>{told}</span></div>")


def _line(colour: str, kind: str = "solid") -> str:
    """A short line for a legend."""
    style = f"display: inline-block; width: 20px; border-top: 2px {kind} {colour}; vertical-align: 3px"
    return f"<i style='{style}; margin: 0 5px 0 12px'></i>"
