"""Segmentation: losses, IoU and Dice by hand, masks cropped to the output, data, checks and fixes, export."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from by_hand import block, chain, project
from exported import records_of
from torch import Tensor, nn

import builder
from builder import data, edits
from builder.data.masks import Nuclei, ShapeMasks
from builder.project import Choice, Project
from builder.tasks import segmentation
from builder.tasks.segmentation import BCEDice, CrossEntropyDice, Dice, PixelBCE, PixelCrossEntropy, Segmentation

torch.set_num_threads(1)

TASK = {"input": "image", "target": "mask", "classes": 2}
THREE = {**TASK, "classes": 3}
LOSSES = (PixelBCE, PixelCrossEntropy, Dice, BCEDice, CrossEntropyDice)


class Fixed(nn.Module):
    """A network that gives what it is told, and can be trained."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs.clone())

    def forward(self, x: Tensor) -> Tensor:
        return self.outputs


def loss_of(loss: Any, scores: Tensor, masks: Tensor) -> float:
    return segmentation.segmentation_loss(scores, masks, {"name": loss.name, **loss.to_settings()}).item()


# --- losses ----------------------------------------------------------------------------------------


def test_scores_of_zero_cost_ln_2_or_ln_c() -> None:
    masks = torch.randint(0, 4, (2, 5, 5))
    assert loss_of(PixelBCE(), torch.zeros(2, 3, 5, 5), masks) == pytest.approx(0.693147, abs=1e-6)
    assert loss_of(PixelCrossEntropy(), torch.zeros(2, 4, 5, 5), masks) == pytest.approx(math.log(4))
    assert loss_of(PixelCrossEntropy(background_weight=0.2), torch.zeros(2, 4, 5, 5), masks) == pytest.approx(
        math.log(4)
    )
    shapes = ShapeMasks(kinds=("circle", "star"))
    assert Segmentation().initial_loss(shapes, PixelBCE()) == pytest.approx(0.693147, abs=1e-6)
    assert Segmentation().initial_loss(shapes, PixelCrossEntropy()) == pytest.approx(math.log(3))
    assert Segmentation().initial_loss(shapes, BCEDice()) is None
    assert Segmentation().initial_loss(shapes, PixelBCE(positive_weight=2.0)) is None


def test_dice_by_hand() -> None:
    # Shares 1/2 everywhere on 4 pixels, 1 of them true: overlap 1/2, sizes 2 + 1.
    masks = torch.tensor([[[1, 0], [0, 0]]])
    half = torch.zeros(1, 1, 2, 2)
    assert loss_of(Dice(smooth=0.0), half, masks) == pytest.approx(1 - 2 * 0.5 / 3)
    assert loss_of(Dice(smooth=1.0), half, masks) == pytest.approx(1 - (2 * 0.5 + 1) / (3 + 1))
    # All right, and all wrong.
    sure = torch.tensor([[[[40.0, -40.0], [-40.0, -40.0]]]])
    assert loss_of(Dice(smooth=0.0), sure, masks) == pytest.approx(0, abs=1e-6)
    assert loss_of(Dice(smooth=0.0), -sure, masks) == pytest.approx(1, abs=1e-6)
    # Two classes, one right and one missed: the mean of 0 and 1.
    two = torch.full((1, 2, 2, 2), -40.0)
    two[0, 0, 0, 0] = 40
    assert loss_of(Dice(smooth=0.0), two, torch.tensor([[[1, 2], [0, 0]]])) == pytest.approx(0.5, abs=1e-6)


def test_sums_are_sums() -> None:
    torch.manual_seed(0)
    scores, masks = torch.randn(2, 2, 4, 4), torch.randint(0, 3, (2, 4, 4))
    total = loss_of(PixelBCE(), scores, masks) + 0.5 * loss_of(Dice(), scores, masks)
    assert loss_of(BCEDice(dice_weight=0.5), scores, masks) == pytest.approx(total)
    full = torch.randn(2, 3, 4, 4)
    shares = full.softmax(1)[:, 1:]
    truth = torch.stack([masks == 1, masks == 2], 1).float()
    soft = 1 - ((2 * (shares * truth).sum((0, 2, 3)) + 1) / (shares.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + 1)).mean()
    expected = F.cross_entropy(full, masks) + soft
    assert loss_of(CrossEntropyDice(), full, masks) == pytest.approx(expected.item())


