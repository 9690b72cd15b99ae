"""The training loop: a loop by hand as the oracle, interruption at any step, and what ends a training."""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from by_hand import block, chain, lenet5, small_resnet, spiral_mlp
from torch import Tensor, nn

import builder
from builder.project import Choice
from builder.tasks import classification
from builder.training import checkpoint, job
from builder.training.loop import Diverged, Loop
from builder.training.run import Run
from builder.training.settings import TrainingSettings

CLASSES = 4


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def samples(count: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, CLASSES, (count,), generator=generator)
    return {"x": torch.randn(count, 1, 6, 6, generator=generator) + y[:, None, None, None] / 2, "y": y}


def make_batch(split: dict[str, Tensor], index: Tensor, settings: dict[str, Any], generator: Any = None) -> Any:
    x = split["x"][index]
    if generator is not None:
        x = x + 0.1 * torch.randn(x.shape, generator=generator)  # the augmentation
    return {"x": x, "y": split["y"][index]}


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(64, CLASSES),
    )


def make(optimizer: dict[str, Any] | None = None, count: int = 50, splits: Any = None, **training: Any) -> Loop:
    chosen = TrainingSettings(epochs=3, batch_size=8, seed=5, device="cpu").replace(**training)
    settings = {
        "training": chosen.to_settings(),
        "optimizer": {"network": optimizer or {"name": "Adam", "lr": 0.01}},
        "loss": {"name": "cross_entropy", "label_smoothing": 0.0, "class_weights": "none"},
        "task": {"input": "x", "target": "y", "classes": CLASSES},
        "data": {},
        "best": {"kind": "metrics", "name": "accuracy", "higher_is_better": True},
    }
    splits = splits or {"train": samples(count, 1), "validation": samples(20, 2), "test": samples(20, 3)}
    settings = classification.prepare(splits, settings)
    torch.manual_seed(5)
    return Loop(
        {"network": network()}, splits, make_batch, classification.train_step, classification.evaluate, settings
    )


def test_a_score_is_made_of_the_rows_of_all_batches() -> None:
    def evaluate(networks: Any, batch: dict[str, Tensor], settings: dict[str, Any]) -> Any:
        losses, metrics, count = classification.evaluate(networks, batch, settings)
        return losses, {**metrics, "labels": batch["y"]}, count

    def score(rows: dict[str, Tensor], settings: dict[str, Any]) -> dict[str, float]:
        return {"distinct": float(len(rows["labels"].unique())), "rows": float(len(rows["labels"]))}

    plain = list(make().run())
    loop = make()
    loop.evaluate, loop.score = evaluate, score
    for left, right in zip(plain, list(loop.run()), strict=True):
        if "split" in left:
            own = {name: right["metrics"].pop(name) for name in ("distinct", "rows")}
            assert own == {"distinct": float(CLASSES), "rows": 20.0}
        assert left == right


