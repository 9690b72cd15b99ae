"""Generated points in the plane: spirals, half moons, rings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blocks.base import setting
from builder.data.base import Dataset, Field, split_sizes
from builder.data.plain import rows_batch, stratified_split, take_splits


def load_spirals(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Points along one spiral arm a class, from the middle to radius 1, with noise added."""
    generator = torch.Generator().manual_seed(settings["seed"])
    count, classes = settings["samples"], settings["classes"]
    label = torch.arange(count) % classes
    radius = torch.sqrt(torch.rand(count, generator=generator)) * 0.95 + 0.05
    angle = 2 * torch.pi * (settings["turns"] * radius + label / classes)
    point = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
    point += settings["noise"] * torch.randn(count, 2, generator=generator)
    return take_splits({"point": point, "label": label}, settings)


def load_moons(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Two interleaving half circles, as scikit-learn's make_moons, moved to the middle."""
    generator = torch.Generator().manual_seed(settings["seed"])
    count = settings["samples"]
    label = torch.arange(count) % 2
    angle = torch.pi * torch.rand(count, generator=generator)
    upper = torch.stack([torch.cos(angle) - 0.5, torch.sin(angle) - 0.25], dim=1)
    lower = torch.stack([0.5 - torch.cos(angle), 0.25 - torch.sin(angle)], dim=1)
    point = torch.where(label.unsqueeze(1) == 0, upper, lower)
    point += settings["noise"] * torch.randn(count, 2, generator=generator)
    return take_splits({"point": point, "label": label}, settings)


def load_circles(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """One ring a class around the middle; class 0 is the smallest, the last has radius 1."""
    generator = torch.Generator().manual_seed(settings["seed"])
    count, classes = settings["samples"], settings["classes"]
    label = torch.arange(count) % classes
    radius = (label + 1) / classes
    angle = 2 * torch.pi * torch.rand(count, generator=generator)
    point = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
    point += settings["noise"] * torch.randn(count, 2, generator=generator)
    return take_splits({"point": point, "label": label}, settings)


class Points(Dataset):
    """Base of the sets of points in the plane."""

    kind = "points"
    tasks = ("classification", "generation")
    helpers = (stratified_split, take_splits)
    make_batch = staticmethod(rows_batch)

    samples: int = setting(1000, min=20, max=100_000, help="number of points in all")
    noise: float = setting(0.05, min=0, max=1, help="standard deviation of the noise added to both coordinates")
    seed: int = setting(0, min=0, max=2**31 - 1, help="another number draws other points")
    validation: float = setting(
        0.2, min=0.01, max=0.4, label="validation part", help="part of the points kept for validation"
    )
    test: float = setting(0.2, min=0, max=0.4, label="test part", help="part of the points kept for the final test")
    split_seed: int = setting(0, min=0, max=2**31 - 1, help="another number gives another split")

    def class_count(self) -> int:
        """The number of classes."""
        return 2

    def fields(self) -> dict[str, Field]:
        return {"point": Field((2,), "features"), "label": Field((), "class", self.class_count())}

    def class_names(self) -> tuple[str, ...]:
        return tuple(str(number) for number in range(self.class_count()))

    def size_hint(self) -> dict[str, int]:
        return split_sizes(self.samples, self.validation, self.test)


class Spirals(Points):
    """Interleaved spiral arms, the hardest of the three to tell apart."""

    name = "spirals"
    label = "Spirals"
    help = "Points on intertwined spiral arms; a network needs hidden layers to tell them apart."
    order = 10
    load_arrays = staticmethod(load_spirals)

    classes: int = setting(2, min=2, max=8, help="number of spiral arms")
    turns: float = setting(1.0, min=0.1, max=4, help="how often an arm winds around the middle")

    def class_count(self) -> int:
        return self.classes


class Moons(Points):
    """Two interleaving half circles."""

    name = "moons"
    label = "Moons"
    help = "Two half circles that reach into each other."
    order = 11
    load_arrays = staticmethod(load_moons)

    noise: float = setting(0.1, min=0, max=1, help="standard deviation of the noise added to both coordinates")


class Circles(Points):
    """Rings around the middle."""

    name = "circles"
    label = "Circles"
    help = "Rings inside each other; no straight line parts them."
    order = 12
    load_arrays = staticmethod(load_circles)

    classes: int = setting(2, min=2, max=8, help="number of rings")

    def class_count(self) -> int:
        return self.classes
