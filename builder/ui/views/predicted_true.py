"""Predicted against true: ``guess`` and ``truth`` (N,), points around the diagonal."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder.training.snapshot import Array
from builder.ui.views import drawn, plots
from builder.ui.views.scene import Scene

HEIGHT = 218
BINS = 30


def draw(scene: Scene) -> None:
    """Draw it, how far the guesses are off, and the mean as the guess that needs no network."""
    guess, truth = scene.array("guess"), scene.array("truth")
    if guess is None or truth is None or not len(truth):
        scene.title()
        st.info("Guesses appear as soon as something trains.")
        return
    left, middle, right = st.columns([0.75, 1.1, 1], gap="medium")
    with left:
        scene.title(scene.when)
        scene.plot(_points(guess, truth), "points")
    off = guess - truth
    with middle:
        reach = float(np.abs(off).max()) or 1.0
        counts, _ = np.histogram(off, BINS, (-reach, reach))
        st.markdown("##### How far they are off")
        st.html(drawn.histogram(counts, -reach, reach, 120))
        st.caption("Predicted less true: to the left of 0 the guess was too low.")
    error, plain = float(np.abs(off).mean()), float(np.abs(truth - truth.mean()).mean())
    spread = float(((truth - truth.mean()) ** 2).sum())
    rows = [
        ("mean absolute error", drawn.number(error)),
        ("… always guessing their mean", drawn.number(plain)),
        ("root mean squared error", drawn.number(float(np.sqrt((off**2).mean())))),
        ("R², the explained part of the variance", f"{1 - float((off**2).sum()) / spread:.3f}" if spread else "–"),
        ("samples", f"{len(truth):,}"),
    ]
    cells = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in rows)
    with right:
        st.markdown("##### In numbers")
        st.html(f"<style>{_TABLE}</style><table class='guesses'>{cells}</table>")


_TABLE = """
.guesses { font-size: 13px; font-variant-numeric: tabular-nums; border-collapse: collapse; }
.guesses td { padding: 2px 18px 2px 0; border: 0; } .guesses td:last-child { text-align: right; font-weight: 600; padding-right: 0; }
"""


def _points(guess: Array, truth: Array) -> go.Figure:
    low, high = float(min(guess.min(), truth.min())), float(max(guess.max(), truth.max()))
    figure = go.Figure(
        go.Scatter(
            x=[low, high], y=[low, high], mode="lines", hoverinfo="skip", line={"color": plots.GREY, "dash": "dot"}
        )
    )
    figure.add_trace(
        go.Scatter(
            x=truth,
            y=guess,
            mode="markers",
            marker={"size": 6, "color": plots.BLUE, "opacity": 0.7},
            hovertemplate="true %{x:.4g}, predicted %{y:.4g}<extra></extra>",
        )
    )
    plots.layout(figure, HEIGHT)
    room = 0.04 * (high - low or 1)
    figure.update_xaxes(title="true", range=[low - room, high + room], constrain="domain", constraintoward="left")
    figure.update_yaxes(title="predicted", range=[low - room, high + room], scaleanchor="x", constrain="domain")
    return figure
