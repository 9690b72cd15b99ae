"""Detection: losses of single cells by hand, suppression, average precision against a published example."""

import math
from typing import Any

import pytest
import torch
from by_hand import shape_finder
from torch import Tensor, nn

import builder
from builder import data
from builder.data.boxes import box_batch, move_boxes
from builder.data.plain import augment
from builder.project import Choice
from builder.tasks import boxes, detection
from builder.tasks.detection import Detection, Yolo, YoloV1
from builder.training.job import task_settings

NONE = [-1.0, 0.0, 0.0, 0.0, 0.0]


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def cell(**values: Any) -> dict[str, Tensor]:
    """What one cell, the only one, is to say; a thing of 1×1 cells in its middle unless told."""
    told = {"object": 1.0, "x": 0.5, "y": 0.5, "w": 1.0, "h": 1.0, **values}
    wanted = {name: torch.tensor([[float(value)]]) for name, value in told.items() if name != "label"}
    return wanted | {"label": torch.tensor([[values.get("label", 0)]])}


def answer(z0: float = 0, x: float = 0.5, y: float = 0.5, w: float = 1, h: float = 1, *classes: float) -> Tensor:
    return torch.tensor([[[z0, logit(x), logit(y), math.log(w / 2), math.log(h / 2), *(classes or (0.0, 0.0))]]])


def test_the_lecture_s_cell_by_hand() -> None:
    """The numbers of the lecture: each part of the loss of one cell alone."""
    parts = detection.yolo_parts(answer(0), cell())
    assert parts["object"].item() == pytest.approx(0.693147, abs=1e-6)
    assert parts["class"].item() == pytest.approx(0.693147, abs=1e-6)
    assert parts["centre"].item() == pytest.approx(0, abs=1e-9)
    assert parts["size"].item() == pytest.approx(0, abs=1e-9)
    moved = detection.yolo_parts(answer(0, 0.6, 0.3), cell())
    assert moved["centre"].item() == pytest.approx(0.05, abs=1e-6)  # 0.1² + 0.2²
    doubled = detection.yolo_parts(answer(0, w=2.0), cell())
    assert doubled["size"].item() == pytest.approx(0.480453, abs=1e-6)  # (ln 2)²


def test_a_cell_without_an_object_pays_only_for_saying_so() -> None:
    parts = detection.yolo_parts(answer(2.0, 0.9, 0.1, 3, 5, 4.0, -4.0), cell(object=0))
    assert parts["object"].item() == pytest.approx(math.log(1 + math.exp(2)), abs=1e-6)
    assert [parts[name].item() for name in ("centre", "size", "class")] == [0, 0, 0]


def test_yolo_v1_by_hand() -> None:
    """Two boxes in one cell of one picture: the second overlaps the truth wholly, so it answers for it."""
    loss = {"name": "yolo_v1", **YoloV1().to_settings()}
    wanted = cell(x=0.5, y=0.5, w=0.5, h=0.5, label=1) | {"box": torch.tensor([[[0.25, 0.25, 0.75, 0.75]]])}
    #        x    y    √w   √h   c̃  of a small box in a corner, then one of the truth's size and place
    first, second = [0.1, 0.1, 0.2, 0.2, 0.3], [0.5, 0.5, 0.5**0.5, 0.5**0.5, 0.6]
    parts = detection.paper_parts(torch.tensor([[[*first, *second, 0.2, 0.7]]]), wanted, 1, 1, loss)
    assert parts["object"].item() == pytest.approx((0.6 - 1) ** 2 + 0.5 * 0.3**2, abs=1e-6)
    assert parts["centre"].item() == pytest.approx(0, abs=1e-9)
    assert parts["size"].item() == pytest.approx(0, abs=1e-9)
    assert parts["class"].item() == pytest.approx(0.2**2 + 0.3**2, abs=1e-6)
    # The same box moved by 0.1 and of 0.36 of the width: √w is 0.6 instead of √0.5.
    second = [0.6, 0.5, 0.6, 0.5**0.5, 1.0]
    parts = detection.paper_parts(torch.tensor([[[*first, *second, 0.0, 1.0]]]), wanted, 1, 1, loss)
    assert parts["centre"].item() == pytest.approx(5 * 0.1**2, abs=1e-6)
    assert parts["size"].item() == pytest.approx(5 * (0.6 - 0.5**0.5) ** 2, abs=1e-6)
    # 0.36 by 0.5 about (0.6, 0.5) reaches from 0.42 to 0.78; 0.33 of it lies in the truth.
    overlap = 0.33 * 0.5 / (0.36 * 0.5 + 0.25 - 0.33 * 0.5)
    assert parts["object"].item() == pytest.approx((1 - overlap) ** 2 + 0.5 * 0.3**2, abs=1e-5)
    empty = detection.paper_parts(
        torch.tensor([[[*first, *second, 0.0, 1.0]]]), {**wanted, "object": torch.zeros(1, 1)}, 1, 1, loss
    )
    assert empty["object"].item() == pytest.approx(0.5 * (0.3**2 + 1.0**2), abs=1e-6)
    assert [empty[name].item() for name in ("centre", "size", "class")] == [0, 0, 0]


