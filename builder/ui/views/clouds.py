"""Generated points over the data's, on the surface of what the discriminator says of the plane."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder.data.base import DataError
from builder.training.snapshot import Array
from builder.ui.views import noise, plots
from builder.ui.views.scene import Scene

HEIGHT = 182
SHOWN = 400


def draw(scene: Scene) -> None:
    """Draw both clouds."""
    made = noise.samples(scene, SHOWN)
    if made is None:
        return
    try:
        data = np.asarray(scene.samples()[next(iter(scene.dataset.fields()))][:SHOWN])
    except (DataError, ValueError, OSError) as error:
        st.error(str(error))
        return
    scene.plot(figure(scene, data, made), "clouds")
    st.html(
        f"<span style='font-size: 12px'><b style='color: {plots.GREY}'>●</b> data &ensp; "
        f"<b style='color: {plots.ORANGE}'>●</b> generated &ensp; background: D, <b style='color: {plots.BLUE}'>blue</b> where it says real</span>"
    )


def figure(scene: Scene, data: Array, made: Array) -> go.Figure:
    """The figure of the points of the data (N, 2) and those generated (M, 2)."""
    drawn = go.Figure()
    probe = scene.probe
    info = None if probe is None else probe.info.get("surface")
    said = None if probe is None else probe.part("surface").get("real")
    if info is not None and said is not None:
        size = int(info["size"])
        values = np.asarray(said).reshape(size, size)
        x, y = (np.linspace(info["low"][i], info["high"][i], size) for i in (0, 1))
        middle = 0.5 if values.min() >= 0 and values.max() <= 1 else 0.0
        off = values - middle
        # Each side on a scale of its own: where the discriminator is hardly fooled, one would be too faint to be seen.
        shown = np.where(off > 0, off / max(1e-6, float(off.max())), off / max(1e-6, float(-off.min())))
        scale = [[0, "rgba(140,150,170,0.5)"], [0.5, "rgba(140,150,170,0)"], [1, "rgba(74,104,232,0.55)"]]
        drawn.add_trace(
            go.Heatmap(
                x=x,
                y=y,
                z=shown,
                customdata=values,
                zmin=-1,
                zmax=1,
                colorscale=scale,
                showscale=False,
                hovertemplate="D = %{customdata:.2f}<extra></extra>",
            )
        )
    for points, colour, name in ((data, plots.GREY, "data"), (made, plots.ORANGE, "generated")):
        marker = {"size": 4, "color": colour, "opacity": 0.85}
        drawn.add_trace(
            go.Scatter(x=points[:, 0], y=points[:, 1], mode="markers", name=name, marker=marker, hoverinfo="skip")
        )
    plots.layout(drawn, HEIGHT)
    drawn.update_layout(margin={"l": 24, "r": 8, "t": 4, "b": 20})
    if info is not None:  # wild points must not shrink the picture
        drawn.update_xaxes(range=[info["low"][0], info["high"][0]])
        drawn.update_yaxes(range=[info["low"][1], info["high"][1]])
    drawn.update_xaxes(constrain="domain")
    drawn.update_yaxes(scaleanchor="x", constrain="domain")
    return drawn
