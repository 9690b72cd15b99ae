"""Reconstruction: autoencoders, which give back what they were given, through a narrow middle."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks.base import Shape, setting
from builder import data
from builder.data.base import Dataset, Field, Splits
from builder.tasks.base import Look, Loss, Metric, Task

MOST_ENCODED = 2000
MOST_DECODED = 256

# --- plain functions, copied into exported scripts -----------------------------------------------


def prepare(splits: dict[str, dict[str, Tensor]], settings: dict[str, Any]) -> dict[str, Any]:
    """Nothing needs to be read from the data."""
    return settings


def noisy(values: Tensor, std: float, generator: torch.Generator | None = None) -> Tensor:
    """Values with Gaussian noise added, drawn on the CPU so that every device sees the same."""
    if std == 0:
        return values
    return values + std * torch.randn(values.shape, generator=generator).to(values.device)


def divergence(code: Tensor) -> Tensor:
    """The Kullback-Leibler divergence of N(mean, e^logvar) from N(0, 1), a mean over samples.

    `code` is (N, 2·d): d means, then d logarithms of variances (Kingma and Welling 2014, appendix B).
    """
    mean, logvar = code.flatten(1).float().chunk(2, dim=1)
    return 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum(1).mean()


def reconstruct(
    network: nn.Module, batch: dict[str, Tensor], settings: dict[str, Any], generator: torch.Generator | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """What the network makes of a batch (with noise added), and its losses against the batch without it.

    A network with a second output is variational: that output is a code (see `divergence`), which is to
    be near the normal distribution. The divergence counts as much as in the evidence lower bound, as
    the other loss is a mean over values.
    """
    task, loss = settings["task"], settings["loss"]
    values = batch[task["input"]]
    found = network(noisy(values, task["noise"], generator))
    made, *code = found if isinstance(found, tuple) else (found,)
    made = made.float()
    if loss["name"] == "bce":
        losses = {"loss": F.binary_cross_entropy(made.clamp(0, 1), values)}
    else:
        losses = {"loss": F.mse_loss(made, values)}
    if code:
        losses["divergence"] = task["beta"] * divergence(code[0]) / values[0].numel()
    return made, losses


def train_step(
    networks: dict[str, nn.Module],
    batch: dict[str, Tensor],
    settings: dict[str, Any],
    optimize: Callable[[Tensor, str], None],
) -> tuple[dict[str, float], dict[str, float]]:
    """One step on a batch; returns its losses and the mean squared error, before the step."""
    made, losses = reconstruct(networks["network"], batch, settings, None)
    optimize(torch.stack(list(losses.values())).sum(), "network")
    error = F.mse_loss(made.detach(), batch[settings["task"]["input"]])
    return {name: value.item() for name, value in losses.items()}, {"mse": error.item()}


def evaluate(
    networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """Losses and squared error summed over a batch, and its size; the noise is the same every time."""
    values = batch[settings["task"]["input"]]
    generator = torch.Generator().manual_seed(len(values))
    made, losses = reconstruct(networks["network"], batch, settings, generator)
    error = F.mse_loss(made, values)
    count = len(values)
    return {name: value * count for name, value in losses.items()}, {"mse": error * count}, count


# --- declarations --------------------------------------------------------------------------------


class SquaredError(Loss):
    """Mean squared error over all values (torch.nn.MSELoss)."""

    name = "mse"
    label = "Squared error"
    help = "The mean of the squared differences: large mistakes count most, and what is uncertain becomes blurred."
    formula = "mean (x̂ − x)²"


class ValueBCE(Loss):
    """Binary cross entropy of every value, which must lie from 0 to 1 (torch.nn.BCELoss)."""

    name = "bce"
    label = "BCE"
    help = "Reads every value from 0 to 1 as a probability of being light; for networks that end in a Sigmoid."
    formula = "−[ x·log x̂ + (1 − x)·log(1 − x̂) ], mean over the values"

    def problem(self, dataset: Dataset) -> str | None:
        given = next(iter(dataset.fields().values()))
        normalization = dataset.to_settings().get("normalization", "none")
        if given.holds != "image" or normalization != "none":
            return (
                f"BCE needs values from 0 to 1, but {dataset.label} gives others (normalization is {normalization!r}). "
                "Set the normalization of the data to none, or use the squared error."
            )
        return None


class Reconstruction(Task):
    """Give back the input. A second output makes the autoencoder variational."""

    name = "reconstruction"
    label = "Reconstruction"
    help = "Give back what came in, through a narrow middle that has to keep what matters."
    losses = (SquaredError, ValueBCE)
    metrics = (Metric("mse", "squared error", higher_is_better=False, short="MSE"),)
    looks = (
        Look(
            "reconstructions",
            "Originals and reconstructions",
            {"original": "sample/original", "given": "sample/given", "made": "sample/made"},
            width=1.5,
        ),
        Look("latent_map", "Latent space", width=2),
    )
    live = 12

    noise: float = setting(
        0.0, min=0, max=10, help="Standard deviation of noise that is added to what goes in, not to what must come out."
    )
    beta: float = setting(
        1.0,
        min=0,
        max=1000,
        help="For variational autoencoders: how much the code's distance from a normal distribution counts.",
    )
    latent: str = setting(
        "",
        label="latent block",
        help="The block whose output is the code; empty takes the one with the fewest numbers.",
    )

    prepare = staticmethod(prepare)
    train_step = staticmethod(train_step)
    evaluate = staticmethod(evaluate)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        return tuple(dataset.fields().items())[:1]

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        return (self.inputs(dataset, slot)[0][1].shape,)

    def all_output_shapes(self, dataset: Dataset, loss: Loss, slot: str, count: int) -> tuple[Shape | None, ...]:
        """A second output is the code of a variational autoencoder, of any length."""
        shapes = self.output_shapes(dataset, loss, slot)
        return (*shapes, None) if count == 2 else shapes

    def reason(self, dataset: Dataset, loss: Loss, slot: str) -> str:
        return "the originals"

    def constants(self, dataset: Dataset) -> dict[str, Any]:
        return {"input": self.inputs(dataset, "network")[0][0]}

    @staticmethod
    def outputs(
        networks: dict[str, nn.Module],
        inputs: dict[str, tuple[str, ...]],
        batch: dict[str, Tensor],
        settings: dict[str, Any],
    ) -> dict[str, Any]:
        """What the network makes of the noisy input, as in an evaluation of these samples."""
        values = batch[settings["task"]["input"]]
        generator = torch.Generator().manual_seed(len(values))
        return {"network": networks["network"](noisy(values, settings["task"]["noise"], generator))}

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``original``, ``given`` (only where noise is added) and ``made``, each as the data's first field."""
        found = outputs["network"]
        made = found if isinstance(found, Tensor) else found[0]
        values, std = batch[settings["task"]["input"]], settings["task"]["noise"]
        results = {"original": values, "made": made.float()}
        if std:
            results["given"] = noisy(values, std, torch.Generator().manual_seed(len(values)))
        return results

    def answer(
        self,
        networks: dict[str, nn.Module],
        dataset: Dataset,
        settings: dict[str, Any],
        question: dict[str, Any],
    ) -> dict[str, Tensor]:
        """The codes of validation samples, samples decoded from codes, or a walk from one sample to another.

        ``{"encode": n}`` gives ``code`` (n, d) and, where there are classes, ``label`` (n,); ``{"decode": [[...], ...]}`` gives
        ``made``; ``{"walk": [i, j], "steps": n}`` gives ``made`` from one validation sample to another.
        """
        network, batch = networks["network"], _validation(dataset)
        name = settings["task"]["input"]
        latent = _find_latent(network, batch[name][:2], self.latent)
        if "encode" in question:
            count = min(int(question["encode"]), MOST_ENCODED, len(batch[name]))
            found = {"code": _encode(network, latent, batch[name][:count])}
            label = next((n for n, f in dataset.fields().items() if f.holds == "class"), None)
            return found if label is None else {**found, "label": batch[label][:count]}
        if "decode" in question:
            codes = torch.tensor(question["decode"], dtype=torch.float32)
            return {"made": _decode(network, latent, batch[name][:1], codes)}
        if "walk" in question:
            ends = [int(i) for i in question["walk"]]
            if len(ends) != 2 or not all(0 <= i < len(batch[name]) for i in ends):
                raise ValueError(f"There are {len(batch[name]):,} validation samples; name two of them, from 0.")
            first, last = _encode(network, latent, batch[name][torch.tensor(ends)])
            share = torch.linspace(0, 1, max(2, min(int(question.get("steps", 8)), MOST_DECODED)))[:, None]
            return {"made": _decode(network, latent, batch[name][:1], first + share * (last - first))}
        raise ValueError("An autoencoder can encode, decode, or walk from one sample to another.")


