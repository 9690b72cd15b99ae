"""Probes: what they see is right, and nothing shows that they looked."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from builder.training import probes, results, snapshot
from builder.training.probes import Prober, Sources, observe


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.relu1 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.relu1(self.conv1(x))


class Noise(nn.Module):
    """Draws numbers in evaluation mode too."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.norm1 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU(inplace=True)
        self.layer1 = Residual()
        self.drop1 = nn.Dropout(0.5)
        self.noise1 = Noise()
        self.pool1 = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.noise1(self.drop1(self.layer1(self.relu1(self.norm1(self.conv1(x))))))
        return self.fc1(self.pool1(x).flatten(1))


MODULES = {
    "network": {
        "conv1": "conv1",
        "norm1": "norm1",
        "relu1": "relu1",
        "layer1": "layer1",
        "layer1.conv1": "layer1.conv1",
        "layer1.relu1": "layer1.relu1",
        "fc1": "fc1",
    }
}
IMAGES = torch.randn(10, 1, 40, 40, generator=torch.Generator().manual_seed(5))


def through(field: str) -> Callable[[dict[str, nn.Module], dict[str, Tensor]], dict[str, Tensor]]:
    return lambda networks, batch: {"network": networks["network"](batch[field])}


def sources(modules: probes.Modules = MODULES, live: int = 0) -> Sources:
    return Sources(
        inputs={"network": ("image",)},
        modules=modules,
        make_batch=lambda index: {"image": IMAGES[index], "label": index % 3},
        count=len(IMAGES),
        results=lambda outputs, batch: {"probability": outputs["network"].softmax(1)},
        outputs=through("image"),
        live=live,
    )


def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"network": Network()}


def train(folder: Path | None) -> tuple[list[float], dict[str, Tensor]]:
    nets = networks()
    network = nets["network"]
    prober = Prober(folder, nets, sources()) if folder is not None else None
    optimizer = torch.optim.Adam(network.parameters())
    losses = []
    for step in range(12):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(IMAGES), torch.arange(10) % 3)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
        if prober is not None:
            prober.watched = ("network", "layer1.conv1")
            prober.pick(step)
            prober.probe(step, 1)
    return losses, network.state_dict()


def test_probes_leave_the_curve_bitwise_as_it_is(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    plain, plain_state = train(None)
    probed, probed_state = train(tmp_path)
    assert probed == plain
    assert all(torch.equal(plain_state[k], probed_state[k]) for k in plain_state)
    assert snapshot.read(tmp_path / snapshot.PROBE_FILE) is not None


def test_modes_gradients_and_random_numbers_are_restored() -> None:
    nets = networks()
    nets["network"].norm1.eval()  # a frozen layer stays frozen, the others stay in training
    modes = [m.training for m in nets["network"].modules()]
    generator = torch.get_rng_state()
    observe(nets, sources(), {"image": IMAGES[:1]})
    assert [m.training for m in nets["network"].modules()] == modes
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(p.grad is None for p in nets["network"].parameters())
    assert torch.is_grad_enabled()
    assert not any(m._forward_hooks for m in nets["network"].modules())


def test_an_error_inside_restores_too() -> None:
    nets = networks()
    with pytest.raises(RuntimeError):
        observe(nets, sources(), {"image": torch.zeros(1, 7, 40, 40)})
    assert all(m.training for m in nets["network"].modules())
    assert not any(m._forward_hooks for m in nets["network"].modules())


def test_maps_are_each_nodes_own_output() -> None:
    nets = networks()
    network = nets["network"]
    arrays, nodes = observe(nets, sources(), {"image": IMAGES[3:4]})
    network.eval()
    with torch.no_grad():
        conv = network.conv1(IMAGES[3:4])[0]
        norm = network.norm1(conv[None])[0]
        relu = norm.relu()
        inner = network.layer1.conv1(relu[None])[0]
    # relu1 works in place on norm1's output: the map of norm1 must be from before.
    for name, expected in {"conv1": conv, "norm1": norm, "relu1": relu, "layer1.conv1": inner}.items():
        small = F.adaptive_avg_pool2d(expected[None], (32, 32))[0].half().numpy()
        np.testing.assert_array_equal(arrays[f"map/network/{name}"], small)
        assert nodes["network"][name]["shape"] == [4, 38, 38]
        assert nodes["network"][name]["mean"] == pytest.approx(expected.mean().item(), abs=1e-6)
        assert nodes["network"][name]["std"] == pytest.approx(expected.std(correction=0).item(), rel=1e-5)
        assert sum(nodes["network"][name]["histogram"]) == 4 * 38 * 38
    zeros = (relu == 0).float().mean().item()
    assert 0.2 < zeros < 0.8
    assert nodes["network"]["relu1"]["zeros"] == pytest.approx(zeros)
    assert arrays["map/network/fc1"].shape == (3,)
    assert arrays["prediction/probability"].sum() == pytest.approx(1)
    np.testing.assert_array_equal(arrays["sample/image"], IMAGES[3].numpy())


def test_the_watched_node_is_kept_in_full() -> None:
    nets = networks()
    arrays, _ = observe(nets, sources(), {"image": IMAGES[:1]}, ("network", "layer1.conv1"))
    assert arrays["map/network/layer1.conv1"].shape == (4, 38, 38)
    assert arrays["map/network/conv1"].shape == (4, 32, 32)
    weight = nets["network"].layer1.conv1.weight.detach().numpy()
    np.testing.assert_array_equal(arrays["weight/network/layer1.conv1/weight"], weight)


def test_gradient_norms_are_those_of_the_last_step() -> None:
    nets = networks()
    network = nets["network"]
    torch.autograd.backward(F.cross_entropy(network(IMAGES), torch.arange(10) % 3))
    _, nodes = observe(nets, sources(), {"image": IMAGES[:1]})
    conv = network.layer1.conv1
    expected = torch.cat([conv.weight.grad.flatten(), conv.bias.grad]).norm().item()
    assert nodes["network"]["layer1.conv1"]["gradient"] == pytest.approx(expected, rel=1e-5)
    assert nodes["network"]["layer1"]["gradient"] == pytest.approx(expected, rel=1e-5)
    assert "gradient" not in nodes["network"]["relu1"]


@pytest.mark.parametrize(
    "shape, small",
    [
        ((3, 20, 30), (3, 20, 30)),
        ((100, 224, 112), (64, 32, 16)),
        ((5, 1, 400), (5, 1, 32)),
        ((2, 3, 8, 8), (6, 8, 8)),
        ((300, 20), (128, 20)),
        ((10_000,), (4096,)),
        ((), (1,)),
    ],
)
def test_thumbnails_are_small(shape: tuple[int, ...], small: tuple[int, ...]) -> None:
    assert tuple(probes.thumbnail(torch.zeros(shape)).shape) == small


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30, 0.0])
def test_extreme_values_are_described(value: float) -> None:
    found = probes.describe(torch.tensor([value, 0.0]))
    assert found["shape"] == [2]
    assert np.isfinite(probes.as_float16(torch.tensor([1e30]))).all()
    assert probes.describe(torch.zeros(0)) == {"shape": [0]}


