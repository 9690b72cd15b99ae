"""An exported script in a process of its own, as the one who takes it away runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def command(arguments: list[str], packages: Path | None = None) -> dict[str, Any]:
    """How to start a Python process that knows nothing of this repository; with `packages`, only what lies in there."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    words = [sys.executable, *arguments]
    if packages is not None:
        environment["PYTHONPATH"] = str(packages)
        words[1:1] = ["-S", "-s"]  # nothing that is installed, neither here nor for the user
    return {"args": words, "env": environment, "text": True}


def process(arguments: list[str], folder: Path, packages: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it in `folder` and wait for its end."""
    return subprocess.run(cwd=folder, capture_output=True, **command(arguments, packages))


def lines_of(arguments: list[str], folder: Path, packages: Path | None = None) -> list[dict[str, Any]]:
    """The JSON lines it prints; it must end well."""
    done = process(arguments, folder, packages)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def records_of(folder: Path) -> list[dict[str, Any]]:
    """What an exported ``train.py`` records of its training: all lines but the last, which says that it is done."""
    *records, last = lines_of(["train.py", "--json"], folder)
    assert last["done"] is True
    return records
