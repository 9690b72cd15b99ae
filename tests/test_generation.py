"""Generative adversarial networks: losses and measures by hand, what is trained when, and what there is to look at."""

import math
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import block, chain, point_gan
from torch import Tensor, nn

import builder
from builder import data, edits
from builder.project import Choice, Project
from builder.tasks import Loss, generation
from builder.tasks.generation import BinaryCrossEntropy, Generation, Hinge, Minimax, Wasserstein
from builder.training import client, film, run
from builder.training.film import Film
from builder.training.job import Job, prepare
from builder.training.session import Session


def of(loss: Loss) -> dict[str, Any]:
    return {"name": loss.name, **loss.to_settings()}


def test_a_discriminator_that_knows_nothing_costs_two_ln_2_and_the_generator_ln_2() -> None:
    zero = torch.zeros(5)  # D = 0.5
    loss = of(BinaryCrossEntropy())
    assert generation.discriminator_loss(zero, zero, loss).item() == pytest.approx(1.386294, abs=1e-6)
    assert generation.generator_loss(zero, loss).item() == pytest.approx(0.693147, abs=1e-6)
    assert Generation().initial_loss(None, BinaryCrossEntropy()) == pytest.approx(1.386294, abs=1e-6)  # type: ignore[arg-type]
    assert generation.generator_loss(zero, of(Minimax())).item() == pytest.approx(-0.693147, abs=1e-6)


def test_losses_by_hand() -> None:
    """D(x) = 0.8 and 0.5, D(G(z)) = 0.1 and 0.5: scores are ln(p / (1 - p))."""
    logit = lambda p: math.log(p / (1 - p))  # noqa: E731
    real, fake = torch.tensor([logit(0.8), 0.0]), torch.tensor([logit(0.1), 0.0])
    wanted = -(math.log(0.8) + math.log(0.5)) / 2 - (math.log(0.9) + math.log(0.5)) / 2
    for loss in (BinaryCrossEntropy(), Minimax()):
        assert generation.discriminator_loss(real, fake, of(loss)).item() == pytest.approx(wanted, abs=1e-6)
    bce = generation.generator_loss(fake, of(BinaryCrossEntropy())).item()
    assert bce == pytest.approx(-(math.log(0.1) + math.log(0.5)) / 2, abs=1e-6)
    minimax = generation.generator_loss(fake, of(Minimax())).item()
    assert minimax == pytest.approx((math.log(0.9) + math.log(0.5)) / 2, abs=1e-6)

    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.25])
    # Hinge: (0 + 0.5)/2 and (0 + 1.25)/2; Wasserstein: mean(-3, 0.25) - mean(2, 0.5).
    assert generation.discriminator_loss(real, fake, of(Hinge())).item() == pytest.approx(0.25 + 0.625)
    assert generation.discriminator_loss(real, fake, of(Wasserstein())).item() == pytest.approx(-1.375 - 1.25)
    for loss in (Hinge(), Wasserstein()):
        assert generation.generator_loss(fake, of(loss)).item() == pytest.approx(1.375)


