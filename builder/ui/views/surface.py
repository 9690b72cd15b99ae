"""The classes that a network gives the plane, under the points of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from builder.data import view
from builder.data.base import DataError, Dataset
from builder.training.snapshot import Snapshot
from builder.ui.views import plots
from builder.ui.views.scene import Scene


def draw(scene: Scene) -> None:
    """Draw it."""
    scene.title()
    drawn = None if scene.probe is None else figure(scene.probe, scene.dataset, 260)
    if drawn is None:
        st.info("It appears as soon as something trains.")
        return
    st.plotly_chart(drawn, key=scene.key("surface"), config=plots.CONFIG)


def figure(probe: Snapshot, dataset: Dataset, height: int = 330) -> Any:
    """The figure of the decision border; None for data that are no points."""
    info, values = probe.info.get("surface"), probe.part("surface").get("prediction")
    if info is None or values is None:
        return None
    try:
        samples = view.samples(dataset, 200)
    except DataError:
        return None
    if samples.kind != "points" or samples.labels is None:
        return None
    size = int(info["size"])
    x, y = (np.linspace(info["low"][i], info["high"][i], size) for i in (0, 1))
    grid = (x, y, np.asarray(values).reshape(size, size), len(samples.class_names))
    return plots.points(samples.inputs, samples.labels, samples.class_names, height, grid)
