"""Pictures with masks, in which every pixel has a class: drawn shapes, and the nuclei of cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from blocks.base import setting
from builder.data.base import Field
from builder.data.image_zip import decode_picture
from builder.data.picture_settings import AugmentedPictures
from builder.data.plain import augment, check_memory, picture_batch, stratified_split, take_splits
from builder.data.shapes import DrawnShapes, draw_shapes, place_shapes, shape_outline


def masked_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> dict[str, torch.Tensor]:
    """Pictures as `picture_batch` makes them and their masks, int64 (N, H, W), moved and turned with them."""
    index = index.to(split["image"].device)
    masks = split["mask"].index_select(0, index)
    before = None if generator is None else generator.get_state()
    batch = picture_batch(split, index, settings, generator, mean, std)
    if generator is not None and before is not None:
        after = generator.get_state()
        generator.set_state(before)  # the same random numbers once more
        masks = augment(masks[:, None].to(torch.float32), settings, generator, "nearest").squeeze(1)
        generator.set_state(after)
    batch["mask"] = masks.long()
    return batch


# --- drawn shapes ------------------------------------------------------------------------------------


def load_shape_masks(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Drawn shapes with their masks."""
    drawn = draw_shapes(settings["samples"], settings, progress)
    return take_splits({"image": drawn["image"], "mask": drawn["mask"]}, settings)


def shape_masks_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Drawn shapes as floats, and their masks."""
    return masked_batch(split, index, settings, generator, mean=(0.3,), std=(0.2,))


class ShapeMasks(DrawnShapes):
    """Drawn shapes; every pixel says which kind of shape it belongs to, or the background."""

    name = "shape_masks"
    label = "Drawn shapes with masks"
    help = "Circles, rectangles, triangles and stars drawn from a seed; each pixel belongs to one kind or to the background."
    order = 21
    tasks = ("segmentation",)
    helpers = (
        stratified_split,
        take_splits,
        check_memory,
        augment,
        picture_batch,
        masked_batch,
        shape_outline,
        place_shapes,
        draw_shapes,
    )
    load_arrays = staticmethod(load_shape_masks)
    make_batch = staticmethod(shape_masks_batch)

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((self.channels(), self.height, self.width), "image"),
            "mask": Field((self.height, self.width), "mask", 1 + len(self.kinds)),
        }

    def class_names(self) -> tuple[str, ...]:
        return ("background", *self.kinds)


# --- nuclei ------------------------------------------------------------------------------------------


def load_nuclei(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Nuclei of cells (Data Science Bowl 2018, BBBC038, masks corrected by K. Lopuhin), CC0.

    Reads ``dsb2018_nuclei/{train,val}/{images,masks}/*.png`` of `folder`, or of ``data`` in the folder
    LAYERLOOM_HOME names.
    """
    import os

    home = Path(os.environ.get("LAYERLOOM_HOME") or "~/.layerloom").expanduser()
    places = [place / "dsb2018_nuclei" for place in (folder, home / "data") if place is not None]
    root = next((place for place in places if (place / "train" / "images").is_dir()), None)
    if root is None:
        raise ValueError(
            f"The nuclei are not on this machine. Put the folder dsb2018_nuclei with train/images, train/masks, "
            f"val/images and val/masks into {' or '.join(str(place.parent) for place in places)}, "
            "or set LAYERLOOM_DATA to the folder that holds it."
        )
    splits = {}
    size = settings["size"]
    for split, part in (("train", "train"), ("validation", "val")):
        images, masks = [], []
        files = sorted((root / part / "images").glob("*.png"))
        for done, path in enumerate(files):
            try:
                image = decode_picture(path.read_bytes(), size, settings["colour"], "stretch")
                mask = decode_picture((root / part / "masks" / path.name).read_bytes(), size, "grey", "stretch")
            except (OSError, ValueError) as error:
                raise ValueError(f"{path} or its mask cannot be used: {error}. Put the original file back.") from error
            images.append(image)
            masks.append((mask[0] >= 128).astype(np.uint8))
            if progress is not None:
                progress("Reading nuclei", done / len(files))
        if not images:
            raise ValueError(f"{root / part / 'images'} holds no pictures. Put the original files back.")
        splits[split] = {"image": torch.from_numpy(np.stack(images)), "mask": torch.from_numpy(np.stack(masks))}
    return splits


def nuclei_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Nuclei as floats, normalised with the mean and deviation of the training pictures, and their masks."""
    return masked_batch(split, index, settings, generator, mean=(0.134,), std=(0.229,))


class Nuclei(AugmentedPictures):
    """150 microscope pictures of cells, fluorescent and stained, with the pixels of their nuclei."""

    name = "nuclei"
    label = "Nuclei of cells"
    help = "150 microscope pictures, fluorescent and stained, with the pixels that belong to nuclei; read from LAYERLOOM_DATA."
    order = 23
    tasks = ("segmentation",)
    requires = ("pillow",)
    helpers = (augment, picture_batch, masked_batch, decode_picture)
    load_arrays = staticmethod(load_nuclei)
    make_batch = staticmethod(nuclei_batch)
    counts: ClassVar[dict[str, int]] = {"train": 120, "validation": 30}

    size: int = setting(128, min=16, max=512, unit="px", help="height and width the pictures are resized to")
    colour: str = setting("grey", choices=("grey", "colour"), help="one channel, or three")

    def fields(self) -> dict[str, Field]:
        channels = 1 if self.colour == "grey" else 3
        return {
            "image": Field((channels, self.size, self.size), "image"),
            "mask": Field((self.size, self.size), "mask", 2),
        }

    def class_names(self) -> tuple[str, ...]:
        return ("background", "nucleus")

    def size_hint(self) -> dict[str, int]:
        return dict(self.counts)
