"""The panel of curves: loss and metric of this run, earlier runs laid over, and the list of runs."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import streamlit as st

from builder import tasks
from builder.tasks import Chart, Task
from builder.training.run import LIVE, Run, State
from builder.ui import fields, live, state
from builder.ui.chart import chart, line
from builder.ui.views import plots

HEIGHT = 196
TICK = 0.5
_OVERLAID = 4
_MARKS = re.compile(r"([\\`*_\[\]$~:<>#|])")
"""What Markdown would take for more than it is: messages name files and variables."""


def panel() -> None:
    """Draw the panel; the curves repeat by themselves while something trains."""
    run = state.run()
    if run is None:
        st.info("No run yet. Press Train: the curves grow here while the network learns.", icon=":material/show_chart:")
        return
    left, right = st.columns([1, 4.2], gap="medium")
    with left:
        _runs(run)
        if told := live.remark(run, state.document().project):
            st.caption(told)
    with right:
        st.fragment(_curves, run_every=TICK if run.state.status in LIVE else None)(run.id)


# --- the list of runs --------------------------------------------------------------------------------


def _runs(current: Run) -> None:
    listed = list(reversed(state.runs()))
    names = {r.id: r for r in listed}
    ids = list(names)

    def label(id: str) -> str:
        found = names[id]
        return f"{found.name} · {_score(found)}"

    # The browser keeps the label that it once got of what is chosen, so another label needs another widget.
    widget = fields.shows(f"run_choice.{label(current.id)}", current.id)

    def choose() -> None:
        picked = st.session_state[widget]
        if (
            picked in names
        ):  # a label has changed since the browser has it: what it names is no run, and nobody chose it
            state.choose_run(picked)

    answer = fields.answers(widget, choose)
    st.selectbox("Run", ids, ids.index(current.id), key=widget, format_func=label, on_change=answer)
    others = [r.id for r in listed if r.id != current.id]
    if others:
        chosen = st.multiselect(
            "Lay over", others, key="overlaid", format_func=label, max_selections=_OVERLAID, placeholder="earlier runs"
        )
        for id in chosen:
            _differences(current, names[id])
    with st.popover("Name and note", width="stretch", icon=":material/edit_note:"):
        _edit(current)
    with st.popover("View", width="stretch", icon=":material/tune:"):
        _view()
    if st.session_state.get("deleted_run"):

        def back() -> None:
            state.workspace().restore_run(state.document().project_id, st.session_state.pop("deleted_run"))

        st.button("Undo: bring the deleted run back", on_click=fields.pressed(back), type="tertiary")


def _edit(run: Run) -> None:
    named, noted = fields.shows(f"name.{run.id}", run.name), fields.shows(f"note.{run.id}", run.note)

    def rename() -> None:
        run.name = st.session_state[named].strip() or run.id

    def note() -> None:
        run.note = st.session_state[noted]

    def delete() -> None:
        state.workspace().delete_run(state.document().project_id, run.id)
        st.session_state["deleted_run"] = run.id
        state.choose_run(None)

    st.text_input("Name", run.name, key=named, on_change=fields.answers(named, rename))
    placeholder = "What did you try?"
    st.text_area("Note", run.note, key=noted, on_change=fields.answers(noted, note), placeholder=placeholder)
    gone = fields.pressed(delete)
    st.button("Delete this run", on_click=gone, disabled=run.state.status in LIVE, icon=":material/delete:")


def _differences(run: Run, other: Run) -> None:
    differing = run.settings_diff(other)
    told = [f"{_short(k)} {_value(b)} → {_value(a)}" for k, (a, b) in list(differing.items())[:4]]
    more = f" and {len(differing) - 4} more" if len(differing) > 4 else ""
    st.caption(f"**{other.name}**: " + ("; ".join(told) + more if told else "the same settings"))


def _short(key: str) -> str:
    return ".".join(part for part in key.split(".")[-2:] if part not in ("settings", "training"))


def _value(value: Any) -> str:
    return "none" if value is None else str(value)


def _score(run: Run) -> str:
    now = run.state
    if now.status in LIVE:
        return "training"  # the list is not drawn again at every tick, so it tells nothing that changes
    found = now.test or now.validation
    metrics = found.get("metrics") or {}
    if metrics:
        name, value = next(iter(metrics.items()))
        return _number(value, _percent(_task(run), f"metric/{name}"))
    return now.status


def _number(value: float | None, percent: bool) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.1f} %" if percent else f"{value:.3f}"


# --- the curves --------------------------------------------------------------------------------------


def _view() -> None:
    st.toggle("Loss on a logarithmic scale", key="log_scale")
    st.toggle("Epochs on the axis instead of steps", key="by_epoch", value=True)
    st.slider(
        "Smoothing of the training curve", 0.0, 0.99, 0.9, key="smoothing", help="A running mean; 0 shows every step."
    )


def _curves(id: str) -> None:
    run = next((r for r in state.runs() if r.id == id), None)
    if run is None:
        return
    now = run.state
    steps, validation = _history(run), run.validation()
    if now.message:
        _message(run, now)
    overlaid = [r for r in state.runs() if r.id in st.session_state.get("overlaid", [])]
    task = _task(run)
    charts = (Chart("Loss", ("loss/loss",)),) if task is None else task.drawn()
    for column, drawn in zip(st.columns([c.width for c in charts], gap="medium"), charts, strict=True):
        with column:
            _head(task, drawn, now, steps, validation)
            _chart(task, run, now, steps, validation, drawn, overlaid)


def _history(run: Run) -> dict[str, Any]:
    """The run's steps; those read before are kept, so that a long run costs no more than a short one."""
    kept: dict[str, tuple[list[int] | None, dict[str, Any]]] = st.session_state.setdefault("histories", {})
    attempts = run.attempts()
    before, columns = kept.get(run.id, (None, dict[str, Any]()))
    if before != attempts or not len(columns.get("step", ())):
        columns = run.steps()
    else:
        new = run.steps(after=int(columns["step"][-1]))
        if len(new["step"]):
            if set(new) != set(columns):
                columns = run.steps()
            else:
                columns = {name: np.concatenate([columns[name], new[name]]) for name in columns}
    kept.pop(run.id, None)
    kept[run.id] = (attempts, columns)
    while len(kept) > 1 + _OVERLAID:
        kept.pop(next(iter(kept)))
    return columns


