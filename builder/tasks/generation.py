"""Generation: a generator makes samples out of noise, a discriminator tells them from the data; trained in turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks.base import Shape, setting
from builder.data.base import Dataset, Field
from builder.tasks.base import Chart, Look, Loss, Metric, Task

NOISE_SEED = 11
"""The noise that is looked at and evaluated is always the same, so that one sees it turn into samples."""
MOST_ASKED = 1024
"""The most samples that are made at once for a view."""

# --- plain functions, copied into exported scripts -----------------------------------------------


def prepare(splits: dict[str, dict[str, Tensor]], settings: dict[str, Any]) -> dict[str, Any]:
    """Nothing has to be read from the data."""
    return settings


def add_noise(batch: dict[str, Tensor], settings: dict[str, Any], index: Tensor | None = None) -> dict[str, Tensor]:
    """The batch with ``noise`` (N, noise) from a normal distribution, the same numbers at every call for each sample.

    `index` (N,) says which samples these are, the first ones unless told.
    """
    if "noise" in batch:
        return batch
    task = settings["task"]
    known = next(iter(batch.values()))
    chosen = torch.arange(len(known)) if index is None else index.cpu()
    generator = torch.Generator().manual_seed(task["noise_seed"])
    # Always whole blocks of 64 rows are drawn: the last numbers of a draw depend on how many are drawn.
    blocks = int(chosen.max()) // 64 + 1 if len(chosen) else 1
    noise = torch.randn(64 * blocks, task["noise"], generator=generator)
    return {**batch, "noise": noise[chosen].to(known.device)}


def discriminator_loss(real: Tensor, fake: Tensor, loss: dict[str, Any]) -> Tensor:
    """What the discriminator lowers: `real` and `fake` are its scores of data and of generated samples.

    Goodfellow et al. 2014 (bce, minimax: the same), Lim and Ye 2017 (hinge), Arjovsky et al. 2017 (wasserstein).
    """
    match loss["name"]:
        case "hinge":
            return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        case "wasserstein":
            return fake.mean() - real.mean()
        case _:  # BCE(D(x), 1) + BCE(D(G(z)), 0)
            return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Tensor, loss: dict[str, Any]) -> Tensor:
    """What the generator lowers, from the discriminator's scores of its samples."""
    match loss["name"]:
        case "minimax":  # log(1 - D(G(z)))
            return -F.softplus(fake).mean()
        case "hinge" | "wasserstein":
            return -fake.mean()
        case _:  # BCE(D(G(z)), 1)
            return F.softplus(-fake).mean()


def gradient_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """The mean of (‖∇D‖ - 1)² between data and generated samples (Gulrajani et al. 2017)."""
    part = torch.rand(len(real), *[1] * (real.dim() - 1)).to(real.device)
    between = (part * real + (1 - part) * fake).requires_grad_()
    scores = discriminator(between).float().sum()
    (slope,) = torch.autograd.grad(scores, between, create_graph=True)
    penalty: Tensor = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
    return penalty


def belief(scores: Tensor, loss: dict[str, Any]) -> Tensor:
    """What is shown of scores: the probability of being real where the loss has one, else the score itself."""
    return torch.sigmoid(scores) if loss["name"] in ("bce", "minimax") else scores


def spread_ratio(generated: Tensor, real: Tensor) -> Tensor:
    """The standard deviation of generated samples (N, ...) over that of real ones, all coordinates together."""
    return (generated.flatten(1).var(0).sum() / real.flatten(1).var(0).sum().clamp_min(1e-12)).sqrt()


def sliced_distance(generated: Tensor, real: Tensor) -> Tensor:
    """The distance between two sets of N samples: the mean over 64 directions of how far sorted shadows lie apart.

    The sliced Wasserstein distance (Rabin et al. 2011), over the square root of the number of coordinates.
    """
    a, b = generated.flatten(1), real.flatten(1)
    directions = torch.randn(a.shape[1], 64, generator=torch.Generator().manual_seed(0)).to(a.device)
    directions = directions / directions.norm(dim=0)
    apart: Tensor = (a @ directions).sort(dim=0).values - (b @ directions).sort(dim=0).values
    return apart.abs().mean()


