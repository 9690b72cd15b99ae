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
from short_projects import HUGE, mended, parameters, short

import builder
from builder import data, templates
from builder.project import Choice
from builder.training.job import Job, prepare

torch.set_num_threads(1)

PRESENT = os.environ.get("LAYERLOOM_DATA")


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