def test_the_cell_of_a_box_s_centre_answers_and_the_first_box_counts() -> None:
    box = torch.tensor([[[0.0, 0.5, 0.5, 1.0], [0.1, 0.6, 0.3, 0.8], [0.5, 0.0, 1.0, 0.3], [0, 0, 0, 0]]])
    wanted = detection.cell_targets(box, torch.tensor([[1, 2, 0, -1]]), 2, 2)
    assert wanted["object"].tolist() == [[0, 1, 1, 0]]
    # Cells of half a picture: the third box's centre (0.75, 0.15) lies in the upper right one.
    assert (wanted["x"][0, 1].item(), wanted["y"][0, 1].item()) == pytest.approx((0.5, 0.3))
    assert (wanted["w"][0, 1].item(), wanted["h"][0, 1].item()) == pytest.approx((1.0, 0.6))
    assert (wanted["x"][0, 2].item(), wanted["y"][0, 2].item()) == pytest.approx((0.5, 0.5))
    assert wanted["label"][0, 1:3].tolist() == [0, 1]


@pytest.mark.parametrize("loss", [Yolo(), YoloV1()], ids=lambda x: x.name)
def test_answers_that_are_exactly_right_are_decoded_to_the_truth(loss: Yolo | YoloV1) -> None:
    """Encoding and decoding are written apart, so they check each other."""
    truth = torch.tensor([[[0.10, 0.20, 0.40, 0.90], [0.55, 0.05, 0.95, 0.35]]])
    wanted = detection.cell_targets(truth, torch.tensor([[2, 0]]), 4, 5)
    z = torch.zeros(1, 20, loss.numbers(3))
    for i in range(20):
        there = wanted["object"][0, i].item() == 1
        x, y, w, h = (wanted[name][0, i].item() for name in "xywh")
        label = int(wanted["label"][0, i])
        if loss.name == "yolo":
            z[0, i, 0] = 9.0 if there else -9.0
            if there:
                z[0, i, 1:5] = torch.tensor([logit(x), logit(y), math.log(w / 2), math.log(h / 2)])
                z[0, i, 5 + label] = 9.0
        elif there:
            z[0, i, 5:10] = torch.tensor([x, y, math.sqrt(w / 5), math.sqrt(h / 4), 1.0])
            z[0, i, 10 + label] = 1.0
    settings = {"task": {"suppression": 0.5, "most": 4}, "loss": {"name": loss.name, **loss.to_settings()}}
    found = detection.detect(z.transpose(1, 2).reshape(1, -1, 4, 5), settings)[0]
    assert found.shape == (4, 6)
    sure = found[found[:, 1] > 0.5]
    assert sorted(sure[:, 0].tolist()) == [0, 2]
    for label, box in ((2, truth[0, 0]), (0, truth[0, 1])):
        torch.testing.assert_close(sure[sure[:, 0] == label][0, 2:], box, atol=1e-5, rtol=0)


def test_overlaps_by_hand() -> None:
    a = torch.tensor([[0.0, 0.0, 0.4, 0.4], [0.9, 0.9, 1.0, 1.0]])
    b = torch.tensor([[0.2, 0.2, 0.6, 0.6], [0.0, 0.0, 0.4, 0.4], [0.0, 0.0, 0.0, 0.0]])
    # 0.04 shared of 0.16 + 0.16 - 0.04.
    torch.testing.assert_close(boxes.overlaps(a, b), torch.tensor([[1 / 7, 1.0, 0.0], [0.0, 0.0, 0.0]]))


