"""From text to modules: what is evaluated, where it lies, and what is refused."""

from __future__ import annotations

import inspect
import pickle
import sys
import traceback
from pathlib import Path

import networks
import pytest
import torch
from networks import graph, project
from torch import nn

import builder
from builder.compile import compile, instantiate, load_source, write
from builder.project import Project
from builder.source import generate

torch.set_num_threads(1)


def test_a_project_becomes_modules_ready_to_train(tmp_path: Path) -> None:
    made = compile(networks.lenet5(), tmp_path)
    assert list(made) == ["network"]
    network = made["network"]
    assert sum(p.numel() for p in network.parameters()) == 61_706
    network(torch.rand(3, 1, 28, 28)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert (tmp_path / "model.py").read_text() == generate(networks.lenet5()).text
    assert [p.name for p in tmp_path.iterdir()] == ["model.py"]  # and no __pycache__


def test_the_caller_s_seed_sets_the_weights() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return compile(networks.lenet5())["network"].fc3.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_every_call_gives_networks_of_its_own() -> None:
    first, second = compile(networks.lenet5())["network"], compile(networks.lenet5())["network"]
    assert type(first) is type(second)
    assert first.conv1.weight is not second.conv1.weight


def test_two_projects_of_one_name_stay_apart() -> None:
    first = project(
        "net", ("image", "Image", {}), ("flatten", "Flatten", {}), ("fc", "Linear", {}), ("output", "Output", {})
    )
    second = project(
        "net",
        ("image", "Image", {}),
        ("flatten", "Flatten", {}),
        ("a", "Linear", {"out_features": 5}),
        ("fc", "Linear", {}),
        ("output", "Output", {}),
    )
    made = [compile(p)["network"] for p in (first, second)]
    assert type(made[0]).__name__ == type(made[1]).__name__ == "Net"
    assert type(made[0]) is not type(made[1])
    assert [len(list(m.children())) for m in made] == [2, 3]


def test_a_rewritten_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("VALUE = 1\n")
    assert load_source(path).VALUE == 1
    path.write_text("VALUE = 2\n")  # same second, same size
    assert load_source(path).VALUE == 2


def test_tracebacks_and_tools_see_the_lines(tmp_path: Path) -> None:
    network = compile(networks.lenet5(), tmp_path)["network"]
    with pytest.raises(RuntimeError) as caught:
        network(torch.rand(1, 3, 28, 28))
    shown = "".join(traceback.format_exception(caught.value))
    assert str(tmp_path / "model.py") in shown
    assert "x = self.pool1(self.relu1(self.conv1(image)))" in shown
    assert "class LeNet5(nn.Module):" in inspect.getsource(type(network))


def test_networks_can_be_pickled_within_the_process() -> None:
    network = compile(networks.small_resnet())["network"]
    again = pickle.loads(pickle.dumps(network))
    assert torch.equal(again.fc.weight, network.fc.weight)


def test_instantiate_takes_the_file_of_a_run(tmp_path: Path) -> None:
    generated = generate(networks.small_googlenet())
    torch.manual_seed(0)
    first = instantiate(write(generated, tmp_path / "run"), generated.classes)["network"]
    torch.manual_seed(0)
    second = compile(networks.small_googlenet())["network"]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_all_problems_are_listed_when_it_does_not_check() -> None:
    broken = project(
        "broken",
        ("image", "Image", {}),
        ("conv", "Conv2d", {"kernel_size": 64}),
        ("flatten", "Flatten", {}),
        ("fc", "Linear", {}),
        ("other", "Linear", {}, ["image"]),
        ("output", "Output", {}, ["fc"]),
    )
    with pytest.raises(ValueError, match="broken cannot be compiled yet") as caught:
        compile(broken)
    assert "conv" in str(caught.value)
    assert "other" in str(caught.value)


def test_warnings_do_not_hinder() -> None:
    rows = [
        ("image", "Image", {}),
        ("flatten", "Flatten", {}),
        ("loose", "ReLU", {}),
        ("fc", "Linear", {}, ["flatten"]),
    ]
    made = project("p", *rows, ("output", "Output", {}))
    assert [p.severity for p in builder.check(made).problems] == ["warning"]
    assert compile(made)["network"](torch.rand(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    "name",
    ['"""', "'''", "\\", '\\"""', "a\nb", 'x"""\nimport os\nos.abort()\n"""', "\u202e\u2066", "\x00", "{0}", "#"],
)
def test_a_hostile_project_name_is_only_text(name: str) -> None:
    made = compile(networks.lenet5().replace(name=name))["network"]
    assert isinstance(made, nn.Module)
    assert "os" not in vars(sys.modules[type(made).__module__])


def test_a_hostile_network_name_is_only_text() -> None:
    hostile = 'a"""\nimport os\n"""'
    made = Project(
        name="p", networks={hostile: graph(("vector", "Vector", {}), ("fc", "Linear", {}), ("output", "Output", {}))}
    )
    generated = generate(made)
    network = instantiate(write(generated), generated.classes)[hostile]
    assert "os" not in vars(sys.modules[type(network).__module__])


def test_the_package_s_functions_keep_their_place() -> None:
    assert callable(builder.compile)
    assert callable(builder.source)
    assert builder.compile is compile
