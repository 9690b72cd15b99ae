"""The user's own blocks: from a definition to a class of model.py, and every way a definition can be wrong."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from definitions import Json, argument, errors, node, opened, pair, stack, wires
from torch import Tensor, nn

import builder
from builder import edits
from builder.definition import MAX_REPEAT
from builder.graph import UnknownBlock
from builder.own import OwnBlock, vocabulary
from builder.project import Project, from_json, to_json
from builder.source import generate


class Pair(nn.Module):
    """The block `pair` as a person writes it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(6, width, kernel_size=3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, 6, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.relu1(self.conv1(x))) + x


class ByHand(nn.Module):
    """The network of `stack` as a person writes it."""

    def __init__(self, *pairs: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 6, kernel_size=3, padding=1)
        self.pairs = nn.Sequential(*pairs)
        self.fc = nn.Linear(384, 10)

    def forward(self, image: Tensor) -> Tensor:
        return self.fc(self.pairs(self.stem(image)).flatten(1))


def same_outputs(project: Project, by_hand: nn.Module, folder: Path | None = None) -> nn.Module:
    """Load the hand-written network's weights by order, and compare outputs on random pictures."""
    model = builder.compile(project, folder)["network"]
    weights = list(by_hand.state_dict().values())
    assert [tuple(w.shape) for w in model.state_dict().values()] == [tuple(w.shape) for w in weights]
    model.load_state_dict(dict(zip(model.state_dict(), weights)))
    x = torch.randn(5, 1, 8, 8)
    assert torch.allclose(model(x), by_hand(x), atol=1e-6)
    return model


# --- used -----------------------------------------------------------------------------------------


def test_used_three_times_with_different_arguments(tmp_path: Path) -> None:
    data = stack(
        node("a", "Pair", width=2), node("b", "Pair"), node("c", "Pair", width=9, repeat=1), blocks={"Pair": pair()}
    )
    project, report = opened(data)
    assert report.ok, report.problems
    assert report.shapes["network"]["b"] == (6, 8, 8)
    # by hand: 6·9·w + w for conv1, w·9·6 + 6 for conv2
    assert [report.nodes["network"][id].parameters for id in "abc"] == [109 * w + 6 for w in (2, 4, 9)]
    same_outputs(project, ByHand(Pair(2), Pair(4), Pair(9)), tmp_path)
    text = (tmp_path / "model.py").read_text()
    assert text.count("class Pair(nn.Module):") == 1
    assert "def __init__(self, width: int) -> None:" in text
    assert "self.conv1 = nn.Conv2d(6, width, kernel_size=3, padding=1)" in text
    assert "self.a = Pair(width=2)" in text
    assert "self.b = Pair(width=4)" in text
    assert "self.c = Pair(width=9)" in text


def test_edited_once_changes_all_uses() -> None:
    project, _ = opened(stack(node("a", "Pair"), node("b", "Pair", width=5), blocks={"Pair": pair()}))
    before = builder.check(project)
    where = {"network": "blocks/Pair"}
    inserted = {**node("bn", "BatchNorm2d"), "version": 1, "position": [0, 0], "folded": True, "note": ""}
    changed = edits.apply(
        project,
        [
            {"op": "set", **where, "id": "conv2", "setting": "kernel_size", "value": 5},
            {"op": "set", **where, "id": "conv2", "setting": "padding", "value": 2},
            {"op": "add_node", **where, "node": inserted},
            {"op": "remove_edge", **where, "edge": wires("conv2>add.in1")[0]},
            *({"op": "add_edge", **where, "edge": edge} for edge in wires("conv2>bn", "bn>add.in1")),
        ],
    )
    after = builder.check(changed)
    assert after.ok, after.problems
    for id, width in (("a", 4), ("b", 5)):
        more = after.nodes["network"][id].parameters - before.nodes["network"][id].parameters
        assert more == 6 * (25 - 9) * width + 12  # conv2 has 25 weights in place of 9; the norm has 2·6
    text = builder.source(changed)
    assert text.count("kernel_size=5") == 1
    assert "width" in text
    settings = {n["id"]: n["settings"] for n in to_json(changed)["blocks"]["Pair"]["nodes"]}
    assert settings["conv1"]["out_channels"] == {"argument": "width"}