def test_weights_by_hand() -> None:
    # A right pixel that belongs with probability 3/4, weight 3; a wrong one outside.
    scores = torch.tensor([[[[math.log(3), math.log(3)]]]])
    expected = (3 * math.log(4 / 3) + math.log(4)) / 2
    assert loss_of(PixelBCE(positive_weight=3.0), scores, torch.tensor([[[1, 0]]])) == pytest.approx(expected)
    both = torch.tensor([[[[0.0, 0.0]], [[math.log(3), math.log(3)]]]])
    expected = (math.log(4 / 3) + 0.5 * math.log(4)) / 1.5
    assert loss_of(PixelCrossEntropy(background_weight=0.5), both, torch.tensor([[[1, 0]]])) == pytest.approx(expected)


# --- metrics ---------------------------------------------------------------------------------------


def test_iou_and_dice_by_hand() -> None:
    # Picture one: class 1 true on 2 pixels, said on 2, one in common; picture two: nothing there, nothing said.
    masks = torch.tensor([[[1, 1, 0, 0]], [[0, 0, 0, 0]]])
    said = torch.tensor([[[1, 0, 1, 0]], [[0, 0, 0, 0]]])
    counts = segmentation.overlap_counts(said, masks, 2)
    assert counts[0].tolist() == [[1, 2, 2], [1, 2, 2]]
    assert counts[1].tolist() == [[4, 4, 4], [0, 0, 0]]
    found = segmentation.segmentation_score({"overlap": counts}, {"task": TASK})
    assert found["mean_iou"] == pytest.approx((5 / 7 + 1 / 3) / 2)
    assert found["mean_dice"] == pytest.approx((10 / 12 + 2 / 4) / 2)
    assert found["picture_iou"] == pytest.approx((1 / 3 + 1) / 2)


def test_metrics_agree_with_scikit_learn() -> None:
    from sklearn.metrics import f1_score, jaccard_score

    torch.manual_seed(0)
    masks, said = torch.randint(0, 3, (4, 9, 7)), torch.randint(0, 3, (4, 9, 7))
    found = segmentation.segmentation_score({"overlap": segmentation.overlap_counts(said, masks, 3)}, {"task": THREE})
    true, guess = masks.flatten().numpy(), said.flatten().numpy()
    assert found["mean_iou"] == pytest.approx(jaccard_score(true, guess, average="macro"))
    assert found["mean_dice"] == pytest.approx(f1_score(true, guess, average="macro"))
    each = [
        jaccard_score(m.flatten().numpy(), s.flatten().numpy(), labels=[1, 2], average="macro")
        for m, s in zip(masks, said, strict=True)
    ]
    assert found["picture_iou"] == pytest.approx(sum(each) / 4)


def test_a_class_that_is_nowhere_does_not_count() -> None:
    masks = torch.zeros(1, 2, 2, dtype=torch.long)
    counts = segmentation.overlap_counts(masks, masks, 5)
    assert segmentation.segmentation_score({"overlap": counts}, {})["mean_iou"] == 1.0


def test_the_class_of_a_pixel() -> None:
    each = torch.tensor([[[[-1.0, 2.0, 0.5]], [[-0.1, 1.0, 3.0]]]])
    assert segmentation.pixel_classes(each, 3).tolist() == [[[0, 1, 2]]]
    assert segmentation.pixel_classes(torch.cat([torch.full((1, 1, 1, 3), 0.7), each], 1), 3).tolist() == [[[0, 1, 2]]]