def test_probes_keep_to_their_share_of_the_time(tmp_path: Path) -> None:
    prober = Prober(tmp_path, networks(), sources())
    assert prober.maybe(1, 1)
    assert not prober.maybe(2, 1)
    slow = sources()

    def work(*_: object) -> dict[str, torch.Tensor]:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        return {}

    slow.results = work
    prober = Prober(tmp_path, networks(), slow)
    prober.probe(1, 1)
    left = prober.earned - time.thread_time()
    assert left >= 0.9 * 0.05 * (1 / probes.SHARE - 1), "of the thread's time: waiting for the processor earns nothing"
    prober.due = time.monotonic() - 1
    assert not prober.maybe(2, 1)
    prober.earned = time.thread_time()
    assert prober.maybe(3, 1)


def test_picking_probes_the_new_sample_at_once(tmp_path: Path) -> None:
    prober = Prober(tmp_path, networks(), sources())
    prober.probe(1, 1)
    prober.pick(7)
    assert prober.maybe(1, 1)
    found = snapshot.read(prober.path)
    assert found is not None
    assert found.info["sample"] == 7
    np.testing.assert_array_equal(found.arrays["sample/image"], IMAGES[7].numpy())
    prober.pick(23)
    assert prober.sample == 3


def test_a_full_disk_is_noted_not_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prober = Prober(tmp_path, networks(), sources())

    def full(path: Path, content: snapshot.Snapshot) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot, "write", full)
    prober.probe(1, 1)
    assert prober.error == "No space left on device"
    monkeypatch.undo()
    prober.probe(2, 1)
    assert prober.error is None


def test_the_first_samples_are_followed_while_training(tmp_path: Path) -> None:
    nets = networks()
    prober = Prober(tmp_path, nets, sources(live=4))
    prober.probe(1, 1)
    found = snapshot.read(tmp_path / snapshot.PROBE_FILE)
    assert found is not None
    with torch.no_grad():
        expected = nets["network"].eval()(IMAGES[:4]).softmax(1)
    np.testing.assert_allclose(found.arrays["live/probability"], expected.numpy(), rtol=1e-5)
    with torch.no_grad():
        nets["network"].fc1.bias += torch.tensor([9.0, 0.0, 0.0])
    prober.probe(2, 1)  # too soon: the view keeps what it has
    again = snapshot.read(tmp_path / snapshot.PROBE_FILE)
    assert again is not None
    np.testing.assert_array_equal(again.arrays["live/probability"], found.arrays["live/probability"])
    prober.live_due = 0.0
    prober.probe(3, 1)
    later = snapshot.read(tmp_path / snapshot.PROBE_FILE)
    assert later is not None
    assert (later.arrays["live/probability"][:, 0] > found.arrays["live/probability"][:, 0]).all()


