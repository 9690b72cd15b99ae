"""Language modelling: the next character from those before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks.base import Shape, setting
from builder.data.base import Dataset, Field
from builder.tasks.base import Look, Loss, Metric, Task

# --- plain functions, copied into exported scripts -----------------------------------------------


def next_losses(scores: Tensor, batch: dict[str, Tensor], settings: dict[str, Any]) -> Tensor:
    """The loss of every character (N, T) of scores (N, T, C)."""
    target = batch[settings["task"]["target"]]
    smoothing = settings["loss"]["label_smoothing"]
    losses = F.cross_entropy(
        scores.float().flatten(0, 1), target.flatten(), reduction="none", label_smoothing=smoothing
    )
    return losses.reshape(target.shape)


def train_step(
    networks: dict[str, nn.Module],
    batch: dict[str, Tensor],
    settings: dict[str, Any],
    optimize: Callable[[Tensor, str], None],
) -> tuple[dict[str, float], dict[str, float]]:
    """One step on a batch of windows; returns the mean loss of a character, in nats."""
    scores = networks["network"](batch[settings["task"]["input"]])
    loss = next_losses(scores, batch, settings).mean()
    optimize(loss, "network")
    right = (scores.argmax(2) == batch[settings["task"]["target"]]).float().mean().item()
    return {"loss": loss.item()}, {"accuracy": right}


def evaluate(
    networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """Loss and right answers summed over all characters of a batch, and their number."""
    scores = networks["network"](batch[settings["task"]["input"]])
    losses = next_losses(scores, batch, settings)
    right = (scores.argmax(2) == batch[settings["task"]["target"]]).sum()
    return {"loss": losses.sum()}, {"accuracy": right}, losses.numel()


def continue_text(
    network: nn.Module, tokens: list[int], count: int, length: int, temperature: float, generator: torch.Generator
) -> list[int]:
    """`count` tokens drawn one after the other, each from softmax(scores / temperature); 0 takes the likeliest.

    The network always sees a window of `length` tokens: the last ones, or all with padding behind them, which
    a network that reads from left to right does not see.
    """
    found = list(tokens)
    for _ in range(count):
        seen = found[-length:]
        window = torch.tensor([seen + [0] * (length - len(seen))])
        scores = network(window)[0, len(seen) - 1].float()
        if temperature > 0:
            chances = torch.softmax(scores / temperature, 0)
            found.append(int(torch.multinomial(chances, 1, generator=generator)))
        else:
            found.append(int(scores.argmax()))
    return found[len(tokens) :]


# --- the declarations ----------------------------------------------------------------------------

MAX_GENERATED = 2000


class NextCrossEntropy(Loss):
    """Cross entropy of the next token at every step (torch.nn.CrossEntropyLoss)."""

    name = "cross_entropy"
    label = "Cross entropy"
    help = "Minus the log of the chance given to the character that comes next, over all steps; in nats."
    formula = "−(1/T) Σ_t log p(x[t+1] | x[1..t])"
    expects_logits = True

    label_smoothing: float = setting(
        0.0, min=0, max=1, label="label smoothing", help="The part of the target that is spread over all characters."
    )


class LanguageModelling(Task):
    """The next character at every step of a text."""

    name = "language_modelling"
    label = "Language modelling"
    help = "Tell at every step which character comes next, and so learn to write."
    losses = (NextCrossEntropy,)
    metrics = (Metric("accuracy", "next character right", unit="%"),)
    best_by_loss = True
    live = 1
    looks = (
        Look(
            "writing",
            "The network writes",
            help="Each character is drawn from what the network expects, then read by it in turn.",
            width=1.4,
        ),
        Look(
            "surprise",
            "How well it expects a text",
            {"token": "sample/token", "chance": "sample/chance"},
            help="The darker a character, the less the network expected it.",
            width=1.4,
        ),
    )

    train_step = staticmethod(train_step)
    evaluate = staticmethod(evaluate)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        return tuple(dataset.fields().items())[:1]

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        field = self.inputs(dataset, slot)[0][1]
        return ((*field.shape, field.size or 0),)

    def constants(self, dataset: Dataset) -> dict[str, Any]:
        first, second = list(dataset.fields())[:2]
        return {"input": first, "target": second}

    def initial_loss(self, dataset: Dataset, loss: Loss) -> float | None:
        """ln C, what equal chances for all C characters give."""
        return math.log(self.inputs(dataset, "network")[0][1].size or 1)

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``token`` (N, T), the characters to be told, and ``chance`` (N, T), what the network gave each."""
        scores, target = outputs["network"], settings["task"]["target"]
        if target not in batch or not isinstance(scores, Tensor):
            return {}
        chances = torch.softmax(scores.float(), 2).gather(2, batch[target].unsqueeze(2)).squeeze(2)
        return {"token": batch[target], "chance": chances}

    def answer(
        self,
        networks: dict[str, nn.Module],
        dataset: Dataset,
        settings: dict[str, Any],
        question: dict[str, Any],
    ) -> dict[str, Tensor]:
        """``{"prompt": text, "temperature": 0.8, "count": 200, "seed": 0}``: the text goes on, as ``token`` (count,)."""
        numbers = {name: i for i, name in enumerate(dataset.token_names())}
        prompt = [numbers[letter] for letter in str(question.get("prompt", "")) if letter in numbers]
        temperature = float(question.get("temperature", 0.8))
        if not math.isfinite(temperature) or temperature < 0:
            raise ValueError(f"The temperature is {temperature}; it must be 0 or more.")
        count = max(0, min(int(question.get("count", 200)), MAX_GENERATED))
        length = self.inputs(dataset, "network")[0][1].shape[0]
        generator = torch.Generator().manual_seed(int(question.get("seed", 0)))
        start = prompt or [numbers.get("\n", 0)]
        return {"token": torch.tensor(continue_text(networks["network"], start, count, length, temperature, generator))}
