"""Starter projects: files of this folder, which open as any project does. They are test cases too."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from builder import project
from builder.project import Project

_FOLDER = Path(__file__).parent
_ORDER = (
    *("mlp", "lenet", "lenet5", "resnet_digits", "lstm_digits"),
    *("alexnet", "vgg11", "vgg16", "googlenet", "googlenet_aux", "inception_v1", "inception_v1_aux"),
    *("resnet18", "resnet34", "resnet50", "resnet20_cifar"),
    *("gan", "dcgan", "yolo_tiny", "yolo_v1"),
    *("skipgram", "skipgram_hierarchical", "skipgram_hashed"),
    *("rnn_names", "gru_forecast", "char_lstm"),
    *("fcn", "unet_shapes", "unet", "unet_pixelshuffle"),
    *("autoencoder", "conv_autoencoder", "denoising_autoencoder", "variational_autoencoder"),
    *("mlp_regression",),
)
"""The order in which a course meets them; other files come after these."""


@dataclass(frozen=True)
class About:
    """A starter project's card: its title, a sentence, the family it is listed under, its size, its lesson.

    A lesson says in plain sentences what to ``look`` at, what to ``try`` and what to ``break``, and gives
    the ``formula`` behind it; any of them may be missing.
    """

    name: str
    title: str
    text: str
    family: str
    parameters: int | None
    lesson: dict[str, str] = field(default_factory=dict)


def names() -> tuple[str, ...]:
    """The names of the starter projects, in the order of a course."""
    found = {path.stem for path in _FOLDER.glob("*.json")}
    return (*(n for n in _ORDER if n in found), *sorted(found.difference(_ORDER)))


def load(name: str) -> Project:
    """The starter project of this name, called as on its card. Raises KeyError when there is none."""
    return project.load(_path(name)).replace(name=about(name).title)


def about(name: str) -> About:
    """What its card says. Raises KeyError when there is no such starter project."""
    told = json.loads(_path(name).read_bytes()).get("about", {})
    return About(
        name,
        told.get("title", name),
        told.get("text", ""),
        told.get("family", ""),
        told.get("parameters"),
        dict(told.get("lesson", {})),
    )


def _path(name: str) -> Path:
    if name not in names():
        raise KeyError(f"There is no starter project called {name!r}. Known are {', '.join(names())}.")
    return _FOLDER / f"{name}.json"
