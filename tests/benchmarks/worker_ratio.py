"""An epoch through the worker against a plain loop written by hand, LeNet-5 on MNIST, one thread, in turns.

    LAYERLOOM_DATA=FOLDER python tests/benchmarks/worker_ratio.py [PAIRS] [STEPS]

Both train the same layers with Adam on the same number of batches from tensors in memory. The time is
that between the first and the last step, with everything the worker does besides (history, state,
live maps, checkpoints). The goal is a ratio of at most 1.05.
"""

from __future__ import annotations

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
from builder.project import Choice
from builder.training import client, run
from builder.training.job import prepare

BATCH = 64


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


def by_hand(pictures: Tensor, labels: Tensor, steps: int) -> float:
    """Seconds from the first step's end to the last one's."""
    torch.manual_seed(0)
    network = LeNet5()
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    order = torch.randperm(len(pictures))
    losses, correct = [], []
    began = 0.0
    for step in range(steps):
        index = order[step * BATCH % (len(order) - BATCH) :][:BATCH]
        x = pictures[index].float().div(255).sub(0.1307).div(0.3081)
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


def by_worker(launcher: client.Launcher, parent: Path, project: builder.Project, steps: int) -> float:
    """The same, by the times in the run's history."""
    folder = run.new_run_folder(parent)
    prepare(project, folder)
    view = launcher.start(folder)
    while view.state.step < steps:
        time.sleep(0.1)
    client.command(folder, "stop", wait=30)
    while view.state.status in run.LIVE:
        time.sleep(0.05)
    launcher.ready()
    times = view.steps()["time"]
    return float(times[steps - 1] - times[0])


def main(pairs: int = 30, steps: int = 400) -> None:
    """Print the median ratio and the times of a step."""
    torch.set_num_threads(1)
    project = builder.templates.load("lenet5")
    training = {**project.training, "threads": 1, "batch_size": BATCH, "epochs": 2}
    project = project.replace(
        data=Choice("mnist", {}), optimizer={"network": Choice("Adam", {"lr": 1e-3})}, training=training
    )
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (60_000, 1, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (60_000,), generator=generator)
    launcher = client.Launcher()
    launcher.ready()
    launcher.wait_ready(120)
    ratios, worker, hand = [], [], []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        for pair in range(pairs):
            if pair % 2:
                hand.append(by_hand(pictures, labels, steps))
            worker.append(by_worker(launcher, Path(parent), project, steps))
            launcher.wait_ready(120)  # the next standby warms up now, not during a measurement
            if not pair % 2:
                hand.append(by_hand(pictures, labels, steps))
            ratios.append(worker[-1] / hand[-1])
    launcher.close()
    print(f"ratio {statistics.median(ratios):.3f} (goal 1.05), median of {pairs} pairs of {steps} steps")
    per = 1000 / (steps - 1)
    print(f"ms per step: worker {min(worker) * per:.3f}, by hand {min(hand) * per:.3f} (best)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
