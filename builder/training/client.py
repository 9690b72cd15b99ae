"""Starting and commanding training processes from a server, a notebook or a test."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from builder.training import control, run
from builder.training.control import ControlError
from builder.training.run import Run, State

ROOT = Path(__file__).resolve().parents[2]
REPLACE_SECONDS = 3.0
"""How long after a start the next standby is started, so that its imports do not slow the first steps."""


class StartError(RuntimeError):
    """A run cannot be started; the message is one sentence."""


class Launcher:
    """Starts workers, keeping one warm so that a run begins at once.

    Workers live in their own session and survive this process; an unassigned standby does not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standby: subprocess.Popen[bytes] | None = None
        self._data: dict[str, Any] | None = None
        self._told = 0
        self._closed = False

    def ready(self, data: dict[str, Any] | None = None) -> None:
        """Have a standby, and let it load this data set (``{"name", "settings"}``) ahead of time."""
        with self._lock:
            if self._closed:
                return
            fresh = self._standby is None or self._standby.poll() is not None
            if fresh:
                self._standby = _spawn(["--standby"], subprocess.PIPE, subprocess.PIPE)
                self._warm = _Answers(self._standby)
                self._told = 1
            data = data or self._data
            if data is not None and (fresh or data != self._data):
                self._told += self._tell({"warm": {"data": data}})
            self._data = data

    def wait_ready(self, timeout: float = 60.0) -> bool:
        """Wait until the standby has imported all it needs and loaded the data it was told of; False if not in time."""
        return self._standby is not None and self._warm.wait(self._told, timeout)

    def _tell(self, order: dict[str, Any], process: subprocess.Popen[bytes] | None = None) -> bool:
        process = process or self._standby
        if process is None or process.stdin is None or process.poll() is not None:
            return False
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            return False  # it has died; the caller starts another
        return True

    def start(self, folder: str | os.PathLike[str]) -> Run:
        """Train the prepared run folder. Raises StartError when its worker cannot be started."""
        return self._launch(Path(folder), State())

    def resume(self, folder: str | os.PathLike[str], learning_rate: float | None = None) -> Run:
        """Go on from the last checkpoint (from the beginning if there is none), at another learning rate if given.

        Raises StartError, also when the run is still alive.
        """
        folder = Path(folder)
        before = Run(folder).state
        if before.status in run.LIVE:
            raise StartError("This run is still training; there is nothing to continue.")
        if before.status == "done":
            raise StartError("This run has finished all its epochs; there is nothing to continue.")
        before.status, before.message, before.suggestion, before.seconds_left = "starting", "", {}, None
        return self._launch(folder, before, learning_rate)

    def _launch(self, folder: Path, state: State, learning_rate: float | None = None) -> Run:
        if not (folder / run.PROJECT_FILE).exists():
            raise StartError(f"{folder} is no run folder: it holds no {run.PROJECT_FILE}.")
        try:
            control.create(folder)
            if learning_rate is not None:
                control.send(folder, {"op": "learning_rate", "value": learning_rate, "slot": None})
            with self._lock:
                # The heartbeat is set before the worker has the folder, so that its own states are newer.
                state.heartbeat = time.time()
                state.pid = self._standby.pid if self._standby and self._standby.poll() is None else os.getpid()
                run.write_state(folder, state)
                process = self._standby
                self._standby = None
                if self._tell({"run": str(folder.resolve())}, process):
                    assert process is not None
                    assert process.stdin is not None
                    process.stdin.close()
                    _after_death(process, folder, state.heartbeat)
                else:
                    _spawn_run(folder)
        except (OSError, ControlError) as error:
            text = getattr(error, "strerror", None) or error
            raise StartError(f"Training cannot start in {folder}: {text}.") from None
        timer = threading.Timer(REPLACE_SECONDS, self.ready)
        timer.daemon = True
        timer.start()
        return Run(folder)

    def close(self) -> None:
        """Let the standby go; running workers are left alone."""
        with self._lock:
            self._closed = True
            if self._standby is not None and self._standby.stdin is not None:
                with contextlib.suppress(OSError):
                    self._standby.stdin.close()
            self._standby = None


class _Answers:
    """Counts the lines a standby says, until it closes its output."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._count = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._listen, name="standby", daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for _ in self._process.stdout:
            with self._changed:
                self._count += 1
                self._changed.notify_all()
        self._process.stdout.close()

    def wait(self, count: int, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count >= count, timeout)


def _spawn_run(folder: Path) -> None:
    """Train in a process that was not kept warm. Raises OSError."""
    with open(folder / run.LOG_FILE, "ab") as log:
        _spawn(["--run", str(folder.resolve())], subprocess.DEVNULL, log.fileno())


def _after_death(process: subprocess.Popen[bytes], folder: Path, heartbeat: float) -> None:
    """Start another worker should this standby die before it has taken up its run."""

    def watch() -> None:
        process.wait()
        if run.read_state(folder).heartbeat == heartbeat:
            with contextlib.suppress(OSError):  # the state, "starting" without a process, is then read as lost
                _spawn_run(folder)

    threading.Thread(target=watch, name="start", daemon=True).start()


def _spawn(arguments: list[str], stdin: int, output: int) -> subprocess.Popen[bytes]:
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "builder.training.worker", *arguments],
        stdin=stdin,
        stdout=output,
        stderr=subprocess.DEVNULL if output == subprocess.PIPE else output,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        start_new_session=True,
    )
    # Somebody must wait for it, or it stays as a zombie for as long as this process lives.
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()
    return process


def command(folder: str | os.PathLike[str], name: str, wait: float = 0.0) -> bool:
    """Give the run a command: pause, resume, step or stop.

    With `wait`, returns whether it took effect within so many seconds. Raises ControlError.
    """
    if name not in ("pause", "resume", "step", "stop"):
        raise ValueError(f"there is no command {name!r}")
    return control.send(Path(folder), {"op": name}, wait)


def step(folder: str | os.PathLike[str], slot: str | None = None, wait: float = 0.0) -> bool:
    """Train one batch and pause; with `slot`, only this network's optimizer makes its steps. Raises ControlError."""
    return control.send(Path(folder), {"op": "step"} if slot is None else {"op": "step", "slot": slot}, wait)


def set_learning_rate(folder: str | os.PathLike[str], value: float, slot: str | None = None, wait: float = 0.0) -> bool:
    """Set the learning rate of one network's optimizer, or of all (None), from the next step on."""
    if not 0 <= value < float("inf"):
        raise ControlError(f"The learning rate must be a finite number from 0, but it is {value}.")
    return control.send(Path(folder), {"op": "learning_rate", "value": value, "slot": slot}, wait)


def pick_sample(folder: str | os.PathLike[str], index: int, wait: float = 0.0) -> bool:
    """Show another sample of the validation split in the feature maps."""
    return control.send(Path(folder), {"op": "sample", "index": index}, wait)


def watch(folder: str | os.PathLike[str], network: str, node: str, wait: float = 0.0) -> bool:
    """Keep this node's feature map in full, with its weights."""
    return control.send(Path(folder), {"op": "watch", "network": network, "node": node}, wait)


def show_maps(folder: str | os.PathLike[str], on: bool, wait: float = 0.0) -> bool:
    """Turn the live feature maps on or off."""
    return control.send(Path(folder), {"op": "maps", "on": on}, wait)


def alive(folder: str | os.PathLike[str]) -> bool:
    """Whether a worker is at this run."""
    return Run(folder).state.status in run.LIVE
