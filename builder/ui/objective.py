"""The panel of task, loss, optimizer and training settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from builder import data, optimizers, proposals, schedules, tasks
from builder.data.base import Dataset
from builder.tasks.base import Loss, Task
from builder.training.settings import TrainingSettings
from builder.ui import fields, forms, state, weights
from builder.ui.chart import chart, line
from builder.ui.views import plots

_SCHEDULE = ("schedule", "step_epochs", "gamma", "warmup")
_SELDOM = ("evaluation_batch", "device", "threads", "precision", "channels_last")
"""Settings of the training that a course seldom touches: they wait behind a button."""


def panel() -> None:
    """Draw the panel."""
    first, second, third, fourth = st.columns([1.35, 1.35, 1.2, 1.15], gap="medium")
    with first:
        st.markdown("##### Task and loss")
        left, right = st.columns(2)
        with left:
            task = _task()
        if task is not None:
            with right:
                chosen = _loss(task)
            _settings(task, chosen)
    with second:
        _optimizers()
    with third:
        _training()
    with fourth:
        _schedule()


# --- task and loss -----------------------------------------------------------------------------------


def _task() -> type[Task] | None:
    """The choice of the task, and what it can be set to."""
    project = state.document().project
    names = list(tasks.names())
    if project.task.name not in names:
        st.error(f"There is no task called {project.task.name!r}. Choose another one.")
        names = [project.task.name, *names]
    # The browser speaks of an option by its label, and what a label says depends on the data.
    widget = fields.shows(f"task.name.{project.data.name}", project.task.name)

    def label(name: str) -> str:
        if name not in tasks.names():
            return name
        cls = tasks.find(name)
        return (cls.label or cls.name) + ("" if name in _suited() else " · brings other data")

    def choose() -> None:
        now = state.document().project  # which need not be as it was when this was drawn
        chosen = st.session_state.get(widget, now.task.name)
        if chosen in tasks.names() and chosen != now.task.name:
            state.propose(proposals.for_task(now, chosen))

    st.selectbox(
        "Task",
        names,
        names.index(project.task.name),
        key=widget,
        on_change=fields.answers(widget, choose),
        format_func=label,
    )
    if project.task.name not in tasks.names():
        return None
    return tasks.find(project.task.name)


def _suited() -> tuple[str, ...]:
    name = state.document().project.data.name
    return data.find(name).tasks if name in data.names() else ()


def _loss(task: type[Task]) -> type[Loss] | None:
    """The choice of the loss."""
    project = state.document().project
    offered = {cls.name: cls for cls in task.losses}
    current = project.loss.name if project.loss.name in offered else next(iter(offered), "")
    if not current:
        return None
    dataset = _dataset()
    reasons = {name: _reason(cls, dataset) for name, cls in offered.items()}
    unfit = ".".join(name for name, reason in reasons.items() if reason)
    widget = fields.shows(f"loss.name.{task.name}.{unfit}", current)

    def choose() -> None:
        cls = offered.get(st.session_state.get(widget, current))
        if cls is None or cls.name == state.part("loss")["name"]:
            return
        if reasons[cls.name]:
            st.toast(f"{cls.label}: {reasons[cls.name]}", icon=":material/block:")
            return
        state.set_part(f"Use {cls.label}", "loss", {"name": cls.name, "settings": cls().to_settings()})

    def label(name: str) -> str:
        return offered[name].label + (" · not for these data" if reasons[name] else "")

    st.selectbox(
        "Loss",
        list(offered),
        list(offered).index(current),
        key=widget,
        on_change=fields.answers(widget, choose),
        format_func=label,
    )
    return offered[current]


def _settings(task: type[Task], loss: type[Loss] | None) -> None:
    """What loss and task can be set to, with the loss in words, as a formula and as a number to expect."""
    project = state.document().project
    if loss is not None:
        formula = f"  \n`{loss.formula}`" if loss.formula else ""
        st.caption(f"{loss.help}{formula}{_start(task, loss, _dataset())}")
        if loss.settings():
            forms.form(loss, project.loss.settings, f"loss.{loss.name}", _setter("loss", loss.name), columns=3)
    if task.settings():
        forms.form(task, project.task.settings, f"task.{task.name}", _setter("task", task.name), columns=3)


def _reason(cls: type[Loss], dataset: Dataset | None) -> str | None:
    """Why a loss does not suit the data as it usually is set; None if it does."""
    return None if dataset is None else cls().problem(dataset)


def _start(task: type[Task], chosen: type[Loss], dataset: Dataset | None) -> str:
    """What theory says of the loss before anything is learned."""
    project = state.document().project
    if dataset is None or task.name not in dataset.tasks:
        return ""
    try:
        made, loss = task.from_settings(project.task.settings), chosen.from_settings(project.loss.settings)
        expected = made.initial_loss(dataset, loss)
    except ValueError:
        return ""
    if expected is None:
        return ""
    classes = len(dataset.class_names())
    how = f"ln {classes} = " if classes and math.isclose(expected, math.log(classes)) else ""
    return f"  \nBefore anything is learned: {how}**{expected:.3f}**."


def _dataset() -> Dataset | None:
    choice = state.document().project.data
    try:
        return data.find(choice.name).from_settings(choice.settings)
    except (KeyError, ValueError):
        return None


def _setter(part: str, chosen: str) -> Callable[[str, Any], None]:
    def changed(name: str, value: Any) -> None:
        now = state.part(part)
        if now["name"] != chosen:
            return  # another one has been chosen while the field was on its way
        state.set_part(f"Set {name}", part, {**now, "settings": {**now["settings"], name: value}})

    return changed


# --- optimizers --------------------------------------------------------------------------------------


def _optimizers() -> None:
    """One optimizer for every network that is trained."""
    slots = list(state.document().project.optimizer)
    slot = next(iter(slots), "")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("##### Optimizer")
        if len(slots) > 1:
            chosen = st.segmented_control(
                "Network", slots, default=slots[0], key="optimizer.slot", label_visibility="collapsed"
            )
            slot = chosen if chosen in slots else slots[0]
    if not slots:
        st.caption("No network is trained.")
        return
    _optimizer(slot)


def _optimizer(slot: str) -> None:
    choice = state.document().project.optimizer[slot]
    names = list(optimizers.names())
    current = choice.name if choice.name in names else names[0]
    widget = fields.shows(f"optimizer.{slot}.name", current)

    def choose() -> None:
        now = state.part("optimizer")[slot]
        cls = optimizers.find(st.session_state.get(widget, current))
        if cls.name == now["name"]:
            return
        kept = {k: v for k, v in now["settings"].items() if k in ("lr", "weight_decay")}
        settings = cls.from_settings(kept).to_settings()
        state.set_part(
            f"Use {cls.label or cls.name}",
            "optimizer",
            {**state.part("optimizer"), slot: {"name": cls.name, "settings": settings}},
        )

    def changed(name: str, value: Any) -> None:
        now = state.part("optimizer")
        mine = now[slot]
        if mine["name"] != cls.name:
            return  # another one has been chosen while the field was on its way
        state.set_part(
            f"Set {name}", "optimizer", {**now, slot: {**mine, "settings": {**mine["settings"], name: value}}}
        )

    st.selectbox(
        "Method",
        names,
        names.index(current),
        key=widget,
        on_change=fields.answers(widget, choose),
        format_func=lambda n: optimizers.find(n).label or n,
        help=f"`{optimizers.find(current).formula}`" if optimizers.find(current).formula else None,
    )
    cls = optimizers.find(current)
    st.caption(cls.help)
    forms.form(cls, choice.settings, f"optimizer.{slot}.{cls.name}", changed, columns=3)


# --- training ----------------------------------------------------------------------------------------


def _training() -> None:
    st.markdown("##### Training")
    settings = state.document().project.training
    unused = _unused(settings)
    forms.form(TrainingSettings, settings, "training", _set_training, columns=2, hidden=(*_SCHEDULE, *_SELDOM, *unused))
    shown = tuple(s.name for s in TrainingSettings.settings() if s.name not in _SELDOM)
    left, right = st.columns(2)
    with left.popover("First weights", icon=":material/weight:", width="stretch"):
        weights.panel()
    with right.popover("Machine", icon=":material/memory:", width="stretch"):
        st.markdown("##### Machine and precision")
        forms.form(TrainingSettings, settings, "machine", _set_training, columns=2, hidden=shown)
    if weights.shortly():
        st.caption(f":material/weight: {weights.shortly()}")


def _unused(settings: dict[str, Any]) -> tuple[str, ...]:
    """Settings that say nothing as others stand."""
    return () if settings.get("initialization") == "normal" else ("initialization_std",)


def _set_training(name: str, value: Any) -> None:
    now = {**TrainingSettings().to_settings(), **state.part("training")}
    state.set_part(f"Set {name}", "training", {**now, name: value})


def _schedule() -> None:
    st.markdown("##### Learning rate")
    project = state.document().project
    settings = TrainingSettings().to_settings() | project.training
    used = {"step": ("step_epochs", "gamma"), "exponential": ("gamma",)}.get(settings["schedule"], ())
    hidden = tuple(s.name for s in TrainingSettings.settings() if s.name not in ("schedule", "warmup", *used))
    forms.form(TrainingSettings, settings, "schedule", _set_training, columns=2, hidden=hidden)
    dataset = _dataset()
    sizes = (dataset.size_hint() or {}) if dataset is not None else {}
    steps = settings["epochs"] * max(1, math.ceil(sizes.get("train", 1000) / settings["batch_size"]))
    at = np.unique(np.linspace(0, steps - 1, 300).astype(int))
    factors = np.array([schedules.learning_rate_factor(int(s), steps, settings) for s in at])
    rates = {slot: float(choice.settings.get("lr", 0.001)) for slot, choice in project.optimizer.items()}
    lines = [
        line(at / steps * settings["epochs"], factors * rate, "train", slot, plots.SERIES[i % len(plots.SERIES)])
        for i, (slot, rate) in enumerate(rates.items())
    ]
    chart(
        "schedule",
        lines,
        about="the learning rate over the epochs",
        title="epoch",
        range=(0.0, float(settings["epochs"])),
        height=104 if used else 156,
        zero=True,
    )
