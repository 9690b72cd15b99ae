"""Forecasting: the next steps of a series from those before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from blocks.base import Shape, setting
from builder.data.base import Dataset, Field
from builder.tasks.base import Look, Loss, Metric, Task
from builder.tasks.differences import DIFFERENCES, difference_loss

# --- plain functions, copied into exported scripts -----------------------------------------------


def prepare(splits: dict[str, dict[str, Tensor]], settings: dict[str, Any]) -> dict[str, Any]:
    """Add the ``mean`` and ``std`` that bring values back to the units of the series."""
    scale = {name: float(values) for name, values in splits.get("scale", {}).items()}
    return {**settings, "task": {"mean": 0.0, "std": 1.0, **settings["task"], **scale}}


def forecast(answer: Tensor, past: Tensor, task: dict[str, Any]) -> Tensor:
    """The values (N, H) that a network's answer means: as they are, or added to the last value of the past."""
    return answer.float() + naive_forecast(past, answer.shape[1]) if task["predict"] == "change" else answer.float()


def naive_forecast(past: Tensor, horizon: int) -> Tensor:
    """Everything stays as it was last: (N, T, 1) to (N, horizon)."""
    return past[:, -1].expand(-1, horizon)


def train_step(
    networks: dict[str, nn.Module],
    batch: dict[str, Tensor],
    settings: dict[str, Any],
    optimize: Callable[[Tensor, str], None],
) -> tuple[dict[str, float], dict[str, float]]:
    """One step on a batch of windows; the metric is the mean error in the units of the series."""
    found = forecast(networks["network"](batch["past"]), batch["past"], settings["task"])
    loss = difference_loss(found, batch["next"], settings["loss"])
    optimize(loss, "network")
    error = (found.detach() - batch["next"]).abs().mean().item() * settings["task"]["std"]
    return {"loss": loss.item()}, {"mae": error}


def evaluate(
    networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """The loss summed over a batch; the absolute errors of the network and of the naive forecast as rows."""
    found = forecast(networks["network"](batch["past"]), batch["past"], settings["task"])
    target, std = batch["next"], settings["task"]["std"]
    errors = {
        "error": (found - target).abs().mean(1) * std,
        "naive_error": (naive_forecast(batch["past"], target.shape[1]) - target).abs().mean(1) * std,
    }
    return {"loss": difference_loss(found, target, settings["loss"]) * len(target)}, errors, len(target)


def score(rows: dict[str, Tensor], settings: dict[str, Any]) -> dict[str, float]:
    """Mean absolute errors, and the network's as a part of the naive forecast's."""
    error, naive = float(rows["error"].mean()), float(rows["naive_error"].mean())
    return {"mae": error, "naive_mae": naive, "of_naive": error / max(naive, 1e-12)}


# --- the declarations ----------------------------------------------------------------------------


class Forecasting(Task):
    """The next steps of a series."""

    name = "forecasting"
    label = "Forecasting"
    help = "Tell how a series goes on."
    losses = DIFFERENCES
    metrics = (
        Metric("mae", "mean absolute error", higher_is_better=False, short="MAE"),
        Metric("naive_mae", "error of the naive forecast", higher_is_better=False, short="naive MAE"),
        Metric("of_naive", "error as a part of the naive one's", higher_is_better=False, short="MAE / naive MAE"),
    )
    live = 200
    looks = (
        Look(
            "forecast",
            "Forecast over the truth",
            {name: f"sample/{name}" for name in ("forecast", "truth", "naive")},
            help="The naive forecast says that everything stays as it is; a network should do better.",
        ),
    )

    predict: str = setting(
        "change",
        choices=("change", "value"),
        help="whether the network tells the change from the last value seen, or the values themselves",
    )

    prepare = staticmethod(prepare)
    train_step = staticmethod(train_step)
    evaluate = staticmethod(evaluate)
    score = staticmethod(score)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        return (("past", dataset.fields()["past"]),)

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        return (dataset.fields()["next"].shape,)

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``forecast``, ``naive`` and ``truth`` (N, H), in the units of the series."""
        answer, past, task = outputs["network"], batch["past"], settings["task"]
        assert isinstance(answer, Tensor)
        mean, std = task.get("mean", 0.0), task.get("std", 1.0)
        found = {"forecast": forecast(answer, past, task), "naive": naive_forecast(past, answer.shape[1])}
        if "next" in batch:
            found["truth"] = batch["next"]
        return {name: values * std + mean for name, values in found.items()}
