"""How the user's own blocks are written down: a definition is a sub-graph with named arguments.

::

    {"arguments": {"width": 64}, "help": "...", "nodes": [...], "edges": [...]}

Its input blocks are the ports (their settings only say which shape is shown while it is edited; several
ports are called as these blocks are), its one output block is what comes out, and a setting of an inner
block may be ``{"argument": "width"}``. From what an argument feeds come its kind, its bounds and its help.
`builder.own` makes blocks of definitions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import blocks
from blocks.base import Block, Port, Setting, SettingError
from builder import names, structure
from builder.graph import Graph, UnknownBlock
from builder.graph_file import Own, ProjectError, graph_from_json, object_of, short
from builder.structure import is_input, is_output, leading_to, wiring

PLACE = "blocks/"
"""What stands before the name of a definition where edits and problems name a network."""
REPEAT, MAX_REPEAT = "repeat", 100
"""The setting of every own block of one input: so many copies in a row, each with weights of its own."""


class DefinitionError(ValueError):
    """A definition cannot be used; the message is a sentence about it, without its name."""


def check_name(name: str) -> None:
    """Raise DefinitionError unless an own block may be called so."""
    if name in blocks.catalogue():
        raise DefinitionError(f"the name is that of a block Layerloom has itself. Rename it, to My{name} for example.")
    try:
        names.identifier(name)
    except ValueError as error:
        raise DefinitionError(f"the name becomes that of a class, but {error}") from None
    if name in structure.RESERVED:
        raise DefinitionError(f"the name {name!r} is used by the code itself; choose another one.")


def name_problem(name: str) -> str | None:
    """Why no own block may be called so, or None."""
    try:
        check_name(name)
    except DefinitionError as error:
        return str(error)
    return None


def needs_of(raw: Any) -> set[str]:
    """The names of all blocks a definition holds."""
    nodes = raw.get("nodes") if isinstance(raw, dict) else None
    named = [n.get("block") for n in nodes if isinstance(n, dict)] if isinstance(nodes, list) else []
    return {name for name in named if isinstance(name, str)}


def thawed(raw: dict[str, Any]) -> dict[str, Any]:
    """The definition with none of its blocks frozen."""
    return {**raw, "nodes": [{k: v for k, v in n.items() if k != "rate" or v != 0} for n in raw["nodes"]]}


def needed(name: str, definitions: Mapping[str, Any]) -> list[str]:
    """The definitions a block consists of: itself and those inside it, in the given order."""
    found, queue = {name}, [name]
    while queue:
        new = needs_of(definitions[queue.pop()]) & definitions.keys() - found
        found |= new
        queue += new
    return [other for other in definitions if other in found]


# --- arguments -------------------------------------------------------------------------------------


def feeds(raw: Any) -> Iterator[tuple[str, str, str, str]]:
    """What arguments feed: the inner node's id, its block, its setting, and the argument."""
    nodes = raw.get("nodes") if isinstance(raw, dict) else None
    for node in nodes if isinstance(nodes, list) else ():
        settings = node.get("settings") if isinstance(node, dict) else None
        for setting, value in settings.items() if isinstance(settings, dict) else ():
            if isinstance(value, dict) and isinstance(value.get("argument"), str):
                yield str(node.get("id")), str(node.get("block")), setting, value["argument"]


def unused_arguments(raw: Any) -> list[str]:
    """The arguments of a definition that feed no setting."""
    fed = {argument for *_, argument in feeds(raw)}
    arguments = raw.get("arguments") if isinstance(raw, dict) else None
    return [name for name in arguments if name not in fed] if isinstance(arguments, dict) else []


def setting_of(name: str, default: Any, raw: dict[str, Any], own: Own) -> Setting:
    """The setting that an argument is: of the kind, and within the bounds, of all it feeds."""
    if not argument_free(name):
        raise DefinitionError(f"an argument cannot be called {short(name)}. Choose another name.")
    found: list[tuple[str, Setting]] = []
    for id, block, setting, argument in feeds(raw):
        cls = blocks.catalogue().get(block) or own.get(block)
        if argument == name and isinstance(cls, type):
            found += [(id, spec) for spec in cls.settings() if spec.name == setting]
    if not found:
        return _loose(name, default)
    kinds = {spec.kind for _, spec in found}
    if kinds in ({"int", "size"}, {"int", "float"}):
        kinds = {"int"}
    if len(kinds) > 1:
        told = " and ".join(f"{id}.{spec.name} ({spec.kind})" for id, spec in found[:3])
        raise DefinitionError(f"the argument {name} feeds {told}, which take different kinds of values.")
    first = found[0][1]
    spec = dataclasses.replace(
        first,
        name=name,
        label=name,
        kind=kinds.pop(),
        optional=all(spec.optional for _, spec in found),
        min=max((s.min for _, s in found if s.min is not None), default=None),
        max=min((s.max for _, s in found if s.max is not None), default=None),
        choices=_common([spec for _, spec in found]),
        help=f"{first.help or first.name} ({', '.join(dict.fromkeys(id for id, _ in found))})",
    )
    return _usually(spec, default)


