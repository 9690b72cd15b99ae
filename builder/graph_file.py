"""The nodes and edges of a network as JSON, as they stand in a project's file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import blocks
from blocks.base import Block, SettingError
from builder.graph import Edge, Graph, Node, UnknownBlock

MAX_NODES = 20_000
MAX_NAME = 200
MAX_RATE = 1000.0

Own = Mapping[str, type[Block] | str]
"""The blocks a project has of its own: classes, and for what cannot be used the sentence why."""
ONNX = "ONNX"
"""What begins the name of a block that holds the place of an operator from an ONNX file."""
NONE: Own = {}


class ProjectError(ValueError):
    """A project file cannot be opened; the message is one sentence that says why."""


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """One network as JSON."""
    return {
        "nodes": [node_to_json(n) for n in graph.nodes],
        "edges": [dataclasses.asdict(e) for e in graph.edges],
    }


def node_to_json(node: Node) -> dict[str, Any]:
    """One node as JSON; all settings are written, even defaults, because defaults change.

    The rate is no setting: a block that learns as its network does has none in the file.
    """
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
        **({} if node.rate == 1.0 else {"rate": node.rate}),
    }


def graph_from_json(data: Any, where: str = "network", own: Own = NONE) -> Graph:
    """One network from JSON; `own` are the project's own blocks. Raises ProjectError as `from_json` does."""
    graph = object_of(data, where)
    listed = list_of(graph.get("nodes"), f"{where}.nodes")
    if len(listed) > MAX_NODES:
        raise ProjectError(f"{where} has {len(listed):,} blocks; Layerloom opens at most {MAX_NODES:,}.")
    nodes = [node_from_json(n, f"{where}.nodes[{i}]", own) for i, n in enumerate(listed)]
    edges = []
    for i, item in enumerate(list_of(graph.get("edges"), f"{where}.edges")):
        edge = object_of(item, f"{where}.edges[{i}]")
        ends = (edge.get(k) for k in ("source", "source_port", "target", "target_port"))
        edges.append(Edge(*(name_of(end, f"{where}.edges[{i}]") for end in ends)))
    seen: set[str] = set()
    for node in nodes:
        if node.id in seen:
            raise ProjectError(f"Two blocks of {where} are called {short(node.id)}; names must be unique.")
        seen.add(node.id)
    return Graph(tuple(nodes), tuple(dict.fromkeys(edges)))


def node_from_json(data: Any, where: str = "node", own: Own = NONE) -> Node:
    """One node from JSON; raises ProjectError as `from_json` does."""
    node = object_of(data, where)
    block = block_from_json(
        name_of(node.get("block"), f"{where}.block"), object_of(node.get("settings", {}), f"{where}.settings"), own
    )
    position = list_of(node.get("position", [0, 0]), f"{where}.position")
    if len(position) != 2 or not all(_finite(p) for p in position):
        raise ProjectError(f"{where}.position is {short(position)}; it must be two numbers.")
    folded = node.get("folded", True)
    note = node.get("note", "")
    if not isinstance(folded, bool):
        raise ProjectError(f"{where}.folded is {short(folded)}; it must be true or false.")
    if not isinstance(note, str):
        raise ProjectError(f"{where}.note is {short(note)}; it must be text.")
    rate = node.get("rate", 1.0)
    if not _finite(rate) or not 0 <= rate <= MAX_RATE:
        raise ProjectError(f"{where}.rate is {short(rate)}; it must be a number from 0 to {MAX_RATE:g}.")
    place = (float(position[0]), float(position[1]))
    return Node(name_of(node.get("id"), f"{where}.id"), block, place, folded, note[:10_000], float(rate))


def block_from_json(name: str, settings: dict[str, Any], own: Own = NONE) -> Any:
    """The block `name` with these settings, or an UnknownBlock that says what does not fit."""
    cls = blocks.catalogue().get(name) or own.get(name)
    if isinstance(cls, str):
        return UnknownBlock(name, settings, cls)
    if name.startswith(f"{ONNX} "):
        return UnknownBlock(
            name, settings, f"It is ONNX’s {name.removeprefix(ONNX).strip()}, which no block stands for."
        )
    if cls is None:
        return UnknownBlock(name, settings, f"There is no block called {short(name)} in this version.")
    try:
        return cls.from_settings(settings)
    except SettingError as error:
        return UnknownBlock(name, settings, str(error))


def object_of(value: Any, where: str) -> dict[str, Any]:
    """The value if it is an object; raises ProjectError that names `where` otherwise."""
    if not isinstance(value, dict):
        raise ProjectError(f"{where} must be an object, but it is {short(value)}.")
    return value


def list_of(value: Any, where: str) -> list[Any]:
    """The value if it is a list; raises ProjectError otherwise."""
    if not isinstance(value, list):
        raise ProjectError(f"{where} must be a list, but it is {short(value)}.")
    return value


def name_of(value: Any, where: str) -> str:
    """The value if it is a name; raises ProjectError otherwise."""
    if not isinstance(value, str) or not value:
        raise ProjectError(f"{where} must be a name, but it is {short(value)}.")
    if len(value) > MAX_NAME:
        raise ProjectError(f"{where} is {len(value)} characters long; the most is {MAX_NAME}.")
    return value


def _finite(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, float) and math.isfinite(value)


def short(value: Any) -> str:
    """The value as it can be quoted in a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
