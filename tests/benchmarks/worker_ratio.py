"""Training through the worker against a loop written by hand, LeNet-5 on MNIST, one thread, in turns.

    LAYERLOOM_DATA=FOLDER python tests/benchmarks/worker_ratio.py [PAIRS] [SECONDS]

Both train the same layers with Adam on batches of tensors in memory, each in a process of its own with the same
claim to the machine, epoch after epoch. They take turns of SECONDS: while one trains, the other waits; the worker is
paused and resumed as the page does it. Counted is the time between a step and the next of the same epoch (a
validation belongs to no step), with everything the worker does besides: history, state, live maps, and a checkpoint
in each turn. The goal is a ratio of at most 1.05 for the time of a step, in the median of 30 pairs, which takes six
minutes.

On a machine with other things to do the clock on the wall says little; a second line therefore compares the time
the processes had a processor. The worker's has also its validations, and the checkpoint of each pause.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
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
VALIDATION = 0.01
"""As little as there can be, so that turns hold training."""
Turn = tuple[float, float]
"""Seconds a step took by the clock on the wall, and of a processor."""


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


def by_hand() -> Iterator[bool]:
    """Train for ever; gives after each step whether the next one is of the same epoch."""
    split = data.load(data.find("mnist").from_settings({"validation": VALIDATION}))["train"]
    pictures, labels = split["image"], split["label"].long()
    assert pictures.dtype == torch.uint8
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = LeNet5()
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    losses: list[float] = []
    correct: list[float] = []
    while True:
        indices = torch.randperm(len(pictures)).split(BATCH)
        for index in indices:
            x = pictures[index].float().div(255)
            y = labels[index]
            optimizer.zero_grad()
            output = network(x)
            loss = F.cross_entropy(output, y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            correct.append((output.argmax(1) == y).float().mean().item())
            yield index is not indices[-1]


def take_turns(orders: Connection) -> None:
    """Train by hand for as long as each order says, and answer with the turn; None is the end.

    This process gets as much of the machine as a worker: it has its niceness, and a session of its own.
    """
    os.setsid()
    os.nice(NICENESS)
    steps = by_hand()
    for _ in range(20):
        next(steps)
    while (limit := orders.recv()) is not None:
        began, worked = time.perf_counter(), time.process_time()
        spent, counted, made = 0.0, 0, 0
        before, same = began, False
        while before - began < limit:
            goes_on = next(steps)
            now = time.perf_counter()
            if same:
                spent, counted = spent + now - before, counted + 1
            before, same, made = now, goes_on, made + 1
        orders.send((spent / counted, (time.process_time() - worked) / made))


def by_worker(view: run.Run, limit: float) -> Turn:
    """A turn of the running worker."""
    first, worked = view.state.step, processor_time(view.state.pid)
    client.command(view.folder, "resume", wait=30)
    time.sleep(limit)
    if not client.command(view.folder, "pause", wait=30):
        raise SystemExit(f"The worker cannot be paused: {view.state.message or view.state.status}")
    while view.state.status != "paused":
        time.sleep(0.02)
    worked = processor_time(view.state.pid) - worked
    steps = view.steps(after=first)
    same = np.diff(steps["epoch"]) == 0
    return float(np.diff(steps["time"])[same].mean()), worked / len(steps["time"])


def processor_time(pid: int) -> float:
    """The seconds that a process had a processor; NaN where the system does not tell (only Linux does)."""
    if not sys.platform.startswith("linux"):
        return float("nan")
    return time.clock_gettime((~pid << 3) | 2)  # the kernel's number for the clock of another process


def main(pairs: int = 30, limit: float = 5.0) -> int:
    """Print the median ratio and the times of a step; the exit status says whether the goal is reached."""
    client.REPLACE_SECONDS = 3600.0  # no standby warms up while something is measured
    project = builder.templates.load("lenet5")
    project = project.replace(
        data=Choice("mnist", data.find("mnist").from_settings({"validation": VALIDATION}).to_settings()),
        optimizer={"network": Choice("Adam", {"lr": 1e-3})},
        training={**project.training, "threads": 1, "batch_size": BATCH, "epochs": 10_000},
    )
    here, there = multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(target=take_turns, args=(there,), daemon=True)
    other.start()
    launcher = client.Launcher()
    worker: list[Turn] = []
    hand: list[Turn] = []

    def hand_s_turn(seconds: float = limit) -> None:
        here.send(seconds)
        hand.append(here.recv())

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        folder = run.new_run_folder(parent)
        prepare(project, folder)
        view = launcher.start(folder)
        while view.state.step < 20:
            if view.state.status not in run.LIVE:
                raise SystemExit(view.state.message)
            time.sleep(0.05)
        client.command(folder, "pause", wait=30)
        hand_s_turn(0.5)
        hand.clear()
        for pair in range(pairs):
            if pair % 2:
                hand_s_turn()
            worker.append(by_worker(view, limit))
            if not pair % 2:
                hand_s_turn()
        client.command(folder, "stop", wait=30)
    here.send(None)
    other.join(10)
    launcher.close()
    ratio, low, high = spread([a[0] / b[0] for a, b in zip(worker, hand)])
    print(f"ratio {ratio:.3f} (goal {GOAL}), half of {pairs} pairs between {low:.3f} and {high:.3f}")
    busy, low, high = spread([a[1] / b[1] for a, b in zip(worker, hand)])
    print(f"of processor time {busy:.3f}, half of the pairs between {low:.3f} and {high:.3f}")
    best = (1000 * min(turns)[0] for turns in (worker, hand))
    print("ms per step: worker {:.3f}, by hand {:.3f} (best)".format(*best))
    return int(ratio > GOAL)


def spread(ratios: list[float]) -> tuple[float, float, float]:
    """The median, and the quarters below and above."""
    middle = statistics.median(ratios)
    low, high = statistics.quantiles(ratios, n=4)[::2] if len(ratios) > 1 else (middle, middle)
    return middle, low, high


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:2]), *map(float, sys.argv[2:3])))
