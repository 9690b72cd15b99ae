"""Classification: one class out of several for every sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks.base import SettingError, Shape, setting
from builder.data.base import Dataset, Field
from builder.tasks.base import Look, Loss, Metric, Task

# --- plain functions, copied into exported scripts -----------------------------------------------


def prepare(splits: dict[str, dict[str, Tensor]], settings: dict[str, Any]) -> dict[str, Any]:
    """Add the weights of the classes, which may depend on how often each one occurs in training."""
    loss, classes = settings["loss"], settings["task"]["classes"]
    match loss.get("class_weights", "none"):
        case "balanced":
            labels = splits["train"][settings["task"]["target"]]
            counts = torch.bincount(labels, minlength=classes).clamp(min=1)
            weight = len(labels) / (classes * counts.float())
        case "custom":
            weight = torch.tensor(loss["custom_weights"], dtype=torch.float32)
        case _:
            weight = None
    return {**settings, "loss": {**loss, "weight": weight}}


def classification_loss(outputs: Tensor, labels: Tensor, loss: dict[str, Any]) -> Tensor:
    """The mean loss of a batch: outputs (N, C), labels (N,)."""
    weight = loss["weight"]
    if weight is not None:
        weight = weight.to(outputs.device)
    match loss["name"]:
        case "multi_margin":
            return F.multi_margin_loss(outputs, labels, p=loss["p"], margin=loss["margin"], weight=weight)
        case "focal":
            logs = F.log_softmax(outputs, dim=1).gather(1, labels[:, None]).squeeze(1)
            return torch.mean(-((1 - logs.exp()) ** loss["gamma"]) * logs)
        case "nll":
            return F.nll_loss(outputs, labels, weight=weight)
        case _:
            return F.cross_entropy(outputs, labels, weight=weight, label_smoothing=loss["label_smoothing"])


def outputs_and_loss(network: nn.Module, batch: dict[str, Tensor], settings: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The first output (N, C) for a batch, and the loss: its own and, weighted, that of each auxiliary head."""
    task, labels = settings["task"], batch[settings["task"]["target"]]
    found = network(batch[task["input"]])
    outputs, *auxiliary = found if isinstance(found, tuple) else (found,)
    outputs = outputs.float()
    loss = classification_loss(outputs, labels, settings["loss"])
    for head in auxiliary:
        loss = loss + task["auxiliary_weight"] * classification_loss(head.float(), labels, settings["loss"])
    return outputs, loss


def train_step(
    networks: dict[str, nn.Module],
    batch: dict[str, Tensor],
    settings: dict[str, Any],
    optimize: Callable[[Tensor, str], None],
) -> tuple[dict[str, float], dict[str, float]]:
    """One step on a batch; returns its loss and accuracy, before the step."""
    labels = batch[settings["task"]["target"]]
    outputs, loss = outputs_and_loss(networks["network"], batch, settings)
    optimize(loss, "network")
    correct = (outputs.argmax(1) == labels).sum().item()
    return {"loss": loss.item()}, {"accuracy": correct / len(labels)}


