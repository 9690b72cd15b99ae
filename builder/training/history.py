"""The history of a run in SQLite: one writer, any number of readers that never block it.

Table ``steps`` holds one row per optimizer step, ``evaluations`` one per validation or test. Losses
and metrics are columns (``loss/...``, ``metric/...``) of 64-bit floats, so values come back exactly;
NaN is stored as NULL, and SQLite
keeps no sign of a zero. ``attempts`` says from which step the run was started or resumed.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

FILE = "history.sqlite"
FLUSH_SECONDS = 0.1

Record = dict[str, Any]
Columns = dict[str, np.ndarray[Any, Any]]

_FIXED = {
    "steps": ("step", "epoch", "time", "lr"),
    "evaluations": ("step", "epoch", "time", "split"),
}
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS steps (step INTEGER PRIMARY KEY, epoch INTEGER, time REAL, lr REAL)",
    "CREATE TABLE IF NOT EXISTS evaluations "
    "(step INTEGER, epoch INTEGER, time REAL, split TEXT, PRIMARY KEY (step, split))",
    "CREATE TABLE IF NOT EXISTS attempts (id INTEGER PRIMARY KEY, step INTEGER, time REAL)",
    "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, step INTEGER, time REAL, kind TEXT, value TEXT)",
)


class Writer:
    """The only writer of a folder's history. Rows are buffered and written 10 times a second.

    `add` writes by itself when it is time; another thread calls `flush_if_due`, so that rows do not
    wait for a slow step. When the disk fails, rows are kept in memory (up to `MAX_KEPT`) and tried
    again every two seconds; `error` then says why, else it is None.
    """

    MAX_KEPT = 500_000

    def __init__(self, folder: Path, resumed_at: int = 0) -> None:
        """Open or make the history; rows after step `resumed_at` are superseded."""
        self.path = folder / FILE
        self.resumed_at = resumed_at
        self.error: str | None = None
        self.lock = threading.Lock()
        self.rows: list[tuple[str, Record, float, Any]] = []
        self.events: list[tuple[int, float, str, str]] = []
        self.oldest = 0.0  # when the oldest buffered row came; 0 when there is none
        self.retry = 0.0
        self.columns: dict[str, set[str]] = {}
        self.db: sqlite3.Connection | None = None
        try:
            self.db = self._open()
        except sqlite3.Error as error:
            self._failed(error)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=2.0)
        try:
            if db.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
                db.execute("PRAGMA journal_mode=DELETE")  # a file system without shared memory (network drives)
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                db.execute(statement)
            for table in ("steps", "evaluations", "events"):
                db.execute(f"DELETE FROM {table} WHERE step > ?", (self.resumed_at,))
            db.execute("INSERT INTO attempts (step, time) VALUES (?, ?)", (self.resumed_at, time.time()))
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _failed(self, error: sqlite3.Error) -> None:
        # Everything stays in the buffer: training matters more than its record.
        self.error = str(error)
        self.columns = {}  # columns added in a transaction that was rolled back are gone again
        self.retry = time.time() + 2.0

    def add(self, record: Record, lr: float | None = None) -> None:
        """Buffer a step record or, when it has a "split", an evaluation."""
        now = time.time()
        with self.lock:
            if len(self.rows) < self.MAX_KEPT:
                self.rows.append(
                    ("evaluations", record, now, None) if "split" in record else ("steps", record, now, lr)
                )
            if not self.oldest:
                self.oldest = now
            elif now - self.oldest >= FLUSH_SECONDS:
                self._flush(now)

    def event(self, step: int, kind: str, value: str = "") -> None:
        """Note that something happened at this step (a pause, a new learning rate)."""
        with self.lock:
            self.events.append((step, time.time(), kind, value))
            self.oldest = self.oldest or time.time()

    def flush_if_due(self) -> None:
        """Write the buffer if its oldest row waits for longer than it should."""
        if self.oldest and time.time() - self.oldest >= FLUSH_SECONDS:
            with self.lock:
                self._flush(time.time())

    def flush(self) -> None:
        """Write the buffer now."""
        with self.lock:
            self.retry = 0.0
            self._flush(time.time())

    def _flush(self, now: float) -> None:
        if not (self.rows or self.events) or now < self.retry:
            return
        try:
            self.db = self.db or self._open()
            self.db.execute("BEGIN IMMEDIATE")
            self._insert(self.db)
            self.db.execute("COMMIT")
        except sqlite3.Error as error:
            if self.db is not None and self.db.in_transaction:
                self.db.execute("ROLLBACK")
            self._failed(error)
            return
        self.rows.clear()
        self.events.clear()
        self.oldest = 0.0
        self.error = None

    def _insert(self, db: sqlite3.Connection) -> None:
        groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for table, record, when, lr in self.rows:
            losses, metrics = record.get("losses", {}), record.get("metrics", {})
            key = (table, *(f"loss/{n}" for n in losses), *(f"metric/{n}" for n in metrics))
            last = record["split"] if table == "evaluations" else lr
            row = (record["step"], record["epoch"], when, last, *losses.values(), *metrics.values())
            groups.setdefault(key, []).append(row)
        for key, rows in groups.items():
            table, *names = key
            if table not in self.columns:
                self.columns[table] = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            for name in names:
                if name not in self.columns[table]:
                    db.execute(f"ALTER TABLE {table} ADD COLUMN {_quoted(name)} REAL")
                    self.columns[table].add(name)
            columns = ", ".join(_quoted(c) for c in (*_FIXED[table], *names))
            marks = ", ".join("?" * (4 + len(names)))
            db.executemany(f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})", rows)
        db.executemany("INSERT INTO events (step, time, kind, value) VALUES (?, ?, ?, ?)", self.events)

    def close(self) -> None:
        """Write what is left and fold the write-ahead log into the file, so that it stands alone."""
        self.flush()
        with self.lock:
            if self.db is not None:
                # Where somebody reads at the moment, the log stays beside the file, which is as good.
                with contextlib.suppress(sqlite3.Error):
                    self.db.execute("PRAGMA journal_mode=DELETE")
                self.db.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Reader:
    """Read-only view of a folder's history; empty while there is none."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def _open(self) -> sqlite3.Connection | None:
        if not self.path.exists():
            return None
        uri = self.path.absolute().as_uri()
        db = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=1.0)
        try:
            db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        except sqlite3.OperationalError:
            db.close()
            # On a read-only medium the log's index cannot be made; nobody writes there either.
            if os.access(self.path.parent, os.W_OK):
                return None
            db = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True)
        return db

    def _columns(self, query: str, arguments: tuple[Any, ...]) -> Columns:
        db = self._open()
        if db is None:
            return {}
        try:
            cursor = db.execute(query, arguments)
            names = [d[0] for d in cursor.description]
            rows = cursor.fetchall()
        except sqlite3.OperationalError:
            return {}  # made this moment, its tables not yet
        finally:
            db.close()
        columns = list(zip(*rows)) if rows else [()] * len(names)
        return {name: _array(name, values) for name, values in zip(names, columns)}

    def steps(self, after: int = 0) -> Columns:
        """Columns step, epoch, time, lr, loss/..., metric/... of the steps after `after`, in order."""
        return self._columns("SELECT * FROM steps WHERE step > ? ORDER BY step", (after,))

    def evaluations(self, split: str = "validation") -> Columns:
        """The same columns (split instead of lr) of the evaluations on one split."""
        return self._columns("SELECT * FROM evaluations WHERE split = ? ORDER BY step", (split,))

    def events(self) -> list[tuple[int, float, str, str]]:
        """What happened: (step, time, kind, value)."""
        columns = self._columns("SELECT step, time, kind, value FROM events ORDER BY id", ())
        return [(int(s), float(t), str(k), str(v)) for s, t, k, v in zip(*columns.values())] if columns else []

    def attempts(self) -> list[int]:
        """The steps after which the run was started (0) or resumed; longer when rows were superseded."""
        columns = self._columns("SELECT step FROM attempts ORDER BY id", ())
        return [int(s) for s in columns.get("step", ())]


def _array(name: str, values: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    if name in ("step", "epoch"):
        return np.array(values, dtype=np.int64)
    if name in ("split", "kind", "value"):
        return np.array(values, dtype=np.str_)
    return np.array(values, dtype=np.float64)  # None becomes NaN
