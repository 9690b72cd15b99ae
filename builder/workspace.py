"""Projects and their runs on disk: listed, opened, saved, duplicated, thrown away and fetched back.

::

    LAYERLOOM_HOME/projects/<id>/project.json    the project, replaced whole at every autosave
                                 previous.json   the one before it, should the file be damaged
                                 meta.json       its revision and dates
                                 lease.json      which tab may write
                                 weights/<key>   files of weights that were handed in for a training to begin with
                                 runs/<run id>/
                   trash/<id>/                   what was deleted
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder import leases
from builder import project as files
from builder.first_weights import FILE
from builder.leases import Lease, read_json
from builder.project import Project, ProjectError, write_atomically
from builder.training.run import LIVE, Run, list_runs

KEPT_WEIGHTS = 5
"""So many files of weights a project keeps: undo finds the last few again."""
SIZE_SECONDS = 10.0
"""How long a size on disk is believed: the list is drawn at every edit, a walk through all runs is slow."""
_sizes: dict[Path, tuple[float, int]] = {}
_ID = re.compile(r"[a-z0-9]{4,32}")


class WorkspaceError(RuntimeError):
    """Something on disk cannot be read or written; the message is one sentence."""


@dataclass(frozen=True)
class Entry:
    """A project in the list. `modified` is in seconds since 1970, `size` in bytes with all runs."""

    id: str
    name: str
    modified: float
    size: int
    runs: int


@dataclass(frozen=True)
class Opened:
    """A project as opened: its revision, and a notice when a damaged file was replaced by its last good copy."""

    id: str
    project: Project
    revision: int
    notice: str = ""
    stamp: float = 0.0
    """Changes with every save, also with one that keeps the revision."""


def home() -> Path:
    """The workspace folder: LAYERLOOM_HOME, or .layerloom in the person's home folder."""
    return Path(os.environ.get("LAYERLOOM_HOME") or Path.home() / ".layerloom").resolve()


