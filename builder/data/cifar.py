"""CIFAR-10, from its binary version (the other one is a Python pickle, which could run code)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blocks.base import setting
from builder.data.base import Field, split_sizes
from builder.data.download import fetch, file_hash
from builder.data.picture_settings import SizedPictures
from builder.data.plain import augment, check_memory, picture_batch, recolour, resize, stratified_split, take_splits


def read_cifar(path: Path) -> dict[str, torch.Tensor]:
    """The records of cifar-10-binary.tar.gz: image uint8 (60000, 3, 32, 32), training first, and label."""
    import tarfile

    names = [f"cifar-10-batches-bin/data_batch_{n}.bin" for n in range(1, 6)] + ["cifar-10-batches-bin/test_batch.bin"]
    size = 10_000 * 3073  # a record is one label and 3×32×32 bytes
    blocks: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.name in names and member.isfile() and member.size == size:
                    file = archive.extractfile(member)
                    blocks[member.name] = file.read() if file is not None else b""
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ValueError(f"{path} cannot be read ({error}). Delete it, so that it is fetched again.") from error
    if any(len(blocks.get(name, b"")) != size for name in names):
        raise ValueError(f"{path} is not the binary version of CIFAR-10. Delete it, so that it is fetched again.")
    records = np.frombuffer(b"".join(blocks[name] for name in names), np.uint8).reshape(-1, 3073)
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy())
    return {"image": images, "label": torch.from_numpy(records[:, 0].astype(np.int64))}


def load_cifar10(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """CIFAR-10 (A. Krizhevsky 2009): 50,000 colour pictures of 32×32 for training, 10,000 for testing."""
    file = "cifar-10-binary.tar.gz"
    files = {file: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
    mirrors = ("https://www.cs.toronto.edu/~kriz/",)
    data = read_cifar(fetch("cifar10", "CIFAR-10", files, mirrors, folder, progress)[file])
    parts = []
    for part in (slice(0, settings["limit"] or 50_000), slice(50_000, None)):
        images = resize(recolour(data["image"][part], settings["colour"]), settings["size"], settings["size"])
        parts.append({"image": images, "label": data["label"][part]})
    return take_splits(parts[0], settings, test=parts[1])


def cifar10_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """CIFAR-10's pictures as floats, with each channel's mean and deviation in training."""
    if settings["colour"] == "grey":
        return picture_batch(split, index, settings, generator, mean=(0.4809,), std=(0.2392,))
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    return picture_batch(split, index, settings, generator, mean=mean, std=std)


class Cifar10(SizedPictures):
    """Small photographs of ten kinds of things, from 80 million tiny images."""

    name = "cifar10"
    label = "CIFAR-10"
    help = "60,000 colour photographs of 32×32 pixels in ten classes; downloads 170 MB once."
    order = 4
    requires = ("pooch",)
    helpers = (
        stratified_split,
        take_splits,
        check_memory,
        resize,
        recolour,
        augment,
        picture_batch,
        file_hash,
        fetch,
        read_cifar,
    )
    load_arrays = staticmethod(load_cifar10)
    make_batch = staticmethod(cifar10_batch)

    size: int = setting(32, min=4, max=512, unit="px", help="height and width the pictures are resized to")
    colour: str = setting("colour", choices=("grey", "colour"), help="one channel, or three")
    validation: float = setting(
        0.1, min=0.01, max=0.5, label="validation part", help="part of the training samples kept for validation"
    )
    limit: int = setting(
        0, min=0, max=50_000, help="use only the first so many training pictures; 0 uses all", label="training samples"
    )

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((self.channels(), self.size, self.size), "image"),
            "label": Field((), "class", 10),
        }

    def class_names(self) -> tuple[str, ...]:
        return ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def size_hint(self) -> dict[str, int]:
        return {**split_sizes(self.limit or 50_000, self.validation), "test": 10_000}
