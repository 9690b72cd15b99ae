"""What can be asked for in the canvas: training commands, templates, projects."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable

from builder import templates
from builder.graph import Edge, Graph, Node
from builder.project import graph_to_json, to_json
from builder.shapes import Inner
from builder.training import client
from builder.training.client import StartError
from builder.training.job import prepare
from builder.training.run import LIVE, new_run_folder
from builder.ui import state
from builder.ui.session import Action
from builder.workspace import WorkspaceError


def do(action: Action) -> None:
    """Carry out one action. Raises ValueError, OSError, WorkspaceError or RuntimeError with a sentence."""
    known = _ACTIONS.get(action.name)
    if known is None:
        raise ValueError(f"The page asked for {action.name!r}, which this version does not know. Reload the page.")
    known(**action.args)


# --- training --------------------------------------------------------------------------------------


def train() -> None:
    """Start a new run of the project as it stands."""
    document = state.document()
    if document.read_only:
        return
    if any(run.state.status in LIVE for run in state.runs()):
        raise StartError("This project is already training. Stop that run first, or wait until it is done.")
    folder = new_run_folder(state.workspace().runs_place(document.project_id))
    try:
        prepare(document.project, folder)
        state.launcher().start(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # nothing was trained in it
        raise
    state.choose_run(folder.name)
    state.show("Curves")


def go_on(lr: float | None = None) -> None:
    """Continue the run that is looked at from its last checkpoint."""
    run = state.run()
    if run is None or state.document().read_only:
        return
    state.launcher().resume(run.folder, lr)
    state.choose_run(run.id)
    state.show("Curves")


def _command(name: str) -> Callable[[], None]:
    def give() -> None:
        run = state.run()
        if run is not None and not state.document().read_only:
            client.command(run.folder, name)

    return give


def set_lr(value: float) -> None:
    """Change the learning rate of the running training."""
    run = state.run()
    if run is not None and not state.document().read_only:
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


def ungroup(network: str, id: str) -> None:
    """Replace a composite by its inner blocks, which then can be edited."""
    document = state.document()
    graph = document.project.networks[network]
    report = document.report().nodes[network].get(id)
    if report is None or not report.inner:
        raise WorkspaceError(f"{id} has no inner blocks that are known yet. Connect its input first.")
    changed = unfolded(graph, graph.node(id), report.inner)
    document.command(f"Ungroup {id}", [{"op": "set_network", "network": network, "value": graph_to_json(changed)}])


def unfolded(graph: Graph, node: Node, inner: tuple[Inner, ...]) -> Graph:
    """The graph with a composite's inner blocks in its place, named ``<composite>_<inner>``."""
    names = {i.id: f"{node.id}_{i.id}" for i in inner}
    outside = {e.target_port: (e.source, e.source_port) for e in graph.incoming(node.id)}
    result = _result(inner)
    x, y = node.position
    placed = [
        dataclasses.replace(
            node, id=names[part.id], block=part.block, position=(x + 160.0 * i, y), folded=True, note=""
        )
        for i, part in enumerate(inner)
    ]
    wires = []
    for part in inner:
        for port, source in zip(part.block.ports(), part.sources, strict=True):
            from_id, from_port = outside.get(source, (names.get(source, source), "out"))
            wires.append((from_id, from_port, names[part.id], port.name))
    nodes: list[Node] = []
    width = 160.0 * (len(inner) - 1)
    for other in graph.nodes:
        if other.id == node.id:
            nodes.extend(placed)
        elif other.position[0] > x and abs(other.position[1] - y) < 200:
            nodes.append(dataclasses.replace(other, position=(other.position[0] + width, other.position[1])))
        else:
            nodes.append(other)
    kept = [e for e in graph.edges if node.id not in (e.source, e.target)]
    after = [Edge(names[result], "out", e.target, e.target_port) for e in graph.outgoing(node.id)]
    return Graph(tuple(nodes), (*kept, *(Edge(*w) for w in wires), *after))


def _result(inner: tuple[Inner, ...]) -> str:
    """The inner block whose output is the composite's: the one that no other reads."""
    read = {source for part in inner for source in part.sources}
    return next(part.id for part in reversed(inner) if part.id not in read)


def show(panel: str) -> None:
    """Bring a panel to the front."""
    state.show(panel)


_ACTIONS: dict[str, Callable[..., None]] = {
    "train": train,
    "continue": go_on,
    "pause": _command("pause"),
    "resume": _command("resume"),
    "step": _command("step"),
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
    "ungroup": ungroup,
    "show": show,
}