def test_of_doubles_the_surest_stays_and_classes_do_not_disturb_each_other() -> None:
    left, near, right = [0.0, 0.0, 0.4, 0.4], [0.02, 0.0, 0.42, 0.4], [0.6, 0.6, 0.9, 0.9]
    candidates = torch.tensor([[[0, 0.6, *left], [0, 0.9, *near], [1, 0.5, *left], [0, 0.2, *right], [0, 0.8, *left]]])
    found = boxes.suppress(candidates, 0.5, 4)[0]
    assert [(int(c), round(s, 1)) for c, s in found[:, :2].tolist()] == [(0, 0.9), (1, 0.5), (0, 0.2), (-1, 0.0)]
    # A box that is suppressed suppresses no other: b goes for a, and c, which only overlaps b, stays.
    chain = torch.tensor([[[0, 0.9, 0, 0, 0.4, 1], [0, 0.8, 0.1, 0, 0.5, 1], [0, 0.7, 0.2, 0, 0.6, 1]]])
    assert boxes.suppress(chain, 0.5, 3)[0, :, 1].tolist() == pytest.approx([0.9, 0.7, 0.0])


def example() -> tuple[Tensor, Tensor]:
    """Padilla et al. 2020, "A survey on performance metrics for object-detection algorithms": 24 detections, 15 truths.

    The surest detection is right, then the 3rd, 10th, 12th, 13th, 14th and 23rd.
    """
    right = {1, 3, 10, 12, 13, 14, 23}
    truths = torch.tensor([[[0.0, 0.1, 0.1, 0.4, 0.4]]]).repeat(24, 1, 1)
    truths[15:, :, 0] = -1
    found = torch.zeros(24, 24, 6)
    found[..., 0] = -1
    spare = iter(sorted(right))
    hits = {rank: picture for picture, rank in enumerate(spare)}
    for rank in range(1, 25):
        picture = hits.get(rank, (rank + 7) % 24)
        box = [0.1, 0.1, 0.4, 0.4] if rank in right else [0.6, 0.6, 0.9, 0.9]
        found[picture, rank - 1] = torch.tensor([0, 1 - rank / 100, *box])
    return found, truths


def test_average_precision_agrees_with_the_published_example() -> None:
    precision, recall, score = boxes.precision_recall(*example(), label=0, limit=0.3)
    assert len(score) == 24
    assert precision[:4].tolist() == pytest.approx([1, 0.5, 0.6667, 0.5], abs=1e-4)
    assert recall[[0, 2, 9, 11, 12, 13, 22]].tolist() == pytest.approx([i / 15 for i in range(1, 8)])
    # The paper's areas: 0.0667·1 + 0.0667·0.6667 + 0.2667·0.4286 + 0.0667·0.3043 = 24.56 %.
    assert boxes.average_precision(precision, recall) == pytest.approx(0.2456, abs=2e-4)


def test_a_truth_is_found_once_and_only_by_its_class() -> None:
    truths = torch.tensor([[[0, 0.1, 0.1, 0.5, 0.5], [1, 0.6, 0.6, 0.9, 0.9]]])
    box = [0.1, 0.1, 0.5, 0.5]
    found = torch.tensor([[[0, 0.9, *box], [0, 0.8, *box], [1, 0.7, *box], [1, 0.6, 0.6, 0.6, 0.9, 0.9]]])
    precision, recall, _ = boxes.precision_recall(found, truths, 0, 0.5)
    assert precision.tolist() == [1, 0.5]
    assert recall.tolist() == [1, 1]
    # Class 0: precision 1 up to recall 1; class 1: the wrong one is surer, so 1/2.
    assert boxes.mean_average_precision(found, truths, 2, 0.5) == pytest.approx(0.75)
    assert boxes.mean_average_precision(found, torch.tensor([[NONE]]), 2, 0.5) == 0


def test_coco_s_average_precision_of_the_published_example_by_hand() -> None:
    """Its seven right ones of 15 reach the recalls 1/15 to 7/15. Of the 101 recalls, 0 to 0.06 have a precision of 1,
    0.07 to 0.13 of 2/3, 0.14 to 0.40 of 6/14, 0.41 to 0.46 of 7/23, and the others of 0."""
    found, truths = example()
    right = boxes.coco_matches(found, truths, 0, torch.tensor([0.3]))
    mine = found[..., 0] == 0
    value = boxes.coco_average_precision(right[:, mine], found[..., 1][mine], 15)
    assert value.tolist() == pytest.approx([(7 * 1 + 7 * 2 / 3 + 27 * 6 / 14 + 6 * 7 / 23) / 101])