@pytest.mark.parametrize("repeat", [2, 3, 7])
def test_repeated_in_a_row(repeat: int, tmp_path: Path) -> None:
    project, report = opened(stack(node("pairs", "Pair", repeat=repeat), blocks={"Pair": pair()}))
    assert report.ok, report.problems
    assert report.nodes["network"]["pairs"].parameters == repeat * (109 * 4 + 6)
    model = same_outputs(project, ByHand(*(Pair(4) for _ in range(repeat))), tmp_path)
    text = (tmp_path / "model.py").read_text()
    loop = f"self.pairs = nn.Sequential(*(Pair() for _ in range({repeat})))"
    assert (loop if repeat > 2 else "self.pairs = nn.Sequential(Pair(), Pair())") in text
    assert model.get_submodule(f"pairs.{repeat - 1}.conv2").weight.shape == (6, 4, 3, 3)
    generated = generate(project)
    assert f"pairs.{repeat - 1}.conv2" in generated.modules["network"]
    for path in generated.modules["network"].values():
        model.get_submodule(path)


def test_the_first_of_a_row_may_differ() -> None:
    """A block that widens what comes in: only its first copy receives fewer channels."""
    wider = {
        "arguments": {"channels": 8},
        "nodes": [
            node("x", "Image", channels=6, height=8, width=8),
            node("conv", "Conv2d", out_channels=argument("channels"), kernel_size=3, padding=1),
            node("output", "Output"),
        ],
        "edges": wires("x>conv", "conv>output"),
    }
    project, report = opened(stack(node("w", "Wider", channels=7, repeat=4), blocks={"Wider": wider}))
    assert report.ok, report.problems
    text = builder.source(project)
    assert "nn.Sequential(Wider(6), *(Wider(7) for _ in range(3)))" in text, text
    assert report.nodes["network"]["w"].parameters == 6 * 7 * 9 + 7 + 3 * (7 * 7 * 9 + 7)
    compiled = builder.compile(project)["network"]
    assert sum(p.numel() for p in compiled.parameters()) == report.parameters["network"]


