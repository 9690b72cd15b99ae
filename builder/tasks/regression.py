"""Regression: a number from a row of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.linalg import vector_norm

from blocks.base import Shape
from builder.data.base import Dataset, Field
from builder.tasks.base import Look, Loss, Metric, Task
from builder.tasks.differences import DIFFERENCES, difference_loss

# --- plain functions, copied into exported scripts -----------------------------------------------


def prepare(splits: dict[str, dict[str, Tensor]], settings: dict[str, Any]) -> dict[str, Any]:
    """Add the mean and the deviation of the training targets: the network guesses on their scale."""
    target = splits["train"][settings["task"]["target"]].float()
    std = target.std(correction=0).item() or 1.0
    return {**settings, "task": {**settings["task"], "mean": target.mean().item(), "std": std}}


def loss_and_pairs(
    network: nn.Module, batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss, and beside it "guess" and "truth", (N, 1) each, as the loss takes them: in deviations of the target."""
    task = settings["task"]
    guess = network(batch[task["input"]]).float()
    truth = (batch[task["target"]] - task["mean"]) / task["std"]
    return difference_loss(guess, truth, settings["loss"]), {"guess": guess.detach(), "truth": truth}


def train_step(
    networks: dict[str, nn.Module],
    batch: dict[str, Tensor],
    settings: dict[str, Any],
    optimize: Callable[[Tensor, str], None],
) -> tuple[dict[str, float], dict[str, float]]:
    """One step on a batch; returns its loss and metrics, before the step."""
    loss, pairs = loss_and_pairs(networks["network"], batch, settings)
    optimize(loss, "network")
    return {"loss": loss.item()}, regression_score(pairs, settings)


def evaluate(
    networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """The loss summed over a batch, guesses and truths for `regression_score`, and the batch's size."""
    loss, pairs = loss_and_pairs(networks["network"], batch, settings)
    count = len(pairs["truth"])
    return {"loss": loss * count}, pairs, count


def regression_score(rows: dict[str, Tensor], settings: dict[str, Any]) -> dict[str, float]:
    """The mean absolute error in the data's units, and R²: 1 is right, 0 no better than the mean of these samples."""
    guess, truth = rows["guess"].double(), rows["truth"].double()
    off = guess - truth
    spread = vector_norm(truth - truth.mean()).item()
    r2 = 1 - (vector_norm(off).item() / spread) ** 2 if spread > 0 else 0.0
    return {"mae": vector_norm(off, 1).item() / len(off) * settings["task"]["std"], "r2": r2}


# --- declarations --------------------------------------------------------------------------------


class Regression(Task):
    """A number for every row of a table. The network guesses it in deviations from the training mean."""

    name = "regression"
    label = "Regression"
    help = "Guess a number from the other columns of a table."
    losses = DIFFERENCES
    metrics = (
        Metric("mae", "mean absolute error", higher_is_better=False, short="MAE"),
        Metric("r2", "R²"),
    )
    looks = (
        Look(
            "predicted_true",
            "Predicted against true",
            {"guess": "sample/guess", "truth": "sample/truth"},
            help="Every validation sample is a point; on the diagonal the guess is right.",
        ),
    )
    live = 500

    prepare = staticmethod(prepare)
    train_step = staticmethod(train_step)
    evaluate = staticmethod(evaluate)
    score = staticmethod(regression_score)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        return tuple((name, f) for name, f in dataset.fields().items() if f.holds != "target")[:1]

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        return (_target(dataset)[1].shape,)

    def reason(self, dataset: Dataset, loss: Loss, slot: str) -> str:
        return "the numbers to be guessed"

    def constants(self, dataset: Dataset) -> dict[str, Any]:
        return {"input": self.inputs(dataset, "network")[0][0], "target": _target(dataset)[0]}

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``guess`` (N,) in the data's units; with targets also ``truth`` (N,)."""
        found, task = outputs["network"], settings["task"]
        assert isinstance(found, Tensor)
        results = {"guess": found[:, 0].float() * task.get("std", 1.0) + task.get("mean", 0.0)}
        if task["target"] in batch:
            results["truth"] = batch[task["target"]][:, 0]
        return results


def _target(dataset: Dataset) -> tuple[str, Field]:
    """The field to be guessed. Raises ValueError when the data has none."""
    for name, found in dataset.fields().items():
        if found.holds == "target":
            return name, found
    raise ValueError(f"The data set {dataset.name} has no number to be guessed, so it does not suit regression.")
