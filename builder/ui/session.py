"""The server's half of the document: snapshots come in, annotations and commands go out.

The document in the browser is the project. Python never edits a snapshot; what it wants changed it
sends as a command, a list of project edits with its own number, which the browser applies as one
undoable step and acknowledges. Until then Python applies the command to what it shows. This file
knows no page; `builder.ui.page` connects it to Streamlit.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from builder import edits, validate
from builder.canvas.annotations import annotate, own_json
from builder.library import Library
from builder.own import vocabulary
from builder.problems import Edit
from builder.project import Project, ProjectError, from_json, to_json
from builder.report import Report
from builder.workspace import Workspace, WorkspaceError

Json = dict[str, Any]


@dataclass(frozen=True)
class Action:
    """Something the person asked for in the canvas, to be done once."""

    name: str
    args: Json


@dataclass
class Notice:
    """A sentence shown on top of the canvas; `id` tells a new one from one that was closed."""

    id: int
    kind: str
    text: str


@dataclass
class Document:
    """One open project as this server session knows it."""

    workspace: Workspace
    project_id: str
    project: Project
    rev: int
    saved_rev: int
    gen: int = 1
    sid: str = field(default_factory=lambda: secrets.token_hex(6))
    tab: str = ""
    read_only: bool = False
    lease_message: str = ""
    selection: Json = field(default_factory=lambda: {"network": "network", "nodes": []})
    commands: list[Json] = field(default_factory=list)
    notice: Notice | None = None
    _ack: int = 0
    _ack_action: int = 0
    _command: int = 0
    _notices: int = 0
    _mounted: bool = False
    _raw: Json | None = None
    _base: Project | None = None
    _report: tuple[Project, Report] | None = None
    _saved: Project | None = None
    _stamp: float = 0.0
    connection: str = ""
    """The server's name of the connection to the tab; `lives` says whether one still stands."""
    lives: Callable[[str], bool] | None = None

    @classmethod
    def open(cls, workspace: Workspace, project_id: str, before: Document | None = None) -> Document:
        """Open a stored project, in place of the document `before` if given. Raises WorkspaceError."""
        opened = workspace.open(project_id)
        document = cls(workspace, project_id, opened.project, opened.revision, opened.revision)
        document._base = document._saved = opened.project
        document._stamp = opened.stamp
        if before is not None:  # the tab is the same: what it asked for has been done
            document.gen, document.tab, document._ack_action = before.gen + 1, before.tab, before._ack_action
            document._notices = before._notices
            document.connection, document.lives = before.connection, before.lives
        if opened.notice:
            document.tell(opened.notice, "warning")
        return document

    # --- from the browser ----------------------------------------------------------------------

    def has(self, snapshot: Json) -> bool:
        """Whether this snapshot has been taken in before."""
        return snapshot.get("tab") == self.tab and int(snapshot.get("seq", 0)) <= self._ack

    def ingest(self, snapshot: Json) -> list[Action]:
        """Take in a snapshot; returns the actions not seen before. Stale snapshots are only acknowledged.

        It is not saved yet: the browser has it, and is to be answered before the disk is waited for.
        """
        self._ack = (
            max(self._ack, int(snapshot.get("seq", 0))) if snapshot.get("tab") == self.tab else int(snapshot["seq"])
        )
        self.tab = str(snapshot.get("tab", ""))
        if snapshot.get("project_id") == self.project_id and int(snapshot.get("gen", 0)) >= self.gen:
            self._take(snapshot)
        return self._actions(snapshot)

    def _take(self, snapshot: Json) -> None:
        self._mounted = True
        self.selection = snapshot.get("selection") or self.selection
        seen = int(snapshot.get("ack_cmd", 0))
        before = len(self.commands)
        self.commands = [c for c in self.commands if c["seq"] > seen]
        if not self.hold() or self.read_only:
            return
        raw = snapshot["project"]
        if raw == self._raw and len(self.commands) == before:
            return
        try:
            base = from_json(raw)
        except ProjectError as error:
            self.tell(f"The canvas sent a project that cannot be read: {error}", "error")
            return
        self._raw, self._base = raw, base
        self.rev = int(snapshot.get("rev", 0))
        shown = self.project
        self._replay()
        if self.project != shown:
            self.retract()

    def _replay(self) -> None:
        project = self._base or self.project
        for command in self.commands:
            try:
                project = edits.apply(project, command["edits"])
            except edits.EditError:
                continue  # the person has removed what it was meant for; the browser will say so too
        self.project = project

    def _actions(self, snapshot: Json) -> list[Action]:
        fresh = [a for a in snapshot.get("actions", []) if int(a["id"]) > self._ack_action]
        if fresh:
            self._ack_action = max(int(a["id"]) for a in fresh)
        return [Action(str(a["name"]), dict(a.get("args") or {})) for a in fresh]

    # --- saving and the right to write -----------------------------------------------------------

    def save(self) -> None:
        """Autosave; a full disk becomes a notice, since the browser keeps every edit too."""
        if self.read_only or self.project is self._saved:
            return
        if self.project == self._saved and self.rev == self.saved_rev:
            return
        try:
            self._stamp = self.workspace.save(self.project_id, self.project, self.rev)
            self.saved_rev, self._saved = self.rev, self.project
            if self.notice is not None and self.notice.kind == "disk":
                self.notice = None
        except WorkspaceError as error:
            if self.notice is None or self.notice.kind != "disk":
                self.tell(str(error), "disk")

    def hold(self, take: bool = False) -> bool:
        """Renew this tab's lease, or take it over; returns whether this tab may write."""
        if not self.tab:
            return True
        try:
            lease = self.workspace.lease(self.project_id, self.tab, take, self.connection, self.lives)
            written = lease.fresh and self.workspace.stamp(self.project_id) != self._stamp
            if lease.mine and (self.read_only or written):
                self.reload()  # another tab may have written it meanwhile
        except WorkspaceError as error:
            if self.notice is None or self.notice.text != str(error):
                self.tell(str(error), "error")
            return False
        self.read_only, self.lease_message = not lease.mine, lease.message
        return lease.mine

    def reload(self) -> None:
        """Show what is on disk. Raises WorkspaceError."""
        opened = self.workspace.open(self.project_id)
        self.project = self._base = self._saved = opened.project
        self.rev = self.saved_rev = opened.revision
        self._stamp = opened.stamp
        self._raw = None
        self.commands = []
        self.gen += 1
        self._mounted = False

    def refresh_read_only(self) -> bool:
        """For a tab that only looks: follow what the writing tab saves. Returns whether something changed."""
        if not self.read_only:
            return False
        try:
            if self.workspace.stamp(self.project_id) == self._stamp:
                return False
            self.reload()
        except WorkspaceError as error:
            self.tell(str(error), "error")
        return True

    # --- to the browser ------------------------------------------------------------------------

    def would_change(self, changes: list[Edit]) -> bool:
        """Whether a command of these edits would change anything. Raises EditError when they do not fit."""
        return not self.read_only and edits.apply(self.project, changes) != self.project

    def command(self, label: str, changes: list[Edit]) -> None:
        """Have the browser apply these edits as one undoable step. Raises EditError when they do not fit.

        What changes nothing is no step: an answer may come twice.
        """
        if self.read_only:
            self.tell(self.lease_message, "warning")
            return
        after = edits.apply(self.project, changes)
        if after == self.project:
            return
        self.project = after
        self._command += 1
        self.commands.append({"seq": self._command, "label": label, "edits": changes})
        self.retract()
        self.save()

    def set_part(self, label: str, part: str, value: Any) -> None:
        """A command that sets one part of the project."""
        self.command(label, [edits.set_part(part, value)])

    def tell(self, text: str, kind: str = "info") -> None:
        """Show a sentence on top of the canvas."""
        self._notices += 1
        self.notice = Notice(self._notices, kind, text)

    def retract(self, *kinds: str) -> None:
        """Take back what was told, an error unless other kinds are named: what it was about has changed since."""
        if self.notice is not None and self.notice.kind in (kinds or ("error",)):
            self.notice = None

    def report(self) -> Report:
        """The check of the project as it stands, made once per project."""
        if self._report is None or self._report[0] is not self.project:
            self._report = (self.project, validate.check(self.project))
        return self._report[1]

    def _library(self) -> Json:
        """The blocks kept for all projects: what they are, and what a project copies to use one."""
        return {
            name: {"block": own_json(vocabulary(definitions))[name], "blocks": definitions}
            for name, definitions in Library(self.workspace.folder).entries().items()
        }

    def data(self) -> Json:
        """What the editor component is given, without the lists that the page adds."""
        init = (
            None
            if self._mounted
            else {"gen": self.gen, "project": to_json(self._base or self.project), "rev": self.rev}
        )
        notice = self.notice
        return {
            "project_id": self.project_id,
            "sid": self.sid,
            "ack": self._ack,
            "ack_action": self._ack_action,
            "gen": self.gen,
            "init": init,
            "commands": self.commands,
            "annotations": annotate(self.project, self.report(), self.rev),
            "library": self._library(),
            "saved_rev": self.saved_rev,
            "read_only": self.read_only,
            "lease": {"mine": not self.read_only, "message": self.lease_message},
            "notice": None if notice is None else {"id": notice.id, "kind": notice.kind, "text": notice.text},
        }
