"""Blood cells under the microscope, with boxes: the BCCD data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blocks.base import setting
from builder.data.annotations import read_voc, usable_box
from builder.data.base import Field
from builder.data.boxes import box_batch, move_boxes
from builder.data.image_zip import decode_picture
from builder.data.picture_settings import SizedPictures
from builder.data.plain import augment, picture_batch


def box_fields(pictures: list[tuple[Any, dict[str, Any]]], classes: list[str], most: int) -> dict[str, torch.Tensor]:
    """Decoded pictures (uint8, C×H×W) with their annotations as the fields of a data set with boxes.

    Boxes become parts of width and height; of a picture with more than `most`, the largest are kept.
    """
    image = torch.stack([torch.from_numpy(pixels) for pixels, _ in pictures])
    box, label = torch.zeros(len(pictures), most, 4), torch.full((len(pictures), most), -1)
    for i, (_, told) in enumerate(pictures):
        size = torch.tensor([told["width"], told["height"]] * 2)
        objects = sorted(told["objects"], key=lambda o: -(o[1][2] - o[1][0]) * (o[1][3] - o[1][1]))[:most]
        for k, (name, edges) in enumerate(objects):
            box[i, k], label[i, k] = torch.tensor(edges) / size, classes.index(name)
    return {"image": image, "box": box, "box_class": label}


def load_blood_cells(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """BCCD (Shenggan, MIT licence): 364 pictures of 640×480, split as its authors do; boxes without area are left out."""
    place = None if folder is None else folder / "bccd_voc"
    if place is None or not (place / "ImageSets" / "Main" / "train.txt").is_file():
        raise ValueError(
            "The blood cells are not on this machine. Put the folder BCCD of github.com/Shenggan/BCCD_Dataset, called "
            "bccd_voc, into a folder, and name that by LAYERLOOM_DATA when you start Layerloom."
        )
    classes = ["red cell", "white cell", "platelet"]
    called = {"RBC": "red cell", "WBC": "white cell", "Platelets": "platelet"}
    splits = {}
    for split, file in (("train", "train"), ("validation", "val"), ("test", "test")):
        pictures = []
        names = (place / "ImageSets" / "Main" / f"{file}.txt").read_text().split()
        for done, name in enumerate(names):
            content = (place / "Annotations" / f"{name}.xml").read_bytes()
            told, problems = read_voc(content, f"{name}.xml", tuple(called))
            if told is None:
                raise ValueError(problems[0])
            told["objects"] = [(called[label], edges) for label, edges in told["objects"]]
            path = place / "JPEGImages" / f"{name}.jpg"
            try:
                pixels = decode_picture(path.read_bytes(), settings["size"], settings["colour"], "stretch")
            except ValueError as error:
                raise ValueError(f"{path} cannot be used: {error}.") from error
            pictures.append((pixels, told))
            if progress is not None:
                progress(f"Reading blood cells ({split})", (done + 1) / len(names))
        splits[split] = box_fields(pictures, classes, settings["most"])
    return splits


class BloodCells(SizedPictures):
    """Blood cells (BCCD, MIT licence)."""

    name = "blood_cells"
    label = "Blood cells"
    help = "364 pictures of blood under the microscope with boxes around red cells, white cells and platelets."
    order = 23
    tasks = ("detection",)
    requires = ("pillow",)
    helpers = (usable_box, read_voc, decode_picture, box_fields, augment, picture_batch, move_boxes)
    load_arrays = staticmethod(load_blood_cells)
    make_batch = staticmethod(box_batch)

    size: int = setting(208, min=32, max=512, unit="px", help="height and width the pictures are resized to")
    colour: str = setting("colour", choices=("grey", "colour"), help="one channel, or three")
    rotate: float = setting(0.0, min=0, max=0, unit="°", help="pictures with boxes are not turned")
    most: int = setting(30, min=1, max=100, help="the most boxes of a picture; of more, the largest are kept")

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((self.channels(), self.size, self.size), "image"),
            "box": Field((self.most, 4), "boxes"),
            "box_class": Field((self.most,), "box_classes", 3),
        }

    def class_names(self) -> tuple[str, ...]:
        return ("red cell", "white cell", "platelet")

    def size_hint(self) -> dict[str, int]:
        return {"train": 205, "validation": 87, "test": 72}