def test_a_step_and_an_evaluation_on_masks_cropped_to_the_output() -> None:
    masks = torch.zeros(2, 6, 7, dtype=torch.long)
    masks[:, 2:4, 2:4] = 1
    batch = {"image": torch.zeros(2, 1, 6, 7), "mask": masks}
    scores = torch.full((2, 1, 2, 3), -1.0)  # the middle: rows 2 and 3, columns 2 to 4
    scores[:, :, :, :2] = 1.0
    settings = {"task": TASK, "loss": {"name": "bce", **PixelBCE().to_settings()}}
    networks: dict[str, nn.Module] = {"network": Fixed(scores)}
    stepped: list[Any] = []
    losses, metrics = segmentation.train_step(networks, batch, settings, lambda *a: stepped.append(a))
    assert [slot for _, slot in stepped] == ["network"]
    assert losses["loss"] == pytest.approx(math.log(1 + math.exp(-1)))
    assert metrics == {"mean_iou": 1.0, "mean_dice": 1.0, "picture_iou": 1.0}
    sums, rows, count = segmentation.evaluate(networks, batch, settings)
    assert count == 2
    assert sums["loss"].item() == pytest.approx(2 * losses["loss"])
    assert rows["overlap"].shape == (2, 2, 3)
    outputs: Any = {"network": scores}
    found = Segmentation.results(outputs, batch, settings)
    assert found["truth"].tolist() == masks[:, 2:4, 2:5].tolist()
    assert found["probability"].shape == (2, 1, 2, 3)
    assert Segmentation.totals(outputs, batch, settings)["confusion"].tolist() == [[4, 0], [0, 8]]


def test_pixel_shuffle_lays_channels_out() -> None:
    x = torch.arange(2 * 9 * 2 * 3.0).reshape(2, 9, 2, 3)
    out = nn.PixelShuffle(3)(x)
    assert out.shape == (2, 1, 6, 9)
    assert out[0, 0, :3, :3].flatten().tolist() == x[0, :, 0, 0].tolist()


# --- data ------------------------------------------------------------------------------------------


def test_masks_move_with_their_pictures() -> None:
    shapes = ShapeMasks(
        samples=12, height=64, width=64, noise=0.0, smallest=0.2, flip=True, shift=0.2, zoom=0.2, rotate=90.0
    )
    split = data.load(shapes)["train"]
    # A picture that shows its own mask: wherever the two go, they go together.
    split["image"] = ((split["mask"] > 0) * 255)[:, None].to(torch.uint8)
    generator = torch.Generator().manual_seed(3)
    batch = shapes.make_batch(split, torch.arange(8), shapes.to_settings(), generator)
    seen, mask = batch["image"][:, 0], (batch["mask"] > 0).float()
    assert batch["mask"].dtype == torch.int64
    assert not torch.equal(batch["mask"], split["mask"][:8].long())
    assert ((seen > 0.5) != (mask > 0.5)).float().mean() < 0.01
    after = generator.get_state()
    generator.manual_seed(3)
    shapes.make_batch(split, torch.arange(8), shapes.to_settings(), generator)
    assert torch.equal(generator.get_state(), after), "one draw of numbers a batch"


@pytest.mark.skipif(
    not (Path(os.environ.get("LAYERLOOM_DATA", "/nonexistent")) / "dsb2018_nuclei").is_dir(), reason="no nuclei"
)
def test_nuclei_are_read_and_resized() -> None:
    splits = data.load(Nuclei(size=64, colour="colour"))
    assert {k: tuple(v["image"].shape) for k, v in splits.items()} == {
        "train": (120, 3, 64, 64),
        "validation": (30, 3, 64, 64),
    }
    assert splits["train"]["mask"].unique().tolist() == [0, 1]
    # index.csv of the original gives the share of nuclei in each picture: 0.0872 in the first, 0.0723 in the second.
    shares = splits["train"]["mask"][:2].float().mean((1, 2))
    assert shares.tolist() == pytest.approx([0.0872, 0.0723], abs=0.01)


def test_without_its_files_nuclei_says_where_to_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path / "home"))
    with pytest.raises(data.DataError, match=r"dsb2018_nuclei.*LAYERLOOM_DATA"):
        data.load(Nuclei(), present=tmp_path)


