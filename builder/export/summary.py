"""A table of a network, layer by layer: shape, parameters, multiply-adds, memory. As text and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from builder.graph import UnknownBlock
from builder.project import Project
from builder.shapes import Inner, size
from builder.tables import aligned, printable
from builder.validate import Report, check

BYTES = 4
"""Of a float32."""
COLUMNS = ("layer", "block", "shape", "parameters", "multiply-adds", "memory")


@dataclass(frozen=True)
class Row:
    """One layer; `memory` is the bytes of its parameters and of its output for one sample, in float32.

    `depth` counts the composites it is inside of. A composite's numbers are the sums of its inside.
    """

    layer: str
    block: str
    shape: str
    parameters: int
    flops: int
    memory: int
    depth: int = 0


def rows(project: Project, network: str, report: Report | None = None) -> tuple[Row, ...]:
    """The rows of a network in file order, each composite followed by its inside; a block that waits has no shape."""
    report = report or check(project)
    found: list[Row] = []
    for node in project.networks[network].nodes:
        known = report.nodes[network][node.id]
        name = node.block.name if isinstance(node.block, UnknownBlock) else type(node.block).__name__
        shape = size(known.shape) if known.shape is not None else ""
        memory = BYTES * (known.parameters + known.elements)
        found.append(Row(node.id, name, shape, known.parameters, known.flops, memory))
        found.extend(_inside(known.inner, f"{node.id}.", 1))
    return tuple(found)


def _inside(inner: tuple[Inner, ...], prefix: str, depth: int) -> Iterator[Row]:
    for step in inner:
        known = step.inferred
        memory = BYTES * (known.parameters + known.elements)
        name = type(step.block).__name__
        yield Row(prefix + step.id, name, size(known.shape), known.parameters, known.flops, memory, depth)
        yield from _inside(known.inner, f"{prefix}{step.id}.", depth + 1)


def text(project: Project, unfolded: bool = False, report: Report | None = None) -> str:
    """The tables of all networks for people, with totals; composites with their inside if `unfolded`."""
    parts = []
    for network in project.networks:
        shown = [row for row in rows(project, network, report) if unfolded or not row.depth]
        cells = [COLUMNS]
        for row in shown:
            name = "  " * row.depth + (row.layer.rpartition(".")[2] if row.depth else row.layer)
            numbers = (f"{row.parameters:,}", f"{row.flops:,}", _megabytes(row.memory))
            cells.append((printable(name), printable(row.block), row.shape, *numbers))
        total = [row for row in shown if not row.depth]
        sums = (f"{sum(r.parameters for r in total):,}", f"{sum(r.flops for r in total):,}")
        cells.append(("total", "", "", *sums, _megabytes(sum(r.memory for r in total))))
        parts.append(f"{printable(project.name)}: {printable(network)}\n{aligned(cells, right=(3, 4, 5))}")
    return "\n\n".join(parts)


def _megabytes(number: int) -> str:
    return f"{number / 1e6:,.2f} MB"


def csv_text(project: Project, report: Report | None = None) -> str:
    """All networks as comma-separated values with every inner layer; memory in bytes.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["network", *COLUMNS])
    for network in project.networks:
        for row in rows(project, network, report):
            writer.writerow(
                [
                    _plain(network),
                    _plain(row.layer),
                    _plain(row.block),
                    row.shape,
                    row.parameters,
                    row.flops,
                    row.memory,
                ]
            )
    return buffer.getvalue()


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
