"""The classes that a network gives the plane, under the points of the data."""

from __future__ import annotations

import numpy as np
import streamlit as st

from builder.data import view
from builder.data.base import DataError, Dataset
from builder.training.snapshot import Snapshot
from builder.ui.views import drawn
from builder.ui.views.scene import Scene


def draw(scene: Scene) -> None:
    """Draw it."""
    scene.title()
    found = None if scene.probe is None else figure(scene.probe, scene.dataset, 186)
    if found is None:
        st.info("It appears as soon as something trains.")
        return
    st.html(found)


def figure(probe: Snapshot, dataset: Dataset, height: int = 210) -> str | None:
    """The figure of the decision border as HTML; None for data that are no points."""
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
    low, high = np.asarray(info["low"][:2], float), np.asarray(info["high"][:2], float)
    classes = np.asarray(values).reshape(size, size)
    return drawn.plane(samples.inputs, samples.labels, samples.class_names, height, (low, high), classes)
