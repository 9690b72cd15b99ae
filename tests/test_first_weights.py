"""What the next training begins with is part of the project: it outlives the page, can be undone, and is exported."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import spiral_mlp
from safetensors.torch import load, load_file, save
from streamlit.testing.v1 import AppTest

import builder
from builder import cli, edits
from builder.export import export
from builder.first_weights import FILE, RUN, FirstWeights
from builder.project import Project, ProjectError, dumps, loads, to_json
from builder.training.client import Launcher
from builder.training.headless import train
from builder.training.job import Job, prepare
from builder.training.run import new_run_folder
from builder.training.weights import Beginning, WeightsError
from builder.ui import actions, state
from builder.ui.session import Action, Document
from builder.workspace import KEPT_WEIGHTS, Workspace

APP = str(Path(__file__).parents[1] / "app.py")
SHORT = {"epochs": 1, "batch_size": 64}


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Launcher, "ready", lambda *_: None)  # no process is kept warm for these tests
    return Workspace(tmp_path / "home")


def visit(id: str, panel: str = "Loss & optimizer") -> AppTest:
    """A page of its own, as a reload, another tab or a server started anew draws it."""
    page = AppTest.from_file(APP, default_timeout=120)
    page.session_state[state.PANEL] = state.Front(panel)
    page.query_params["project"] = id
    page.run()
    assert not page.exception, page.exception
    return page


def document(page: AppTest) -> Document:
    found: Document = page.session_state["document"]
    return found


def drawn(project: Project, seed: int) -> bytes:
    """A file of weights of the project's network, drawn from this seed."""
    torch.manual_seed(seed)
    return save({f"network.{name}": t for name, t in builder.compile(project)["network"].state_dict().items()})


def said(page: AppTest) -> str:
    return "\n".join(e.value for e in (*page.caption, *page.error, *page.warning, *page.info))


# --- in the file ----------------------------------------------------------------------------------------------------


def test_the_choice_is_written_and_read_and_left_out_where_there_is_none() -> None:
    project = spiral_mlp()
    assert "weights" not in to_json(project)
    for value in (FirstWeights(FILE, "0123abcd", "ten.pt", True), FirstWeights(RUN, "20260101-101010", "Run 1")):
        assert loads(dumps(project.replace(weights=value))) == project.replace(weights=value)
    changed = edits.apply(project, [edits.set_part("weights", FirstWeights(FILE, "ab", "x").to_json())])
    assert changed.weights == FirstWeights(FILE, "ab", "x")
    assert edits.apply(changed, [edits.set_part("weights", None)]) == project


@pytest.mark.parametrize(
    "change",
    [
        {"source": "elsewhere"},
        {"key": "../../etc/passwd"},
        {"key": ""},
        {"key": "a" * 65},
        {"key": 3},
        {"name": None},
        {"name": "n" * 201},
        {"partial": 1},
    ],
)
def test_a_choice_that_is_none_is_refused_with_its_place(change: dict[str, Any]) -> None:
    good = FirstWeights(FILE, "0123", "ten.pt").to_json()
    with pytest.raises(ProjectError, match=r"weights\."):
        loads(json.dumps({**to_json(spiral_mlp()), "weights": {**good, **change}}))


# --- in the workspace -----------------------------------------------------------------------------------------------


def test_the_last_files_of_weights_are_kept_and_equal_ones_once(space: Workspace) -> None:
    id = space.create(spiral_mlp())
    keys = [space.keep_weights(id, bytes([i])) for i in range(KEPT_WEIGHTS)]
    assert space.keep_weights(id, bytes([0])) == keys[0]
    last = space.keep_weights(id, b"another")
    assert space.weights(id, keys[1]) is None  # the oldest, since the first has been handed in again
    for key, content in ((keys[0], b"\0"), (last, b"another")):
        path = space.weights(id, key)
        assert path is not None
        assert path.read_bytes() == content
    assert space.weights(id, "../project.json") is None


