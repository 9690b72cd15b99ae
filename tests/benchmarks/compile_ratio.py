"""A train step of compiled networks against the same networks written by hand.

Both run in this process, one thread, in turn (the order changes from pair to pair, so that neither is
always first); printed is the median over the pairs of the time of the compiled one divided by the other's.
Both begin with the same weights, and their losses after the last step must agree, so that equal work is
compared. Goal: at most 1.03.

    PYTHONPATH=.:tests python tests/benchmarks/compile_ratio.py [pairs]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import networks
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from builder.compile import compile

GOAL = 1.03


class LeNet5(nn.Module):
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
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(F.relu(self.fc2(x)))


class Block(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut = None
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layers = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 32, 1), Block(32, 64, 2))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(F.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class ConvBn(nn.Module):
    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    def __init__(self, channels: int, a: int, b: int, c: int, d: int, e: int, f: int) -> None:
        super().__init__()
        self.branch1 = ConvBn(channels, a, 1)
        self.branch2 = nn.Sequential(ConvBn(channels, b, 1), ConvBn(b, c, 3))
        self.branch3 = nn.Sequential(ConvBn(channels, d, 1), ConvBn(d, e, 5))
        self.branch4 = ConvBn(channels, f, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.max_pool2d(x, 3, stride=1, padding=1, ceil_mode=True)
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(pooled)], 1)


class GoogLeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.inception1 = Inception(32, 16, 16, 24, 4, 8, 8)
        self.inception2 = Inception(56, 32, 32, 48, 8, 24, 16)
        self.inception3 = Inception(120, 48, 24, 52, 4, 12, 16)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, ceil_mode=True)
        x = self.inception2(self.inception1(x))
        x = self.inception3(F.max_pool2d(x, 3, stride=2, ceil_mode=True))
        return self.fc(self.dropout(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)))


def stepper(network: nn.Module, batch: int) -> Callable[[], float]:
    """One training step on a fixed batch; gives the loss."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch, 1, 28, 28, generator=generator)
    classes = torch.randint(10, (batch,), generator=generator)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, fused=True)

    def step() -> float:
        torch.manual_seed(0)  # the same dropout in both
        optimizer.zero_grad()
        loss = F.cross_entropy(network(images), classes)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def seconds(step: Callable[[], float], steps: int) -> tuple[float, float]:
    """The time of some steps, and the last one's loss."""
    begun = time.process_time()
    for _ in range(steps):
        loss = step()
    return time.process_time() - begun, loss


def compare(name: str, compiled: nn.Module, written: nn.Module, batch: int, steps: int, pairs: int) -> float:
    """Print and give the median ratio for one network."""
    for mine, theirs in zip(compiled.parameters(), written.parameters(), strict=True):
        theirs.data.copy_(mine.data)
    both = stepper(compiled, batch), stepper(written, batch)
    for step in both:
        seconds(step, steps)
    ratios, best = [], [float("inf"), float("inf")]
    for pair in range(pairs):
        times, losses = [0.0, 0.0], [0.0, 0.0]
        for side in (0, 1) if pair % 2 else (1, 0):
            times[side], losses[side] = seconds(both[side], steps)
            best[side] = min(best[side], times[side] / steps)
        if abs(losses[0] - losses[1]) > 1e-3:
            raise SystemExit(f"{name}: the losses differ ({losses[0]} and {losses[1]}), so the work does too")
        ratios.append(times[0] / times[1])
    ratio = statistics.median(ratios)
    print(
        f"{name:16} batch {batch:3}  compiled {best[0] * 1e3:7.2f} ms, by hand {best[1] * 1e3:7.2f} ms (best)  "
        f"median ratio {ratio:.3f} of {pairs} pairs ({'ok' if ratio <= GOAL else 'above the goal of'} {GOAL})"
    )
    return ratio


def main() -> int:
    """Compare the three networks; the exit status says whether all reach the goal."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 101
    torch.set_num_threads(1)
    cases = [
        ("LeNet-5", networks.lenet5(), LeNet5, 64, 2),
        ("small ResNet", networks.small_resnet(), ResNet, 16, 1),
        ("small GoogLeNet", networks.small_googlenet(), GoogLeNet, 16, 1),
    ]
    ratios = [
        compare(name, compile(project)["network"], written(), batch, steps, pairs)
        for name, project, written, batch, steps in cases
    ]
    return int(max(ratios) > GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
