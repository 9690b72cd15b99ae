"""A training step of every task, as the app makes it, against a loop written by hand, in turns.

    python tests/benchmarks/task_ratio.py [TASK ...] [PAIRS]

Each task's starter project is trained by the app's loop on the one side; on the other by a loop, a network, a loss
and batches written by hand as one would without Layerloom: the same weights to begin with, the same order
of samples, the same fused optimizer, one thread, samples in memory; both read the loss, and the metric that the app
shows, of every batch. The time is the process's own (others on the machine do not count), the median of
the ratios of PAIRS interleaved pairs. After them both losses must agree. The goal is at most 1.05 each.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from builder import templates
from builder.tasks.word_vectors import draw_noise
from builder.training.job import Job, prepare
from builder.training.loop import Loop

SEGMENT = 0.15
"""About so many seconds of steps are timed in a row."""

Split = dict[str, Tensor]
Networks = list[nn.Module]
Hand = Callable[[Networks, Split, Loop], Iterator[float]]


# --- networks by hand ------------------------------------------------------------------------------------------


def lenet5() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def small_mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))


def point_network(outputs: int, activation: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(
        nn.Linear(2, 64), activation(), nn.Linear(64, 64), activation(), nn.Linear(64, outputs)
    )  # fmt: skip


class Forecaster(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 32, batch_first=True)
        self.fc = nn.Linear(32, 1)

    def forward(self, past: Tensor) -> Tensor:
        found: Tensor = self.fc(self.gru(past)[0][:, -1])
        return found


class Writer(nn.Module):
    def __init__(self, letters: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(letters, 32)
        self.lstm = nn.LSTM(32, 128, batch_first=True)
        self.letters = nn.Linear(128, letters)

    def forward(self, text: Tensor) -> Tensor:
        found: Tensor = self.letters(self.lstm(self.embed(text))[0])
        return found


def convolutions(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()),
        *(nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()),
    )


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = convolutions(3, 16), convolutions(16, 32), convolutions(32, 64)
        self.up2, self.back2 = nn.ConvTranspose2d(64, 32, 2, 2), convolutions(64, 32)
        self.up1, self.back1 = nn.ConvTranspose2d(32, 16, 2, 2), convolutions(32, 16)
        self.score = nn.Conv2d(16, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.one(x)
        two = self.two(F.max_pool2d(one, 2))
        x = self.three(F.max_pool2d(two, 2))
        x = self.back2(torch.cat([two, self.up2(x)], 1))
        x = self.back1(torch.cat([one, self.up1(x)], 1))
        found: Tensor = self.score(x)
        return found


def tiny_yolo() -> nn.Module:
    layers: list[nn.Module] = []
    for before, after, pool in ((3, 16, 1), (16, 32, 1), (32, 64, 1), (64, 128, 0), (128, 128, 0)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.1)]
        layers += [nn.MaxPool2d(2)] * pool
    return nn.Sequential(*layers, nn.Conv2d(128, 9, 1))


def autoencoder() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(1568, 16), nn.Linear(16, 1568), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))),
        *(nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Sigmoid()),
    )


class SkipGram(nn.Module):
    def __init__(self, words: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, 64)
        self.scores = nn.Linear(64, words, bias=False)


# --- loops by hand ---------------------------------------------------------------------------------------------


def batches(loop: Loop, count: int) -> Iterator[Tensor]:
    """The numbers of the samples of one batch after the other, for ever, in the order of the app's loop."""
    order = torch.Generator().manual_seed(loop.training["seed"])
    while True:
        yield from torch.randperm(count, generator=order).split(loop.batch_size)[: loop.batches]


def adam(network: nn.Module, loop: Loop, slot: str = "network") -> torch.optim.Optimizer:
    settings = {k: v for k, v in loop.settings["optimizer"][slot].items() if k != "name"}
    return torch.optim.Adam(network.parameters(), fused=True, **settings)


def plainly(
    network: nn.Module,
    loop: Loop,
    count: int,
    loss_of: Callable[[Tensor], tuple[Tensor, Callable[[], object]]],
    clip: float = 0.0,
) -> Iterator[float]:
    """Train one network for ever; `loss_of` makes the loss of samples, and what reads the metric off it."""
    optimizer = adam(network, loop)
    for index in batches(loop, count):
        loss, metric = loss_of(index)
        optimizer.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        metric()
        yield loss.item()


def classification(networks: Networks, split: Split, loop: Loop) -> Iterator[float]:
    def loss_of(index: Tensor) -> Any:
        y = split["label"][index]
        scores = networks[0](split["image"][index].float().div_(255))
        return F.cross_entropy(scores, y), lambda: (scores.argmax(1) == y).sum().item()

    return plainly(networks[0], loop, len(split["label"]), loss_of)


def regression(networks: Networks, split: Split, loop: Loop) -> Iterator[float]:
    mean, std = loop.settings["task"]["mean"], loop.settings["task"]["std"]

    def loss_of(index: Tensor) -> Any:
        y = split["target"][index]
        guess = networks[0](split["features"][index])

        def metrics() -> tuple[float, float]:
            off = guess.detach() * std + mean - y
            return off.abs().mean().item(), 1 - (off.square().sum() / (y - y.mean()).square().sum()).item()

        return F.mse_loss(guess, (y - mean) / std), metrics

    return plainly(networks[0], loop, len(split["target"]), loss_of)


