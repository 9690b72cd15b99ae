"""Reconstruction: losses by hand, noise, the variational code, questions to a trained autoencoder, export."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import builder
from builder import data, edits
from builder.project import Choice, Project
from builder.tasks import reconstruction
from builder.tasks.reconstruction import Reconstruction, SquaredError, ValueBCE
from builder.training import evaluate
from builder.ui.views.latent_map import flattened

torch.set_num_threads(1)

NAMES = ("autoencoder", "conv_autoencoder", "denoising_autoencoder", "variational_autoencoder")
TASK = {"input": "image", "noise": 0.0, "beta": 1.0, "latent": ""}


class Fixed(nn.Module):
    def __init__(self, *outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.ParameterList([o.clone() for o in outputs])

    def forward(self, x: Tensor) -> Any:
        self.seen = x
        return self.outputs[0] if len(self.outputs) == 1 else tuple(self.outputs)


def losses_of(loss: str, values: Tensor, *outputs: Tensor, **task: Any) -> tuple[dict[str, float], dict[str, float]]:
    settings = {"task": {**TASK, **task}, "loss": {"name": loss}}
    return reconstruction.train_step({"network": Fixed(*outputs)}, {"image": values}, settings, lambda *a: None)


def test_losses_by_hand() -> None:
    values = torch.tensor([[[[1.0, 0.0]]]])
    assert losses_of("bce", values, torch.full((1, 1, 1, 2), 0.5))[0]["loss"] == pytest.approx(0.693147, abs=1e-6)
    losses, metrics = losses_of("mse", values, torch.tensor([[[[0.5, 0.2]]]]))
    assert losses == {"loss": pytest.approx((0.25 + 0.04) / 2)}
    assert metrics == {"mse": pytest.approx((0.25 + 0.04) / 2)}


def test_divergence_by_hand() -> None:
    # ½ (μ² + σ² − ln σ² − 1) for N(1, 1) and N(0, e): ½ and ½ (e − 2).
    assert reconstruction.divergence(torch.zeros(3, 8)).item() == 0
    assert reconstruction.divergence(torch.tensor([[1.0, 0.0, 0.0, 1.0]])).item() == pytest.approx(0.5 * (math.e - 1))
    by_torch = torch.distributions.kl_divergence(
        torch.distributions.Normal(torch.tensor([0.3, -2.0]), torch.tensor([0.5, 1.5])),
        torch.distributions.Normal(torch.zeros(2), torch.ones(2)),
    ).sum()
    code = torch.tensor([[0.3, -2.0, 2 * math.log(0.5), 2 * math.log(1.5)]])
    assert reconstruction.divergence(code).item() == pytest.approx(by_torch.item())
    values = torch.zeros(1, 1, 2, 2)
    losses, _ = losses_of("mse", values, values, torch.tensor([[1.0, 0.0]]), beta=2.0)
    assert losses == {"loss": 0.0, "divergence": pytest.approx(2 * 0.5 / 4)}


def test_noise_goes_in_and_not_out() -> None:
    values = torch.zeros(2, 1, 20, 20)
    network = Fixed(values)
    settings = {"task": {**TASK, "noise": 0.5}, "loss": {"name": "mse"}}
    torch.manual_seed(1)
    losses, _ = reconstruction.train_step({"network": network}, {"image": values}, settings, lambda *a: None)
    assert losses["loss"] == 0
    assert network.seen.std().item() == pytest.approx(0.5, rel=0.1)
    first = network.seen
    reconstruction.train_step({"network": network}, {"image": values}, settings, lambda *a: None)
    assert not torch.equal(first, network.seen)
    reconstruction.evaluate({"network": network}, {"image": values}, settings)
    first = network.seen
    reconstruction.evaluate({"network": network}, {"image": values}, settings)
    assert torch.equal(first, network.seen), "every evaluation sees the same noise"
    given = Reconstruction.results({"network": values}, {"image": values}, settings)["given"]
    assert torch.equal(given, first), "what is shown is what went in"


def test_bce_wants_values_from_0_to_1() -> None:
    digits = data.find("digits")
    assert ValueBCE().problem(digits()) is None
    assert "normalization" in (ValueBCE().problem(digits(normalization="standard")) or "")
    assert SquaredError().problem(digits(normalization="standard")) is None


def test_other_data_and_other_sizes_have_a_fix() -> None:
    made = builder.templates.load("autoencoder")
    made = made.replace(data=Choice("digits", {**made.data.settings, "size": 20}))
    while problems := builder.check(made).problems:
        assert problems[0].fix is not None, problems[0].message
        made = edits.apply(made, list(problems[0].fix.edits))
    assert builder.check(made).shapes["network"]["output"] == (1, 20, 20)


def short(name: str, **training: Any) -> Project:
    made = builder.templates.load(name)
    return made.replace(training={**made.training, "epochs": 1, **training})


@pytest.mark.parametrize("name", NAMES)
def test_the_trained_network_encodes_decodes_and_walks(name: str, tmp_path: Path) -> None:
    made = short(name)
    run = builder.train(made, tmp_path / "run")
    size = {"autoencoder": 2, "conv_autoencoder": 16, "denoising_autoencoder": 32, "variational_autoencoder": 2}[name]
    found = evaluate.ask(run.folder, {"encode": 50})
    assert found["code"].shape == (50, size)
    assert found["label"].shape == (50,)
    # Decoding a sample's own code gives what the whole network makes of it.
    whole = evaluate.ask(run.folder, {"decode": found["code"][:3].tolist()})["made"]
    splits = data.load(data.find("digits").from_settings(made.data.settings))
    image = splits["validation"]["image"][:3].numpy()
    network = evaluate.opened(run.folder).networks["network"]
    with torch.no_grad():
        out = network(torch.from_numpy(image).float() / 255)
    direct = (out if isinstance(out, Tensor) else out[0]).numpy()
    np.testing.assert_allclose(whole, direct, atol=1e-5)
    walk = evaluate.ask(run.folder, {"walk": [0, 2], "steps": 5})["made"]
    np.testing.assert_allclose(walk[[0, -1]], direct[[0, 2]], atol=1e-5)
    assert len(walk) == 5
    for wrong in ({"decode": [[0.0] * (size + 1)]}, {"walk": [0, 10**6]}, {"sing": True}):
        with pytest.raises(ValueError, match=r"\w \w"):
            evaluate.ask(run.folder, wrong)


def test_the_latent_block_can_be_named(tmp_path: Path) -> None:
    made = short("autoencoder")
    run = builder.train(
        made.replace(task=Choice("reconstruction", {**made.task.settings, "latent": "enc1"})), tmp_path / "run"
    )
    assert evaluate.ask(run.folder, {"encode": 3})["code"].shape == (3, 128)
    trained = evaluate.opened(run.folder)
    with pytest.raises(ValueError, match="no block called 'middle'"):
        Reconstruction(latent="middle").answer(trained.networks, trained.dataset, trained.settings, {"encode": 1})


def test_the_map_leads_there_and_back() -> None:
    random = np.random.default_rng(0)
    plane = random.normal(size=(40, 2))
    codes = plane @ random.normal(size=(2, 6)) + 3.0  # a plane in six dimensions
    points, axes, middle = flattened(codes)
    np.testing.assert_allclose(middle + points @ axes, codes, atol=1e-9)
    np.testing.assert_allclose(flattened(plane)[0], plane)
    line = random.normal(size=(5, 1))
    points, axes, middle = flattened(line)
    np.testing.assert_allclose(middle + points @ axes, line)


def test_a_variational_code_is_drawn_in_training_and_the_mean_after_it() -> None:
    from blocks.modules import GaussianSample

    sample, x = GaussianSample(), torch.cat([torch.full((4000, 1), 2.0), torch.full((4000, 1), 2 * math.log(3))], 1)
    drawn = sample(x)
    assert drawn.mean().item() == pytest.approx(2, abs=0.2)
    assert drawn.std().item() == pytest.approx(3, rel=0.05)
    assert torch.equal(sample.eval()(x), x[:, :1])
