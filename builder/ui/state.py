"""What a page session remembers: the open document, the chosen run, the selected panel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from builder import project as files
from builder import templates
from builder.problems import Edit
from builder.project import Project
from builder.proposals import Proposal
from builder.training.client import Launcher
from builder.training.run import LIVE, Run
from builder.ui.session import Document
from builder.workspace import Workspace, WorkspaceError, empty_trash

PANELS = ("Data", "Loss & optimizer", "Curves", "Inside", "Results", "Code", "Export")
STARTER = "lenet5"
PANEL = "panel"


@st.cache_resource(show_spinner=False)
def launcher() -> Launcher:
    """One launcher per server: it keeps a training process warm."""
    return Launcher()


def uninterrupted(work: Callable[[], None]) -> None:
    """Do something as a whole. Raises what the work raises.

    When a newer message of the browser waits, Streamlit ends a script at its next use of the session's
    state, which would leave a command noted as done and not carried out. It does so in the script's own
    thread only, so the work is given one of its own.
    """
    raised: list[BaseException] = []

    def whole() -> None:
        try:
            work()
        except BaseException as error:  # raised again in the caller's thread
            raised.append(error)

    thread = add_script_run_ctx(threading.Thread(target=whole, daemon=True), get_script_run_ctx())
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def workspace() -> Workspace:
    """The workspace of this server."""
    return Workspace()


def document() -> Document:
    """The open document; on a first visit, a new project made from the starter. Raises WorkspaceError."""
    found: Document | None = st.session_state.get("document")
    if found is None:
        found = _first()
        context = get_script_run_ctx()
        found.connection, found.lives = "" if context is None else context.session_id, _lives
        st.session_state["document"] = found
        _address(found)
    return found


def _first() -> Document:
    """The project of the address, else the one changed last, else a new one made from the starter."""
    space = workspace()
    empty_trash(space.folder)
    wanted = st.query_params.get("project", "")
    try:
        if wanted and space.exists(wanted):
            return Document.open(space, wanted)
        latest = space.latest()
        if latest is not None and not wanted:
            return Document.open(space, latest)
        problem = "The project in the address is not in this workspace, so a new one was opened." if wanted else ""
    except WorkspaceError as error:  # damaged beyond its copies: the page must not be locked by it
        problem = f"{error} A new project was opened."
    found = Document.open(space, space.create(templates.load(STARTER)))
    if problem:
        found.tell(problem, "warning")
    return found


def _lives(connection: str) -> bool:
    """Whether the browser at this connection is still there."""
    return runtime.exists() and runtime.get_instance().is_active_session(connection)


def open_project(id: str) -> None:
    """Change to another project of the workspace. Raises WorkspaceError."""
    before = document()
    before.save()
    st.session_state["document"] = Document.open(workspace(), id, before)
    choose_run(None)
    _address(st.session_state["document"])


def new_project(project: Project) -> None:
    """Store a new project and open it."""
    open_project(workspace().create(project))


def _address(found: Document) -> None:
    st.query_params["project"] = found.project_id


def leave() -> None:
    """Forget the open project without saving it again: it has been deleted."""
    document().read_only = True


def runs() -> list[Run]:
    """The open project's runs, the oldest first; none when another tab has deleted the project."""
    try:
        return workspace().runs(document().project_id)
    except WorkspaceError:
        return []


def run() -> Run | None:
    """The run that is looked at: the chosen one, else one that trains, else the latest."""
    listed = runs()
    if not listed:
        return None
    chosen = st.session_state.get("run") or st.query_params.get("run")
    for found in listed:
        if found.id == chosen:
            return found
    return next((r for r in reversed(listed) if r.state.status in LIVE), listed[-1])


def choose_run(id: str | None) -> None:
    """Look at another run; the address follows."""
    st.session_state["run"] = id
    if id is None:
        st.query_params.pop("run", None)
    else:
        st.query_params["run"] = id


@dataclass(frozen=True)
class Front:
    """The panel that was asked for last: the how many-th time, which one, and which was in front until then."""

    asked: str = PANELS[0]
    before: str = PANELS[0]
    turn: int = 0

    @property
    def key(self) -> str:
        """The tabs' key, one of its own for each time a panel is asked for.

        A browser that does not know of it yet names the panel of the tabs it still shows: under another key that is
        never taken for a click on the new ones.
        """
        return f"{PANEL}.{self.turn}"

    def now(self) -> str:
        """The one that was clicked since, else the one asked for."""
        return str(st.session_state.get(self.key) or self.asked)


def front() -> Front:
    """What the tabs begin with."""
    found: Front = st.session_state.get(PANEL) or Front()
    late = st.session_state.get(f"{PANEL}.{found.turn - 1}") or found.before
    if late != found.before:  # clicked on the tabs before, after the new ones were asked for and before they came
        found = Front(str(late), found.now(), found.turn + 1)
    st.session_state[PANEL] = found
    return found


def show(panel: str) -> None:
    """Bring a panel to the front."""
    wanted = panel.strip().lower()
    for name in PANELS:
        if name.lower() == wanted or name.lower().startswith(wanted.split(" ")[0]):
            found = front()
            if found.now() != name:
                st.session_state[PANEL] = Front(name, found.now(), found.turn + 1)
            return


def change(label: str, edits: list[Edit]) -> None:
    """Send project edits to the document as one undoable step."""
    document().command(label, edits)


def set_part(label: str, part: str, value: Any) -> None:
    """Set one part of the project, as one undoable step."""
    document().set_part(label, part, value)


def propose(found: Proposal) -> None:
    """Send a proposal as one undoable step, and say what it brought along."""
    held = document()
    if found.remarks and held.would_change(list(found.edits)):  # told first: what cuts a callback off cuts it off here
        st.toast(f"{found.label}: it brings {_listed(found.remarks)}. Undo takes all of it back.", duration="long")
    held.command(found.label, list(found.edits))


def _listed(texts: tuple[str, ...]) -> str:
    """Texts as people list them; fixes begin with a capital letter, which within a sentence is none."""
    small = [text[:1].lower() + text[1:] for text in texts]
    return small[0] if len(small) == 1 else f"{', '.join(small[:-1])} and {small[-1]}"


def part(name: str) -> Any:
    """One part of the project as JSON, as the document holds it now."""
    return files.to_json(document().project)[name]