def forecasting(networks: Networks, split: Split, loop: Loop) -> Iterator[float]:
    def loss_of(index: Tensor) -> Any:
        past, y = split["past"][index], split["next"][index]
        found = networks[0](past) + past[:, -1]
        return F.mse_loss(found, y), lambda: (found.detach() - y).abs().mean().item()

    return plainly(networks[0], loop, len(split["past"]), loss_of)


def segmentation(networks: Networks, split: Split, loop: Loop) -> Iterator[float]:
    def loss_of(index: Tensor) -> Any:
        y = split["mask"][index].long()
        scores = networks[0](split["image"][index].float().div_(255))

        def overlap() -> list[float]:
            counts = torch.bincount((y * 5 + scores.argmax(1)).flatten(), minlength=25).reshape(5, 5)
            both, sizes = counts.diag(), counts.sum(0) + counts.sum(1)
            iou: list[float] = (both / (sizes - both)).nanmean().tolist()
            return iou

        return F.cross_entropy(scores, y), overlap

    return plainly(networks[0], loop, len(split["mask"]), loss_of)


def detection(networks: Networks, split: Split, loop: Loop) -> Iterator[float]:
    """The lecture's loss: the cell that holds a box's centre answers for it, of several boxes for the first."""
    flip = torch.Generator().manual_seed(loop.training["seed"] + 1)

    def loss_of(index: Tensor) -> Any:
        count = len(index)
        mirrored = torch.rand(count, 5, generator=flip)[:, 0] * 2 - 1 < 0
        images = split["image"][index].float().div_(255)
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        box, kind = split["box"][index], split["box_class"][index]
        other = torch.stack([1 - box[..., 2], box[..., 1], 1 - box[..., 0], box[..., 3]], -1)
        box = torch.where(mirrored[:, None, None], other, box) * 8
        centre, size = (box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]
        picture, number = torch.nonzero(kind >= 0, as_tuple=True)
        centre, size, kind = centre[picture, number], size[picture, number], kind[picture, number]
        cell = picture * 64 + centre[:, 1].long().clamp(0, 7) * 8 + centre[:, 0].long().clamp(0, 7)
        first = torch.full((count * 64,), len(cell)).scatter_reduce_(0, cell, torch.arange(len(cell)), "amin")
        taken = first[first < len(cell)]
        cell, centre, size, kind = cell[taken], centre[taken], size[taken], kind[taken]
        z = networks[0](images).flatten(2).transpose(1, 2).flatten(0, 1)
        there = torch.zeros(count * 64)
        there[cell] = 1
        parts = [F.binary_cross_entropy_with_logits(z[:, 0], there, reduction="sum") / count]
        z = z[cell]
        parts.append(((z[:, 1:3].sigmoid() - centre % 1) ** 2).sum() / count)
        parts.append(((z[:, 3:5] - (size / 2).log()) ** 2).sum() / count)
        parts.append(F.cross_entropy(z[:, 5:], kind, reduction="sum") / count)
        return torch.stack(parts).sum(), lambda: [part.item() for part in parts]

    return plainly(networks[0], loop, len(split["image"]), loss_of)


def reconstruction(networks: Networks, split: Split, loop: Loop) -> Iterator[float]:
    def loss_of(index: Tensor) -> Any:
        x = split["image"][index].float().div_(255)
        loss = F.mse_loss(networks[0](x), x)
        return loss, lambda: loss.item()

    return plainly(networks[0], loop, len(split["image"]), loss_of)


def generation(networks: Networks, split: Split, loop: Loop) -> Iterator[float]:
    """Three steps of the discriminator, one of the generator; gives the generator's loss."""
    generator, discriminator = networks
    optimizers = [adam(generator, loop, "generator"), adam(discriminator, loop, "discriminator")]
    for index in batches(loop, len(split["point"])):
        real = split["point"][index]
        for _ in range(3):
            fake = generator(torch.randn(len(real), 2))
            on_real, on_fake = discriminator(real), discriminator(fake.detach())
            error = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
            optimizers[1].zero_grad()
            error.backward()
            optimizers[1].step()
            error.item()
        error = F.softplus(-discriminator(fake)).mean()
        optimizers[0].zero_grad()
        error.backward()
        optimizers[0].step()
        on_real.sigmoid().mean().item(), on_fake.sigmoid().mean().item()
        yield error.item()


def language_modelling(networks: Networks, split: Split, loop: Loop) -> Iterator[float]:
    def loss_of(index: Tensor) -> Any:
        text = split["text"][index].long()
        scores, y = networks[0](text[:, :-1]), text[:, 1:]
        loss = F.cross_entropy(scores.flatten(0, 1), y.flatten())
        return loss, lambda: (scores.argmax(2) == y).float().mean().item()

    return plainly(networks[0], loop, len(split["text"]), loss_of, clip=1.0)


