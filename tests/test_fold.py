"""Selected blocks become one block of one's own, compute what they computed, and come back."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from definitions import argument, node, opened, pair, stack, wires

import builder
from builder import edits
from builder.fold import FoldError, make_block
from builder.project import Project, from_json, to_json
from builder.unfold import ungroup


def made(project: Project, ids: list[str], name: str = "Own", network: str = "network", **exposed: Any) -> Project:
    return edits.apply(project, make_block(project, builder.check(project), network, ids, name, exposed))


def back(project: Project, id: str, network: str = "network") -> Project:
    return edits.apply(project, ungroup(project, builder.check(project), network, id))


def within(words: list[str], longer: Iterator[str]) -> bool:
    """Whether these words occur in the longer list in their order."""
    return all(word in longer for word in words)


def same(before: Project, after: Project) -> None:
    """Both networks compute the same: the weights of the one are found in the other by what stands in their names."""
    report = builder.check(after)
    assert report.ok, report.problems
    one, other = builder.compile(before)["network"], builder.compile(after)["network"]
    weights, found = dict(one.state_dict()), {}
    for name, value in other.state_dict().items():
        (match,) = [w for w in weights if within(w.split("."), iter(name.split(".")))]
        assert weights[match].shape == value.shape
        found[name] = weights.pop(match)
    assert not weights
    other.load_state_dict(found)
    entering = before.networks["network"].nodes[0].id
    x = torch.randn(3, *report.shapes["network"][entering])
    assert torch.equal(one.eval()(x), other.eval()(x))


def test_a_chain_with_one_exposed_setting_and_back() -> None:
    project = builder.templates.load("lenet5")
    after = made(project, ["conv1", "relu1", "pool1"], "Stage", width=[("conv1", "out_channels")])
    same(project, after)
    (use,) = [n for n in to_json(after)["networks"]["network"]["nodes"] if n["block"] == "Stage"]
    assert use["settings"] == {"width": 6, "repeat": 1}
    definition = after.blocks["Stage"]
    assert definition["arguments"] == {"width": 6}
    assert next(n for n in definition["nodes"] if n["id"] == "conv1")["settings"]["out_channels"] == argument("width")
    assert builder.check(after).insides["Stage"]["pool1"].shape == builder.check(project).shapes["network"]["pool1"]
    assert "self.stage1 = Stage()" in builder.source(after)
    wider = edits.apply(after, [{"op": "set", "network": "network", "id": use["id"], "setting": "width", "value": 9}])
    assert builder.check(wider).shapes["network"][use["id"]][0] == 9
    same(project, back(after, use["id"]))
    assert "Stage" in back(after, use["id"]).blocks


def test_one_setting_for_several_blocks() -> None:
    project, _ = opened(
        stack(
            node("conv1", "Conv2d", out_channels=7, kernel_size=3),
            node("conv2", "Conv2d", out_channels=7, kernel_size=3),
            blocks={},
        )
    )
    targets = [("conv1", "out_channels"), ("conv2", "out_channels")]
    after = made(project, ["conv1", "conv2"], channels=targets, kernel=[("conv2", "kernel_size")])
    same(project, after)
    assert after.blocks["Own"]["arguments"] == {"channels": 7, "kernel": 3}
    uneven = edits.apply(
        project, [{"op": "set", "network": "network", "id": "conv2", "setting": "out_channels", "value": 8}]
    )
    with pytest.raises(FoldError, match="only where they are equal"):
        made(uneven, ["conv1", "conv2"], channels=targets)
    with pytest.raises(FoldError, match=r"conv1\.depth"):
        made(project, ["conv1"], depth=[("conv1", "depth")])


def branched() -> Project:
    """A shortcut around two convolutions."""
    data = stack(blocks={})
    network = data["networks"]["network"]
    network["nodes"][2:2] = [
        node("conv1", "Conv2d", out_channels=6, kernel_size=3, padding=1),
        node("relu1", "ReLU"),
        node("conv2", "Conv2d", out_channels=6, kernel_size=3, padding=1),
        node("add", "Add"),
    ]
    network["edges"] = wires(
        "image>stem", "stem>conv1", "conv1>relu1", "relu1>conv2", "conv2>add.in1", "stem>add.in2", "add>flatten",
        "flatten>fc", "fc>output",
    )  # fmt: skip
    project, report = opened(data)
    assert report.ok
    return project


def test_a_shortcut_becomes_one_input() -> None:
    project = branched()
    after = made(project, ["add", "conv2", "relu1", "conv1"], "ResidualPair")
    same(project, after)
    assert [e.target_port for e in after.networks["network"].incoming("pair1")] == ["in"]
    same(project, back(after, "pair1"))
    row = edits.apply(after, [{"op": "set", "network": "network", "id": "pair1", "setting": "repeat", "value": 3}])
    report = builder.check(row)
    assert report.ok
    assert report.nodes["network"]["pair1"].parameters == 3 * 2 * (6 * 6 * 9 + 6)
    apart = back(row, "pair1")
    assert builder.check(apart).ok
    assert builder.check(apart).parameters == report.parameters
    assert sum(1 for n in to_json(apart)["networks"]["network"]["nodes"] if n["block"] == "ResidualPair") == 3


def test_two_inputs() -> None:
    project = branched()
    after = made(project, ["add"], "Join")
    same(project, after)
    assert {e.target_port for e in after.networks["network"].incoming("join1")} == {"x1", "x2"}
    same(project, back(after, "join1"))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], "Select the blocks"),
        (["image", "stem"], "image is an input of the network"),
        (["fc", "output"], "output is the output of the network"),
        (["stem", "conv1"], "2 results: stem and conv1"),
        (["stem", "add"], "comes back to it through conv1, relu1, conv2. Select them too"),
        (["conv1", "conv2"], "through relu1. Select it too"),
    ],
)
def test_selections_that_are_no_block(ids: list[str], message: str) -> None:
    with pytest.raises(FoldError, match=message):
        made(branched(), ids)


@pytest.mark.parametrize(
    ("name", "message"),
    [("Conv2d", "Layerloom has itself"), ("two words", "no Python name"), ("", "no Python name"), ("Join", "already")],
)
def test_names_that_are_no_block_s(name: str, message: str) -> None:
    project = made(branched(), ["add"], "Join")
    with pytest.raises(FoldError, match=message):
        made(project, ["conv1"], name)


def test_blocks_not_yet_wired_become_a_block_too() -> None:
    data = stack(blocks={})
    data["networks"]["network"]["nodes"] += [node("conv9", "Conv2d", out_channels=3), node("relu9", "ReLU")]
    data["networks"]["network"]["edges"] += wires("conv9>relu9")
    project, _ = opened(data)
    after = made(project, ["conv9", "relu9"], "Later")
    (use,) = [n for n in after.networks["network"].nodes if n.id == "later1"]
    assert use.block.ports()[0].rank == 3
    assert not after.networks["network"].incoming("later1")


def test_an_unknown_block_stays_outside() -> None:
    project, _ = opened(stack(node("what", "Frobnicate", depth=1), blocks={}))
    with pytest.raises(FoldError, match="Frobnicate"):
        made(project, ["stem", "what"])


def test_tokens_come_in() -> None:
    data = stack(blocks={})
    data["networks"]["network"] = {
        "nodes": [
            node("words", "Tokens", length=5, vocabulary=9),
            node("embedding", "Embedding", num_embeddings=9, embedding_dim=4),
            node("flatten", "Flatten"),
            node("fc", "Linear", out_features=10),
            node("output", "Output"),
        ],
        "edges": wires("words>embedding", "embedding>flatten", "flatten>fc", "fc>output"),
    }
    project, _ = opened(data)
    after = made(project, ["embedding", "flatten"], "Read")
    report = builder.check(after)
    assert report.shapes["network"]["read1"] == (20,)
    assert report.parameters == builder.check(project).parameters
    small = edits.apply(
        after, [{"op": "set", "network": "network", "id": "words", "setting": "vocabulary", "value": 10}]
    )
    assert any(p.node == "read1" and "9" in p.message for p in builder.check(small).problems)


def test_inside_a_block_its_settings_stay() -> None:
    """Grouped inside an own block, what takes its argument goes on doing so, through the new block."""
    project, _ = opened(stack(node("a", "Pair", width=2), node("b", "Pair", width=5), blocks={"Pair": pair()}))
    after = made(project, ["conv1", "relu1"], "Half", network="blocks/Pair", kernel=[("conv1", "kernel_size")])
    same(project, after)
    assert after.blocks["Half"]["arguments"] == {"kernel": 3, "width": 4}
    (use,) = [n for n in after.blocks["Pair"]["nodes"] if n["block"] == "Half"]
    assert use["settings"] == {"kernel": 3, "width": argument("width"), "repeat": 1}
    again = back(after, use["id"], "blocks/Pair")
    same(project, again)
    conv = next(n for n in again.blocks["Pair"]["nodes"] if n["id"] == "conv1")
    assert conv["settings"]["out_channels"] == argument("width")
    deeper = made(after, [use["id"]], "Deep", network="blocks/Pair", reach=[(use["id"], "width")])
    same(project, deeper)
    assert deeper.blocks["Deep"]["arguments"] == {"reach": 4}


def test_a_repeated_block_inside_a_block_comes_apart() -> None:
    data = stack(node("s", "Stage"), blocks={"Pair": pair()})
    data["blocks"]["Stage"] = {
        "arguments": {"width": 6},
        "nodes": [
            node("x", "Image", channels=6),
            node("pairs", "Pair", repeat=2),
            node("conv", "Conv2d", out_channels=argument("width"), kernel_size=1),
            node("output", "Output"),
        ],
        "edges": wires("x>pairs", "pairs>conv", "conv>output"),
    }
    project, report = opened(data)
    assert report.ok
    after = back(project, "pairs", "blocks/Stage")
    assert builder.check(after).ok
    assert {n["id"]: n["settings"] for n in after.blocks["Stage"]["nodes"]}["conv"]["out_channels"] == argument("width")
    assert builder.check(after).parameters == report.parameters


@pytest.mark.parametrize("template", ["lenet5", "resnet_digits", "googlenet"])
@pytest.mark.parametrize("seed", range(4))
def test_any_selection_is_refused_or_computes_the_same(template: str, seed: int) -> None:
    rng = random.Random(seed)
    project = builder.templates.load(template)
    before = builder.check(project)
    ids = [n.id for n in project.networks["network"].nodes]
    count, refused = 0, []
    for _ in range(12):
        start = rng.randrange(len(ids))
        chosen = rng.sample(ids, 3) if rng.random() < 0.3 else ids[start : start + rng.randint(1, 6)]
        kept = copy.deepcopy(to_json(project))
        try:
            after = made(project, chosen)
        except FoldError as error:
            refused.append(str(error))
            assert to_json(project) == kept
            continue
        count += 1
        report = builder.check(after)
        assert report.ok, report.problems
        assert report.parameters == before.parameters
        assert from_json(to_json(after)) == after
        (use,) = set(after.networks["network"].ids()) - set(ids)
        again = builder.check(back(after, use))
        assert again.ok
        assert again.parameters == before.parameters
        assert set(again.shapes["network"]) == set(ids)
    assert count
    assert all(sentence.endswith(".") for sentence in refused)
