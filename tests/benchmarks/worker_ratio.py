"""An epoch through the worker against a loop written by hand, LeNet-5 on MNIST, one thread, in turns.

    LAYERLOOM_DATA=FOLDER python tests/benchmarks/worker_ratio.py [PAIRS] [SAMPLES]

Both train the same layers with Adam on the same number of batches from tensors in memory, each in a
process of its own with the same claim to the machine. The time is that between the first and the last step of the
epoch, with everything the worker does besides (history, state, live maps, checkpoints). The goal is a
ratio of at most 1.05 for the whole epoch, in the median of 30 pairs; SAMPLES makes the epoch shorter.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import builder
from builder import data
from builder.project import Choice
from builder.training import client, run
from builder.training.job import prepare

GOAL = 1.05
BATCH = 64
NICENESS = 5
"""That of a worker."""


class LeNet5(nn.Module):
    """The network of the template lenet5, as one writes it by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


@functools.cache
def in_memory(samples: int) -> dict[str, Tensor]:
    """The training part of MNIST, as the worker has it."""
    return data.load(data.find("mnist").from_settings({"limit": samples}))["train"]


def alike() -> None:
    """Make this process get as much of the machine as a worker: of its niceness, and in a session of its own."""
    os.setsid()
    os.nice(NICENESS)


def by_hand(samples: int) -> float:
    """Seconds from the first step's end to the last one's."""
    pictures, labels = in_memory(samples)["image"], in_memory(samples)["label"].long()
    assert pictures.dtype == torch.uint8
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = LeNet5()
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    losses, correct = [], []
    began = 0.0
    for step, index in enumerate(torch.randperm(len(pictures)).split(BATCH)):
        x = pictures[index].float().div(255)
        y = labels[index]
        optimizer.zero_grad()
        output = network(x)
        loss = F.cross_entropy(output, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        correct.append((output.argmax(1) == y).float().mean().item())
        if step == 0:
            began = time.perf_counter()
    return time.perf_counter() - began


def by_worker(launcher: client.Launcher, parent: Path, project: builder.Project) -> tuple[float, int]:
    """The same, by the times in the run's history; and how many steps the epoch has."""
    folder = run.new_run_folder(parent)
    prepare(project, folder)
    view = launcher.start(folder)
    while view.state.status in run.LIVE:
        time.sleep(0.2)
    if view.state.status != "done":
        raise SystemExit(view.state.message)
    times = view.steps()["time"]
    return float(times[-1] - times[0]), len(times)


def main(pairs: int = 30, samples: int = 0) -> int:
    """Print the median ratio and the times of a step; the exit status says whether the goal is reached."""
    client.REPLACE_SECONDS = 3600.0  # the next standby warms up when asked to, not during a measurement
    project = builder.templates.load("lenet5")
    training = {**project.training, "threads": 1, "batch_size": BATCH, "epochs": 1}
    settings = data.find("mnist").from_settings({"limit": samples}).to_settings()
    project = project.replace(
        data=Choice("mnist", settings), optimizer={"network": Choice("Adam", {"lr": 1e-3})}, training=training
    )
    launcher = client.Launcher()
    ratios, worker, hand, steps = [], [], [], 0
    with (
        multiprocessing.get_context("spawn").Pool(1, alike) as other,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent,
    ):
        other.apply(by_hand, (samples,))
        for pair in range(pairs):
            launcher.ready({"name": "mnist", "settings": settings})
            if not launcher.wait_ready(120):
                raise SystemExit("No training process became ready.")
            if pair % 2:
                hand.append(other.apply(by_hand, (samples,)))
            seconds, steps = by_worker(launcher, Path(parent), project)
            worker.append(seconds)
            if not pair % 2:
                hand.append(other.apply(by_hand, (samples,)))
            ratios.append(worker[-1] / hand[-1])
    launcher.close()
    ratio = statistics.median(ratios)
    low, high = statistics.quantiles(ratios, n=4)[::2] if pairs > 1 else (ratio, ratio)
    print(
        f"ratio {ratio:.3f} (goal {GOAL}), half of {pairs} pairs between {low:.3f} and {high:.3f}; {steps} steps an epoch"
    )
    per = 1000 / (steps - 1)
    print(f"ms per step: worker {min(worker) * per:.3f}, by hand {min(hand) * per:.3f} (best)")
    return int(ratio > GOAL)


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
