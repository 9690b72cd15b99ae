"""What the command line prints about a project: tables for people, and the object of `check --json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blocks.base import Block
from builder.graph import UnknownBlock
from builder.problems import Problem
from builder.project import Project
from builder.shapes import Inner, size
from builder.validate import Report


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows as columns of equal width, two spaces apart; columns in `right` end at the same place."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def settings(cls: type[Block]) -> str:
    """A block's settings with their usual values: out_channels=16, kernel_size=3."""
    return ", ".join(f"{s.name}={s.default!r}" for s in cls.settings()) or "no settings"


def report(project: Project, found: Report) -> str:
    """Every network's nodes with shape, parameters and multiply-adds, the totals, and the problems."""
    parts = []
    for network, graph in project.networks.items():
        rows = [("node", "block", "shape", "parameters", "multiply-adds")]
        for node in graph.nodes:
            known = found.nodes[network][node.id]
            name = node.block.name if isinstance(node.block, UnknownBlock) else type(node.block).__name__
            shape = size(known.shape) if known.shape is not None else _state(known.state, known.waits_for)
            rows.append((printable(node.id), printable(name), shape, f"{known.parameters:,}", f"{known.flops:,}"))
            rows.extend(_inside(known.inner, "  "))
        rows.append(("total", "", "", f"{found.parameters[network]:,}", f"{found.flops[network]:,}"))
        parts.append(f"{printable(project.name)}: {printable(network)}\n{aligned(rows, right=(3, 4))}")
        parts.append(f"memory while training: about {_bytes(found.memory[network])}")
    parts.extend(_problem(problem) for problem in found.problems)
    errors = sum(p.severity == "error" for p in found.problems)
    warnings = len(found.problems) - errors
    parts.append(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}" if found.problems else "no problems")
    return "\n".join(parts)


def _inside(inner: tuple[Inner, ...], indent: str) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for step in inner:
        known = step.inferred
        name = type(step.block).__name__
        rows.append((indent + step.id, name, size(known.shape), f"{known.parameters:,}", f"{known.flops:,}"))
        rows.extend(_inside(known.inner, indent + "  "))
    return rows


def _state(state: str, waits_for: str | None) -> str:
    return f"waits for {printable(waits_for)}" if waits_for else state


def _problem(problem: Problem) -> str:
    where = ".".join(printable(part) for part in (problem.network, problem.node) if part)
    line = f"{problem.severity}: {where}: {problem.message}" if where else f"{problem.severity}: {problem.message}"
    if problem.details:
        line += f"\n  details: {problem.details}"
    return line + (f"\n  fix: {problem.fix.label}" if problem.fix else "")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Names come from files; one with a line break or a terminal's control characters must not move the cursor."""
    return "".join(c if c.isprintable() else "�" for c in text)


def _bytes(number: int) -> str:
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit in ("B", "kB") else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def as_json(found: Report) -> dict[str, Any]:
    """The object of `check --json`."""
    return {
        "ok": found.ok,
        "problems": [problem.to_json() for problem in found.problems],
        "parameters": found.parameters,
        "flops": found.flops,
        "memory": found.memory,
        "shapes": {
            network: {id: list(shape) for id, shape in shapes.items()} for network, shapes in found.shapes.items()
        },
    }
