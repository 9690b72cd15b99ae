"""The starter projects on few and small samples, so that each can be trained in a test."""

from __future__ import annotations

from typing import Any

import pytest

import builder
from builder import data, edits, templates
from builder.project import Choice, Project

SIDES = {"inception_v1_aux": 224, "unet": 380, "yolo_v1": 448}
"""What a picture must measure at least, where it is more than 64: an auxiliary head pools by 5×5 windows, unpadded
convolutions must leave more than half of the picture, and a dense layer reads a grid of 7×7."""
HUGE = ("yolo_v1",)
"""Networks that train a minute, only where LAYERLOOM_HUGE is set: LAYERLOOM_HUGE=1 pytest tests/test_templates_train.py"""


def mended(project: Project) -> Project:
    """The project with the fixes that its check offers, one after the other."""
    for _ in range(8):
        fixes = [p.fix for p in builder.check(project).problems if p.fix is not None]
        if not fixes:
            break
        project = edits.apply(project, fixes[0].edits)
    assert builder.check(project).problems == ()
    return project


def parameters(project: Project) -> int:
    return sum(builder.check(project).parameters.values())


def short(name: str) -> Project:
    """The template on few and small samples, in steps enough to compare.

    Up to 10 million parameters 20 steps in two epochs, so that the second order of the samples and the
    validation between are compared too; else 3 steps of 2 samples. The network stays as it is.
    """
    project = templates.load(name)
    large = parameters(project) > 10_000_000
    settings = dict(project.data.settings)
    if "samples" in settings:
        parts = {"validation": 0.375, "test": 0.25} if large else {"validation": 0.1, "test": 0.1}
        settings |= {"samples": 16 if large else 40, **parts}
    if "sentences" in settings:
        settings["sentences"] = 400
    if "steps" in settings:
        settings["steps"] = 200
    if "height" in settings:
        side = SIDES.get(name, 64)
        settings |= {"height": min(settings["height"], side), "width": min(settings["width"], side)}
    project = mended(project.replace(data=Choice(project.data.name, settings)))
    count = len(next(iter(loaded(project)["train"].values())))
    training = {"epochs": 1, "batch_size": 2} if large else {"epochs": 2, "batch_size": count // 10}
    return project.replace(training={**project.training, **training, "evaluation_batch": 256})


def loaded(project: Project) -> dict[str, Any]:
    try:
        return data.load(data.find(project.data.name).from_settings(project.data.settings))
    except data.DataError as error:
        pytest.skip(str(error))
