"""The user's own table, of which one column of numbers is guessed from the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blocks.base import setting
from builder.data.base import DataError, Field, split_sizes
from builder.data.download import file_hash
from builder.data.own_files import find_upload
from builder.data.plain import stratified_split, table_splits, take_splits
from builder.data.tables import Table

MOST_COLUMNS = 2000
MOST_BYTES = 200_000_000
NAMED = 20
"""Columns that a message lists, at most."""


def read_table(content: bytes) -> tuple[list[str], list[list[float]], list[str]]:
    """A CSV file's columns of numbers, its whole rows, and a sentence for everything that is left out.

    Columns are parted by commas, semicolons or tabs; with semicolons, numbers may have a decimal comma.
    A first line that holds no number names the columns. A column that is mostly text is left out; so is
    a row with a gap or with text in a column of numbers. Raises ValueError with a sentence when nothing
    is left to learn from.
    """
    import csv
    import io
    import math

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    first = text.split("\n", 1)[0]
    parted = max("\t;", key=first.count)  # before commas, which may stand in numbers
    parted = parted if parted in first else ","

    def number(cell: str) -> float | None:
        """The finite number in a cell; None if it is none."""
        cell = cell.strip()
        try:
            value = float(cell.replace(",", ".") if parted == ";" else cell)
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=parted)
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"The table cannot be read as CSV ({error}). Save it as CSV again.") from error
    if not lines:
        raise ValueError("The table is empty. Choose a CSV file with a line for each sample.")
    names = [f"column {i + 1}" for i in range(len(lines[0][1]))]
    if all(number(cell) is None for cell in lines[0][1]):
        names = [cell.strip() or name for cell, name in zip(lines[0][1], names, strict=True)]
        lines = lines[1:]
    if not lines:
        raise ValueError("The table has the names of its columns and no line below them.")
    if len(names) < 2:
        raise ValueError(
            "The table has one column; guessing needs at least one column to guess from and one to be guessed. "
            "Columns are parted by commas, semicolons or tabs."
        )
    problems: list[str] = []
    kept = []
    for i, name in enumerate(names):
        good = sum(len(row) > i and number(row[i]) is not None for _, row in lines)
        if 2 * good > len(lines):
            kept.append(i)
        else:
            problems.append(
                f"Column {name!r} has numbers in only {good:,} of {len(lines):,} lines; the column is left out."
            )
    if len(kept) < 2:
        raise ValueError(
            f"The table has {len(kept)} columns of numbers; at least two are needed. {' '.join(problems[:3])}"
        )
    rows = []
    for line, row in lines:
        if len(row) != len(names):
            problems.append(f"Line {line} has {len(row)} cells instead of {len(names)}; the line is left out.")
            continue
        values = [number(row[i]) for i in kept]
        if None in values:
            at = kept[values.index(None)]
            what = f"{row[at].strip()[:40]!r}, which is no number" if row[at].strip() else "nothing"
            problems.append(f"Line {line} has {what} in column {names[at]!r}; the line is left out.")
            continue
        rows.append([value for value in values if value is not None])
    if len(rows) < 10:
        told = f" {problems[-1]}" if problems else ""
        raise ValueError(f"The table has {len(rows)} lines of numbers; at least 10 are needed.{told}")
    return [names[i] for i in kept], rows, problems


def load_own_table(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """The whole rows of an uploaded CSV file."""
    names, rows, _ = read_table(find_upload(settings["file"], folder).read_bytes())
    wanted = settings["target"] or names[-1]
    if wanted not in names:
        raise ValueError(f"The table has no column {wanted!r}; it has {', '.join(names[:20])}.")
    values = torch.tensor(rows, dtype=torch.float32)
    at = names.index(wanted)
    others = [i for i in range(len(names)) if i != at]
    return table_splits({"features": values[:, others], "target": values[:, at : at + 1]}, settings)


class OwnTable(Table):
    """A table uploaded as CSV; `read_table` checks it and fills in the settings."""

    name = "own_table"
    label = "Your own table"
    help = "A CSV file with a line for each sample; one of its columns of numbers is guessed from the others."
    order = 52
    tasks = ("regression",)
    upload = "Your table: a CSV file"
    upload_endings = ("csv", "txt", "tsv")
    measured = ("file", "columns", "rows")
    helpers = (stratified_split, take_splits, table_splits, file_hash, find_upload, read_table)
    load_arrays = staticmethod(load_own_table)

    file: str = setting("", help="the stored upload, named by the sha256 of its content")
    columns: tuple[str, ...] = setting((), help="the names of the columns of numbers")
    rows: int = setting(0, min=0, help="whole rows in all")
    target: str = setting(
        "", label="column to guess", help="the name of the column to be guessed; empty takes the last"
    )

    @classmethod
    def receive(cls, content: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
        if len(content) > MOST_BYTES:
            raise DataError(f"The table has {len(content) / 1e6:.0f} MB; at most {MOST_BYTES / 1e6:.0f} MB are read.")
        try:
            names, rows, problems = read_table(content)
        except ValueError as error:
            raise DataError(str(error)) from error
        if len(names) > MOST_COLUMNS:
            raise DataError(f"The table has {len(names):,} columns; at most {MOST_COLUMNS:,} are read.")
        return {"columns": names, "rows": len(rows), "target": names[-1]}, tuple(problems)

    def missing(self) -> str | None:
        if not self.file:
            return "No table has been chosen yet. Upload a CSV file."
        if self.target and self.target not in self.columns:
            listed = ", ".join(self.columns[:NAMED]) + (" …" if len(self.columns) > NAMED else "")
            return (
                f"The table has no column {self.target!r}; it has {listed}. Choose one of them as the column to guess."
            )
        return None

    def fields(self) -> dict[str, Field]:
        return {"features": Field((max(1, len(self.columns) - 1),), "features"), "target": Field((1,), "target")}

    def column_names(self) -> dict[str, tuple[str, ...]]:
        wanted = self.target or next(reversed(self.columns), "")
        if wanted not in self.columns:
            return {}
        at = self.columns.index(wanted)  # as load_own_table parts them
        return {"features": (*self.columns[:at], *self.columns[at + 1 :]), "target": (wanted,)}

    def size_hint(self) -> dict[str, int] | None:
        return split_sizes(self.rows, self.validation, self.test) if self.rows else None
