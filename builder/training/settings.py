"""The settings of a training, as they stand under "training" in a project's file."""

from __future__ import annotations

from blocks.base import Declared, setting
from builder.initialization import INITIALIZATIONS
from builder.schedules import SCHEDULES


class TrainingSettings(Declared):
    """How long, how fast and where a project is trained."""

    label = "Training"

    epochs: int = setting(10, min=1, max=100_000, label="epochs", help="How often every training sample is seen.")
    batch_size: int = setting(
        64, min=1, max=1_000_000, label="batch size", help="How many samples make one step of the optimizer."
    )
    schedule: str = setting("constant", choices=SCHEDULES, help="How the learning rate moves over the training.")
    step_epochs: int = setting(
        10,
        min=1,
        max=100_000,
        label="step every",
        unit="epochs",
        help="For the step schedule: after how many epochs the learning rate is multiplied by gamma.",
    )
    gamma: float = setting(
        0.1, min=0, max=1, help="For the step and exponential schedules: what the learning rate is multiplied by."
    )
    warmup: int = setting(
        0,
        min=0,
        max=1_000_000,
        label="warm-up",
        unit="steps",
        help="In how many steps the learning rate rises to full.",
    )
    clip_norm: float = setting(
        0.0, min=0, label="clip gradients at", help="The largest norm of all gradients together; 0 leaves them alone."
    )
    patience: int = setting(
        0,
        min=0,
        max=100_000,
        unit="epochs",
        help="Stop early after so many epochs without a better validation score; 0 trains all epochs.",
    )
    evaluation_batch: int = setting(
        0,
        min=0,
        max=1_000_000,
        label="evaluation batch",
        help="Samples at a time in validation; 0 takes the batch size.",
    )
    seed: int = setting(0, min=0, max=2**31 - 1, help="The start of all random numbers; the same seed, the same curve.")
    initialization: str = setting(
        "default",
        choices=INITIALIZATIONS,
        label="initial weights",
        help="How weights are drawn: PyTorch's way for each layer, one of theory, or the way of a paper's network.",
    )
    initialization_std: float = setting(
        0.01, min=0, max=10, label="initial deviation", help="For normal initial weights: their standard deviation."
    )
    device: str = setting(
        "auto",
        choices=("auto", "cpu", "cuda", "mps"),
        help="Where to compute; auto takes a graphics card if there is one.",
    )
    threads: int = setting(
        1,
        min=1,
        max=1024,
        help="Processor threads of the training; more only help where cores are idle. They change the last digits.",
    )
    precision: str = setting(
        "float32",
        choices=("float32", "bfloat16"),
        help="bfloat16 halves memory traffic and is faster on hardware made for it, at fewer digits.",
    )
    channels_last: bool = setting(
        False,
        label="channels last",
        help="Keep pictures with their channels last in memory; often faster for convolutions.",
    )