class Slope(nn.Module):
    """D(x) = 3 x₁ + 4 x₂, whose gradient is 5 long everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.weight)[:, None]


def test_the_gradient_penalty_of_a_plane_is_known_and_reaches_its_weights() -> None:
    slope = Slope()
    penalty = generation.gradient_penalty(slope, torch.randn(6, 2), torch.randn(6, 2))
    assert penalty.item() == pytest.approx((5 - 1) ** 2)
    torch.autograd.backward(penalty)
    # d/dw (‖w‖ - 1)² = 2 (‖w‖ - 1) w / ‖w‖
    assert slope.weight.grad is not None
    torch.testing.assert_close(slope.weight.grad, torch.tensor([8 * 3 / 5, 8 * 4 / 5]))


def test_measures_of_samples() -> None:
    real = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    assert generation.sliced_distance(real, real).item() == 0
    assert generation.sliced_distance(real + 3, real).item() == pytest.approx(3 * 2 / math.pi * math.sqrt(2), rel=0.2)
    assert generation.spread_ratio(2 * real, real).item() == pytest.approx(2)
    assert generation.coverage(real, real).item() == 1
    assert generation.coverage(torch.full((400, 2), 50.0), real).item() == 0
    half = real.clone()
    half[:, 0] = half[:, 0].abs()  # nothing is made on the left
    assert 0.45 < generation.coverage(half, real).item() < 0.65


def test_noise_to_look_at_is_always_the_same_for_one_sample_as_for_many() -> None:
    settings = {"task": {"noise": 3, "noise_seed": 11}}
    many = generation.add_noise({"x": torch.zeros(40, 2)}, settings)["noise"]
    one = generation.add_noise({"x": torch.zeros(1, 2)}, settings)["noise"]
    assert many.shape == (40, 3)
    assert torch.equal(one[0], many[0])
    for size, wanted in ((1, [7]), (2, [39, 0]), (1, [200])):  # every sample has noise of its own
        index = torch.tensor(wanted)
        found = generation.add_noise({"x": torch.zeros(size, 2)}, settings, index)["noise"]
        whole = generation.add_noise({"x": torch.zeros(300, 2)}, settings)["noise"]
        assert torch.equal(found, whole[index])
    assert torch.equal(whole[:40], many)
    assert generation.add_noise({"x": torch.zeros(2, 2), "noise": many}, settings)["noise"] is many


def test_a_generator_is_asked_for_samples_of_other_noise() -> None:
    dataset, settings = data.find("ring_of_clouds")(), {"task": {}}
    networks = {"generator": nn.Linear(2, 2), "discriminator": nn.Linear(2, 1)}
    ask = lambda **question: Generation(noise=2).answer(networks, dataset, settings, question)  # noqa: E731
    first, other = (ask(samples=5, seed=seed)["generated"] for seed in (1, 2))
    assert first.shape == (5, 2)
    assert not torch.equal(first, other)
    assert torch.equal(first, ask(samples=5, seed=1)["generated"])
    assert len(ask(samples=10**9)["generated"]) == generation.MOST_ASKED
    with pytest.raises(ValueError, match="asked for samples"):
        ask(text="x")


def trained(task: dict[str, Any], loss: Loss) -> tuple[list[str], dict[str, nn.Module]]:
    """Which networks were stepped, in order, on one batch."""
    torch.manual_seed(0)
    project = point_gan()
    networks = builder.compile(project)
    stepped: list[str] = []
    settings = {"task": {"input": "point", "noise": 3, "noise_seed": 11, **task}, "loss": of(loss)}
    batch = {"point": torch.randn(8, 2)}

    def optimize(value: Tensor, slot: str) -> None:
        stepped.append(slot)
        torch.autograd.backward(value)
        for weight in networks[slot].parameters():
            assert weight.grad is not None
            weight.data -= 0.5 * weight.grad
            weight.grad = None

    losses, metrics = generation.train_step(networks, batch, settings, optimize)
    assert set(losses) == {"discriminator", "generator"}
    assert set(metrics) == {"real", "fake"}
    return stepped, networks


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), Minimax(), Hinge(), Wasserstein()], ids=lambda x: x.name)
@pytest.mark.parametrize("steps", [1, 3])
def test_the_discriminator_learns_so_many_times_then_the_generator(loss: Loss, steps: int) -> None:
    assert trained({"discriminator_steps": steps}, loss)[0] == ["discriminator"] * steps + ["generator"]


def test_clipping_keeps_the_critic_s_weights_small() -> None:
    _, networks = trained({"discriminator_steps": 1}, Wasserstein(constraint="weight clipping", clip=0.02))
    assert max(w.abs().max().item() for w in networks["discriminator"].parameters()) <= 0.02
    assert max(w.abs().max().item() for w in networks["generator"].parameters()) > 0.02


def test_a_generator_of_another_shape_is_told_with_numbers_and_a_remedy() -> None:
    project = point_gan()
    wrong = chain(
        ("noise", block("Vector", features=3)), ("fc1", block("Linear", out_features=5)), ("output", block("Output"))
    )
    project = project.replace(networks={**project.networks, "generator": wrong})
    (problem,) = builder.check(project).problems
    assert (problem.network, problem.code) == ("generator", "output-mismatch")
    assert "receives 5 from fc1" in problem.message
    assert "the data, and the discriminator with them, need 2" in problem.message
    assert problem.fix is not None
    assert problem.fix.label == "Set out_features of fc1 to 2"


def test_noise_of_another_size_is_told_with_a_remedy() -> None:
    project = point_gan(task=Choice("generation", {"noise": 8}))
    (problem,) = builder.check(project).problems
    assert problem.code == "input-mismatch"
    assert "noise of 8" in problem.message
    assert problem.fix is not None


@pytest.mark.parametrize(
    ("metrics", "kind", "word"),
    [
        ({"real": 0.99, "fake": 0.01, "spread": 1.0, "coverage": 0.5}, "bad", "discriminator wins"),
        ({"real": 0.99, "fake": 0.01, "spread": 0.01, "coverage": 0.1}, "bad", "discriminator wins"),
        ({"real": 0.5, "fake": 0.5, "spread": 0.01, "coverage": 0.1}, "bad", "collapsed"),
        ({"real": 0.5, "fake": 0.5, "spread": 0.9, "coverage": 0.12}, "open", "12 % of the data"),
        ({"real": 0.55, "fake": 0.48, "spread": 1.0, "coverage": 0.9}, "good", "even"),
        ({"real": 0.8, "fake": 0.3, "spread": 1.0, "coverage": 0.9}, "open", "goes on"),
    ],
)
def test_the_game_in_words(metrics: dict[str, float], kind: str, word: str) -> None:
    found = Generation().verdict(metrics, {"loss": {"name": "bce"}})
    assert found[0] == kind
    assert word in found[1]


def test_scores_that_are_no_probabilities_win_nothing() -> None:
    metrics = {"real": 40.0, "fake": -30.0, "spread": 1.0, "coverage": 0.9}
    assert Generation().verdict(metrics, {"loss": {"name": "wasserstein"}})[0] == "open"


def test_samples_are_judged_as_in_training_and_no_average_is_touched() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.9), nn.Linear(4, 1)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    samples = 5 + 3 * torch.randn(20, 2)
    scores = generation.judged(network, samples)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module.training for module in network.modules())
    by_hand = network[0](samples)
    by_hand = (by_hand - by_hand.mean(0)) / (by_hand.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(scores, network[4](by_hand.relu()).flatten())
    assert not torch.allclose(scores, network(samples).flatten(), atol=0.01)
    assert generation.judged(network, samples[:1]).shape == (1,)


# --- while it trains -------------------------------------------------------------------------------


def job(project: Project, folder: Path) -> Job:
    return Job(prepare(project, folder))


def test_only_the_network_that_is_stepped_alone_learns(tmp_path: Path) -> None:
    made = job(point_gan(), tmp_path / "run")
    steps = made.loop.run()

    def weights() -> dict[str, Tensor]:
        return {slot: nn.utils.parameters_to_vector(net.parameters()).clone() for slot, net in made.networks.items()}

    for only, moved in (("generator", {"generator"}), ("discriminator", {"discriminator"}), (None, set(made.networks))):
        before, made.loop.only = weights(), only
        next(steps)
        assert {slot for slot, now in weights().items() if not torch.equal(now, before[slot])} == moved


def test_stepping_a_network_alone_is_a_command(tmp_path: Path) -> None:
    folder = prepare(point_gan(training={"epochs": 1}), tmp_path / "run")
    session = Session(folder, Job)
    client.command(folder, "pause")
    client.step(folder, "generator")
    client.step(folder, "nobody")
    client.step(folder)
    session._prepare()
    assert session.allowed == ["generator", None]
    assert session.loop.only == "generator"
    session._allow(session.allowed[1:])
    assert session.loop.only is None
    client.command(folder, "resume")
    session._obey()
    assert session.allowed == []


def test_samples_and_the_plane_are_followed_and_kept_as_a_film(tmp_path: Path) -> None:
    folder = prepare(point_gan(), tmp_path / "run")
    made = Job(folder)
    prober = made.prober(folder)
    for step in (1, 2, 3):
        prober.live_due = prober.surface_due = 0.0
        prober.probe(step, 1)
    probe = run.Run(folder).probe()
    assert probe is not None
    assert probe.part("live")["generated"].shape == (100, 2)  # all validation samples
    assert probe.part("surface")["real"].shape == (3600,)
    assert probe.part("sample")["noise"].shape == (3,)
    assert {"generator", "discriminator"} <= set(probe.info["nodes"])
    first = probe.part("sample")["noise"]
    prober.pick(5)
    prober.probe(4, 1)
    other = run.Run(folder).probe()
    assert other is not None
    assert other.info["sample"] == 5
    assert not (other.part("sample")["noise"] == first).any()  # every sample that is picked has noise of its own
    frames = film.frames(folder, "generated")
    assert [step for step, _ in frames] == [1, 2, 3]
    assert frames[0][1] == pytest.approx(probe.part("live")["generated"], abs=2e-3)


def test_a_film_never_grows_beyond_its_frames_and_forgets_what_is_superseded(tmp_path: Path) -> None:
    strip = Film(tmp_path)
    for step in range(1, 200):
        if strip.wants(step):
            assert strip.add(step, {"generated": torch.full((3, 2), float(step))}) is None
    steps = [step for step, _ in film.frames(tmp_path, "generated")]
    assert len(steps) <= film.FRAMES
    assert steps[0] == 1
    assert steps[-1] > 150
    assert all(array[0, 0] == step for step, array in film.frames(tmp_path, "generated"))
    again = Film(tmp_path)  # a run that goes on from an earlier checkpoint
    assert again.wants(40)
    again.add(40, {"generated": torch.zeros(3, 2)})
    assert [step for step, _ in film.frames(tmp_path, "generated")][-1] == 40


def test_points_learn_to_lie_where_the_data_lie(tmp_path: Path) -> None:
    """The starter project, for a tenth of its time."""
    project = builder.templates.load("gan")
    project = project.replace(training={**project.training, "epochs": 30})
    began = time.monotonic()
    metrics = builder.train(project, tmp_path / "run").metrics
    assert metrics["distance"] < 0.15
    assert metrics["coverage"] > 0.3
    assert 0.8 < metrics["spread"] < 1.2
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("loss", ["bce", "wasserstein"])
def test_a_run_goes_on_bitwise_from_its_state(loss: str, tmp_path: Path) -> None:
    """The noise of every step comes from numbers that a checkpoint keeps."""
    project = point_gan(loss=Choice(loss, {}), training={"epochs": 2})
    whole = list(job(project, tmp_path / "whole").loop.run())
    first = job(project, tmp_path / "first")
    steps = first.loop.run()
    made = [next(steps) for _ in range(7)]
    state = first.loop.state_dict()
    torch.manual_seed(999)
    second = job(project, tmp_path / "second")
    second.loop.load_state_dict(state)
    assert made + list(second.loop.run()) == whole


def test_following_and_filming_leave_no_trace_in_the_curve(tmp_path: Path) -> None:
    project = point_gan(training={"epochs": 1})
    plain = list(job(project, tmp_path / "plain").loop.run())
    watched = job(project, tmp_path / "watched")
    prober = watched.prober(tmp_path / "watched")
    records = []
    for record in watched.loop.run():
        records.append(record)
        prober.live_due = prober.surface_due = 0.0
        prober.probe(record["step"], record["epoch"])
    assert records == plain


def test_other_pictures_are_brought_to_the_size_that_both_networks_have() -> None:
    project = builder.templates.load("dcgan").replace(data=Choice("mnist", {"normalization": "symmetric"}))
    problems = builder.check(project).problems
    assert {(p.network, p.code) for p in problems} == {
        ("generator", "output-mismatch"),
        ("discriminator", "input-mismatch"),
    }
    assert "receives 3×64×64 from tanh" in next(p.message for p in problems if p.network == "generator")
    for problem in problems:
        assert problem.fix is not None
        assert problem.fix.label == "Bring the data to 3×64×64"
        assert builder.check(edits.apply(project, problem.fix.edits)).problems == ()
