"""Generated points in the plane that lie around several centres: the test of a generator of points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blocks.base import setting
from builder.data.plain import take_splits
from builder.data.points import Points


def load_ring_of_clouds(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Round clouds of points whose centres lie on a circle of radius 1."""
    generator = torch.Generator().manual_seed(settings["seed"])
    label = torch.arange(settings["samples"]) % settings["clouds"]
    angle = 2 * torch.pi * label / settings["clouds"]
    point = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    point += settings["noise"] * torch.randn(len(label), 2, generator=generator)
    return take_splits({"point": point, "label": label}, settings)


def load_grid_of_clouds(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Round clouds of points whose centres are the places of a square grid from -1 to 1."""
    generator = torch.Generator().manual_seed(settings["seed"])
    side = settings["side"]
    label = torch.arange(settings["samples"]) % side**2
    point = torch.stack([label % side, label // side], dim=1) * (2 / (side - 1)) - 1
    point += settings["noise"] * torch.randn(len(label), 2, generator=generator)
    return take_splits({"point": point, "label": label}, settings)


class RingOfClouds(Points):
    """The mixture on which mode collapse is usually shown (Metz et al. 2017)."""

    name = "ring_of_clouds"
    label = "Ring of clouds"
    help = "Points in small clouds around a circle; a collapsed generator makes only some of them."
    order = 13
    tasks = ("generation", "classification")
    load_arrays = staticmethod(load_ring_of_clouds)

    clouds: int = setting(8, min=2, max=64, help="number of clouds around the circle")

    def class_count(self) -> int:
        return self.clouds

    def class_names(self) -> tuple[str, ...]:
        return tuple(f"{360 * i / self.clouds:.0f}°" for i in range(self.clouds))


class GridOfClouds(Points):
    """Clouds on a square grid, 25 unless set otherwise."""

    name = "grid_of_clouds"
    label = "Grid of clouds"
    help = "Points in small clouds on a square grid: many places that a generator has to find."
    order = 14
    tasks = ("generation", "classification")
    load_arrays = staticmethod(load_grid_of_clouds)

    side: int = setting(5, min=2, max=8, help="clouds in a row and in a column")

    def class_count(self) -> int:
        return self.side**2
