"""A project: networks, data, task, loss, optimizer and training settings; its file format."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.first_weights import FirstWeights
from builder.graph import Graph
from builder.graph_file import (
    MAX_NAME,
    MAX_NODES,
    Own,
    ProjectError,
    block_from_json,
    graph_from_json,
    graph_to_json,
    name_of,
    node_from_json,
    node_to_json,
    object_of,
    short,
)
from builder.own import vocabulary

__all__ = [
    "FORMAT",
    "MAX_FILE_BYTES",
    "MAX_NAME",
    "MAX_NODES",
    "Choice",
    "Project",
    "ProjectError",
    "block_from_json",
    "dumps",
    "from_json",
    "graph_from_json",
    "graph_to_json",
    "load",
    "loads",
    "node_from_json",
    "node_to_json",
    "save",
    "to_json",
    "write_atomically",
]

FORMAT = 1
MAX_FILE_BYTES = 64 * 2**20
LISTS = 3
"""How deep in a file the lists of nodes and wires stand."""


@dataclass(frozen=True)
class Choice:
    """A named thing with settings as they stand in the file: a data set, task, loss or optimizer.

    The name is looked up and the settings are checked by `builder.check`, so that a file with an
    unknown one still opens.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Project:
    """Everything one trains: an architecture, a loss, an optimizer, and data. Never changed in place.

    `weights` say what the next training on the page begins with; None draws them anew.
    """

    name: str = "untitled"
    networks: dict[str, Graph] = field(default_factory=lambda: {"network": Graph()}, hash=False)
    blocks: dict[str, Any] = field(default_factory=dict, hash=False)
    data: Choice = Choice("digits")
    task: Choice = Choice("classification")
    loss: Choice = Choice("cross_entropy")
    optimizer: dict[str, Choice] = field(default_factory=lambda: {"network": Choice("Adam")}, hash=False)
    training: dict[str, Any] = field(default_factory=dict, hash=False)
    weights: FirstWeights | None = None

    @functools.cached_property
    def own(self) -> Own:
        """The blocks that the project's file defines itself, by name (see `builder.own`)."""
        return vocabulary(self.blocks)

    def replace(self, **changes: Any) -> Project:
        """A copy with some parts replaced."""
        return dataclasses.replace(self, **changes)

    def with_network(self, name: str, graph: Graph) -> Project:
        """A copy in which the network `name` is `graph`."""
        return self.replace(networks={**self.networks, name: graph})


# --- to JSON -----------------------------------------------------------------------------------


def to_json(project: Project) -> dict[str, Any]:
    """The project as the JSON object of its file."""
    return {
        "format": FORMAT,
        "name": project.name,
        "networks": {name: graph_to_json(g) for name, g in project.networks.items()},
        "blocks": project.blocks,
        "data": _choice_to_json(project.data),
        "task": _choice_to_json(project.task),
        "loss": _choice_to_json(project.loss),
        "optimizer": {slot: _choice_to_json(c) for slot, c in project.optimizer.items()},
        "training": dict(project.training),
        **({} if project.weights is None else {"weights": project.weights.to_json()}),
    }


def _choice_to_json(choice: Choice) -> dict[str, Any]:
    return {"name": choice.name, "settings": dict(choice.settings)}


# --- from JSON ---------------------------------------------------------------------------------


