"""Precision over recall, a curve a class: ``found`` (N, K, 6) and ``truths`` (N, M, 5)."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st
import torch

from builder.tasks import boxes
from builder.ui.views import plots
from builder.ui.views.scene import Scene

CLASSES = 6
HEIGHT = 150


def draw(scene: Scene) -> None:
    """Draw the curves of the validation, for a chosen overlap."""
    results = scene.results
    found, truths = (None if results is None else results.arrays.get(f"sample/{n}") for n in ("found", "truths"))
    if found is None or truths is None:
        scene.title()
        st.info("The curves come with the first validation.")
        return
    heading, field = st.columns([1.4, 1], vertical_alignment="top")
    with heading:
        scene.title(scene.split_name)
    limit = field.select_slider(
        "Right from an overlap of",
        [round(0.5 + 0.05 * i, 2) for i in range(10)],
        key=scene.key("limit"),
        format_func=lambda overlap: f"IoU ≥ {overlap:.2f}",
        label_visibility="collapsed",
    )
    count = min(len(found), len(truths))
    given, true = torch.tensor(found[:count]), torch.tensor(truths[:count])
    names = scene.dataset.class_names()
    areas = []
    figure = go.Figure()
    for label, name in enumerate(names):
        if not (true[..., 0] == label).any():
            continue
        precision, recall, score = boxes.precision_recall(given, true, label, float(limit))
        areas.append((name, boxes.average_precision(precision, recall)))
        if label < CLASSES:
            figure.add_trace(
                go.Scatter(
                    x=recall.numpy(),
                    y=precision.numpy(),
                    customdata=score.numpy(),
                    mode="lines",
                    name=name,
                    line={"color": plots.SERIES[label % len(plots.SERIES)], "width": 2},
                    hovertemplate=f"{name}: precision %{{y:.2f}}, recall %{{x:.2f}} from a score of %{{customdata:.2f}}<extra></extra>",
                )
            )
    plots.layout(figure, HEIGHT)
    figure.update_xaxes(title="recall", range=[0, 1.02])
    figure.update_yaxes(title="precision", range=[0, 1.04])
    scene.plot(figure, "curves")
    mean = sum(area for _, area in areas) / max(1, len(areas))
    told = ", ".join(f"{name} {100 * area:.0f} %" for name, area in areas[:CLASSES])
    st.caption(f"Average precision (the area, as in PASCAL VOC): mean **{100 * mean:.1f} %**; {told}.{_metrics(scene)}")


def _metrics(scene: Scene) -> str:
    """The metrics of the latest validation, which say themselves by whose rule they are."""
    values = scene.run.state.validation.get("metrics") or {}
    told = [f"{m.label} {100 * values[m.name]:.1f} %" for m in type(scene.task).metrics if m.name in values]
    return f" All overlaps: {', '.join(told)}." if told else ""
