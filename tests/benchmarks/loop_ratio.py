"""The training loop alone against a plain loop written by hand, LeNet-5 and a small MLP on MNIST-sized data, in turns.

    python tests/benchmarks/loop_ratio.py [PAIRS] [STEPS]

Both train the same module class with fused Adam on tensors in memory, one thread, and read loss and
accuracy of each batch. The time is the process's own (others on the machine do not count) for STEPS
steps, the median of the pairs' ratios. The goal is at most 1.05 for LeNet-5.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from builder import data
from builder.tasks import classification
from builder.training.loop import Loop
from builder.training.settings import TrainingSettings

BATCH = 64
SAMPLES = 60_000


def lenet5() -> nn.Module:
    """The 61,706 parameters of LeNet-5."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def mlp() -> nn.Module:
    """A network whose step is so short that overhead shows."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


def by_hand(make: Callable[[], nn.Module], images: Tensor, labels: Tensor) -> Iterator[float]:
    """Train for ever, giving each batch's loss."""
    torch.manual_seed(0)
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    while True:
        for index in torch.randperm(SAMPLES).split(BATCH):
            x = images[index].float().div_(255).sub_(0.1307).div_(0.3081)
            y = labels[index]
            output = network(x)
            loss = F.cross_entropy(output, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            (output.argmax(1) == y).sum().item()
            yield loss.item()


def by_loop(make: Callable[[], nn.Module], images: Tensor, labels: Tensor) -> Iterator[Any]:
    """The same through the loop of a project on MNIST."""
    mnist = data.find("mnist")
    settings = {
        "training": TrainingSettings(epochs=100_000, batch_size=BATCH, device="cpu").to_settings(),
        "optimizer": {"network": {"name": "Adam", "lr": 1e-3}},
        "loss": {"name": "cross_entropy", "label_smoothing": 0.0},
        "task": {"input": "image", "target": "label", "classes": 10},
        "data": mnist(normalization="standard").to_settings(),
        "best": {"kind": "metrics", "name": "accuracy", "higher_is_better": True},
    }
    splits = {"train": {"image": images, "label": labels}}
    settings = classification.prepare(splits, settings)
    torch.manual_seed(0)
    networks = {"network": make()}
    loop = Loop(networks, splits, mnist.make_batch, classification.train_step, classification.evaluate, settings)
    return loop.run()


def seconds(running: Iterator[Any], steps: int) -> float:
    """Processor time of so many steps."""
    began = time.process_time()
    for _ in range(steps):
        next(running)
    return time.process_time() - began


def main(pairs: int = 30, steps: int = 200) -> None:
    """Print the ratio and the times of a step for both networks."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (SAMPLES, 1, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (SAMPLES,), generator=generator)
    for make in (lenet5, mlp):
        hand, loop = by_hand(make, images, labels), by_loop(make, images, labels)
        seconds(hand, 20), seconds(loop, 20)
        ratios, hands, loops = [], [], []
        for pair in range(pairs):
            first = seconds(loop, steps) if pair % 2 else 0.0
            hands.append(seconds(hand, steps))
            loops.append(first or seconds(loop, steps))
            ratios.append(loops[-1] / hands[-1])
        print(
            f"{make.__name__}: ratio {statistics.median(ratios):.3f}, median of {pairs} pairs of {steps} steps; "
            f"ms per step (best): loop {min(loops) / steps * 1000:.3f}, by hand {min(hands) / steps * 1000:.3f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
