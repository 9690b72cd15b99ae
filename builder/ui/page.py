"""The page: the editor on top, live data beside it, and the chosen panel below."""

from __future__ import annotations

import functools
import gc
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value

from builder import data as datasets
from builder import tasks, templates, validate
from builder.canvas.catalogue import catalogue_json
from builder.canvas.component import assets, editor, feed, gallery_item, packed
from builder.project import Project
from builder.training.estimate import duration, estimate
from builder.training.run import LIVE, Run
from builder.training.snapshot import Snapshot
from builder.ui import actions, code, curves, data, download, fields, inside, live, objective, results, state
from builder.ui.session import Document
from builder.workspace import WorkspaceError

EDITOR = "editor"
_ICON = str(Path(__file__).parent / "icon.png")
TICK = 0.4
"""Seconds between two pictures of a training; 1.5 a second are promised."""
IDLE = 2.0
ENOUGH = 20
"""Steps of a run after which the time that they took says what the next will take."""
AHEAD = 0.06
"""Seconds by which the answer to an edit comes before the rest of the page, which the browser would draw first."""

_STYLE = """
<style>
header[data-testid="stHeader"] { display: none; }
.stMainBlockContainer, .block-container { padding: 0 0 24px 0 !important; max-width: none !important; }
.stApp [data-testid="stVerticalBlock"] { gap: 0.45rem; }
.st-key-below { padding: 0 16px; margin-top: -14px; }
.st-key-quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; }
.stApp [data-testid="stStatusWidget"] { display: none; }
.stTabs [data-baseweb="tab-list"] { gap: 1.1rem; }
.stApp [data-stale="true"] { opacity: 1 !important; transition: none !important; }
.st-key-below [data-testid="stWidgetLabel"] { min-height: 0; margin-bottom: 1px; }
.st-key-below [data-testid="stWidgetLabel"] p { font-size: 0.8rem; }
.st-key-below [data-testid="stNumberInputContainer"], .st-key-below .react-aria-ComboBox [role="group"],
.st-key-below [data-testid="stTextInputRootElement"] { height: 2rem; min-height: 2rem; }
.st-key-below [data-testid="stNumberInputContainer"] button { width: 1.5rem; }
.st-key-below .react-aria-ComboBox input { padding-top: 0; padding-bottom: 0; }
.st-key-below [data-testid="stCaptionContainer"] p { font-size: 0.8rem; line-height: 1.35; }
.st-key-below [data-testid="stCaptionContainer"] code { font-size: 0.78rem; color: inherit; padding: 0.05rem 0.2rem; }
/* A panel that was just clicked is empty until the server has answered. */
.st-key-below [role="tabpanel"]:not(:has([data-testid="stElementContainer"]))::before { content: "This panel is on its way …";
  display: block; padding: 6px 0 60px; font-size: 0.875rem; opacity: 0; animation: on-its-way 0.15s 0.15s forwards; }
@keyframes on-its-way { to { opacity: 0.65; } }
.st-key-below [data-testid="stBaseButton-tertiary"] { min-height: 0; padding: 0; }
.st-key-below [data-testid="stBaseButton-tertiary"] p { font-size: 0.8rem; line-height: 1.35rem; }
.stApp h5 { padding: 0; font-size: 0.95rem; }
.stApp [data-testid="stMarkdownContainer"]:has(h5) { margin-bottom: 0; }
</style>
"""

_DARK = """<style>
.stApp [data-testid="stBaseButton-primary"] { color: #10131c; } /* white on a light blue could hardly be read */
</style>"""

_PANELS: dict[str, Callable[[], None]] = {
    "Data": data.panel,
    "Loss & optimizer": objective.panel,
    "Curves": curves.panel,
    "Inside": inside.panel,
    "Results": results.panel,
    "Code": code.panel,
    "Export": download.panel,
}


