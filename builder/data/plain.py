"""Plain functions that several data sets share; their source is copied into the exported ``train.py``.

They use only torch, numpy, the standard library and each other, and whatever else they import inside
themselves. A data set lists those it needs in `helpers`, the ones they call first.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F


def stratified_split(labels: torch.Tensor, parts: dict[str, float], seed: int) -> dict[str, torch.Tensor]:
    """Divide samples so that every part has each class in nearly its share of the whole.

    `parts` gives the fraction of each part but "train", which gets the rest; a fraction above 0 gives
    at least one sample, a fraction of 0 leaves its part out. Returns sample numbers in rising order.
    The sizes depend only on the number of samples: round(fraction * count).
    """
    count = len(labels)
    sizes = {name: max(1, round(part * count)) for name, part in parts.items() if part > 0}
    if sum(sizes.values()) >= count:
        raise ValueError(f"There are only {count} samples; that is too few to set some aside. Use more samples.")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(count, generator=generator)
    # A sample's place within its (shuffled) class, from 0 to 1. Read in this order, any stretch of
    # samples holds every class in its share of the whole.
    place = torch.empty(count, dtype=torch.float64)
    for value in torch.unique(labels):
        members = order[labels[order] == value]
        offset = torch.rand(1, generator=generator, dtype=torch.float64)
        place[members] = (torch.arange(len(members), dtype=torch.float64) + offset) / len(members)
    order = torch.argsort(place, stable=True)
    found = {}
    for name, size in sizes.items():
        found[name] = order[:size].sort().values
        order = order[size:]
    return {"train": order.sort().values, **found}


def take_splits(
    fields: dict[str, torch.Tensor], settings: dict[str, Any], test: dict[str, torch.Tensor] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Splits of samples that come in one piece, by the settings `validation`, `test` and `split_seed`.

    With `test`, a data set's own test samples, only validation samples are set aside. Where there are
    labels, every split has each class in nearly its share of the whole.
    """
    parts = {"validation": settings["validation"]}
    if test is None:
        parts["test"] = settings["test"]
    count = len(next(iter(fields.values())))
    chosen = stratified_split(fields.get("label", torch.zeros(count)), parts, settings["split_seed"])
    splits = {name: {field: tensor[index] for field, tensor in fields.items()} for name, index in chosen.items()}
    if test is not None:
        splits["test"] = test
    return splits


def table_splits(fields: dict[str, torch.Tensor], settings: dict[str, Any]) -> dict[str, dict[str, torch.Tensor]]:
    """Splits of a table; "standard" uses each column's mean and deviation in training."""
    splits = take_splits(fields, settings)
    if settings["normalization"] == "standard":
        mean = splits["train"]["features"].mean(0)
        std = splits["train"]["features"].std(0).clamp_min(1e-6)
        for split in splits.values():
            split["features"] = (split["features"] - mean) / std
    return splits


def rows_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Samples as they are: these rows of every field."""
    index = index.to(next(iter(split.values())).device)
    return {name: values.index_select(0, index) for name, values in split.items()}


def complete_splits(
    splits: dict[str, dict[str, torch.Tensor]], settings: dict[str, Any]
) -> dict[str, dict[str, torch.Tensor]]:
    """Splits that may be data's own: without one for validation it is taken from "train", as is a test that lacks."""
    if "validation" in splits:
        return splits
    if "test" in splits:
        return take_splits(splits["train"], settings, splits["test"])
    return take_splits(splits["train"], settings)


def check_memory(count: int, channels: int, height: int, width: int) -> None:
    """Refuse pictures that would not fit into three quarters of this machine's memory."""
    import os

    needed = count * channels * height * width
    if not hasattr(os, "sysconf"):
        return  # Windows does not tell without further libraries
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > 0.75 * memory:
        raise ValueError(
            f"{count:,} pictures of {channels}×{height}×{width} take {needed / 1e9:.1f} GB, and this machine has "
            f"{memory / 1e9:.1f} GB of memory. Choose a smaller size or fewer samples."
        )


