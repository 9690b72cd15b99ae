"""What a tab may ask for: nothing that is refused is refused in silence."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from builder import templates
from builder.project import save
from builder.training.run import Run, new_run_folder
from builder.ui import actions, state, weights
from builder.ui.session import Action, Document
from builder.workspace import Workspace, WorkspaceError


@pytest.fixture
def looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Document:
    """A document whose project another tab has."""
    space = Workspace(tmp_path)
    document = Document.open(space, space.create(templates.load("lenet5")))
    document.read_only, document.lease_message = True, "This project is open in another tab."
    monkeypatch.setattr(state, "document", lambda: document)
    return document


@pytest.mark.parametrize("name", ["train", "continue", "pause", "resume", "step", "stop"])
def test_a_tab_that_only_looks_is_told_why_its_command_does_nothing(looking: Document, name: str) -> None:
    with pytest.raises(WorkspaceError, match="another tab"):
        actions.do(Action(name, {}))


def test_an_edit_of_a_tab_that_only_looks_is_told_too(looking: Document) -> None:
    before = looking.project
    looking.set_part("Rename", "name", "other")
    assert looking.project is before
    assert looking.notice is not None
    assert "another tab" in looking.notice.text


def test_an_error_goes_when_a_training_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Workspace(tmp_path)
    document = Document.open(space, space.create(templates.load("lenet5")))
    started: list[Path] = []
    launcher = SimpleNamespace(start=started.append)
    for name, value in {"document": lambda: document, "runs": list, "workspace": lambda: space}.items():
        monkeypatch.setattr(state, name, value)
    for name, value in {"launcher": lambda: launcher, "choose_run": str, "show": str}.items():
        monkeypatch.setattr(state, name, value)
    monkeypatch.setattr(weights, "chosen", lambda: None)
    document.tell("The disk was full.", "error")
    actions.do(Action("train", {}))
    assert len(started) == 1
    assert document.notice is None


def test_what_is_not_known_is_said(looking: Document) -> None:
    with pytest.raises(ValueError, match="'fly'"):
        actions.do(Action("fly", {}))


def test_a_run_that_goes_on_without_the_changes_made_since_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = Workspace(tmp_path)
    document = Document.open(space, space.create(templates.load("mlp")))
    run = Run(new_run_folder(space.runs_place(document.project_id)))
    save(document.project, run.folder / "project.json")
    resumed: list[Path] = []
    launcher = SimpleNamespace(resume=lambda folder, lr: resumed.append(folder))
    for name, value in {"document": lambda: document, "run": lambda: run, "launcher": lambda: launcher}.items():
        monkeypatch.setattr(state, name, value)
    for name in ("choose_run", "show"):
        monkeypatch.setattr(state, name, str)
    document.set_part("Rename", "name", "another name")  # changes nothing of what is trained
    actions.do(Action("continue", {}))
    assert document.notice is None
    document.command("Remove", [{"op": "remove_node", "network": "network", "id": "fc2"}])
    actions.do(Action("continue", {}))
    assert document.notice is not None
    assert "without your changes" in document.notice.text
    assert resumed == [run.folder] * 2
