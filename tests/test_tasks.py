"""Tasks: losses against values worked out by hand, metrics, what they show, and tasks from outside."""

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from by_hand import block, chain, project
from exported import records_of
from torch import Tensor, nn

import builder
from blocks.base import SettingError
from builder import tasks
from builder.data.base import Dataset, Field
from builder.graph import Edge, Graph, Node
from builder.project import Choice, Project
from builder.tasks import classification
from builder.tasks.base import Loss, Metric, Task
from builder.tasks.classification import NLL, Classification, CrossEntropy, Focal, MultiMargin
from builder.training import job

TASK = {"input": "x", "target": "y", "classes": 3}
WEIGHTED = {**TASK, "auxiliary_weight": 0.5}


class Three(Dataset):
    """Two features, three classes; the second class is rare."""

    name = "three"
    tasks: ClassVar[tuple[str, ...]] = ("classification", "toy_regression")

    def fields(self) -> dict[str, Field]:
        return {"x": Field((2,)), "y": Field((), "class", 3)}

    def class_names(self) -> tuple[str, ...]:
        return ("a", "b", "c")

    @staticmethod
    def load_arrays(
        settings: dict[str, Any], folder: Path | None, progress: Any = None
    ) -> dict[str, dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(0)
        found = {}
        for name, count in (("train", 60), ("validation", 20), ("test", 20)):
            label = torch.arange(count) % 10 % 3 % 3
            x = torch.randn(count, 2, generator=generator) + 2 * label[:, None]
            found[name] = {"x": x, "y": label}
        return found

    @staticmethod
    def make_batch(
        split: dict[str, Tensor], index: Tensor, settings: dict[str, Any], generator: Any = None
    ) -> dict[str, Tensor]:
        return {name: values[index] for name, values in split.items()}


class Fixed(nn.Module):
    """A network that says what it is told, with one parameter so that it can be stepped."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.outputs


def loss_of(loss: Loss, outputs: Tensor, labels: Tensor, splits: dict[str, dict[str, Tensor]] | None = None) -> float:
    settings = {"task": TASK, "loss": {"name": loss.name, **loss.to_settings()}}
    settings = classification.prepare(splits or {}, settings)
    batch = {"x": torch.zeros(len(labels), 2), "y": labels}
    stepped = []
    losses, _ = classification.train_step({"network": Fixed(outputs)}, batch, settings, lambda *a: stepped.append(a))
    assert len(stepped) == 1
    assert stepped[0][1] == "network"
    return losses["loss"]


# --- losses ------------------------------------------------------------------------------------


def test_equal_scores_cost_ln_c() -> None:
    labels = torch.tensor([0, 1, 2, 0])
    assert loss_of(CrossEntropy(), torch.zeros(4, 3), labels) == pytest.approx(math.log(3))
    assert loss_of(CrossEntropy(label_smoothing=0.3), torch.zeros(4, 3), labels) == pytest.approx(math.log(3))
    assert Classification().initial_loss(Three(), CrossEntropy()) == math.log(3)
    assert Classification().initial_loss(Three(), CrossEntropy(class_weights="balanced")) is None
    assert Classification().initial_loss(Three(), MultiMargin()) is None


def test_label_smoothing_by_hand() -> None:
    # Scores 0 and ln 3: probabilities 1/4 and 3/4. Smoothing 0.2 makes the target (0.1, 0.9).
    outputs = torch.tensor([[0.0, math.log(3)]])
    expected = -(0.1 * math.log(1 / 4) + 0.9 * math.log(3 / 4))
    assert loss_of(CrossEntropy(label_smoothing=0.2), outputs, torch.tensor([1])) == pytest.approx(expected)


def test_custom_class_weights_by_hand() -> None:
    # Right answers with probability 1/4 (class 0, weight 3) and 3/4 (class 1, weight 1).
    outputs = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    expected = (3 * math.log(4) + 1 * math.log(4 / 3)) / 4
    loss = CrossEntropy(class_weights="custom", custom_weights=(3, 1))
    assert loss_of(loss, outputs, torch.tensor([0, 1])) == pytest.approx(expected)


def test_balanced_weights_are_scikit_learns() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = torch.tensor([0] * 7 + [1] * 2 + [2] * 3)
    settings = {"task": TASK, "loss": {"name": "cross_entropy", **CrossEntropy(class_weights="balanced").to_settings()}}
    weight = classification.prepare({"train": {"y": labels}}, settings)["loss"]["weight"]
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    assert weight.tolist() == pytest.approx(expected.tolist())


def test_multi_margin_by_hand() -> None:
    # Right score 1; the others 0.5 and -2: violations 1 - 1 + 0.5 = 0.5 and 0; divided by 3 classes.
    assert loss_of(MultiMargin(), torch.tensor([[1.0, 0.5, -2.0]]), torch.tensor([0])) == pytest.approx(0.5 / 3)
    assert loss_of(MultiMargin(p=2), torch.tensor([[1.0, 0.5, -2.0]]), torch.tensor([0])) == pytest.approx(0.25 / 3)


def test_focal_by_hand() -> None:
    outputs = torch.tensor([[0.0, math.log(3)]])  # p = 3/4
    expected = (1 / 4) ** 2 * math.log(4 / 3)
    assert loss_of(Focal(), outputs, torch.tensor([1])) == pytest.approx(expected)
    assert loss_of(Focal(gamma=0), outputs, torch.tensor([1])) == pytest.approx(math.log(4 / 3))


def test_nll_takes_log_probabilities() -> None:
    outputs, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    expected = F.cross_entropy(outputs, labels).item()
    assert loss_of(NLL(), F.log_softmax(outputs, 1), labels) == pytest.approx(expected)


def test_custom_weights_must_fit() -> None:
    assert "2 custom weights" in (CrossEntropy(class_weights="custom", custom_weights=(1, 2)).problem(Three()) or "")
    assert CrossEntropy(class_weights="custom", custom_weights=(1, 2, 3)).problem(Three()) is None
    with pytest.raises(SettingError, match="no number above 0"):
        CrossEntropy(class_weights="custom")


# --- metrics and views -------------------------------------------------------------------------


def test_accuracy_and_sums() -> None:
    outputs = torch.tensor([[2.0, 0, 0], [0, 2, 0], [0, 0, 2], [2, 0, 0]])
    batch = {"x": torch.zeros(4, 2), "y": torch.tensor([0, 1, 2, 2])}
    settings = classification.prepare({}, {"task": TASK, "loss": {"name": "cross_entropy", "label_smoothing": 0.0}})
    networks: dict[str, nn.Module] = {"network": Fixed(outputs)}
    _, metrics = classification.train_step(networks, batch, settings, lambda *a: None)
    assert metrics == {"accuracy": 0.75}
    losses, metric_sums, count = classification.evaluate(networks, batch, settings)
    assert (metric_sums["accuracy"].item(), count) == (3, 4)
    assert losses["loss"].item() == pytest.approx(F.cross_entropy(outputs, batch["y"], reduction="sum").item())


def test_confusion_and_probabilities() -> None:
    outputs = {"network": torch.tensor([[2.0, 0, 0], [0, 2, 0], [0, 2, 0]])}
    batch = {"y": torch.tensor([0, 1, 2])}
    confusion = Classification.totals(outputs, batch, {"task": TASK})["confusion"]
    assert confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    found = Classification.results(outputs, batch, {"task": TASK})
    assert found["prediction"].tolist() == [0, 1, 1]
    assert torch.allclose(found["probability"].sum(1), torch.ones(3))
    assert set(Classification.results(outputs, {}, {"task": TASK})) == {"probability", "prediction"}


class Heads(Fixed):
    """A network with auxiliary heads, all of them trainable."""

    def __init__(self, *outputs: Tensor) -> None:
        super().__init__(outputs[0])
        self.more = nn.ParameterList(outputs[1:])

    def forward(self, x: Tensor) -> Any:
        return (self.outputs, *self.more)


def test_auxiliary_heads_by_hand() -> None:
    # The main head is right with 3/4 (loss ln 4/3), one auxiliary knows nothing (ln 2), one is wrong with 3/4 (ln 4).
    right, even, wrong = (torch.tensor([[0.0, z]]) for z in (math.log(3), 0.0, -math.log(3)))
    batch = {"x": torch.zeros(1, 2), "y": torch.tensor([1])}
    settings = {"task": WEIGHTED, "loss": {"name": "cross_entropy", "label_smoothing": 0.0, "weight": None}}
    network = Heads(right, even, wrong)
    stepped: list[Tensor] = []
    losses, metrics = classification.train_step(
        {"network": network}, batch, settings, lambda loss, _: stepped.append(loss)
    )
    expected = math.log(4 / 3) + 0.5 * (math.log(2) + math.log(4))
    assert losses["loss"] == pytest.approx(expected)
    assert metrics == {"accuracy": 1.0}, "the first head alone answers"
    sums, counts, _ = classification.evaluate({"network": network}, batch, settings)
    assert sums["loss"].item() == pytest.approx(expected)
    assert counts["accuracy"].item() == 1
    # The gradient of each head's loss is p − y, times its weight.
    stepped[0].backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad[0, 1].item() for p in network.parameters() if p.grad is not None]
    assert gradients == pytest.approx([3 / 4 - 1, 0.5 * (1 / 2 - 1), 0.5 * (1 / 4 - 1)])


def two_heads(classes: int = 3, data: str = "three", **changes: Any) -> Project:
    """A network with a head after its last layer and an auxiliary one after its first."""
    nodes = {
        "v": block("Vector", features=2),
        "fc1": block("Linear", out_features=16),
        "act": block("Tanh"),
        "fc2": block("Linear", out_features=classes),
        "output": block("Output"),
        "aux_fc": block("Linear", out_features=classes),
        "aux": block("Output"),
    }
    wires = (("v", "fc1"), ("fc1", "act"), ("act", "fc2"), ("fc2", "output"), ("fc1", "aux_fc"), ("aux_fc", "aux"))
    graph = Graph(tuple(Node(id, b) for id, b in nodes.items()), tuple(Edge(a, "out", b, "in") for a, b in wires))
    return project(graph, Choice(data), **changes)


def test_a_network_with_an_auxiliary_head_trains_and_exports(registered: None, tmp_path: Path) -> None:
    made = two_heads(3, "spirals", task=Choice("classification", {"auxiliary_weight": 0.25}))
    made = made.replace(data=Choice("spirals", {"classes": 3}))
    assert builder.check(made).problems == ()
    prepared = job.prepare(made, tmp_path / "job")
    assert job.Job(prepared).expected_loss == pytest.approx(1.25 * math.log(3))
    run = builder.train(made, tmp_path / "run")
    first, last = run.history[0]["losses"]["loss"], run.history[-1]["losses"]["loss"]
    assert last < first
    assert records_of(builder.export(made, tmp_path / "export")) == run.history


def test_each_auxiliary_head_must_have_the_first_one_s_shape(registered: None) -> None:
    made = two_heads()
    wrong = made.networks["network"].node("aux_fc")
    wrong = dataclasses.replace(wrong, block=block("Linear", out_features=5))
    made = made.with_network("network", made.networks["network"].with_node(wrong))
    (problem,) = builder.check(made).problems
    assert (problem.code, problem.node) == ("output-mismatch", "aux")
    assert problem.fix is not None
    assert problem.fix.label == "Set out_features of aux_fc to 3"


def test_a_task_without_auxiliary_heads_refuses_them(registered: None) -> None:
    made = two_heads(1, task=Choice("toy_regression"), loss=Choice("square"))
    (problem,) = builder.check(made).problems
    assert (problem.code, problem.node) == ("outputs", "aux")
    assert "has 2 outputs (output, aux)" in problem.message
    assert "takes 1" in problem.message


def test_what_the_task_asks_of_data_and_network() -> None:
    task = Classification()
    assert [name for name, _ in task.inputs(Three(), "network")] == ["x"]
    assert task.output_shapes(Three(), CrossEntropy(), "network") == ((3,),)
    assert task.constants(Three()) == TASK


# --- the registry ------------------------------------------------------------------------------


class Square(Loss):
    """Mean squared error."""

    name = "square"


class ToyRegression(Task):
    """Guess the sum of the features."""

    name = "toy_regression"
    losses = (Square,)
    metrics = (Metric("error", "error", higher_is_better=False),)

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        return (("x", dataset.fields()["x"]),)

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[tuple[int, ...] | None, ...]:
        return ((1,),)

    @staticmethod
    def train_step(networks: Any, batch: Any, settings: Any, optimize: Any) -> Any:
        loss = F.mse_loss(networks["network"](batch["x"])[:, 0], batch["x"].sum(1))
        optimize(loss, "network")
        return {"loss": loss.item()}, {}

    @staticmethod
    def evaluate(networks: Any, batch: Any, settings: Any) -> Any:
        error = (networks["network"](batch["x"])[:, 0] - batch["x"].sum(1)).abs().sum()
        return {"loss": error}, {"error": error}, len(batch["x"])


@pytest.fixture
def registered() -> Any:
    builder.tasks.register(ToyRegression)
    builder.data.register(Three)
    yield
    tasks._registered.pop("toy_regression", None)
    builder.data._registered.pop("three", None)


def test_names_and_find() -> None:
    assert "classification" in tasks.names()
    assert tasks.find("classification") is Classification
    with pytest.raises(KeyError, match="no task called 'classify'"):
        tasks.find("classify")
    with pytest.raises(KeyError, match="offers no loss called 'l2'"):
        tasks.find_loss(Classification, "l2")
    with pytest.raises(ValueError, match="called classification"):
        tasks.register(type("Again", (Task,), {"name": "classification"}))


def test_a_task_from_outside_trains(registered: None, tmp_path: Path) -> None:
    graph = chain(("v", block("Vector", features=2)), ("fc", block("Linear", out_features=1)), ("out", block("Output")))
    made = project(
        graph,
        Choice("three"),
        task=Choice("toy_regression"),
        loss=Choice("square"),
        optimizer={"network": Choice("SGD", {"lr": 0.05})},
        training={"epochs": 30, "batch_size": 10},
    )
    run = builder.train(made, tmp_path / "run")
    first, last = run.history[0]["losses"]["loss"], run.metrics["error"]
    assert first > 0.5
    assert last < 0.05
    # The sum of two features: both weights 1, no bias.
    (weight, bias) = run.networks["network"].parameters()
    assert torch.allclose(weight, torch.ones(1, 2), atol=0.05)
    assert abs(bias.item()) < 0.1


def test_charts_are_the_loss_and_the_first_metric_unless_a_task_says_otherwise() -> None:
    assert [(c.title, c.names) for c in Classification.drawn()] == [
        ("Loss", ("loss/loss",)),
        ("Accuracy", ("metric/accuracy",)),
    ]
    own = (tasks.Chart("Both", ("loss/a", "loss/b")),)
    assert type("Own", (Task,), {"name": "own", "charts": own}).drawn() == own
    assert type("Bare", (Task,), {"name": "bare"}).drawn() == (tasks.Chart("Loss", ("loss/loss",), 1.1),)


def test_check_reports_a_loss_that_does_not_fit() -> None:
    made = builder.templates.load("mlp")
    loss = Choice("cross_entropy", {"class_weights": "custom", "custom_weights": [1.0] * 11})
    (problem,) = builder.check(made.replace(loss=loss)).problems
    assert problem.code == "loss-setting"
    assert "11 custom weights" in problem.message
