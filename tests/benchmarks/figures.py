"""What the rows of accuracy.py share: a training with its time, and a line of the table."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import builder
from builder.project import Project
from builder.training.headless import TrainedRun

SEED = 0
QUICK = {"precision": "bfloat16", "channels_last": True}
"""Settings with which convolutions take about half of the time on processors that know bfloat16."""
HEADER = ("what", "found", "goal", "reached", "published", "seed", "epochs", "wall", "processor")


@dataclass(frozen=True)
class Time:
    """Seconds by the clock on the wall, and those that this process had a processor."""

    wall: float = 0.0
    processor: float = 0.0

    def __add__(self, other: Time) -> Time:
        return Time(self.wall + other.wall, self.processor + other.processor)


@dataclass(frozen=True)
class Row:
    """A line of the table: what was trained, what it reached and what was wanted."""

    what: str
    found: str
    goal: str
    reached: bool
    time: Time
    epochs: int
    published: str = "–"
    """What others have reached on the same data, and who says so."""
    seed: str = str(SEED)

    def cells(self) -> tuple[str, ...]:
        """The line's cells, in the order of HEADER."""
        wall, processor = (f"{seconds / 60:.1f} min" for seconds in (self.time.wall, self.time.processor))
        reached = "yes" if self.reached else "MISSED"
        return self.what, self.found, self.goal, reached, self.published, self.seed, str(self.epochs), wall, processor


Rows = dict[str, Callable[[], Row]]
"""What a file accuracy_*.py offers as ROWS: a name, and the function that trains and gives the row."""


def line(cells: tuple[str, ...]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def trained(project: Project, folder: Path | None = None) -> tuple[TrainedRun, Time]:
    """The run and its time; a line for every evaluation goes to stderr.

    The run's files are gone afterwards, unless there is a folder to keep them in.
    """

    def told(record: dict[str, Any]) -> None:
        if "split" in record:
            numbers = ", ".join(f"{k} {v:.4f}" for k, v in {**record["losses"], **record["metrics"]}.items())
            seconds = time.monotonic() - wall
            text = f"  {seconds:5.0f} s  epoch {record['epoch']}  {record['split']}  {numbers}"
            print(text, file=sys.stderr, flush=True)

    wall, processor = time.monotonic(), time.process_time()
    if folder is not None:
        run = builder.train(project, folder, told)
    else:
        with tempfile.TemporaryDirectory() as passing:
            run = builder.train(project, Path(passing) / "run", told)
    return run, Time(time.monotonic() - wall, time.process_time() - processor)


def epochs_of(run: TrainedRun) -> int:
    """How many epochs a run made."""
    return max((record["epoch"] for record in run.history), default=0)