def word_vectors(networks: Networks, split: Split, loop: Loop) -> Iterator[float]:
    """Negative sampling: the inner products of a word with one around it and with five of noise, drawn alike."""
    words, scores = networks[0].words, networks[0].scores
    width = torch.Generator().manual_seed(loop.training["seed"] + 1)

    def loss_of(index: Tensor) -> Any:
        around = split["around"][index].long()
        reach = torch.randint(1, 6, (len(index), 1), generator=width)
        row, column = torch.nonzero((around >= 0) & (torch.arange(10) < 2 * reach), as_tuple=True)
        target = around[row, column]
        chosen = torch.cat([target[:, None], draw_noise((len(target), 5), loop.settings["loss"])], 1)
        found = scores(words(split["word"][index, 0].long()))[row[:, None], chosen]
        return (F.softplus(-found[:, 0]) + F.softplus(found[:, 1:]).sum(1)).mean(), lambda: None

    return plainly(networks[0], loop, len(split["word"]), loss_of)


TASKS: dict[str, tuple[str, Callable[[Split, Loop], Networks], Hand]] = {
    "classification": ("lenet5", lambda split, loop: [lenet5()], classification),
    "regression": ("mlp_regression", lambda split, loop: [small_mlp()], regression),
    "forecasting": ("gru_forecast", lambda split, loop: [Forecaster()], forecasting),
    "segmentation": ("unet_shapes", lambda split, loop: [UNet()], segmentation),
    "detection": ("yolo_tiny", lambda split, loop: [tiny_yolo()], detection),
    "reconstruction": ("conv_autoencoder", lambda split, loop: [autoencoder()], reconstruction),
    "generation": (
        "gan",
        lambda split, loop: [point_network(2, nn.ReLU), point_network(1, lambda: nn.LeakyReLU(0.2))],
        generation,
    ),
    "language_modelling": ("char_lstm", lambda split, loop: [Writer(48)], language_modelling),
    "word_vectors": ("skipgram", lambda split, loop: [SkipGram(loop.settings["task"]["words"])], word_vectors),
}


# --- in turns --------------------------------------------------------------------------------------------------


class Rival:
    """One of the two trainings, with random numbers of its own."""

    def __init__(self, steps: Iterator[float], random: Tensor) -> None:
        self.steps, self.random = steps, random
        self.loss = 0.0

    def seconds(self, count: int) -> float:
        """Processor time of so many steps."""
        torch.set_rng_state(self.random)
        began = time.process_time()
        for _ in range(count):
            self.loss = next(self.steps)
        taken = time.process_time() - began
        self.random = torch.get_rng_state()
        return taken


def by_app(loop: Loop, loss: str) -> Iterator[float]:
    for record in loop.run():
        yield record["losses"][loss]


def compare(task: str, folder: Path, pairs: int) -> tuple[float, float, float]:
    """The median ratio, and the best milliseconds a step of the app's loop and of the one by hand."""
    template, make, hand = TASKS[task]
    project = templates.load(template)
    training = {**project.training, "epochs": 100_000, "device": "cpu", "threads": 1, "schedule": "constant"}
    loop = Job(prepare(project.replace(training=training), folder)).loop
    for name in ("validation", "test"):
        loop.splits.pop(name, None)  # steps alone are timed
    networks = make(loop.splits["train"], loop)
    for mine, theirs in zip(networks, loop.networks.values(), strict=True):
        with torch.no_grad():
            for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
                a.copy_(b)
    random = torch.get_rng_state()
    last = "generator" if "generator" in loop.networks else "loss"
    app, own = Rival(by_app(loop, last), random), Rival(hand(networks, loop.splits["train"], loop), random)
    app.seconds(5), own.seconds(5)
    steps = max(3, round(SEGMENT / (own.seconds(10) / 10)))
    app.seconds(10)
    ratios, apps, owns = [], [], []
    for pair in range(pairs):
        taken = {rival: rival.seconds(steps) for rival in ((app, own) if pair % 2 else (own, app))}
        apps.append(taken[app])
        owns.append(taken[own])
        ratios.append(taken[app] / taken[own])
        if pair == 0:  # later ones drift apart by rounding, as the order of sums may differ
            assert abs(app.loss - own.loss) <= 1e-3 * abs(own.loss), f"{task}: {app.loss} and {own.loss} by hand"
    assert abs(app.loss - own.loss) <= 0.05 * max(1.0, abs(own.loss)), f"{task}: {app.loss} and {own.loss} by hand"
    return statistics.median(ratios), min(apps) / steps * 1000, min(owns) / steps * 1000


def main(tasks: list[str], pairs: int = 30) -> None:
    """Print the ratio and the times of a step for every task."""
    torch.set_num_threads(1)
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            ratio, app, own = compare(task, Path(folder) / "run", pairs)
        print(f"{task:20} ratio {ratio:.3f}   ms a step (best): app {app:.3f}, by hand {own:.3f}", flush=True)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    chosen = [word for word in sys.argv[1:] if not word.isdigit()]
    main(chosen or list(TASKS), *numbers[:1])
