"""Blocks that learn at a rate of their own or not at all: by hand, in files, and in the exported script."""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import small_resnet, spiral_mlp
from definitions import Json, node, pair, stack, wires
from exported import records_of

import builder
from builder import edits
from builder.fold import make_block
from builder.project import Choice, Project, ProjectError, dumps, from_json, loads, to_json
from builder.training.job import Job, prepare, settings
from builder.unfold import ungroup


def rated(make: Callable[..., Project], rates: dict[str, float], **changes: Any) -> Project:
    project = make(**changes)
    graph = project.networks["network"]
    for id, rate in rates.items():
        graph = graph.with_node(dataclasses.replace(graph.node(id), rate=rate))
    return project.with_network("network", graph)


SGD = {"optimizer": {"network": Choice("SGD", {"lr": 0.1})}}


def step(project: Project, folder: Path) -> dict[str, torch.Tensor]:
    """How far each tensor moves in the first step."""
    job = Job(prepare(project, folder))
    (network,) = job.networks.values()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    next(iter(job.loop.run()))
    return {name: tensor - before[name] for name, tensor in network.state_dict().items()}


def test_a_step_is_as_long_as_the_factor_says(tmp_path: Path) -> None:
    plain = step(spiral_mlp(**SGD), tmp_path / "plain")
    moved = step(rated(spiral_mlp, {"fc2": 0.25}, **SGD), tmp_path / "slow")
    assert all(torch.equal(moved[name], plain[name]) for name in ("fc1.weight", "fc1.bias"))
    for name in ("fc2.weight", "fc2.bias"):
        assert plain[name].abs().max() > 0
        torch.testing.assert_close(moved[name], 0.25 * plain[name], rtol=1e-4, atol=1e-7)


def test_a_frozen_block_changes_in_nothing(tmp_path: Path) -> None:
    moved = step(rated(small_resnet, {"conv1": 0.0, "norm1": 0.0, "res1": 0.0}, **SGD), tmp_path / "run")
    for name, distance in moved.items():
        frozen = name.split(".")[0] in ("conv1", "norm1", "res1")
        assert (not distance.any()) == frozen or not distance.dim(), name
        if frozen:
            assert not distance.any(), name  # its running means and counters included


def test_schedules_and_changed_rates_keep_the_factor(tmp_path: Path) -> None:
    project = rated(spiral_mlp, {"fc1": 0.1}, **SGD, training={"schedule": "cosine", "epochs": 3})
    loop = Job(prepare(project, tmp_path / "run")).loop
    records = loop.run()
    for _ in range(7):
        next(records)
    loop.set_learning_rate(None, 0.02)
    next(records)
    first, second = (group["lr"] for group in loop.optimizers["network"].param_groups)
    factors = [group["factor"] for group in loop.optimizers["network"].param_groups]
    assert first / second == pytest.approx(factors[0] / factors[1])


def test_a_trained_body_is_reused_under_a_new_head(tmp_path: Path) -> None:
    """Digits 0 to 9, then only the head is drawn anew: what the body has learned stays, to the last bit."""
    first = builder.train(small_resnet(training={"epochs": 1, "batch_size": 128}), tmp_path / "first")
    body = dict.fromkeys(("conv1", "norm1", "res1", "res2"), 0.0)
    project = rated(small_resnet, body, training={"epochs": 1, "batch_size": 128})
    graph = project.networks["network"].renamed("fc", "head")
    second = builder.train(project.with_network("network", graph), tmp_path / "second", weights=first, partial=True)
    before, after = first.networks["network"], second.networks["network"]
    for id in body:
        mine, theirs = after.get_submodule(id).state_dict(), before.get_submodule(id).state_dict()
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert not torch.equal(after.get_parameter("head.weight"), before.get_parameter("fc.weight"))
    assert second.history[-1]["losses"]["loss"] < second.history[0]["losses"]["loss"]


def test_the_exported_script_gives_the_same_losses(tmp_path: Path) -> None:
    rates = {"conv1": 0.0, "norm1": 0.0, "res1": 0.1, "fc": 3.0}
    project = rated(small_resnet, rates, training={"epochs": 1, "batch_size": 256})
    run = builder.train(project, tmp_path / "run")
    folder = builder.export(project, tmp_path / "export")
    assert (
        'RATES = {"network": {"conv1": 0.0, "norm1": 0.0, "res1": 0.1, "fc": 3.0}}' in (folder / "train.py").read_text()
    )
    assert records_of(folder) == run.history