def test_coco_gives_a_detection_the_truth_that_is_left() -> None:
    """Both detections overlap the first truth most; by VOC's rule the second is then wrong, by COCO's it finds the other."""
    truths = torch.tensor([[[0, 0.0, 0.0, 0.5, 1.0], [0, 0.1, 0.0, 0.6, 1.0]]])
    found = torch.tensor([[[0, 0.9, 0.0, 0.0, 0.5, 1.0], [0, 0.8, 0.04, 0.0, 0.54, 1.0]]])
    precision, _, _ = boxes.precision_recall(found, truths, 0, 0.5)
    assert precision.tolist() == [1, 0.5]
    # Overlaps of the second with the first and the other: 0.46 / 0.54 = 0.85 and 0.44 / 0.56 = 0.79.
    right = boxes.coco_matches(found, truths, 0, torch.tensor([0.5, 0.75, 0.8, 0.95]))
    assert right[:, 0].tolist() == [[True, True], [True, True], [True, False], [True, False]]


def test_coco_s_mean_goes_over_overlaps_and_the_classes_there_are() -> None:
    """One class is found at an overlap of 0.81 (seven of ten limits), the other missed; the third does not occur."""
    truths = torch.tensor([[[0, 0.0, 0.0, 1.0, 1.0], [1, 0.0, 0.0, 0.2, 0.2]]])
    found = torch.tensor([[[0, 0.5, 0.0, 0.0, 0.9, 0.9], [2, 0.9, 0.0, 0.0, 0.9, 0.9]]])
    assert boxes.coco_mean_average_precision(found, truths, 3) == pytest.approx(0.35)
    assert boxes.coco_mean_average_precision(found, torch.tensor([[NONE]]), 3) == 0
    assert boxes.coco_mean_average_precision(torch.zeros(1, 0, 6), truths, 3) == 0
    # A wrong one that is surer: precision 1/2 up to a recall of 1.
    wrong = torch.cat([torch.tensor([[[0, 0.9, 0.5, 0.5, 0.6, 0.6]]]), found], 1)
    assert boxes.coco_mean_average_precision(wrong, truths, 3) == pytest.approx(0.35 / 2)


def test_score_of_a_split() -> None:
    """Boxes that overlap by 0.81 count up to the threshold 0.8: seven of ten."""
    truths = torch.tensor([[[0, 0.0, 0.0, 1.0, 1.0]]])
    found = torch.tensor([[[0, 0.5, 0.0, 0.0, 0.9, 0.9]]])
    scores = detection.score({"found": found, "truths": truths}, {"task": {"classes": 1}})
    assert scores == pytest.approx({"map50": 1.0, "map": 0.7})


class Fixed(nn.Module):
    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = nn.Parameter(output)

    def forward(self, x: Tensor) -> Tensor:
        return self.output[: len(x)]


@pytest.mark.parametrize("loss", [Yolo(), YoloV1()], ids=lambda x: x.name)
def test_the_loss_is_the_sum_of_its_parts_and_evaluation_agrees(loss: Yolo | YoloV1) -> None:
    project = shape_finder(loss=Choice(loss.name, loss.to_settings()))
    settings = task_settings(project)
    dataset = data.find("shape_boxes").from_settings(project.data.settings)
    split = data.load(dataset)["train"]
    batch = dataset.make_batch(split, torch.arange(6), dataset.to_settings())
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {"network": Fixed(torch.randn(6, loss.numbers(4), 4, 4))}
    stepped = []
    losses, metrics = detection.train_step(networks, batch, settings, lambda *a: stepped.append(a))
    assert stepped[0][1] == "network"
    assert metrics == {}
    assert losses["loss"] == pytest.approx(sum(v for k, v in losses.items() if k != "loss"), rel=1e-5)
    sums, rows, count = detection.evaluate(networks, batch, settings)
    assert count == 6
    assert {k: v.item() / 6 for k, v in sums.items()} == pytest.approx(losses, rel=1e-5)
    assert rows["found"].shape == (6, 10, 6)
    assert rows["truths"].shape == (6, 4, 5)


# --- what is wrong is told ---------------------------------------------------------------------------


def test_another_grid_is_told_with_numbers_and_a_remedy() -> None:
    project = shape_finder(task=Choice("detection", {"grid": 8}))
    (problem,) = builder.check(project).problems
    assert problem.code == "output-mismatch"
    assert "receives 9×4×4" in problem.message
    assert "8×8 cells and 4 classes need 9×8×8" in problem.message
    assert problem.fix is not None
    assert problem.fix.label == "Set grid to 4"


