"""Drawn shapes: areas from geometry, boxes around what is seen, classes, and the same picture from the same seed."""

import math
from typing import Any

import pytest
import torch

from blocks.base import SettingError
from builder.data.shapes import KINDS, DrawnShapes, draw_shapes


def drawn(count: int = 40, **changes: Any) -> dict[str, torch.Tensor]:
    return draw_shapes(count, DrawnShapes(**changes).to_settings())


@pytest.mark.parametrize(
    ("kind", "area"),
    [
        ("circle", math.pi),
        ("triangle", 3 * math.sqrt(3) / 4),  # equilateral, inscribed in the circle
        ("star", 10 * 0.5 * 0.45 * math.sin(math.pi / 5)),  # ten triangles between a tip (1) and a notch (0.45)
    ],
)
def test_areas_are_those_of_geometry(kind: str, area: float) -> None:
    found = drawn(20, kinds=(kind,), fewest=1, most=1, smallest=0.3, largest=0.3, height=200, width=200, noise=0)
    pixels = (found["mask"] > 0).flatten(1).sum(1) / 60**2
    assert torch.allclose(pixels, torch.full((20,), area), rtol=0.02)


def test_rectangles_are_inscribed_in_their_circle() -> None:
    found = drawn(50, kinds=("rectangle",), fewest=1, most=1, smallest=0.3, largest=0.3, height=200, width=200)
    pixels = (found["mask"] > 0).flatten(1).sum(1) / 60**2
    # 4·a·√(1 − a²) for a from 0.45 to 0.95: at most a square's 2.
    assert pixels.max() < 2.04
    assert pixels.min() > 4 * 0.95 * math.sqrt(1 - 0.95**2) * 0.97
    assert pixels.std() > 0.05


def test_a_box_is_the_extent_of_what_is_seen() -> None:
    found = drawn(200, fewest=1, most=1)
    for mask, box, kind in zip(found["mask"], found["box"][:, 0], found["box_class"][:, 0], strict=True):
        rows, columns = torch.nonzero(mask.any(1)).flatten(), torch.nonzero(mask.any(0)).flatten()
        assert box.tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        assert mask.unique().tolist() == [0, 1 + kind]


def test_every_pixel_of_the_mask_lies_in_a_box_of_its_class() -> None:
    found = drawn(60, fewest=2, most=6, height=48, width=80)
    rows, columns = torch.meshgrid(torch.arange(48) + 0.5, torch.arange(80) + 0.5, indexing="ij")
    for mask, boxes, kinds in zip(found["mask"], found["box"], found["box_class"], strict=True):
        covered = torch.zeros(48, 80, len(KINDS) + 1, dtype=torch.bool)
        covered[..., 0] = True
        for (left, top, right, bottom), kind in zip(boxes, kinds, strict=True):
            if kind >= 0:
                inside = (columns > left) & (columns < right) & (rows > top) & (rows < bottom)
                covered[..., 1 + kind] |= inside
        assert covered.gather(2, mask.long()[..., None]).all()


def test_numbers_of_shapes_and_classes() -> None:
    found = drawn(400, fewest=0, most=3, smallest=0.08, largest=0.12)
    count = (found["box_class"] >= 0).sum(1)
    assert count.unique().tolist() == [0, 1, 2, 3]
    counts = torch.bincount(found["box_class"][found["box_class"] >= 0], minlength=4)
    assert counts.min() > 0.8 * counts.max()
    assert found["box"][found["box_class"] < 0].abs().sum() == 0


def test_the_seed_decides_and_colour_and_size_are_kept() -> None:
    assert torch.equal(drawn(5)["image"], drawn(5)["image"])
    assert not torch.equal(drawn(5)["image"], drawn(5, seed=1)["image"])
    found = drawn(3, colour="grey", height=32, width=48)
    assert found["image"].shape == (3, 1, 32, 48)
    assert found["mask"].shape == (3, 32, 48)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(SettingError, match="kinds is"):
        DrawnShapes(kinds=("hexagon",))
    with pytest.raises(SettingError, match="fewest is 5"):
        DrawnShapes(fewest=5, most=2)
    with pytest.raises(SettingError, match="smallest is"):
        DrawnShapes(smallest=0.4, largest=0.3)