def steps_of(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [r for r in records if "split" not in r]


# --- against a loop by hand --------------------------------------------------------------------


def test_it_is_the_loop_one_would_write() -> None:
    loop = make()
    data, checks = loop.splits["train"], loop.splits["validation"]
    records = list(loop.run())

    torch.manual_seed(5)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    order, noise = torch.Generator().manual_seed(5), torch.Generator().manual_seed(6)
    expected = []
    for _ in range(3):
        model.train()
        for index in torch.randperm(50, generator=order).split(8):
            batch = make_batch(data, index, {}, noise)
            loss = F.cross_entropy(model(batch["x"]), batch["y"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            expected.append(loss.item())
        model.eval()
        with torch.no_grad():
            outputs = model(checks["x"])
        accuracy = (outputs.argmax(1) == checks["y"]).float().mean().item()
        validation = [r for r in records if r.get("split") == "validation" and r["step"] == len(expected)]
        assert validation[0]["metrics"]["accuracy"] == pytest.approx(accuracy)
        assert validation[0]["losses"]["loss"] == pytest.approx(F.cross_entropy(outputs, checks["y"]).item())
    assert [r["losses"]["loss"] for r in steps_of(records)] == expected
    assert [r["step"] for r in steps_of(records)] == list(range(1, 22))
    assert [r["epoch"] for r in steps_of(records)] == [1] * 7 + [2] * 7 + [3] * 7
    assert [r.get("split") for r in records if "split" in r] == ["validation"] * 3 + ["test"]
    assert loop.total_steps == 21


def test_a_last_batch_of_one_is_left_out() -> None:
    assert make(count=50, batch_size=7).batches == 7
    assert make(count=51, batch_size=7).batches == 8
    assert make(count=1, batch_size=7, splits={"train": samples(1, 1)}).batches == 1


# --- interruption ------------------------------------------------------------------------------


def round_trip(state: Any) -> Any:
    """As a checkpoint file does it: tensors apart, the rest as JSON."""
    import json

    tensors, skeleton = checkpoint.pack(state)
    return checkpoint.unpack({k: v.clone() for k, v in tensors.items()}, json.loads(json.dumps(skeleton)))


OPTIMIZERS = [
    {"name": "SGD", "lr": 0.05, "momentum": 0.9, "nesterov": True},
    {"name": "Adam", "lr": 0.01, "betas": [0.9, 0.999]},
    {"name": "AdamW", "lr": 0.01, "amsgrad": True},
    {"name": "RMSprop", "lr": 0.01, "momentum": 0.5},
]


def test_samples_can_be_drawn_anew_for_every_epoch() -> None:
    drawn = []

    def renew(splits: Any, settings: Any, generator: Any) -> dict[str, Tensor]:
        """More or less than the 50 there are."""
        train = splits["train"]
        assert len(train["y"]) == 50, "always of the samples as they were given"
        index = torch.randint(50, (int(torch.randint(45, 56, (), generator=generator)),), generator=generator)
        drawn.append(index)
        return {name: values[index] for name, values in train.items()}

    def looped() -> Loop:
        loop = make()
        loop.renew = renew
        loop._shuffle()
        return loop

    seen: list[Tensor] = []
    loop = looped()

    def noted(split: Any, index: Tensor, settings: Any, generator: Any = None) -> Any:
        if generator is not None:
            seen.append(split["x"][index])
        return make_batch(split, index, settings, generator)

    loop.make_batch = noted
    whole = list(loop.run())
    assert len(drawn) == 3, "once an epoch"
    assert len({len(index) for index in drawn}) > 1, "the sizes of this seed differ"
    assert len(steps_of(whole)) == loop.total_steps == 21, "yet every epoch has as many batches as the first"
    source = samples(50, 1)["x"]
    for epoch, index in enumerate(drawn):
        rows = torch.cat(seen[7 * epoch : 7 * epoch + 7])
        assert sorted(rows.sum((1, 2, 3)).tolist()) == sorted(source[index].sum((1, 2, 3)).tolist()), (
            "each is seen once"
        )
    for stop in (3, 7, 8, 12, 16):
        first = looped()
        running = first.run()
        records = [next(running) for _ in range(stop)]
        state = round_trip(first.state_dict())
        second = looped()
        second.load_state_dict(state)
        assert records + list(second.run()) == whole, f"after {stop} records"


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: str(o["name"]))
def test_resuming_anywhere_gives_the_same_curve(optimizer: dict[str, Any]) -> None:
    options = {"schedule": "cosine", "warmup": 3, "clip_norm": 1.0, "patience": 2}
    whole = list(make(optimizer, **options).run())
    weights = None
    for stop in (0, 1, 4, 7, 8, 13, 16, len(whole) - 2, len(whole) - 1, len(whole)):
        first = make(optimizer, **options)
        running = first.run()
        records = [next(running) for _ in range(stop)]
        state = round_trip(first.state_dict())
        running.close()
        torch.manual_seed(999)
        torch.rand(17)  # another process, with other random numbers
        second = make(optimizer, **options)
        torch.manual_seed(1000)
        second.load_state_dict(state)
        records += second.run()
        assert records == whole, f"after {stop} records"
        ends = {k: v.clone() for k, v in second.weights()["network"].items()}
        assert weights is None or all(torch.equal(weights[k], ends[k]) for k in ends)
        weights = ends


def test_a_state_is_not_changed_by_going_on() -> None:
    loop = make()
    running = loop.run()
    for _ in range(10):
        next(running)
    state = loop.state_dict()
    packed = round_trip(state)
    kept = copy.deepcopy(packed)
    other = make()
    other.load_state_dict(packed)
    list(other.run())
    assert all(torch.equal(kept["networks"]["network"][k], v) for k, v in packed["networks"]["network"].items())
    assert all(
        torch.equal(kept["best"]["weights"]["network"][k], v) for k, v in packed["best"]["weights"]["network"].items()
    )


# --- the best weights, patience ----------------------------------------------------------------


def test_the_best_weights_are_tested() -> None:
    loop = make({"name": "SGD", "lr": 0.3}, epochs=8)
    seen: list[tuple[float, dict[str, Tensor]]] = []
    for record in loop.run():
        if record.get("split") == "validation":
            now = {k: v.clone() for k, v in loop.weights()["network"].items()}
            seen.append((record["metrics"]["accuracy"], now))
    best = max(range(8), key=lambda i: seen[i][0])
    assert best < 7, "the test needs a best epoch that is not the last"
    assert loop.best_epoch == best + 1
    assert all(torch.equal(v, seen[best][1][k]) for k, v in loop.weights()["network"].items())
    data = loop.splits["test"]
    with torch.no_grad():
        accuracy = (loop.networks["network"].eval()(data["x"]).argmax(1) == data["y"]).float().mean().item()
    assert record["split"] == "test"
    assert record["metrics"]["accuracy"] == pytest.approx(accuracy)


def test_patience_stops_early() -> None:
    records = list(make({"name": "SGD", "lr": 0.0}, epochs=50, patience=3).run())
    # The score of an unchanged network moves only with the running averages of its normalization.
    scores = [r["metrics"]["accuracy"] for r in records if r.get("split") == "validation"]
    best = scores.index(max(scores))
    assert len(scores) == best + 1 + 3
    assert records[-1]["split"] == "test"


def test_without_validation_the_last_weights_stay() -> None:
    loop = make(splits={"train": samples(50, 1)})
    records = list(loop.run())
    assert all("split" not in r for r in records)
    assert loop.best_weights() is None


# --- divergence, clipping, learning rate -------------------------------------------------------


def test_a_loss_that_is_no_number_ends_training_where_it_began() -> None:
    splits = {"train": samples(50, 1), "validation": samples(20, 2)}
    splits["train"]["x"][17] = math.nan
    loop = make(splits=splits)
    records = []
    with pytest.raises(Diverged) as caught:  # noqa: PT012 - what came before counts too
        for record in loop.run():
            records.append(record)
    error = caught.value
    assert (error.step, error.epoch, error.name) == (len(records), 1, "loss")
    assert f"became nan at step {len(records)} in epoch 1" in str(error)
    assert math.isnan(records[-1]["losses"]["loss"])
    assert all(torch.isfinite(p).all() for p in loop.networks["network"].parameters()), "the step must not be made"


def test_clipping() -> None:
    loop = make({"name": "SGD", "lr": 1.0}, clip_norm=0.01)
    before = [p.detach().clone() for p in loop.networks["network"].parameters()]
    next(loop.run())
    moved = math.sqrt(sum((p - b).square().sum().item() for p, b in zip(loop.networks["network"].parameters(), before)))
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_the_learning_rate_can_change_on_the_way() -> None:
    loop = make(schedule="step", step_epochs=1, gamma=0.5)
    running = loop.run()
    for _ in range(10):  # a validation among them: 9 steps, in the second epoch
        next(running)
    assert loop.learning_rate() == pytest.approx(0.005)
    loop.set_learning_rate(None, 0.1)
    assert loop.learning_rate() == pytest.approx(0.1)
    next(running)
    assert loop.optimizers["network"].param_groups[0]["lr"] == pytest.approx(0.1)
    for _ in range(6):
        next(running)
    assert loop.epoch == 2
    assert loop.learning_rate() == pytest.approx(0.05), "the schedule goes on from the new rate"


def test_other_precision_and_layout_learn_too() -> None:
    def losses(**training: Any) -> list[float]:
        loop = make(**training)
        loop.networks["network"][3].p = 0.0  # dropout draws in the order of memory, which the layout changes
        return [r["losses"]["loss"] for r in steps_of(list(loop.run()))]

    plain, layout, half = losses(), losses(channels_last=True), losses(precision="bfloat16")
    assert layout == pytest.approx(plain, rel=1e-3)
    assert half != plain
    assert half[:5] == pytest.approx(plain[:5], rel=0.05)


def test_a_missing_device_is_said_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a graphics card")
    with pytest.raises(ValueError, match='"cuda" is not available'):
        make(device="cuda")


# --- whole projects ----------------------------------------------------------------------------


def test_a_project_resumes_bitwise_in_mid_epoch(tmp_path: Path) -> None:
    """Dropout, batch normalization and augmented pictures, through a checkpoint file."""
    folder = job.prepare(small_resnet(training={"epochs": 1}), tmp_path / "run")
    whole = list(job.Job(folder).loop.run())
    first = job.Job(folder)
    running = first.loop.run()
    records = [next(running) for _ in range(9)]
    checkpoint.save_checkpoint(tmp_path, 9, {"loop": first.loop.state_dict()})
    running.close()
    second = job.Job(folder)
    _, state, _ = checkpoint.load_latest(tmp_path)
    assert state is not None
    second.loop.load_state_dict(state["loop"])
    assert records + list(second.loop.run()) == whole


def test_looking_does_not_change_the_curve(tmp_path: Path) -> None:
    """`builder.train` probes and collects results; a bare loop does not."""
    run = builder.train(small_resnet(training={"epochs": 1}), tmp_path / "watched")
    folder = job.prepare(small_resnet(training={"epochs": 1}), tmp_path / "bare")
    assert list(job.Job(folder).loop.run()) == run.history
    assert run.results() is not None
    assert run.probe() is not None


def test_train_gives_the_run(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    run = builder.train(spiral_mlp(), tmp_path / "run", on_progress=told.append, epochs=3)
    assert told == run.history
    assert [r.get("split") for r in told if "split" in r] == ["validation"] * 3 + ["test"]
    assert run.metrics == told[-1]["metrics"]
    assert run.state.status == "done"
    assert run.steps()["loss/loss"].tolist() == [r["losses"]["loss"] for r in steps_of(told)]
    best = checkpoint.load_weights(run.weights())
    assert all(torch.equal(v, best["network"][k]) for k, v in run.networks["network"].state_dict().items())
    with pytest.raises(FileExistsError, match="already holds a run"):
        builder.train(spiral_mlp(), tmp_path / "run")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupt_keeps_what_was_trained(error: type[BaseException], tmp_path: Path) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["step"] == 5:
            raise error

    with pytest.raises(error):
        builder.train(spiral_mlp(), tmp_path / "run", on_progress=stop)
    found = Run(tmp_path / "run")
    assert found.steps()["step"].tolist() == [1, 2, 3, 4]
    if error is KeyboardInterrupt:
        assert found.weights() is not None


def test_what_cannot_be_trained_is_refused_before(tmp_path: Path) -> None:
    project = lenet5()
    graph = project.networks["network"].without_node("fc3")
    with pytest.raises(ValueError, match="cannot be trained yet"):
        builder.train(project.with_network("network", graph), tmp_path / "a")
    assert not (tmp_path / "a").exists()
    weights = Choice("cross_entropy", {"class_weights": "custom", "custom_weights": [1.0, 2.0]})
    with pytest.raises(ValueError, match="2 custom weights"):
        builder.train(project.replace(loss=weights), tmp_path / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        builder.train(project, tmp_path / "file" / "run")


def test_training_that_diverges_raises_a_sentence(tmp_path: Path) -> None:
    linear = [(f"fc{i}", block("Linear", out_features=3)) for i in (1, 2, 3)]
    graph = chain(("point", block("Vector", features=2)), *linear, ("output", block("Output")))
    project = spiral_mlp(optimizer={"network": Choice("SGD", {"lr": 1000.0})}).with_network("network", graph)
    with pytest.raises(ValueError, match=r"became (nan|inf) at step \d+ in epoch \d+"):
        builder.train(project, tmp_path / "run")
