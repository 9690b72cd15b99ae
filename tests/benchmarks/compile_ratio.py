"""A train step of compiled networks against the same networks written by hand.

    python tests/benchmarks/compile_ratio.py [--pairs N] [--only NAME ...] [--list]

Both run in this process, one thread, in turn (the order changes from pair to pair, so that neither is
always first); printed is the median over the pairs of the time of the compiled one divided by the other's.
Both begin with the same weights, and their losses after each turn must agree, so that equal work is
compared. Goal: at most 1.03. The large networks take their papers' pictures of 224×224 pixels.

Rows that end in -channels-last and -bfloat16 compare a step with this setting of the training to the same compiled
network without it; they have no goal, since the ratio belongs to the processor.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import networks
import torch
import torch.nn.functional as F
from test_reference_networks import AlexNet, LeNet5, ResNet18
from test_reference_networks import GoogLeNet as PaperGoogLeNet
from torch import Tensor, nn

from blocks.base import Shape
from builder import templates
from builder.compile import compile
from builder.project import Choice, Project

GOAL = 1.03


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


class LSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(28, 128, num_layers=2, batch_first=True)
        self.fc = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(x)
        return self.fc(output[:, -1])


def lstm() -> Project:
    """Two layers of 128 that read a picture of 28×28 row by row."""
    project = networks.project(
        "LSTM",
        ("rows", "Sequence", {"length": 28, "features": 28}),
        ("lstm", "LSTM", {"hidden_size": 128, "num_layers": 2, "output": "last"}),
        ("fc", "Linear", {"out_features": 10}),
        ("output", "Output", {}),
    )
    return project.replace(data=Choice("digits", {"size": 28, "layout": "rows"}))


@dataclass(frozen=True)
class Case:
    """A network, written by hand and for the canvas, and how much of it is one turn."""

    project: Callable[[], Project]
    written: Callable[[], nn.Module]
    shape: Shape
    classes: int
    batch: int
    steps: int = 1


def template(name: str) -> Callable[[], Project]:
    """A starter project, made when it is wanted."""
    return lambda: templates.load(name)


PICTURE = (3, 224, 224)
CASES = {
    "lenet5": Case(networks.lenet5, LeNet5, (1, 28, 28), 10, 64, 2),
    "small-resnet": Case(networks.small_resnet, ResNet, (1, 28, 28), 10, 16),
    "small-googlenet": Case(networks.small_googlenet, GoogLeNet, (1, 28, 28), 10, 16),
    "lstm": Case(lstm, LSTM, (28, 28), 10, 64),
    "alexnet": Case(template("alexnet"), AlexNet, PICTURE, 1000, 16),
    "googlenet": Case(template("googlenet"), lambda: PaperGoogLeNet(False), PICTURE, 1000, 8),
    "resnet18": Case(template("resnet18"), ResNet18, PICTURE, 1000, 16),
}
SETTINGS = ("channels-last", "bfloat16")


def stepper(network: nn.Module, case: Case, channels_last: bool = False, bfloat16: bool = False) -> Callable[[], float]:
    """One training step on a fixed batch, as `builder.training.loop` makes it; gives the loss."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(case.batch, *case.shape, generator=generator)
    classes = torch.randint(case.classes, (case.batch,), generator=generator)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, fused=True)

    def step() -> float:
        torch.manual_seed(0)  # the same dropout in both
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = F.cross_entropy(network(inputs), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def seconds(step: Callable[[], float], steps: int) -> tuple[float, float]:
    """The processor's time for some steps, and the last one's loss."""
    begun = time.process_time()
    for _ in range(steps):
        loss = step()
    return time.process_time() - begun, loss


def in_turn(
    name: str, both: tuple[Callable[[], float], Callable[[], float]], steps: int, pairs: int, apart: float
) -> tuple[float, tuple[float, float]]:
    """The median ratio of the first one's time to the second's, and the best time of a step of each."""
    for step in both:
        seconds(step, steps)
    ratios, best = [], [float("inf"), float("inf")]
    for pair in range(pairs):
        times, losses = [0.0, 0.0], [0.0, 0.0]
        for side in (0, 1) if pair % 2 else (1, 0):
            times[side], losses[side] = seconds(both[side], steps)
            best[side] = min(best[side], times[side] / steps)
        if not abs(losses[0] - losses[1]) <= apart:
            raise SystemExit(f"{name}: the losses differ ({losses[0]} and {losses[1]}), so the work does too")
        ratios.append(times[0] / times[1])
    return statistics.median(ratios), (best[0], best[1])


def same_weights(one: nn.Module, other: nn.Module) -> None:
    """Give the other's parameters the values of the one's, by order."""
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        theirs.data.copy_(mine.data)


def compare(name: str, case: Case, pairs: int) -> bool:
    """Print the ratio of compiled to hand-written; whether it reaches the goal."""
    compiled, written = compile(case.project())["network"], case.written()
    same_weights(compiled, written)
    both = stepper(compiled, case), stepper(written, case)
    ratio, (mine, theirs) = in_turn(name, both, case.steps, pairs, 1e-3)
    print(
        f"{name:28} batch {case.batch:3}  compiled {mine * 1e3:8.2f} ms, by hand {theirs * 1e3:8.2f} ms (best)  "
        f"median ratio {ratio:.3f} of {pairs} pairs ({'ok' if ratio <= GOAL else 'above the goal of'} {GOAL})",
        flush=True,
    )
    return ratio <= GOAL


def compare_setting(name: str, case: Case, setting: str, pairs: int) -> None:
    """Print the ratio of a step with a setting to one without it."""
    plain, changed = (compile(case.project())["network"] for _ in range(2))
    same_weights(plain, changed)
    wanted = {setting.replace("-", "_"): True}
    both = stepper(changed, case, **wanted), stepper(plain, case)
    # bfloat16 keeps 8 binary digits, and channels last sum in another order: after many steps the losses are only alike.
    ratio, (on, off) = in_turn(name, both, case.steps, pairs, 0.5 if setting == "bfloat16" else 0.1)
    print(
        f"{name:28} batch {case.batch:3}  on {on * 1e3:8.2f} ms, off {off * 1e3:8.2f} ms (best)  "
        f"median ratio {ratio:.3f} of {pairs} pairs",
        flush=True,
    )


def main() -> int:
    """Compare the networks asked for; the exit status says whether all reach the goal."""
    names = list(CASES) + [f"{name}-{setting}" for name in CASES if name != "lstm" for setting in SETTINGS]
    names.append("lstm-bfloat16")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=31, help="how often both are timed (31)")
    parser.add_argument("--only", nargs="+", default=names, choices=names, metavar="NAME", help="rows; all unless told")
    parser.add_argument("--list", action="store_true", help="name the rows and do nothing")
    options = parser.parse_args()
    if options.list:
        print("\n".join(names))
        return 0
    torch.set_num_threads(1)
    good = True
    for name in options.only:
        setting = next((s for s in SETTINGS if name.endswith(f"-{s}")), None)
        if setting is None:
            good &= compare(name, CASES[name], options.pairs)
        else:
            compare_setting(name, CASES[name.removesuffix(f"-{setting}")], setting, options.pairs)
    return int(not good)


if __name__ == "__main__":
    raise SystemExit(main())
