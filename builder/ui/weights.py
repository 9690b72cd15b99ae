"""What the next run begins with: weights drawn anew, those of an earlier run, or those of a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from torch import Tensor

from builder.project import Project, ProjectError, to_json
from builder.training import weights
from builder.training.checkpoint import save_weights
from builder.training.run import Run
from builder.training.weights import Match, WeightsError
from builder.ui import state

DRAWN, FILE = "drawn", "file"
UPLOAD = "weights.upload"
"""In a project's folder: the file of weights last handed in, under a name of ours."""
_CHOICE = "first_weights"
_MANY = 6
"""More blocks than this are counted, not named."""


@dataclass
class Choice:
    """What was chosen for a project: ``drawn``, ``file`` or a run's id; `partial` takes of a file what fits."""

    project: str
    source: str = DRAWN
    name: str = ""
    partial: bool = False


def choice() -> Choice:
    """The choice for the open project; weights are drawn unless told otherwise."""
    id = state.document().project_id
    found = st.session_state.get(_CHOICE)
    if not isinstance(found, Choice) or found.project != id:
        found = Choice(id)
        st.session_state[_CHOICE] = found
    return found


def chosen() -> tuple[Path | Run | None, bool]:
    """What `prepare` is to be given for the next run: the weights, and whether a part of them will do."""
    now = choice()
    if now.source == DRAWN:
        return None, False
    if now.source == FILE:
        return (_place(), now.partial) if now.name else (None, False)
    run = state.workspace().run(now.project, now.source)
    return run, True


def panel() -> None:
    """The choice, and what of it fits the network."""
    st.markdown("##### First weights")
    now = choice()
    runs = {run.id: run for run in reversed(state.runs()) if run.weights() is not None}
    if now.source not in (DRAWN, FILE, *runs):
        now.source = DRAWN
    st.session_state["weights.source"] = now.source

    def choose() -> None:
        now.source = st.session_state["weights.source"]

    st.selectbox(
        "The next run begins with",
        [DRAWN, *runs, FILE],
        key="weights.source",
        on_change=choose,
        format_func=lambda id: {DRAWN: "weights drawn anew", FILE: "weights from a file"}.get(
            id, f"what {runs[id].name} has learned" if id in runs else id
        ),
        help="An edited network keeps what its unchanged blocks have learned when it begins with an earlier run.",
    )
    if now.source == FILE:
        _upload(now)
    source, _ = chosen()
    if source is None:
        return
    try:
        found = _matched(source, now)
    except (WeightsError, ProjectError, ValueError) as error:
        st.error(str(error))
        return
    if found.whole:
        st.caption(f":material/check: {found.sentence()}")
        return
    if now.source == FILE:
        st.session_state["weights.partial"] = now.partial

        def allow() -> None:
            now.partial = st.session_state["weights.partial"]

        st.toggle("Take what fits", key="weights.partial", on_change=allow, help="Everything else is drawn anew.")
        if not now.partial:
            st.warning(found.refusal())
            return
    st.caption(_blocks(found))
    with st.expander("What fits and what does not"):
        st.markdown(found.sentence())


def _upload(now: Choice) -> None:
    given = st.file_uploader("A safetensors file, or a .pt file that holds a state_dict", key="weights.file")
    if given is None or st.session_state.get("weights.taken") == (now.project, given.file_id):
        return
    place = _place()
    place.write_bytes(given.getbuffer())
    now.name = given.name
    st.session_state["weights.taken"] = (now.project, given.file_id)


def take(name: str, states: dict[str, dict[str, Tensor]]) -> None:
    """Let the next run begin with these weights, of a file of this name that was opened. Raises OSError."""
    save_weights(_place(), states, {})
    now = choice()
    now.source, now.name, now.partial = FILE, name, False


def _place() -> Path:
    return state.workspace().place(state.document().project_id) / UPLOAD


def _matched(source: Path | Run, now: Choice) -> Match:
    """What of the source fits; looked at anew only when the source or the networks have changed."""
    path = source.weights() if isinstance(source, Run) else source
    stamp = path.stat().st_mtime_ns if path is not None and path.exists() else 0
    project = state.document().project
    networks = json.dumps({key: to_json(project)[key] for key in ("networks", "blocks")}, sort_keys=True)
    key = (str(path), stamp, networks)
    if st.session_state.get("weights.matched_of") != key:
        st.session_state["weights.matched"] = _match(source, project, now.name)
        st.session_state["weights.matched_of"] = key
    found: Match = st.session_state["weights.matched"]
    return found


def _match(source: Path | Run, project: Project, name: str) -> Match:
    return weights.find(source, project, name)[1]


def _blocks(found: Match) -> str:
    """Which blocks keep their weights and which begin anew."""
    kept, drawn = _named(found.kept), _named(found.drawn)
    return f"Kept: {kept or 'nothing'}. Drawn anew: {drawn or 'nothing'}."


def _named(nodes: tuple[str, ...]) -> str:
    single = len({node.partition(".")[0] for node in nodes}) <= 1
    names = [node.partition(".")[2] if single else node for node in nodes]
    return (
        ", ".join(names) if len(names) <= _MANY else f"{', '.join(names[:_MANY])} and {len(names) - _MANY} more blocks"
    )
