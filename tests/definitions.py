"""Projects with blocks of their own, written as short tables."""

from __future__ import annotations

import itertools
from typing import Any

import builder
from builder.project import Project, from_json
from builder.validate import Report

Json = dict[str, Any]


def node(id: str, block: str, **settings: Any) -> Json:
    """A node as in a file; settings left out take their defaults when it is read."""
    return {"id": id, "block": block, "settings": settings}


def wires(*ends: str) -> list[Json]:
    """Edges from texts such as "conv1>add.in2"; the port is "in" unless told."""
    found = []
    for text in ends:
        source, target = text.split(">")
        id, _, port = target.partition(".")
        found.append({"source": source, "source_port": "out", "target": id, "target_port": port or "in"})
    return found


def argument(name: str) -> Json:
    return {"argument": name}


def pair() -> Json:
    """Two convolutions with a shortcut around them, `width` channels wide in between and as wide as x outside."""
    return {
        "arguments": {"width": 4},
        "nodes": [
            node("x", "Image", channels=6, height=8, width=8),
            node("conv1", "Conv2d", out_channels=argument("width"), kernel_size=3, padding=1),
            node("relu1", "ReLU"),
            node("conv2", "Conv2d", out_channels=6, kernel_size=3, padding=1),
            node("add", "Add"),
            node("output", "Output"),
        ],
        "edges": wires("x>conv1", "conv1>relu1", "relu1>conv2", "conv2>add.in1", "x>add.in2", "add>output"),
    }


def stack(*uses: Json, blocks: Json, head: int = 6) -> Json:
    """A project's file: a convolution to six channels, the uses in a row, and a classifier of digits."""
    nodes = [
        node("image", "Image", channels=1, height=8, width=8),
        node("stem", "Conv2d", out_channels=head, kernel_size=3, padding=1),
        *uses,
        node("flatten", "Flatten"),
        node("fc", "Linear", out_features=10),
        node("output", "Output"),
    ]
    ids = [n["id"] for n in nodes]
    return {
        "format": 1,
        "name": "own",
        "networks": {"network": {"nodes": nodes, "edges": wires(*(f"{a}>{b}" for a, b in itertools.pairwise(ids)))}},
        "blocks": blocks,
        "data": {"name": "digits", "settings": {"size": 8}},
        "task": {"name": "classification", "settings": {}},
        "loss": {"name": "cross_entropy", "settings": {}},
        "optimizer": {"network": {"name": "Adam", "settings": {}}},
        "training": {},
    }


def opened(data: Json) -> tuple[Project, Report]:
    project = from_json(data)
    return project, builder.check(project)


def errors(report: Report) -> list[str]:
    return [p.message for p in report.problems if p.severity == "error"]
