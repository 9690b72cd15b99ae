"""A person's own blocks, kept beside the projects: every project of the workspace can use them.

::

    LAYERLOOM_HOME/blocks/<name>.json    {"format": 1, "name", "blocks": the definition and those it needs}

A project that uses one gets a copy of the definitions, so that its file stays whole and can be passed on.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builder.definition import name_problem, needed
from builder.own import OwnBlock, vocabulary
from builder.project import write_atomically

FORMAT = 1
MAX_BYTES = 2**20
"""A definition is a few kilobytes; a larger file is none."""

Definitions = dict[str, Any]


class LibraryError(RuntimeError):
    """A block cannot be kept or thrown away; the message is one sentence."""


class Library:
    """The blocks under one folder of the workspace."""

    def __init__(self, workspace: Path) -> None:
        self.folder = workspace / "blocks"
        self.trash = workspace / "trash"

    def entries(self) -> dict[str, Definitions]:
        """The kept blocks by name, each with the definitions it consists of; files that are none are passed by."""
        found = {}
        with contextlib.suppress(OSError):
            for path in sorted(self.folder.glob("*.json")):
                definitions = _read(path)
                if definitions is not None:
                    found[path.stem] = definitions
        return found

    def save(self, name: str, definitions: Mapping[str, Any]) -> None:
        """Keep the block `name` with all of `definitions` that it needs. Raises LibraryError with a sentence."""
        if name not in definitions:
            raise LibraryError(f"This project has no block called {name}.")
        cls = vocabulary(definitions)[name]
        if isinstance(cls, str):
            raise LibraryError(f"{name} cannot be kept as it is: {cls}")
        kept = {other: definitions[other] for other in needed(name, definitions)}
        text = json.dumps({"format": FORMAT, "name": name, "blocks": kept}, indent=1, ensure_ascii=False) + "\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / f"{name}.json", text.encode())
        except OSError as error:
            raise LibraryError(f"{self.folder} cannot be written: {error.strerror or error}.") from None

    def remove(self, name: str) -> None:
        """Move a kept block to the trash. Raises LibraryError when it is not there or cannot be moved."""
        if name_problem(name) is not None or not (self.folder / f"{name}.json").is_file():
            raise LibraryError(f"There is no block called {name} in your library.")
        try:
            self.trash.mkdir(parents=True, exist_ok=True)
            os.replace(self.folder / f"{name}.json", self.trash / f"block-{name}-{time.time_ns()}.json")
        except OSError as error:
            raise LibraryError(f"{name} cannot be removed: {error.strerror or error}.") from None


def _read(path: Path) -> Definitions | None:
    """The definitions in a file, or None where it is no block of this version."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("name") != path.stem:
        return None
    definitions = data.get("blocks")
    if not isinstance(definitions, dict):
        return None
    cls = vocabulary(definitions).get(path.stem)
    return definitions if isinstance(cls, type) and issubclass(cls, OwnBlock) else None
