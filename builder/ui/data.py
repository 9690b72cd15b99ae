"""The panel of data: which set, how it is prepared, what it looks like."""

from __future__ import annotations

import html
import re
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from blocks.base import SettingError
from builder import data
from builder.data import uploads, view
from builder.data.base import DataError, Dataset
from builder.ui import forms, state, upload
from builder.ui.views import pictures, plots

UPLOADED = "image_folder"


def panel() -> None:
    """Draw the panel."""
    left, middle, right = st.columns([1.25, 2.6, 1.35], gap="medium")
    with left:
        dataset = _choice()
    if dataset is None:
        return
    missing = dataset.missing()
    if missing:
        middle.info(missing, icon=":material/upload_file:")
        return
    with middle:
        looked = _looked(dataset)
    if looked is None:
        return
    samples, statistics = looked
    with middle:
        _samples(samples)
        told = ", ".join(
            f"{name} {'×'.join(map(str, shape)) or 'one number'}" for name, shape in statistics.shapes.items()
        )
        values = (
            f"Values {statistics.minimum:.3g} to {statistics.maximum:.3g}, mean {statistics.mean:.3f}, "
            f"standard deviation {statistics.std:.3f}"
        )
        if statistics.frequent:
            values = f"{next(iter(dataset.fields().values())).size or 0:,} different tokens"
        st.caption(f"Shapes: {told}. {values}; {statistics.size_in_memory / 1e6:.1f} MB in memory.")
    with right:
        if statistics.counts:
            st.markdown("##### Samples per class")
            st.plotly_chart(_counts(statistics, samples.class_names), key="class_counts", config=plots.CONFIG)
        elif statistics.frequent:
            st.markdown("##### Most frequent")
            st.plotly_chart(_frequent(statistics), key="token_counts", config=plots.CONFIG)
        else:
            st.markdown("##### Samples")
        st.html(f"<style>{_KEY}</style><div class='key'>{_key(statistics)}</div>")


def _choice() -> Dataset | None:
    project = state.document().project
    names = list(data.names())
    if project.data.name not in names:
        st.error(f"There is no data set called {project.data.name!r}. Choose another one.")
        names = [project.data.name, *names]
    st.session_state["data.name"] = project.data.name

    def choose() -> None:
        cls = data.find(st.session_state["data.name"])
        state.set_part(f"Use {cls.label}", "data", {"name": cls.name, "settings": cls().to_settings()})

    st.selectbox("Data set", names, key="data.name", on_change=choose, format_func=_label)
    cls = data.find(project.data.name) if project.data.name in data.names() else None
    if cls is None:
        return None
    st.caption(cls.help)
    if cls.name == UPLOADED:
        _upload()
    elif cls.upload:
        upload.field(cls)

    def changed(name: str, value: Any) -> None:
        now = state.part("data")
        if now["name"] != cls.name:
            return  # another set has been chosen while the field was on its way
        state.set_part(f"Set {name}", "data", {**now, "settings": {**now["settings"], name: value}})

    with st.expander("Preparation", expanded=False):
        forms.form(cls, project.data.settings, f"data.{cls.name}", changed, hidden=("file", "counts", "mean", "std"))
    try:
        return cls.from_settings(project.data.settings)
    except SettingError as error:
        st.error(str(error))
        return None


def _label(name: str) -> str:
    return data.find(name).label if name in data.names() else name


def _upload() -> None:
    file = st.file_uploader("Your pictures: a zip with one folder per class", type="zip", key="upload")
    if file is None or st.session_state.get("uploaded") == file.file_id:
        return
    content = file.getvalue()
    try:
        report = uploads.inspect_zip(content)
        name = uploads.store(content, state.workspace().folder)
    except DataError as error:
        st.error(str(error))
        return
    st.session_state["uploaded"] = file.file_id
    for warning in report.warnings:
        st.warning(warning)
    if report.unreadable:
        with st.expander(f"{len(report.unreadable)} files are left out"):
            for item in report.unreadable[:50]:
                st.text(str(item))
    settings = data.find(UPLOADED).from_settings(report.settings(name)).to_settings()
    state.set_part("Use your pictures", "data", {"name": UPLOADED, "settings": settings})
    st.rerun()


def _looked(dataset: Dataset) -> tuple[view.Samples, view.Statistics] | None:
    bar = st.empty()

    def progress(text: str, fraction: float) -> None:
        bar.progress(min(1.0, max(0.0, fraction)), text)

    try:
        found = view.samples(dataset, 10, progress), view.statistics(dataset, progress)
    except (DataError, ValueError, OSError) as error:
        bar.error(str(error))
        return None
    bar.empty()
    return found


