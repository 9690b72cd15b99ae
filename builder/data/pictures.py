"""Generated pictures of any size: what a paper's network takes, without a download."""

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


def load_pictures(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Pictures made of their class's own smooth pattern, weaker smooth noise, and a little grain."""
    generator = torch.Generator().manual_seed(settings["seed"])
    count, classes = settings["samples"], settings["classes"]
    channels, size = settings["channels"], (settings["height"], settings["width"])
    check_memory(count, channels, *size)
    label = torch.arange(count) % classes
    patterns = torch.randn(classes, channels, 5, 5, generator=generator)
    image = torch.empty((count, channels, *size), dtype=torch.uint8)
    for start in range(0, count, 64):
        part = label[start : start + 64]
        coarse = patterns[part] + 0.5 * torch.randn(len(part), channels, 5, 5, generator=generator)
        smooth = F.interpolate(coarse, size=size, mode="bicubic", align_corners=True)
        smooth += 0.2 * torch.randn(smooth.shape, generator=generator)
        image[start : start + 64] = (127.5 + 50 * smooth).round_().clamp_(0, 255).to(torch.uint8)
        if progress is not None:
            progress("Drawing pictures", min(1.0, (start + 64) / count))
    return take_splits({"image": image, "label": label}, settings)


def pictures_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Generated pictures as floats, N×C×H×W."""
    return picture_batch(split, index, settings, generator, mean=(0.5,), std=(0.2,))


class GeneratedPictures(Pictures):
    """Pictures of any shape with any number of classes, drawn from a seed; they can be learnt."""

    name = "pictures"
    label = "Generated pictures"
    help = "Pictures drawn from a seed, of any size and number of classes: one smooth pattern a class, with noise."
    order = 20
    tasks = ("classification", "generation", "reconstruction")
    helpers = (stratified_split, take_splits, check_memory, augment, picture_batch)
    load_arrays = staticmethod(load_pictures)
    make_batch = staticmethod(pictures_batch)

    channels: int = setting(3, min=1, max=16, help="1 is grey, 3 is colour")
    height: int = setting(32, min=4, max=1024, unit="px", help="rows of pixels")
    width: int = setting(32, min=4, max=1024, unit="px", help="columns of pixels")
    classes: int = setting(10, min=2, max=10_000, help="number of classes")
    samples: int = setting(512, min=16, max=100_000, help="number of pictures in all")
    seed: int = setting(0, min=0, max=2**31 - 1, help="another number draws other pictures")
    test: float = setting(0.15, min=0, max=0.4, label="test part", help="part of the samples kept for the final test")

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((self.channels, self.height, self.width), "image"),
            "label": Field((), "class", self.classes),
        }

    def class_names(self) -> tuple[str, ...]:
        return tuple(f"pattern {number}" for number in range(self.classes))

    def size_hint(self) -> dict[str, int]:
        return split_sizes(self.samples, self.validation, self.test)