def test_a_copy_of_a_project_takes_its_file_of_weights_along(space: Workspace) -> None:
    project = spiral_mlp()
    id = space.create(project)
    key = space.keep_weights(id, drawn(project, 1))
    space.save(id, project.replace(weights=FirstWeights(FILE, key, "ten.safetensors")), 2)
    copy = space.duplicate(id)
    assert space.open(copy).project.weights == FirstWeights(FILE, key, "ten.safetensors")
    assert space.weights(copy, key) is not None
    space.save(id, project.replace(weights=FirstWeights(RUN, "20260101-101010", "Run 1")), 3)
    assert space.open(space.duplicate(id)).project.weights is None  # a copy has no runs


# --- on the page ----------------------------------------------------------------------------------------------------


def test_a_run_chosen_outlives_the_page_and_can_be_taken_out(space: Workspace) -> None:
    id = space.create(spiral_mlp(training=SHORT))
    run = train(space.open(id).project, run_folder=new_run_folder(space.runs_place(id)))
    page = visit(id)
    page.selectbox(key="weights.source.0").select(run.id).run()
    held = document(page)
    assert held.project.weights == FirstWeights(RUN, run.id, "Run 1", True)
    assert [c["edits"] for c in held.commands] == [[edits.set_part("weights", held.project.weights.to_json())]]
    assert "The next run begins with what Run 1 has learned" in said(page)

    again = visit(id)  # another session; nothing of the first is left but what is on disk
    assert again.selectbox(key="weights.source.0").value == run.id
    assert "All 4 tensors of Run 1 fit" in said(again)

    space.delete_run(id, run.id)
    gone = visit(id)
    assert gone.selectbox(key="weights.source.0").value == run.id
    assert "that run is no longer there" in said(gone)
    gone.selectbox(key="weights.source.0").select("drawn").run()
    assert document(gone).project.weights is None
    assert space.open(id).project.weights is None
    assert "no longer there" not in said(visit(id))


def test_a_file_handed_in_outlives_the_page(space: Workspace) -> None:
    project = spiral_mlp(training=SHORT)
    id = space.create(project)
    page = visit(id)
    page.selectbox(key="weights.source.0").select("file").run()
    page.file_uploader(key="weights.file").upload("mine.safetensors", drawn(project, 1)).run()
    assert not page.exception
    first = document(page).project.weights
    assert first is not None
    assert (first.source, first.name) == (FILE, "mine.safetensors")
    page.file_uploader(key="weights.file").upload("other.safetensors", drawn(project, 2)).run()
    second = document(page).project.weights
    assert second is not None
    assert second.key != first.key

    again = visit(id)
    assert document(again).project.weights == second
    assert again.selectbox(key="weights.source.0").value == "file"
    assert "All 4 tensors of other.safetensors fit, matched by name." in said(again)
    document(again).set_part("as undo does", "weights", first.to_json())
    again.run()
    assert "All 4 tensors of mine.safetensors fit, matched by name." in said(again)
    (space.place(id) / "weights" / first.key).unlink()
    assert "Hand it in again" in said(visit(id))


def test_what_fits_of_a_file_is_taken_where_it_is_wished(space: Workspace) -> None:
    project = spiral_mlp(training=SHORT)
    graph = project.networks["network"]
    fc2 = graph.node("fc2")
    other = dataclasses.replace(fc2, id="head")
    id = space.create(project.with_network("network", graph.renamed("fc2", other.id)))
    key = space.keep_weights(id, save({k: v for k, v in load(drawn(project, 1)).items() if "fc1" in k}))
    document(visit(id)).set_part("choose", "weights", FirstWeights(FILE, key, "part.safetensors").to_json())
    page = visit(id)
    assert "Choose a partial load" in said(page)
    page.toggle(key=f"weights.partial.{key}.0").set_value(True).run()
    assert "Kept: fc1. Drawn anew: head." in said(page)
    assert "Kept: fc1. Drawn anew: head." in said(visit(id))