def test_a_continued_training_goes_on_to_the_last_bit(tmp_path: Path) -> None:
    project = rated(small_resnet, {"conv1": 0.0, "fc": 2.0}, training={"epochs": 1, "batch_size": 256})
    whole = list(Job(prepare(project, tmp_path / "whole")).loop.run())
    first = Job(prepare(project, tmp_path / "first"))
    records = first.loop.run()
    begun = [next(records) for _ in range(2)]
    state = copy.deepcopy(first.loop.state_dict())
    second = Job(prepare(project, tmp_path / "second"))
    second.loop.load_state_dict(state)
    assert begun + list(second.loop.run()) == whole


# --- in files and in the check -----------------------------------------------------------------------------------


def test_a_rate_is_written_and_read_and_left_out_where_there_is_none() -> None:
    project = rated(spiral_mlp, {"fc1": 0.0, "fc2": 2.5})
    assert loads(dumps(project)) == project
    nodes = {n["id"]: n for n in to_json(project)["networks"]["network"]["nodes"]}
    assert (nodes["fc1"]["rate"], nodes["fc2"]["rate"]) == (0.0, 2.5)
    assert "rate" not in nodes["relu1"]


@pytest.mark.parametrize("rate", [-1, 1e9, "fast", True, None, float("nan")])
def test_a_rate_that_is_none_is_refused_with_its_value(rate: Any) -> None:
    data = to_json(spiral_mlp())
    data["networks"]["network"]["nodes"][1]["rate"] = rate
    with pytest.raises(ProjectError, match=r"rate is .*must be a number from 0 to 1000"):
        loads(json.dumps(data))


def test_freezing_everything_is_a_problem_with_a_remedy() -> None:
    project = rated(spiral_mlp, {"fc1": 0.0, "fc2": 0.0})
    (problem,) = builder.check(project).problems
    assert (problem.code, problem.node) == ("all-frozen", "fc2")
    assert "Every block with parameters is frozen (fc1, fc2)" in problem.message
    assert problem.fix is not None
    assert problem.fix.label == "Let fc2 learn"
    assert builder.check(edits.apply(project, problem.fix.edits)).problems == ()


# --- inside the user's own blocks -----------------------------------------------------------------------------------


def rated_pair(**rates: float) -> Json:
    """The definition of `definitions.pair`, whose inner blocks learn at these rates."""
    made = pair()
    return {**made, "nodes": [{**n, **({"rate": rates[n["id"]]} if n["id"] in rates else {})} for n in made["nodes"]]}


def own(*uses: Json, blocks: Json, **training: Any) -> Project:
    data = stack(*uses, blocks=blocks)
    data["optimizer"]["network"] = {"name": "SGD", "settings": {"lr": 0.1}}
    return from_json({**data, "training": {"batch_size": 128, "epochs": 1, **training}})


def test_a_frozen_block_inside_an_own_block_stays_in_all_its_uses(tmp_path: Path) -> None:
    uses = (node("a", "Pair"), node("b", "Pair", width=7, repeat=3), node("c", "Pair", repeat=2))
    moved = step(own(*uses, blocks={"Pair": rated_pair(conv1=0.0)}), tmp_path)
    assert len([name for name in moved if ".conv1." in name]) == 2 * 6
    for name, distance in moved.items():
        assert bool(distance.any()) == (".conv1." not in name), name


def test_a_rate_inside_an_own_block_is_a_group_of_the_optimizer(tmp_path: Path) -> None:
    """The factors of a block and of the use it stands in multiply; by hand: the nine groups of four uses."""
    slow = {**node("b", "Pair"), "rate": 0.5}
    frozen = {**node("c", "Pair"), "rate": 0.0}
    twice = {**node("d", "Pair", repeat=2), "rate": 3.0}
    project = own(node("a", "Pair"), slow, frozen, twice, blocks={"Pair": rated_pair(conv1=0.25, conv2=2.0)})
    job = Job(prepare(project, tmp_path / "run"))
    (network,) = job.networks.values()
    named = {parameter: name for name, parameter in network.named_parameters()}
    factors = {
        named[p].removesuffix(".weight"): group["factor"]
        for group in job.loop.optimizers["network"].param_groups
        for p in group["params"]
        if named[p].endswith(".weight")
    }
    assert factors == {
        "stem": 1.0,
        "fc": 1.0,
        "a.conv1": 0.25,
        "a.conv2": 2.0,
        "b.conv1": 0.125,
        "b.conv2": 1.0,
        "d.0.conv1": 0.75,
        "d.0.conv2": 6.0,
        "d.1.conv1": 0.75,
        "d.1.conv2": 6.0,
    }


