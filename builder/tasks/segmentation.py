"""Segmentation: a class for every pixel of a picture."""

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


def prepare(splits: dict[str, dict[str, Tensor]], settings: dict[str, Any]) -> dict[str, Any]:
    """Nothing needs to be read from the data."""
    return settings


def central(masks: Tensor, like: Tensor) -> Tensor:
    """The middle of masks (N, H, W), as large as what unpadded convolutions left of `like` (N, C, h, w)."""
    height, width = like.shape[2:]
    top, left = (masks.shape[1] - height) // 2, (masks.shape[2] - width) // 2
    return masks[:, top : top + height, left : left + width]


def dice_loss(shares: Tensor, truth: Tensor, smooth: float) -> Tensor:
    """1 − Dice of soft masks: shares from 0 to 1 and truth of 0 and 1, (N, K, H, W).

    Overlap and sizes are summed over the batch for each of the K classes, and the classes averaged
    (Milletari et al. 2016, with sizes in place of squares).
    """
    over = (0, 2, 3)
    overlap, sizes = (shares * truth).sum(over), shares.sum(over) + truth.sum(over)
    return 1 - ((2 * overlap + smooth) / (sizes + smooth)).mean()


def segmentation_loss(scores: Tensor, masks: Tensor, loss: dict[str, Any]) -> Tensor:
    """The loss of scores (N, C, H, W) against masks (N, H, W).

    "bce", "dice" and "bce_dice" have one score for each class but the background, each its own
    question; "cross_entropy" and "cross_entropy_dice" one for every class, which exclude each other.
    """
    if loss["name"] in ("cross_entropy", "cross_entropy_dice"):
        weight = None
        if loss["background_weight"] != 1:
            weight = torch.ones(scores.shape[1], device=scores.device)
            weight[0] = loss["background_weight"]
        value = F.cross_entropy(scores, masks, weight=weight)
        if loss["name"] == "cross_entropy_dice":
            truth = F.one_hot(masks, scores.shape[1]).movedim(3, 1)[:, 1:].to(scores.dtype)
            value = value + loss["dice_weight"] * dice_loss(scores.softmax(1)[:, 1:], truth, loss["smooth"])
        return value
    classes = torch.arange(1, scores.shape[1] + 1, device=masks.device).reshape(1, -1, 1, 1)
    truth = (masks[:, None] == classes).to(scores.dtype)
    if loss["name"] == "dice":
        return dice_loss(scores.sigmoid(), truth, loss["smooth"])
    weight = None if loss["positive_weight"] == 1 else torch.tensor(loss["positive_weight"], device=scores.device)
    value = F.binary_cross_entropy_with_logits(scores, truth, pos_weight=weight)
    if loss["name"] == "bce_dice":
        value = value + loss["dice_weight"] * dice_loss(scores.sigmoid(), truth, loss["smooth"])
    return value


def pixel_classes(scores: Tensor, classes: int) -> Tensor:
    """The class of each pixel (N, H, W), from one score for every class, or for each but the background.

    In the second case a pixel is background where no score is above 0 (a probability of 1/2).
    """
    if scores.shape[1] == classes:
        return scores.argmax(1)
    best, number = scores.max(1)
    return torch.where(best > 0, number + 1, 0)


def overlap_counts(predicted: Tensor, masks: Tensor, classes: int) -> Tensor:
    """Pixels of each picture by class, (N, C, 3): said and true, said, true."""
    count = len(masks)
    cells = torch.arange(count, device=masks.device).reshape(-1, 1, 1) * classes
    size = count * classes
    said = torch.bincount((cells + predicted).flatten(), minlength=size)
    true = torch.bincount((cells + masks).flatten(), minlength=size)
    both = torch.bincount((cells + masks)[predicted == masks], minlength=size)
    return torch.stack([both, said, true], 1).reshape(count, classes, 3)


def segmentation_score(rows: dict[str, Tensor], settings: dict[str, Any]) -> dict[str, float]:
    """Intersection over union and Dice from the counts of all pictures.

    ``mean_iou`` and ``mean_dice`` are means over the classes, the background included, of all pixels
    together (as in PASCAL VOC); ``picture_iou`` is the mean over pictures of the mean over the other
    classes that a picture has or that were seen in it, 1 where there is none of them.
    """
    both, said, true = rows["overlap"].double().unbind(2)
    total_both, total_sizes = both.sum(0), said.sum(0) + true.sum(0)
    there = total_sizes > 0
    iou = total_both[there] / (total_sizes - total_both)[there]
    dice = 2 * total_both[there] / total_sizes[there]
    union = (said + true - both)[:, 1:]
    present = union > 0
    share = both[:, 1:] / union.clamp_min(1)
    pictures = torch.where(present.any(1), share.sum(1) / present.sum(1).clamp_min(1), 1.0)
    return {"mean_iou": iou.mean().item(), "mean_dice": dice.mean().item(), "picture_iou": pictures.mean().item()}