class Workspace:
    """The projects under one folder. Ids from outside (an address, say) are checked before any path is made."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home()

    # --- places --------------------------------------------------------------------------------

    def place(self, id: str) -> Path:
        """The folder of a project. Raises WorkspaceError when `id` is no id or there is no such project."""
        path = self.folder / "projects" / self._checked(id)
        if not path.is_dir():
            raise WorkspaceError("There is no such project in this workspace.")
        return path

    def runs_place(self, id: str) -> Path:
        """The folder under which the project's runs lie."""
        return self.place(id) / "runs"

    @staticmethod
    def _checked(id: str) -> str:
        if not _ID.fullmatch(id):
            raise WorkspaceError("There is no such project in this workspace.")
        return id

    def exists(self, id: str) -> bool:
        """Whether there is a project of this id."""
        return bool(_ID.fullmatch(id)) and (self.folder / "projects" / id).is_dir()

    # --- projects ------------------------------------------------------------------------------

    def create(self, project: Project) -> str:
        """Store a new project; returns its id. Raises WorkspaceError when it cannot be written."""
        id = secrets.token_hex(5)
        try:
            (self.folder / "projects" / id / "runs").mkdir(parents=True)
        except OSError as error:
            raise WorkspaceError(self._unwritable(error)) from None
        self.save(id, project, 1)
        return id

    def projects(self) -> list[Entry]:
        """All projects, the one changed last first."""
        found = []
        for path in self._folders():
            meta = self._meta(path)
            name = meta.get("name")
            found.append(
                Entry(
                    path.name,
                    name if isinstance(name, str) else self._name(path),
                    self._time(meta.get("modified"), path),
                    _size(path),
                    sum(1 for p in _listed(path / "runs") if p.is_dir()),
                )
            )
        return sorted(found, key=lambda e: -e.modified)

    def latest(self) -> str | None:
        """The id of the project changed last, None in an empty workspace."""
        paths = self._folders()
        return max(paths, key=lambda p: self._time(self._meta(p).get("modified"), p)).name if paths else None

    def open(self, id: str) -> Opened:
        """The project and its revision; its last good copy, with a notice, when its file is damaged.

        Raises WorkspaceError when neither can be read.
        """
        path = self.place(id)
        meta = self._meta(path)
        revision = meta.get("revision", 1)
        revision = revision if isinstance(revision, int) else 1
        stamp = self._time(meta.get("modified"), path)
        try:
            return Opened(id, files.load(path / "project.json"), revision, stamp=stamp)
        except ProjectError as error:
            problem = str(error).removeprefix(f"{path / 'project.json'}: ")
        found = self._last_good(path)
        if found is None:
            raise WorkspaceError(f"The project's file cannot be opened: {problem} It is kept in {path}.")
        project, told = found
        damaged = path / f"damaged-{int(time.time())}.json"
        with contextlib.suppress(OSError):  # the damaged file stays where it is if it cannot be set aside
            if (path / "project.json").exists():
                os.replace(path / "project.json", damaged)
        self.save(id, project, revision)
        notice = f"The project's file was damaged, so {told} is open. The damaged file is kept as {damaged.name}."
        return Opened(id, project, revision, notice, self.stamp(id))

    @staticmethod
    def _last_good(path: Path) -> tuple[Project, str] | None:
        """The latest earlier state of a project that can be read, and what it is."""
        trained = sorted(_listed(path / "runs"), key=lambda run: run.name, reverse=True)
        copies = [(path / "previous.json", "its last good copy")]
        copies += [(run / "project.json", "what its latest run trained") for run in trained]
        for copy, told in copies:
            with contextlib.suppress(ProjectError):
                return files.load(copy), told
        return None

    def stamp(self, id: str) -> float:
        """What `Opened.stamp` would be now, without opening the project."""
        path = self.place(id)
        return self._time(self._meta(path).get("modified"), path)

    def save(self, id: str, project: Project, revision: int) -> float:
        """Autosave; returns the new `stamp`. Raises WorkspaceError with a sentence when the disk is full or cannot be written."""
        path = self.place(id)
        try:
            current = path / "project.json"
            if current.exists():
                with contextlib.suppress(FileNotFoundError):
                    previous = path / "previous.json.part"
                    previous.unlink(missing_ok=True)
                    os.link(current, previous)
                    os.replace(previous, path / "previous.json")
            files.save(project, current)
            now = time.time()
            meta = {**self._meta(path), "name": project.name, "revision": revision, "modified": now}
            write_atomically(path / "meta.json", json.dumps(meta).encode())
            return now
        except OSError as error:
            raise WorkspaceError(self._unwritable(error)) from None

    def rename(self, id: str, name: str) -> None:
        """Give a project another name (the open one is renamed in its document instead)."""
        opened = self.open(id)
        self.save(id, opened.project.replace(name=name[: files.MAX_NAME] or "untitled"), opened.revision + 1)

    def duplicate(self, id: str) -> str:
        """Copy a project without its runs; returns the copy's id."""
        project = self.open(id).project
        chosen = project.weights
        handed = self.weights(id, chosen.key) if chosen is not None and chosen.source == FILE else None
        name = f"{project.name} copy"[: files.MAX_NAME]
        copy = self.create(project.replace(name=name, weights=chosen if handed is not None else None))
        if handed is not None:
            self.keep_weights(copy, handed.read_bytes())
        return copy

    def delete(self, id: str) -> None:
        """Move a project with its runs to the trash. Raises WorkspaceError while it trains."""
        path = self.place(id)
        if any(run.state.status in LIVE for run in list_runs(path / "runs")):
            raise WorkspaceError("This project is training. Stop the training before deleting it.")
        try:
            self._throw_away(path, id)
        except OSError as error:
            raise WorkspaceError(self._unwritable(error)) from None

    def restore(self, id: str) -> None:
        """Fetch a project back from the trash. Raises WorkspaceError when it is not there."""
        try:
            os.replace(self.folder / "trash" / self._checked(id), self.folder / "projects" / id)
        except OSError:
            raise WorkspaceError("The deleted project is no longer in the trash.") from None

    # --- runs ----------------------------------------------------------------------------------

    def runs(self, id: str) -> list[Run]:
        """The project's runs, the oldest first."""
        return list_runs(self.runs_place(id))

    def run(self, id: str, run: str) -> Run | None:
        """One run of a project; None when there is none of that id."""
        return next((r for r in self.runs(id) if r.id == run), None)

    def delete_run(self, id: str, run: str) -> None:
        """Move a run to the trash. Raises WorkspaceError while it trains."""
        found = self.run(id, run)
        if found is None:
            return
        if found.state.status in LIVE:
            raise WorkspaceError("This run is training. Stop it before deleting it.")
        try:
            self._throw_away(found.folder, f"{id}-{run}")
        except OSError as error:
            raise WorkspaceError(self._unwritable(error)) from None

    def restore_run(self, id: str, run: str) -> None:
        """Fetch a run back from the trash."""
        target = self.runs_place(id) / Path(run).name
        try:
            os.replace(self.folder / "trash" / f"{id}-{target.name}", target)
        except OSError:
            raise WorkspaceError("The deleted run is no longer in the trash.") from None

    # --- files of weights ------------------------------------------------------------------------

    def keep_weights(self, id: str, content: bytes) -> str:
        """Keep a file of weights for a project's trainings to begin with; returns its key.

        The files handed in last are kept. Raises WorkspaceError when it cannot be written.
        """
        place = self.place(id) / "weights"
        key = hashlib.sha256(content).hexdigest()[:32]
        try:
            place.mkdir(exist_ok=True)
            write_atomically(place / key, content)
            for old in sorted(_listed(place), key=lambda path: -path.stat().st_mtime)[KEPT_WEIGHTS:]:
                old.unlink()
        except OSError as error:
            raise WorkspaceError(self._unwritable(error)) from None
        return key

    def weights(self, id: str, key: str) -> Path | None:
        """The file of weights kept under this key; None when there is none."""
        path = self.place(id) / "weights" / Path(key).name
        return path if path.is_file() else None

    # --- the lease: one tab writes --------------------------------------------------------------

    def lease(
        self, id: str, tab: str, take: bool = False, connection: str = "", lives: Callable[[str], bool] | None = None
    ) -> Lease:
        """Renew this tab's right to write, or say who has it; `take` takes it over.

        A tab is there as long as its renewals come. Of a connection of this process `lives` knows
        better: a tab that is only slow keeps its right, and a reloaded page need not wait for its former
        self. A server process that has ended holds nothing.
        """
        return leases.renew(self.place(id) / "lease.json", tab, take, connection, lives)

    # --- small things ---------------------------------------------------------------------------

    def _folders(self) -> list[Path]:
        found = [p for p in _listed(self.folder / "projects") if p.is_dir() and _ID.fullmatch(p.name)]
        return [p for p in found if (p / "project.json").exists() or (p / "previous.json").exists()]

    @staticmethod
    def _meta(path: Path) -> dict[str, Any]:
        return read_json(path / "meta.json")

    @staticmethod
    def _name(path: Path) -> str:
        try:
            return files.load(path / "project.json").name
        except ProjectError:
            return path.name

    @staticmethod
    def _time(value: Any, path: Path) -> float:
        return float(value) if isinstance(value, (int, float)) else path.stat().st_mtime

    def _throw_away(self, path: Path, name: str) -> None:
        """Move a folder to the trash, where its time is that of its deletion. Raises OSError."""
        target = self.folder / "trash" / name
        target.parent.mkdir(exist_ok=True)
        os.utime(path)  # first, so that emptying never takes it for something thrown away long ago
        os.replace(path, target)

    def _unwritable(self, error: OSError) -> str:
        return (
            f"{self.folder} cannot be written ({error.strerror or error}). "
            "Free some space or choose another folder with LAYERLOOM_HOME; until then your edits stay in this browser."
        )


def _listed(path: Path) -> list[Path]:
    try:
        return [*path.iterdir()]
    except OSError:
        return []


def _size(path: Path) -> int:
    known = _sizes.get(path)
    if known is not None and time.monotonic() - known[0] < SIZE_SECONDS:
        return known[1]
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):  # replaced this moment
                total += os.lstat(os.path.join(folder, name)).st_size
    _sizes[path] = (time.monotonic(), total)
    return total


def empty_trash(folder: Path, older_than: float = 30 * 86400.0) -> None:
    """Remove what has been in the trash for longer than so many seconds."""
    for path in _listed(folder / "trash"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > older_than:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
