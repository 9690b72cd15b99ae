"""A run as its folder shows it: state, history, weights and what can be looked at. Reads only."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.project import write_atomically
from builder.training import control, history, snapshot
from builder.training.snapshot import Snapshot

STATE_FILE = "state.json"
META_FILE = "meta.json"
PROJECT_FILE = "project.json"
BEST_FILE = "best.safetensors"
LAST_FILE = "last.safetensors"
LOG_FILE = "log.txt"

LIVE = ("starting", "running", "paused")
STALE_SECONDS = 15.0
"""A live run whose worker has not been heard of for so long is lost, even if its process number exists."""
STARTING_SECONDS = 120.0
"""The same for a run that has yet to begin."""


@dataclass
class State:
    """Where a run stands.

    `status` is one of starting, running, paused, done, stopped, failed, lost. `steps` and `epochs` are
    the totals; `seconds` is the time spent training, pauses left out; `seconds_left` None when not
    known. `message` is a sentence for the person, empty when all is well. `suggestion` holds settings
    that may help after a failure (``{"lr": 0.0001}``). `losses` and `metrics` are the latest training
    values, `validation` the latest of ``{"losses", "metrics"}`` on the validation split, `test`
    likewise. `first_loss` and `expected_loss` serve the initial-loss check.
    """

    status: str = "starting"
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    lr: float | None = None
    losses: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    validation: dict[str, dict[str, float]] = field(default_factory=dict)
    test: dict[str, dict[str, float]] = field(default_factory=dict)
    suggestion: dict[str, Any] = field(default_factory=dict)
    first_loss: float | None = None
    expected_loss: float | None = None
    best_epoch: int | None = None
    pid: int = 0
    heartbeat: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON that a browser reads: numbers that are not finite become None."""
        plain: dict[str, Any] = _finite(dataclasses.asdict(self))
        return plain

    def to_bytes(self) -> bytes:
        """The exact form of the state file, NaN included."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def from_json(cls, data: Any) -> State:
        """A state from its file; unknown fields of newer versions are left out."""
        known = {f.name for f in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in data.items() if k in known}) if isinstance(data, dict) else cls()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_state(folder: Path, state: State) -> None:
    """Replace the folder's state.json. Raises OSError."""
    write_atomically(folder / STATE_FILE, state.to_bytes())


def read_state(folder: Path) -> State:
    """The state the worker last left, from its board or its file, whichever is newer; as it is written."""
    found = []
    for text in (control.read_board(folder), _bytes(folder / STATE_FILE)):
        if text:
            try:
                found.append(State.from_json(json.loads(text)))
            except (ValueError, TypeError):
                continue  # half a file after a power cut: the other source is as good
    return max(found, key=lambda s: s.heartbeat) if found else State()


