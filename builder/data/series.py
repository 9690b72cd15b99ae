"""Time series, cut into windows of the past and what came next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from blocks.base import setting
from builder.data.base import Dataset, Field
from builder.data.download import fetch, file_hash
from builder.data.plain import rows_batch

SERIES_ADDRESS = "https://raw.githubusercontent.com/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/"
SUNSPOTS_FILE = {"monthly-sunspots.csv": "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3"}
TEMPERATURES_FILE = {"daily-min-temperatures.csv": "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da"}


def series_splits(values: np.ndarray[Any, Any], settings: dict[str, Any]) -> dict[str, dict[str, torch.Tensor]]:
    """Windows of a series (T,), in the order of time: training first, the last part for the test.

    Settings: `past` and `horizon` (steps), `validation` and `test` (parts). Values are less the mean and
    divided by the deviation of the training part; the table ``scale`` keeps both as ``mean`` and ``std``.
    A window belongs to the part in which its last step lies. Raises ValueError when the series is too short.
    """
    past, horizon = settings["past"], settings["horizon"]
    count = len(values)
    ends = [count - round(settings["test"] * count), count]
    ends.insert(0, ends[0] - max(1, round(settings["validation"] * count)))
    if ends[0] < past + horizon + 1:
        raise ValueError(
            f"The series has {count:,} steps, {max(0, ends[0]):,} of them to train on; windows of {past} + {horizon} "
            "need more. Use a longer series or shorter windows."
        )
    mean, std = float(values[: ends[0]].mean()), float(values[: ends[0]].std()) or 1.0
    scaled = torch.from_numpy((values - mean) / std).float()
    windows = scaled.unfold(0, past + horizon, 1)
    last = torch.arange(len(windows)) + past + horizon
    splits: dict[str, dict[str, torch.Tensor]] = {}
    start = 0
    for name, end in zip(("train", "validation", "test"), ends):
        chosen = windows[(last > start) & (last <= end)]
        if len(chosen):
            splits[name] = {"past": chosen[:, :past].unsqueeze(2).clone(), "next": chosen[:, past:].clone()}
        start = end
    splits["scale"] = {"mean": torch.tensor([mean]), "std": torch.tensor([std])}
    return splits


def read_column(path: Path) -> np.ndarray[Any, Any]:
    """The numbers in the last column of a CSV file with a heading; raises ValueError that names the line."""
    import csv

    values = []
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.reader(file), start=1):
            if line == 1 or not row:
                continue
            try:
                values.append(float(row[-1].strip("?")))
            except ValueError:
                raise ValueError(f"{path.name}, line {line}: {row[-1][:40]!r} is no number.") from None
    return np.array(values)


def load_waves(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Two sine waves whose periods have no common multiple, and noise."""
    generator = np.random.default_rng(settings["seed"])
    time = np.arange(settings["steps"])
    values = np.sin(2 * np.pi * time / settings["period"]) + 0.5 * np.sin(
        2 * np.pi * time / (settings["period"] * 0.381966)
    )
    return series_splits(values + settings["noise"] * generator.standard_normal(len(time)), settings)


def load_sunspots(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Monthly means of sunspots, 1749 to 1983, 2,820 months."""
    files = fetch("timeseries", "Sunspots", SUNSPOTS_FILE, (SERIES_ADDRESS,), folder, progress)
    return series_splits(read_column(files["monthly-sunspots.csv"]), settings)


def load_temperatures(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Daily minimum temperatures in Melbourne, 1981 to 1990, 3,650 days, in °C."""
    files = fetch("timeseries", "Temperatures", TEMPERATURES_FILE, (SERIES_ADDRESS,), folder, progress)
    return series_splits(read_column(files["daily-min-temperatures.csv"]), settings)


class Series(Dataset):
    """Base of the time series."""

    kind = "sequence"
    tasks = ("forecasting",)
    helpers: ClassVar[tuple[Callable[..., Any], ...]] = (series_splits,)
    make_batch = staticmethod(rows_batch)
    count: ClassVar[int] = 0

    past: int = setting(24, min=2, max=1000, unit="steps", help="how many steps the network sees")
    horizon: int = setting(1, min=1, max=200, unit="steps", help="how many steps it is to tell")
    validation: float = setting(
        0.1, min=0.01, max=0.4, label="validation part", help="part of the time before the test, kept for validation"
    )
    test: float = setting(0.2, min=0, max=0.4, label="test part", help="the last part of the time, for the final test")

    def fields(self) -> dict[str, Field]:
        return {"past": Field((self.past, 1)), "next": Field((self.horizon,))}

    def step_count(self) -> int:
        """How many steps the series has."""
        return self.count

    def size_hint(self) -> dict[str, int]:
        count = self.step_count()
        test = round(self.test * count)
        validation = max(1, round(self.validation * count))
        train = max(0, count - test - validation - self.past - self.horizon + 1)
        return {"train": train, "validation": validation, **({"test": test} if test else {})}


class Waves(Series):
    """Two waves laid over each other."""

    name = "waves"
    label = "Waves"
    help = "Two sine waves laid over each other, with noise: what no network can tell is only the noise."
    order = 70
    load_arrays = staticmethod(load_waves)

    steps: int = setting(2000, min=100, max=100_000, help="length of the series")
    period: float = setting(40.0, min=4, max=1000, unit="steps", help="of the longer wave")
    noise: float = setting(0.1, min=0, max=2, help="standard deviation of the noise")
    seed: int = setting(0, min=0, max=2**31 - 1, help="another number draws other noise")

    def step_count(self) -> int:
        return self.steps


class Sunspots(Series):
    """Monthly sunspots (Zürich series, Time Series Data Library)."""

    name = "sunspots"
    label = "Sunspots"
    help = "Sunspots month by month since 1749, with their cycle of eleven years; 45 kB, downloaded once."
    order = 71
    requires = ("pooch", "requests")
    helpers = (file_hash, fetch, series_splits, read_column)
    load_arrays = staticmethod(load_sunspots)
    count = 2820


class Temperatures(Series):
    """Daily minimum temperatures in Melbourne (Australian Bureau of Meteorology, Time Series Data Library)."""

    name = "temperatures"
    label = "Temperatures in Melbourne"
    help = "The lowest temperature of each day, 1981 to 1990; 68 kB, downloaded once."
    order = 72
    requires = ("pooch", "requests")
    helpers = (file_hash, fetch, series_splits, read_column)
    load_arrays = staticmethod(load_temperatures)
    count = 3650
