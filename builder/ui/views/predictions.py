"""Samples with what the network says of them: ``prediction``, ``label``, ``probability`` and ``loss`` per sample."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from builder.data.base import DataError
from builder.training.snapshot import Array
from builder.ui.views import pictures
from builder.ui.views.scene import Scene

SHOWN = 24
FEW = 4
"""Numbers that are written rather than drawn."""

_GRID = """
.predictions { display: grid; grid-template-columns: repeat(auto-fill, minmax(52px, 1fr)); gap: 6px 8px; }
.predictions figure { margin: 0; text-align: center; font-size: 11px; line-height: 1.3; }
.predictions img { width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border-radius: 4px; background: #0b0d12; }
.predictions.texts { grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)); }
.predictions p { font-size: 14px; margin: 0; padding: 4px 2px; border-radius: 4px; background: rgb(140 150 170 / .14); overflow-wrap: anywhere; }
.predictions figcaption { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; font-weight: 600; }
.predictions small { opacity: .7; display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
"""


def draw(scene: Scene) -> None:
    """Draw the wrong ones, the worst first, or others."""
    prediction = scene.array("prediction")
    if prediction is None:
        scene.title()
        st.info("Predictions come with the first validation.")
        return
    heading, field = st.columns([1.4, 1], vertical_alignment="top")
    with heading:
        scene.title(scene.split_name)
    only = field.segmented_control(
        "Show", ["Wrong", "Right", "All"], default="Wrong", key=scene.key("shown"), label_visibility="collapsed"
    )
    given = scene.array("label")
    label = prediction if given is None else given
    chosen = {"Wrong": prediction != label, "Right": prediction == label}.get(only or "All", np.ones(len(label), bool))
    index = np.nonzero(chosen)[0]
    loss = scene.array("loss")
    if only == "Wrong" and loss is not None:
        index = index[np.argsort(-loss[index], kind="stable")]  # the worst mistakes first
    if not len(index):
        st.success("Nothing was taken for something else." if only == "Wrong" else "There is none.")
        return
    try:
        samples = scene.samples()
    except (DataError, ValueError, OSError) as error:
        st.error(str(error))
        return
    inputs = samples[next(iter(scene.dataset.fields()))]
    colours = ("#ff8f87", "#5cc98b") if scene.dark else ("#c02a2a", "#227a4b")
    values = scene.array("probability")
    cells = []
    for i in index[:SHOWN]:
        if i >= len(inputs):
            continue
        right = prediction[i] == label[i]
        text = scene.dataset.sample_text({name: values[int(i)] for name, values in samples.items()})
        text = _numbers(np.asarray(inputs[int(i)])) if text is None else text
        if text is None:
            picture = pictures.url(pictures.sample_picture(np.asarray(inputs[int(i)], np.float32)))
            shown = f"<img src='{picture}' alt=''/>"
        else:
            shown = f"<p>{html.escape(text)}</p>"
        said = f"{'✓' if right else '✗'} {scene.class_name(prediction[i])}{_probability(values, int(i), int(prediction[i]))}"
        cells.append(
            f"<figure>{shown}<figcaption style='color:{colours[bool(right)]}'>{said}</figcaption>"
            f"<small>true {scene.class_name(label[i])}</small></figure>"
        )
    kind = " texts" if "<p>" in "".join(cells) else ""
    st.html(f"<style>{_GRID}</style><div class='predictions{kind}'>{''.join(cells)}</div>")
    if len(index) > SHOWN:
        st.caption(f"{SHOWN} of {len(index):,}" + (", the worst first." if only == "Wrong" else "."))


def _numbers(values: Array) -> str | None:
    """A point or a short row of a table as its numbers; None for anything else."""
    if values.ndim != 1 or len(values) > FEW or not np.issubdtype(values.dtype, np.floating):
        return None
    return ", ".join(f"{v:.2f}" for v in values)


def _probability(values: Array | None, i: int, prediction: int) -> str:
    if values is None or i >= len(values):
        return ""
    return f" {100 * float(values[i, prediction]):.0f} %"