def _samples(samples: view.Samples) -> None:
    st.markdown("##### Samples")
    names = samples.class_names
    if (
        samples.kind == "points"
        and samples.labels is not None
        and samples.inputs.ndim == 2
        and samples.inputs.shape[1] == 2
    ):
        st.plotly_chart(
            plots.points(samples.inputs, samples.labels, names, 250), key="sample_points", config=plots.CONFIG
        )
    elif samples.texts:
        cells = "".join(f"<li>{_written(samples, i)}</li>" for i in _mixed(samples)[:_SHOWN] if i < len(samples.texts))
        st.html(f"<style>{_TEXTS}</style><ul class='texts'>{cells}</ul>")
    elif samples.inputs.ndim == 4:
        cells = "".join(
            f"<figure><img src='{pictures.url(samples.inputs[i])}' alt=''/><figcaption>{_caption(samples, i)}</figcaption></figure>"
            for i in _mixed(samples)[:_SHOWN]
        )
        st.html(f"<style>{_GRID}</style><div class='samples'>{cells}</div>")
    else:
        columns: dict[str, Any] = {f"{i + 1}": samples.inputs[:12, i] for i in range(min(samples.inputs.shape[-1], 12))}
        if samples.labels is not None:
            columns["class"] = [_caption(samples, i) for i in range(min(12, len(samples.inputs)))]
        st.dataframe(columns, height=230)


def _caption(samples: view.Samples, i: int) -> str:
    if samples.labels is None:
        return ""
    label = int(samples.labels[i])
    text = samples.class_names[label] if label < len(samples.class_names) else str(label)
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _mixed(samples: view.Samples) -> list[int]:
    """The samples so that every class comes once before one comes twice."""
    seen: dict[int, int] = {}
    turns = []
    for i in range(len(samples.inputs)):
        label = 0 if samples.labels is None else int(samples.labels[i])
        seen[label] = seen.get(label, 0) + 1
        turns.append((seen[label], i))
    return [i for _, i in sorted(turns)]


def _written(samples: view.Samples, i: int) -> str:
    text = html.escape(samples.texts[i].replace("\n", " ⏎ "))
    text = re.sub(r"\[([^\[\]]+)\]", r"<b>\1</b>", text)
    label = _caption(samples, i)
    return f"{text} <small>{label}</small>" if label else text


_TEXTS = """
.texts { columns: 2; column-gap: 28px; margin: 0; padding: 0 !important; list-style: none; font-size: 13px; max-height: 250px; overflow: auto; }
.texts li { break-inside: avoid; padding: 2px 0; margin: 0; line-height: 1.35; } .texts small { opacity: .65; }
"""
_SHOWN = 60
# Two rows whatever the width; what does not fit into them has no height.
_GRID = """
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(38px, 1fr)); column-gap: 6px;
  grid-template-rows: auto auto; grid-auto-rows: 0; }
.samples figure { margin: 0; text-align: center; overflow: hidden; min-height: 0; }
.samples img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 4px; image-rendering: pixelated; background: #0b0d12; }
.samples figcaption { font-size: 11px; padding-bottom: 4px; opacity: .75; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
"""


_COLOURS = {"train": plots.BLUE, "validation": plots.ORANGE, "test": plots.GREY}
_KEY = """
.key { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12px; font-variant-numeric: tabular-nums; }
.key i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 5px; }
"""


def _key(statistics: view.Statistics) -> str:
    """The parts and their sizes, each with its colour in the chart above."""
    return "".join(
        f"<span><i style='background: {_COLOURS.get(split, plots.TEAL)}'></i>{split} {count:,}</span>"
        for split, count in statistics.sizes.items()
    )


def _frequent(statistics: view.Statistics) -> go.Figure:
    words = [word if word.strip() else repr(word).strip("'").replace(" ", "␣") for word, _ in statistics.frequent]
    figure = go.Figure(go.Bar(x=words, y=[count for _, count in statistics.frequent], marker_color=plots.BLUE))
    plots.layout(figure, 170)
    figure.update_xaxes(type="category", tickangle=-60)
    return figure


def _counts(statistics: view.Statistics, names: tuple[str, ...]) -> go.Figure:
    figure = go.Figure()
    for split, counts in statistics.counts.items():
        x = list(names[: len(counts)]) if len(names) <= 40 else list(range(len(counts)))
        figure.add_trace(go.Bar(x=x, y=list(counts), name=split, marker_color=_COLOURS.get(split, plots.TEAL)))
    plots.layout(figure, 170, barmode="stack")
    figure.update_xaxes(type="category" if len(names) <= 40 else "linear")
    return figure
