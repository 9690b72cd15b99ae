"""The graph of one network: nodes, and edges that join named ports. Plain data, never changed in place."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import networkx as nx

from blocks.base import Block, Port


@dataclass(frozen=True)
class UnknownBlock:
    """A block this version does not know, or whose settings do not fit; kept as it was read.

    It becomes a Problem in `check` and is written back to the file unchanged.
    """

    name: str
    settings: dict[str, Any]
    reason: str
    label: ClassVar[str] = "unknown"
    holds: ClassVar[str] = "features"

    def __hash__(self) -> int:
        return hash((self.name, self.reason))

    def ports(self) -> tuple[Port, ...]:
        """No port is known."""
        return ()


@dataclass(frozen=True)
class Node:
    """A block placed on the canvas.

    `id` is the visible name and the Python attribute, unique in its network. `position` is in canvas
    pixels. `folded` says whether a composite is drawn closed. `rate` is by how much faster than its network
    it learns: a factor of the learning rate; 0 freezes it.
    """

    id: str
    block: Block | UnknownBlock
    position: tuple[float, float] = (0.0, 0.0)
    folded: bool = True
    note: str = ""
    rate: float = 1.0


@dataclass(frozen=True, order=True)
class Edge:
    """A wire from a node's output to a named input port of another."""

    source: str
    source_port: str
    target: str
    target_port: str


@dataclass(frozen=True)
class Graph:
    """The nodes and edges of one network, in file order (which breaks ties of the topological order)."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def node(self, id: str) -> Node:
        """The node called `id`; raises KeyError when there is none."""
        for node in self.nodes:
            if node.id == id:
                return node
        raise KeyError(id)

    def ids(self) -> tuple[str, ...]:
        """The ids of all nodes in file order."""
        return tuple(n.id for n in self.nodes)

    def incoming(self, id: str) -> tuple[Edge, ...]:
        """The edges that end at this node, in file order."""
        return tuple(e for e in self.edges if e.target == id)

    def outgoing(self, id: str) -> tuple[Edge, ...]:
        """The edges that begin at this node, in file order."""
        return tuple(e for e in self.edges if e.source == id)

    def networkx(self) -> nx.MultiDiGraph:
        """A view for algorithms: one node per id, one edge per wire (keys keep parallel wires apart)."""
        view = nx.MultiDiGraph()
        view.add_nodes_from(n.id for n in self.nodes)
        known = set(view)
        view.add_edges_from(
            (e.source, e.target, i) for i, e in enumerate(self.edges) if e.source in known and e.target in known
        )
        return view

    def order(self) -> tuple[str, ...]:
        """The ids in topological order; ties follow the file's order of nodes.

        Raises networkx.NetworkXUnfeasible when there is a cycle.
        """
        rank = {id: i for i, id in enumerate(self.ids())}
        return tuple(nx.lexicographical_topological_sort(self.networkx(), key=rank.__getitem__))

    def with_node(self, node: Node) -> Graph:
        """A copy with this node appended, or put in place of the one with the same id."""
        if node.id in self.ids():
            return dataclasses.replace(self, nodes=tuple(node if n.id == node.id else n for n in self.nodes))
        return dataclasses.replace(self, nodes=(*self.nodes, node))

    def without_node(self, id: str) -> Graph:
        """A copy without this node and without the wires at it."""
        return Graph(
            tuple(n for n in self.nodes if n.id != id),
            tuple(e for e in self.edges if id not in (e.source, e.target)),
        )

    def renamed(self, id: str, to: str) -> Graph:
        """A copy in which the node `id` is called `to`, in its wires too."""
        return Graph(
            tuple(dataclasses.replace(n, id=to) if n.id == id else n for n in self.nodes),
            tuple(
                dataclasses.replace(
                    e,
                    source=to if e.source == id else e.source,
                    target=to if e.target == id else e.target,
                )
                for e in self.edges
            ),
        )

    def with_edge(self, edge: Edge) -> Graph:
        """A copy with this edge appended (once)."""
        return self if edge in self.edges else dataclasses.replace(self, edges=(*self.edges, edge))

    def without_edge(self, edge: Edge) -> Graph:
        """A copy without this edge."""
        return dataclasses.replace(self, edges=tuple(e for e in self.edges if e != edge))

    def free_id(self, stem: str) -> str:
        """The first unused name of the form stem1, stem2, ..."""
        taken = set(self.ids())
        number = 1
        while f"{stem}{number}" in taken:
            number += 1
        return f"{stem}{number}"
