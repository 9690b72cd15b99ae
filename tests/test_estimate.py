"""What a training will cost: near to what it then costs, refused with numbers where it cannot fit."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from by_hand import lenet5, small_resnet, spiral_mlp

import builder
from builder import edits, templates, validate
from builder.project import Choice, Project
from builder.training.estimate import Estimate, duration, estimate
from builder.training.job import Job, JobError, prepare

torch.set_num_threads(1)


def estimated(project: Project) -> Estimate:
    found = estimate(project, builder.check(project), validate.look_up(project, []))
    assert found is not None
    return found


def resnet18() -> Project:
    project = templates.load("resnet18")
    data = Choice("pictures", {**project.data.settings, "samples": 64, "height": 96, "width": 96})
    graph = project.networks["network"]
    for node in graph.nodes:
        if node.id == "image":
            resized = node.block.replace(height=96, width=96)  # type: ignore[union-attr]
            graph = graph.with_node(builder.graph.Node(node.id, resized, node.position))
    return project.with_network("network", graph).replace(data=data, training={"batch_size": 8, "epochs": 1})


@pytest.mark.parametrize("make", [lenet5, small_resnet, resnet18], ids=["lenet5", "small_resnet", "resnet18"])
def test_a_step_takes_about_as_long_as_estimated(make: object, tmp_path: Path) -> None:
    project = make()  # type: ignore[operator]
    records = Job(prepare(project, tmp_path / "run")).loop.run()
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        assert "split" not in next(records)
        times.append(time.perf_counter() - begun)
    # The machine may be busy with other things in either measurement, so this tells orders of magnitude apart.
    assert min(times) / 8 < estimated(project).step < 8 * min(times)


def test_an_estimate_grows_with_batch_and_network_and_counts_epochs() -> None:
    small, large = lenet5(training={"batch_size": 8}), lenet5(training={"batch_size": 256})
    assert estimated(small).step < estimated(large).step
    assert estimated(small).memory < estimated(large).memory
    assert estimated(templates.load("mlp")).step < estimated(templates.load("vgg16")).step
    found = estimated(spiral_mlp(training={"batch_size": 100}))
    sizes = validate.look_up(spiral_mlp(), []).dataset.size_hint()  # type: ignore[union-attr]
    assert sizes is not None
    assert found.epoch == pytest.approx(found.step * -(-sizes["train"] // 100))


def test_there_is_no_estimate_of_what_does_not_check() -> None:
    project = lenet5().replace(training={"batch_size": -1})
    assert estimate(project, builder.check(project), validate.look_up(project, [])) is None


def test_what_cannot_fit_is_refused_with_the_numbers_and_a_smaller_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ResNet-18 at 224 pixels needs about 0.2 GB of weights and states and 0.06 GB a picture."""
    monkeypatch.setattr(validate, "machine_memory", lambda: 2**30)
    project = templates.load("resnet18").replace(training={"batch_size": 64})
    (problem,) = builder.check(project).problems
    assert problem.code == "memory"
    assert "1.0 GB" in problem.message
    with pytest.raises(JobError, match=r"needs about \d\.\d GB at this batch size"):
        prepare(project, tmp_path / "run")
    assert problem.fix is not None
    assert problem.fix.label in ("Use a batch size of 16", "Use a batch size of 8")
    assert builder.check(edits.apply(project, problem.fix.edits)).problems == ()


@pytest.mark.parametrize(
    "seconds, text",
    [(0.0002, "1 ms"), (0.25, "250 ms"), (3.42, "3.4 s"), (45, "45 s"), (300, "5 min"), (9000, "2.5 h")],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
