"""What is wrong with the wiring of one network, before any shape is looked at."""

from __future__ import annotations

import functools
import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx

from builder import names
from builder.graph import Edge, Graph, Node, UnknownBlock
from builder.problems import Problem

RESERVED = ("nn", "torch", "F", "Tensor")
"""Names the generated text itself uses."""


def is_input(node: Node) -> bool:
    """Whether data enters the network here."""
    return not isinstance(node.block, UnknownBlock) and node.block.source_shape() is not None


def is_output(node: Node) -> bool:
    """Whether the network's answer leaves it here."""
    return getattr(node.block, "role", "") == "output"


@dataclass(frozen=True)
class Wiring:
    """A network's wires, sorted out. `sources` gives for each node and port the node it reads."""

    order: tuple[str, ...]
    """All nodes outside loops and not behind one, in topological order."""
    loops: tuple[tuple[str, ...], ...]
    sources: dict[str, dict[str, str]]
    users: dict[str, tuple[str, ...]]


@functools.lru_cache(maxsize=64)
def wiring(ids: tuple[str, ...], edges: tuple[Edge, ...]) -> Wiring:
    """The wiring of these nodes; the first wire into a port counts. Cached, since most edits change settings only."""
    rank = {id: i for i, id in enumerate(ids)}
    known = [e for e in edges if e.source in rank and e.target in rank]
    sources: dict[str, dict[str, str]] = {id: {} for id in ids}
    users: dict[str, list[str]] = {id: [] for id in ids}
    missing = dict.fromkeys(ids, 0)
    for edge in known:
        sources[edge.target].setdefault(edge.target_port, edge.source)
        users[edge.source].append(edge.target)
        missing[edge.target] += 1
    order = []
    ready = [rank[id] for id in ids if not missing[id]]  # ascending, so a heap already
    while ready:
        id = ids[heapq.heappop(ready)]
        order.append(id)
        for user in users[id]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, rank[user])
    loops = _loops(ids, known, rank) if len(order) < len(ids) else ()
    return Wiring(tuple(order), loops, sources, {id: tuple(u) for id, u in users.items()})


def _loops(ids: tuple[str, ...], edges: list[Edge], rank: dict[str, int]) -> tuple[tuple[str, ...], ...]:
    """One loop of every part of the network in which each node leads to each other."""
    view = nx.MultiDiGraph()
    view.add_nodes_from(ids)
    view.add_edges_from((e.source, e.target) for e in edges)
    loops = []
    for part in nx.strongly_connected_components(view):
        if len(part) > 1 or any(view.has_edge(id, id) for id in part):
            start = min(part, key=rank.__getitem__)
            found = nx.find_cycle(view.subgraph(part), start)
            loops.append(tuple(edge[0] for edge in found))
    return tuple(sorted(loops))


def leading_to(ends: list[str], wires: Wiring, not_beyond: frozenset[str] = frozenset()) -> set[str]:
    """The nodes whose results reach one of `ends`, these included; what lies before `not_beyond` is left out."""
    found = set(ends)
    queue = list(ends)
    while queue:
        at = queue.pop()
        for source in () if at in not_beyond else wires.sources[at].values():
            if source not in found:
                found.add(source)
                queue.append(source)
    return found


def problems(network: str, graph: Graph, wires: Wiring) -> Iterator[Problem]:
    """The mistakes in names, blocks and wires of one network."""
    nodes = {n.id: n for n in graph.nodes}
    yield from _names(network, graph)
    for node in graph.nodes:
        if isinstance(node.block, UnknownBlock):
            yield Problem(network, node.id, None, "unknown-block", "error", _unknown(node.id, node.block))
    yield from _edges(network, graph, nodes)
    for loop in wires.loops:
        path = " → ".join((*loop, loop[0]))
        message = f"These blocks form a loop: {path}. Data must flow one way; remove one of the wires."
        yield Problem(network, loop[0], None, "cycle", "error", message)
    for node in graph.nodes:
        connected = wires.sources[node.id]
        for port in node.block.ports():  # an input has none
            if port.name not in connected:
                several = len(node.block.ports()) > 1
                where = f"Its input {port.name}" if several else "Its input"
                message = f"{node.id} ({node.block.label}) waits for data. {where} is not connected: draw a wire to it."
                yield Problem(network, node.id, port.name, "missing-input", "error", message)
    yield from _ends(network, graph, wires)


def _unknown(id: str, block: UnknownBlock) -> str:
    return f"{id} cannot be used: {block.reason} Replace it or correct it; it stays in the file as it is."


def _names(network: str, graph: Graph) -> Iterator[Problem]:
    for node in graph.nodes:
        try:
            names.identifier(node.id)
            if node.id in RESERVED:
                raise ValueError(f"{node.id!r} is used by the code itself; choose another name.")
        except ValueError as error:
            yield Problem(network, node.id, None, "name", "error", f"This name cannot stand in code: {error}")


def _edges(network: str, graph: Graph, nodes: dict[str, Node]) -> Iterator[Problem]:
    taken: dict[tuple[str, str], Edge] = {}
    for edge in graph.edges:
        for end in (edge.source, edge.target):
            if end not in nodes:
                message = (
                    f"A wire from {edge.source} to {edge.target} is loose: there is no block called {end}. Remove it."
                )
                there = edge.target if end == edge.source else edge.source
                yield Problem(network, there if there in nodes else None, None, "loose-wire", "error", message)
                break
        else:
            source, target = nodes[edge.source], nodes[edge.target]
            if isinstance(target.block, UnknownBlock):
                continue
            if is_output(source):
                message = f"A wire leaves {source.id}, but an output ends the network. Take the wire from the block before it."
                yield Problem(network, source.id, None, "after-output", "error", message)
            at = (edge.target, edge.target_port)
            for port in target.block.ports():
                if port.name == edge.target_port:
                    break
            else:
                ports = [p.name for p in target.block.ports()]
                listed = f"its inputs are {', '.join(ports)}" if ports else "it takes no input"
                message = (
                    f"The wire from {edge.source} ends at {edge.target_port!r} of {target.id}, but {listed}. "
                    "Remove the wire or connect it to an input."
                )
                yield Problem(network, target.id, edge.target_port, "unknown-port", "error", message)
                continue
            first = taken.setdefault(at, edge)
            if first is not edge:
                message = (
                    f"Two wires end at the same input of {target.id}: from {first.source} and from {edge.source}. "
                    "Remove one, or join them with Add or Concatenate first."
                )
                yield Problem(network, target.id, edge.target_port, "two-wires", "error", message)


def _ends(network: str, graph: Graph, wires: Wiring) -> Iterator[Problem]:
    inputs = [n.id for n in graph.nodes if is_input(n)]
    outputs = [n.id for n in graph.nodes if is_output(n)]
    if not graph.nodes:
        yield Problem(network, None, None, "empty", "error", "The canvas is empty. Add an input block to begin.")
        return
    if not inputs:
        message = "The network has no input. Add the input block that fits the data."
        yield Problem(network, None, None, "no-input", "error", message)
    if not outputs:
        message = "The network has no output. Add an Output block after the last layer."
        yield Problem(network, None, None, "no-output", "error", message)
        return
    useful = leading_to(outputs, wires)
    for node in graph.nodes:
        if node.id not in useful and not wires.users[node.id] and not isinstance(node.block, UnknownBlock):
            message = (
                f"The result of {node.id} ({node.block.label}) goes nowhere, so it cannot learn. "
                "Connect it to the rest, or remove it."
            )
            yield Problem(network, node.id, None, "dangling", "warning", message)
