"""Recurrent layers from inside: gates that give torch's own output, and gradients that fade."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import builder
from builder import recurrence, templates
from builder.training import evaluate

torch.set_num_threads(1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.RNN(3, 5, batch_first=True),
        lambda: nn.RNN(3, 5, nonlinearity="relu", batch_first=True),
        lambda: nn.LSTM(3, 5, batch_first=True),
        lambda: nn.LSTM(3, 5, bias=False, batch_first=True),
        lambda: nn.GRU(3, 5, batch_first=True),
    ],
    ids=["tanh", "relu", "LSTM", "no bias", "GRU"],
)
def test_the_gates_lead_to_torchs_output(make: Any) -> None:
    torch.manual_seed(0)
    layer, x = make(), torch.randn(7, 3)
    found = recurrence.gates(layer, x)
    output, state = layer(x.unsqueeze(0))
    assert torch.allclose(found["hidden"], output[0], atol=1e-6)
    if isinstance(layer, nn.LSTM):
        assert torch.allclose(found["memory"][-1], state[1][0, 0], atol=1e-6)
        assert set(found) == {"input", "forget", "output", "candidate", "memory", "hidden"}
        assert all(((found[g] > 0) & (found[g] < 1)).all() for g in ("input", "forget", "output"))
    if isinstance(layer, nn.GRU):
        assert set(found) == {"reset", "update", "candidate", "hidden"}


def test_a_gradient_fades_by_the_weight_at_every_step_back() -> None:
    layer = nn.RNN(1, 2, nonlinearity="relu", batch_first=True)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(0.5 * torch.eye(2))
        layer.weight_ih_l0.fill_(1.0)
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
    found = recurrence.reach(layer, torch.ones(5, 1))  # positive throughout, so ReLU's slope is 1
    assert found.tolist() == pytest.approx([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0])
    for weight in layer.parameters():
        weight.requires_grad_(False)
    assert recurrence.reach(layer, torch.ones(5, 1)).tolist() == pytest.approx(found.tolist())


def test_an_open_forget_gate_carries_a_gradient_where_a_plain_network_loses_it() -> None:
    torch.manual_seed(0)
    x = torch.randn(40, 3)
    lstm, rnn = nn.LSTM(3, 16, batch_first=True), nn.RNN(3, 16, batch_first=True)
    with torch.no_grad():
        lstm.bias_ih_l0[16:32] = 5.0
    assert recurrence.reach(lstm, x)[0] > 0.1
    assert recurrence.reach(rnn, x)[0] < 0.01
    assert all(weight.grad is None for weight in (*lstm.parameters(), *rnn.parameters()))


def test_a_watched_recurrent_block_is_seen_from_inside(tmp_path: Path) -> None:
    project = templates.load("gru_forecast")
    run = builder.train(project.replace(training={**project.training, "epochs": 1}), tmp_path / "run")
    found = evaluate.maps_of_sample(run.folder, 0, ("network", "gru"))
    seen = found.part("gate/network/gru")
    assert set(seen) == {"reset", "update", "candidate", "hidden"}
    assert seen["hidden"].shape == (24, 32)
    assert found.arrays["reach/network/gru"].shape == (24,)
    assert seen["hidden"][-1] == pytest.approx(found.maps()["gru"].astype("float32"), abs=1e-3)
    assert not evaluate.maps_of_sample(run.folder, 0, ("network", "fc")).part("gate/network/fc")
