"""The user's own blocks: a definition in the project's file becomes a Block class of that project.

A definition is a sub-graph with named arguments, as DESIGN section "Composites" has it::

    {"arguments": {"width": 64}, "help": "...", "nodes": [...], "edges": [...]}

Its input blocks are the ports (their settings only say which shape is shown while it is edited; several
ports are called as these blocks are), its one output block is what comes out, and a setting of an inner block may be ``{"argument": "width"}``. From what
an argument feeds come its kind, its bounds and its help. A block of one input has the setting `repeat`
besides: so many copies in a row, each with weights of its own.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import networkx as nx

import blocks
from blocks.base import Block, BlockError, Port, Setting, SettingError, Shape, Subgraph
from builder import names, structure
from builder.graph import Graph, UnknownBlock
from builder.graph_file import Own, ProjectError, graph_from_json, object_of, short
from builder.structure import is_input, is_output, leading_to, wiring

CATEGORY, CATEGORY_LABEL = "own", "Your blocks"
PLACE = "blocks/"
"""What stands before the name of a definition where edits and problems name a network."""
REPEAT, MAX_REPEAT = "repeat", 100
MAX_DEPTH = 16
"""The most definitions inside each other."""
MAX_WRITTEN_OUT = 5_000
"""The most blocks that one use may stand for, with all that is inside and all repeats."""


class DefinitionError(ValueError):
    """A definition cannot be used; the message is a sentence about it, without its name."""


class OwnBlock(Block):
    """What all own blocks share; `vocabulary` makes a subclass of every definition."""

    category = CATEGORY
    _raw: ClassVar[dict[str, Any]] = {}
    _own: ClassVar[Own] = {}
    _specs: ClassVar[tuple[Setting, ...]] = ()

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:  # type: ignore[override]  # the base remembers it for every class
        return cls._specs

    def check(self, *shapes: Shape) -> None:
        count = written_out(self)
        if count > MAX_WRITTEN_OUT:
            raise BlockError(
                f"It stands for {count:,} blocks with all that is inside; at most {MAX_WRITTEN_OUT:,} can be written "
                "out. Repeat it less often.",
                "too-large",
            )

    def check_vocabulary(self, size: int) -> None:
        graph = inside(self)
        entering = {node.id for node in graph.nodes if is_input(node)}
        for edge in graph.edges:
            block = graph.node(edge.target).block
            if edge.source in entering and isinstance(block, Block):
                block.check_vocabulary(size)

    def template(self, *shapes: Shape) -> Subgraph:
        found = Subgraph()
        if copies(self) > 1:
            found.chain = True
            one, before = self.replace(**{REPEAT: 1}), self.inputs[0].name
            for number in range(copies(self)):
                before = found.add(str(number), one, before)
            return found
        graph = inside(self)
        nodes = {node.id: node for node in graph.nodes}
        wires = wiring(graph.ids(), graph.edges)
        output = next(node.id for node in graph.nodes if is_output(node))
        useful = leading_to([output], wires)
        entering = [node.id for node in graph.nodes if is_input(node)]
        known = dict(zip(entering, (port.name for port in self.inputs), strict=True))
        for id in wires.order:
            block = nodes[id].block
            if isinstance(block, UnknownBlock):
                raise BlockError(f"Inside it, {id}: {block.reason}", "inside")
            if id in useful and not is_input(nodes[id]) and not is_output(nodes[id]):
                sources = (wires.sources[id][port.name] for port in block.ports())
                found.add(id, block, *(known.get(source, source) for source in sources))
        return found.output(next(iter(wires.sources[output].values())))


def copies(block: OwnBlock) -> int:
    """How many copies of the block stand in a row."""
    return int(getattr(block, REPEAT, 1))


@functools.lru_cache(maxsize=10_000)
def inside(block: OwnBlock) -> Graph:
    """The graph inside a use of an own block, with the use's settings put in."""
    return _graph(block._raw, {s.name: _plain(getattr(block, s.name)) for s in block._specs}, block._own)


@functools.lru_cache(maxsize=10_000)
def written_out(block: Block | UnknownBlock) -> int:
    """How many blocks a use stands for; what is no own block is one."""
    if not isinstance(block, OwnBlock):
        return 1
    return copies(block) * sum(written_out(node.block) for node in inside(block).nodes)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


# --- from definitions to classes ------------------------------------------------------------------


def vocabulary(definitions: Mapping[str, Any]) -> Own:
    """A class for every definition that can be used, and for every other one the sentence why not.

    Never raises for what a file may hold. Equal definitions give the same class, so that blocks compare.
    """
    return _vocabulary(json.dumps(definitions))


@functools.lru_cache(maxsize=32)
def _vocabulary(text: str) -> Own:
    definitions: dict[str, Any] = json.loads(text)
    view = nx.DiGraph()
    view.add_nodes_from(definitions)
    view.add_edges_from((need, name) for name, raw in definitions.items() for need in _needs(raw) & definitions.keys())
    found: dict[str, type[Block] | str] = {}
    depth: dict[str, int] = {}
    for loop in list(nx.strongly_connected_components(view)):
        if len(loop) > 1 or any(view.has_edge(name, name) for name in loop):
            for name in loop:
                found[name] = f"The block {name} contains itself{_through(loop - {name})}. Take it out of its inside."
            view.remove_nodes_from(loop)
    for name in nx.topological_sort(view):
        needs = {need: found[need] for need in sorted(_needs(definitions[name]) & definitions.keys())}
        depth[name] = 1 + max((depth.get(need, 0) for need in needs), default=0)
        if depth[name] > MAX_DEPTH:
            found[name] = f"The block {name} has more than {MAX_DEPTH} of your blocks inside each other."
        else:
            found[name] = _class(name, json.dumps(definitions[name]), tuple(needs.items()))
    return {name: found[name] for name in definitions}


