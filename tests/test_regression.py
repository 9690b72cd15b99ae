"""Regression: losses and scores by hand, diabetes, a person's CSV with all its faults, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exported import records_of
from torch import Tensor, nn

import builder
from builder import data
from builder.data import uploads
from builder.data.base import DataError
from builder.data.own_table import OwnTable, read_table
from builder.project import Choice
from builder.tasks import regression
from builder.tasks.differences import difference_loss
from builder.tasks.regression import Regression

torch.set_num_threads(1)

TASK = {"input": "features", "target": "target"}


class Fixed(nn.Module):
    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs.clone())

    def forward(self, x: Tensor) -> Tensor:
        return self.outputs


def test_losses_and_scores_by_hand() -> None:
    target = torch.tensor([[10.0], [20.0], [30.0]])
    batch = {"features": torch.zeros(3, 2), "target": target}
    settings = regression.prepare({"train": batch}, {"task": TASK, "loss": {"name": "mse"}})
    std = (200 / 3) ** 0.5
    assert (settings["task"]["mean"], settings["task"]["std"]) == (20.0, pytest.approx(std))
    # A network that says nothing guesses the mean: loss 1, R² 0, off by 20/3.
    losses, metrics = regression.train_step({"network": Fixed(torch.zeros(3, 1))}, batch, settings, lambda *a: None)
    assert losses["loss"] == pytest.approx(1)
    assert metrics == {"mae": pytest.approx(20 / 3), "r2": pytest.approx(0)}
    right = Fixed((target - 20) / std)
    sums, rows, count = regression.evaluate({"network": right}, batch, settings)
    assert (sums["loss"].item(), count) == (pytest.approx(0, abs=1e-9), 3)
    assert regression.regression_score(rows, settings) == {"mae": pytest.approx(0, abs=1e-5), "r2": pytest.approx(1)}
    found = Regression.results({"network": right(target)}, batch, settings)
    assert torch.allclose(found["guess"], found["truth"])


def test_losses_are_torch_s() -> None:
    torch.manual_seed(0)
    guess, target = torch.randn(6, 1), torch.randn(6, 1)
    for loss, expected in (
        ({"name": "mae"}, F.l1_loss(guess, target)),
        ({"name": "huber", "delta": 0.3}, F.huber_loss(guess, target, delta=0.3)),
    ):
        assert torch.equal(difference_loss(guess, target, loss), expected)


def test_r2_is_scikit_learn_s() -> None:
    from sklearn.metrics import r2_score

    torch.manual_seed(0)
    guess, truth = torch.randn(2, 20, 1)
    found = regression.regression_score({"guess": guess, "truth": truth}, {"task": {"std": 1.0}})["r2"]
    assert found == pytest.approx(r2_score(truth.numpy(), guess.numpy()), abs=1e-6)


def test_scores_in_the_data_s_units_are_scikit_learn_s_also_far_from_zero() -> None:
    from sklearn.metrics import mean_absolute_error, r2_score

    torch.manual_seed(0)
    target = 5e5 + 3e4 * torch.randn(40, 1)  # prices of houses
    settings = regression.prepare({"train": {"target": target}}, {"task": TASK, "loss": {"name": "mse"}})
    network = Fixed(torch.randn(40, 1))
    batch = {"features": torch.zeros(40, 2), "target": target}
    guess = Regression.results({"network": network(target)}, batch, settings)["guess"].detach()
    _, metrics = regression.train_step({"network": network}, batch, settings, lambda *a: None)
    assert metrics["mae"] == pytest.approx(mean_absolute_error(target, guess), rel=1e-5)
    assert metrics["r2"] == pytest.approx(r2_score(target, guess), rel=1e-5)


def test_without_any_spread_there_is_no_r2() -> None:
    same = torch.full((7, 1), 0.1)
    rows = {"guess": same + 1, "truth": same}
    found = regression.regression_score(rows, {"task": {"std": 2.0}})
    assert found == {"mae": pytest.approx(2), "r2": 0.0}


# --- tables of one's own ---------------------------------------------------------------------------


def table(lines: int = 12, **broken: str) -> bytes:
    rows = [f"{i},{i * 2},{i * 3}" for i in range(lines)]
    for line, text in broken.items():
        rows[int(line.removeprefix("line")) - 2] = text
    return ("size,weight,price\n" + "\n".join(rows) + "\n").encode()


def test_a_table_is_read_with_its_names() -> None:
    names, rows, problems = read_table(table())
    assert names == ["size", "weight", "price"]
    assert rows[3] == [3.0, 6.0, 9.0]
    assert problems == []
    # Semicolons and decimal commas, no names, a byte order mark.
    text = "\ufeff" + "\n".join(f"{i},5;{i}" for i in range(10))
    names, rows, _ = read_table(text.encode())
    assert names == ["column 1", "column 2"]
    assert rows[2] == [2.5, 2.0]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1,,3", "Line 4 has nothing in column 'weight'; the line is left out."),
        ("1,heavy,3", "Line 4 has 'heavy', which is no number in column 'weight'; the line is left out."),
        ("1,nan,3", "Line 4 has 'nan', which is no number in column 'weight'; the line is left out."),
        ("1,2", "Line 4 has 2 cells instead of 3; the line is left out."),
    ],
)
def test_gaps_and_text_in_numbers_are_named_and_the_rest_is_used(line: str, sentence: str) -> None:
    _, rows, problems = read_table(table(line4=line))
    assert problems == [sentence]
    assert len(rows) == 11


def test_a_column_of_text_is_left_out_whole() -> None:
    content = b"name,a,b\n" + b"".join(b"someone,%d,%d\n" % (i, i) for i in range(10))
    names, rows, problems = read_table(content)
    assert names == ["a", "b"]
    assert len(rows) == 10
    assert problems == ["Column 'name' has numbers in only 0 of 10 lines; the column is left out."]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"size,price\n", "no line below"),
        (b"price\n" + b"1\n" * 20, "has one column"),
        (table(5), "has 5 lines of numbers; at least 10"),
        (b"a,b\n" + b"x,1\n" * 20, "1 columns of numbers"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        OwnTable.receive(content)


def test_an_uploaded_table_trains_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path / "home"))
    content = table(60, line5="4,,5")
    settings, problems = OwnTable.receive(content)
    assert len(problems) == 1
    name = uploads.store(content, data.home(), "csv")
    dataset = OwnTable(**{**settings, "file": name, "columns": tuple(settings["columns"]), "target": "size"})
    splits = data.load(dataset)
    assert {part: len(split["target"]) for part, split in splits.items()} == dataset.size_hint()
    assert sum(dataset.size_hint().values()) == 59  # type: ignore[union-attr]
    shown = data.samples(dataset.replace(normalization="none", target="weight"))
    assert (shown.columns, shown.guessed) == (("size", "price"), "weight")
    weight = shown.fields["target"]
    assert (
        shown.inputs == np.concatenate([weight / 2, 1.5 * weight], 1)
    ).all()  # each name stands over its own numbers
    with pytest.raises(DataError, match="no column 'height'"):
        data.load(dataset.replace(target="height"))
    missing = dataset.replace(target="height").missing() or ""
    assert "no column 'height'" in missing
    assert ", ".join(settings["columns"]) in missing
    assert dataset.missing() is dataset.replace(target="").missing() is None
    made = builder.templates.load("mlp_regression")
    made = made.replace(data=Choice("own_table", dataset.to_settings()), training={**made.training, "epochs": 2})
    (problem,) = builder.check(made).problems
    assert problem.code == "input-mismatch"
    assert problem.fix is not None
    made = builder.edits.apply(made, list(problem.fix.edits))
    run = builder.train(made, tmp_path / "run")
    assert records_of(builder.export(made, tmp_path / "export")) == run.history


# --- the whole way ---------------------------------------------------------------------------------


def test_diabetes_is_guessed_better_than_by_its_mean(tmp_path: Path) -> None:
    made = builder.templates.load("mlp_regression")
    run = builder.train(made.replace(training={**made.training, "epochs": 30}), tmp_path / "run")
    assert run.metrics["r2"] > 0.35, "a linear regression has about 0.45"
    results = run.results()
    assert results is not None
    assert results.arrays["sample/guess"].shape == results.arrays["sample/truth"].shape
