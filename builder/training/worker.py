"""The process that trains: ``python -m builder.training.worker --run FOLDER`` or ``--standby``.

It wraps the loop of `builder.training.loop`: between two steps it obeys commands, probes, writes
history, state and checkpoints (`builder.training.session`). It belongs to no server: started in its
own session, it goes on when the server dies, and everything it knows lies in the run folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from builder.training import run
from builder.training.session import Session

LOCK_FILE = "lock"


class BusyError(RuntimeError):
    """Another process trains in this run folder."""


def take_lock(folder: Path, timeout: float = 3.0) -> IO[bytes]:
    """The folder's lock, held until this process ends. Raises BusyError."""
    file = open(folder / LOCK_FILE, "ab")  # noqa: SIM115 - held open for life
    limit = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > limit:
                file.close()
                raise BusyError(f"Another process is already training in {folder}.") from None
            time.sleep(0.02)


def work(folder: Path, make_job: Callable[[Path], Any]) -> int:
    """Train the run in `folder` in this process; returns 0 when done or stopped, 1 failed, 3 busy."""
    try:
        lock = take_lock(folder)
    except BusyError as error:
        print(error, file=sys.stderr)
        return 3
    with lock:
        session = Session(folder, make_job)

        def terminate(number: int, frame: Any) -> None:
            session.terminated = True

        signal.signal(signal.SIGTERM, terminate)
        return session.work()


def _log_to(folder: Path) -> None:
    """Send everything this process prints, native libraries included, to the run's log."""
    log = os.open(folder / run.LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _warm_up() -> None:
    """Pay now for what the first step would otherwise wait for: imports, and an optimizer's first step."""
    import torch
    import torch._dynamo  # imported by the first optimizer, a second's work

    from builder import templates
    from builder.source import generate
    from builder.training import job, probes

    del job, probes
    for name in templates.names()[:1]:
        with contextlib.suppress(ValueError):  # whatever is wrong with it, only a head start is lost
            generate(templates.load(name))  # shape inference has a slow first time too
    torch.manual_seed(0)  # slow the first time; the run sets its own
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 2))
    for optimizer in (torch.optim.SGD, torch.optim.Adam):
        step = optimizer(network.parameters(), lr=0.1)
        loss = torch.nn.functional.cross_entropy(network(torch.zeros(4, 1, 4, 4)), torch.zeros(4, dtype=torch.long))
        torch.autograd.backward(loss)
        step.step()


def standby() -> int:
    """Get ready, then train what the first ``{"run": FOLDER}`` line on stdin names; end when stdin does.

    Prints "ready" once it is. A line ``{"warm": {"data": {"name", "settings"}}}`` loads a data set ahead of time.
    """
    _warm_up()
    from builder.training import job

    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "run" in order:
            folder = Path(order["run"])
            _log_to(folder)
            return work(folder, job.Job)
        if "warm" in order:
            try:
                job.preload(order["warm"]["data"])
            except Exception as error:  # only a head start is lost; the run will report what is wrong
                print(error, file=sys.stderr)
            print("loaded", flush=True)
    return 0


def main(arguments: list[str]) -> int:
    """The command line of this module; returns the exit status."""
    os.nice(5)  # the page that shows the training stays lively where there are few cores
    match arguments:
        case ["--standby"]:
            return standby()
        case ["--run", folder]:
            from builder.training import job

            return work(Path(folder), job.Job)
        case _:
            print("usage: python -m builder.training.worker --standby | --run FOLDER", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
