"""Windows of words for skip-gram: every word with those around it. What all corpora of words share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from blocks.base import setting
from builder.data.base import Dataset, Field, Renewal, Split


def keep_chances(counts: torch.Tensor, subsample: float) -> torch.Tensor:
    """The chance of each word to be kept: √(t/f) for a word of frequency f above t, else 1.

    Mikolov et al. 2013, Distributed representations of words and phrases, section 2.3. t = 0 keeps all.
    """
    if subsample <= 0:
        return torch.ones(len(counts))
    frequency = counts.double() / counts.sum().clamp(min=1)
    return (subsample / frequency.clamp(min=1e-12)).sqrt().clamp(max=1).float()


def word_windows(words: torch.Tensor, sentence: torch.Tensor, window: int) -> dict[str, torch.Tensor]:
    """Every word with the `window` words before and after it in its sentence; −1 where there is none.

    `words` and `sentence` (N,) are numbers of words and of the sentences they stand in. Gives ``word``
    (M, 1) and ``around`` (M, 2·window), nearest words first, both int32; a word with none around it is
    left out.
    """
    count = len(words)
    around = torch.full((count, 2 * window), -1, dtype=torch.int32, device=words.device)
    for distance in range(1, min(window, count - 1) + 1):
        same = sentence[distance:] == sentence[:-distance]
        column = 2 * (distance - 1)
        around[distance:, column] = torch.where(same, words[:-distance], -1)
        around[:-distance, column + 1] = torch.where(same, words[distance:], -1)
    some = (around >= 0).any(1)
    return {"word": words[some].unsqueeze(1), "around": around[some]}


def sentence_windows(
    sentences: list[list[int]], vocabulary: int, settings: dict[str, Any]
) -> dict[str, dict[str, torch.Tensor]]:
    """Splits of windows: whole sentences are set aside for validation, frequent words thinned in training.

    Settings: `validation`, `split_seed`, `window`, `subsample`. Where words are thinned, the table ``text``
    holds all words to train on, as ``token`` and ``sentence`` (N,), for `thinned_windows`.
    """
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    words = torch.from_numpy(np.fromiter((w for sentence in sentences for w in sentence), np.int32))
    sentence = torch.repeat_interleave(torch.arange(len(sentences)), lengths)
    generator = torch.Generator().manual_seed(settings["split_seed"])
    aside = torch.zeros(len(sentences), dtype=torch.bool)
    chosen = torch.randperm(len(sentences), generator=generator)[
        : max(1, round(settings["validation"] * len(sentences)))
    ]
    aside[chosen] = True
    validating = aside[sentence]
    counts = torch.bincount(words[~validating].long(), minlength=vocabulary)
    chances = keep_chances(counts, settings["subsample"])
    kept = torch.rand(len(words), generator=generator) < chances[words.long()]
    splits = {}
    for name, mask in (("train", ~validating & kept), ("validation", validating)):
        splits[name] = word_windows(words[mask], sentence[mask], settings["window"])
        if not len(splits[name]["word"]):
            raise ValueError(
                f"The text has no two words side by side to {'learn from' if name == 'train' else 'validate with'}. "
                "Use a longer text, a larger vocabulary, or less subsampling."
            )
    if settings["subsample"] > 0:
        splits["text"] = {"token": words[~validating], "sentence": sentence[~validating].int()}
    return splits


def thinned_windows(
    splits: dict[str, dict[str, torch.Tensor]], settings: dict[str, Any], generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """The windows to train on in another epoch: frequent words are thinned anew, as word2vec does while it reads.

    Words that are left out make room: a window reaches to the next ones that are kept.
    """
    words, sentence = splits["text"]["token"], splits["text"]["sentence"]
    chances = keep_chances(torch.bincount(words), settings["subsample"])
    kept = torch.rand(len(words), generator=generator).to(words.device) < chances[words.long()]
    found = word_windows(words[kept], sentence[kept], settings["window"])
    # By chance a short text may lose nearly all of its words; then the first draw serves again.
    return found if 2 * len(found["word"]) >= len(splits["train"]["word"]) else splits["train"]


def text_sentences(text: str) -> list[list[str]]:
    """The words of a text in lower case, by sentence; a sentence ends at . ! ? or at an empty line."""
    import re

    parts = re.split(r"[.!?…]+(?=\s|$)|\n\s*\n", text.lower())
    found = (re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", part) for part in parts)
    return [words for words in found if words]


def words_by_frequency(sentences: list[list[str]], most: int) -> list[str]:
    """At most so many different words, the most frequent first, equally frequent ones as they come."""
    from collections import Counter

    return [word for word, _ in Counter(word for sentence in sentences for word in sentence).most_common(most)]


def words_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Words (N, 1) and the words around them (N, 2·window), −1 where there is none.

    In training the window of each word is as wide as a number drawn from 1 to `window`, as in word2vec, so
    that near words count more.
    """
    index = index.to(split["word"].device)
    around = split["around"].index_select(0, index).long()
    if generator is not None and settings["shrink"]:
        width = torch.randint(1, settings["window"] + 1, (len(index), 1), generator=generator)
        outside = torch.arange(around.shape[1]) >= 2 * width
        around = around.masked_fill(outside.to(around.device), -1)
    return {"word": split["word"].index_select(0, index).long(), "around": around}


def windows_text(sample: Split, names: tuple[str, ...]) -> str:
    """A word with those around it in the order of the text: ``the [king] wears a``."""
    around = [int(number) for number in sample["around"]]
    before, after = ([names[n] for n in side if n >= 0] for side in (around[0::2][::-1], around[1::2]))
    return " ".join([*before, f"[{names[int(sample['word'][0])]}]", *after])


class WordCorpus(Dataset):
    """Base of the corpora of words."""

    kind = "words"
    tasks = ("word_vectors",)
    make_batch = staticmethod(words_batch)

    window: int = setting(5, min=1, max=20, help="how many words to each side belong to a word's surroundings")
    shrink: bool = setting(
        True,
        label="shrink windows",
        help="draw each window's width from 1 to the full one, so that near words count more",
    )
    subsample: float = setting(
        0.0,
        min=0,
        max=1,
        label="subsampling",
        help="words more frequent than this part of the text are thinned, anew for every epoch (word2vec uses 0.001); "
        "0 keeps all",
    )
    validation: float = setting(
        0.1, min=0.01, max=0.4, label="validation part", help="part of the sentences kept for validation"
    )
    split_seed: int = setting(0, min=0, max=2**31 - 1, help="another number gives another split")

    def word_count(self) -> int:
        """How many different words there are."""
        raise TypeError(f"{type(self).__name__} must define word_count()")

    def renewal(self) -> Renewal | None:
        return thinned_windows if self.subsample > 0 else None

    def fields(self) -> dict[str, Field]:
        return {
            "word": Field((1,), "tokens", self.word_count()),
            "around": Field((2 * self.window,), "tokens", self.word_count()),
        }