def test_a_step_inside_nested_own_blocks_is_as_long_as_the_factors_say(tmp_path: Path) -> None:
    def outer(rate: float) -> Json:
        nodes = [node("x", "Image", channels=6, height=8, width=8), {**node("inner", "Pair"), "rate": rate}]
        return {
            "arguments": {},
            "nodes": [*nodes, node("last", "Conv2d", out_channels=6, kernel_size=1), node("output", "Output")],
            "edges": wires("x>inner", "inner>last", "last>output"),
        }

    plain = step(own(node("o", "Outer"), blocks={"Pair": pair(), "Outer": outer(1.0)}), tmp_path / "plain")
    made = {"Pair": rated_pair(conv2=0.5), "Outer": outer(0.5)}
    moved = step(own({**node("o", "Outer"), "rate": 0.5}, blocks=made), tmp_path / "slow")
    factors = {"o.inner.conv1": 0.25, "o.inner.conv2": 0.125, "o.last": 0.5}
    for name, distance in moved.items():
        factor = factors.get(name.rpartition(".")[0], 1.0)
        torch.testing.assert_close(distance, factor * plain[name], rtol=1e-3, atol=1e-7)


def test_the_exported_script_freezes_inside_own_blocks_too(tmp_path: Path) -> None:
    uses = (node("a", "Pair"), {**node("b", "Pair", repeat=2), "rate": 0.5})
    project = own(*uses, blocks={"Pair": rated_pair(conv1=0.0, conv2=4.0)}, batch_size=512)
    run = builder.train(project, tmp_path / "run")
    folder = builder.export(project, tmp_path / "export")
    text = (folder / "train.py").read_text()
    assert max(len(line) for line in text.splitlines()) <= 120
    (value,) = [s.value for s in ast.parse(text).body if isinstance(s, ast.Assign) and s.targets[0].id == "RATES"]
    rates = ast.literal_eval(value)["network"]
    inside = {f"b.{i}.{conv}": factor for i in (0, 1) for conv, factor in (("conv1", 0.0), ("conv2", 2.0))}
    assert rates == {"a.conv1": 0.0, "a.conv2": 4.0, "b": 0.5, **inside}
    assert records_of(folder) == run.history


def test_own_blocks_frozen_inside_can_learn_again() -> None:
    head: Json = {
        "arguments": {},
        "nodes": [
            node("x", "Vector", features=384),
            {**node("linear", "Linear", out_features=10), "rate": 0.0},
            node("output", "Output"),
        ],
        "edges": wires("x>linear", "linear>output"),
    }
    data = stack(node("a", "Pair"), blocks={"Pair": rated_pair(conv1=0.0, conv2=0.0), "Head": head})
    data["networks"]["network"]["nodes"][4] = node("fc", "Head")
    project = rated(lambda: from_json(data), {"stem": 0.0})
    (problem,) = builder.check(project).problems
    assert (problem.code, problem.node) == ("all-frozen", "fc")
    assert "such as fc, or to a block inside it" in problem.message
    assert problem.fix is not None
    assert problem.fix.label == "Let the blocks inside Head learn"
    assert builder.check(edits.apply(project, problem.fix.edits)).ok
    learning = rated(lambda: from_json(data), {"stem": 0.0, "a": 0.0})
    pairs = edits.apply(learning, problem.fix.edits)
    assert settings(pairs)["rates"]["network"] == {"stem": 0.0, "a": 0.0}


def test_folding_and_ungrouping_keep_what_is_frozen() -> None:
    project = rated(small_resnet, {"norm1": 0.0, "res1": 0.5})
    rates = settings(project)["rates"]["network"]
    made = edits.apply(
        project, make_block(project, builder.check(project), "network", ["norm1", "relu1", "res1"], "Body")
    )
    (use,) = [n for n in made.networks["network"].nodes if type(n.block).__name__ == "Body"]
    assert settings(made)["rates"]["network"] == {f"{use.id}.{id}": rate for id, rate in rates.items()}
    half = rated(lambda: made, {use.id: 0.5})
    back = edits.apply(half, ungroup(half, builder.check(half), "network", use.id))
    assert settings(back)["rates"]["network"] == {"norm1": 0.0, "res1": 0.25}
