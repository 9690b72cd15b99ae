"""Losses of how far numbers are off, for tasks that guess numbers: squared, absolute, and Huber's."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from blocks.base import setting
from builder.tasks.base import Loss

# --- plain functions, copied into exported scripts -----------------------------------------------


def difference_loss(found: Tensor, target: Tensor, loss: dict[str, Any]) -> Tensor:
    """The mean loss of numbers against their targets, of one shape, both on the scale of the training targets."""
    match loss["name"]:
        case "mae":
            return F.l1_loss(found, target)
        case "huber":
            return F.huber_loss(found, target, delta=loss["delta"])
        case _:
            return F.mse_loss(found, target)


# --- declarations --------------------------------------------------------------------------------


class MeanSquared(Loss):
    """Mean squared error (torch.nn.MSELoss)."""

    name = "mse"
    label = "Squared error"
    help = "The square of how far each number is off, in deviations of the target; large mistakes count most."
    formula = "(ŷ − y)²"


class MeanAbsolute(Loss):
    """Mean absolute error (torch.nn.L1Loss)."""

    name = "mae"
    label = "Absolute error"
    help = "How far each number is off; less shaken by single wild values."
    formula = "|ŷ − y|"


class Huber(Loss):
    """Huber's loss (torch.nn.HuberLoss)."""

    name = "huber"
    label = "Huber"
    help = "Squared for small mistakes, absolute for large ones."
    formula = "½(ŷ − y)² if |ŷ − y| < δ, else δ(|ŷ − y| − δ/2)"

    delta: float = setting(1.0, min=1e-6, max=1000, help="Where small mistakes end, in deviations of the target.")


DIFFERENCES: tuple[type[Loss], ...] = (MeanSquared, MeanAbsolute, Huber)
