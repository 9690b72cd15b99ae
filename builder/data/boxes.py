"""Pictures with boxes: how a batch of them is made, and two generated sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from blocks.base import setting
from builder.data.base import Field, split_sizes
from builder.data.picture_settings import Pictures
from builder.data.plain import augment, check_memory, picture_batch, stratified_split, take_splits
from builder.data.shapes import DrawnShapes, draw_shapes, place_shapes, shape_outline


def move_boxes(
    boxes: torch.Tensor, labels: torch.Tensor, settings: dict[str, Any], draws: torch.Tensor, width: int, height: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes (N, M, 4) and their classes after what `augment` did to the pictures with the same draws (N, 5).

    A box of which less than a quarter is left in the picture is gone (class -1).
    """
    flip, shift, zoom = settings["flip"], settings["shift"], settings["zoom"]
    mirror = torch.where(draws[:, 0] < 0, -1.0, 1.0) if flip else torch.ones(len(draws))
    scale = 1 / (1 + draws[:, 4] * zoom)
    across = torch.round(draws[:, 1] * shift * width) * (2 / width)
    down = torch.round(draws[:, 2] * shift * height) * (2 / height)
    # A place of the result, from -1 to 1, shows the place (scale · mirror · place + move) of the source.
    factor = torch.stack([scale * mirror, scale], dim=1).repeat(1, 2)[:, None].to(boxes.device)
    move = torch.stack([across, down], dim=1).repeat(1, 2)[:, None].to(boxes.device)
    moved = ((boxes * 2 - 1 - move) / factor + 1) / 2
    low, high = torch.minimum(moved[..., :2], moved[..., 2:]), torch.maximum(moved[..., :2], moved[..., 2:])
    whole = (high - low).prod(-1)
    moved = torch.cat([low, high], dim=-1).clamp(0, 1)
    left = (moved[..., 2:] - moved[..., :2]).prod(-1)
    seen = (labels >= 0) & (left > 0.25 * whole)
    return moved * seen[..., None], torch.where(seen, labels, -1)


def box_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Pictures as floats, their boxes (N, M, 4) as parts of width and height, and the boxes' classes (N, M)."""
    index = index.to(split["image"].device)
    boxes, labels = split["box"].index_select(0, index), split["box_class"].index_select(0, index)
    height, width = split["image"].shape[2:]
    if generator is not None and (settings["flip"] or settings["shift"] or settings["zoom"]):
        again = torch.Generator()
        again.set_state(generator.get_state())
        draws = torch.rand(len(index), 5, generator=again) * 2 - 1  # those that the pictures are moved by
        boxes, labels = move_boxes(boxes, labels, settings, draws, width, height)
    pictures = {"image": split["image"]}
    batch = picture_batch(pictures, index, settings, generator, mean=(0.5,), std=(0.25,))
    return {**batch, "box": boxes, "box_class": labels}


def load_shape_boxes(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Drawn shapes with a box around each."""
    found = draw_shapes(settings["samples"], settings, progress)
    size = torch.tensor([settings["width"], settings["height"]] * 2)
    fields = {"image": found["image"], "box": found["box"] / size, "box_class": found["box_class"]}
    return take_splits(fields, settings)


def load_pattern_boxes(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Rectangles with the smooth pattern of their class, on a smooth grey ground."""
    generator = torch.Generator().manual_seed(settings["seed"])
    count, classes, most = settings["samples"], settings["classes"], settings["most"]
    height, width = settings["height"], settings["width"]
    check_memory(count, 3, height, width)
    patterns = torch.randn(classes, 3, 4, 4, generator=generator)
    image = torch.empty((count, 3, height, width), dtype=torch.uint8)
    box, label = torch.zeros(count, most, 4), torch.full((count, most), -1)
    for i in range(count):
        ground = 0.4 * torch.randn(1, 1, 4, 4, generator=generator).expand(1, 3, 4, 4)
        picture = F.interpolate(ground, size=(height, width), mode="bicubic", align_corners=True)[0]
        for k in range(int(torch.randint(1, most + 1, (1,), generator=generator))):
            size = torch.rand(2, generator=generator) * 0.35 + 0.15
            low = torch.rand(2, generator=generator) * (1 - size)
            left, right = round(low[0].item() * width), round((low + size)[0].item() * width)
            top, bottom = round(low[1].item() * height), round((low + size)[1].item() * height)
            label[i, k] = torch.randint(classes, (1,), generator=generator)
            box[i, k] = torch.tensor([left / width, top / height, right / width, bottom / height])
            shown = patterns[label[i, k]][None]
            picture[:, top:bottom, left:right] = F.interpolate(shown, size=(bottom - top, right - left), mode="bicubic")
        picture += 0.1 * torch.randn(picture.shape, generator=generator)
        image[i] = (127.5 + 45 * picture).round_().clamp_(0, 255).to(torch.uint8)
        if progress is not None:
            progress("Drawing pictures", (i + 1) / count)
    return take_splits({"image": image, "box": box, "box_class": label}, settings)


class ShapeBoxes(DrawnShapes):
    """Circles, rectangles, triangles and stars, and where they are."""

    name = "shape_boxes"
    label = "Drawn shapes with boxes"
    help = "Coloured shapes on a shaded ground; each has a box around it. Drawn on this machine from a seed."
    order = 21
    tasks = ("detection",)
    helpers = (
        *(shape_outline, place_shapes, draw_shapes, stratified_split, take_splits),
        *(check_memory, augment, picture_batch, move_boxes),
    )
    load_arrays = staticmethod(load_shape_boxes)
    make_batch = staticmethod(box_batch)

    rotate: float = setting(0.0, min=0, max=0, unit="°", help="pictures with boxes are not turned")
    samples: int = setting(2000, min=8, max=100_000, help="number of pictures in all")

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((self.channels(), self.height, self.width), "image"),
            "box": Field((self.most, 4), "boxes"),
            "box_class": Field((self.most,), "box_classes", len(self.kinds)),
        }

    def class_names(self) -> tuple[str, ...]:
        return self.kinds


class PatternBoxes(Pictures):
    """Pictures of PASCAL VOC's size and number of classes, without a download."""

    name = "pattern_boxes"
    label = "Generated pictures with boxes"
    help = "Rectangles filled with the pattern of their class, of any number of classes; drawn from a seed."
    order = 22
    tasks = ("detection",)
    helpers = (check_memory, stratified_split, take_splits, augment, picture_batch, move_boxes)
    load_arrays = staticmethod(load_pattern_boxes)
    make_batch = staticmethod(box_batch)

    height: int = setting(448, min=16, max=1024, unit="px", help="rows of pixels")
    width: int = setting(448, min=16, max=1024, unit="px", help="columns of pixels")
    classes: int = setting(20, min=2, max=1000, help="number of classes")
    most: int = setting(3, min=1, max=20, help="the most rectangles in a picture")
    samples: int = setting(64, min=8, max=100_000, help="number of pictures in all")
    seed: int = setting(0, min=0, max=2**31 - 1, help="another number draws other pictures")
    rotate: float = setting(0.0, min=0, max=0, unit="°", help="pictures with boxes are not turned")
    test: float = setting(0.15, min=0, max=0.4, label="test part", help="part of the samples kept for the final test")

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((3, self.height, self.width), "image"),
            "box": Field((self.most, 4), "boxes"),
            "box_class": Field((self.most,), "box_classes", self.classes),
        }

    def class_names(self) -> tuple[str, ...]:
        return tuple(f"pattern {number}" for number in range(self.classes))

    def size_hint(self) -> dict[str, int]:
        return split_sizes(self.samples, self.validation, self.test)
