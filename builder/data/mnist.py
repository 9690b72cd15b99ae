"""MNIST and the sets that came in its form: Fashion-MNIST and KMNIST."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blocks.base import setting
from builder.data.base import Field, split_sizes
from builder.data.download import fetch, file_hash, read_idx
from builder.data.picture_settings import Drawing, SizedPictures
from builder.data.plain import augment, check_memory, picture_batch, recolour, resize, stratified_split, take_splits


def load_idx_pictures(paths: dict[str, Path], settings: dict[str, Any]) -> dict[str, dict[str, torch.Tensor]]:
    """Splits of a data set in MNIST's four files; their own test samples stay the test."""
    parts = []
    for part in ("train", "t10k"):
        images = read_idx(paths[f"{part}-images-idx3-ubyte.gz"]).unsqueeze(1)
        labels = read_idx(paths[f"{part}-labels-idx1-ubyte.gz"]).long()
        if part == "train" and settings["limit"]:
            images, labels = images[: settings["limit"]], labels[: settings["limit"]]
        images = recolour(resize(images, settings["size"], settings["size"]), settings["colour"])
        parts.append({"image": images, "label": labels})
    return take_splits(parts[0], settings, test=parts[1])


def load_mnist(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """MNIST (Y. LeCun, C. Cortes, C. Burges): 60,000 handwritten digits for training, 10,000 for testing."""
    files = {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }
    mirrors = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    return load_idx_pictures(fetch("mnist", "MNIST", files, mirrors, folder, progress), settings)


def load_fashion_mnist(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf 2017): 60,000 + 10,000 pictures of clothes."""
    files = {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    }
    mirrors = (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    )
    return load_idx_pictures(fetch("fashion_mnist", "Fashion-MNIST", files, mirrors, folder, progress), settings)


def load_kmnist(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Kuzushiji-MNIST (T. Clanuwat et al. 2018): 60,000 + 10,000 handwritten old Japanese characters."""
    files = {
        "train-images-idx3-ubyte.gz": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "train-labels-idx1-ubyte.gz": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "t10k-images-idx3-ubyte.gz": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "t10k-labels-idx1-ubyte.gz": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    }
    mirrors = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
    return load_idx_pictures(fetch("kmnist", "KMNIST", files, mirrors, folder, progress), settings)


def mnist_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """MNIST's pictures as floats, with the mean and deviation of its training pictures."""
    return picture_batch(split, index, settings, generator, mean=(0.1307,), std=(0.3081,))


def fashion_mnist_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Fashion-MNIST's pictures as floats, with the mean and deviation of its training pictures."""
    return picture_batch(split, index, settings, generator, mean=(0.2860,), std=(0.3530,))


def kmnist_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """KMNIST's pictures as floats, with the mean and deviation of its training pictures."""
    return picture_batch(split, index, settings, generator, mean=(0.1918,), std=(0.3483,))


class IdxPictures(SizedPictures):
    """Base of the sets in MNIST's form: 60,000 grey pictures of 28×28 to train, 10,000 to test, ten classes."""

    requires = ("pooch",)
    dark = True
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
        read_idx,
        load_idx_pictures,
    )

    validation: float = setting(
        0.1, min=0.01, max=0.5, label="validation part", help="part of the training samples kept for validation"
    )
    limit: int = setting(
        0, min=0, max=60_000, help="use only the first so many training pictures; 0 uses all", label="training samples"
    )

    def fields(self) -> dict[str, Field]:
        return {
            "image": Field((self.channels(), self.size, self.size), "image"),
            "label": Field((), "class", 10),
        }

    def size_hint(self) -> dict[str, int]:
        return {**split_sizes(self.limit or 60_000, self.validation), "test": 10_000}


class Mnist(IdxPictures):
    """Handwritten digits of American high-school students and census employees."""

    name = "mnist"
    label = "MNIST"
    help = "70,000 handwritten digits of 28×28 pixels; downloads 12 MB once."
    order = 1
    drawing = Drawing(size=28, fill=20 / 28, by_mass=True)  # as LeCun et al. describe it
    load_arrays = staticmethod(load_mnist)
    make_batch = staticmethod(mnist_batch)

    def class_names(self) -> tuple[str, ...]:
        return tuple("0123456789")


class FashionMnist(IdxPictures):
    """Clothes from a shop's catalogue; MIT licence."""

    name = "fashion_mnist"
    label = "Fashion-MNIST"
    help = "70,000 grey pictures of clothes, 28×28 pixels; downloads 31 MB once."
    order = 2
    load_arrays = staticmethod(load_fashion_mnist)
    make_batch = staticmethod(fashion_mnist_batch)

    def class_names(self) -> tuple[str, ...]:
        return ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


class Kmnist(IdxPictures):
    """Characters of old Japanese books; CC BY-SA 4.0."""

    name = "kmnist"
    label = "KMNIST"
    help = "70,000 old Japanese characters of 28×28 pixels; downloads 21 MB once."
    order = 3
    drawing = Drawing(size=28, fill=1.0, by_mass=False)
    load_arrays = staticmethod(load_kmnist)
    make_batch = staticmethod(kmnist_batch)

    def class_names(self) -> tuple[str, ...]:
        return ("お o", "き ki", "す su", "つ tsu", "な na", "は ha", "ま ma", "や ya", "れ re", "を wo")
