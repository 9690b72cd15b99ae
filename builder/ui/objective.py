"""The panel of loss, optimizer and training settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder import data, optimizers, schedules, tasks
from builder.training.settings import TrainingSettings
from builder.ui import forms, state, weights
from builder.ui.views import plots


def panel() -> None:
    """Draw the panel."""
    left, middle, right = st.columns([1.15, 1.5, 1.6], gap="medium")
    with left:
        _loss()
        _task()
    with middle:
        for slot in state.document().project.optimizer:
            _optimizer(slot)
        weights.panel()
    with right:
        _training()
        _schedule()


def _loss() -> None:
    st.markdown("##### Loss")
    project = state.document().project
    try:
        offered = {cls.name: cls for cls in tasks.find(project.task.name).losses}
    except KeyError:
        st.error(f"There is no task called {project.task.name!r}.")
        return
    st.session_state["loss.name"] = project.loss.name if project.loss.name in offered else next(iter(offered))

    def choose() -> None:
        cls = offered[st.session_state["loss.name"]]
        state.set_part(f"Use {cls.label}", "loss", {"name": cls.name, "settings": cls().to_settings()})

    st.radio(
        "Loss",
        list(offered),
        key="loss.name",
        on_change=choose,
        format_func=lambda name: offered[name].label,
        captions=[cls.help for cls in offered.values()],
        label_visibility="collapsed",
    )
    chosen = offered[st.session_state["loss.name"]]
    forms.form(chosen, project.loss.settings, f"loss.{chosen.name}", _setter("loss", chosen.name), columns=1)
    classes = _classes()
    if classes and chosen is next(iter(offered.values())):
        st.caption(
            f"At the start this loss should be near ln {classes} = {math.log(classes):.3f}: {classes} classes guessed evenly."
        )


def _task() -> None:
    """What the task itself can be set to, if anything."""
    choice = state.document().project.task
    try:
        cls = tasks.find(choice.name)
    except KeyError:
        return
    if cls.settings():
        st.markdown("##### Task")
        forms.form(cls, choice.settings, f"task.{cls.name}", _setter("task", cls.name), columns=1)


def _classes() -> int:
    choice = state.document().project.data
    try:
        return len(data.find(choice.name).from_settings(choice.settings).class_names())
    except (KeyError, ValueError):
        return 0


def _setter(part: str, chosen: str) -> Callable[[str, Any], None]:
    def changed(name: str, value: Any) -> None:
        now = state.part(part)
        if now["name"] != chosen:
            return  # another one has been chosen while the field was on its way
        state.set_part(f"Set {name}", part, {**now, "settings": {**now["settings"], name: value}})

    return changed


def _optimizer(slot: str) -> None:
    project = state.document().project
    many = len(project.optimizer) > 1
    st.markdown(f"##### Optimizer{f' of {slot}' if many else ''}")
    choice = project.optimizer[slot]
    names = list(optimizers.names())
    key = f"optimizer.{slot}.name"
    st.session_state[key] = choice.name if choice.name in names else names[0]

    def choose() -> None:
        cls = optimizers.find(st.session_state[key])
        kept = {k: v for k, v in choice.settings.items() if k in ("lr", "weight_decay")}
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

    st.selectbox("Method", names, key=key, on_change=choose, format_func=lambda n: optimizers.find(n).label or n)
    cls = optimizers.find(st.session_state[key])
    st.caption(cls.help)
    forms.form(cls, choice.settings, f"optimizer.{slot}.{cls.name}", changed)


_SCHEDULE = ("schedule", "step_epochs", "gamma", "warmup")


def _training() -> None:
    st.markdown("##### Training")
    forms.form(
        TrainingSettings, state.document().project.training, "training", _set_training, columns=3, hidden=_SCHEDULE
    )


def _set_training(name: str, value: Any) -> None:
    now = {**TrainingSettings().to_settings(), **state.part("training")}
    state.set_part(f"Set {name}", "training", {**now, name: value})


def _schedule() -> None:
    st.markdown("##### Learning rate over the epochs")
    settings = TrainingSettings().to_settings() | state.document().project.training
    used = {"step": ("step_epochs", "gamma"), "exponential": ("gamma",)}.get(settings["schedule"], ())
    hidden = tuple(s.name for s in TrainingSettings.settings() if s.name not in ("schedule", "warmup", *used))
    forms.form(TrainingSettings, settings, "schedule", _set_training, columns=2 + len(used), hidden=hidden)
    optimizer = next(iter(state.document().project.optimizer.values()), None)
    rate = float(optimizer.settings.get("lr", 0.001)) if optimizer else 0.001
    choice = state.document().project.data
    try:
        sizes = data.find(choice.name).from_settings(choice.settings).size_hint() or {}
    except (KeyError, ValueError):
        sizes = {}
    steps = settings["epochs"] * max(1, math.ceil(sizes.get("train", 1000) / settings["batch_size"]))
    at = np.unique(np.linspace(0, steps - 1, 300).astype(int))
    factors = [schedules.learning_rate_factor(int(s), steps, settings) * rate for s in at]
    figure = go.Figure(
        go.Scatter(x=at / steps * settings["epochs"], y=factors, mode="lines", line={"color": plots.BLUE})
    )
    plots.layout(figure, 150)
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(rangemode="tozero")
    st.plotly_chart(figure, key="schedule_chart", config=plots.CONFIG)
