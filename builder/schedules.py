"""How the learning rate moves over a training: a plain function of the step."""

from __future__ import annotations

import math
from typing import Any

SCHEDULES = ("constant", "step", "exponential", "cosine", "one_cycle")


def learning_rate_factor(step: int, steps: int, settings: dict[str, Any]) -> float:
    """What the learning rate is multiplied by in `step` (counted from 0) of `steps`.

    The curves are those of torch.optim.lr_scheduler (StepLR and ExponentialLR by epoch,
    CosineAnnealingLR by step, OneCycleLR with its default fractions); a linear warm-up is
    multiplied onto its first `warmup` steps.
    """
    epoch = step * settings["epochs"] // max(1, steps)
    match settings["schedule"]:
        case "step":
            factor = settings["gamma"] ** (epoch // settings["step_epochs"])
        case "exponential":
            factor = settings["gamma"] ** epoch
        case "cosine":
            factor = (1 + math.cos(math.pi * step / steps)) / 2
        case "one_cycle":
            # Up from 1/25 of the rate in the first 30% of the steps, then down to 1/250,000.
            peak = max(0.3 * steps - 1, 1e-9)
            if step <= peak:
                factor = 1 + (1 / 25 - 1) / 2 * (1 + math.cos(math.pi * step / peak))
            else:
                rest = (step - peak) / max(steps - 1 - peak, 1e-9)
                factor = 1 / 250_000 + (1 - 1 / 250_000) / 2 * (1 + math.cos(math.pi * rest))
        case _:
            factor = 1.0
    if step < settings["warmup"]:
        factor *= (step + 1) / settings["warmup"]
    return float(factor)
