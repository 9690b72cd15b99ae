"""Training: the loop, the process around it, the run folder, and what one can look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder.project import Project
    from builder.training.headless import TrainedRun
    from builder.training.run import Run


def train(
    project: Project,
    run_folder: str | os.PathLike[str] | None = None,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    epochs: int | None = None,
    weights: str | os.PathLike[str] | Run | None = None,
    partial: bool = False,
) -> TrainedRun:
    """Train a project in this process, without a browser, and give its run.

    `run_folder` is made if need be and must not hold a run yet; without it, a new folder in the
    workspace is taken. `on_progress` is called with each record: one per step (``{"step", "epoch",
    "losses", "metrics"}``) and one per evaluation (with "split" besides). `epochs` overrides the
    project's. `weights`, a safetensors or ``.pt`` file or an earlier run, are what it begins with: all of the
    network's, or what fits with `partial` (`builder.training.weights.told` says which). The run has `history` (all records), `networks` (with the best weights), `metrics` (of the
    last evaluation) and `folder`. Sets torch's number of threads and its seed.

    Raises ValueError with a sentence when the project cannot be trained, the weights do not fit, or training
    fails (a loss that is not finite), OSError when the folder cannot be written.
    """
    # Imported here, since checking a project needs this package's settings but not its engine.
    from builder.training import headless

    return headless.train(project, run_folder, on_progress, epochs, weights, partial)
