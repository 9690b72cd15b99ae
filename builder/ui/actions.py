"""What can be asked for in the canvas: training commands, templates, projects."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from builder import fold, templates, unfold
from builder.graph import Graph
from builder.library import Library
from builder.project import to_json
from builder.training import client
from builder.training.client import StartError
from builder.training.job import prepare
from builder.training.run import LIVE, new_run_folder
from builder.training.weights import told
from builder.ui import live, state, weights
from builder.ui.session import Action, Document
from builder.workspace import WorkspaceError


def do(action: Action) -> None:
    """Carry out one action. Raises ValueError, OSError, WorkspaceError or RuntimeError with a sentence."""
    known = _ACTIONS.get(action.name)
    if known is None:
        raise ValueError(f"The page asked for {action.name!r}, which this version does not know. Reload the page.")
    known(**action.args)


def _writable() -> Document:
    """The open document. Raises WorkspaceError when another tab has it, so that no command is lost unsaid."""
    document = state.document()
    if document.read_only:
        raise WorkspaceError(document.lease_message or "This project is open in another tab. Take over to change it.")
    return document


# --- training --------------------------------------------------------------------------------------


def train() -> None:
    """Start a new run of the project as it stands."""
    document = _writable()
    if any(run.state.status in LIVE for run in state.runs()):
        raise StartError("This project is already training. Stop that run first, or wait until it is done.")
    folder = new_run_folder(state.workspace().runs_place(document.project_id))
    try:
        begin = weights.chosen()
        if begin is None:
            prepare(document.project, folder)
        else:
            prepare(document.project, folder, begin.source, begin.partial, begin.name)
        state.launcher().start(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # nothing was trained in it
        raise
    document.retract("error", "info")  # of another run
    if told(folder):
        document.tell(told(folder))
    state.choose_run(folder.name)
    state.show("Curves")


def go_on(lr: float | None = None) -> None:
    """Continue the run that is looked at from its last checkpoint."""
    document = _writable()
    run = state.run()
    if run is None:
        return
    state.launcher().resume(run.folder, lr)
    document.retract("error", "info")  # of another run
    if live.edited(run, document.project):
        document.tell(
            f"{run.name} goes on as it was started, without your changes since. Train begins a run with them."
        )
    state.choose_run(run.id)
    state.show("Curves")


def _command(name: str) -> Callable[[], None]:
    def give() -> None:
        _writable()
        run = state.run()
        if run is not None:
            client.command(run.folder, name)

    return give


def step(slot: str | None = None) -> None:
    """Train one batch and pause; only this network learns from it, if one is named."""
    _writable()
    run = state.run()
    if run is not None:
        client.step(run.folder, slot)


def set_lr(value: float) -> None:
    """Change the learning rate of the running training."""
    _writable()
    run = state.run()
    if run is not None:
        client.set_learning_rate(run.folder, float(value))


# --- projects --------------------------------------------------------------------------------------


def open_template(name: str) -> None:
    """Put a starter project into the open document, as one undoable step."""
    try:
        project = templates.load(name)
    except KeyError:
        raise ValueError(f"There is no starter project called {name!r}.") from None
    state.change(f"Open {project.name}", [{"op": "replace_project", "value": to_json(project)}])


def new_project() -> None:
    """A new project with an empty canvas."""
    starter = templates.load(state.STARTER)
    state.new_project(starter.replace(name="untitled", networks={name: Graph() for name in starter.networks}))


def rename_project(id: str, name: str) -> None:
    """Rename a project; the open one through its document, so that undo covers it."""
    if id == state.document().project_id:
        state.set_part("Rename the project", "name", name)
    else:
        state.workspace().rename(id, name)


def duplicate_project(id: str) -> None:
    """Copy a project and open the copy."""
    state.document().save()
    state.open_project(state.workspace().duplicate(id))


def delete_project(id: str) -> None:
    """Move a project to the trash; if it is the open one, open another."""
    space = state.workspace()
    was_open = id == state.document().project_id
    if was_open:
        state.document().save()
    space.delete(id)
    if was_open:
        other = space.latest() or space.create(templates.load(state.STARTER))
        state.leave()
        state.open_project(other)


def restore_project(id: str) -> None:
    """Fetch a deleted project back and open it."""
    state.workspace().restore(id)
    state.open_project(id)


def take_over() -> None:
    """Make this the tab that writes."""
    state.document().hold(take=True)


# --- the canvas ------------------------------------------------------------------------------------


def make_block(network: str, nodes: list[str], name: str, exposed: dict[str, list[list[str]]]) -> None:
    """Make one block of these, and put a use of it in their place."""
    document = _writable()
    pairs = {argument: [(id, setting) for id, setting in targets] for argument, targets in exposed.items()}
    document.command(
        f"Make the block {name}", fold.make_block(document.project, document.report(), network, nodes, name, pairs)
    )


def ungroup(network: str, id: str) -> None:
    """Replace a composite by its inner blocks, which then can be edited."""
    document = _writable()
    document.command(f"Ungroup {id}", unfold.ungroup(document.project, document.report(), network, id))


def keep_block(name: str) -> None:
    """Keep an own block of this project in the library of the workspace."""
    document = state.document()
    Library(document.workspace.folder).save(name, document.project.blocks)


def forget_block(name: str) -> None:
    """Take a block out of the library; projects that use it have copies of their own."""
    Library(state.document().workspace.folder).remove(name)


def show(panel: str) -> None:
    """Bring a panel to the front."""
    state.show(panel)


_ACTIONS: dict[str, Callable[..., None]] = {
    "train": train,
    "continue": go_on,
    "pause": _command("pause"),
    "resume": _command("resume"),
    "step": step,
    "stop": _command("stop"),
    "set_lr": set_lr,
    "open_template": open_template,
    "new_project": new_project,
    "open_project": state.open_project,
    "rename_project": rename_project,
    "duplicate_project": duplicate_project,
    "delete_project": delete_project,
    "restore_project": restore_project,
    "take_over": take_over,
    "make_block": make_block,
    "ungroup": ungroup,
    "keep_block": keep_block,
    "forget_block": forget_block,
    "show": show,
}