def scores_and_loss(
    network: nn.Module, batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[Tensor, Tensor, Tensor]:
    """The scores (N, C, h, w) for a batch, the middle of its masks (N, h, w), and the loss."""
    task = settings["task"]
    scores = network(batch[task["input"]]).float()
    masks = central(batch[task["target"]], scores)
    return scores, masks, segmentation_loss(scores, masks, settings["loss"])


def train_step(
    networks: dict[str, nn.Module],
    batch: dict[str, Tensor],
    settings: dict[str, Any],
    optimize: Callable[[Tensor, str], None],
) -> tuple[dict[str, float], dict[str, float]]:
    """One step on a batch; returns its loss and metrics, before the step."""
    scores, masks, loss = scores_and_loss(networks["network"], batch, settings)
    optimize(loss, "network")
    with torch.no_grad():
        classes = settings["task"]["classes"]
        counts = overlap_counts(pixel_classes(scores, classes), masks, classes)
    return {"loss": loss.item()}, segmentation_score({"overlap": counts}, settings)


def evaluate(
    networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """The loss summed over a batch, every picture's counts for `segmentation_score`, and the batch's size."""
    scores, masks, loss = scores_and_loss(networks["network"], batch, settings)
    classes = settings["task"]["classes"]
    counts = overlap_counts(pixel_classes(scores, classes), masks, classes)
    return {"loss": loss * len(masks)}, {"overlap": counts}, len(masks)


# --- declarations --------------------------------------------------------------------------------


class SegmentationLoss(Loss):
    """Base of the losses of segmentation. `exclusive` losses have a score for the background too."""

    expects_logits = True
    exclusive = False


class PixelBCE(SegmentationLoss):
    """Binary cross entropy of every pixel (torch.nn.BCEWithLogitsLoss)."""

    name = "bce"
    label = "BCE per pixel"
    help = "Asks of every pixel: does it belong, yes or no? One map of scores for each class but the background."
    formula = "−[ y·log σ(z) + (1 − y)·log(1 − σ(z)) ], mean over the pixels"

    positive_weight: float = setting(
        1.0, min=0.001, max=1000, label="positive weight", help="How much more a pixel counts that belongs."
    )


class PixelCrossEntropy(SegmentationLoss):
    """Cross entropy of every pixel (torch.nn.CrossEntropyLoss)."""

    name = "cross_entropy"
    label = "Cross entropy per pixel"
    help = "Every pixel has one class out of all; one map of scores for each, the background included."
    formula = "−log( exp(z_y) / Σ exp(z_j) ), mean over the pixels"
    exclusive = True

    background_weight: float = setting(
        1.0, min=0, max=1000, label="background weight", help="How much a pixel of the background counts."
    )


class Dice(SegmentationLoss):
    """One minus the Dice coefficient of soft masks."""

    name = "dice"
    label = "Dice"
    help = "One minus the overlap of what is said and what is true; small things count as much as large ones."
    formula = "1 − 2·Σ p·y / (Σ p + Σ y)"

    smooth: float = setting(1.0, min=0, max=1e6, help="Added to both sides, in pixels, for classes that are absent.")


class BCEDice(PixelBCE):
    """The sum of BCE and Dice."""

    name = "bce_dice"
    label = "BCE + Dice"
    help = "Both at once: BCE tells every pixel where to go, Dice keeps small things from being forgotten."
    formula = "BCE + weight · Dice"

    dice_weight: float = setting(1.0, min=0, max=1000, label="Dice weight", help="How much Dice counts.")
    smooth: float = setting(1.0, min=0, max=1e6, help="Added to both sides of Dice, in pixels.")


class CrossEntropyDice(PixelCrossEntropy):
    """The sum of cross entropy and Dice."""

    name = "cross_entropy_dice"
    label = "Cross entropy + Dice"
    help = "Both at once, for classes of which every pixel has one."
    formula = "cross entropy + weight · Dice"

    dice_weight: float = setting(1.0, min=0, max=1000, label="Dice weight", help="How much Dice counts.")
    smooth: float = setting(1.0, min=0, max=1e6, help="Added to both sides of Dice, in pixels.")


class Segmentation(Task):
    """The class of every pixel. Unpadded convolutions may lose the border: then the middle is learnt."""

    name = "segmentation"
    label = "Segmentation"
    help = "Tell for every pixel of a picture what it belongs to."
    losses = (PixelBCE, PixelCrossEntropy, Dice, BCEDice, CrossEntropyDice)
    metrics = (
        Metric("mean_iou", "mean IoU", unit="%"),
        Metric("mean_dice", "mean Dice", unit="%"),
        Metric("picture_iou", "IoU per picture", unit="%"),
    )
    looks = (
        Look(
            "masks",
            "Pictures and masks",
            {"probability": "sample/probability", "truth": "sample/truth"},
            help="Each picture with the true mask, the network's, and where they differ.",
            width=3,
        ),
        Look("class_scores", "IoU and Dice per class", {"confusion": "total/confusion"}, width=1),
    )
    live = 6

    prepare = staticmethod(prepare)
    train_step = staticmethod(train_step)
    evaluate = staticmethod(evaluate)
    score = staticmethod(segmentation_score)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        return tuple((name, f) for name, f in dataset.fields().items() if f.holds == "image")[:1]

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        (height, width), classes = _mask(dataset)[1].shape, _classes(dataset)
        return ((classes if isinstance(loss, SegmentationLoss) and loss.exclusive else classes - 1, height, width),)

    def reason(self, dataset: Dataset, loss: Loss, slot: str) -> str:
        exclusive = isinstance(loss, SegmentationLoss) and loss.exclusive
        return f"masks of {_classes(dataset)} classes" + ("" if exclusive else ", one map each but for the background,")

    def output_problem(self, shape: Shape, wanted: Shape) -> str | None:
        """A picture that lost less than half of its height and width to unpadded convolutions will do."""
        channels, height, width = wanted
        if len(shape) != 3 or shape[0] != channels:
            return f"Let the last layer give {channels} {'channel' if channels == 1 else 'channels'}."
        if shape[1] > height or shape[2] > width:
            return f"Crop it to {height}×{width}."
        if 2 * shape[1] <= height or 2 * shape[2] <= width:
            return f"Enlarge the picture before, so that every pixel of {height}×{width} gets an answer."
        return None

    def constants(self, dataset: Dataset) -> dict[str, Any]:
        return {
            "input": self.inputs(dataset, "network")[0][0],
            "target": _mask(dataset)[0],
            "classes": _classes(dataset),
        }

    def initial_loss(self, dataset: Dataset, loss: Loss) -> float | None:
        """What scores of zero cost: ln 2 for yes or no, ln C for one class out of C."""
        if type(loss) is PixelBCE and loss.positive_weight == 1:
            return math.log(2)
        if type(loss) is PixelCrossEntropy:
            return math.log(_classes(dataset))
        return None

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``probability`` (N, C − 1, h, w) of each class but the background; with masks also ``truth`` (N, h, w)."""
        scores = _scores(outputs)
        exclusive = scores.shape[1] == settings["task"]["classes"]
        found = {"probability": scores.softmax(1)[:, 1:] if exclusive else scores.sigmoid()}
        target = settings["task"]["target"]
        if target in batch:
            found["truth"] = central(batch[target], scores)
        return found

    @staticmethod
    def totals(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``confusion`` (C, C): how many pixels of the row's class were taken for the column's."""
        classes, target = settings["task"]["classes"], settings["task"]["target"]
        if target not in batch:
            return {}
        scores = _scores(outputs)
        pairs = central(batch[target], scores) * classes + pixel_classes(scores, classes)
        counts = torch.bincount(pairs.flatten(), minlength=classes * classes)
        return {"confusion": counts.reshape(classes, classes)}


def _scores(outputs: dict[str, Tensor | tuple[Tensor, ...]]) -> Tensor:
    scores = outputs["network"]
    return (scores if isinstance(scores, Tensor) else scores[0]).float()


def _mask(dataset: Dataset) -> tuple[str, Field]:
    """The field that holds the class of every pixel. Raises ValueError when the data has none."""
    for name, found in dataset.fields().items():
        if found.holds == "mask":
            return name, found
    raise ValueError(f"The data set {dataset.name} has no masks, so it does not suit segmentation.")


def _classes(dataset: Dataset) -> int:
    size = _mask(dataset)[1].size
    if size is None:
        raise ValueError(f"The data set {dataset.name} does not say how many classes its masks have.")
    return size
