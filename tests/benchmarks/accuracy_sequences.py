"""What sequences and word vectors reach: analogies, names, sunspots, characters of Shakespeare.

    python tests/benchmarks/accuracy.py --only analogies_en analogies_ru names sunspots shakespeare

- analogies: the starter projects on both small worlds, five seeds each; king − man + woman is queen and
  Москва − Россия + США is Вашингтон in every one, and at least 90 % of all analogies are right.
- names: the starter project rnn_names, 80 % to train on; at least 78 % right.
- sunspots: an LSTM one month ahead on the last 20 %; mean absolute error at most 0.94 of the naive forecast's and
  within 2 % of a linear autoregression on 24 lags, which is fitted to all that comes before.
- shakespeare: an LSTM of 256 on windows of 128 characters, the last 10 % held out; at most 1.75 nats a character.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import torch
from by_hand import block, chain
from figures import SEED, Row, Rows, Time, epochs_of, trained

from builder import data, templates
from builder.project import Choice, Project
from builder.training import evaluate

ANALOGIES = {
    "skipgram": (["king", "woman"], ["man"], "queen"),
    "skipgram_hierarchical": (["Москва", "США"], ["Россия"], "Вашингтон"),
}


def analogies(name: str) -> Row:
    """One small world from five seeds."""
    plus, minus, wanted = ANALOGIES[name]
    project = templates.load(name)
    names = data.find(project.data.name).from_settings(project.data.settings).token_names()
    shares, right, time, epochs = [], 0, Time(), 0
    for seed in range(5):
        with tempfile.TemporaryDirectory() as folder:
            run, took = trained(project.replace(training={**project.training, "seed": seed}), Path(folder) / "run")
            found = evaluate.ask(run.folder, {"plus": plus, "minus": minus})
        right += names[int(found["word"][0])] == wanted
        shares.append(run.metrics["analogies"])
        time, epochs = time + took, epochs_of(run)
    return Row(
        f"{name} on a small world",
        f"{wanted} in {right} of 5 seeds, analogies {min(shares):.1%} to {max(shares):.1%}",
        "5 of 5, at least 90 %",
        right == 5 and min(shares) >= 0.9,
        time,
        epochs,
        seed="0 to 4",
    )


def names() -> Row:
    """The starter project with one fifth of the names for validation."""
    project = templates.load("rnn_names")
    settings = {**project.data.settings, "validation": 0.2, "test": 0.0}
    training = {**project.training, "seed": SEED}
    run, time = trained(project.replace(data=Choice("names", settings), training=training))
    found = run.metrics["accuracy"]
    return Row("RNN on names, 80/20", f"{found:.1%} right", "at least 78 %", found >= 0.78, time, epochs_of(run))


def sunspots() -> Row:
    """An LSTM of 32 beside the naive forecast and a linear autoregression."""
    graph = chain(
        ("past", block("Sequence", length=24, features=1)),
        ("lstm", block("LSTM", hidden_size=32)),
        ("fc", block("Linear", out_features=1)),
        ("output", block("Output")),
    )
    run, time = trained(
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
        )
    )
    linear = _autoregression()
    error, share = run.metrics["mae"], run.metrics["of_naive"]
    return Row(
        "LSTM on sunspots, last 20 %",
        f"MAE {error:.2f}: {share:.3f} of the naive {run.metrics['naive_mae']:.2f}, "
        f"{error / linear - 1:+.1%} against AR(24)'s {linear:.2f}",
        "at most 0.94, at most +2 %",
        share <= 0.94 and error <= 1.02 * linear,
        time,
        epochs_of(run),
    )


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


def shakespeare() -> Row:
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
    run, time = trained(
        Project(
            name="Shakespeare",
            networks={"network": graph},
            data=Choice("shakespeare", {"length": 128}),
            task=Choice("language_modelling", {}),
            optimizer={"network": Choice("Adam", {"lr": 0.004})},
            training={**training, "evaluation_batch": 256, "threads": 1},
        )
    )
    nats = [record["losses"]["loss"] for record in run.history if "split" in record][-1]
    return Row(
        "LSTM on Shakespeare, last 10 %",
        f"{nats:.3f} nats a character",
        "at most 1.75",
        nats <= 1.75,
        time,
        epochs_of(run),
        "1.47 (transformer of 10.7M parameters: nanoGPT)",
    )


ROWS: Rows = {
    "analogies_en": functools.partial(analogies, "skipgram"),
    "analogies_ru": functools.partial(analogies, "skipgram_hierarchical"),
    "names": names,
    "sunspots": sunspots,
    "shakespeare": shakespeare,
}
