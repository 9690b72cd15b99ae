"""The panel of data: which set, how it is prepared, what it looks like."""

from __future__ import annotations

from typing import Any

import streamlit as st

from blocks.base import SettingError
from builder import data, proposals, tasks
from builder.data import view
from builder.data.base import DataError, Dataset
from builder.ui import fields, forms, state, upload
from builder.ui import samples as shown
from builder.ui.views import drawn, plots

AT_ONCE = 0.2
"""Seconds a page waits for data before it shows how far they are; most are there by then."""
TICK = 0.4
FEW = 4
"""Of the most frequent tokens, where the classes are shown, too."""


def panel() -> None:
    """Draw the panel."""
    left, right = st.columns([1.25, 3.95], gap="medium")
    with left:
        dataset = _choice()
    if dataset is None:
        return
    missing = dataset.missing()
    if missing:
        right.info(missing, icon=":material/upload_file:")
        return
    looking = view.look(dataset)
    with right:
        if looking.wait(AT_ONCE):
            _samples(looking)
        else:
            st.fragment(_waiting, run_every=TICK)(looking)


def _waiting(looking: view.Looking) -> None:
    """How far the data are; edits are answered meanwhile."""
    if looking.wait(0):
        st.rerun(scope="app")
    st.progress(looking.fraction, looking.text or "Loading the data")


def _samples(looking: view.Looking) -> None:
    """What the data look like, and their numbers."""
    try:
        samples, statistics = looking.result(10)
    except (DataError, ValueError, OSError) as error:
        st.error(str(error))
        return
    middle, right = st.columns([2.6, 1.35], gap="medium")
    with middle:
        shown.draw(samples)
        told = ", ".join(
            f"{name} {'×'.join(map(str, shape)) or 'one number'}" for name, shape in statistics.shapes.items()
        )
        st.caption(
            f"Shapes: {told}. {_values(looking.dataset, statistics)}{statistics.size_in_memory / 1e6:.1f} MB in memory."
        )
    with right:
        both = bool(statistics.frequent and statistics.counts)
        if statistics.counts or not statistics.frequent:
            st.markdown(f"##### {statistics.counted} per {'class' if statistics.counts else 'part'}")
        if statistics.counts:
            st.html(drawn.stacked(samples.class_names, statistics.counts, _COLOURS, 48 if both else 150))
        key = f"<style>{_KEY}</style><div class='key'>{_key(statistics)}</div>"
        if both:
            st.html(key)
        if statistics.frequent:
            st.markdown("##### Most frequent")
            st.html(drawn.ranked(statistics.frequent[:FEW] if both else statistics.frequent))
        if not both:
            st.html(key)


def _values(dataset: Dataset, statistics: view.Statistics) -> str:
    """What the numbers that go in are like; of tokens, how many there are."""
    first = next(iter(dataset.fields().values()))
    if first.holds == "tokens":
        return f"{first.size or 0:,} different tokens; "
    return (
        f"Values {statistics.minimum:.3g} to {statistics.maximum:.3g}, mean {statistics.mean:.3f}, "
        f"standard deviation {statistics.std:.3f}; "
    )


def _choice() -> Dataset | None:
    project = state.document().project
    names = list(data.names())
    if project.data.name not in names:
        st.error(f"There is no data set called {project.data.name!r}. Choose another one.")
        names = [project.data.name, *names]
    # The browser speaks of an option by its label, and what a label says depends on the task.
    widget = fields.shows(f"data.name.{project.task.name}", project.data.name)

    def choose() -> None:
        now = state.document().project  # which need not be as it was when this was drawn
        chosen = st.session_state.get(widget, now.data.name)
        if chosen in names and chosen != now.data.name:
            state.propose(proposals.for_data(now, chosen))

    st.selectbox(
        "Data set",
        names,
        names.index(project.data.name),
        key=widget,
        on_change=fields.answers(widget, choose),
        format_func=_label,
    )
    _fit()
    cls = data.find(project.data.name) if project.data.name in data.names() else None
    if cls is None:
        return None
    st.caption(cls.help)
    if cls.upload:
        upload.field(cls)

    def changed(name: str, value: Any) -> None:
        now = state.part("data")
        if now["name"] != cls.name:
            return  # another set has been chosen while the field was on its way
        state.set_part(f"Set {name}", "data", {**now, "settings": {**now["settings"], name: value}})

    with st.expander("Preparation", expanded=False):
        forms.form(cls, project.data.settings, f"data.{cls.name}", changed, hidden=cls.measured)
    try:
        return cls.from_settings(project.data.settings)
    except SettingError as error:
        st.error(str(error))
        return None


def _label(name: str) -> str:
    if name not in data.names():
        return name
    cls = data.find(name)
    task = state.document().project.task.name
    if proposals.unsuited(cls, task) is None:
        return cls.label
    usual = next((tasks.find(t).label for t in cls.tasks if t in tasks.names()), "another task")
    return f"{cls.label} · brings {usual.lower()}"


def _fit() -> None:
    """Where data and network do not go together: why, and a way out in one click."""
    document = state.document()
    codes = {p.code for p in document.report().problems if p.severity == "error"}
    project = document.project
    if "data-task" in codes:
        reason = proposals.unsuited(data.find(project.data.name), project.task.name)
        st.warning(reason or "Data and task do not go together.", icon=":material/info:")
        if st.button("Change the task to fit", icon=":material/auto_fix_high:"):
            state.propose(proposals.for_data(project, project.data.name))
            st.rerun()
    elif codes & {"input-mismatch", "output-mismatch", "inputs", "outputs", "missing-network"}:
        st.warning("The network on the canvas does not take these data as it is.", icon=":material/info:")
        if st.button("Use a starter network that does", icon=":material/auto_fix_high:"):
            found = proposals.starter(project)
            if found is None:
                st.toast("No starter project fits these data; the blocks on the canvas say what is missing.")
            else:
                state.propose(found)
                st.rerun()


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
