"""A project: networks, data, task, loss, optimizer and training settings; its file format."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import blocks
from blocks.base import SettingError
from builder.graph import Edge, Graph, Node, UnknownBlock

FORMAT = 1
MAX_FILE_BYTES = 64 * 2**20
MAX_NODES = 20_000
MAX_NAME = 200


class ProjectError(ValueError):
    """A project file cannot be opened; the message is one sentence that says why."""


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
    """Everything one trains: an architecture, a loss, an optimizer, and data. Never changed in place."""

    name: str = "untitled"
    networks: dict[str, Graph] = field(default_factory=lambda: {"network": Graph()}, hash=False)
    blocks: dict[str, Any] = field(default_factory=dict, hash=False)
    data: Choice = Choice("digits")
    task: Choice = Choice("classification")
    loss: Choice = Choice("cross_entropy")
    optimizer: dict[str, Choice] = field(default_factory=lambda: {"network": Choice("Adam")}, hash=False)
    training: dict[str, Any] = field(default_factory=dict, hash=False)

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
    }


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """One network as JSON."""
    return {
        "nodes": [node_to_json(n) for n in graph.nodes],
        "edges": [dataclasses.asdict(e) for e in graph.edges],
    }


def node_to_json(node: Node) -> dict[str, Any]:
    """One node as JSON; all settings are written, even defaults, because defaults change."""
    if isinstance(node.block, UnknownBlock):
        name, settings = node.block.name, node.block.settings
    else:
        name, settings = type(node.block).__name__, node.block.to_settings()
    return {
        "id": node.id,
        "block": name,
        "version": 1,
        "settings": settings,
        "position": list(node.position),
        "folded": node.folded,
        "note": node.note,
    }


def _choice_to_json(choice: Choice) -> dict[str, Any]:
    return {"name": choice.name, "settings": dict(choice.settings)}


# --- from JSON ---------------------------------------------------------------------------------


def from_json(data: Any) -> Project:
    """A project from the JSON object of its file.

    Raises ProjectError with one sentence when the structure does not fit. An unknown block or a
    setting out of bounds is no such error: it becomes an UnknownBlock and then a Problem.
    """
    root = _object(data, "the file")
    version = root.get("format")
    if version != FORMAT or isinstance(version, bool):
        if isinstance(version, int) and version > FORMAT:
            raise ProjectError(
                f"The file has format {_short(version)}, but this Layerloom reads up to format {FORMAT}. "
                "Please update Layerloom to open it."
            )
        raise ProjectError(f"The file has no known format number ({_short(version)}); it is no Layerloom project.")
    networks = {
        _name(key, "a network's name"): graph_from_json(value, f"networks.{_short(key)}")
        for key, value in _object(root.get("networks"), "networks").items()
    }
    if not networks:
        raise ProjectError("The file holds no network.")
    if sum(len(g.nodes) for g in networks.values()) > MAX_NODES:
        raise ProjectError(f"The file holds more than {MAX_NODES:,} blocks, the most Layerloom opens.")
    optimizer = _object(root.get("optimizer", {}), "optimizer")
    return Project(
        name=_name(root.get("name", "untitled"), "name"),
        networks=networks,
        blocks=_object(root.get("blocks", {}), "blocks"),
        data=_choice(root.get("data"), "data"),
        task=_choice(root.get("task"), "task"),
        loss=_choice(root.get("loss"), "loss"),
        optimizer={
            _name(slot, "a slot's name"): _choice(c, f"optimizer.{_short(slot)}") for slot, c in optimizer.items()
        },
        training=_object(root.get("training", {}), "training"),
    )


def graph_from_json(data: Any, where: str = "network") -> Graph:
    """One network from JSON; raises ProjectError as `from_json` does."""
    graph = _object(data, where)
    listed = _list(graph.get("nodes"), f"{where}.nodes")
    if len(listed) > MAX_NODES:
        raise ProjectError(f"{where} has {len(listed):,} blocks; Layerloom opens at most {MAX_NODES:,}.")
    nodes = [node_from_json(n, f"{where}.nodes[{i}]") for i, n in enumerate(listed)]
    edges = []
    for i, item in enumerate(_list(graph.get("edges"), f"{where}.edges")):
        edge = _object(item, f"{where}.edges[{i}]")
        ends = (edge.get(k) for k in ("source", "source_port", "target", "target_port"))
        edges.append(Edge(*(_name(end, f"{where}.edges[{i}]") for end in ends)))
    seen: set[str] = set()
    for node in nodes:
        if node.id in seen:
            raise ProjectError(f"Two blocks of {where} are called {_short(node.id)}; names must be unique.")
        seen.add(node.id)
    return Graph(tuple(nodes), tuple(dict.fromkeys(edges)))


def node_from_json(data: Any, where: str = "node") -> Node:
    """One node from JSON; raises ProjectError as `from_json` does."""
    node = _object(data, where)
    block = block_from_json(
        _name(node.get("block"), f"{where}.block"), _object(node.get("settings", {}), f"{where}.settings")
    )
    position = _list(node.get("position", [0, 0]), f"{where}.position")
    if len(position) != 2 or not all(_finite(p) for p in position):
        raise ProjectError(f"{where}.position is {_short(position)}; it must be two numbers.")
    folded = node.get("folded", True)
    note = node.get("note", "")
    if not isinstance(folded, bool):
        raise ProjectError(f"{where}.folded is {_short(folded)}; it must be true or false.")
    if not isinstance(note, str):
        raise ProjectError(f"{where}.note is {_short(note)}; it must be text.")
    return Node(
        _name(node.get("id"), f"{where}.id"), block, (float(position[0]), float(position[1])), folded, note[:10_000]
    )


def block_from_json(name: str, settings: dict[str, Any]) -> Any:
    """The block `name` with these settings, or an UnknownBlock that says what does not fit."""
    cls = blocks.catalogue().get(name)
    if cls is None:
        return UnknownBlock(name, settings, f"There is no block called {_short(name)} in this version.")
    try:
        return cls.from_settings(settings)
    except SettingError as error:
        return UnknownBlock(name, settings, str(error))


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProjectError(f"{where} must be an object, but it is {_short(value)}.")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ProjectError(f"{where} must be a list, but it is {_short(value)}.")
    return value


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ProjectError(f"{where} must be a name, but it is {_short(value)}.")
    if len(value) > MAX_NAME:
        raise ProjectError(f"{where} is {len(value)} characters long; the most is {MAX_NAME}.")
    return value


def _choice(value: Any, where: str) -> Choice:
    choice = _object(value, where)
    return Choice(_name(choice.get("name"), f"{where}.name"), _object(choice.get("settings", {}), f"{where}.settings"))


def _finite(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, float) and math.isfinite(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


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
    """The text of the project's file."""
    return json.dumps(to_json(project), indent=1, ensure_ascii=False) + "\n"


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
