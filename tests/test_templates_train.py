"""Every starter project opens, checks, trains and exports, and its exported script gives the same losses to the last digit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from exported import command

import builder
from builder import data, edits, templates
from builder.project import Choice, Project
from builder.training.job import Job, prepare

torch.set_num_threads(1)

PRESENT = os.environ.get("LAYERLOOM_DATA")
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


@pytest.mark.parametrize("name", templates.names())
def test_it_trains_and_its_exported_script_gives_the_same_losses(name: str, tmp_path: Path) -> None:
    if name in HUGE and not os.environ.get("LAYERLOOM_HUGE"):
        pytest.skip("it trains a minute; set LAYERLOOM_HUGE=1 for it")
    project = short(name)
    assert builder.check(project).parameters == builder.check(templates.load(name)).parameters
    folder = builder.export(project, tmp_path / "export")
    script = subprocess.Popen(
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **command(["train.py", "--json"])
    )
    try:  # both at once: there are two processors
        records = list(Job(prepare(project, tmp_path / "run")).loop.run())
        output, said = script.communicate()
    finally:
        script.kill()
    assert script.returncode == 0, said
    *theirs, last = [json.loads(line) for line in output.splitlines()]
    (folder / "weights.safetensors").unlink()  # half a gigabyte for the largest
    assert last["done"]
    steps = [record for record in records if "split" not in record]
    if parameters(project) > 10_000_000:
        assert len(steps) == 3
    else:
        assert 20 <= len(steps) <= 22
    assert len({record["losses"][next(iter(record["losses"]))] for record in steps}) == len(steps), "it learns"
    assert theirs == records


# --- resized data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, settings",
    [
        ("resnet18", {"size": 64}),
        ("resnet20_cifar", {"size": 32, "colour": "colour"}),
        pytest.param("googlenet_aux", {"size": 96}, marks=pytest.mark.slow),
        pytest.param("alexnet", {"size": 224}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_a_large_network_takes_steps_on_resized_pictures_after_the_offered_fixes(
    dataset: str, name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    cls = data.find(dataset)
    more = {"limit": 40} if any(s.name == "limit" for s in cls.settings()) else {}
    chosen = cls.from_settings({**settings, **more})
    if dataset == "digits" and settings["size"] > 96:
        pytest.skip("1,797 pictures of 224 pixels take a while to resize, and MNIST shows the same")
    if dataset == "mnist" and not (PRESENT and (Path(PRESENT) / "mnist").is_dir()):
        pytest.skip("LAYERLOOM_DATA names no folder with mnist/")
    project = templates.load(name).replace(data=Choice(dataset, chosen.to_settings()))
    project = mended(project).replace(training={**project.training, "batch_size": 4})
    assert builder.check(project).shapes["network"]["output"] == (10,)
    records = Job(prepare(project, tmp_path / "run")).loop.run()
    losses = [next(records)["losses"]["loss"] for _ in range(2)]
    assert all(0 < loss < 20 for loss in losses)