def alive(pid: int) -> bool:
    """Whether a process of this number runs (a dead one not yet waited for does not)."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it runs, as somebody else
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True  # no /proc here


def _patience(state: State) -> float:
    # A worker that is not yet warm imports for seconds, on a busy machine for many.
    return STARTING_SECONDS if state.status == "starting" else STALE_SECONDS


class Run:
    """A read view of a run folder. Cheap to make and to ask several times a second."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.id = self.folder.name
        self._history = history.Reader(self.folder)
        self._probe: tuple[int, Snapshot | None] = (0, None)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def state(self) -> State:
        """Where it stands now; "lost" when its worker is gone without a word."""
        state = read_state(self.folder)
        if not state.heartbeat:
            # Nothing written yet: the worker has a while to report.
            if time.time() - self.created > STARTING_SECONDS:
                state.status, state.message = "lost", "The training process never started. Press Train to try again."
        elif state.status in LIVE and (not alive(state.pid) or time.time() - state.heartbeat > _patience(state)):
            state.status = "lost"
            state.seconds_left = None
            where = f"after step {state.step}" if state.step else "before the first step"
            state.message = (
                f"The training process ended unexpectedly {where}. Press Continue to go on from the last checkpoint."
            )
        return state

    # --- history ---------------------------------------------------------------------------

    def steps(self, after: int = 0) -> history.Columns:
        """Training steps after `after` as arrays: step, epoch, time, lr, loss/NAME, metric/NAME."""
        return self._history.steps(after)

    def validation(self) -> history.Columns:
        """One row per validation: step, epoch, time, loss/NAME, metric/NAME."""
        return self._history.evaluations("validation")

    def test(self) -> history.Columns:
        """The evaluation of the best weights on the test split, if there was one."""
        return self._history.evaluations("test")

    def attempts(self) -> list[int]:
        """Steps from which it was started or resumed; when this grows, drop what was read before."""
        return self._history.attempts()

    def events(self) -> list[tuple[int, float, str, str]]:
        """(step, time, kind, value) of commands that took effect."""
        return self._history.events()

    # --- what a person calls it ------------------------------------------------------------

    def _meta(self) -> dict[str, Any]:
        try:
            data = json.loads((self.folder / META_FILE).read_bytes())
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def _set(self, key: str, value: str) -> None:
        write_atomically(self.folder / META_FILE, json.dumps({**self._meta(), key: value}).encode())

    @property
    def name(self) -> str:
        """The run's name, its folder's unless it was given one."""
        return str(self._meta().get("name") or self.id)

    @name.setter
    def name(self, value: str) -> None:
        self._set("name", value[:200])

    @property
    def note(self) -> str:
        """A note of the person's."""
        return str(self._meta().get("note", ""))

    @note.setter
    def note(self, value: str) -> None:
        self._set("note", value[:10_000])

    @property
    def created(self) -> float:
        """When the run was made, in seconds since 1970."""
        value = self._meta().get("created")
        if isinstance(value, (int, float)):
            return float(value)
        try:
            return self.folder.stat().st_mtime
        except OSError:
            return 0.0

    # --- what it trained -------------------------------------------------------------------

    def project_json(self) -> dict[str, Any]:
        """The project as it was trained; empty when its file cannot be read."""
        try:
            data = json.loads((self.folder / PROJECT_FILE).read_bytes())
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def settings_diff(self, other: Run) -> dict[str, tuple[Any, Any]]:
        """The settings that differ: ``{"training.batch_size": (mine, the other's)}``; None where absent."""
        return differences(self.project_json(), other.project_json())

    # --- what it left ----------------------------------------------------------------------

    def weights(self) -> Path | None:
        """The weights at the best validation score, or the last ones; None before the first were saved."""
        return next((p for name in (BEST_FILE, LAST_FILE) if (p := self.folder / name).exists()), None)

    def probe(self) -> Snapshot | None:
        """The latest feature maps; read anew only when they changed."""
        path = self.folder / snapshot.PROBE_FILE
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return None
        if stamp != self._probe[0]:
            self._probe = (stamp, snapshot.read(path))
        return self._probe[1]

    def results(self) -> Snapshot | None:
        """What the latest validation left to be looked at (``total/NAME``, ``sample/NAME``)."""
        return snapshot.read(self.folder / snapshot.RESULTS_FILE)

    def log(self) -> str:
        """The last of what the worker wrote to its log."""
        return (_bytes(self.folder / LOG_FILE) or b"")[-20_000:].decode(errors="replace")

    def size(self) -> int:
        """Bytes on disk."""
        total = 0
        for path in self.folder.rglob("*"):
            try:
                total += path.lstat().st_size if path.is_file() else 0
            except OSError:
                continue  # replaced this moment
        return total


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


_LOOKS = {"position", "folded", "note", "version", "format"}


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The settings of two projects as JSON that differ: ``{"training.batch_size": (32, 64)}``; None where absent.

    What does not change the training (positions, notes, folding, the project's name) is left out.
    """
    mine, others = dict(_flat(one)), dict(_flat(other))
    keys = dict.fromkeys([*mine, *others])
    return {k: (mine.get(k), others.get(k)) for k in keys if mine.get(k) != others.get(k)}


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a project's JSON by dotted path; nodes by their name, edges as one text each."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _LOOKS or (key == "name" and not path):
                continue
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for item in value:
            if "id" in item:
                yield from _flat({k: v for k, v in item.items() if k != "id"}, f"{path}.{item['id']}")
            else:
                yield f"{path}.{' '.join(str(v) for v in item.values())}", True
    else:
        yield path, value


def new_run_folder(parent: str | os.PathLike[str], name: str = "") -> Path:
    """Make an empty folder for a run under `parent`; its name is the time, so that runs sort by age.

    Raises OSError with the folder's path when it cannot be made or written.
    """
    parent = Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    now = time.time()
    number = sum(1 for p in parent.iterdir() if p.is_dir()) + 1
    stem = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    for attempt in range(1, 1000):
        folder = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        meta = {"name": name or f"Run {number}", "note": "", "created": now}
        write_atomically(folder / META_FILE, json.dumps(meta).encode())
        return folder
    raise FileExistsError(f"No free name for a run in {parent}.")


def list_runs(parent: str | os.PathLike[str]) -> list[Run]:
    """The runs under `parent`, the oldest first."""
    try:
        folders = [p for p in Path(parent).iterdir() if (p / PROJECT_FILE).exists()]
    except OSError:
        return []
    return sorted((Run(p) for p in folders), key=lambda run: (run.created, run.id))