def test_a_file_that_is_asked_for_but_not_handed_in_changes_nothing(space: Workspace) -> None:
    id = space.create(spiral_mlp())
    page = visit(id)
    page.selectbox(key="weights.source.0").select("file").run()
    assert page.selectbox(key="weights.source.0").value == "file"
    assert document(page).project.weights is None
    assert not document(page).commands
    assert not page.error
    assert visit(id).selectbox(key="weights.source.0").value == "drawn"


def test_training_starts_with_them_in_a_new_session_or_says_why_not(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []

    class Starts:
        def start(self, folder: Path) -> None:
            started.append(folder)

    project = spiral_mlp(training=SHORT)
    id = space.create(project)
    key = space.keep_weights(id, drawn(project, 1))
    space.save(id, project.replace(weights=FirstWeights(FILE, key, "mine.safetensors")), 2)
    held = Document.open(space, id)
    monkeypatch.setattr(state, "document", lambda: held)
    monkeypatch.setattr(state, "launcher", Starts)
    monkeypatch.setattr(state, "choose_run", lambda _: None)
    actions.do(Action("train", {}))
    (folder,) = started
    begun, given = load_file(folder / "initial.safetensors"), load(drawn(project, 1))
    assert begun.keys() == given.keys()
    assert all(torch.equal(begun[name], given[name]) for name in given)
    shutil.rmtree(folder)
    (space.place(id) / "weights" / key).unlink()
    with pytest.raises(WeightsError, match="no longer holds that file"):
        actions.do(Action("train", {}))
    assert space.runs(id) == []


# --- in exports -----------------------------------------------------------------------------------------------------


def test_an_export_holds_them_and_train_py_told_so_gives_the_page_s_losses(tmp_path: Path) -> None:
    project = spiral_mlp(training=SHORT)
    (tmp_path / "mine.safetensors").write_bytes(drawn(project, 1))
    begin = Beginning(tmp_path / "mine.safetensors", "mine.safetensors")
    folder = export(project, tmp_path / "export", begin=begin)
    readme = (folder / "README.txt").read_text()
    assert "initial.safetensors  what the next training on the page begins with. All 4 tensors" in readme
    page = list(Job(prepare(project, tmp_path / "run", begin.source)).loop.run())
    for options, same in ((["--weights", "initial.safetensors"], True), ([], False)):
        done = subprocess.run(
            [sys.executable, "train.py", "--json", *options], cwd=folder, capture_output=True, text=True, check=True
        )
        assert ([json.loads(line) for line in done.stdout.splitlines()][:-1] == page) == same


def test_weights_that_do_not_fit_are_in_no_export(tmp_path: Path) -> None:
    wide = spiral_mlp()
    graph = wide.networks["network"]
    fc1 = graph.node("fc1")
    other = dataclasses.replace(fc1, block=fc1.block.replace(out_features=fc1.block.out_features + 1))  # type: ignore[union-attr]
    (tmp_path / "mine.safetensors").write_bytes(drawn(wide, 1))
    begin = Beginning(tmp_path / "mine.safetensors", "mine.safetensors")
    with pytest.raises(WeightsError, match=r"Nothing in mine\.safetensors fits"):
        export(wide.with_network("network", graph.with_node(other)), tmp_path / "export", begin=begin)


def test_the_page_says_what_an_export_does_with_them(space: Workspace) -> None:
    project = spiral_mlp(training=SHORT)
    id = space.create(project)
    assert "initial.safetensors" not in said(visit(id, "Export"))
    key = space.keep_weights(id, drawn(project, 1))
    space.save(id, project.replace(weights=FirstWeights(FILE, key, "mine.safetensors")), 2)
    assert "it begins with those of mine.safetensors, as the next run here does" in said(visit(id, "Export"))
    (space.place(id) / "weights" / key).unlink()
    assert "What the next run begins with is left out." in said(visit(id, "Export"))


def test_the_command_line_says_that_it_draws_them_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "project.json"
    project = spiral_mlp(training=SHORT)
    builder.save(project.replace(weights=FirstWeights(RUN, "20260101-101010", "Run 1")), file)
    assert cli.main(["check", str(file)]) == 0
    assert "training begins with the weights of Run 1; here they are drawn anew" in capsys.readouterr().err