def _message(run: Run, now: State) -> None:
    show = st.error if now.status in ("failed", "lost") else st.info
    show(_MARKS.sub(r"\\\1", now.message))
    rate = now.suggestion.get("lr")
    if now.status == "failed" and rate is not None:

        def again() -> None:
            state.launcher().resume(run.folder, rate)

        st.button(f"Continue with a learning rate of {rate:g}", on_click=fields.pressed(again), type="primary")


def _task(run: Run) -> type[Task] | None:
    """The task that a run was trained for, which need not be that of the network on the canvas."""
    try:
        return tasks.find(run.project_json()["task"]["name"])
    except (KeyError, TypeError):
        return None


def _percent(task: type[Task] | None, name: str) -> bool:
    """Whether a column holds fractions that are shown as percent."""
    kind, _, short = name.partition("/")
    metric = None if task is None or kind != "metric" else task.metric(short)
    return metric is not None and metric.unit == "%"


def _label(task: type[Task] | None, name: str) -> str:
    """What a column is called for people."""
    kind, _, short = name.partition("/")
    metric = None if task is None or kind != "metric" else task.metric(short)
    return short.replace("_", " ") if metric is None else metric.label


def _head(task: type[Task] | None, drawn: Chart, now: State, steps: dict[str, Any], validation: dict[str, Any]) -> None:
    """The title of a chart with its latest numbers; of several curves, each in its colour."""
    if len(drawn.names) > 1:
        told = [
            f"<span style='white-space: nowrap'><b style='color: {colour}'>━</b> {_label(task, name)} <b>{_last(task, steps, name)}</b></span>"
            for name, colour in zip(drawn.names, plots.SERIES, strict=False)
        ]
        st.html(f"<style>{_HEAD}</style><div class='curve-head'><b>{drawn.title}</b>{''.join(told)}</div>")
        return
    (name,) = drawn.names
    kind, _, short = name.partition("/")
    test = (now.test.get("metrics") or {}).get(short) if kind == "metric" else None
    told = [_latest(task, "validation", validation, name)]
    if name in steps or kind != "metric":  # some metrics take a whole pass over the data
        told.insert(0, _latest(task, "train", steps, name))
    if test is not None:
        told.append(f"test **{_number(test, _percent(task, name))}**")
    st.markdown(f"**{drawn.title}** &ensp; " + " &ensp; ".join(told))


_HEAD = """
.curve-head { display: flex; flex-wrap: wrap; column-gap: 12px; font-size: 14px; line-height: 22px; }
@media (max-width: 1500px) { .curve-head:has(span:nth-of-type(4)) { column-gap: 7px; font-size: 12.5px; } }
"""