def from_json(data: Any) -> Project:
    """A project from the JSON object of its file.

    Raises ProjectError with one sentence when the structure does not fit. An unknown block or a
    setting out of bounds is no such error: it becomes an UnknownBlock and then a Problem.
    """
    root = object_of(data, "the file")
    version = root.get("format")
    if version != FORMAT or isinstance(version, bool):
        if isinstance(version, int) and version > FORMAT:
            raise ProjectError(
                f"The file has format {short(version)}, but this Layerloom reads up to format {FORMAT}. "
                "Please update Layerloom to open it."
            )
        raise ProjectError(f"The file has no known format number ({short(version)}); it is no Layerloom project.")
    own_blocks = object_of(root.get("blocks", {}), "blocks")
    if (
        sum(len(d["nodes"]) for d in own_blocks.values() if isinstance(d, dict) and isinstance(d.get("nodes"), list))
        > MAX_NODES
    ):
        raise ProjectError(f"The file's own blocks hold more than {MAX_NODES:,} blocks, the most Layerloom opens.")
    own = vocabulary(own_blocks)
    networks = {
        name_of(key, "a network's name"): graph_from_json(value, f"networks.{short(key)}", own)
        for key, value in object_of(root.get("networks"), "networks").items()
    }
    if not networks:
        raise ProjectError("The file holds no network.")
    if sum(len(g.nodes) for g in networks.values()) > MAX_NODES:
        raise ProjectError(f"The file holds more than {MAX_NODES:,} blocks, the most Layerloom opens.")
    optimizer = object_of(root.get("optimizer", {}), "optimizer")
    return Project(
        name=name_of(root.get("name", "untitled"), "name"),
        networks=networks,
        blocks=own_blocks,
        data=_choice(root.get("data"), "data"),
        task=_choice(root.get("task"), "task"),
        loss=_choice(root.get("loss"), "loss"),
        optimizer={
            name_of(slot, "a slot's name"): _choice(c, f"optimizer.{short(slot)}") for slot, c in optimizer.items()
        },
        training=object_of(root.get("training", {}), "training"),
        weights=None if root.get("weights") is None else FirstWeights.from_json(root["weights"]),
    )


def _choice(value: Any, where: str) -> Choice:
    choice = object_of(value, where)
    return Choice(
        name_of(choice.get("name"), f"{where}.name"), object_of(choice.get("settings", {}), f"{where}.settings")
    )


# --- files -------------------------------------------------------------------------------------


def loads(text: str | bytes) -> Project:
    """A project from the text of its file; raises ProjectError with one sentence."""
    if len(text) > MAX_FILE_BYTES:
        raise ProjectError(
            f"The file is {len(text) / 2**20:.0f} MB; a project has at most {MAX_FILE_BYTES // 2**20} MB."
        )
    try:
        data = json.loads(text)
    except UnicodeDecodeError:
        raise ProjectError("The file is no text, so it is no Layerloom project.") from None
    except json.JSONDecodeError as error:
        raise ProjectError(
            f"The file is no complete JSON (line {error.lineno}, column {error.colno}: {error.msg}). "
            "It may be cut off or no Layerloom project."
        ) from None
    except ValueError:  # Python's own limit on the digits of an integer
        raise ProjectError("The file holds a number of thousands of digits; it is no Layerloom project.") from None
    except RecursionError:
        raise ProjectError("The file is nested too deeply to be a Layerloom project.") from None
    return from_json(data)


def dumps(project: Project) -> str:
    """The text of the project's file: a line for every node, wire and setting, so that versions can be compared."""
    return _lines(to_json(project), 0) + "\n"


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _lines(value: Any, depth: int) -> str:
    """JSON broken into lines as deep as the lists of nodes and wires. `indent` would do it in Python, three times slower."""
    inside, end = "\n" + " " * (depth + 1), "\n" + " " * depth
    if depth < LISTS and isinstance(value, dict) and value:
        members = [f"{_encode(key)}: {_lines(member, depth + 1)}" for key, member in value.items()]
        return f"{{{inside}{f',{inside}'.join(members)}{end}}}"
    if depth == LISTS and isinstance(value, list) and value:
        return f"[{inside}{f',{inside}'.join(map(_encode, value))}{end}]"
    return _encode(value)


def load(path: str | os.PathLike[str]) -> Project:
    """The project in this file; raises ProjectError with one sentence when it cannot be opened."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ProjectError(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MB; that is no project.")
        text = path.read_bytes()
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror or error}.") from None
    try:
        return loads(text)
    except ProjectError as error:
        raise ProjectError(f"{path}: {error}") from None


def save(project: Project, path: str | os.PathLike[str]) -> None:
    """Write the project's file, whole or not at all. Raises OSError when the place cannot be written."""
    write_atomically(Path(path), dumps(project).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a crash or a full disk leaves the old one. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