# --- checks ----------------------------------------------------------------------------------------


def small(channels: int = 3, padding: int = 1, loss: str = "cross_entropy", **conv: Any) -> Project:
    graph = chain(
        ("image", block("Image", channels=3, height=32, width=32)),
        ("conv1", block("Conv2d", out_channels=8, kernel_size=3, padding=padding)),
        ("relu1", block("ReLU")),
        ("score", block("Conv2d", out_channels=channels, kernel_size=1, **conv)),
        ("output", block("Output")),
    )
    shapes = {"height": 32, "width": 32, "samples": 40, "kinds": ["circle", "star"], "smallest": 0.2, "largest": 0.3}
    return project(graph, Choice("shape_masks", shapes), task=Choice("segmentation"), loss=Choice(loss))


def test_the_number_of_maps_depends_on_the_loss() -> None:
    assert builder.check(small(3)).ok
    assert builder.check(small(2, loss="bce")).ok
    (problem,) = builder.check(small(2)).problems
    assert problem.code == "output-mismatch"
    assert "masks of 3 classes need 3×32×32" in problem.message
    assert "3 channels" in problem.message
    assert problem.fix is not None
    assert problem.fix.label == "Set out_channels of score to 3"
    assert builder.check(edits.apply(small(2), list(problem.fix.edits))).ok


def test_a_lost_border_will_do_but_a_coarser_picture_will_not() -> None:
    assert builder.check(small(padding=0)).ok
    coarse = small(stride=2)
    (problem,) = builder.check(coarse).problems
    assert "Enlarge" in problem.message
    assert problem.fix is not None
    fixed = edits.apply(coarse, list(problem.fix.edits))
    assert builder.check(fixed).ok
    assert builder.check(fixed).shapes["network"]["output"] == (3, 32, 32)


def test_a_vector_where_a_picture_is_wanted() -> None:
    made = small()
    graph = chain(
        ("image", block("Image", channels=3, height=32, width=32)),
        ("flatten", block("Flatten")),
        ("fc", block("Linear", out_features=4)),
        ("output", block("Output")),
    )
    (problem,) = builder.check(made.replace(networks={"network": graph})).problems
    assert problem.code == "output-mismatch"
    assert "receives 4 from fc" in problem.message


def test_other_data_is_refused_with_a_sentence() -> None:
    (problem,) = builder.check(small().replace(data=Choice("digits"))).problems
    assert problem.code == "data-task"


# --- the whole way ---------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_every_loss_trains_and_the_script_gives_the_same_numbers(loss: Any, tmp_path: Path) -> None:
    made = small(3 if loss.exclusive else 2, padding=0, loss=loss.name)
    shapes = {**made.data.settings, "flip": True, "rotate": 20.0}
    made = made.replace(data=Choice("shape_masks", shapes), training={**made.training, "epochs": 1, "batch_size": 8})
    run = builder.train(made, tmp_path / "run")
    assert {"mean_iou", "mean_dice", "picture_iou"} == set(run.metrics)
    results = run.results()
    assert results is not None
    assert results.arrays["sample/probability"].shape[1:] == (2, 30, 30)
    assert results.arrays["total/confusion"].sum() == results.arrays["sample/truth"].size
    assert records_of(builder.export(made, tmp_path / "export")) == run.history


def test_drawn_shapes_are_learnt(tmp_path: Path) -> None:
    made = builder.templates.load("unet_shapes")
    settings = {**made.data.settings, "kinds": ["circle"], "samples": 150, "height": 32, "width": 32}
    made = made.replace(data=Choice("shape_masks", settings), loss=Choice("bce_dice", BCEDice().to_settings()))
    while problems := builder.check(made).problems:  # the input's size, then the number of maps
        assert problems[0].fix is not None
        made = edits.apply(made, list(problems[0].fix.edits))
    run = builder.train(made, tmp_path / "run", epochs=4)
    assert run.metrics["picture_iou"] > 0.7
