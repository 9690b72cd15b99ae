"""Predicted against true: ``guess`` and ``truth`` (N,), points around the diagonal."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder.ui.views import plots
from builder.ui.views.scene import Scene


def draw(scene: Scene) -> None:
    """Draw it, with the mean as the guess that needs no network."""
    guess, truth = scene.array("guess"), scene.array("truth")
    scene.title(scene.when)
    if guess is None or truth is None or not len(truth):
        st.info("Guesses appear as soon as something trains.")
        return
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
    plots.layout(figure, 230)
    figure.update_xaxes(title="true")
    figure.update_yaxes(title="predicted")
    st.plotly_chart(figure, key=scene.key("points"), config=plots.CONFIG)
    error, plain = np.abs(guess - truth).mean(), np.abs(truth - truth.mean()).mean()
    st.caption(
        f"Off by {error:.4g} on average over {len(truth):,} samples; always guessing their mean, by {plain:.4g}."
    )
