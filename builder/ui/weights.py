"""What the next run begins with: weights drawn anew, those of an earlier run, or those of a file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import streamlit as st
from torch import Tensor

from builder.first_weights import FILE, RUN, FirstWeights
from builder.project import Project, ProjectError, to_json
from builder.training import weights
from builder.training.checkpoint import save_weights
from builder.training.match import Match
from builder.training.run import Run
from builder.training.weights import Beginning, WeightsError
from builder.ui import fields, state
from builder.workspace import WorkspaceError

DRAWN = "drawn"
_ASKED = "weights.asked"
"""In the session: the project for which a file is asked for that is not handed in yet."""


def chosen() -> Beginning | None:
    """What the next run of the open project begins with; None for weights drawn anew.

    Raises WeightsError when what was chosen is no longer there.
    """
    document = state.document()
    now = document.project.weights
    if now is None:
        return None
    space = state.workspace()
    if now.source == FILE:
        file = space.weights(document.project_id, now.key)
        if file is not None:
            return Beginning(file, now.name, now.partial)
        raise WeightsError(
            f"The next run is to begin with the weights of {now.name}, but this project's folder no longer holds that "
            "file. Hand it in again under First weights, or draw the weights anew."
        )
    run = space.run(document.project_id, now.key)
    if run is not None:
        return Beginning(run, run.name, True)
    raise WeightsError(
        f"The next run is to begin with what {now.name} has learned, but that run is no longer there. "
        "Choose another one under First weights, or draw the weights anew."
    )


def shortly() -> str:
    """What is chosen, in a few words; empty for weights drawn anew."""
    now = state.document().project.weights
    if now is None:
        return ""
    told = f"the weights of {now.name}" if now.source == FILE else f"what {now.name} has learned"
    return f"The next run begins with {told}"


def panel() -> None:
    """The choice, and what of it fits the network."""
    st.markdown("##### First weights")
    document = state.document()
    now = document.project.weights
    runs = {run.id: run.name for run in reversed(state.runs()) if run.weights() is not None}
    if now is not None and now.source == RUN:
        runs.setdefault(now.key, now.name)  # shown though it is gone, so that it can be seen and taken out
    asked = now is None and st.session_state.get(_ASKED) == document.project_id
    shown = FILE if asked or (now is not None and now.source == FILE) else DRAWN if now is None else now.key
    offered = [DRAWN, *runs, FILE]
    widget = fields.shows("weights.source", shown)

    def choose() -> None:
        picked = st.session_state[widget]
        if picked not in offered:
            return  # a label that has changed since the browser has it: nobody chose it
        st.session_state[_ASKED] = document.project_id if picked == FILE else ""
        before = document.project.weights
        if picked in runs:
            _set(FirstWeights(RUN, picked, runs[picked], True))
        elif before is not None and (picked, before.source) != (FILE, FILE):
            _set(None)

    st.selectbox(
        "The next run begins with",
        offered,
        offered.index(shown),
        key=widget,
        on_change=fields.answers(widget, choose),
        format_func=lambda id: {DRAWN: "weights drawn anew", FILE: "weights from a file"}.get(
            id, f"what {runs[id]} has learned" if id in runs else id
        ),
        help="An edited network keeps what its unchanged blocks have learned when it begins with an earlier run.",
    )
    if shown == FILE:
        _upload(now)
    try:
        begin = chosen()
        found = None if begin is None else _matched(begin)
    except (WeightsError, ProjectError, ValueError) as error:
        st.error(str(error))
        return
    if begin is None or found is None:
        return
    if found.whole:
        st.caption(f":material/check: {found.sentence()}")
        return
    if now is not None and now.source == FILE:
        partial = fields.shows(f"weights.partial.{now.key}", now.partial)

        def allow() -> None:
            _set(FirstWeights(now.source, now.key, now.name, st.session_state[partial]))

        answer = fields.answers(partial, allow)
        st.toggle("Take what fits", now.partial, key=partial, on_change=answer, help="Everything else is drawn anew.")
        if not now.partial:
            st.warning(found.refusal())
            return
    st.caption(found.blocks())
    with st.expander("What fits and what does not"):
        st.markdown(found.sentence())


def _set(value: FirstWeights | None) -> None:
    label = "Draw the first weights anew" if value is None else f"Begin with the weights of {value.name}"
    state.set_part(label, "weights", None if value is None else value.to_json())


def _upload(now: FirstWeights | None) -> None:
    another = f"Another file than {now.name}" if now is not None else "A file"
    given = st.file_uploader(f"{another}: safetensors, or a .pt file that holds a state_dict", key="weights.file")
    document = state.document()
    if given is None or st.session_state.get("weights.taken") == (document.project_id, given.file_id):
        return

    def take() -> None:
        key = state.workspace().keep_weights(document.project_id, given.getvalue())
        st.session_state["weights.taken"] = (document.project_id, given.file_id)
        _set(FirstWeights(FILE, key, _name(given.name)))

    try:
        state.uninterrupted(take)
    except WorkspaceError as error:
        st.error(str(error))
        return
    st.rerun()


def keep(name: str, states: dict[str, dict[str, Tensor]]) -> FirstWeights:
    """Keep the weights of a file of this name that was opened. Raises OSError or WorkspaceError."""
    with tempfile.TemporaryDirectory(prefix="layerloom-") as place:
        path = Path(place) / "weights"
        save_weights(path, states, {})
        key = state.workspace().keep_weights(state.document().project_id, path.read_bytes())
    return FirstWeights(FILE, key, _name(name))


def at_hand(value: FirstWeights | None) -> bool:
    """Whether the open project has what this choice of an opened file names."""
    space, id = state.workspace(), state.document().project_id
    if value is None:
        return True
    return (space.weights(id, value.key) if value.source == FILE else space.run(id, value.key)) is not None


def _name(name: str) -> str:
    return name[-200:] or "a file"


def usable(begin: Beginning) -> None:
    """Raise WeightsError unless a run of the open project can begin with these."""
    weights.fits(_matched(begin), begin.partial)


def _matched(begin: Beginning) -> Match:
    """What of the source fits; looked at anew only when the source or the networks have changed."""
    path = begin.source.weights() if isinstance(begin.source, Run) else begin.source
    stamp = path.stat().st_mtime_ns if path is not None and path.exists() else 0
    project = state.document().project
    networks = json.dumps({key: to_json(project)[key] for key in ("networks", "blocks")}, sort_keys=True)
    key = (str(path), stamp, begin.name, networks)
    if st.session_state.get("weights.matched_of") != key:
        st.session_state["weights.matched"] = _match(begin, project)
        st.session_state["weights.matched_of"] = key
    found: Match = st.session_state["weights.matched"]
    return found


def _match(begin: Beginning, project: Project) -> Match:
    return weights.find(begin.source, project, begin.name)[1]
