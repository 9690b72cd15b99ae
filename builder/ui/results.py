"""The panel of results: confusion matrix, predictions on samples, on a picture of one's own and on a drawing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder import data
from builder.data import own_picture
from builder.data.base import DataError, Dataset, Splits
from builder.training import evaluate
from builder.training.checkpoint import CheckpointError
from builder.training.run import LIVE, Run
from builder.training.snapshot import Snapshot
from builder.ui import inside, state
from builder.ui.drawing import drawing
from builder.ui.views import pictures, plots

TICK = 2.0
SHOWN = 24


def panel() -> None:
    """Draw the panel; the confusion matrix follows every validation while something trains."""
    run = state.run()
    if run is None:
        st.info(
            "No results yet. Press Train: after the first epoch the confusion matrix appears here.",
            icon=":material/grid_on:",
        )
        return
    dataset = _dataset(run)
    if dataset is None:
        st.error("The data set of this run is not known to this version.")
        return
    left, middle, right = st.columns([1.3, 1.5, 1.25], gap="medium")
    with left:
        st.fragment(_confusion, run_every=TICK if run.state.status in LIVE else None)(run.id, dataset)
    with middle:
        _samples(run, dataset)
    with right:
        _own(run, dataset)


def _dataset(run: Run) -> Dataset | None:
    choice = run.project_json().get("data", {})
    try:
        return data.find(choice["name"]).from_settings(choice["settings"])
    except (KeyError, ValueError, TypeError):
        return None


def _confusion(id: str, dataset: Dataset) -> None:
    run = next((r for r in state.runs() if r.id == id), None)
    found = None if run is None else run.results()
    names = dataset.class_names()
    if run is None or found is None or "total/confusion" not in found.arrays:
        st.info("The confusion matrix comes with the first validation.")
        return
    matrix = np.asarray(found.arrays["total/confusion"])
    right, total = int(np.trace(matrix)), int(matrix.sum())
    split = str(found.info.get("split", "validation"))
    st.markdown(f"##### Confusion matrix &ensp; :small[{split}: {right:,} of {total:,} right]")
    shown = names if len(names) == len(matrix) else tuple(map(str, range(len(matrix))))
    height = 212 if len(matrix) <= 10 else 330  # ten classes are seen without scrolling on a small screen
    st.plotly_chart(
        plots.matrix(matrix, shown, height, st.context.theme.type == "dark"), key="confusion", config=plots.CONFIG
    )
    st.caption("Rows are the true classes, columns what the network said.")
    probe = run.probe()
    border = None if probe is None else inside.surface_of(probe, 260)
    if border is not None:
        st.plotly_chart(border, key="result_border", config=plots.CONFIG)


# --- samples ---------------------------------------------------------------------------------------


@st.cache_resource(max_entries=2, show_spinner="Loading the data …")
def _splits(name: str, settings: str) -> Splits:
    return data.load(data.find(name).from_settings(json.loads(settings)))


def _split(run: Run, dataset: Dataset) -> dict[str, Any]:
    splits = _splits(dataset.name, json.dumps(dataset.to_settings(), sort_keys=True))
    found = run.results()
    wanted = "validation" if found is None else str(found.info.get("split", "validation"))
    return splits.get(wanted) or splits.get("validation") or next(iter(splits.values()))


def _samples(run: Run, dataset: Dataset) -> None:
    st.markdown("##### Predictions on samples")
    found = run.results()
    if found is None or "sample/prediction" not in found.arrays:
        st.info("Predictions come with the first validation.")
        return
    only = st.segmented_control(
        "Show", ["Wrong", "Right", "All"], default="Wrong", key="samples_shown", label_visibility="collapsed"
    )
    prediction = np.asarray(found.arrays["sample/prediction"]).astype(int)
    label = np.asarray(found.arrays.get("sample/label", prediction)).astype(int)
    chosen = {"Wrong": prediction != label, "Right": prediction == label}.get(only or "All", np.ones(len(label), bool))
    index = np.nonzero(chosen)[0]
    loss = found.arrays.get("sample/loss")
    if only == "Wrong" and loss is not None:
        index = index[np.argsort(-np.asarray(loss)[index], kind="stable")]  # the worst mistakes first
    if not len(index):
        st.success("Nothing was taken for something else." if only == "Wrong" else "There is none.")
        return
    try:
        split = _split(run, dataset)
    except (DataError, ValueError, OSError) as error:
        st.error(str(error))
        return
    inputs = split[next(iter(dataset.fields()))]
    names = dataset.class_names()
    dark = st.context.theme.type == "dark"
    colours = ("#ff8f87", "#5cc98b") if dark else ("#c02a2a", "#227a4b")
    cells = []
    for i in index[:SHOWN]:
        if i >= len(inputs):
            continue
        probability = _probability(found, int(i), int(prediction[i]))
        colour = colours[bool(prediction[i] == label[i])]
        mark = "✓" if prediction[i] == label[i] else "✗"
        picture = pictures.url(pictures.sample_picture(np.asarray(inputs[int(i)], np.float32)))
        cells.append(
            f"<figure><img src='{picture}' alt=''/><figcaption style='color:{colour}'>{mark} {_name(names, prediction[i])}{probability}"
            f"</figcaption><small>true {_name(names, label[i])}</small></figure>"
        )
    st.html(f"<style>{_GRID}</style><div class='predictions'>{''.join(cells)}</div>")
    if len(index) > SHOWN:
        st.caption(f"{SHOWN} of {len(index):,}" + (", the worst first." if only == "Wrong" else "."))


_GRID = """
.predictions { display: grid; grid-template-columns: repeat(auto-fill, minmax(52px, 1fr)); gap: 6px 8px; }
.predictions figure { margin: 0; text-align: center; font-size: 11px; line-height: 1.3; }
.predictions img { width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border-radius: 4px; background: #0b0d12; }
.predictions figcaption { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; font-weight: 600; }
.predictions small { opacity: .7; display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
"""


def _probability(found: Snapshot, i: int, prediction: int) -> str:
    values = found.arrays.get("sample/probability")
    if values is None or i >= len(values):
        return ""
    return f" {100 * float(values[i, prediction]):.0f} %"


def _name(names: tuple[str, ...], number: int) -> str:
    text = names[number] if 0 <= number < len(names) else str(number)
    return text.replace("&", "&amp;").replace("<", "&lt;")


# --- a picture of one's own ------------------------------------------------------------------------


def _own(run: Run, dataset: Dataset) -> None:
    st.markdown("##### Your own")
    if "image" not in dataset.fields():
        st.caption("For pictures, you can draw or upload one here.")
        return
    if run.weights() is None:
        st.info("Draw here after the first epoch, when the first weights are saved.")
        return
    way = st.segmented_control("Way", ["Draw", "Upload"], default="Draw", key="own_way", label_visibility="collapsed")
    try:
        image = _drawn(dataset) if way != "Upload" else _uploaded(dataset)
        if image is None:
            return
        found = evaluate.predict(run.folder, {"image": image})
    except (DataError, CheckpointError, ValueError) as error:
        st.error(str(error))
        return
    _probabilities(np.asarray(found["probability"])[0], dataset.class_names(), image)


def _drawn(dataset: Dataset) -> np.ndarray[Any, Any] | None:
    pixels = drawing("own_drawing")
    if pixels is None:
        st.caption("Draw with the mouse or a finger.")
        return None
    return own_picture.read_drawing(pixels, dataset)


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
    left, right = st.columns([1, 3], vertical_alignment="center")
    left.image(pictures.png(pictures.sample_picture(np.asarray(image[0], np.float32))), width=64)
    right.markdown(f"**{names[best] if best < len(names) else best}** &ensp; {100 * float(values[best]):.1f} %")
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
    figure.update_yaxes(range=[0, 1], tickformat=".0%")
    figure.update_xaxes(type="category")
    st.plotly_chart(figure, key="own_probabilities", config=plots.CONFIG)
