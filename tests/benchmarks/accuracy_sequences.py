"""What sequences and word vectors reach: analogies, names, sunspots, characters of Shakespeare.

    python tests/benchmarks/accuracy_sequences.py [analogies] [names] [sunspots] [shakespeare]

Each row states its seed, its split, its time and its goal. One thread; LAYERLOOM_DATA names the data.

- analogies: the starter projects on both small worlds, five seeds each; king − man + woman is queen and
  Москва − Россия + США is Вашингтон in every one, and at least 90 % of all analogies are right.
- names: the starter project rnn_names, 80 % to train on; at least 78 % right.
- sunspots: an LSTM one month ahead on the last 20 %; mean absolute error at most 0.94 of the naive forecast's and
  within 2 % of a linear autoregression on 24 lags, which is fitted to all that comes before.
- shakespeare: an LSTM of 256 on windows of 128 characters, the last 10 % held out; at most 1.75 nats a character.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from by_hand import block, chain

import builder
from builder import data, templates
from builder.project import Choice, Project
from builder.training import evaluate

SEED = 0
ANALOGIES = {
    "skipgram": (["king", "woman"], ["man"], "queen"),
    "skipgram_hierarchical": (["Москва", "США"], ["Россия"], "Вашингтон"),
}


def trained(project: Project, folder: Path) -> tuple[Any, float]:
    """The run and its seconds; a line for every epoch goes to stderr."""

    def told(record: dict[str, Any]) -> None:
        if "split" in record:
            numbers = ", ".join(f"{k} {v:.3f}" for k, v in {**record["losses"], **record["metrics"]}.items())
            seconds = time.monotonic() - began
            print(f"  {seconds:5.0f} s  epoch {record['epoch']}  {numbers}", file=sys.stderr, flush=True)

    began = time.monotonic()
    return builder.train(project, folder, told), time.monotonic() - began


def analogies(folder: Path) -> list[str]:
    """Both small worlds from five seeds each."""
    rows = []
    for name, (plus, minus, wanted) in ANALOGIES.items():
        project = templates.load(name)
        names = data.find(project.data.name).from_settings(project.data.settings).token_names()
        shares, right, seconds = [], 0, 0.0
        for seed in range(5):
            run, took = trained(project.replace(training={**project.training, "seed": seed}), folder / f"{name}{seed}")
            found = evaluate.ask(run.folder, {"plus": plus, "minus": minus})
            right += names[int(found["word"][0])] == wanted
            shares.append(run.metrics["analogies"])
            seconds += took
        told = (
            f"{wanted} in {right} of 5 seeds, analogies {min(shares):.1%} to {max(shares):.1%} (5 of 5, at least 90 %)"
        )
        rows.append(_row(f"{name}, seeds 0 to 4", told, right == 5 and min(shares) >= 0.9, seconds))
    return rows


def names(folder: Path) -> list[str]:
    """The starter project with one fifth of the names for validation."""
    project = templates.load("rnn_names")
    settings = {**project.data.settings, "validation": 0.2, "test": 0.0}
    training = {**project.training, "seed": SEED}
    run, seconds = trained(project.replace(data=Choice("names", settings), training=training), folder / "names")
    found = run.metrics["accuracy"]
    return [_row("RNN on names, 80/20", f"{found:.1%} right (at least 78 %)", found >= 0.78, seconds)]


def sunspots(folder: Path) -> list[str]:
    """An LSTM of 32 beside the naive forecast and a linear autoregression."""
    graph = chain(
        ("past", block("Sequence", length=24, features=1)),
        ("lstm", block("LSTM", hidden_size=32)),
        ("fc", block("Linear", out_features=1)),
        ("output", block("Output")),
    )
    run, seconds = trained(
        Project(
            name="Sunspots",
            networks={"network": graph},
            data=Choice("sunspots", {}),
            task=Choice("forecasting", {}),
            loss=Choice("mae", {}),
            optimizer={"network": Choice("Adam", {"lr": 0.003})},
            training={
                "epochs": 25,
                "batch_size": 32,
                "schedule": "cosine",
                "clip_norm": 1.0,
                "seed": SEED,
                "threads": 1,
            },
        ),
        folder / "sunspots",
    )
    linear = _autoregression()
    error, share = run.metrics["mae"], run.metrics["of_naive"]
    told = (
        f"MAE {error:.2f}: {share:.3f} of the naive {run.metrics['naive_mae']:.2f} (at most 0.94), "
        f"{error / linear - 1:+.1%} against AR(24)'s {linear:.2f} (at most +2 %)"
    )
    return [_row("LSTM on sunspots, last 20 %", told, share <= 0.94 and error <= 1.02 * linear, seconds)]


def _autoregression() -> float:
    """The mean absolute error on the test part of the best linear forecast from 24 months and a constant."""
    splits = data.load(data.find("sunspots")())
    before = [splits["train"], splits["validation"]]
    past = torch.cat([part["past"].flatten(1) for part in before]).double()
    following = torch.cat([part["next"] for part in before]).double()

    def with_constant(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)

    weights = torch.linalg.lstsq(with_constant(past), following).solution
    test = splits["test"]
    found = with_constant(test["past"].flatten(1).double()) @ weights
    return float((found - test["next"]).abs().mean() * splits["scale"]["std"])


def shakespeare(folder: Path) -> list[str]:
    """An LSTM of 256 for four epochs."""
    letters = len(data.find("shakespeare")().token_names())
    graph = chain(
        ("text", block("Tokens", length=128, vocabulary=letters)),
        ("embed", block("Embedding", num_embeddings=letters, embedding_dim=64)),
        ("lstm", block("LSTM", hidden_size=256, output="sequence")),
        ("letters", block("StepwiseLinear", out_features=letters)),
        ("output", block("Output")),
    )
    training = {"epochs": 4, "batch_size": 32, "schedule": "cosine", "warmup": 50, "clip_norm": 1.0, "seed": SEED}
    run, seconds = trained(
        Project(
            name="Shakespeare",
            networks={"network": graph},
            data=Choice("shakespeare", {"length": 128}),
            task=Choice("language_modelling", {}),
            optimizer={"network": Choice("Adam", {"lr": 0.004})},
            training={**training, "evaluation_batch": 256, "threads": 1},
        ),
        folder / "shakespeare",
    )
    nats = [record["losses"]["loss"] for record in run.history if "split" in record][-1]
    return [_row("LSTM on Shakespeare, last 10 %", f"{nats:.3f} nats (at most 1.75)", nats <= 1.75, seconds)]


def _row(what: str, told: str, reached: bool, seconds: float) -> str:
    return f"{'ok  ' if reached else 'MISS'}  {what}: {told}; {seconds / 60:.1f} min"


ROWS: dict[str, Callable[[Path], list[str]]] = {
    "analogies": analogies,
    "names": names,
    "sunspots": sunspots,
    "shakespeare": shakespeare,
}


def main() -> None:
    """Print the rows that are asked for, or all."""
    chosen = sys.argv[1:] or list(ROWS)
    missed = False
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            for row in ROWS[name](Path(folder)):
                print(row, flush=True)
                missed |= row.startswith("MISS")
    sys.exit(missed)


if __name__ == "__main__":
    main()
