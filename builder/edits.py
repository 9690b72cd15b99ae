"""Project edits as plain JSON: the one vocabulary of fixes, of commands to the canvas, and of undo.

Every edit is an object with an ``"op"``:

====================  ======================================================================
``add_node``          ``network, node`` (a node as in the file)
``remove_node``       ``network, id`` (its wires go too)
``replace_node``      ``network, id, node`` (same id or a new one; wires follow a new id)
``set``               ``network, id, setting, value``
``rename_node``       ``network, id, to``
``move_node``         ``network, id, position``
``fold_node``         ``network, id, folded``
``add_edge``          ``network, edge`` (an edge as in the file)
``remove_edge``       ``network, edge``
``set_part``          ``part, value``: one of name, data, task, loss, optimizer, training, blocks, weights
``set_network``       ``network, value`` (a whole network; null removes it)
``replace_project``   ``value`` (a whole project)
====================  ======================================================================

A network called ``blocks/<name>`` is the inside of an own block: what is edited there changes all its uses.
The canvas applies the same edits in the browser; `apply` here serves fixes that are tried before
they are offered, the command line and tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from builder.definition import PLACE
from builder.graph import Edge, Graph
from builder.graph_file import Own
from builder.problems import Edit
from builder.project import (
    Project,
    ProjectError,
    block_from_json,
    from_json,
    graph_from_json,
    graph_to_json,
    node_from_json,
    node_to_json,
    to_json,
)

PARTS = ("name", "data", "task", "loss", "optimizer", "training", "blocks", "weights")


class EditError(ValueError):
    """An edit does not fit the project (an unknown node, say)."""


def apply(project: Project, edits: Iterable[Edit]) -> Project:
    """The project after these edits, in order. Raises EditError when one does not fit."""
    for edit in edits:
        try:
            project = _apply(project, edit)
        except (KeyError, TypeError, ProjectError) as error:
            raise EditError(f"the edit {edit.get('op')!r} does not fit: {error}") from error
    return project


def _apply(project: Project, edit: Edit) -> Project:
    op = edit["op"]
    if op == "replace_project":
        return from_json(edit["value"])
    if op == "set_part":
        part = edit["part"]
        if part not in PARTS:
            raise EditError(f"a project has no part {part!r}")
        return from_json({**to_json(project), part: edit["value"]})
    name = edit["network"]
    if op == "set_network":
        if edit["value"] is None:
            return project.replace(networks={k: g for k, g in project.networks.items() if k != name})
        if name.startswith(PLACE) and name not in project.networks:
            return _edit_definition(project, name, lambda _: graph_from_json(edit["value"], own=project.own))
        return project.with_network(name, graph_from_json(edit["value"], own=project.own))
    if name in project.networks:
        return project.with_network(name, _edit_graph(project.networks[name], op, edit, project.own))
    return _edit_definition(project, name, lambda graph: _edit_graph(graph, op, edit, project.own))


def _edit_definition(project: Project, place: str, change: Callable[[Graph], Graph]) -> Project:
    """The project with the inside of an own block changed; all uses follow.

    Inner blocks whose settings are arguments are unknown here, and are written back as they were read.
    """
    name = place.removeprefix(PLACE)
    if not place.startswith(PLACE) or name not in project.blocks:
        raise EditError(f"there is no network called {place!r}")
    definition = project.blocks[name]
    graph = change(graph_from_json(definition, name, project.own))
    changed = {**project.blocks, name: {**definition, **graph_to_json(graph)}}
    return from_json({**to_json(project), "blocks": changed})


def _edit_graph(graph: Graph, op: str, edit: Edit, own: Own) -> Graph:
    match op:
        case "add_node":
            node = node_from_json(edit["node"], own=own)
            if node.id in graph.ids():
                raise EditError(f"there is already a node called {node.id!r}")
            return graph.with_node(node)
        case "add_edge":
            return graph.with_edge(Edge(**edit["edge"]))
        case "remove_edge":
            return graph.without_edge(Edge(**edit["edge"]))
    node = graph.node(edit["id"])
    match op:
        case "remove_node":
            return graph.without_node(node.id)
        case "replace_node":
            new = node_from_json(edit["node"], own=own)
            return graph.renamed(node.id, new.id).with_node(new)
        case "rename_node":
            if edit["to"] in graph.ids():
                raise EditError(f"there is already a node called {edit['to']!r}")
            return graph.renamed(node.id, edit["to"])
        case "set":
            plain = node_to_json(node)
            settings = {**plain["settings"], edit["setting"]: edit["value"]}
            return graph.with_node(dataclasses.replace(node, block=block_from_json(plain["block"], settings, own)))
        case "move_node":
            x, y = edit["position"]
            return graph.with_node(dataclasses.replace(node, position=(float(x), float(y))))
        case "fold_node":
            return graph.with_node(dataclasses.replace(node, folded=bool(edit["folded"])))
    raise EditError(f"there is no edit called {op!r}")


def set_part(part: str, value: Any) -> Edit:
    """The edit that sets one part of the project to a JSON value."""
    return {"op": "set_part", "part": part, "value": value}