def page() -> None:
    """Draw everything. Called once per script run."""
    # A fragment leaves its own container as the one that is written to, and Streamlit takes it back only when the
    # fragment was cut off: without this the page would be drawn into a part of itself, and fall apart.
    context_dg_stack.set(get_default_dg_stack_value())
    st.set_page_config(page_title="Layerloom", page_icon=_ICON, layout="wide")
    fields.begin()
    st.html(_STYLE + (_DARK if st.context.theme.type == "dark" else ""))
    try:
        state.uninterrupted(_received)
        document = state.document()
    except WorkspaceError as error:
        st.error(str(error))
        st.stop()
    with st.container(key="quiet"):
        assets(_packed())
    _answer(document)
    with st.container(key="below"):
        _live()
        front = state.front()
        tabs = st.tabs(list(state.PANELS), default=front.asked, key=front.key, on_change="rerun")
        for name, tab in zip(state.PANELS, tabs, strict=True):
            if tab.open:
                with tab:
                    _PANELS[name]()
    fields.end()
    _warm(document.project.data.name, document.project.data.settings)
    _settle()


def _answer(document: Document) -> None:
    """Draw the editor with what there is to say to its last message; only then comes the disk, which may take its time."""
    said = document.data()
    editor({**said, "projects": _projects(), "gallery": [], "steps": _steps()}, EDITOR)
    told = document.notice
    document.save()
    if document.notice is not told:
        st.rerun()
    if st.session_state.get("answered") != said["ack"]:
        st.session_state["answered"] = said["ack"]
        time.sleep(AHEAD)


def _received() -> None:
    """If a snapshot has come from the browser, take it in, then do what was asked for."""
    snapshot = (st.session_state.get(EDITOR) or {}).get("snap")
    if not snapshot or state.document().has(snapshot):
        return
    wanted = state.document().ingest(snapshot)
    if wanted:
        state.document().save()  # what is done may read the project from the disk
    for action in wanted:
        try:
            actions.do(action)
        except (WorkspaceError, ValueError, OSError, RuntimeError) as error:
            state.document().tell(str(error), "error")


@functools.cache
def _settle() -> None:
    """Once per server, after the first page: leave what has been imported out of all searches for garbage.

    torch and its kin are 370,000 objects. To look through them takes 0.2 s, in which no thread runs, not even the
    one that sends answers. For the same reason `.streamlit/config.toml` turns the search after every script run off.
    """
    gc.collect()
    gc.freeze()


# --- beside the document ---------------------------------------------------------------------------


@functools.cache
def _packed() -> bytes:
    """The catalogue and the gallery."""
    return packed(catalogue_json(), _gallery())


def _gallery() -> list[dict[str, Any]]:
    # Their sizes are written in the files: to check thirty networks would hold up the first page for seconds.
    cards = []
    for name in templates.names():
        about = templates.about(name)
        project = templates.load(name)
        card = gallery_item(
            name,
            project,
            label=about.title,
            about=about.text,
            group=about.family,
            parameters=about.parameters,
            lesson=about.lesson or None,
            task=tasks.find(project.task.name).label if project.task.name in tasks.names() else "",
            data=datasets.find(project.data.name).label if project.data.name in datasets.names() else "",
        )
        cards.append(card)
    return cards


def _projects() -> list[dict[str, Any]]:
    return [
        {"id": e.id, "name": e.name, "modified": e.modified, "size": e.size, "runs": e.runs}
        for e in state.workspace().projects()
    ]


def _steps() -> dict[str, str]:
    """One line for each of the four steps: data, loss, train (the architecture is the canvas itself)."""
    project = state.document().project
    parts = validate.look_up(project, [])
    found = {}
    if parts.dataset is not None:
        sizes = parts.dataset.size_hint()
        told = f", {sizes['train']:,} to train" if sizes and "train" in sizes else ""
        found["data"] = f"{parts.dataset.label}{told}"
    if parts.loss is not None:
        optimizer = next(iter(project.optimizer.values()), None)
        rate = "" if optimizer is None else f", {optimizer.name} at {optimizer.settings.get('lr', 0.001):g}"
        found["loss"] = f"{parts.loss.label}{rate}"
    if parts.training is not None:
        epochs = parts.training.epochs
        found["train"] = f"{epochs} {'epoch' if epochs == 1 else 'epochs'}, batches of {parts.training.batch_size}"
        cost = estimate(project, state.document().report(), parts)
        if cost is not None:
            taken = _taken(project)  # by a run of just this; it knows what the machine does besides
            factor = 1.0 if taken is None else taken / cost.step
            memory = (
                f"{cost.memory / 2**30:.1f} of {validate.machine_memory() / 2**30:.0f} GB"
                if cost.memory > 2**30 / 20
                else f"{max(1, cost.memory / 2**20):.0f} MB"
            )
            whole = "" if cost.epoch is None else f", {duration(cost.epoch * factor * parts.training.epochs)} in all"
            found["train"] += f": about {duration(cost.step * factor)} a step{whole}; {memory} of memory"
    return found


