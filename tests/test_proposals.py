"""Choosing data or a task brings what must follow, as one list of edits, whatever tasks there are."""

from __future__ import annotations

from typing import Any

import pytest

import blocks
from builder import data, edits, proposals, tasks, templates, validate
from builder.data.base import Dataset, Field
from builder.graph import Graph, Node
from builder.project import Choice
from builder.tasks.classification import Classification, CrossEntropy


def after(project: Any, found: proposals.Proposal) -> Any:
    return edits.apply(project, found.edits)


def test_data_that_fit_change_nothing_else() -> None:
    project = templates.load("lenet5")
    found = proposals.for_data(project, "mnist")
    assert found.fits
    assert [(e["op"], e.get("part")) for e in found.edits] == [("set_part", "data")]
    assert found.remarks == ()


def test_a_network_is_kept_and_its_ends_follow_the_data() -> None:
    project = templates.load("lenet5")
    found = proposals.for_data(project, "cifar10")
    changed = after(project, found)
    assert found.fits
    assert validate.check(changed).ok
    assert changed.networks["network"].ids() == project.networks["network"].ids()
    assert validate.check(changed).shapes["network"]["image"] == (3, 32, 32)
    assert any("3×32×32" in remark for remark in found.remarks)


def test_a_network_that_would_have_to_become_another_one_gives_way_to_a_starter() -> None:
    project = templates.load("lenet5")  # one dense layer for every pixel would make a segmenting network of it
    found = proposals.for_data(project, "shape_masks")
    changed = after(project, found)
    assert found.fits
    report = validate.check(changed)
    assert report.ok
    assert not any(type(node.block).__name__ == "Linear" for node in changed.networks["network"].nodes)
    assert any("the network of" in remark for remark in found.remarks)


def test_pictures_keep_the_size_that_the_network_needs() -> None:
    project = after(templates.load("lenet5"), proposals.for_data(templates.load("lenet5"), "mnist"))
    changed = after(project, proposals.for_data(project, "digits"))  # 8×8 by default: too small for two pools
    assert validate.check(changed).ok
    assert changed.data.settings["size"] == 28


@pytest.mark.parametrize("name", ["spirals", "names", "iris"])
def test_data_of_another_kind_bring_a_starter_though_the_task_stays(name: str) -> None:
    project = templates.load("lenet5")
    found = proposals.for_data(project, name)
    changed = after(project, found)
    assert found.fits
    assert validate.check(changed).ok
    assert (changed.data.name, changed.task.name, changed.name) == (name, "classification", project.name)
    assert changed.networks != project.networks
    assert any("the network of" in remark for remark in found.remarks)


@pytest.mark.parametrize("graph", [Graph(), Graph((Node("image", blocks.catalogue()["Image"]()),))])
def test_a_network_that_is_being_drawn_stays_when_data_are_chosen(graph: Graph) -> None:
    project = templates.load("lenet5").replace(networks={"network": graph})
    found = proposals.for_data(project, "spirals")
    changed = after(project, found)
    assert not found.fits
    assert changed.networks == project.networks
    assert changed.data.name == "spirals"
    assert proposals.starter(changed) is not None


def test_a_starter_can_be_asked_for() -> None:
    project = templates.load("lenet5")
    changed = project.replace(data=Choice("spirals", data.find("spirals")().to_settings()))
    assert not validate.check(changed).ok
    starter = proposals.starter(changed)
    assert starter is not None
    replaced = after(changed, starter)
    assert validate.check(replaced).ok
    assert replaced.data.name == "spirals"
    assert replaced.name == project.name


@pytest.mark.parametrize("tokens", [24, 65, 159])
def test_a_text_of_any_alphabet_keeps_the_network_that_writes(tokens: int) -> None:
    project = templates.load("char_lstm")
    cls = data.find("own_characters")
    settings = {**cls().to_settings(), "alphabet": "".join(chr(0x410 + i) for i in range(tokens))}
    found = proposals.for_upload(project, cls, settings)
    changed = after(project, found)
    assert found.fits
    assert changed.networks["network"].ids() == project.networks["network"].ids()
    report = validate.check(changed)
    assert report.ok
    assert report.shapes["network"]["output"][-1] == len(cls.from_settings(settings).token_names()) >= tokens


@pytest.mark.parametrize("name", ["shakespeare", "war_and_peace", "own_characters"])
def test_texts_bring_a_network_that_writes(name: str) -> None:
    project = templates.load("lenet5")
    found = proposals.for_data(project, name)
    assert found.fits
    assert after(project, found).task.name == "language_modelling"


def test_masks_bring_a_network_that_segments_rather_than_one_dense_layer_for_every_pixel() -> None:
    project = templates.load("lenet5")
    changed = after(project, proposals.for_data(project, "nuclei"))
    assert validate.check(changed).ok
    assert not any(type(node.block).__name__ == "Linear" for node in changed.networks["network"].nodes)


@pytest.mark.parametrize("name", data.names())
def test_every_data_set_can_be_chosen_from_lenet(name: str) -> None:
    project = templates.load("lenet5")
    found = proposals.for_data(project, name)
    changed = after(project, found)
    assert changed.data.name == name
    assert changed.task.name in data.find(name).tasks
    assert found.fits, [p.message for p in validate.check(changed).problems]
    assert validate.check(changed).ok


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_can_be_chosen_from_lenet(name: str) -> None:
    project = templates.load("lenet5")
    found = proposals.for_task(project, name)
    changed = after(project, found)
    assert changed.task.name == name
    assert changed.loss.name in {loss.name for loss in tasks.find(name).losses}
    assert set(tasks.find(name).slots) <= set(changed.optimizer)
    assert found.fits, [p.message for p in validate.check(changed).problems]
    assert validate.check(changed).ok


class Counting(Classification):
    name = "counting_for_the_test"
    label = "Counting"
    losses = (CrossEntropy,)


class Heaps(Dataset):
    name = "heaps_for_the_test"
    label = "Heaps"
    tasks = ("counting_for_the_test",)

    def fields(self) -> dict[str, Field]:
        return {"image": Field((1, 28, 28), "image"), "label": Field((), "class", 7)}

    def class_names(self) -> tuple[str, ...]:
        return tuple("abcdefg")


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_registered", {})
    monkeypatch.setattr(data, "_registered", {})
    tasks.register(Counting)
    data.register(Heaps)


@pytest.mark.usefixtures("outside")
def test_data_for_a_task_from_outside_bring_it_and_keep_a_network_that_fits() -> None:
    project = templates.load("lenet5")
    assert proposals.unsuited(Heaps, "classification") == "Heaps is for counting."
    found = proposals.for_data(project, Heaps.name)
    changed = after(project, found)
    assert found.fits
    assert (changed.task.name, changed.loss.name) == (Counting.name, CrossEntropy.name)
    assert validate.check(changed).shapes["network"]["output"] == (7,)
    assert "the task counting" in found.remarks
    back = proposals.for_data(changed, "mnist")
    assert after(changed, back).task.name == "classification"


@pytest.mark.usefixtures("outside")
def test_what_fits_nothing_is_told() -> None:
    project = templates.load("mlp")  # takes two numbers, and no starter is of this task
    found = proposals.for_data(project, Heaps.name)
    assert not found.fits
    assert after(project, found).task.name == Counting.name
    with pytest.raises(KeyError, match="There is no data set"):
        proposals.for_data(project, "nothing")
