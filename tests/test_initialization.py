"""First weights: their distributions against the papers' formulas, and the same numbers in the exported script."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import row_lstm, small_resnet
from exported import records_of
from torch import Tensor, nn

import builder
from builder.initialization import INITIALIZATIONS, initialize
from builder.training.settings import TrainingSettings


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(48, 128, 3, groups=1)
        self.up = nn.ConvTranspose2d(64, 32, 4, bias=False)
        self.bn = nn.BatchNorm2d(2000)
        self.fc = nn.Linear(300, 200)
        self.lstm = nn.LSTM(120, 80, num_layers=2, bidirectional=True)
        self.attention = nn.MultiheadAttention(64, 4)
        self.embedding = nn.Embedding(5, 3)


def drawn(kind: str, std: float = 0.05) -> Net:
    torch.manual_seed(0)
    network = Net()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(9.0)  # whatever is not drawn shows
    initialize({"network": network}, {"initialization": kind, "initialization_std": std})
    return network


def deviation(weight: Tensor) -> float:
    assert abs(weight.mean().item()) < 0.1 * weight.std().item()
    return weight.std().item()


CONV_IN, CONV_OUT = 48 * 9, 128 * 9
GLOROT = math.sqrt(2 / (300 + 200))
DEVIATIONS: dict[str, tuple[float, float]] = {
    # Of the convolution's and of the dense layer's weights.
    "kaiming": (math.sqrt(2 / CONV_IN), math.sqrt(2 / 300)),
    "xavier": (math.sqrt(2 / (CONV_IN + CONV_OUT)), GLOROT),
    "normal": (0.05, 0.05),
    "torchvision_vgg": (math.sqrt(2 / CONV_OUT), 0.01),
    "torchvision_googlenet": (0.01, 0.01),
    "dcgan": (0.02, 0.02),
}


@pytest.mark.parametrize("kind", DEVIATIONS)
def test_weights_have_the_deviation_of_the_formula(kind: str) -> None:
    network = drawn(kind)
    conv, dense = DEVIATIONS[kind]
    assert deviation(network.conv.weight) == pytest.approx(conv, rel=0.03)
    assert deviation(network.fc.weight) == pytest.approx(dense, rel=0.03)
    assert deviation(network.attention.out_proj.weight) > 0
    assert not network.conv.bias.any()
    assert not network.fc.bias.any()
    assert not network.lstm.bias_hh_l0.any()


def test_glorot_s_weights_are_uniform_within_his_bounds() -> None:
    weight = drawn("xavier").fc.weight
    bound = math.sqrt(6 / (300 + 200))
    assert 0.99 * bound < weight.abs().max().item() <= bound


def test_orthogonal_weights_keep_lengths_gate_by_gate() -> None:
    network = drawn("orthogonal")
    rows = network.fc.weight
    torch.testing.assert_close(rows @ rows.T, torch.eye(200), atol=1e-5, rtol=0)
    for name in ("weight_hh_l0", "weight_hh_l1_reverse"):
        for gate in getattr(network.lstm, name).chunk(4):
            torch.testing.assert_close(gate @ gate.T, torch.eye(80), atol=1e-5, rtol=0)
    for projection in network.attention.in_proj_weight.chunk(3):
        torch.testing.assert_close(projection @ projection.T, torch.eye(64), atol=1e-5, rtol=0)


def test_torchvision_s_resnet_leaves_its_dense_layer_and_dcgan_draws_normalizations() -> None:
    resnet = drawn("torchvision_resnet")
    assert deviation(resnet.conv.weight) == pytest.approx(math.sqrt(2 / CONV_OUT), rel=0.03)
    assert (resnet.fc.weight == 9).all()
    assert (resnet.bn.weight == 9).all()
    dcgan = drawn("dcgan")
    assert dcgan.bn.weight.mean().item() == pytest.approx(1, abs=0.005)
    assert dcgan.bn.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert not dcgan.bn.bias.any()


@pytest.mark.parametrize("kind", INITIALIZATIONS)
def test_everything_else_stays_as_it_is(kind: str) -> None:
    network = drawn(kind)
    assert (network.embedding.weight == 9).all()
    if kind == "default":
        assert all((p == 9).all() for p in network.parameters())


def test_compiling_draws_as_the_project_says() -> None:
    for kind in ("default", "normal"):
        training = {"initialization": kind, "initialization_std": 0.001}
        torch.manual_seed(1)
        network = builder.compile(small_resnet(training=training))["network"]
        assert (network.get_parameter("conv1.weight").std().item() < 0.002) == (kind == "normal")
    assert TrainingSettings().initialization == "default"


@pytest.mark.parametrize("make, kind", [(small_resnet, "kaiming"), (small_resnet, "dcgan"), (row_lstm, "orthogonal")])
def test_the_exported_script_draws_the_same_numbers(make: Any, kind: str, tmp_path: Path) -> None:
    project = make(training={"epochs": 1, "batch_size": 256, "initialization": kind})
    plain = builder.train(make(training={"epochs": 1, "batch_size": 256}), tmp_path / "plain")
    run = builder.train(project, tmp_path / "run")
    assert run.history[0] != plain.history[0]
    folder = builder.export(project, tmp_path / "export")
    assert records_of(folder) == run.history