def _taken(project: Project) -> float | None:
    """Seconds a step took in the run that is looked at, if it trained the project as it stands."""
    run = state.run()
    now = None if run is None else run.state
    if run is None or now is None or now.step < ENOUGH or now.seconds <= 0 or _edited(run, project):
        return None
    return now.seconds / now.step


@functools.lru_cache(maxsize=4)
def _warmed(name: str, settings: str) -> None:
    state.launcher().ready({"name": name, "settings": json.loads(settings)})


def _warm(name: str, settings: dict[str, Any]) -> None:
    """Keep a training process warm, with the project's data if that needs no download.

    It comes last: large data take a processor of their own for some seconds, which the canvas needs at first.
    """
    if name:
        _warmed(name, json.dumps(settings, sort_keys=True))


# --- live --------------------------------------------------------------------------------------------


def _live() -> None:
    """The feed repeats by itself, faster while something trains; nothing else of the page runs again for it."""
    run = state.run()
    running = run is not None and run.state.status in LIVE
    st.fragment(_feed, run_every=TICK if running else IDLE)(running)


@dataclass(frozen=True)
class _Made:
    """What was made of a run's project and of the pictures of one time; kept until there are newer ones."""

    run: str
    time: Any
    project: Project
    kinds: live.Kinds
    pictured: dict[str, dict[str, str]]
    told: dict[str, Any]


def _looked_into(document: Document, run: Run, probe: Snapshot, ended: bool) -> dict[str, Any]:
    """The run's pictures of those blocks that are still as it trained them, and its sample in its own words.

    A run that has `ended` has none for another network or for other data.
    """
    made: _Made | None = st.session_state.get("looked_into")
    if made is None or made.run != run.id or made.time != probe.info.get("time"):
        project = made.project if made is not None and made.run == run.id else live.trained(run)
        if project is None:
            return {"thumbnails": {}}
        kinds = made.kinds if made is not None and made.run == run.id else live.kinds(project)
        pictured, told = live.thumbnails(project, probe), live.probe_json(project, probe)
        made = _Made(run.id, probe.info.get("time"), project, kinds, pictured, told)
        st.session_state["looked_into"] = made
    now = live.kinds(document.project, document.report())
    other = made.project.data.name != document.project.data.name or not live.akin(made.kinds, now)
    if ended and other:
        return {"thumbnails": {}}
    return {"thumbnails": live.standing(made.pictured, made.kinds, now), "probe": made.told}


def _edited(run: Run, project: Project) -> bool:
    """Whether the project has been changed since the run; looked at anew only when the project is another."""
    kept: tuple[str, Project, bool] | None = st.session_state.get("edited")
    if kept is None or kept[0] != run.id or kept[1] is not project:
        kept = (run.id, project, live.edited(run, project))
        st.session_state["edited"] = kept
    return kept[2]


def _feed(was_running: bool) -> None:
    document = state.document()
    could_write = not document.read_only
    if document.hold() != could_write or document.refresh_read_only():
        st.rerun(scope="app")
    run = state.run()
    now = None if run is None else run.state
    ended = now is not None and now.status not in LIVE
    pictured: dict[str, Any] = {"thumbnails": {}}
    if run is not None:
        probe = run.probe()
        pictured = {} if probe is None else _looked_into(document, run, probe, ended)
    if run is not None and ended and not live.belongs(run, document.project):
        run = now = None  # an ended run of other blocks says nothing about this network as a whole
        pictured = {"thumbnails": pictured.get("thumbnails", {})}
    edited = run is not None and ended and _edited(run, document.project)
    # Equal data are not handed on: the time says that the server is there, also while a run is paused.
    told: dict[str, Any] = {"run": live.run_json(run, now) | {"edited": edited}, "at": time.time()}
    told["saved"] = {"project_id": document.project_id, "rev": document.saved_rev}
    feed(told | pictured, "feed")
    if was_running != (now is not None and now.status in LIVE):
        st.rerun(scope="app")