def evaluate(
    networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """Loss and correct answers summed over a batch, and its size.

    With class weights the batch's loss is its weighted mean times its size. Auxiliary heads count as in
    training, so that the curves can be compared.
    """
    labels = batch[settings["task"]["target"]]
    outputs, loss = outputs_and_loss(networks["network"], batch, settings)
    return {"loss": loss * len(labels)}, {"accuracy": (outputs.argmax(1) == labels).sum()}, len(labels)


# --- the declarations ----------------------------------------------------------------------------

_WEIGHTS = ("none", "balanced", "custom")


class _Weighted(Loss):
    """A loss whose classes can count differently."""

    class_weights: str = setting(
        "none",
        choices=_WEIGHTS,
        label="class weights",
        help="balanced makes rare classes count more: all samples / (classes × samples of the class).",
    )
    custom_weights: tuple[float, ...] = setting(
        (), min=0, label="custom weights", help="One number per class, for custom class weights."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.class_weights == "custom" and not any(self.custom_weights):
            raise SettingError("custom_weights holds no number above 0; give one number per class.")

    def problem(self, dataset: Dataset) -> str | None:
        count = len(self.custom_weights)
        classes = _classes(dataset)
        if self.class_weights == "custom" and count != classes:
            return (
                f"The loss has {count} custom weights, but the data has {classes} classes; give one number per class."
            )
        return None


class CrossEntropy(_Weighted):
    """Softmax and the negative log of the right class's probability (torch.nn.CrossEntropyLoss)."""

    name = "cross_entropy"
    label = "Cross entropy"
    help = "The usual loss of classification: minus the log of the probability given to the right class."
    formula = "−log( exp(z_y) / Σ exp(z_j) )"
    expects_logits = True

    label_smoothing: float = setting(
        0.0, min=0, max=1, label="label smoothing", help="The part of the target that is spread over all classes."
    )


class MultiMargin(_Weighted):
    """Multi-class hinge loss (torch.nn.MultiMarginLoss)."""

    name = "multi_margin"
    label = "Multi-class hinge"
    help = "Wants the right class's score to beat every other by a margin, as a support vector machine does."
    formula = "Σ_{j≠y} max(0, margin − z_y + z_j)^p / C"

    p: int = setting(1, choices=(1, 2), help="The power of each violation.")
    margin: float = setting(1.0, min=0, help="By how much the right class's score should lead.")


class Focal(Loss):
    """Focal loss: cross entropy that lets well-classified samples count less."""

    name = "focal"
    label = "Focal loss"
    help = "Cross entropy that pays less attention to samples which are already right (Lin et al. 2017)."
    formula = "−(1 − p_y)^γ · log p_y"
    expects_logits = True

    gamma: float = setting(2.0, min=0, max=20, help="How much less; 0 gives cross entropy.")


class NLL(_Weighted):
    """Negative log likelihood (torch.nn.NLLLoss) of a network that ends in LogSoftmax."""

    name = "nll"
    label = "Negative log likelihood"
    help = "For a network whose last layer is LogSoftmax; otherwise take cross entropy, which includes it."
    formula = "−z_y"


class Classification(Task):
    """One class out of several for every sample, from the first field of the data that is not the label."""

    name = "classification"
    label = "Classification"
    help = "Tell which of several classes a sample belongs to."
    losses = (CrossEntropy, MultiMargin, Focal, NLL)
    metrics = (Metric("accuracy", "accuracy", unit="%"),)
    looks = (
        Look("confusion", "Confusion matrix", {"matrix": "total/confusion"}, width=1.3),
        Look(
            "predictions",
            "Predictions on samples",
            {name: f"sample/{name}" for name in ("prediction", "label", "probability", "loss")},
            width=1.5,
        ),
        Look("own_picture", "Your own", {"probability": "probability"}, data=("image",), width=1.25),
        Look("surface", "Decision border", data=("points",), width=1.25),
    )

    auxiliary_weight: float = setting(
        0.3,
        min=0,
        max=100,
        label="auxiliary weight",
        help="How much each further output counts in the loss; the first one alone gives the answer.",
    )

    prepare = staticmethod(prepare)
    train_step = staticmethod(train_step)
    evaluate = staticmethod(evaluate)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        target = _target(dataset)
        return tuple((name, f) for name, f in dataset.fields().items() if name != target)[:1]

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        return ((_classes(dataset),),)

    def auxiliary(self) -> float | None:
        return self.auxiliary_weight

    def constants(self, dataset: Dataset) -> dict[str, Any]:
        return {
            "input": self.inputs(dataset, "network")[0][0],
            "target": _target(dataset),
            "classes": _classes(dataset),
        }

    def initial_loss(self, dataset: Dataset, loss: Loss) -> float | None:
        """ln C, what equal probabilities for all C classes give: with label smoothing too, not with weights."""
        if isinstance(loss, CrossEntropy | NLL) and loss.class_weights == "none":
            return math.log(_classes(dataset))
        return None

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``probability`` (N, C) and ``prediction`` (N,); with targets also ``label`` and each sample's ``loss``."""
        scores = _scores(outputs)
        found = {"probability": torch.softmax(scores, dim=1), "prediction": scores.argmax(1)}
        target = settings["task"]["target"]
        if target in batch:
            labels = batch[target]
            found["label"] = labels
            found["loss"] = F.cross_entropy(scores, labels, reduction="none")
        return found

    @staticmethod
    def totals(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``confusion`` (C, C): how many samples of the row's class were taken for the column's."""
        classes, target = settings["task"]["classes"], settings["task"]["target"]
        if target not in batch:
            return {}
        pairs = batch[target] * classes + _scores(outputs).argmax(1)
        return {"confusion": torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)}


def _scores(outputs: dict[str, Tensor | tuple[Tensor, ...]]) -> Tensor:
    scores = outputs["network"]
    return (scores if isinstance(scores, Tensor) else scores[0]).float()


def _target(dataset: Dataset) -> str:
    """The field that holds the class. Raises ValueError when the data has none."""
    for name, found in dataset.fields().items():
        if found.holds == "class":
            return name
    raise ValueError(f"The data set {dataset.name} has no classes, so it does not suit classification.")


def _classes(dataset: Dataset) -> int:
    size = dataset.fields()[_target(dataset)].size
    if size is None:
        raise ValueError(f"The data set {dataset.name} does not say how many classes it has.")
    return size
