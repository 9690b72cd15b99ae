"""Forecasting: windows in the order of time, errors by hand, and networks against what is best."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import builder
from builder import data, templates
from builder.data.series import read_column, series_splits
from builder.data.surnames import NAME_LETTERS, name_numbers
from builder.tasks import forecasting as task
from builder.tasks.differences import Huber, MeanAbsolute, MeanSquared
from builder.tasks.forecasting import Forecasting

torch.set_num_threads(1)

PRESENT = Path(os.environ.get("LAYERLOOM_DATA", "/nonexistent"))


class Always(nn.Module):
    def __init__(self, *answer: float) -> None:
        super().__init__()
        self.answer = nn.Parameter(torch.tensor(answer))

    def forward(self, past: Tensor) -> Tensor:
        return self.answer.expand(len(past), -1)


def settings_of(loss: Any, predict: str = "change") -> dict[str, Any]:
    settings = {"loss": {"name": loss.name, **loss.to_settings()}, "task": {"predict": predict}}
    return task.prepare({"scale": {"mean": torch.tensor([10.0]), "std": torch.tensor([4.0])}}, settings)


BATCH = {"past": torch.tensor([[[0.0], [1.0]], [[5.0], [2.0]]]), "next": torch.tensor([[2.0, 3.0], [2.0, 0.0]])}


def test_windows_keep_the_order_of_time() -> None:
    values = np.arange(20.0)
    splits = series_splits(values, {"past": 3, "horizon": 2, "validation": 0.2, "test": 0.2})
    mean, std = values[:12].mean(), values[:12].std()
    assert (splits["scale"]["mean"].item(), splits["scale"]["std"].item()) == pytest.approx((mean, std))
    last = {
        name: (splits[name]["next"][:, -1] * std + mean).round().tolist() for name in ("train", "validation", "test")
    }
    assert last == {"train": list(range(4, 12)), "validation": list(range(12, 16)), "test": list(range(16, 20))}
    first = (splits["test"]["past"][0, :, 0] * std + mean).tolist()
    assert first == pytest.approx([12, 13, 14], abs=1e-5)


def test_a_short_series_is_told() -> None:
    with pytest.raises(ValueError, match=r"30 steps, 18 of them to train on; windows of 24 \+ 1 need more"):
        series_splits(np.arange(30.0), {"past": 24, "horizon": 1, "validation": 0.2, "test": 0.2})


def test_a_value_that_is_no_number_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"Month","Spots"\n"1749-01",58.0\n"1749-02",?1.5\n"1749-03",many\n')
    with pytest.raises(ValueError, match=r"a\.csv, line 4: 'many' is no number"):
        read_column(path)


def test_losses_and_errors_by_hand() -> None:
    network = {"network": Always(1.0, -1.0)}  # the change: forecasts (2, 0) and (3, 1), errors 0, 3 and 1, 1

    def loss(kind: Any, predict: str = "change") -> float:
        losses, _ = task.train_step(network, BATCH, settings_of(kind, predict), lambda *_: None)
        return losses["loss"]

    assert loss(MeanSquared()) == pytest.approx((0 + 9 + 1 + 1) / 4)
    assert loss(MeanAbsolute()) == pytest.approx(5 / 4)
    assert loss(Huber()) == pytest.approx((0 + 2.5 + 0.5 + 0.5) / 4)
    assert loss(MeanAbsolute(), "value") == pytest.approx((1 + 4 + 1 + 1) / 4)
    settings = settings_of(MeanSquared())
    _, metrics = task.train_step(network, BATCH, settings, lambda *_: None)
    assert metrics["mae"] == pytest.approx(4 * 5 / 4)  # in the units of the series
    sums, rows, count = task.evaluate(network, BATCH, settings)
    assert (sums["loss"].item(), count) == (pytest.approx(11 / 2), 2)
    # The naive forecast says 1 and 2: errors 1, 2 and 0, 2.
    assert task.score(rows, settings) == pytest.approx({"mae": 5.0, "naive_mae": 5.0, "of_naive": 1.0})


def test_results_are_in_the_units_of_the_series() -> None:
    found = Forecasting.results({"network": Always(1.0, -1.0)(BATCH["past"])}, BATCH, settings_of(MeanSquared()))
    assert found["forecast"].tolist() == [[18.0, 10.0], [22.0, 14.0]]
    assert found["naive"].tolist() == [[14.0, 14.0], [18.0, 18.0]]
    assert found["truth"].tolist() == [[18.0, 22.0], [18.0, 10.0]]


def test_the_template_comes_near_the_noise(tmp_path: Path) -> None:
    project = templates.load("gru_forecast")
    run = builder.train(project.replace(training={**project.training, "epochs": 20}), tmp_path / "run")
    # The noise of deviation 0.1 has a mean absolute value of 0.08; to see it in the past costs a little more.
    assert 0.075 < run.metrics["mae"] < 0.11
    assert run.metrics["of_naive"] < 0.6
    results = run.results()
    assert results is not None
    assert {"sample/forecast", "sample/truth", "sample/naive"} <= set(results.arrays)


# --- names -----------------------------------------------------------------------------------------


def test_names_are_filled_up_at_the_left_without_accents() -> None:
    numbers = name_numbers("Béla Ó'X", 10)
    assert "".join(NAME_LETTERS[n] for n in numbers) == "␣␣Bela O'X"
    assert "".join(NAME_LETTERS[n] for n in name_numbers("Abcdef", 4)) == "cdef"


@pytest.mark.skipif(not (PRESENT / "names").is_dir(), reason="LAYERLOOM_DATA names no folder with names/")
def test_the_names_are_all_there() -> None:
    dataset = data.find("names")()
    splits = data.load(dataset)
    assert sum(len(split["label"]) for split in splits.values()) == 20_050
    assert dataset.class_names()[14] == "Russian"
    counts = sum(torch.bincount(split["label"], minlength=18) for split in splits.values())
    assert (counts[14], counts[13]) == (9384, 74)  # Russian and Portuguese, as in the files
    assert "Russian" in dataset.class_names()
    assert dataset.sample_text({"name": splits["train"]["name"][0], "label": splits["train"]["label"][0]}).isascii()


@pytest.mark.skipif(not (PRESENT / "names").is_dir(), reason="LAYERLOOM_DATA names no folder with names/")
def test_the_panel_shows_names_as_text() -> None:
    samples = data.samples(data.find("names")(), per_class=2)
    assert samples.labels is not None
    assert len(samples.texts) == len(samples.labels) == 36
    assert all(text.strip() == text and text for text in samples.texts)
    numbers = data.statistics(data.find("names")())
    assert sum(map(sum, numbers.counts.values())) == 20_050
