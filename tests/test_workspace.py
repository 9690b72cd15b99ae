"""Projects on disk: nothing written is lost, and no id leads out of the workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder import project as files
from builder.leases import LEASE_SECONDS
from builder.project import Project
from builder.training.run import State, new_run_folder, write_state
from builder.workspace import Workspace, WorkspaceError, empty_trash, home


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def add_run(space: Workspace, id: str, status: str = "done", content: bytes = b"x" * 1000) -> Path:
    folder = new_run_folder(space.runs_place(id))
    files.save(space.open(id).project, folder / "project.json")
    (folder / "history.sqlite").write_bytes(content)
    write_state(folder, State(status=status, pid=os.getpid(), heartbeat=time.time()))
    return folder


def test_the_workspace_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path / "here"))
    assert home() == tmp_path / "here"
    monkeypatch.delenv("LAYERLOOM_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == tmp_path / ".layerloom"


def test_a_project_comes_back_as_it_was_saved(space: Workspace) -> None:
    project = Project(name='a "name"\nwith __import__("os") and ünïcödé', training={"epochs": 3})
    id = space.create(project)
    opened = space.open(id)
    assert (opened.project, opened.revision, opened.notice) == (project, 1, "")
    space.save(id, project.replace(name="second"), 7)
    assert (space.open(id).project.name, space.open(id).revision) == ("second", 7)


def test_the_list_tells_name_size_runs_and_comes_latest_first(space: Workspace) -> None:
    first, second = space.create(Project(name="first")), space.create(Project(name="second"))
    add_run(space, first, content=b"x" * 5000)
    space.save(second, Project(name="renamed"), 2)
    listed = space.projects()
    assert [(e.id, e.name, e.runs) for e in listed] == [(second, "renamed", 0), (first, "first", 1)]
    assert listed[1].size > 5000 > listed[0].size > 0
    assert space.latest() == second


def test_an_empty_workspace_has_no_projects(space: Workspace) -> None:
    assert space.projects() == []
    assert space.latest() is None


@pytest.mark.parametrize(
    "id", ["", ".", "..", "../x", "a/b", "/etc", "..%2f", "x" * 100, "a\0b", "ABCDEF", "con nul", "abcd\n"]
)
def test_no_id_leads_out_of_the_workspace(space: Workspace, id: str) -> None:
    (space.folder / "projects").mkdir()
    (space.folder / "x").mkdir()
    for call in (space.place, space.open, space.delete, space.restore, space.runs, space.duplicate):
        with pytest.raises(WorkspaceError):
            call(id)
    assert not space.exists(id)


def test_a_run_named_like_a_path_is_not_found(space: Workspace) -> None:
    id = space.create(Project())
    add_run(space, id)
    assert space.run(id, "../../x") is None
    space.delete_run(id, "..")
    assert len(space.runs(id)) == 1


def test_rename_and_duplicate(space: Workspace) -> None:
    id = space.create(Project(name="net", training={"epochs": 9}))
    add_run(space, id)
    space.rename(id, "better")
    copy = space.duplicate(id)
    assert space.open(id).project.name == "better"
    assert space.open(copy).project == Project(name="better copy", training={"epochs": 9})
    assert space.runs(copy) == []


def test_a_deleted_project_comes_back_with_its_runs(space: Workspace) -> None:
    id = space.create(Project(name="kept"))
    add_run(space, id)
    space.delete(id)
    assert not space.exists(id)
    assert space.projects() == []
    space.restore(id)
    assert space.open(id).project.name == "kept"
    assert len(space.runs(id)) == 1


def test_a_training_project_is_not_deleted(space: Workspace) -> None:
    id = space.create(Project())
    folder = add_run(space, id, "running")
    with pytest.raises(WorkspaceError, match="Stop"):
        space.delete(id)
    with pytest.raises(WorkspaceError, match="Stop"):
        space.delete_run(id, folder.name)


def test_a_deleted_run_comes_back(space: Workspace) -> None:
    id = space.create(Project())
    run = add_run(space, id).name
    space.delete_run(id, run)
    assert space.run(id, run) is None
    space.restore_run(id, run)
    assert space.run(id, run) is not None
    with pytest.raises(WorkspaceError):
        space.restore_run(id, run)


def test_the_trash_keeps_a_month(space: Workspace) -> None:
    old, new = space.create(Project()), space.create(Project())
    space.delete(old)
    space.delete(new)
    past = time.time() - 40 * 86400
    os.utime(space.folder / "trash" / old, (past, past))
    empty_trash(space.folder)
    space.restore(new)
    with pytest.raises(WorkspaceError):
        space.restore(old)


# --- damage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b'{"format": 1, "na', b"\xff\xfe\x00", b"[]", b'{"format": 99}'])
def test_a_damaged_file_opens_from_its_last_good_copy_and_is_kept(space: Workspace, damage: bytes) -> None:
    id = space.create(Project(name="one"))
    space.save(id, Project(name="two"), 2)
    path = space.place(id)
    (path / "project.json").write_bytes(damage)
    opened = space.open(id)
    assert opened.project.name == "one"
    assert "damaged" in opened.notice
    kept = [p for p in path.iterdir() if p.name.startswith("damaged-")]
    assert [p.read_bytes() for p in kept] == [damage]
    assert space.open(id).notice == ""


def test_with_both_files_damaged_the_latest_run_helps(space: Workspace) -> None:
    id = space.create(Project(name="one"))
    add_run(space, id)
    for name in ("project.json", "previous.json"):
        (space.place(id) / name).write_bytes(b"{")
    opened = space.open(id)
    assert opened.project.name == "one"
    assert "run" in opened.notice


def test_beyond_help_it_is_a_sentence_and_the_file_stays(space: Workspace) -> None:
    id = space.create(Project())
    (space.place(id) / "project.json").write_bytes(b"{")
    with pytest.raises(WorkspaceError, match="no complete JSON"):
        space.open(id)
    assert (space.place(id) / "project.json").read_bytes() == b"{"


def test_damaged_meta_and_lease_do_no_harm(space: Workspace) -> None:
    id = space.create(Project(name="fine"))
    for name in ("meta.json", "lease.json"):
        (space.place(id) / name).write_bytes(b"\x00[")
    assert space.open(id).project.name == "fine"
    assert space.projects()[0].name == "fine"
    assert space.lease(id, "tab").mine


def test_killed_at_any_moment_the_file_is_whole(space: Workspace) -> None:
    """A process saves without pause and is killed ten times; every time the project opens without a notice."""
    id = space.create(Project(name="0"))
    code = (
        "import sys\nfrom pathlib import Path\nfrom builder.project import Project\nfrom builder.workspace import Workspace\n"
        "space = Workspace(Path(sys.argv[1]))\nprint('on', flush=True)\n"
        "for i in range(10**6): space.save(sys.argv[2], Project(name='x' * 150 + str(i), training={'n': i}), i)\n"
    )
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", code, str(space.folder), id], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.15)
        child.kill()
        child.wait()
        child.stdout.close()
        opened = space.open(id)
        assert opened.notice == ""
        assert opened.project.name.startswith("x")


# --- a place that cannot be written --------------------------------------------------------------------


def test_a_full_disk_is_a_sentence_and_the_old_file_stays(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    id = space.create(Project(name="old"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkspaceError, match=r"No space left on device.*edits stay in this browser"):
        space.save(id, Project(name="new"), 2)
    monkeypatch.undo()
    assert space.open(id).project.name == "old"
    assert not list(space.place(id).glob("*.part"))


def test_a_folder_in_the_way_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        Workspace(tmp_path / "file").create(Project())


def test_a_project_folder_that_vanished_is_a_sentence(space: Workspace) -> None:
    id = space.create(Project())
    shutil.rmtree(space.place(id))
    with pytest.raises(WorkspaceError):
        space.save(id, Project(), 2)


# --- the lease -----------------------------------------------------------------------------------------


def test_one_tab_writes_and_another_takes_over(space: Workspace) -> None:
    id = space.create(Project())
    assert space.lease(id, "a").mine
    second = space.lease(id, "b")
    assert not second.mine
    assert "another tab" in second.message
    assert space.lease(id, "b", take=True).mine
    assert not space.lease(id, "a").mine


def test_a_silent_tab_loses_its_lease(space: Workspace) -> None:
    id = space.create(Project())
    space.lease(id, "a")
    path = space.place(id) / "lease.json"
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, "time": time.time() - LEASE_SECONDS - 1}))
    assert space.lease(id, "b") == space.lease(id, "b").__class__(True, fresh=True)
    assert not space.lease(id, "a").mine


def test_a_reloaded_page_need_not_wait_for_its_former_self(space: Workspace) -> None:
    id = space.create(Project())
    living = {"one"}
    space.lease(id, "a", connection="one", lives=living.__contains__)
    assert not space.lease(id, "b", connection="two", lives=living.__contains__).mine
    living.clear()
    assert space.lease(id, "b", connection="two", lives=living.__contains__).mine


def test_a_slow_tab_keeps_its_lease_while_it_is_connected(space: Workspace) -> None:
    id = space.create(Project())
    space.lease(id, "a", connection="one", lives={"one"}.__contains__)
    path = space.place(id) / "lease.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "time": time.time() - 10 * LEASE_SECONDS}))
    assert not space.lease(id, "b", connection="two", lives={"one", "two"}.__contains__).mine
    assert space.lease(id, "b", connection="two", lives={"two"}.__contains__).mine


def test_a_killed_server_holds_nothing(space: Workspace) -> None:
    id = space.create(Project())
    code = (
        "import sys\nfrom pathlib import Path\nfrom builder.workspace import Workspace\n"
        "assert Workspace(Path(sys.argv[1])).lease(sys.argv[2], 'a', connection='one').mine"
    )
    subprocess.run([sys.executable, "-c", code, str(space.folder), id], check=True)
    assert space.lease(id, "b", connection="two", lives=lambda _: True).mine


def test_an_old_project_is_not_emptied_right_after_its_deletion(space: Workspace) -> None:
    id = space.create(Project(name="old"))
    long_ago = time.time() - 90 * 86400
    os.utime(space.place(id), (long_ago, long_ago))
    space.delete(id)
    empty_trash(space.folder)
    space.restore(id)
    assert space.open(id).project.name == "old"