def coverage(generated: Tensor, real: Tensor) -> Tensor:
    """The part of the real samples that have a generated one closer than their fifth nearest real neighbour.

    Naeem et al. 2020. It falls when the generator makes only a few kinds of samples.
    """
    a, b = generated.flatten(1), real.flatten(1)
    radius = torch.cdist(b, b).kthvalue(min(6, len(b)), dim=1).values  # each is its own nearest
    return (torch.cdist(b, a).amin(dim=1) <= radius).float().mean()


def judged(discriminator: nn.Module, samples: Tensor) -> Tensor:
    """Scores (N,) of samples (N, ...), normalized over these alone as in training; no running average is touched.

    The averages mix data and generated samples, so with them the scores of both would mean nothing.
    """
    layers = [m for m in discriminator.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    before = [(layer.training, layer.track_running_stats) for layer in layers]
    try:
        for layer in layers if len(samples) > 1 else ():
            layer.training, layer.track_running_stats = True, False
        scores: Tensor = discriminator(samples).float().flatten()
    finally:
        for layer, (training, track) in zip(layers, before):
            layer.training, layer.track_running_stats = training, track
    return scores


def train_step(
    networks: dict[str, nn.Module],
    batch: dict[str, Tensor],
    settings: dict[str, Any],
    optimize: Callable[[Tensor, str], None],
) -> tuple[dict[str, float], dict[str, float]]:
    """The discriminator's steps on a batch and fresh noise, then one of the generator, which faces the new one."""
    task, loss = settings["task"], settings["loss"]
    generator, discriminator = networks["generator"], networks["discriminator"]
    real = batch[task["input"]]
    total = 0.0
    for _ in range(task["discriminator_steps"]):
        generated = generator(torch.randn(len(real), task["noise"]).to(real.device))
        on_real, on_fake = discriminator(real).float(), discriminator(generated.detach()).float()
        error = discriminator_loss(on_real, on_fake, loss)
        total += error.item()
        if loss["name"] == "wasserstein" and loss["constraint"] == "gradient penalty":
            error = error + loss["penalty"] * gradient_penalty(discriminator, real, generated.detach())
        optimize(error, "discriminator")
        if loss["name"] == "wasserstein" and loss["constraint"] == "weight clipping":
            with torch.no_grad():
                for weight in discriminator.parameters():
                    weight.clamp_(-loss["clip"], loss["clip"])
    error = generator_loss(discriminator(generated).float(), loss)
    optimize(error, "generator")
    return (
        {"discriminator": total / task["discriminator_steps"], "generator": error.item()},
        {"real": belief(on_real, loss).mean().item(), "fake": belief(on_fake, loss).mean().item()},
    )


def evaluate(
    networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """Both losses and how the samples made of always the same noise compare with the data, times the batch's size."""
    loss = settings["loss"]
    real = batch[settings["task"]["input"]]
    count = len(real)
    generated = networks["generator"](add_noise(batch, settings)["noise"])
    on_real = judged(networks["discriminator"], real)
    on_fake = judged(networks["discriminator"], generated.to(real.dtype))
    losses = {"discriminator": discriminator_loss(on_real, on_fake, loss), "generator": generator_loss(on_fake, loss)}
    made = generated.float()
    metrics = {
        "distance": sliced_distance(made, real),
        "coverage": coverage(made, real),
        "spread": spread_ratio(made, real) if count > 1 else torch.ones(()),
        "real": belief(on_real, loss).mean(),
        "fake": belief(on_fake, loss).mean(),
    }
    return (
        {name: value * count for name, value in losses.items()},
        {name: value * count for name, value in metrics.items()},
        count,
    )


# --- the declarations ----------------------------------------------------------------------------


class BinaryCrossEntropy(Loss):
    """The discriminator tells real (1) from generated (0); the generator wants its samples called real."""

    name = "bce"
    label = "Binary cross entropy"
    help = "The generator lowers −log D(G(z)): it is non-saturating, so it learns also while it is still bad."
    formula = "D: −log D(x) − log(1 − D(G(z)));  G: −log D(G(z))"
    expects_logits = True


class Minimax(Loss):
    """The game as first written: the generator lowers the very number that the discriminator raises."""

    name = "minimax"
    label = "Minimax (saturating)"
    help = "The generator lowers log(1 − D(G(z))); its gradient vanishes while the discriminator wins. Try it, to see why nobody does."
    formula = "min_G max_D  log D(x) + log(1 − D(G(z)))"
    expects_logits = True


class Hinge(Loss):
    """Scores beyond a margin of 1 cost the discriminator nothing (Lim and Ye 2017)."""

    name = "hinge"
    label = "Hinge"
    help = "Samples on the right side of a margin of 1 count no more; stable for pictures."
    formula = "D: max(0, 1 − D(x)) + max(0, 1 + D(G(z)));  G: −D(G(z))"
    expects_logits = True


class Wasserstein(Loss):
    """The discriminator, called critic, estimates how far the generated samples are from the data."""

    name = "wasserstein"
    label = "Wasserstein"
    help = "The critic's score is no probability; it must not be steep, by a penalty or by clipping its weights."
    formula = "D: D(G(z)) − D(x);  G: −D(G(z))"
    expects_logits = True

    constraint: str = setting(
        "gradient penalty",
        choices=("gradient penalty", "weight clipping"),
        help="How the critic is kept from becoming steep. The penalty does not go well with batch normalization in it.",
    )
    penalty: float = setting(10.0, min=0, max=1e6, help="The weight of the gradient penalty (λ).")
    clip: float = setting(0.01, min=1e-6, max=100, help="For weight clipping: the largest weight of the critic.")


SLOTS = ("generator", "discriminator")
WINS, EVEN, COLLAPSED, FEW = 0.95, 0.15, 0.25, 0.35
"""Where the discriminator wins, the game is even, samples are all alike, and too few kinds are made."""


class Generation(Task):
    """New samples like those of the data, from the first field of the data that is not the label."""

    name = "generation"
    label = "Generation (GAN)"
    help = "Make new samples like those of the data: a generator against a discriminator."
    slots = SLOTS
    losses = (BinaryCrossEntropy, Minimax, Hinge, Wasserstein)
    metrics = (
        Metric("distance", "distance to the data", higher_is_better=False, short="distance"),
        Metric("coverage", "coverage", unit="%"),
        Metric("spread", "spread"),
        Metric("real", "D(x)"),
        Metric("fake", "D(G(z))"),
    )
    charts = (
        Chart("Losses", ("loss/discriminator", "loss/generator"), 1.1),
        Chart("What D says", ("metric/real", "metric/fake")),
    )
    looks = (
        Look("clouds", "Samples and D's opinion", {"generated": "sample/generated"}, data=("points",)),
        Look("gallery", "Samples of fixed noise", {"generated": "sample/generated"}, data=("image",)),
        Look("film", "How they came to be", {"generated": "generated"}, data=("image", "points"), width=1.5),
        Look("verdict", "How the game stands", data=("image", "points"), width=0.8),
    )
    film = ("generated",)
    live = 36

    noise: int = setting(
        2, min=1, max=4096, label="noise", help="How many random numbers the generator makes a sample of."
    )
    discriminator_steps: int = setting(
        1,
        min=1,
        max=100,
        label="discriminator steps",
        help="How often the discriminator learns before the generator does.",
    )

    prepare = staticmethod(prepare)
    train_step = staticmethod(train_step)
    evaluate = staticmethod(evaluate)
    complete = staticmethod(add_noise)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        return (("noise", Field((self.noise,), "features")),) if slot == SLOTS[0] else (_made(dataset),)

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        return (_made(dataset)[1].shape,) if slot == SLOTS[0] else ((1,),)

    def reason(self, dataset: Dataset, loss: Loss, slot: str) -> str:
        return "the data, and the discriminator with them," if slot == SLOTS[0] else "one score per sample"

    def followed(self, dataset: Dataset) -> int:
        """More of points, which make a cloud, than of pictures."""
        return 512 if len(_made(dataset)[1].shape) == 1 else self.live

    def constants(self, dataset: Dataset) -> dict[str, Any]:
        return {"input": _made(dataset)[0], "noise_seed": NOISE_SEED}

    def initial_loss(self, dataset: Dataset, loss: Loss) -> float | None:
        """2 ln 2, where the discriminator says 0.5 of everything."""
        return 2 * math.log(2) if loss.name in ("bce", "minimax") else None

    def verdict(self, metrics: dict[str, float], settings: dict[str, Any]) -> tuple[str, str]:
        real, fake, reached = metrics["real"], metrics["fake"], f"{100 * metrics['coverage']:.0f} % of the data"
        says = f"D(x) = {real:.2f}, D(G(z)) = {fake:.2f}"
        known = settings["loss"]["name"] in ("bce", "minimax")  # the discriminator's numbers are probabilities
        alike = metrics["spread"] < COLLAPSED
        if known and real > WINS and fake < 1 - WINS:
            return "bad", (
                f"The discriminator wins ({says}): it is so sure that the generator learns little from it"
                f"{', and its samples stay all alike' if alike else ''}. Give it fewer steps, a smaller learning rate, or "
                "fewer layers; or the generator a larger learning rate."
            )
        if alike:
            return "bad", (
                f"The samples are all alike: they differ {100 * metrics['spread']:.0f} % as much as the data do. At the "
                "start that is usual. If it stays so, the generator has collapsed: try a smaller learning rate, the "
                "Wasserstein loss, or another seed."
            )
        if metrics["coverage"] < FEW:
            return "open", (
                f"The samples reach {reached}: some kinds of samples are not made yet. "
                "If that stays so, it is a mode collapse."
            )
        if known and abs(real - 0.5) < EVEN and abs(fake - 0.5) < EVEN:
            return "good", (
                f"The game is even ({says}): the discriminator can hardly tell samples from data. "
                f"The samples reach {reached}."
            )
        return "open", f"The game goes on ({says}); the samples reach {reached}."

    def answer(
        self,
        networks: dict[str, nn.Module],
        dataset: Dataset,
        settings: dict[str, Any],
        question: dict[str, Any],
    ) -> dict[str, Tensor]:
        """``{"samples": n, "seed": s}`` gives ``generated`` (n, ...) from noise drawn with this seed."""
        if "samples" not in question:
            raise ValueError("A generator can be asked for samples.")
        count = max(1, min(int(question["samples"]), MOST_ASKED))
        generator = torch.Generator().manual_seed(int(question.get("seed", 0)))
        return {"generated": networks[SLOTS[0]](torch.randn(count, self.noise, generator=generator))}

    @staticmethod
    def outputs(
        networks: dict[str, nn.Module],
        inputs: dict[str, tuple[str, ...]],
        batch: dict[str, Tensor],
        settings: dict[str, Any],
    ) -> dict[str, Any]:
        """The generator's samples, and the discriminator's scores of real ones (if any), then of those."""
        generated = networks[SLOTS[0]](batch["noise"])
        real = batch.get(settings["task"]["input"])
        judged = generated if real is None else torch.cat([real, generated.to(real.dtype)])
        return {SLOTS[0]: generated, SLOTS[1]: networks[SLOTS[1]](judged)}

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``generated`` (N, ...) and what the discriminator says of them, ``fake`` (N,), and of the data, ``real`` (N,)."""
        generated, scores = outputs[SLOTS[0]], outputs[SLOTS[1]]
        assert isinstance(generated, Tensor)
        assert isinstance(scores, Tensor)
        said = belief(scores.float().flatten(), settings["loss"])
        found = {"generated": generated, "fake": said[len(said) - len(generated) :]}
        return found | ({"real": said[: len(generated)]} if len(said) == 2 * len(generated) else {})


def _made(dataset: Dataset) -> tuple[str, Field]:
    """The field of the data that is to be made. Raises ValueError when the data has none."""
    for name, found in dataset.fields().items():
        if found.holds in ("image", "features"):
            return name, found
    raise ValueError(f"The data set {dataset.name} has no pictures or points, so it does not suit generation.")