def _latest(task: type[Task] | None, what: str, columns: dict[str, Any], name: str) -> str:
    values = columns.get(name)
    if values is None or not len(values):
        return f"{what} –"
    value = float(np.nanmean(values[-20:])) if what == "train" else float(values[-1])
    return f"{what} **{_number(value, _percent(task, name))}**"


def _last(task: type[Task] | None, steps: dict[str, Any], name: str) -> str:
    values = steps.get(name)
    if values is None or not np.isfinite(values[-20:]).any():
        return "–"
    return _number(float(np.nanmean(values[-20:])), _percent(task, name))


def _axis(columns: dict[str, Any], now: State) -> Any:
    """Steps, or epochs passed (steps of the run divided by the steps of one epoch)."""
    steps = columns["step"].astype(float)
    if st.session_state.get("by_epoch", True) and now.steps and now.epochs:
        return steps * now.epochs / now.steps
    return steps


def _chart(
    task: type[Task] | None,
    run: Run,
    now: State,
    steps: dict[str, Any],
    validation: dict[str, Any],
    drawn: Chart,
    overlaid: list[Run],
) -> None:
    amount = float(st.session_state.get("smoothing", 0.9))
    many = len(drawn.names) > 1
    first = drawn.names[0]
    lines: list[dict[str, Any]] = []
    for other, colour in zip(overlaid, plots.EARLIER, strict=False):
        lines += _lines(other, other.state, _history(other), other.validation(), first, amount, colour)
    for name, own in zip(drawn.names, plots.SERIES if many else (None,), strict=False):
        label = f"{run.name}: {_label(task, name)}" if many else run.name
        lines += _lines(run, now, steps, validation, name, amount, own, label)
    level = None
    main = f"loss/{next(iter(now.losses), 'loss')}"
    if main in drawn.names and now.expected_loss and now.first_loss is not None and math.isfinite(now.first_loss):
        near = abs(now.first_loss - now.expected_loss) < 0.25 * now.expected_loss
        sign = "✓" if near else "– far off; look at the last layer and its scale"
        level = (now.expected_loss, f"expected at the start {now.expected_loss:.3f}, yours {now.first_loss:.3f} {sign}")
    by_epoch = st.session_state.get("by_epoch", True)
    kind, _, short = first.partition("/")
    key = drawn.title.lower() if many else short
    chart(
        key,
        lines,
        about=f"{key} of {run.name} over the {'epochs' if by_epoch else 'steps'}",
        title="epoch" if by_epoch else "step",
        range=(0.0, max(_end(each, by_epoch) for each in (now, *(other.state for other in overlaid)))),
        height=HEIGHT,
        grow=True,
        log=kind == "loss" and bool(st.session_state.get("log_scale")),
        percent=_percent(task, first),
        level=level,
    )


def _end(now: State, by_epoch: bool) -> float:
    """Where the axis ends: the whole run, or for a long one the next round number, so that its start is not squeezed."""
    total = float(max(now.epochs if by_epoch else now.steps, 1))
    reached = now.step * now.epochs / now.steps if by_epoch and now.steps else float(now.step)
    end = 1.0 if by_epoch else 100.0
    for factor in itertools.cycle((2.0, 2.5, 2.0)):  # 1, 2, 5, 10, 20 ...
        if end >= reached:
            return min(end, total)
        end *= factor
    return total  # not reached: the numbers above do not end


def _lines(
    run: Run,
    now: State,
    steps: dict[str, Any],
    validation: dict[str, Any],
    column: str,
    amount: float,
    colour: str | None = None,
    label: str = "",
) -> list[dict[str, Any]]:
    """Training, its single steps (of a curve that stands alone) and validation; `colour` marks one of several."""
    label = label or run.name
    found = []
    if column in steps and len(steps[column]):
        x, y = _axis(steps, now), steps[column]
        if colour is None:
            found.append(line(*plots.thinned(x, y), "each"))
        mean = plots.thinned(x, plots.smoothed(y, amount))
        found.append(line(*mean, "train" if colour is None else "earlier", f"{label}, training", colour))
    if column in validation and len(validation[column]):
        look, dots = ("held-out", 3.0) if colour is None else ("earlier-held-out", 1.5)
        found.append(line(_axis(validation, now), validation[column], look, f"{label}, validation", colour, dots))
    return found
