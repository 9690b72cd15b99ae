"""Drawn shapes: pictures of circles, rectangles, triangles and stars, with the mask and the box of every one.

Segmentation and detection learn from the same pictures; the data sets of both build on this file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from blocks.base import SettingError, setting
from builder.data.base import split_sizes
from builder.data.picture_settings import Pictures
from builder.data.plain import check_memory

KINDS = ("circle", "rectangle", "triangle", "star")


def shape_outline(kind: str, angle: torch.Tensor, aspect: torch.Tensor) -> torch.Tensor:
    """How far a shape's border lies from its middle in the direction `angle`, as a part of its radius.

    All four shapes are seen whole from their middle, so this says everything about them. `aspect` is
    the width of a rectangle divided by its diagonal, from 0 to 1; the others have none.
    """
    import math

    match kind:
        case "circle":
            return torch.ones_like(angle)
        case "rectangle":
            half = torch.sqrt(1 - aspect**2)
            sides = torch.stack([aspect / angle.cos().abs().clamp_min(1e-6), half / angle.sin().abs().clamp_min(1e-6)])
            return sides.amin(0)
        case "triangle":
            third = 2 * torch.pi / 3
            return 0.5 / torch.cos(torch.remainder(angle, third) - third / 2)
        case _:
            # Five points: each tenth of the star is a straight line from a tip (1) to a notch (inner).
            tenth, inner = torch.pi / 5, 0.45
            fold = torch.remainder(angle, 2 * tenth)
            fold = torch.minimum(fold, 2 * tenth - fold)
            across, along = inner * math.sin(tenth), inner * math.cos(tenth)
            return across / (across * torch.cos(fold) + (1 - along) * torch.sin(fold))


def draw_shapes(
    count: int, settings: dict[str, Any], progress: Callable[[str, float], None] | None = None
) -> dict[str, torch.Tensor]:
    """Draw `count` pictures from a seed.

    Settings: `height`, `width`, `colour` ("grey" or "colour"), `kinds` (which shapes, their order is
    that of the classes), `fewest` and `most` (shapes in a picture), `smallest` and `largest` (radius as
    a part of the shorter side), `noise` (standard deviation, of values from 0 to 1) and `seed`.

    Returns ``image`` uint8 (N, C, H, W), ``mask`` uint8 (N, H, W) with 0 for the background and 1 + the
    shape's class, ``box`` float (N, most, 4) with left, top, right, bottom in pixels around what is seen
    of each shape, and ``box_class`` (N, most), -1 where there is no further shape. Every shape lies
    inside the picture; where there is room, shapes keep apart; else later ones cover earlier ones.
    """
    generator = torch.Generator().manual_seed(settings["seed"])
    height, width, most, kinds = settings["height"], settings["width"], settings["most"], settings["kinds"]
    channels = 1 if settings["colour"] == "grey" else 3
    check_memory(count, channels + 1, height, width)
    found = {
        "image": torch.empty((count, channels, height, width), dtype=torch.uint8),
        "mask": torch.zeros((count, height, width), dtype=torch.uint8),
        "box": torch.zeros(count, most, 4),
        "box_class": torch.full((count, most), -1),
    }
    rows = torch.arange(height).reshape(1, height, 1) + 0.5
    columns = torch.arange(width).reshape(1, 1, width) + 0.5
    piece = max(1, 2_000_000 // (height * width))
    for start in range(0, count, piece):
        number = min(piece, count - start)
        scene = place_shapes(number, settings, generator)
        # A background of one colour that grows lighter or darker to one side.
        base = torch.rand(number, channels, 1, 1, generator=generator) * 0.35 + 0.05
        slope = (torch.rand(number, 2, 1, 1, generator=generator) - 0.5) * 0.3
        ramp = slope[:, :1] * (rows / height - 0.5) + slope[:, 1:] * (columns / width - 0.5)
        image = (base + ramp).expand(-1, channels, -1, -1).clone()
        paint = torch.rand(number, most, channels, generator=generator) * 0.55 + 0.45
        owner = torch.zeros((number, height, width), dtype=torch.uint8)
        for k in range(most):
            down, right = rows - scene["y"][:, k, None, None], columns - scene["x"][:, k, None, None]
            distance, radius = torch.sqrt(down**2 + right**2), scene["radius"][:, k, None, None]
            angle = torch.atan2(down, right) - scene["turn"][:, k, None, None]
            cover = torch.zeros(number, height, width)
            for value, kind in enumerate(kinds):
                chosen = scene["kind"][:, k] == value
                border = shape_outline(kind, angle[chosen], scene["aspect"][chosen, k, None, None]) * radius[chosen]
                cover[chosen] = (border - distance[chosen] + 0.5).clamp(0, 1)  # soft by one pixel
            image = torch.lerp(image, paint[:, k, :, None, None], cover[:, None])
            owner[cover >= 0.5] = k + 1
        image += settings["noise"] * torch.randn(image.shape, generator=generator)
        found["image"][start : start + number] = (image * 255).round_().clamp_(0, 255).to(torch.uint8)
        for k in range(most):
            mine = owner == k + 1
            seen = mine.flatten(1).any(1)
            kind_of = scene["kind"][:, k]
            mask = found["mask"][start : start + number]
            mask += (mine * (1 + kind_of)[:, None, None]).to(torch.uint8)
            found["box_class"][start : start + number, k] = torch.where(seen, kind_of, -1)
            across, down_ = mine.any(1).to(torch.uint8), mine.any(2).to(torch.uint8)
            edges = [
                across.argmax(1),
                down_.argmax(1),
                width - across.flip(1).argmax(1),
                height - down_.flip(1).argmax(1),
            ]
            found["box"][start : start + number, k] = torch.stack(edges, 1) * seen[:, None].float()
        if progress is not None:
            progress("Drawing shapes", (start + number) / count)
    return found


def place_shapes(count: int, settings: dict[str, Any], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Where the shapes of `count` pictures lie: (N, most) each of x, y, radius, turn, aspect, and kind (-1 for none).

    Each shape takes, of eight places drawn for it, the one that is farthest from those before it.
    """
    height, width, most = settings["height"], settings["width"], settings["most"]
    side = min(height, width)
    number = torch.randint(settings["fewest"], most + 1, (count, 1), generator=generator)
    there = torch.arange(most) < number
    kind = torch.randint(0, len(settings["kinds"]), (count, most), generator=generator)
    reach = settings["largest"] - settings["smallest"]
    radius = side * (settings["smallest"] + reach * torch.rand(count, most, generator=generator))
    turn = 2 * torch.pi * torch.rand(count, most, generator=generator)
    aspect = torch.rand(count, most, generator=generator) * 0.5 + 0.45
    place = torch.zeros(count, most, 2)
    size = torch.tensor([width, height])
    for k in range(most):
        room = radius[:, k].clamp_max(side / 2).reshape(count, 1, 1)
        tried = room + torch.rand(count, 8, 2, generator=generator) * (size - 2 * room)
        if k:
            apart = (
                (tried[:, :, None] - place[:, None, :k]).norm(dim=3) - radius[:, None, :k] - radius[:, k, None, None]
            )
            best = apart.masked_fill(~there[:, None, :k], torch.inf).amin(2).argmax(1)
        else:
            best = torch.zeros(count, dtype=torch.long)
        place[:, k] = tried[torch.arange(count), best]
    return {
        "x": place[..., 0],
        "y": place[..., 1],
        "radius": radius,
        "turn": turn,
        "aspect": aspect,
        "kind": torch.where(there, kind, -1),
    }


