"""Classes of a file that are no blocks of the catalogue become blocks of one's own."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from blocks.base import Block, Shape
from builder import names, validate
from builder.data.base import Field
from builder.definition import REPEAT, argument_free, name_problem
from builder.graph import Node, UnknownBlock
from builder.project import Project, ProjectError, from_json, graph_from_json, graph_to_json, node_to_json, to_json
from builder.reading.assemble import Part, Use
from builder.reading.layout import placed
from builder.remedies.ends import input_for
from builder.remedies.scene import by_role
from builder.structure import is_input, is_output

Json = dict[str, Any]
_NUMBERED = re.compile(r"(.+)_0")


class _UnlikeError(Exception):
    """The uses of a class differ in more than constants, or it cannot be a block; the graph stays flat."""


Trees = Mapping[str, tuple[tuple[Part, ...], tuple[str, ...]]]
"""For each network its steps as they are written, and what it returns."""


def grouped(project: Project, trees: Trees) -> Project:
    """The project with a block of its own for every class; as it was where that cannot be."""
    if not any(isinstance(part.made, Use) for parts, _ in trees.values() for part in parts):
        return project
    try:
        found = _grouped(project, trees)
    except (_UnlikeError, ProjectError):
        return project
    if any(isinstance(cls, str) for cls in found.own.values()):
        return project
    same = validate.inspect(found).parameters == validate.inspect(project).parameters
    return found if same else project


def _grouped(project: Project, trees: Trees) -> Project:
    uses: dict[str, list[Use]] = {}
    for parts, _ in trees.values():
        for use in _uses(parts):
            uses.setdefault(use.definition.name, []).append(use)
    settings: dict[int, Json] = {}
    inner_first = sorted(uses, key=lambda name: max(map(_height, uses[name])))
    blocks = {name: _definition(uses[name], settings, uses.keys()) for name in inner_first}
    networks: Json = {}
    for name, (parts, ends) in trees.items():
        nodes = project.networks[name].nodes
        answers = [node for node in nodes if is_output(node)]
        plain = [node_to_json(node) for node in nodes if is_input(node)]
        plain += [_node(part, settings) for part in parts]
        plain += [node_to_json(node) for node in answers]
        edges = _edges(parts, {})
        edges += [
            _wire(end, answer.id, answer.block.ports()[0].name) for end, answer in zip(ends, answers, strict=True)
        ]
        networks[name] = _chained(plain, edges, uses.keys(), parts)
    read = from_json({**to_json(project), "networks": networks, "blocks": blocks})
    return read.replace(networks={name: placed(graph) for name, graph in read.networks.items()})


def _uses(parts: Iterable[Part]) -> Iterator[Use]:
    """All uses of classes, inner ones first."""
    for part in parts:
        if isinstance(part.made, Use):
            yield from _uses(part.made.parts)
            yield part.made


def _height(use: Use) -> int:
    """How many classes are within each other in it."""
    return 1 + max((_height(part.made) for part in use.parts if isinstance(part.made, Use)), default=0)


def _node(part: Part, settings: Mapping[int, Json]) -> Json:
    if not isinstance(part.made, Use):
        return node_to_json(Node(part.id, part.made))
    return node_to_json(Node(part.id, UnknownBlock(part.made.definition.name, dict(settings[id(part.made)]), "")))


def _edges(parts: Iterable[Part], renamed: Mapping[str, str]) -> list[Json]:
    return [
        _wire(renamed.get(source, source), part.id, port)
        for part in parts
        for source, port in zip(part.sources, _ports(part), strict=True)
    ]


def _wire(source: str, target: str, port: str) -> Json:
    return {"source": source, "source_port": "out", "target": target, "target_port": port}


def _ports(part: Part) -> list[str]:
    if isinstance(part.made, Use):
        inputs = part.made.definition.inputs
        return [Block.inputs[0].name] if len(inputs) == 1 else list(inputs)
    return [port.name for port in part.made.ports()]


def _definition(uses: list[Use], settings: dict[int, Json], own: Collection[str]) -> Json:
    """The definition all these uses share; notes the settings of each use, whose inner ones are known already."""
    first = uses[0]
    contents = [_content(use, settings, own) for use in uses]
    shared = [([(n["id"], n["block"]) for n in c["nodes"]], c["edges"]) for c in contents]
    if name_problem(first.definition.name) is not None or any(other != shared[0] for other in shared):
        raise _UnlikeError
    for use in uses:
        settings[id(use)] = {}
    nodes: list[Json] = []
    entering = len(first.definition.inputs)  # their shapes only say what is shown inside: those of the first use
    for at, column in enumerate(zip(*(c["nodes"] for c in contents), strict=True)):
        node = {**column[0], "settings": dict(column[0]["settings"])}
        for setting in dict.fromkeys(name for other in column for name in other["settings"]) if at >= entering else ():
            values = [other["settings"].get(setting, 1) for other in column]  # only a repeat of one is left out
            row_of_one = setting == REPEAT and 1 in values  # which is written only where the number is an argument
            if row_of_one or any(value != values[0] for value in values):
                node["settings"][setting] = {"argument": _argument(uses, values, node["id"], setting, settings)}
        nodes.append(node)
    told = first.definition.docstring.strip()
    about = {"help": told} if told and not told.startswith("Holds ") else {}
    inside = graph_from_json({"nodes": nodes, "edges": contents[0]["edges"]})
    return {"arguments": dict(settings[id(first)]), **about, **graph_to_json(placed(inside))}


def _content(use: Use, settings: Mapping[int, Json], own: Collection[str]) -> Json:
    """The nodes and edges inside one use, its inputs first and its output last."""
    taken = {part.id for part in use.parts}
    entering = {f"#{i}": names.free([given], taken) for i, given in enumerate(use.definition.inputs)}
    answer = by_role("output")
    assert answer is not None
    end = names.free(["output"], taken | set(entering.values()))
    nodes = [node_to_json(Node(id, _input(shape))) for id, shape in zip(entering.values(), use.shapes, strict=True)]
    nodes += [_node(part, settings) for part in use.parts]
    nodes.append(node_to_json(Node(end, answer())))
    edges = _edges(use.parts, entering)
    edges.append(_wire(entering.get(use.result, use.result), end, answer.inputs[0].name))
    return _chained(nodes, edges, own, use.parts)


def _argument(uses: list[Use], values: list[Any], node: str, setting: str, settings: dict[int, Json]) -> str:
    """The argument for a setting in which the uses differ: one that differs alike, or a new one, as the code calls it."""
    known = settings[id(uses[0])]
    for argument in known:
        if [settings[id(use)][argument] for use in uses] == values:
            return argument
    written = dict(uses[0].definition.arguments)
    given = [k for k in written if [use.arguments.get(k, _literal(written[k])) for use in uses] == values]
    wanted = [name for name in (*given, setting, f"{node}_{setting}") if argument_free(name)]
    argument = names.free(wanted or [f"{node}_value"], known)
    for use, value in zip(uses, values, strict=True):
        settings[id(use)][argument] = value
    return argument


def _literal(default: ast.expr | None) -> Any:
    """The value of an argument that a call leaves out; None for what is no plain value."""
    try:
        return None if default is None else ast.literal_eval(default)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _input(shape: Shape) -> Block:
    found = input_for(Field(shape, "features"))
    if found is None:
        raise _UnlikeError
    return found


def _chained(nodes: list[Json], edges: list[Json], own: Collection[str], parts: Iterable[Part]) -> Json:
    """Nodes and edges in which equal own blocks in a row, numbered from 0, are one that is repeated.

    One that is all an nn.Sequential holds is repeated once.
    """
    plain = {n["id"]: n for n in nodes}
    alone = {part.id for part in parts if part.alone}
    for first in list(plain):
        numbered = _NUMBERED.fullmatch(first)
        if numbered is None or first not in plain or plain[first]["block"] not in own or numbered[1] in plain:
            continue
        row, stem = [first], numbered[1]
        while (after := f"{stem}_{len(row)}") in plain and plain[after] == {**plain[first], "id": after}:
            leaving = [e["target"] for e in edges if e["source"] == row[-1]]
            arriving = [e["source"] for e in edges if e["target"] == after]
            if leaving != [after] or arriving != [row[-1]]:
                break
            row.append(after)
        if len(row) < 2 and first not in alone:
            continue
        one = {**plain[first], "id": stem, "settings": {**plain[first]["settings"], REPEAT: len(row)}}
        kept = (one if n["id"] == first else n for n in plain.values() if n["id"] not in row[1:])
        plain = {n["id"]: n for n in kept}
        edges = [
            {
                **e,
                "source": stem if e["source"] in row else e["source"],
                "target": stem if e["target"] in row else e["target"],
            }
            for e in edges
            if not (e["source"] in row and e["target"] in row)
        ]
    return {"nodes": list(plain.values()), "edges": edges}
