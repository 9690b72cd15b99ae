"""Own blocks inside own blocks, side by side, with several inputs: against the same networks written by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from definitions import Json, argument, errors, node, opened, pair, stack, wires
from torch import Tensor, nn

import builder
from builder import edits, reading
from builder.project import Project
from builder.source import generate
from builder.training.job import Job, prepare


class Pair(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(6, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(width, 6, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(torch.relu(self.conv1(x))) + x


class Stage(nn.Module):
    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.pairs = nn.ModuleList(Pair(width) for _ in range(depth))
        self.last = nn.Conv2d(6, 6, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        for one in self.pairs:
            x = one(x)
        return self.last(x)


class Gate(nn.Module):
    """`value` through a stage, times `gate` through a sigmoid."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.stage, self.to_gate = Stage(depth, width), nn.Conv2d(6, 6, kernel_size=1)

    def forward(self, value: Tensor, gate: Tensor) -> Tensor:
        return self.stage(value) * torch.sigmoid(self.to_gate(gate))


PICTURE = {"channels": 6, "height": 8, "width": 8}


def stage() -> Json:
    return {
        "arguments": {"depth": 1, "inner": 4},
        "nodes": [
            node("x", "Image", **PICTURE),
            node("pairs", "Pair", width=argument("inner"), repeat=argument("depth")),
            node("last", "Conv2d", out_channels=6, kernel_size=1),
            node("output", "Output"),
        ],
        "edges": wires("x>pairs", "pairs>last", "last>output"),
    }


def gate() -> Json:
    return {
        "arguments": {"times": 2, "breadth": 3},
        "nodes": [
            node("value", "Image", **PICTURE),
            node("gate", "Image", **PICTURE),
            node("stage", "Stage", depth=argument("times"), inner=argument("breadth")),
            node("to_gate", "Conv2d", out_channels=6, kernel_size=1),
            node("sigmoid", "Sigmoid"),
            node("product", "Multiply"),
            node("output", "Output"),
        ],
        "edges": wires(
            *("value>stage", "gate>to_gate", "to_gate>sigmoid", "stage>product.in1", "sigmoid>product.in2"),
            "product>output",
        ),
    }


OWN = {"Gate": gate(), "Pair": pair(), "Stage": stage()}  # what needs another one may stand before it


def gated(*uses: Json) -> Json:
    """The uses in a row as to their `value`; `gate` is always what comes from the stem."""
    data = stack(*uses, blocks=OWN)
    edges = data["networks"]["network"]["edges"]
    two = [use["id"] for use in uses if use["block"] == "Gate"]
    for edge in edges:
        if edge["target"] in two:
            edge["target_port"] = "value"
    edges += wires(*(f"stem>{id}.gate" for id in two))
    return data


def equal(project: Project, stem: nn.Module, body: Any, modules: list[nn.Module]) -> nn.Module:
    """Weights of the hand-written modules, loaded in order, give the same numbers and gradients."""
    network = builder.compile(project)["network"]
    fc = nn.Linear(384, 10)
    theirs = [p for module in (stem, *modules, fc) for p in module.parameters()]
    ours = list(network.parameters())
    assert [p.shape for p in ours] == [p.shape for p in theirs]
    with torch.no_grad():
        for mine, other in zip(ours, theirs):
            mine.copy_(other)
    x = torch.randn(3, 1, 8, 8)
    expected = fc(body(stem(x)).flatten(1))
    got = network(x)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    got.square().sum().backward()
    expected.square().sum().backward()
    for mine, other in zip(ours, theirs):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-3, atol=1e-4)
    return network


@pytest.mark.parametrize("depths", [(1, 3), (3, 1), (1, 1), (1, 2, 5)])
def test_once_and_several_times_side_by_side_are_one_class(depths: tuple[int, ...]) -> None:
    uses = [node(f"s{i}", "Stage", depth=depth, inner=2 + i) for i, depth in enumerate(depths)]
    project, report = opened(stack(*uses, blocks={"Pair": pair(), "Stage": stage()}))
    assert report.ok, errors(report)
    text = builder.source(project)
    assert [line for line in text.splitlines() if line.startswith(("class Stage", "class Pair"))] == [
        "class Pair(nn.Module):",
        "class Stage(nn.Module):",
    ]
    if len(set(depths)) > 1:
        assert "self.pairs = nn.Sequential(*(Pair(width=inner) for _ in range(depth)))" in text
        assert f"self.s0 = Stage(depth={depths[0]}, inner=2)" in text
    stages = [Stage(depth, 2 + i) for i, depth in enumerate(depths)]
    equal(project, nn.Conv2d(1, 6, 3, padding=1), nn.Sequential(*stages), list(stages))


def test_a_row_of_one_keeps_its_weights_when_it_grows() -> None:
    """The modules of a block whose number is a setting are called alike, however many there are."""
    names = []
    for depth in (1, 3):
        project, _ = opened(stack(node("s", "Stage", depth=depth), blocks={"Pair": pair(), "Stage": stage()}))
        names.append(builder.compile(project)["network"].state_dict().keys())
    assert names[0] < names[1]
    assert "s.pairs.0.conv1.weight" in names[0]