class DrawnShapes(Pictures):
    """Base of the data sets of drawn shapes: the settings `draw_shapes` takes."""

    height: int = setting(64, min=16, max=1024, unit="px", help="rows of pixels")
    width: int = setting(64, min=16, max=1024, unit="px", help="columns of pixels")
    colour: str = setting("colour", choices=("grey", "colour"), help="one channel, or three")
    kinds: tuple[str, ...] = setting(KINDS, help="which shapes are drawn: circle, rectangle, triangle, star")
    fewest: int = setting(1, min=0, max=20, help="the fewest shapes in a picture")
    most: int = setting(4, min=1, max=20, help="the most shapes in a picture")
    smallest: float = setting(0.1, min=0.02, max=0.5, help="the smallest radius, as a part of the shorter side")
    largest: float = setting(0.22, min=0.02, max=0.5, help="the largest radius, as a part of the shorter side")
    noise: float = setting(0.05, min=0, max=0.5, help="standard deviation of the noise, of values from 0 to 1")
    samples: int = setting(600, min=8, max=100_000, help="number of pictures in all")
    seed: int = setting(0, min=0, max=2**31 - 1, help="another number draws other pictures")
    test: float = setting(0.15, min=0, max=0.4, label="test part", help="part of the samples kept for the final test")

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise SettingError(f"kinds is {list(self.kinds)}; it lists some of {', '.join(KINDS)}, each once.")
        if self.fewest > self.most:
            raise SettingError(f"fewest is {self.fewest}, more than most, which is {self.most}.")
        if self.smallest > self.largest:
            raise SettingError(f"smallest is {self.smallest}, more than largest, which is {self.largest}.")

    def channels(self) -> int:
        """1 for grey pictures, 3 for colour."""
        return 1 if self.colour == "grey" else 3

    def size_hint(self) -> dict[str, int]:
        return split_sizes(self.samples, self.validation, self.test)
