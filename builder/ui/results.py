"""The panel of results: everything the run's task gives to look at."""

from __future__ import annotations

import streamlit as st

from builder import data, tasks
from builder.data.base import Dataset
from builder.tasks.base import Look, Task
from builder.training.run import LIVE, Run
from builder.ui import state, views
from builder.ui.live import remark
from builder.ui.views.scene import Scene

KEY = "look-"
"""What the key of a view's place begins with; the kind of the view follows."""
TICK = 1.0
"""Seconds between two pictures of the looks that follow a training."""


def panel() -> None:
    """Draw the panel."""
    run = state.run()
    if run is None:
        st.info(
            "No results yet. Press Train: what the network has learned appears here while it trains.",
            icon=":material/grid_on:",
        )
        return
    found = _declared(run)
    if found is None:
        st.error("The data set or the task of this run is not known to this version.")
        return
    dataset, task = found
    loss = run.project_json()["loss"]["name"]
    looks = [
        look
        for look in task.looks
        if (not look.data or dataset.kind in look.data) and (not look.losses or loss in look.losses)
    ]
    if not looks:
        st.info(f"{task.label} shows its results as curves.")
        return
    if told := remark(run, state.document().project):
        st.caption(told)
    live = run.state.status in LIVE
    following = [look for look in looks if live and getattr(views.find(look.kind), "FOLLOWS", True)]
    waiting = [look for look in looks if look not in following]
    parts = [part for part in (following, waiting) if part]
    early = live and run.weights() is None  # what waits for the person cannot be used before there are any
    for column, part in zip(st.columns([_width(part) for part in parts], gap="medium"), parts, strict=True):
        waits = early and part is waiting
        with column:
            draw = st.fragment(_draw, run_every=TICK if part is following or waits else None)
            draw(run.id, dataset, task, tuple(part), waits)


def _width(looks: list[Look]) -> float:
    return sum(look.width for look in looks)


def _draw(id: str, dataset: Dataset, task: Task, looks: tuple[Look, ...], waits: bool) -> None:
    """Draw these side by side. One fragment for all that follow: each asks the server on its own.

    What `waits` for the first weights is drawn once more when they are there, and then left alone.
    """
    run = next((r for r in state.runs() if r.id == id), None)
    if run is None:
        st.info("This run has been deleted.")
        return
    if waits and run.weights() is not None:
        st.rerun(scope="app")
    for column, look in zip(st.columns([look.width for look in looks], gap="medium"), looks, strict=True):
        with column, st.container(key=f"{KEY}{look.kind}"):
            views.find(look.kind).draw(Scene(run, dataset, task, look))


def _declared(run: Run) -> tuple[Dataset, Task] | None:
    """The run's data set and task, as it was trained."""
    project = run.project_json()
    try:
        chosen, job = project["data"], project["task"]
        return (
            data.find(chosen["name"]).from_settings(chosen["settings"]),
            tasks.find(job["name"]).from_settings(job["settings"]),
        )
    except (KeyError, ValueError, TypeError):
        return None