def test_three_levels_with_two_inputs() -> None:
    project, report = opened(gated(node("a", "Gate"), node("b", "Gate", times=1, breadth=5), node("p", "Pair")))
    assert report.ok, errors(report)
    a, b, p = Gate(2, 3), Gate(1, 5), Pair(4)
    equal(project, nn.Conv2d(1, 6, 3, padding=1), lambda x: p(b(a(x, x), x)), [a, b, p])
    text = builder.source(project)
    assert text.count("class Gate") == text.count("class Stage") == text.count("class Pair") == 1
    assert "def forward(self, value: Tensor, gate: Tensor) -> Tensor:" in text
    assert "self.b = Gate(times=1, breadth=5)" in text, text


def test_every_place_inside_is_found_in_module_and_report() -> None:
    project, report = opened(gated(node("a", "Gate"), node("b", "Gate", times=1), node("s", "Stage", depth=3)))
    network = builder.compile(project)["network"]
    generated = generate(project)
    for id, known in report.nodes["network"].items():
        paths = [(id, known.parameters)]
        queue = [(f"{id}.{part.id}", part) for part in known.inner]
        while queue:
            path, part = queue.pop()
            if part.inferred.call is not None or part.inferred.inner:
                paths.append((path, part.inferred.parameters))
            queue += [(f"{path}.{below.id}", below) for below in part.inferred.inner]
        for path, parameters in paths:
            if path in generated.modules["network"]:
                module = network.get_submodule(generated.modules["network"][path])
                assert sum(p.numel() for p in module.parameters()) == parameters, path
            else:
                assert parameters == 0 or path in ("image", "output"), path
    assert {"b.stage.pairs", "b.stage.pairs.0", "b.stage.pairs.0.conv1"} <= generated.modules["network"].keys()


@pytest.mark.parametrize("uses", [[("Stage", {})], [("Stage", {"depth": 3})], [("Stage", {}), ("Stage", {"depth": 4})]])
def test_they_come_back_from_code(uses: list[tuple[str, Json]]) -> None:
    placed = [node(f"s{i}", block, **given) for i, (block, given) in enumerate(uses)]
    project, _ = opened(stack(*placed, blocks={"Pair": pair(), "Stage": stage()}))
    text = builder.source(project)
    again = reading.read("model.py", text.encode()).project
    assert builder.source(again) == text


def test_a_setting_exposed_through_three_levels_is_set_by_one_edit_and_bounded_by_the_innermost() -> None:
    project, _ = opened(gated(node("a", "Gate")))
    changed = edits.apply(project, [{"op": "set", "network": "network", "id": "a", "setting": "breadth", "value": 7}])
    # by hand: conv1 and conv2 of both pairs, 6·9·w + w and w·9·6 + 6
    grown = builder.check(changed).parameters["network"] - builder.check(project).parameters["network"]
    assert grown == 2 * 109 * (7 - 3)
    (width,) = [s for s in project.own["Gate"].settings() if s.name == "breadth"]  # type: ignore[union-attr]
    assert (width.kind, width.min, width.default) == ("int", 1, 3)
    data = gated(node("a", "Gate", breadth=0))
    _, report = opened(data)
    assert any("breadth is 0; the smallest allowed is 1" in message for message in errors(report)), errors(report)


def test_repeats_inside_repeats() -> None:
    data = stack(node("s", "Stage", depth=2, repeat=3), node("t", "Stage"), blocks={"Pair": pair(), "Stage": stage()})
    project, report = opened(data)
    assert report.ok, errors(report)
    stages = [*(Stage(2, 4) for _ in range(3)), Stage(1, 4)]
    equal(project, nn.Conv2d(1, 6, 3, padding=1), nn.Sequential(*stages), list(stages))


def test_an_own_block_at_several_outputs_trains(tmp_path: Any) -> None:
    """One own block feeds the classifier and an auxiliary head, both through another one."""
    head: Json = {
        "arguments": {},
        "nodes": [
            node("x", "Image", **PICTURE),
            node("flatten", "Flatten"),
            node("linear", "Linear", out_features=10),
            node("output", "Output"),
        ],
        "edges": wires("x>flatten", "flatten>linear", "linear>output"),
    }
    data = stack(
        node("a", "Stage"), node("b", "Stage", depth=2), blocks={"Pair": pair(), "Stage": stage(), "Head": head}
    )
    net = data["networks"]["network"]
    net["nodes"] = [n for n in net["nodes"] if n["id"] not in ("flatten", "fc")]
    net["nodes"] += [node("main", "Head"), node("side", "Head"), node("extra", "Output")]
    net["edges"] = wires(
        *("image>stem", "stem>a", "a>b", "b>main", "main>output", "a>side", "side>extra"),
    )
    data["training"] = {"epochs": 1, "batch_size": 512}
    project, report = opened(data)
    assert report.ok, errors(report)
    assert builder.source(project).count("class Head") == 1
    job = Job(prepare(project, tmp_path / "run"))
    network = job.networks["network"]
    before = {name: p.clone() for name, p in network.named_parameters()}
    next(iter(job.loop.run()))
    for name, parameter in network.named_parameters():
        assert not torch.equal(parameter, before[name]), f"{name} has not learned"
