"""Classes of a model.py that are no blocks of the catalogue open as blocks of one's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from definitions import Json, argument, node, opened, pair, stack, wires

import builder
from builder import reading
from builder.project import Project, to_json


def read(text: str) -> Project:
    return reading.read("model.py", text.encode()).project


def stage() -> Json:
    return {
        "arguments": {"inner": 3, "times": 2},
        "help": "A few pairs and a function.",
        "nodes": [
            node("x", "Image", channels=6, height=8, width=8),
            node("pairs", "Pair", width=argument("inner"), repeat=argument("times")),
            node("relu", "ReLU"),
            node("output", "Output"),
        ],
        "edges": wires("x>pairs", "pairs>relu", "relu>output"),
    }


def same(one: Project, other: Project) -> None:
    """Both write the same file, and compute the same with the same weights."""
    assert builder.source(one) == builder.source(other)
    other = other.replace(data=one.data)  # which data it learned from is not in the code
    first, second = builder.compile(one)["network"], builder.compile(other)["network"]
    second.load_state_dict(first.state_dict())
    x = torch.randn(3, 1, 8, 8)
    assert torch.equal(first.eval()(x), second.eval()(x))


USES: dict[str, list[Json]] = {
    "one": [node("only", "Pair")],
    "two widths": [node("a", "Pair", width=2), node("b", "Pair", width=9)],
    "a row": [node("a", "Pair", repeat=3), node("b", "Pair", width=2)],
    "one within another": [
        node("s", "Stage", times=3),
        node("t", "Stage", inner=5, times=4, repeat=2),
        node("u", "Stage", times=2),
    ],
}


@pytest.mark.parametrize("uses", USES)
def test_own_blocks_come_back_as_they_were_written(uses: str) -> None:
    project, report = opened(stack(*USES[uses], blocks={"Pair": pair(), "Stage": stage()}))
    assert report.ok
    again = read(builder.source(project))
    same(project, again)
    found = {n["id"]: n for n in to_json(again)["networks"]["network"]["nodes"]}
    for use in USES[uses]:
        assert found[use["id"]]["block"] == use["block"]
        assert found[use["id"]]["settings"]["repeat"] == use["settings"].get("repeat", 1)
    assert again.blocks.get("Stage", stage())["help"] == "A few pairs and a function."
    assert "help" not in again.blocks["Pair"]  # what stands there by itself is nobody's text


def test_two_inputs_keep_their_names() -> None:
    joined = {
        "arguments": {},
        "nodes": [
            node("left", "Vector", features=64),
            node("right", "Vector", features=64),
            node("fc", "Linear", out_features=64),
            node("add", "Add"),
            node("output", "Output"),
        ],
        "edges": wires("left>fc", "fc>add.in1", "right>add.in2", "add>output"),
    }
    data = stack(blocks={"Joined": joined})
    data["networks"]["network"] = {
        "nodes": [
            node("image", "Image", channels=1, height=8, width=8),
            node("flatten", "Flatten"),
            node("both", "Joined"),
            node("fc", "Linear", out_features=10),
            node("output", "Output"),
        ],
        "edges": wires("image>flatten", "flatten>both.left", "flatten>both.right", "both>fc", "fc>output"),
    }
    project, report = opened(data)
    assert report.ok, report.problems
    again = read(builder.source(project))
    same(project, again)
    assert {e.target_port for e in again.networks["network"].incoming("both")} == {"left", "right"}


HAND_WRITTEN = '''
import torch
from torch import nn


class Step(nn.Module):
    """A convolution and its function."""

    def __init__(self, before, after, kernel=3):
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, padding=kernel // 2)
        self.act = nn.Tanh()

    def forward(self, x):
        return self.act(self.conv(x))


class Net(nn.Module):
    """From image 1×8×8 to 10; small."""

    def __init__(self):
        super().__init__()
        self.first = Step(1, 4)
        self.second = Step(4, 6, kernel=5)
        self.fc = nn.Linear(384, 10)

    def forward(self, image):
        x = self.second(self.first(image))
        return self.fc(torch.flatten(x, 1))
'''


def test_a_hand_written_class_used_with_other_numbers() -> None:
    project = read(HAND_WRITTEN)
    found: dict[str, Any] = {n["id"]: n for n in to_json(project)["networks"]["network"]["nodes"]}
    assert found["first"]["block"] == found["second"]["block"] == "Step"
    assert found["first"]["settings"] == {"after": 4, "kernel": 3, "padding": 1, "repeat": 1}
    assert found["second"]["settings"] == {"after": 6, "kernel": 5, "padding": 2, "repeat": 1}
    assert project.blocks["Step"]["help"] == "A convolution and its function."
    report = builder.check(project)
    assert report.parameters == {"network": (9 * 4 + 4) + (25 * 4 * 6 + 6) + 3850}


def test_a_class_called_as_a_block_of_layerloom_stays_flat() -> None:
    project = read(HAND_WRITTEN.replace("Step", "Conv2d"))
    assert project.blocks == {}
    assert {"first_conv", "second_act"} <= set(project.networks["network"].ids())


def test_uses_that_differ_in_more_than_numbers_stay_flat() -> None:
    text = HAND_WRITTEN.replace(
        "        self.act = nn.Tanh()\n", "        self.act = nn.Sequential(*(nn.Tanh() for _ in range(kernel)))\n"
    )
    project = read(text)
    assert project.blocks == {}
    assert builder.check(project).parameters == {"network": (9 * 4 + 4) + (25 * 4 * 6 + 6) + 3850}


def test_a_class_that_holds_another_one_only_sometimes_stays_flat() -> None:
    text = HAND_WRITTEN.replace(
        "class Net(",
        "class Twice(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "        self.row = nn.Sequential(*(Step(n, n) for _ in range(n - 4)), nn.ReLU())\n\n"
        "    def forward(self, x):\n        return self.row(x)\n\n\nclass Net(",
    ).replace("self.first = Step(1, 4)", "self.first = nn.Sequential(nn.Conv2d(1, 4, 1), Twice(4))")
    text = text.replace(
        "self.second = Step(4, 6, kernel=5)", "self.second = nn.Sequential(nn.Conv2d(4, 6, 1), Twice(6))"
    )
    project = read(text)
    assert project.blocks == {}
    assert builder.check(project).parameters == {"network": 8 + 30 + 2 * (9 * 36 + 6) + 3850}
