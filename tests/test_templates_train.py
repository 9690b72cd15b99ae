"""Every classifying starter project takes steps, in the app and from its exported script, with the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import builder
from builder import data, edits, templates
from builder.project import Choice, Project
from builder.training.job import Job, prepare

torch.set_num_threads(1)

PRESENT = os.environ.get("LAYERLOOM_DATA")
CLASSIFYING = [name for name in templates.names() if templates.load(name).task.name == "classification"]
LARGE = ("alexnet", "vgg11", "vgg16", "resnet34", "resnet50", "googlenet_aux", "inception_v1", "inception_v1_aux")
SIDES = {"inception_v1_aux": 224}
"""Its heads pool by 5×5 windows, so their dense layers depend on the size of the picture."""


def mended(project: Project) -> Project:
    """The project with the fixes that its check offers, one after the other."""
    for _ in range(8):
        fixes = [p.fix for p in builder.check(project).problems if p.fix is not None]
        if not fixes:
            break
        project = edits.apply(project, fixes[0].edits)
    assert builder.check(project).problems == ()
    return project


def small(name: str, samples: int = 16) -> Project:
    """The template on few and small pictures, in two steps an epoch; its parameters are still the published ones."""
    project = templates.load(name)
    if project.data.name == "pictures":
        settings = {**project.data.settings, "samples": samples}
        if settings["height"] > 64:
            settings |= {"height": SIDES.get(name, 64), "width": SIDES.get(name, 64)}
        project = mended(project.replace(data=Choice("pictures", settings)))
    sizes = data.find(project.data.name).from_settings(project.data.settings).size_hint()
    assert sizes is not None
    batch = -(-sizes["train"] // 2)
    return project.replace(training={**project.training, "epochs": 1, "batch_size": batch})


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in CLASSIFYING])
def test_its_exported_script_takes_two_steps_with_the_app_s_losses(name: str, tmp_path: Path) -> None:
    project = small(name)
    assert builder.check(project).parameters == builder.check(templates.load(name)).parameters
    folder = builder.export(project, tmp_path / "export")
    done = subprocess.run(
        [sys.executable, "train.py", "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *records, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["step"] for r in records if "split" not in r] == [1, 2]
    assert last["done"]
    (folder / "weights.safetensors").unlink()  # half a gigabyte for the largest
    if max(builder.check(project).parameters.values()) < 30_000_000:  # the others would take a minute
        assert list(Job(prepare(project, tmp_path / "run")).loop.run()) == records


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