def _needs(raw: Any) -> set[str]:
    """The names of all blocks a definition holds."""
    nodes = raw.get("nodes") if isinstance(raw, dict) else None
    named = [n.get("block") for n in nodes if isinstance(n, dict)] if isinstance(nodes, list) else []
    return {name for name in named if isinstance(name, str)}


def _through(others: set[str]) -> str:
    return f" (through {', '.join(sorted(others))})" if others else ""


@functools.lru_cache(maxsize=1000)
def _class(name: str, text: str, needs: tuple[tuple[str, type[Block] | str], ...]) -> type[Block] | str:
    try:
        return _define(name, json.loads(text), dict(needs))
    except (DefinitionError, ProjectError) as error:
        return f"In the block {name[:60]}, {error}"


def _define(name: str, raw: Any, own: Own) -> type[OwnBlock]:
    _free_name(name)
    raw = object_of(raw, "the definition")
    arguments = object_of(raw.get("arguments", {}), "its list of arguments")
    specs = tuple(_argument(argument, default, raw, own) for argument, default in arguments.items())
    graph = _graph(raw, arguments, own)
    _sound(graph)
    ports = tuple(_port(node.id, graph) for node in graph.nodes if is_input(node))
    if len(ports) == 1:
        ports = (dataclasses.replace(ports[0], name=Block.inputs[0].name),)  # as the one input of any block is called
        specs += (_REPEAT,)
    wires = wiring(graph.ids(), graph.edges)
    output = next(node.id for node in graph.nodes if is_output(node))
    last = graph.node(next(iter(wires.sources[output].values()))).block
    body = [n for n in graph.nodes if not is_input(n) and not is_output(n)]
    told = raw.get("help")
    listed = ", ".join(n.id for n in body[:6]) + (", …" if len(body) > 6 else "")
    return type(
        name,
        (OwnBlock,),
        {
            "__module__": __name__,
            "__doc__": f"The own block {name}.",
            "__annotations__": {spec.name: Any for spec in specs},
            **{spec.name: dataclasses.field(default=spec.default) for spec in specs},
            "label": name,
            "stem": name.lower(),
            "help": told if isinstance(told, str) and told.strip() else f"Holds {listed}.",
            "inputs": ports,
            "holds": last.holds,
            "probabilities": getattr(last, "probabilities", False),
            "stochastic": any(getattr(n.block, "stochastic", False) for n in body),
            "_raw": raw,
            "_own": own,
            "_specs": specs,
        },
    )


_REPEAT = Setting(
    name=REPEAT,
    kind="int",
    default=1,
    optional=False,
    min=1,
    max=MAX_REPEAT,
    choices=None,
    label=REPEAT,
    help="how many times in a row, each with weights of its own",
    unit="",
)


def _free_name(name: str) -> None:
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
        _free_name(name)
    except DefinitionError as error:
        return str(error)
    return None


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


def _argument(name: str, default: Any, raw: dict[str, Any], own: Own) -> Setting:
    """The setting that an argument is: of the kind, and within the bounds, of all it feeds."""
    if not name.isidentifier() or name == REPEAT or hasattr(OwnBlock, name) or names_reserved(name):
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
    try:
        return dataclasses.replace(spec, default=spec.check(default))
    except SettingError as error:
        raise DefinitionError(f"the usual value of an argument does not fit: {error}") from None


def names_reserved(name: str) -> bool:
    """Whether an argument of a constructor cannot be called so."""
    try:
        names.identifier(name)
    except ValueError:
        return True
    return name in structure.RESERVED


def _common(specs: list[Setting]) -> tuple[Any, ...] | None:
    """The choices that all of them have; None where there is nothing to choose from."""
    offered = [spec.choices for spec in specs if spec.choices is not None]
    return tuple(c for c in offered[0] if all(c in other for other in offered)) if offered else None


def _loose(name: str, default: Any) -> Setting:
    """An argument that feeds nothing (yet): it keeps its value, of the kind that value has."""
    kind = next((k for t, k in ((bool, "bool"), (int, "int"), (float, "float")) if isinstance(default, t)), "text")
    if not isinstance(default, (bool, int, float, str)):
        raise DefinitionError(f"the argument {name} feeds no setting of a block inside. Remove it.")
    return Setting(name, kind, default, False, None, None, None, name, "feeds nothing inside", "")


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


def _graph(raw: dict[str, Any], values: Mapping[str, Any], own: Own) -> Graph:
    return graph_from_json(substituted(raw, values), "its inside", own)


def opened(raw: Any, own: Own) -> Graph | None:
    """The inside of a definition with its usual values, as far as it can be read; None where it cannot."""
    try:
        raw = object_of(raw, "the definition")
        return _graph(raw, object_of(raw.get("arguments", {}), "its list of arguments"), own)
    except (DefinitionError, ProjectError):
        return None


# --- what a definition must be ---------------------------------------------------------------------


def _sound(graph: Graph) -> None:
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


def _port(id: str, graph: Graph) -> Port:
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
