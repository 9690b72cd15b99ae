"""Activations drawn with their derivatives, against the lecture's formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from by_hand import block, lenet5, spiral_mlp

import blocks
from builder.canvas.annotations import annotate
from builder.curves import POINTS, REACH, curve
from builder.validate import check

X = [-REACH + 2 * REACH * i / (POINTS - 1) for i in range(POINTS)]
sigmoid: Callable[[float], float] = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731

FORMULAS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "Sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "Tanh": (math.tanh, lambda x: (1 - math.tanh(x)) * (1 + math.tanh(x))),
    "ReLU": (lambda x: max(0.0, x), lambda x: float(x > 0)),
    "SiLU": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "LeakyReLU": (lambda x: x if x > 0 else 0.01 * x, lambda x: 1.0 if x > 0 else 0.01),
    "ELU": (lambda x: x if x > 0 else math.exp(x) - 1, lambda x: 1.0 if x > 0 else math.exp(x)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_function_and_derivative_are_those_of_the_formula(name: str) -> None:
    found = curve(block(name))
    assert found is not None
    function, derivative = FORMULAS[name]
    assert found.value == pytest.approx([function(x) for x in X], abs=1e-4)
    assert found.slope == pytest.approx([derivative(x) for x in X], abs=1e-4)


def test_settings_change_the_curve() -> None:
    steep, flat = curve(block("LeakyReLU", negative_slope=0.5)), curve(block("LeakyReLU"))
    assert steep is not None
    assert flat is not None
    assert steep.value[0] == pytest.approx(-2)
    assert flat.value[0] == pytest.approx(-0.04)


def test_every_activation_of_single_numbers_is_drawn_and_no_other_block() -> None:
    drawn = {name for name, cls in blocks.catalogue().items() if curve(cls()) is not None}
    activations = {name for name, cls in blocks.catalogue().items() if cls.category == "activation"}
    assert activations - drawn == {"Softmax", "LogSoftmax"}
    assert drawn <= activations


def test_the_canvas_is_told_each_curve_once() -> None:
    told = annotate(lenet5(), check(lenet5()), 1)
    nodes = told["networks"]["network"]["nodes"]
    keys = {id: node["curve"] for id, node in nodes.items() if "curve" in node}
    assert set(keys) == {"act1", "act2", "act3", "act4"}
    assert len(set(keys.values())) == 1
    assert set(told["curves"]) == set(keys.values())
    assert len(told["curves"][keys["act1"]]["slope"]) == POINTS
    assert set(annotate(spiral_mlp(), check(spiral_mlp()), 1)["curves"]) != set(told["curves"])