@functools.lru_cache(maxsize=1)
def _loaded(dataset: Dataset) -> Splits:
    return data.load(dataset)


def _validation(dataset: Dataset) -> dict[str, Tensor]:
    """The first validation samples as the network takes them."""
    splits = _loaded(dataset)
    split = splits.get("validation") or next(iter(splits.values()))
    count = min(MOST_ENCODED, len(next(iter(split.values()))))
    return dataset.make_batch(split, torch.arange(count), dataset.to_settings())


def _find_latent(network: nn.Module, values: Tensor, name: str) -> nn.Module:
    """The module of the block called `name`; without a name, the one that gives the fewest numbers a sample.

    Raises ValueError with a sentence when there is no such block.
    """
    modules = dict(network.named_modules())
    modules.pop("")
    if name:
        if name not in modules:
            raise ValueError(f"The network has no block called {name!r}; set the latent block in Loss & optimizer.")
        return network.get_submodule(name)
    sizes: list[tuple[int, nn.Module]] = []

    def note(module: nn.Module, arguments: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            sizes.append((math.prod(output.shape[1:]), module))

    handles = [module.register_forward_hook(note) for module in modules.values() if not list(module.children())]
    try:
        network(values)
    finally:
        for handle in handles:
            handle.remove()
    if not sizes:
        raise ValueError("The network has no block whose output could be a code.")
    return min(sizes, key=lambda item: item[0])[1]


def _encode(network: nn.Module, latent: nn.Module, values: Tensor) -> Tensor:
    """The codes (N, d) of samples."""
    found: list[Tensor] = []
    handle = latent.register_forward_hook(lambda module, arguments, output: found.append(output.flatten(1)))
    try:
        for part in torch.split(values, 256):
            network(part)
    finally:
        handle.remove()
    return torch.cat(found)


def _decode(network: nn.Module, latent: nn.Module, like: Tensor, codes: Tensor) -> Tensor:
    """What the network makes of codes (N, d): they take the place of what the latent block gives.

    What is before that block runs on `like`, one sample, and is forgotten. Raises ValueError with a
    sentence when the codes have another length.
    """
    size = _encode(network, latent, like).shape[1]
    if codes.dim() != 2 or codes.shape[1] != size or not 0 < len(codes) <= MOST_DECODED:
        raise ValueError(f"Give 1 to {MOST_DECODED} codes of {size} numbers each.")
    handle = latent.register_forward_hook(
        lambda module, arguments, output: codes.reshape(len(codes), *output.shape[1:])
    )
    try:
        found = network(like.expand(len(codes), *like.shape[1:]))
    finally:
        handle.remove()
    made: Tensor = found if isinstance(found, Tensor) else found[0]
    return made