def resize(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Pictures uint8 (N, C, H, W) at another size, bilinear with antialiasing."""
    if tuple(images.shape[2:]) == (height, width) or len(images) == 0:
        return images
    check_memory(len(images), images.shape[1], height, width)
    result = torch.empty((*images.shape[:2], height, width), dtype=torch.uint8)
    for start in range(0, len(images), 1024):  # in pieces, since floats take four times the memory
        piece = images[start : start + 1024].to(torch.float32)
        piece = F.interpolate(piece, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
        result[start : start + 1024] = piece.round_().clamp_(0, 255).to(torch.uint8)
    return result


def recolour(images: torch.Tensor, colour: str) -> torch.Tensor:
    """Pictures uint8 (N, C, H, W) with one channel ("grey") or three ("colour").

    Grey is the luma of ITU-R BT.601, as in Pillow; grey pictures become coloured by repeating them.
    """
    channels = 1 if colour == "grey" else 3
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    luma = torch.empty((len(images), 1, *images.shape[2:]), dtype=torch.uint8)
    weights = torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    for start in range(0, len(images), 4096):
        piece = images[start : start + 4096].to(torch.float32)
        luma[start : start + 4096] = (piece * weights).sum(1, keepdim=True).round_().to(torch.uint8)
    return luma


def augment(
    images: torch.Tensor, settings: dict[str, Any], generator: torch.Generator, mode: str = "bilinear"
) -> torch.Tensor:
    """Flip, shift, zoom and rotate each picture (float, N×C×H×W) of a batch at random.

    Settings: `flip` (left-right, half of the time), `shift` (at most this part of the side, whole
    pixels), `zoom` (at most this much larger or smaller; larger crops), `rotate` (at most this many
    degrees). What comes in from outside is black. `mode` is "nearest" for values that must not be blended.
    """
    flip, shift, zoom, rotate = settings["flip"], settings["shift"], settings["zoom"], settings["rotate"]
    if not (flip or shift or zoom or rotate):
        return images
    count, _, height, width = images.shape
    # Always five numbers a picture, from one generator on the CPU: the same on every device.
    draws = torch.rand(count, 5, generator=generator) * 2 - 1
    mirror = torch.where(draws[:, 0] < 0, -1.0, 1.0) if flip else torch.ones(count)
    if not (shift or zoom or rotate):
        chosen = (mirror < 0).reshape(-1, 1, 1, 1).to(images.device)
        return torch.where(chosen, images.flip(3), images)
    angle = draws[:, 3] * (rotate * 3.141592653589793 / 180)
    scale = 1 / (1 + draws[:, 4] * zoom)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    # affine_grid maps places of the result to places of the source, both from -1 to 1, so a pixel
    # is 2/width wide; the aspect ratio keeps a rotation of an oblong picture a rotation.
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = cos * mirror
    theta[:, 0, 1] = -sin * (height / width) * mirror
    theta[:, 0, 2] = torch.round(draws[:, 1] * shift * width) * (2 / width)
    theta[:, 1, 0] = sin * (width / height)
    theta[:, 1, 1] = cos
    theta[:, 1, 2] = torch.round(draws[:, 2] * shift * height) * (2 / height)
    grid = F.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)


def measured_colours(settings: dict[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel as measured at an upload; of colour pictures read as grey, the channels'."""
    mean, std = tuple(settings["mean"]), tuple(settings["std"])
    if settings["colour"] == "grey" and len(mean) == 3:
        return (sum(mean) / 3,), (sum(std) / 3,)
    return mean, std


def picture_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> dict[str, torch.Tensor]:
    """Pictures as floats from 0 to 1, augmented if there is a generator, then normalised; and labels, if any.

    `mean` and `std` have one number, or one for each channel. Normalisation "standard" is
    (value - mean) / std, "symmetric" -1 to 1, "none" leaves 0 to 1.
    """
    index = index.to(split["image"].device)
    images = split["image"].index_select(0, index).to(torch.float32).div_(255)
    if generator is not None:
        images = augment(images, settings, generator)
    if settings["normalization"] == "standard":
        if len(mean) == 1:
            images = images.sub_(mean[0]).div_(std[0])
        else:
            shape = (1, len(mean), 1, 1)
            center = torch.tensor(mean, device=images.device).reshape(shape)
            images = images.sub_(center).div_(torch.tensor(std, device=images.device).reshape(shape))
    elif settings["normalization"] == "symmetric":
        images = images.mul_(2).sub_(1)
    batch = {"image": images}
    if "label" in split:
        batch["label"] = split["label"].index_select(0, index)
    return batch
