"""Language models: windows of text, the loss by hand, and text that is written at a temperature."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import builder
from builder import data, templates
from builder.data.characters import character_windows
from builder.tasks import language_modelling as task
from builder.tasks.language_modelling import LanguageModelling, NextCrossEntropy
from builder.training import evaluate

torch.set_num_threads(1)

SETTINGS: dict[str, Any] = {
    "task": {"input": "text", "target": "next"},
    "loss": {"name": "cross_entropy", "label_smoothing": 0.0},
}


class Alphabet(nn.Module):
    """After the letter i comes i + 1, with a lead of `lead` over all others."""

    def __init__(self, letters: int, lead: float) -> None:
        super().__init__()
        self.scores = nn.Parameter(lead * torch.eye(letters).roll(1, 1))

    def forward(self, text: Tensor) -> Tensor:
        return self.scores[text]


def test_windows_follow_each_other_and_the_end_is_set_aside() -> None:
    settings = {"length": 3, "validation": 0.4}
    splits = character_windows("abcd€efghijklmno", "abcdefghijklmno", settings)  # € is not in the alphabet
    assert splits["train"]["text"].tolist() == [[0, 1, 2, 3], [3, 4, 5, 6]]
    assert splits["validation"]["text"].tolist() == [[6, 7, 8, 9], [9, 10, 11, 12]]
    batch = data.find("small_world_text").make_batch(splits["train"], torch.tensor([1]), settings)
    assert (batch["text"].tolist(), batch["next"].tolist()) == ([[3, 4, 5]], [[4, 5, 6]])


def test_a_text_that_is_too_short_is_told() -> None:
    with pytest.raises(ValueError, match=r"0 usable characters; two windows of 64 need 129"):
        character_windows("", "abc", {"length": 64, "validation": 0.1})
    with pytest.raises(ValueError, match=r"4 usable characters"):
        character_windows("abca", "abc", {"length": 4, "validation": 0.1})


def test_the_loss_is_nats_a_character() -> None:
    batch = {"text": torch.tensor([[0, 1, 2], [3, 0, 1]]), "next": torch.tensor([[1, 2, 3], [0, 1, 3]])}
    losses, metrics = task.train_step({"network": Alphabet(4, 0.0)}, batch, SETTINGS, lambda *_: None)
    assert losses["loss"] == pytest.approx(math.log(4))
    # A lead of ln 3 gives 3/6 to the next letter and 1/6 to each other: five right, one wrong.
    losses, metrics = task.train_step({"network": Alphabet(4, math.log(3))}, batch, SETTINGS, lambda *_: None)
    assert losses["loss"] == pytest.approx((5 * math.log(2) + math.log(6)) / 6)
    assert metrics["accuracy"] == pytest.approx(5 / 6)
    sums, right, count = task.evaluate({"network": Alphabet(4, math.log(3))}, batch, SETTINGS)
    assert (sums["loss"].item(), int(right["accuracy"]), count) == (pytest.approx(5 * math.log(2) + math.log(6)), 5, 6)
    found = LanguageModelling.results({"network": Alphabet(4, math.log(3))(batch["text"])}, batch, SETTINGS)
    assert found["chance"][1].tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 6])


def test_text_goes_on_at_a_temperature() -> None:
    def written(temperature: float, length: int = 3, seed: int = 0) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return task.continue_text(Alphabet(5, 2.0), [0, 1], 400, length, temperature, generator)

    assert written(0.0)[:6] == [2, 3, 4, 0, 1, 2]
    assert written(0.0, length=8)[:6] == [2, 3, 4, 0, 1, 2]  # a window that is longer than the text
    assert written(1.0) == written(1.0) != written(1.0, seed=1)
    for temperature in (0.5, 1.0, 2.0):
        text = [1, *written(temperature)]
        share = sum(b == (a + 1) % 5 for a, b in itertools.pairwise(text)) / 400
        lead = math.exp(2 / temperature)
        assert share == pytest.approx(lead / (lead + 4), abs=0.07)


def test_a_network_that_does_not_look_ahead_does_not_see_the_padding() -> None:
    torch.manual_seed(0)

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.lstm = nn.Embedding(5, 4), nn.LSTM(4, 5, batch_first=True)

        def forward(self, text: Tensor) -> Tensor:
            found: Tensor = self.lstm(self.embed(text))[0]
            return 5 * found

    network = Reader()
    generator = [torch.Generator().manual_seed(3) for _ in range(2)]
    short, long = (task.continue_text(network, [1, 2], 4, n, 1.0, g) for n, g in zip((6, 50), generator))
    assert short == long


def test_the_template_learns_to_write_words(tmp_path: Path) -> None:
    project = templates.load("char_lstm")
    dataset = data.find("small_world_text")()
    assert LanguageModelling().initial_loss(dataset, NextCrossEntropy()) == math.log(48)
    run = builder.train(project.replace(training={**project.training, "epochs": 3}), tmp_path / "run")
    first = run.history[0]["losses"]["loss"]
    assert first == pytest.approx(math.log(48), abs=0.15)
    last = [record for record in run.history if "split" in record][-1]
    assert last["losses"]["loss"] < 1.3
    found = evaluate.ask(run.folder, {"prompt": "the king", "temperature": 0, "count": 60})
    text = "".join(dataset.token_names()[int(number)] for number in found["token"])
    assert len(text) == 60
    words = set("".join(dataset.sample_text({"text": row}) for row in data.load(dataset)["train"]["text"]).split())
    known = [word in words for word in text.split()[1:-1]]
    assert sum(known) > 0.5 * len(known)
    again = evaluate.ask(run.folder, {"prompt": "the king", "temperature": 0.8, "count": 20, "seed": 1})
    assert (again["token"] == evaluate.ask(run.folder, {"prompt": "the king", "count": 20, "seed": 1})["token"]).all()
    with pytest.raises(ValueError, match="must be 0 or more"):
        evaluate.ask(run.folder, {"temperature": -1})
    results = run.results()
    assert results is not None
    assert results.arrays["sample/chance"].shape[1] == 64