def test_a_network_fed_by_another_is_seen_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    nets: dict[str, nn.Module] = {"generator": nn.Linear(2, 3), "discriminator": nn.Linear(3, 1)}

    def chained(networks: dict[str, nn.Module], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        fake = networks["generator"](batch["noise"])
        return {"generator": fake, "discriminator": networks["discriminator"](fake)}

    seen = Sources(
        inputs={"generator": ("noise",), "discriminator": ("point",)},
        modules={"generator": {"fc1": ""}, "discriminator": {"fc1": ""}},
        make_batch=lambda index: {"noise": torch.ones(1, 2)},
        count=1,
        results=lambda outputs, batch: {"verdict": outputs["discriminator"]},
        outputs=chained,
    )
    arrays, nodes = probes.observe(nets, seen, seen.make_batch(torch.tensor([0])))
    assert arrays["map/discriminator/fc1"].shape == (1,)
    assert nodes["generator"]["fc1"]["shape"] == [3]
    assert arrays["prediction/verdict"].shape == (1,)


def test_the_decision_surface_covers_the_points(tmp_path: Path) -> None:
    points = torch.tensor([[-1.0, 0.0], [3.0, 10.0]])
    grid, (low, high) = probes.point_grid(points)
    assert grid.shape == (3600, 2)
    assert low == pytest.approx([-1.4, -1.0])
    assert high == pytest.approx([3.4, 11.0])
    assert grid[0].tolist() == pytest.approx(low)
    assert grid[59].tolist() == pytest.approx([high[0], low[1]])
    torch.manual_seed(0)
    nets: dict[str, nn.Module] = {"network": nn.Linear(2, 3)}
    seen = Sources(
        inputs={"network": ("point",)},
        modules={"network": {"fc1": ""}},
        make_batch=lambda index: {"point": points[index]},
        count=2,
        results=lambda outputs, batch: {"probability": outputs["network"].softmax(1)},
        outputs=through("point"),
        grid={"point": grid},
        grid_range=(low, high),
    )
    Prober(tmp_path, nets, seen).probe(1, 1)
    found = snapshot.read(tmp_path / snapshot.PROBE_FILE)
    assert found is not None
    assert found.info["surface"] == {"low": low, "high": high, "size": 60}
    with torch.no_grad():
        np.testing.assert_array_equal(found.arrays["surface/probability"], nets["network"](grid).softmax(1).numpy())


def test_the_collector_hears_the_evaluation_without_changing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    nets: dict[str, nn.Module] = {"network": nn.Linear(2, 3)}
    x, y = torch.randn(10, 2), torch.arange(10) % 3

    def evaluate(networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict) -> tuple:
        out = networks["network"](batch["point"])
        return {"loss": F.cross_entropy(out, batch["label"], reduction="sum")}, {}, len(out)

    def confusion(outputs: dict, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        pair = batch["label"] * 3 + outputs["network"].argmax(1)
        return {"confusion": torch.bincount(pair, minlength=9).reshape(3, 3)}

    collector = results.Collector(lambda outputs, batch: {"probability": outputs["network"].softmax(1)}, confusion)
    listening = collector.listening(evaluate)
    assert collector.take() is None
    with torch.no_grad():
        for part in (slice(0, 6), slice(6, 10)):
            batch = {"point": x[part], "label": y[part]}
            assert listening(nets, batch, {})[0]["loss"] == evaluate(nets, batch, {})[0]["loss"]
        output = nets["network"](x)
    found = collector.take()
    assert found is not None
    np.testing.assert_allclose(found["sample/probability"], output.softmax(1).numpy(), rtol=1e-6)
    expected = np.zeros((3, 3), dtype=int)
    np.add.at(expected, (y.numpy(), output.argmax(1).numpy()), 1)
    np.testing.assert_array_equal(found["total/confusion"], expected)
    assert not nets["network"]._forward_hooks
    assert collector.take() is None
    monkeypatch.setattr(results, "MAX_ELEMENTS", 12)
    listening(nets, {"point": x, "label": y}, {})
    bounded = collector.take()
    assert bounded is not None
    assert bounded["sample/probability"].shape == (4, 3)
    assert bounded["total/confusion"].sum() == 10
