"""What the network says of a picture of the person's own, drawn or uploaded: ``probability`` per class."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder.data import own_picture
from builder.data.base import DataError, Dataset
from builder.training import evaluate
from builder.training.checkpoint import CheckpointError
from builder.ui.drawing import drawing
from builder.ui.views import pictures, plots
from builder.ui.views.scene import Scene

FOLLOWS = False


def draw(scene: Scene) -> None:
    """Draw the way in and the answer."""
    scene.title()
    if scene.run.weights() is None:
        st.info("Draw here after the first epoch, when the first weights are saved.")
        return
    left, right = st.columns([1, 1.25], gap="small")  # the answer stands beside what is asked
    try:
        with left:
            way = st.segmented_control(
                "Way", ["Draw", "Upload"], default="Draw", key="own_way", label_visibility="collapsed"
            )
            image = _drawn(scene.dataset) if way != "Upload" else _uploaded(scene.dataset)
        if image is None:
            with right:
                st.caption("Draw with the mouse or a finger." if way != "Upload" else "Choose a picture of yours.")
            return
        found = evaluate.predict(scene.run.folder, {"image": image})
    except (DataError, CheckpointError, ValueError) as error:
        st.error(str(error))
        return
    with right:
        _probabilities(np.asarray(found[scene.look.arrays["probability"]])[0], scene.dataset.class_names(), image)


def _drawn(dataset: Dataset) -> np.ndarray[Any, Any] | None:
    pixels = drawing("own_drawing")
    return None if pixels is None else own_picture.read_drawing(pixels, dataset)


def _uploaded(dataset: Dataset) -> np.ndarray[Any, Any] | None:
    file = st.file_uploader("A picture", type=["png", "jpg", "jpeg", "bmp", "gif", "webp"], key="own_file")
    if file is None:
        return None
    content = file.getvalue()
    read = own_picture.read_picture(content, dataset)
    invert = st.toggle("Swap light and dark", value=read.suggest_invert, key=f"own_invert.{file.file_id}")
    return own_picture.read_picture(content, dataset, invert=True).image if invert else read.image


def _probabilities(values: np.ndarray[Any, Any], names: tuple[str, ...], image: np.ndarray[Any, Any]) -> None:
    best = int(values.argmax())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.image(pictures.png(pictures.sample_picture(np.asarray(image[0], np.float32))), width=44)
        st.markdown(f"**{names[best] if best < len(names) else best}** &ensp; {100 * float(values[best]):.1f} %")
    order = np.argsort(-values)[:10]
    if len(values) <= 10:
        order = np.arange(len(values))
    figure = go.Figure(
        go.Bar(
            x=[names[i] if i < len(names) else str(i) for i in order],
            y=values[order],
            marker_color=[plots.BLUE if i == best else plots.GREY for i in order],
        )
    )
    plots.layout(figure, 150)
    figure.update_layout(margin={"l": 36, "r": 4, "t": 6, "b": 22})
    figure.update_yaxes(range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, 1])
    figure.update_xaxes(type="category")
    st.plotly_chart(figure, key="own_probabilities", config=plots.CONFIG)