def test_another_number_of_classes_is_told() -> None:
    project = shape_finder(data=Choice("shape_boxes", {"height": 32, "width": 32, "kinds": ["circle", "star"]}))
    (problem,) = builder.check(project).problems
    assert "receives 9×4×4" in problem.message
    assert "4×4 cells and 2 classes need 7×4×4" in problem.message
    assert problem.fix is not None
    assert problem.fix.label == "Set out_channels of answers to 7"


def test_the_other_loss_wants_more_numbers_a_cell() -> None:
    (problem,) = builder.check(shape_finder(loss=Choice("yolo_v1", {"boxes": 3}))).problems
    assert "need 19×4×4" in problem.message
    assert problem.fix is not None
    assert problem.fix.label == "Set out_channels of answers to 19"


def test_data_without_boxes_do_not_suit() -> None:
    project = shape_finder(data=Choice("digits", {}))
    assert "data-task" in {p.code for p in builder.check(project).problems}
    assert Detection(grid=(3, 5)).cells() == (3, 5)


# --- boxes follow their pictures ---------------------------------------------------------------------


def test_boxes_move_as_their_pictures_do() -> None:
    """A white rectangle is moved, mirrored and enlarged; its box still lies around it."""
    torch.manual_seed(1)
    count = 24
    images, edges = torch.zeros(count, 1, 40, 60), torch.zeros(count, 1, 4)
    for i in range(count):
        left, top = 5 + 2 * (i % 12), 4 + i % 10
        images[i, :, top : top + 14, left : left + 20] = 1
        edges[i, 0] = torch.tensor([left / 60, top / 40, (left + 20) / 60, (top + 14) / 40])
    settings = {"flip": True, "shift": 0.15, "zoom": 0.2, "rotate": 0.0}
    moved = augment(images, settings, torch.Generator().manual_seed(5))
    draws = torch.rand(count, 5, generator=torch.Generator().manual_seed(5)) * 2 - 1
    boxes_, labels = move_boxes(edges, torch.zeros(count, 1, dtype=torch.long), settings, draws, 60, 40)
    assert (boxes_ - edges).abs().max() > 0.1
    for picture, box, label in zip(moved[:, 0] > 0.5, boxes_[:, 0], labels[:, 0], strict=True):
        if label < 0:
            continue
        rows, columns = picture.any(1).nonzero().flatten(), picture.any(0).nonzero().flatten()
        seen = [columns[0] / 60, rows[0] / 40, (columns[-1] + 1) / 60, (rows[-1] + 1) / 40]
        assert box.tolist() == pytest.approx([float(s) for s in seen], abs=0.03)


def test_a_box_that_leaves_the_picture_is_gone() -> None:
    settings = {"flip": False, "shift": 0.5, "zoom": 0.0}
    draws = torch.tensor([[0.0, -1.0, 0.0, 0.0, 0.0]])  # the result shows what lies half a width to the left
    box = torch.tensor([[[0.6, 0.2, 0.9, 0.4], [0.1, 0.1, 0.3, 0.3]]])
    moved, labels = move_boxes(box, torch.tensor([[1, 2]]), settings, draws, 10, 10)
    assert labels.tolist() == [[-1, 2]]
    assert moved[0, 1].tolist() == pytest.approx([0.6, 0.1, 0.8, 0.3])


def test_validation_pictures_are_not_moved() -> None:
    dataset = data.find("shape_boxes").from_settings({"samples": 40, "flip": True, "zoom": 0.3})
    split = data.load(dataset)["validation"]
    batch = box_batch(split, torch.arange(4), dataset.to_settings())
    assert torch.equal(batch["box"], split["box"][:4])
    assert batch["image"].dtype == torch.float32


def test_boxes_are_counted_by_class() -> None:
    dataset = data.find("shape_boxes").from_settings({"samples": 200, "height": 16, "width": 24})
    statistics = data.statistics(dataset)
    splits = data.load(dataset)
    assert {name: sum(counts) for name, counts in statistics.counts.items()} == {
        name: int((split["box_class"] >= 0).sum()) for name, split in splits.items()
    }
    assert len(statistics.counts["train"]) == 4
    samples = data.samples(dataset)
    assert samples.inputs.shape[1:] == (16, 24, 3)
    assert samples.labels is None
