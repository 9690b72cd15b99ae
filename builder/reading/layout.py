"""Places on the canvas for a network that was read from code or a file: left to right, wrapped into rows."""

from __future__ import annotations

import dataclasses

from builder.graph import Graph, UnknownBlock
from builder.structure import wiring

WIDTH = 1150.0
"""Canvas pixels of a row, so that it can be read in a window of 1366 pixels."""
ROW, LANE = 160.0, 130.0
STEP, SMALL_STEP, SINK = 185.0, 128.0, 37.0
"""From one block to the next, from a small tile to the next, and how much lower a tile stands."""


def placed(graph: Graph) -> Graph:
    """The graph with positions: a column for every distance from the inputs, branches below each other."""
    wires = wiring(graph.ids(), graph.edges)
    depth: dict[str, int] = {}
    for id in wires.order:
        depth[id] = max((depth[s] + 1 for s in wires.sources[id].values() if s in depth), default=0)
    columns: dict[int, list[str]] = {}
    for id in graph.ids():
        columns.setdefault(depth.get(id, 0), []).append(id)
    lanes: dict[str, int] = {}
    for _, column in sorted(columns.items()):
        free = list(range(len(column) + max(lanes.values(), default=0) + 1))
        for id in column:
            wanted = min((lanes[s] for s in wires.sources[id].values() if s in lanes), default=0)
            lanes[id] = next((lane for lane in free if lane >= wanted), free[0])
            free.remove(lanes[id])
    small = {
        n.id
        for n in graph.nodes
        if not isinstance(n.block, UnknownBlock) and n.block.category in ("activation", "merge")
    }
    at: dict[str, tuple[float, float]] = {}
    x, top, deepest = 0.0, 0.0, 0
    for _, column in sorted(columns.items()):
        if x > WIDTH - STEP:
            x, top, deepest = 0.0, top + ROW + LANE * deepest, 0
        for id in column:
            at[id] = (x, top + LANE * lanes[id] + (SINK if id in small else 0.0))
            deepest = max(deepest, lanes[id])
        x += SMALL_STEP if all(id in small for id in column) else STEP
    return Graph(tuple(dataclasses.replace(n, position=at[n.id]) for n in graph.nodes), graph.edges)
