"""The document between a browser and Python: a simulated browser, as the canvas behaves, loses nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from builder import edits, templates
from builder.graph import Graph
from builder.project import Project, from_json, to_json
from builder.ui.session import Document
from builder.workspace import Workspace

Json = dict[str, Any]


class Browser:
    """The other half of the protocol, as `frontend/src/document/sync.ts` does it: one snapshot in flight."""

    def __init__(self, tab: str = "tab") -> None:
        self.tab = tab
        self.project: Project | None = None
        self.project_id = self.sid = ""
        self.gen, self.rev, self.seq, self.ack_cmd, self.in_flight = -1, 0, 0, 0, 0
        self.dirty = self.read_only = False
        self.actions: list[Json] = []
        self.undo: list[Project] = []
        self.applied: list[int] = []
        self._action = 100

    def edit(self, *changes: Json) -> None:
        assert self.project is not None
        self.undo.append(self.project)
        self.project = edits.apply(self.project, changes)
        self.rev += 1
        self.dirty = True

    def ask(self, name: str, **args: Any) -> None:
        self._action += 1
        self.actions.append({"id": self._action, "name": name, "args": args})
        self.dirty = True

    def receive(self, data: Json) -> None:
        if data["sid"] != self.sid:
            restarted = self.sid != ""
            self.sid, self.in_flight = data["sid"], 0
            if restarted:
                self.ack_cmd, self.dirty = 0, True
        else:
            restarted = False
        self.actions = [a for a in self.actions if a["id"] > data["ack_action"]]
        if self.in_flight and data["ack"] >= self.in_flight:
            self.in_flight = 0
        self.read_only = data["read_only"]
        init = data["init"]
        if init and (init["gen"] > self.gen or data["project_id"] != self.project_id):
            self.gen = init["gen"]
            same = restarted and data["project_id"] == self.project_id and init["rev"] <= self.rev
            if not same:
                self.project, self.rev, self.project_id = from_json(init["project"]), init["rev"], data["project_id"]
            self.dirty = True
        for command in data["commands"]:
            if command["seq"] <= self.ack_cmd:
                continue
            self.ack_cmd = command["seq"]
            self.applied.append(command["seq"])
            assert self.project is not None
            self.undo.append(self.project)
            self.project = edits.apply(self.project, command["edits"])
            self.dirty = True

    def snapshot(self) -> Json | None:
        """The next message, if one is due."""
        if not self.dirty or self.in_flight or self.project is None:
            return None
        self.dirty = False
        self.seq += 1
        self.in_flight = self.seq
        return {
            "seq": self.seq,
            "tab": self.tab,
            "gen": self.gen,
            "rev": self.rev,
            "ack_cmd": self.ack_cmd,
            "project_id": self.project_id,
            "project": to_json(self.project),
            "selection": {"network": "network", "nodes": []},
            "actions": list(self.actions),
        }

    def lost(self) -> None:
        """No answer came in three seconds."""
        self.in_flight = 0
        self.dirty = True


def settle(browser: Browser, document: Document) -> list[str]:
    """Pass messages until both sides are quiet; returns the names of the actions carried out."""
    done: list[str] = []
    for _ in range(12):
        browser.receive(document.data())
        snapshot = browser.snapshot()
        if snapshot is None and not browser.actions:
            break
        if snapshot is not None:
            done += [a.name for a in document.ingest(snapshot)]
            document.save()
    browser.receive(document.data())
    return done


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def document(space: Workspace) -> Document:
    return Document.open(space, space.create(templates.load("lenet5")))


def add(id: str, block: str = "ReLU") -> Json:
    return {"op": "add_node", "network": "network", "node": {"id": id, "block": block, "settings": {}}}


def test_the_first_message_opens_the_project(document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    assert browser.project == document.project
    assert document.data()["init"] is None
    assert document.tab == "tab"


def test_annotations_are_of_the_revision_sent(document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    browser.edit({"op": "set", "network": "network", "id": "conv1", "setting": "out_channels", "value": 8})
    settle(browser, document)
    told = document.data()["annotations"]
    assert told["rev"] == browser.rev
    assert told["networks"]["network"]["nodes"]["conv1"]["shape"] == [8, 28, 28]
    # 8·25+8 for the first convolution, 16·8·25+16 for the second, 58,974 + 150 as published for the rest
    assert told["networks"]["network"]["parameters"] == 61706 - 156 - 2416 + 208 + 3216


def test_the_check_is_made_once_per_project(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    from builder import validate

    made: list[Project] = []
    original = validate.check
    monkeypatch.setattr(validate, "check", lambda p: (made.append(p), original(p))[1])
    browser = Browser()
    settle(browser, document)
    for _ in range(5):
        document.data()
    first = len(made)
    browser.edit(add("relu9"))
    settle(browser, document)
    for _ in range(5):
        document.data()
    assert len(made) == first + 1


def test_a_command_is_applied_once_and_acknowledged(document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    document.set_part("Name", "name", "from python")
    for _ in range(3):  # repeated until acknowledged
        browser.receive(document.data())
    assert browser.applied == [1]
    settle(browser, document)
    assert document.commands == []
    assert browser.project is not None
    assert browser.project.name == document.project.name == "from python"


def test_a_command_that_changes_nothing_is_no_step_to_be_undone(document: Document) -> None:
    again = [edits.set_part("name", "new")]
    assert document.would_change(again)
    document.command("Name", again)
    assert not document.would_change(again)
    document.command("Name", again)
    assert len(document.commands) == 1


def test_a_command_survives_an_older_snapshot(document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    browser.edit(add("relu9"))
    older = browser.snapshot()
    document.set_part("Name", "name", "new")
    assert older is not None
    document.ingest(older)
    assert document.project.name == "new"
    assert "relu9" in document.project.networks["network"].ids()
    settle(browser, document)
    assert browser.project == document.project


def test_a_command_is_on_disk_before_the_browser_has_it(document: Document, space: Workspace) -> None:
    document.set_part("Name", "name", "safe")
    assert space.open(document.project_id).project.name == "safe"


def test_the_browser_is_answered_before_the_disk_is_written(document: Document, space: Workspace) -> None:
    browser = Browser()
    settle(browser, document)
    browser.edit(add("new"))
    message = browser.snapshot()
    assert message is not None
    document.ingest(message)
    answer = document.data()
    assert "new" in answer["annotations"]["networks"]["network"]["nodes"]
    assert answer["saved_rev"] == document.saved_rev < browser.rev
    document.save()
    assert document.saved_rev == browser.rev
    assert space.open(document.project_id).project == browser.project


def test_what_the_browser_undoes_is_saved_as_undone(document: Document, space: Workspace) -> None:
    browser = Browser()
    settle(browser, document)
    document.command("Open", [{"op": "replace_project", "value": to_json(templates.load("mlp"))}])
    settle(browser, document)
    assert document.project.name == templates.load("mlp").name
    browser.project, browser.rev, browser.dirty = browser.undo.pop(), browser.rev + 1, True
    settle(browser, document)
    assert document.project.name == templates.load("lenet5").name
    assert space.open(document.project_id).project == document.project


def test_stale_messages_are_dropped(document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    browser.edit(add("late"))
    stale = browser.snapshot()
    assert stale is not None
    document.reload()
    document.ingest(stale)
    assert "late" not in document.project.networks["network"].ids()
    assert document.data()["init"]["gen"] > stale["gen"]
    assert document.data()["ack"] == stale["seq"]


def test_a_snapshot_of_another_project_changes_nothing(document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    browser.edit(add("elsewhere"))
    other = browser.snapshot()
    assert other is not None
    document.ingest({**other, "project_id": "somewhere"})
    assert "elsewhere" not in document.project.networks["network"].ids()


def test_an_action_is_done_once_however_often_it_comes(document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    browser.ask("train")
    message = browser.snapshot()
    assert message is not None
    names = [a.name for _ in range(4) for a in document.ingest(message)]
    assert names == ["train"]
    browser.lost()
    assert settle(browser, document) == []
    assert browser.actions == []


def test_a_snapshot_is_known_until_a_newer_one_or_one_of_another_tab_comes(document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    browser.edit(add("conv"))
    message = browser.snapshot()
    assert message is not None
    assert not document.has(message)
    document.ingest(message)
    assert document.has(message)
    assert not document.has({**message, "seq": message["seq"] + 1})
    assert not document.has({**message, "tab": "another"})


def test_an_action_that_changes_the_project_is_not_repeated_by_the_next_document(space: Workspace) -> None:
    document = Document.open(space, space.create(Project(name="a")))
    other = space.create(Project(name="b"))
    browser = Browser()
    settle(browser, document)
    browser.ask("open_project", id=other)
    message = browser.snapshot()
    assert message is not None
    assert [a.name for a in document.ingest(message)] == ["open_project"]
    following = Document.open(space, other, document)
    assert settle(browser, following) == []
    assert browser.actions == []
    assert browser.project is not None
    assert browser.project.name == "b"


def test_a_restarted_server_gets_the_whole_document_back(space: Workspace, document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    browser.edit(add("relu8"))
    settle(browser, document)
    browser.edit(add("relu9"))  # made while the server is gone
    restarted = Document.open(space, document.project_id)
    settle(browser, restarted)
    assert "relu9" in restarted.project.networks["network"].ids()
    assert space.open(document.project_id).project == browser.project


@pytest.mark.parametrize("how", ["edit", "command", "nothing"])
def test_an_error_goes_when_the_project_changes_and_a_hint_stays(document: Document, how: str) -> None:
    browser = Browser()
    settle(browser, document)
    for kind in ("error", "warning"):
        document.tell("No table has been chosen yet.", kind)
        if how == "edit":
            browser.edit(add(f"one_{kind}"))
        elif how == "command":
            document.command("Add a block", [add(f"one_{kind}")])
        else:
            browser.dirty = True  # a message that brings nothing new
        settle(browser, document)
        assert (document.notice is None) == (kind == "error" and how != "nothing")


def test_a_project_that_cannot_be_read_changes_nothing(document: Document) -> None:
    browser = Browser()
    settle(browser, document)
    before = document.project
    browser.edit(add("x"))
    message = browser.snapshot()
    assert message is not None
    document.ingest({**message, "project": {"format": 1}})
    assert document.project == before
    assert document.notice is not None
    assert document.notice.kind == "error"


def test_a_full_disk_becomes_one_notice_and_goes_with_the_next_save(
    space: Workspace, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    browser = Browser()
    settle(browser, document)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for name in ("a", "b"):
        browser.edit(add(name))
        settle(browser, document)
    assert document.notice is not None
    assert "No space left" in document.notice.text
    told = document.notice.id
    assert document.saved_rev < browser.rev
    monkeypatch.undo()
    browser.edit(add("c"))
    settle(browser, document)
    assert told == 1
    assert document.notice is None
    assert document.saved_rev == browser.rev
    assert space.open(document.project_id).project == browser.project


# --- two tabs ------------------------------------------------------------------------------------------


def test_the_second_tab_looks_follows_and_takes_over(space: Workspace) -> None:
    id = space.create(Project(name="shared"))
    first, second = Document.open(space, id), Document.open(space, id)
    one, two = Browser("one"), Browser("two")
    settle(one, first)
    settle(two, second)
    assert not one.read_only
    assert two.read_only
    second.set_part("Name", "name", "not allowed")
    assert space.open(id).project.name == "shared"
    one.edit(add("relu1"))
    settle(one, first)
    assert second.refresh_read_only()
    assert not second.refresh_read_only()
    settle(two, second)
    assert two.project == one.project
    first.set_part("Name", "name", "a command keeps the revision")
    settle(one, first)
    assert second.refresh_read_only()
    assert second.hold(take=True)
    settle(two, second)
    assert not two.read_only
    two.edit(add("relu2"))
    settle(two, second)
    one.edit(add("too_late"))
    settle(one, first)
    assert one.read_only
    assert space.open(id).project == two.project


def test_a_tab_that_slept_while_another_wrote_takes_up_what_was_written(space: Workspace) -> None:
    """The sleeper's lease has run out and the other tab has closed: it must not write over the other's edits."""
    id = space.create(Project())
    living = {"1", "2"}
    sleeper, other = Document.open(space, id), Document.open(space, id)
    for document, name in ((sleeper, "1"), (other, "2")):
        document.connection, document.lives = name, living.__contains__
    one, two = Browser("one"), Browser("two")
    settle(one, sleeper)
    living.discard("1")
    settle(two, other)
    two.edit(add("written_meanwhile"))
    settle(two, other)
    living.discard("2")
    sleeper.hold()
    settle(one, sleeper)
    assert "written_meanwhile" in sleeper.project.networks["network"].ids()
    assert one.project == sleeper.project


# --- everything at once --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_160_random_operations_with_concurrent_commands(space: Workspace, seed: int) -> None:
    """Edits, moves, undo, lost messages, commands from Python and a restart: both sides end with the same project."""
    chance = random.Random(seed)
    project = Project(networks={"network": Graph()})
    document = Document.open(space, space.create(project))
    browser = Browser()
    settle(browser, document)
    mine: list[str] = []
    commands = 0
    for number in range(160):
        match chance.randrange(9):
            case 0 | 1 | 2:
                mine.append(f"n{number}")
                browser.edit(add(mine[-1]))
            case 3 if mine:
                id = mine.pop(chance.randrange(len(mine)))
                browser.edit({"op": "remove_node", "network": "network", "id": id})
            case 4 if mine:
                place = [float(number), 1.0]
                browser.edit({"op": "move_node", "network": "network", "id": chance.choice(mine), "position": place})
            case 5:
                commands += 1
                document.command("Add", [add(f"python{commands}", "Flatten")])
            case 6:
                commands += 1
                document.set_part("Epochs", "training", {"epochs": commands})
            case 7:
                browser.lost()
        if chance.random() < 0.5:
            snapshot = browser.snapshot()
            if snapshot is not None and chance.random() < 0.85:  # some never arrive
                document.ingest(snapshot)
        if chance.random() < 0.5:
            browser.receive(document.data())
    browser.lost()
    settle(browser, document)
    assert browser.project is not None
    assert browser.project == document.project == space.open(document.project_id).project
    ids = set(browser.project.networks["network"].ids())
    assert set(mine) <= ids
    asked = document._command
    assert browser.applied == list(range(1, asked + 1))
    assert asked == commands > 5
