"""Training in this process, without a browser: the same session as the worker's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch import nn

import builder.data
from builder.project import Project
from builder.training import job, run
from builder.training.run import Run
from builder.training.session import Session

Record = dict[str, Any]


class TrainedRun(Run):
    """A finished run, with `history` (all its records), `networks` (with the best weights) and `metrics` (the last
    evaluation's)."""

    def __init__(self, folder: Path, history: list[Record], networks: dict[str, nn.Module]) -> None:
        super().__init__(folder)
        self.history, self.networks = history, networks
        self.metrics: dict[str, float] = next((r["metrics"] for r in reversed(history) if "split" in r), {})


def train(
    project: Project,
    run_folder: str | os.PathLike[str] | None = None,
    on_progress: Callable[[Record], None] | None = None,
    epochs: int | None = None,
    weights: str | os.PathLike[str] | Run | None = None,
    partial: bool = False,
) -> TrainedRun:
    """See `builder.training.train`."""
    if epochs is not None:
        project = project.replace(training={**project.training, "epochs": epochs})
    folder = Path(run_folder) if run_folder is not None else run.new_run_folder(builder.data.home() / "runs")
    job.prepare(project, folder, weights, partial)
    made = job.Job(folder)
    records: list[Record] = []
    steps = made.loop.run
    raised: list[Exception] = []

    def told() -> Iterator[Record]:
        for record in steps():
            records.append(record)
            if on_progress is not None:
                try:
                    on_progress(record)
                except Exception as error:  # the caller's own; the session would take it for one of training
                    raised.append(error)
                    raise
            yield record

    made.loop.run = told  # type: ignore[method-assign]
    session = Session(folder, lambda _: made)
    try:
        failed = session.work()
    except BaseException:  # an interrupt from the keyboard, say: what was trained so far is kept
        session.save()
        if session.reporter.history is not None:
            session.reporter.history.close()
        session.reporter.end()
        raise
    if raised:
        raise raised[0]
    if failed:
        raise job.JobError(session.state.message)
    return TrainedRun(folder, records, made.networks)
