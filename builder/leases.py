"""Which tab may write a project: one file beside it says who, and the tab renews it as long as it is there."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.project import write_atomically
from builder.training.run import alive

LEASE_SECONDS = 12.0
"""A tab that has not been heard of for so long no longer holds its project."""


@dataclass(frozen=True)
class Lease:
    """Who may write a project: this tab (`mine`), or another one. `fresh`: it was not this tab's before."""

    mine: bool
    message: str = ""
    fresh: bool = False


def renew(path: Path, tab: str, take: bool, connection: str, lives: Callable[[str], bool] | None) -> Lease:
    """Write the right of this tab into the file at `path`, or say who has it (see `Workspace.lease`)."""
    now = time.time()
    held = read_json(path)
    owner, beat = held.get("tab", ""), held.get("time")
    age = now - beat if isinstance(beat, (int, float)) else math.inf
    if owner not in ("", tab) and not take and _is_there(held, age, lives):
        return Lease(False, "This project is open in another tab. Here you can look; take over to edit.")
    if owner != tab or age > LEASE_SECONDS / 6:
        mine = {"tab": tab, "time": now, "process": os.getpid(), "connection": connection}
        with contextlib.suppress(OSError):  # a full disk must not stop the only tab from working
            write_atomically(path, json.dumps(mine).encode())
    return Lease(True, fresh=owner != tab)


def _is_there(held: dict[str, Any], age: float, lives: Callable[[str], bool] | None) -> bool:
    """Whether the tab of this lease can still write."""
    process, connection = held.get("process"), held.get("connection")
    if isinstance(process, int) and isinstance(connection, str) and connection:
        if process == os.getpid() and lives is not None:
            return lives(connection)
        if not alive(process):
            return False
    return age < LEASE_SECONDS


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small file of ours; empty when it cannot be read."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
