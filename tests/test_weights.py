"""Weights from elsewhere: by name, by order and shape, in part; what does not fit is refused with its name and numbers."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import block, lenet5, small_resnet, spiral_mlp
from definitions import node, pair, stack
from safetensors.torch import save_file
from test_reference_networks import AlexNet, GoogLeNet, LeNet5, ResNet18
from torch import Tensor, nn

import builder
from builder import cli, templates
from builder.graph import Edge, Node
from builder.project import Project, from_json
from builder.training import checkpoint, weights
from builder.training.job import Job, prepare
from builder.training.weights import INITIAL_FILE, WeightsError


def short(make: Callable[..., Project], **training: Any) -> Project:
    return make(training={"epochs": 1, "batch_size": 256, **training})


def begun(project: Project, source: Any, folder: Path, partial: bool = False) -> nn.Module:
    """The network as its run begins."""
    (network,) = Job(prepare(project, folder, source, partial)).networks.values()
    return network


def state(reference: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in reference.state_dict().items()}


# --- what fits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_published_state_dict_loads_by_order(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(7)
    reference = LeNet5()
    path = tmp_path / f"lenet{suffix}"
    torch.save(reference.state_dict(), path) if suffix == ".pt" else save_file(state(reference), path)
    network = begun(templates.load("lenet5"), path, tmp_path / "run")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), reference.parameters(), strict=True))
    by = "order and shape" if suffix == ".pt" else "the kind of layer"
    assert weights.told(tmp_path / "run") == f"All 10 tensors of lenet{suffix} fit, matched by {by}."


@pytest.mark.parametrize(
    "name, make", [("alexnet", AlexNet), ("resnet18", ResNet18), ("googlenet_aux", lambda: GoogLeNet(True))]
)
def test_large_published_networks_fit_whole(name: str, make: Callable[[], nn.Module]) -> None:
    reference = make()
    found = weights.match(state(reference), templates.load(name), "it")
    assert found.whole
    assert len(found.pairs) == len(reference.state_dict())
    assert [there for there, _ in found.pairs] == list(reference.state_dict()), "in its own order"
    assert found.drawn == ()


def test_a_safetensors_file_fits_whole_though_it_keeps_no_order(tmp_path: Path) -> None:
    """Its layers come by name: bn1 before conv1, and the last layer before all that is called layers."""
    reference = ResNet18()
    save_file(state(reference), tmp_path / "resnet.safetensors")
    tensors, found = weights.find(tmp_path / "resnet.safetensors", templates.load("resnet18"))
    assert next(iter(tensors)).startswith("bn1")
    assert found.whole
    here = [name for _, name in weights.match(state(reference), templates.load("resnet18"), "it").pairs]
    order = dict(zip(here, reference.state_dict(), strict=True))
    assert {here: there for there, here in found.pairs} == order


def test_counters_that_older_files_lack_are_not_missed() -> None:
    tensors = {n: t for n, t in state(ResNet18()).items() if not n.endswith("num_batches_tracked")}
    assert weights.match(tensors, templates.load("resnet18"), "it").whole


def test_wrapped_and_prefixed_state_dicts_are_found(tmp_path: Path) -> None:
    reference = LeNet5()
    prefixed = {f"module.{name}": tensor for name, tensor in reference.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": prefixed}, tmp_path / "it.pt")
    network = begun(templates.load("lenet5"), tmp_path / "it.pt", tmp_path / "run")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), reference.parameters(), strict=True))


def test_another_number_of_classes_takes_all_but_the_last_layer(tmp_path: Path) -> None:
    reference = ResNet18()
    reference.fc = nn.Linear(512, 5)
    save_file(state(reference), tmp_path / "five.safetensors")
    tensors, whole = weights.find(tmp_path / "five.safetensors", templates.load("resnet18"))
    with pytest.raises(WeightsError, match=r"fc\.weight") as refused:
        weights.keep(tmp_path, tensors, whole)
    assert "network.fc.weight is 5×512 in the file and 1000×512 here." in str(refused.value)
    assert "partial" in str(refused.value)
    found = weights.match(state(reference), templates.load("resnet18"), "five")
    assert found.drawn == ("network.fc",)
    assert found.fresh == ("network.fc.weight", "network.fc.bias")
    assert found.sentence().startswith("120 of the network's 122 tensors come from five, matched by ")


def test_the_first_step_starts_where_the_other_run_ended(tmp_path: Path) -> None:
    project = short(small_resnet)
    first = builder.train(project, tmp_path / "first")
    again = begun(project, first, tmp_path / "second")
    best = first.networks["network"].state_dict()
    assert all(torch.equal(best[name], value) for name, value in again.state_dict().items())
    assert Job(tmp_path / "second").expected_loss is None, "a trained network is not expected to know nothing"


def test_by_order_too_a_layer_of_another_size_is_told_with_both_sizes() -> None:
    reference = LeNet5()
    reference.out = nn.Linear(84, 7)
    found = weights.match(state(reference), templates.load("lenet5"), "seven")
    assert found.misshapen == (("network.fc3.weight", (7, 84), (10, 84)), ("network.fc3.bias", (7,), (10,)))
    assert (found.missing, found.extra) == ((), ())
    assert found.kept == tuple(f"network.{id}" for id in ("conv1", "conv2", "fc1", "fc2"))


# --- an edited network ------------------------------------------------------------------------------------------


def test_unchanged_blocks_of_an_edited_network_keep_their_weights(tmp_path: Path) -> None:
    project = short(small_resnet)
    first = builder.train(project, tmp_path / "first")
    graph = project.networks["network"]
    # res2 is wider, and a convolution stands before res1; conv1, norm1 and res1 are as they were.
    wider = dataclasses.replace(graph.node("res2"), block=block("Residual", out_channels=24, stride=2))
    extra = Node("conv2", block("Conv2d", out_channels=8, kernel_size=3, padding=1))
    graph = graph.with_node(wider).with_node(extra).without_edge(Edge("relu1", "out", "res1", "in"))
    graph = graph.with_edge(Edge("relu1", "out", "conv2", "in")).with_edge(Edge("conv2", "out", "res1", "in"))
    edited = project.with_network("network", graph)
    _, found = weights.find(first, edited)
    assert set(found.kept) == {"network.conv1", "network.norm1", "network.res1"}
    assert set(found.drawn) == {"network.res2", "network.fc", "network.conv2"}
    assert found.partly == ()
    assert "Kept: conv1, norm1, res1. Drawn anew: conv2, res2, fc." in found.sentence()
    network = begun(edited, first, tmp_path / "second", partial=True)
    before = first.networks["network"]
    for id in ("conv1", "norm1", "res1"):
        mine, theirs = network.get_submodule(id).state_dict(), before.get_submodule(id).state_dict()
        assert mine
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert not torch.equal(network.get_parameter("fc.bias"), before.get_parameter("fc.bias"))


def test_blocks_are_matched_by_their_names_on_the_canvas(tmp_path: Path) -> None:
    """As a stage, layer1_0 and layer1_1 are modules of other names than alone; they are still the same blocks."""

    def stage(count: int) -> Project:
        made = small_resnet(training={"epochs": 1, "batch_size": 512})
        graph = made.networks["network"].renamed("res1", "layer_0").renamed("res2", "layer_1")
        if count == 1:
            graph = graph.renamed("layer_1", "other")
        return made.with_network("network", graph)

    first = builder.train(stage(1), tmp_path / "first")
    _, found = weights.find(first, stage(2))
    assert "network.layer_0" in found.kept
    assert found.drawn == ("network.layer_1",)


def test_an_edit_inside_an_own_block_or_of_its_number_keeps_the_rest_of_it(tmp_path: Path) -> None:
    def made(kernel: int, repeat: int, width: int = 4) -> Project:
        inside = pair()
        for one in inside["nodes"]:
            if one["id"] == "conv2":
                one["settings"] |= {"kernel_size": kernel, "padding": kernel // 2}
        uses = (node("a", "Pair"), node("b", "Pair", repeat=repeat), node("c", "Pair", width=width))
        data = stack(*uses, blocks={"Pair": inside})
        return from_json({**data, "training": {"epochs": 1, "batch_size": 512}})

    first = builder.train(made(3, 1), tmp_path / "first")
    before = first.networks["network"].state_dict()

    _, found = weights.find(first, made(5, 1))
    assert (found.kept, found.drawn) == (("network.stem", "network.fc"), ())
    assert found.partly == ("network.a", "network.b", "network.c")
    told = "Kept: stem, fc. Kept in part: a, b, c. Drawn anew: nothing. network.a.conv2.weight is 6×4×3×3 in that run"
    assert told in found.sentence()
    inside = begun(made(5, 1), first, tmp_path / "inside", partial=True).state_dict()
    assert torch.equal(inside["a.conv1.weight"], before["a.conv1.weight"])
    assert inside["a.conv2.weight"].shape == (6, 4, 5, 5)

    _, longer = weights.find(first, made(3, 3))
    assert (longer.partly, longer.drawn) == (("network.b",), ())
    row = begun(made(3, 3), first, tmp_path / "row", partial=True).state_dict()
    assert torch.equal(row["b.0.conv1.weight"], before["b.conv1.weight"])
    third = builder.train(made(3, 3), tmp_path / "third")
    _, shorter = weights.find(third, made(3, 1))
    assert (shorter.kept, shorter.fresh) == (tuple(f"network.{id}" for id in ("stem", "a", "b", "c", "fc")), ())

    _, wider = weights.find(first, made(3, 1, width=9))
    assert (wider.partly, wider.drawn) == ((), ("network.c",))


# --- exported scripts ----------------------------------------------------------------------------------------


def test_the_exported_script_begins_with_the_same_weights(tmp_path: Path) -> None:
    project = short(spiral_mlp)
    first = builder.train(project, tmp_path / "first")
    second = builder.train(project, tmp_path / "second", weights=first)
    assert second.history != first.history
    folder = builder.export(project, tmp_path / "export")
    start = str(tmp_path / "second" / INITIAL_FILE)
    command = [sys.executable, "train.py", "--json", "--weights", start]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()][:-1] == second.history
    command[-1] = "nowhere.safetensors"
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "train.py: There is no file nowhere.safetensors."


def test_the_command_line_takes_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    builder.save(short(lenet5), tmp_path / "lenet.json")
    reference = LeNet5()
    reference.out = nn.Linear(84, 7)
    torch.save(reference.state_dict(), tmp_path / "seven.pt")
    command = ["train", str(tmp_path / "lenet.json"), "--weights", str(tmp_path / "seven.pt"), "--run"]
    assert cli.main([*command, str(tmp_path / "refused")]) == 1
    assert "network.fc3.weight" in capsys.readouterr().err
    assert not (tmp_path / "refused" / "project.json").exists()
    assert cli.main([*command, str(tmp_path / "run"), "--partial"]) == 0
    assert "8 of the network's 10 tensors come from seven.pt" in capsys.readouterr().out


# --- bad input -------------------------------------------------------------------------------------------------


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("touch harmed",)


def without(name: str) -> dict[str, Tensor]:
    return {n: t for n, t in good().items() if n != name}


def good() -> dict[str, Tensor]:
    return {f"network.{name}": t for name, t in builder.compile(spiral_mlp())["network"].state_dict().items()}


def spoiled(name: str, value: float) -> dict[str, Tensor]:
    tensors = good()
    tensors[name].view(-1)[3] = value
    return tensors


BAD: list[tuple[str, dict[str, Tensor], tuple[str, ...]]] = [
    ("missing", without("network.fc2.bias"), ("network.fc2.bias is not in the file", "does not fit")),
    ("extra", {**good(), "network.fc9.weight": torch.zeros(2)}, ("network.fc9.weight is in the file only",)),
    ("misshapen", {**good(), "network.fc1.weight": torch.zeros(16, 5)}, ("network.fc1.weight is 16×5", "16×2 here")),
    ("nan", spoiled("network.fc1.weight", float("nan")), ("network.fc1.weight", "not finite")),
    ("infinite", spoiled("network.fc2.weight", float("inf")), ("network.fc2.weight", "not finite")),
    ("foreign", {"a": torch.zeros(3, 3, 3)}, ("Nothing in", "fits the network")),
    ("empty", {}, ("Nothing in", "fits the network")),
]


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("name, tensors, parts", BAD, ids=[case[0] for case in BAD])
def test_what_does_not_fit_is_refused_with_its_name(
    name: str, tensors: dict[str, Tensor], parts: tuple[str, ...], suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"bad{suffix}"
    torch.save(tensors, path) if suffix == ".pt" else save_file(tensors, path)
    if name == "empty" and suffix == ".pt":
        parts = ("holds no tensors",)
    with pytest.raises(WeightsError) as refused:
        prepare(spiral_mlp(), tmp_path / "run", path)
    assert all(part in str(refused.value) for part in parts), str(refused.value)
    assert not (tmp_path / "run" / "project.json").exists(), "no run begins"
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no weights at all",
        b"\x08\x00\x00\x00\x00\x00\x00\x00{broken}",
        b"\xff\xff\xff\xff\xff\xff\xff\x7f{}",
        pickle.dumps({"weight": Bomb()}),
        pickle.dumps([1, 2, 3]),
    ],
    ids=["empty", "text", "broken header", "huge header", "code", "a list"],
)
def test_files_that_are_no_weights_are_refused_and_run_nothing(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"bad\.pt"):
        weights.read(path)
    torch.save({"network.fc1.weight": torch.zeros(2), "bomb": Bomb()}, path)
    with pytest.raises(WeightsError, match="without running code"):
        weights.read(path)
    assert not (tmp_path / "harmed").exists()


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    for name, write in (("it.pt", torch.save), ("it.safetensors", save_file)):
        path = tmp_path / name
        write(good(), path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(WeightsError, match=name):
            weights.read(path)


def test_a_run_without_weights_says_so(tmp_path: Path) -> None:
    folder = prepare(spiral_mlp(), tmp_path / "first")
    with pytest.raises(WeightsError, match="has no weights yet"):
        weights.find(builder.training.run.Run(folder), spiral_mlp())


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.pt cannot be read"):
        weights.read(tmp_path / "nowhere.pt")


def test_half_precision_is_taken_as_it_is_meant(tmp_path: Path) -> None:
    halves = {name: tensor.half() for name, tensor in good().items()}
    save_file(halves, tmp_path / "half.safetensors")
    network = begun(spiral_mlp(), tmp_path / "half.safetensors", tmp_path / "run")
    assert network.get_parameter("fc1.weight").dtype == torch.float32
    assert torch.equal(network.get_parameter("fc1.weight"), halves["network.fc1.weight"].float())


def test_the_files_of_runs_are_weights_files(tmp_path: Path) -> None:
    run = builder.train(short(spiral_mlp), tmp_path / "first")
    path = run.weights()
    assert path is not None
    assert weights.find(path, spiral_mlp())[1].whole
    assert set(checkpoint.load_weights(path)) == {"network"}
