"""The user's own blocks as blocks: every definition in a project's file becomes a Block class of that project."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import networkx as nx

from blocks.base import Block, BlockError, Setting, Shape, Subgraph
from builder.definition import (
    MAX_REPEAT,
    REPEAT,
    DefinitionError,
    check_graph,
    check_name,
    feeds,
    graph_of,
    needs_of,
    port_of,
    setting_of,
)
from builder.graph import Graph, UnknownBlock
from builder.graph_file import Own, ProjectError, object_of
from builder.structure import is_input, is_output, leading_to, wiring

CATEGORY, CATEGORY_LABEL = "own", "Your blocks"
MAX_DEPTH = 16
"""The most definitions inside each other."""
MAX_WRITTEN_OUT = 5_000
"""The most blocks that one use may stand for, with all that is inside and all repeats."""


class OwnBlock(Block):
    """What all own blocks share; `vocabulary` makes a subclass of every definition."""

    category = CATEGORY
    _raw: ClassVar[dict[str, Any]] = {}
    _own: ClassVar[Own] = {}
    _specs: ClassVar[tuple[Setting, ...]] = ()
    _single: ClassVar[type[OwnBlock] | None] = None
    """Of a class of rows, that of one block in the row."""

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
        if copies(self) > 1 or self._single is not None:
            found.chain = True
            one, before = _with(self._single or type(self), self, **{REPEAT: 1}), self.inputs[0].name
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
        rows = set(_rows(self._raw))
        for id in wires.order:
            block: Block | UnknownBlock = nodes[id].block
            if isinstance(block, UnknownBlock):
                raise BlockError(f"Inside it, {id}: {block.reason}", "inside")
            if id in rows and isinstance(block, OwnBlock):
                block = _with(_row(type(block)), block)  # type: ignore[arg-type]  # a class is hashable, too
            if id in useful and not is_input(nodes[id]) and not is_output(nodes[id]):
                sources = (wires.sources[id][port.name] for port in block.ports())
                found.add(id, block, *(known.get(source, source) for source in sources), rate=nodes[id].rate)
        return found.output(next(iter(wires.sources[output].values())))


def copies(block: OwnBlock) -> int:
    """How many copies of the block stand in a row."""
    return int(getattr(block, REPEAT, 1))


def _rows(raw: dict[str, Any]) -> Iterator[str]:
    """The blocks inside a definition whose number is a setting of it.

    They are a row also where there is one of them, so that all uses have the same modules and share a class.
    """
    for id, _, setting, _ in feeds(raw):
        if setting == REPEAT:
            yield id


@functools.lru_cache(maxsize=1000)
def _row(cls: type[OwnBlock]) -> type[OwnBlock]:
    """The class of the same blocks in a row, of one block too."""
    return type(cls.__name__, (cls,), {"__module__": __name__, "__doc__": cls.__doc__, "_single": cls})


def _with(cls: type[OwnBlock], block: OwnBlock, **changes: Any) -> OwnBlock:
    return cls(**{**{s.name: getattr(block, s.name) for s in block.settings()}, **changes})


@functools.lru_cache(maxsize=10_000)
def inside(block: OwnBlock) -> Graph:
    """The graph inside a use of an own block, with the use's settings put in."""
    return graph_of(block._raw, {s.name: _plain(getattr(block, s.name)) for s in block._specs}, block._own)


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
    view.add_edges_from(
        (need, name) for name, raw in definitions.items() for need in needs_of(raw) & definitions.keys()
    )
    found: dict[str, type[Block] | str] = {}
    depth: dict[str, int] = {}
    for loop in list(nx.strongly_connected_components(view)):
        if len(loop) > 1 or any(view.has_edge(name, name) for name in loop):
            for name in loop:
                found[name] = f"The block {name} contains itself{_through(loop - {name})}. Take it out of its inside."
            view.remove_nodes_from(loop)
    for name in nx.topological_sort(view):
        needs = {need: found[need] for need in sorted(needs_of(definitions[name]) & definitions.keys())}
        depth[name] = 1 + max((depth.get(need, 0) for need in needs), default=0)
        if depth[name] > MAX_DEPTH:
            found[name] = f"The block {name} has more than {MAX_DEPTH} of your blocks inside each other."
        else:
            found[name] = _class(name, json.dumps(definitions[name]), tuple(needs.items()))
    return {name: found[name] for name in definitions}


def _through(others: set[str]) -> str:
    return f" (through {', '.join(sorted(others))})" if others else ""


@functools.lru_cache(maxsize=1000)
def _class(name: str, text: str, needs: tuple[tuple[str, type[Block] | str], ...]) -> type[Block] | str:
    try:
        return _define(name, json.loads(text), dict(needs))
    except (DefinitionError, ProjectError) as error:
        return f"In the block {name[:60]}, {error}"


def _define(name: str, raw: Any, own: Own) -> type[OwnBlock]:
    check_name(name)
    raw = object_of(raw, "the definition")
    arguments = object_of(raw.get("arguments", {}), "its list of arguments")
    specs = tuple(setting_of(argument, default, raw, own) for argument, default in arguments.items())
    graph = graph_of(raw, arguments, own)
    check_graph(graph)
    ports = tuple(port_of(node.id, graph) for node in graph.nodes if is_input(node))
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
            "stem": _stem(name),
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


def _stem(name: str) -> str:
    """How uses are called: ResidualPair gives pair1, pair2 ..., since a block shows some ten letters."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return words[-1].lower() if words else "block"


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