def test_own_blocks_inside_own_blocks(tmp_path: Path) -> None:
    stage = {
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
    project, report = opened(
        stack(
            node("s", "Stage", times=3), node("t", "Stage", inner=5, times=3), blocks={"Stage": stage, "Pair": pair()}
        )
    )
    assert report.ok, report.problems
    assert report.nodes["network"]["s"].parameters == 3 * (109 * 3 + 6)
    times = {s.name: s for s in type(project.networks["network"].node("s").block).settings()}["times"]
    assert (times.kind, times.min, times.max) == ("int", 1, MAX_REPEAT)

    def row(width: int) -> nn.Module:
        return nn.Sequential(Pair(width), Pair(width), Pair(width), nn.ReLU())

    same_outputs(project, ByHand(row(3), row(5)), tmp_path)
    text = (tmp_path / "model.py").read_text()
    assert "self.pairs = nn.Sequential(*(Pair(width=inner) for _ in range(3)))" in text, text
    assert '"""A few pairs and a function."""' in text


def test_how_often_a_block_inside_is_repeated_is_an_argument_too(tmp_path: Path) -> None:
    stage = {
        "arguments": {"depth": 2, "inner": 4},
        "nodes": [
            node("x", "Image", channels=6, height=8, width=8),
            node("pairs", "Pair", width=argument("inner"), repeat=argument("depth")),
            node("relu", "ReLU"),
            node("output", "Output"),
        ],
        "edges": wires("x>pairs", "pairs>relu", "relu>output"),
    }
    project, report = opened(
        stack(
            node("s", "Stage", depth=2, inner=5),
            node("t", "Stage", depth=4, repeat=2),
            node("u", "Stage", depth=3),
            blocks={"Stage": stage, "Pair": pair()},
        )
    )
    assert report.ok, report.problems

    def row(depth: int, width: int) -> nn.Module:
        return nn.Sequential(*(Pair(width) for _ in range(depth)), nn.ReLU())

    model = same_outputs(project, ByHand(row(2, 5), row(4, 4), row(4, 4), row(3, 4)), tmp_path)
    text = (tmp_path / "model.py").read_text()
    assert text.count("class Stage") == text.count("class Pair") == 1
    assert "def __init__(self, depth: int, inner: int) -> None:" in text, text
    assert "self.pairs = nn.Sequential(*(Pair(width=inner) for _ in range(depth)))" in text
    assert "self.t = nn.Sequential(Stage(depth=4, inner=4), Stage(depth=4, inner=4))" in text
    generated = generate(project)
    for path in generated.modules["network"].values():
        model.get_submodule(path)
    assert "t.1.pairs.3.conv2" in generated.modules["network"]
    assert "s.pairs.2" not in generated.modules["network"]


def test_two_inputs_and_tokens() -> None:
    joined = {
        "arguments": {"length": 5},
        "nodes": [
            node("left", "Vector", features=2),
            node("right", "Vector", features=2),
            node("concat", "Concatenate"),
            node("fc", "Linear", out_features=argument("length")),
            node("output", "Output"),
        ],
        "edges": wires("left>concat.in1", "right>concat.in2", "concat>fc", "fc>output"),
    }
    data = stack(blocks={"Joined": joined})
    data["networks"]["network"] = {
        "nodes": [
            node("image", "Image", channels=1, height=8, width=8),
            node("flatten", "Flatten"),
            node("both", "Joined", length=10),
            node("output", "Output"),
        ],
        "edges": wires("image>flatten", "flatten>both.left", "flatten>both.right", "both>output"),
    }
    project, report = opened(data)
    assert report.ok, report.problems
    assert "repeat" not in {s.name for s in type(project.networks["network"].node("both").block).settings()}
    assert "def forward(self, left: Tensor, right: Tensor) -> Tensor:" in builder.source(project)
    assert builder.compile(project)["network"](torch.randn(2, 1, 8, 8)).shape == (2, 10)
    # a port takes what the blocks behind it take: a picture is no flat vector
    data["networks"]["network"]["edges"][1] = wires("image>both.left")[0]
    (message,) = [p for p in opened(data)[1].problems if p.node == "both" and p.severity == "error"]
    assert message.port == "left" or "1×8×8" in message.message


def test_a_mistake_inside_lands_on_the_use_and_names_the_block_inside() -> None:
    _, report = opened(stack(node("a", "Pair", width=4), head=5, blocks={"Pair": pair()}))
    (problem,) = [p for p in report.problems if p.severity == "error"]
    assert problem.node == "a"
    assert "add" in problem.message
    assert "6×8×8" in problem.message
    assert "5×8×8" in problem.message


def test_the_file_is_kept_and_equal_files_are_equal_projects(tmp_path: Path) -> None:
    data = stack(node("a", "Pair", width=2), blocks={"Pair": pair(), "Broken": {"nodes": 3}})
    project, _ = opened(data)
    again = from_json(json.loads(json.dumps(to_json(project))))
    assert again == project
    assert again.blocks == data["blocks"]
    written = {n["id"]: n for n in to_json(project)["networks"]["network"]["nodes"]}["a"]
    assert written["block"] == "Pair"
    assert written["settings"] == {"width": 2, "repeat": 1}
    builder.save(project, tmp_path / "p.json")
    assert builder.load(tmp_path / "p.json") == project


def test_settings_take_kind_and_bounds_from_what_they_feed() -> None:
    block = vocabulary({"Pair": pair()})["Pair"]
    assert isinstance(block, type)
    assert issubclass(block, OwnBlock)
    width, repeat = block.settings()
    assert (width.kind, width.default, width.min) == ("int", 4, 1)
    assert "conv1" in width.help
    assert (repeat.min, repeat.max) == (1, MAX_REPEAT)
    for bad in (0, 1.5, "four", None, True):
        _, report = opened(stack(node("a", "Pair", width=bad), blocks={"Pair": pair()}))
        assert any("width" in m and m.startswith("a cannot be used") for m in errors(report))


def test_it_trains_and_exports(tmp_path: Path) -> None:
    data = stack(node("a", "Pair", repeat=3), node("b", "Pair", width=2), blocks={"Pair": pair()})
    data["training"] = {"epochs": 1}
    project, _ = opened(data)
    lines: list[Any] = []
    builder.train(project, run_folder=tmp_path / "run", on_progress=lines.append)
    assert lines
    builder.export(project, tmp_path / "out")
    assert "class Pair(nn.Module):" in (tmp_path / "out" / "model.py").read_text()


# --- hostile --------------------------------------------------------------------------------------


def without(raw: Json, key: str, id: str) -> Json:
    changed = copy.deepcopy(raw)
    changed["nodes"] = [n for n in changed["nodes"] if n["id"] != id]
    changed["edges"] = [e for e in changed["edges"] if id not in (e["source"], e["target"])]
    return changed


def with_node(raw: Json, *nodes: Json, edges: tuple[str, ...] = (), **more: Any) -> Json:
    changed = copy.deepcopy(raw)
    changed["nodes"] += nodes
    changed["edges"] += wires(*edges)
    return {**changed, **more}


HOSTILE: dict[str, tuple[Any, str]] = {
    "a number": (3, "must be an object"),
    "nothing": ({}, "must be a list"),
    "null": (None, "must be an object"),
    "nodes of a wrong kind": ({"nodes": {"a": 1}, "edges": []}, "must be a list"),
    "a node of a wrong kind": ({"nodes": [7], "edges": []}, "must be an object"),
    "no wires": ({"nodes": [node("x", "Image"), node("output", "Output")]}, "not connected"),
    "wires of a wrong kind": ({**pair(), "edges": ["x"]}, "must be an object"),
    "arguments of a wrong kind": ({**pair(), "arguments": ["width"]}, "must be an object"),
    "empty": ({"nodes": [], "edges": []}, "nothing comes in"),
    "no input": (without(pair(), "", "x"), "nothing comes in"),
    "no output": (without(pair(), "", "output"), "nothing comes out"),
    "two outputs": (with_node(pair(), node("more", "Output"), edges=("conv1>more",)), "2 outputs"),
    "a loop": (with_node(pair(), node("r", "ReLU"), node("s", "ReLU"), edges=("r>s", "s>r")), "loop"),
    "an open input": (with_node(pair(), node("r", "ReLU")), "not connected"),
    "an input that leads nowhere": (with_node(pair(), node("y", "Vector")), "does not lead to the output"),
    "nothing in between": (
        {"nodes": [node("x", "Image"), node("output", "Output")], "edges": wires("x>output")},
        "no block between",
    ),
    "itself": (with_node(pair(), node("me", "Own"), edges=("conv1>me",)), "contains itself"),
    "an unknown block": (with_node(pair(), node("what", "Frobnicate"), edges=("conv1>what",)), "Frobnicate"),
    "an unknown argument": (
        with_node(pair(), node("r", "Conv2d", out_channels=argument("depth")), edges=("conv1>r",)),
        "asks for the argument 'depth'",
    ),
    "an argument that is no name": (
        with_node(pair(), node("r", "Conv2d", out_channels={"argument": [1]}), edges=("conv1>r",)),
        "asks for the argument",
    ),
    "a value of a wrong type": ({**pair(), "arguments": {"width": "wide"}}, "width is 'wide'"),
    "a value out of bounds": ({**pair(), "arguments": {"width": 0}}, "smallest allowed is 1"),
    "a value that is an object": ({**pair(), "arguments": {"width": {"argument": "width"}}}, "width"),
    "an argument with the name of a method": (
        {**pair(), "arguments": {"width": 4, "template": 1}},
        "cannot be called 'template'",
    ),
    "an argument that is no identifier": ({**pair(), "arguments": {"width": 4, "a b": 1}}, "cannot be called 'a b'"),
    "an argument called repeat": ({**pair(), "arguments": {"width": 4, "repeat": 1}}, "cannot be called 'repeat'"),
    "kinds that do not agree": (
        with_node(pair(), node("d", "Dropout", p=argument("width")), node("e", "Upsample", mode=argument("width"))),
        "different kinds",
    ),
    "an id that is no name": (with_node(pair(), node("a b", "ReLU"), edges=("conv1>a b",)), "no Python name"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_definition_is_a_problem_and_stays_in_the_file(case: str) -> None:
    raw, expected = HOSTILE[case]
    data = stack(node("a", "Own", width=4), blocks={"Own": raw})
    project, report = opened(data)
    assert isinstance(project.networks["network"].node("a").block, UnknownBlock)
    (message,) = [m for m in errors(report) if m.startswith("a cannot be used")]
    assert expected in message, message
    assert to_json(project)["blocks"] == {"Own": raw}
    assert to_json(project)["networks"]["network"]["nodes"][2]["settings"] == {"width": 4}
    with pytest.raises(ValueError, match="cannot be compiled"):
        builder.compile(project)
    # unused it keeps nothing from training, but is told
    data["networks"]["network"] = stack(blocks={})["networks"]["network"]
    _, report = opened(data)
    assert report.ok
    assert any(p.network == "blocks/Own" for p in report.problems)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Linear", "Layerloom has itself"), ("my block", "no Python name"), ("nn", "used by the code")],
)
def test_a_name_that_cannot_be_a_class(name: str, expected: str) -> None:
    _, report = opened(stack(blocks={name: pair()}))
    assert report.ok
    (problem,) = report.problems
    assert problem.network == f"blocks/{name}"
    assert expected in problem.message


def test_a_catalogue_block_is_never_replaced() -> None:
    project, _ = opened(stack(blocks={"Linear": pair()}))
    assert not isinstance(project.networks["network"].node("fc").block, OwnBlock)


def test_blocks_that_contain_each_other() -> None:
    def using(other: str) -> Json:
        return {
            "arguments": {},
            "nodes": [node("x", "Image"), node("u", other), node("output", "Output")],
            "edges": wires("x>u", "u>output"),
        }

    blocks = {"A": using("B"), "B": using("C"), "C": using("A"), "D": using("A")}
    _, report = opened(stack(node("a", "A"), node("d", "D"), blocks=blocks))
    told = {p.node: p.message for p in report.problems if p.severity == "error"}
    assert "The block A contains itself (through B, C)" in told["a"]
    assert "In the block D" in told["d"]
    assert "contains itself" in told["d"]
    deep = {f"N{i}": using(f"N{i + 1}") for i in range(3000)} | {"N3000": using("ReLU")}
    _, report = opened(stack(node("a", "N0"), node("b", "N2999"), blocks=deep))
    (message,) = errors(report)
    assert "inside each other" in message


def test_an_argument_that_feeds_nothing_is_a_warning() -> None:
    raw = pair()
    raw["arguments"]["spare"] = 7
    _, report = opened(stack(node("a", "Pair", width=3, spare=9), blocks={"Pair": raw}))
    assert report.ok
    (problem,) = report.problems
    assert "spare" in problem.message
    assert problem.network == "blocks/Pair"


@pytest.mark.parametrize("repeat", [0, -1, 101, 10**6, 10**30, 2.5, "3", None, True, [2]])
def test_a_repeat_out_of_bounds_is_refused(repeat: Any) -> None:
    project, report = opened(stack(node("a", "Pair", repeat=repeat), blocks={"Pair": pair()}))
    (message,) = [m for m in errors(report) if m.startswith("a cannot be used")]
    assert "repeat" in message
    if repeat == 10**6:
        assert "the largest allowed is 100" in message
    assert to_json(project)["networks"]["network"]["nodes"][2]["settings"]["repeat"] == repeat


def test_repeats_that_multiply_are_refused_before_anything_is_built() -> None:
    def times(block: str) -> Json:
        return {
            "arguments": {},
            "nodes": [node("x", "Image", channels=6), node("u", block, repeat=100), node("output", "Output")],
            "edges": wires("x>u", "u>output"),
        }

    blocks = {"Pair": pair()} | {f"B{i}": times(f"B{i - 1}" if i else "Pair") for i in range(10)}
    _, report = opened(stack(node("a", "B9", repeat=100), blocks=blocks))
    (problem,) = [p for p in report.problems if p.severity == "error"]
    assert problem.node == "a"
    assert "at most 5,000 can be written out" in problem.message


def test_a_fix_brings_a_repeat_back_into_bounds() -> None:
    project, report = opened(stack(node("a", "Pair", repeat=1000), blocks={"Pair": pair()}))
    (problem,) = [p for p in report.problems if p.code == "unknown-block"]
    assert problem.fix is not None
    assert builder.check(edits.apply(project, problem.fix.edits)).ok


def test_a_problem_inside_is_fixed_inside_and_arguments_stay() -> None:
    raw: Json = {
        "arguments": {"width": 5, "bias": False},
        "nodes": [
            node("x", "Image", channels=6, height=8, width=8),
            node("conv", "Conv2d", out_channels=argument("width"), kernel_size=11, bias=argument("bias")),
            node("fc", "Linear", out_features=10, bias=argument("bias")),
            node("output", "Output"),
        ],
        "edges": wires("x>conv", "conv>fc", "fc>output"),
    }
    data = stack(blocks={"Own": raw})
    data["networks"]["network"]["nodes"][2:4] = [node("own", "Own", width=3)]
    data["networks"]["network"]["edges"] = wires("image>stem", "stem>own", "own>output")
    project, report = opened(data)
    steps = 0
    while not report.ok and steps < 6:
        problem = next(p for p in report.problems if p.network == "blocks/Own" and p.fix is not None)
        assert problem.fix is not None
        project = edits.apply(project, problem.fix.edits)
        report, steps = builder.check(project), steps + 1
    assert report.ok, report.problems
    assert steps > 1
    settings = {n["id"]: n["settings"] for n in to_json(project)["blocks"]["Own"]["nodes"]}
    assert settings["conv"]["out_channels"] == argument("width")
    assert settings["fc"]["bias"] == argument("bias")
    assert builder.compile(project)["network"](torch.randn(2, 1, 8, 8)).shape == (2, 10)


JUNK: list[Any] = [
    None, True, 0, -1, 10**30, 1.5, float("nan"), "", "width", "Pair", "Own", "x", [], [1], {}, [[]],
    {"argument": "width"}, {"argument": None}, {"argument": "nope"}, "Add", "Output", "Image", {"nodes": []},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from places(item, (*path, key))


@pytest.mark.parametrize("seed", range(20))
def test_no_damage_to_definitions_stops_the_check(seed: int) -> None:
    """A file damaged at random opens, is told what is wrong, and keeps what it holds; nothing raises."""
    rng = random.Random(seed)
    stage = {
        "arguments": {"w": 3, "t": 2},
        "nodes": [
            node("x", "Image", channels=6, height=8, width=8),
            node("p", "Pair", width=argument("w"), repeat=argument("t")),
            node("output", "Output"),
        ],
        "edges": wires("x>p", "p>output"),
    }
    for _ in range(15):
        blocks = copy.deepcopy({"Pair": pair(), "Stage": stage, "Own": pair()})
        for _ in range(rng.randint(1, 3)):
            *path, last = rng.choice(list(places(blocks)))
            at: Any = blocks
            for key in path:
                at = at[key]
            if rng.random() < 0.3:
                del at[last]
            elif isinstance(at, dict) and rng.random() < 0.2:
                at[rng.choice(["argument", "nodes", "repeat", "width", "other"])] = copy.deepcopy(rng.choice(JUNK))
            else:
                at[last] = copy.deepcopy(rng.choice(JUNK))
        project, report = opened(stack(node("a", "Pair", width=2), node("s", "Stage"), node("b", "Own"), blocks=blocks))
        assert json.dumps(to_json(project)["blocks"]) == json.dumps(blocks)
        if report.ok:
            builder.source(project)
        else:
            assert all(p.message.strip() for p in report.problems)
