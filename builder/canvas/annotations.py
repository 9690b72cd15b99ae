"""What the canvas shows on blocks and wires: shapes, counts, states, captions and the curves of functions."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from blocks.base import Block
from builder import definition
from builder.canvas.catalogue import block_json
from builder.curves import Curve, curve
from builder.graph import Graph, UnknownBlock
from builder.graph_file import Own
from builder.own import OwnBlock
from builder.project import Project
from builder.report import NodeReport, Report
from builder.shapes import Inner, leaves, size

Json = dict[str, Any]


def annotate(project: Project, report: Report, rev: int) -> Json:
    """What the canvas shows on blocks and wires, for one revision of the document."""
    networks = {}
    for name, graph in project.networks.items():
        known = report.nodes.get(name, {})
        networks[name] = {
            "parameters": report.parameters.get(name, 0),
            "flops": report.flops.get(name, 0),
            "memory": report.memory.get(name, 0),
            "nodes": {n.id: _node(n.block, known[n.id]) for n in graph.nodes if n.id in known},
        }
    for name, inside in report.insides.items():
        graph = definition.opened(project.blocks[name], project.own) or Graph()
        networks[definition.PLACE + name] = {
            "parameters": sum(n.parameters for n in inside.values()),
            "flops": sum(n.flops for n in inside.values()),
            "memory": None,
            "nodes": {n.id: _node(n.block, inside[n.id]) for n in graph.nodes if n.id in inside},
        }
    return {
        "rev": rev,
        "ok": report.ok,
        "missing": report.missing,
        "networks": networks,
        "problems": [p.to_json() for p in report.problems],
        "blocks": own_json(project.own),
        "curves": _curves(project),
    }


def own_json(own: Own) -> Json:
    """The blocks of one's own, as those of the catalogue are told; one that cannot be used says why it is `broken`."""
    return {
        name: {**block_json(OwnBlock), "label": name, "inputs": [], "broken": cls}
        if isinstance(cls, str)
        else block_json(cls)
        for name, cls in own.items()
    }


def _node(block: Block | UnknownBlock, report: NodeReport) -> Json:
    return {
        "shape": None if report.shape is None else list(report.shape),
        "inputs": {port: list(shape) for port, shape in report.inputs.items()},
        "parameters": report.parameters,
        "flops": report.flops,
        "state": report.state,
        "waits_for": report.waits_for,
        "caption": _caption(block, report),
        "explain": report.explain,
        "inner": [_inner(i) for i in leaves(report.inner)] or None,
        **({"curve": repr(block)} if _curve(block) else {}),
    }


def _curve(block: Block | UnknownBlock) -> Curve | None:
    return None if isinstance(block, UnknownBlock) else curve(block)


def _curves(project: Project) -> Json:
    """The functions of all activations of a project, each once."""
    blocks = {node.block for graph in project.networks.values() for node in graph.nodes}
    return {repr(block): dataclasses.asdict(found) for block in blocks if (found := _curve(block)) is not None}


def _inner(inner: Inner) -> Json:
    block = inner.block
    return {
        "id": inner.id,
        "block": type(block).__name__,
        "label": block.label,
        "category": block.category,
        "sources": list(inner.sources),
        "shape": list(inner.inferred.shape),
        "parameters": inner.inferred.parameters,
        **({} if inner.rate == 1.0 else {"rate": inner.rate}),
    }


def _caption(block: Block | UnknownBlock, report: NodeReport) -> str:
    """One short line below a block's picture: how much comes out of it."""
    if report.shape is None or isinstance(block, UnknownBlock):
        return ""
    if len(report.shape) == 3 and block.source_shape() is None:
        return f"{report.shape[0]} map" if report.shape[0] == 1 else f"{report.shape[0]} maps"
    if len(report.shape) > 1:
        return size(report.shape)
    count = math.prod(report.shape)
    return "1 value" if count == 1 else f"{count:,} values"
