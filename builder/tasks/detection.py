"""Detection: boxes around the things in a picture, and what they are. One look at a grid of cells, as in YOLO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks.base import SettingError, Shape, setting
from builder.data.base import Dataset, Field
from builder.tasks.base import Chart, Look, Loss, Metric, Task
from builder.tasks.boxes import coco_mean_average_precision, mean_average_precision, overlaps, suppress

# --- plain functions, copied into exported scripts -----------------------------------------------


def prepare(splits: dict[str, dict[str, Tensor]], settings: dict[str, Any]) -> dict[str, Any]:
    """Nothing has to be read from the data."""
    return settings


def cell_targets(box: Tensor, label: Tensor, height: int, width: int) -> dict[str, Tensor]:
    """What each cell of a grid is to say of boxes (N, M, 4) and their classes (N, M), -1 where there is none.

    The cell that holds a box's centre answers for it; of several, the first box counts. Returns ``object``
    (N, cells), 0 or 1; ``x`` and ``y``, the centre's place in its cell from 0 to 1; ``w`` and ``h``, the size
    in cells; ``box`` (N, cells, 4) and ``label`` (N, cells). Cells run row by row.
    """
    count, most = label.shape
    scale = box.new_tensor([width, height])
    low, high = box[..., :2] * scale, box[..., 2:] * scale
    centre, size = (low + high) / 2, high - low
    there = (label >= 0) & (size > 0).all(-1)
    column = centre[..., 0].long().clamp(0, width - 1)
    row = centre[..., 1].long().clamp(0, height - 1)
    cell = torch.where(there, row * width + column, height * width)
    owner = torch.full((count, height * width + 1), most, device=box.device)
    owner.scatter_reduce_(1, cell, torch.arange(most, device=box.device).expand(count, -1), "amin")
    owner = owner[:, :-1]
    taken = owner.clamp_max(max(0, most - 1))

    def of(values: Tensor) -> Tensor:
        return values.gather(1, taken) if values.dim() == 2 else values.gather(1, taken[..., None].expand(-1, -1, 4))

    return {
        "object": (owner < most).float(),
        "x": of(centre[..., 0] - column),
        "y": of(centre[..., 1] - row),
        "w": of(size[..., 0]).clamp_min(1e-6),
        "h": of(size[..., 1]).clamp_min(1e-6),
        "box": of(box),
        "label": of(label).clamp_min(0),
    }


def yolo_parts(z: Tensor, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """The four parts of the loss of answers z (N, cells, 5 + C), summed over all cells and pictures.

    z0 says whether a thing's centre lies in the cell, z1 and z2 where, z3 and z4 the logarithms of half its
    width and height in cells, z5 and on its class.
    """
    there = wanted["object"]
    x, y = torch.sigmoid(z[..., 1]), torch.sigmoid(z[..., 2])
    centre = (x - wanted["x"]) ** 2 + (y - wanted["y"]) ** 2
    size = (z[..., 3] - torch.log(wanted["w"] / 2)) ** 2 + (z[..., 4] - torch.log(wanted["h"] / 2)) ** 2
    kind = F.cross_entropy(z[..., 5:].flatten(0, 1), wanted["label"].flatten(), reduction="none").reshape(there.shape)
    return {
        "object": F.binary_cross_entropy_with_logits(z[..., 0], there, reduction="sum"),
        "centre": (there * centre).sum(),
        "size": (there * size).sum(),
        "class": (there * kind).sum(),
    }


def paper_boxes(z: Tensor, height: int, width: int, boxes: int) -> Tensor:
    """The boxes (N, cells, boxes, 4) that YOLOv1's answers z (N, cells, 5·boxes + C) describe."""
    told = z[..., : 5 * boxes].reshape(*z.shape[:2], boxes, 5)
    place = torch.arange(height * width, device=z.device)
    corner = torch.stack([place % width, place // width], dim=-1)[None, :, None]
    centre = (corner + told[..., :2]) / z.new_tensor([width, height])
    half = told[..., 2:4] ** 2 / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def paper_parts(
    z: Tensor, wanted: dict[str, Tensor], height: int, width: int, loss: dict[str, Any]
) -> dict[str, Tensor]:
    """The four parts of YOLOv1's loss (Redmon et al. 2016, equation 3), summed over all cells and pictures.

    Each box is told by its centre in the cell, √w and √h in parts of the picture, and its confidence, which is to be
    its overlap with the truth. Of a cell's boxes the one that overlaps the truth most answers for it.
    """
    boxes, there = loss["boxes"], wanted["object"]
    told = z[..., : 5 * boxes].reshape(*z.shape[:2], boxes, 5)
    with torch.no_grad():
        overlap = overlaps(paper_boxes(z, height, width, boxes), wanted["box"][..., None, :]).squeeze(-1)
        best = overlap.argmax(-1, keepdim=True)
        responsible = torch.zeros_like(overlap).scatter_(-1, best, 1.0) * there[..., None]
    centre = (told[..., 0] - wanted["x"][..., None]) ** 2 + (told[..., 1] - wanted["y"][..., None]) ** 2
    across, down = (wanted["w"] / width).sqrt()[..., None], (wanted["h"] / height).sqrt()[..., None]
    size = (told[..., 2] - across) ** 2 + (told[..., 3] - down) ** 2
    sure = responsible * (told[..., 4] - overlap) ** 2
    unsure = (1 - responsible) * told[..., 4] ** 2
    kind = (z[..., 5 * boxes :] - F.one_hot(wanted["label"], z.shape[-1] - 5 * boxes)) ** 2
    return {
        "object": sure.sum() + loss["no_object"] * unsure.sum(),
        "centre": loss["coordinates"] * (responsible * centre).sum(),
        "size": loss["coordinates"] * (responsible * size).sum(),
        "class": (there[..., None] * kind).sum(),
    }


def grid_answers(output: Tensor) -> Tensor:
    """A network's output (N, A, height, width) as the answers of its cells, (N, cells, A)."""
    return output.float().flatten(2).transpose(1, 2)


def detection_parts(output: Tensor, batch: dict[str, Tensor], settings: dict[str, Any]) -> dict[str, Tensor]:
    """The parts of the loss of an output (N, A, height, width), summed over the batch."""
    task, loss = settings["task"], settings["loss"]
    height, width = output.shape[2:]
    wanted = cell_targets(batch[task["boxes"]], batch[task["labels"]], height, width)
    if loss["name"] == "yolo_v1":
        return paper_parts(grid_answers(output), wanted, height, width, loss)
    return yolo_parts(grid_answers(output), wanted)


def detect(output: Tensor, settings: dict[str, Any]) -> Tensor:
    """The detections (N, most, 6) of an output (N, A, height, width): class, score and box, doubles suppressed.

    The score is the probability that there is something, times that of its likeliest class.
    """
    task, loss = settings["task"], settings["loss"]
    z = grid_answers(output)
    height, width = output.shape[2:]
    if loss["name"] == "yolo_v1":
        boxes = loss["boxes"]
        box = paper_boxes(z, height, width, boxes).flatten(1, 2)
        sure = z[..., : 5 * boxes].reshape(*z.shape[:2], boxes, 5)[..., 4]
        likely, label = z[..., 5 * boxes :].max(-1)
        score = (sure * likely[..., None]).clamp(0, 1).flatten(1)
        label = label[..., None].expand(-1, -1, boxes).flatten(1)
    else:
        place = torch.arange(height * width, device=z.device)
        centre = torch.stack([place % width, place // width], dim=-1) + torch.sigmoid(z[..., 1:3])
        half = torch.exp(z[..., 3:5].clamp(max=8))  # a box of 6,000 cells is large enough
        box = torch.cat([centre - half, centre + half], dim=-1) / z.new_tensor([width, height, width, height])
        likely, label = z[..., 5:].softmax(-1).max(-1)
        score = torch.sigmoid(z[..., 0]) * likely
    found = torch.cat([label[..., None].float(), score[..., None], box.clamp(0, 1)], dim=-1)
    return suppress(found, task["suppression"], task["most"])


def truths_of(batch: dict[str, Tensor], settings: dict[str, Any]) -> Tensor:
    """The true boxes of a batch, (N, M, 5): class (-1 for none) and box."""
    task = settings["task"]
    return torch.cat([batch[task["labels"]][..., None].float(), batch[task["boxes"]]], dim=-1)


def train_step(
    networks: dict[str, nn.Module],
    batch: dict[str, Tensor],
    settings: dict[str, Any],
    optimize: Callable[[Tensor, str], None],
) -> tuple[dict[str, float], dict[str, float]]:
    """One step on a batch; returns the loss of a picture and its four parts, before the step."""
    output = networks["network"](batch[settings["task"]["input"]])
    parts = {name: value / len(output) for name, value in detection_parts(output, batch, settings).items()}
    loss = sum(parts.values(), torch.zeros((), device=output.device))
    optimize(loss, "network")
    return {"loss": loss.item(), **{name: value.item() for name, value in parts.items()}}, {}


def evaluate(
    networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """The loss and its parts summed over a batch; all detections and all truths, for `score`."""
    output = networks["network"](batch[settings["task"]["input"]])
    parts = detection_parts(output, batch, settings)
    losses = {"loss": sum(parts.values(), torch.zeros((), device=output.device)), **parts}
    return losses, {"found": detect(output, settings), "truths": truths_of(batch, settings)}, len(output)


def score(rows: dict[str, Tensor], settings: dict[str, Any]) -> dict[str, float]:
    """Mean average precision of a split: ``map50`` as in PASCAL VOC, from an overlap of 0.5, and ``map`` as in COCO.

    VOC's (since 2010) is the area under precision over recall, COCO's the mean precision at 101 recalls and ten overlaps.
    """
    classes = settings["task"]["classes"]
    return {
        "map50": mean_average_precision(rows["found"], rows["truths"], classes, 0.5),
        "map": coco_mean_average_precision(rows["found"], rows["truths"], classes),
    }


# --- the declarations ----------------------------------------------------------------------------


class Yolo(Loss):
    """One box a cell, its size by logarithms, its class by softmax."""

    name = "yolo"
    label = "YOLO, one box a cell"
    help = "Every cell says whether a thing's centre lies in it, where, how large it is, and what it is."
    formula = "BCE(σ(z₀), object) + object·[(σ(z₁)−x)² + (σ(z₂)−y)² + (z₃−log w/2)² + (z₄−log h/2)² + CE(softmax(z₅…), class)]"
    expects_logits = True

    def numbers(self, classes: int) -> int:
        """How many numbers a cell answers with."""
        return 5 + classes


class YoloV1(Loss):
    """The loss of the paper: squares throughout, several boxes a cell (Redmon et al. 2016)."""

    name = "yolo_v1"
    label = "YOLOv1, the paper's"
    help = "Squared errors of centre, √w, √h, confidence and class; of a cell's boxes the best one learns."
    formula = "λ·[(x−x̂)² + (y−ŷ)² + (√w−√ŵ)² + (√h−√ĥ)²] + (IoU−ĉ)² + λₙ·ĉ² (no object) + Σ(p−p̂)²"
    expects_logits = True

    boxes: int = setting(2, min=1, max=10, label="boxes a cell", help="How many boxes each cell proposes.")
    coordinates: float = setting(5.0, min=0, max=1000, help="The weight of centre and size (λ).")
    no_object: float = setting(0.5, min=0, max=1000, label="no object", help="The weight where nothing is (λₙ).")

    def numbers(self, classes: int) -> int:
        """How many numbers a cell answers with."""
        return 5 * self.boxes + classes


class Detection(Task):
    """Boxes and classes of the things in a picture, from a grid of cells."""

    name = "detection"
    label = "Detection"
    help = "Find things in a picture: a box around each, and what it is."
    losses = (Yolo, YoloV1)
    metrics = (Metric("map50", "mAP@0.5 (VOC)", unit="%"), Metric("map", "mAP@0.5:0.95 (COCO)", unit="%"))
    charts = (
        Chart("Loss of a picture", ("loss/loss",)),
        Chart("Parts", ("loss/object", "loss/centre", "loss/size", "loss/class"), 1.15),
        Chart("mAP@0.5", ("metric/map50",), 0.9),
    )
    looks = (
        Look(
            "boxes",
            "Boxes on pictures",
            {"found": "sample/found", "truths": "sample/truths", "answers": "sample/answers"},
            help="Solid boxes are found, dashed ones true. Each cell tells its raw answer under the pointer.",
            width=2.4,
        ),
        Look("precision_recall", "Precision over recall", {"found": "sample/found", "truths": "sample/truths"}),
    )
    live = 12

    grid: int | tuple[int, int] = setting(
        8, min=1, max=128, help="How many cells the picture is divided into: one number, or rows and columns."
    )
    most: int = setting(
        50, min=1, max=300, label="most boxes", help="The most boxes that are given of a picture, the surest first."
    )
    suppression: float = setting(
        0.5,
        min=0,
        max=1,
        help="Of two boxes of one class that overlap by more than this, the less sure one goes.",
    )

    prepare = staticmethod(prepare)
    train_step = staticmethod(train_step)
    evaluate = staticmethod(evaluate)
    score = staticmethod(score)

    def cells(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.grid if isinstance(self.grid, tuple) else (self.grid, self.grid)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        return tuple((name, f) for name, f in dataset.fields().items() if f.holds == "image")[:1]

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        assert isinstance(loss, Yolo | YoloV1)
        return ((loss.numbers(_held(dataset, "box_classes")[1].size or 0), *self.cells()),)

    def reason(self, dataset: Dataset, loss: Loss, slot: str) -> str:
        rows, columns = self.cells()
        return f"{rows}×{columns} cells and {len(dataset.class_names())} classes"

    def taking(self, shape: Shape) -> Task | None:
        if len(shape) != 3:
            return None
        rows, columns = shape[1:]
        try:
            return self.replace(grid=rows if rows == columns else (rows, columns))
        except SettingError:
            return None  # more cells than a picture is divided into

    def constants(self, dataset: Dataset) -> dict[str, Any]:
        boxes, labels = _held(dataset, "boxes"), _held(dataset, "box_classes")
        return {
            "input": self.inputs(dataset, "network")[0][0],
            "boxes": boxes[0],
            "labels": labels[0],
            "classes": labels[1].size,
        }

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """``found`` (N, most, 6), the cells' raw ``answers`` (N, A, rows, columns), and the ``truths`` (N, M, 5)."""
        output = outputs["network"]
        assert isinstance(output, Tensor)
        found = {"found": detect(output, settings), "answers": output}
        return found | ({"truths": truths_of(batch, settings)} if settings["task"]["boxes"] in batch else {})


def _held(dataset: Dataset, what: str) -> tuple[str, Field]:
    """The field that holds this. Raises ValueError when the data has none."""
    for name, found in dataset.fields().items():
        if found.holds == what:
            return name, found
    raise ValueError(f"The data set {dataset.name} has no boxes, so it does not suit detection.")