def argument_free(name: str) -> bool:
    """Whether an argument may be called so: it becomes a field of a block and an argument of a constructor."""
    try:
        names.identifier(name)
    except ValueError:
        return False
    return not (name in (*structure.RESERVED, REPEAT) or hasattr(Block, name) or name.startswith("_"))


def _common(specs: list[Setting]) -> tuple[Any, ...] | None:
    """The choices that all of them have; None where there is nothing to choose from."""
    offered = [spec.choices for spec in specs if spec.choices is not None]
    return tuple(c for c in offered[0] if all(c in other for other in offered)) if offered else None


def _loose(name: str, default: Any) -> Setting:
    """An argument that feeds nothing (yet): it keeps its value, of the kind that value has."""
    kinds = ((bool, "bool"), (int, "int"), (float, "float"), (str, "text"))
    kind = next((k for t, k in kinds if isinstance(default, t)), None)
    if kind is None:
        raise DefinitionError(f"the argument {name} feeds no setting of a block inside. Remove it.")
    return _usually(Setting(name, kind, default, False, None, None, None, name, "feeds nothing inside", ""), default)


def _usually(spec: Setting, value: Any) -> Setting:
    """The setting with this usual value. Raises DefinitionError where it does not fit."""
    try:
        return dataclasses.replace(spec, default=spec.check(value))
    except SettingError as error:
        raise DefinitionError(f"the usual value of an argument does not fit: {error}") from None


def substituted(raw: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The definition's nodes and edges with values in place of arguments; raises DefinitionError for one it lacks."""

    def put(value: Any, where: str) -> Any:
        if not isinstance(value, dict) or "argument" not in value:
            return value
        name = value["argument"]
        if not isinstance(name, str) or name not in values:
            raise DefinitionError(f"{where} asks for the argument {short(name)}, which the block does not have.")
        return values[name]

    def filled(node: Any) -> Any:
        if not isinstance(node, dict) or not isinstance(node.get("settings"), dict):
            return node
        settings = {k: put(v, f"{short(node.get('id'))}.{k}") for k, v in node["settings"].items()}
        return {**node, "settings": settings}

    nodes = raw.get("nodes")
    return {"nodes": [filled(n) for n in nodes] if isinstance(nodes, list) else nodes, "edges": raw.get("edges", [])}


def graph_of(raw: dict[str, Any], values: Mapping[str, Any], own: Own) -> Graph:
    """The inside of a definition with these arguments. Raises DefinitionError or ProjectError."""
    return graph_from_json(substituted(raw, values), "its inside", own)


def opened(raw: Any, own: Own) -> Graph | None:
    """The inside of a definition with its usual values, as far as it can be read; None where it cannot."""
    try:
        raw = object_of(raw, "the definition")
        return graph_of(raw, object_of(raw.get("arguments", {}), "its list of arguments"), own)
    except (DefinitionError, ProjectError):
        return None


# --- what a definition must be ---------------------------------------------------------------------


def check_graph(graph: Graph) -> None:
    """Raise DefinitionError unless the graph has inputs, one output, and blocks in between, rightly wired."""
    inputs = [n.id for n in graph.nodes if is_input(n)]
    outputs = [n.id for n in graph.nodes if is_output(n)]
    for node in graph.nodes:
        if isinstance(node.block, UnknownBlock):
            raise DefinitionError(f"{node.id} cannot be used: {node.block.reason}")
    if not inputs:
        raise DefinitionError("nothing comes in: it needs an input block for every input it shall have.")
    if len(outputs) != 1:
        raise DefinitionError(
            "nothing comes out: it needs an output block."
            if not outputs
            else f"there are {len(outputs)} outputs ({', '.join(outputs)}), but a block gives one result."
        )
    wires = wiring(graph.ids(), graph.edges)
    for problem in structure.problems("", graph, wires):
        if problem.severity == "error":
            raise DefinitionError(problem.message)
    useful = leading_to(outputs, wires)
    for id in inputs:
        if id not in useful:
            raise DefinitionError(f"the input {id} does not lead to the output. Connect it or remove it.")
    if useful == {*inputs, *outputs}:
        raise DefinitionError("there is no block between input and output.")


def port_of(id: str, graph: Graph) -> Port:
    """The port an input block stands for: it takes what the blocks it feeds take."""
    fed = []
    for edge in graph.outgoing(id):
        block = graph.node(edge.target).block
        if not is_output(graph.node(edge.target)):
            fed += [port for port in block.ports() if port.name == edge.target_port]
    holds = {port.holds for port in fed}
    if len(holds) > 1:
        raise DefinitionError(f"the input {id} feeds a block that takes tokens and one that takes features.")
    ranks = {port.rank for port in fed if port.rank is not None}
    return Port(id, ranks.pop() if len(ranks) == 1 else None, holds.pop() if holds else "features")
