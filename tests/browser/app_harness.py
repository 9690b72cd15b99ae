"""The whole app in a browser: a server of its own with an empty workspace."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from builder.training.run import LIVE, Run, list_runs

ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0
WAIT = 60_000
"""Milliseconds a page may take: the first one imports torch, and test machines are slow."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Server:
    """``streamlit run app.py`` on a free port of this machine, with its own LAYERLOOM_HOME."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.killed = False
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self.home / "server.log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, "LAYERLOOM_HOME": str(self.home), "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self._process.poll() is None, self.log()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                return
            time.sleep(0.1)
        raise TimeoutError(self.log())

    def log(self) -> str:
        return (self.home / "server.log").read_text(errors="replace")

    def kill(self, how: int = signal.SIGKILL) -> None:
        self.killed = True
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """The server answers nothing meanwhile, as one that has much to do."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def projects(self) -> list[Path]:
        return sorted((self.home / "projects").iterdir())

    def project(self, page: Any = None) -> dict[str, Any]:
        """The project on disk: the one of the page's address, or the only one."""
        folder = self.folder(page) if page is not None else self.projects()[0]
        found: dict[str, Any] = json.loads((folder / "project.json").read_text())
        return found

    def folder(self, page: Any) -> Path:
        return self.home / "projects" / page.url.split("project=")[1].split("&")[0]

    def runs(self) -> list[Run]:
        return [run for folder in self.projects() for run in list_runs(folder / "runs")]

    def close(self) -> None:
        """End the server and whatever still trains."""
        self.kill(signal.SIGTERM)
        if (self.home / "projects").exists():
            for run in self.runs():
                if run.state.status in LIVE and run.state.pid > 0:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(run.state.pid, signal.SIGKILL)


def until(true: Callable[[], Any], seconds: float = 60.0, every: float = 0.1) -> Any:
    """Wait until a function gives something true, and return that; fails with what it gave last."""
    end = time.monotonic() + seconds
    found = true()
    while not found and time.monotonic() < end:
        time.sleep(every)
        found = true()
    assert found, f"not within {seconds} s: {found!r}"
    return found
