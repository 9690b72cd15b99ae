"""text8: the first words of Wikipedia, the usual corpus for word vectors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blocks.base import setting
from builder.data.base import Split
from builder.data.download import fetch, file_hash
from builder.data.judged_words import judged_words
from builder.data.words import (
    WordCorpus,
    keep_chances,
    sentence_windows,
    windows_text,
    word_windows,
    words_by_frequency,
)

TEXT8_FILE = {"text8.zip": "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232"}
TEXT8_ADDRESSES = ("https://mattmahoney.net/dc/", "http://mattmahoney.net/dc/")


def text8_sentences(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> list[list[str]]:
    """The first words of text8 in pieces of 1000, as gensim cuts it: the text has no sentences."""
    import zipfile

    files = fetch("text8", "text8", TEXT8_FILE, TEXT8_ADDRESSES, folder, progress)
    with zipfile.ZipFile(files["text8.zip"]) as archive:
        words = archive.read("text8").decode("ascii").split(maxsplit=settings["words"])[: settings["words"]]
    return [words[start : start + 1000] for start in range(0, len(words), 1000)]


def load_text8(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Windows of the most frequent words of text8, with analogies and similarities where they are present."""
    sentences = text8_sentences(settings, folder, progress)
    names = words_by_frequency(sentences, settings["vocabulary"])
    number = {word: i for i, word in enumerate(names)}
    numbered = [[number[word] for word in sentence if word in number] for sentence in sentences]
    return {**sentence_windows(numbered, len(names), settings), **judged_words(number, folder)}


class Text8(WordCorpus):
    """The first 17 million words of English Wikipedia (M. Mahoney 2006), CC BY-SA."""

    name = "text8"
    label = "text8 (Wikipedia)"
    help = "The first words of Wikipedia in lower case; 31 MB, downloaded once."
    order = 65
    requires = ("pooch", "requests")
    helpers = (
        *(file_hash, fetch, keep_chances, word_windows, sentence_windows, words_by_frequency),
        *(text8_sentences, judged_words),
    )
    load_arrays = staticmethod(load_text8)

    words: int = setting(2_000_000, min=100_000, max=17_005_207, help="how many words of the text are read")
    vocabulary: int = setting(10_000, min=100, max=15_000, help="how many of the most frequent words get a vector")
    subsample: float = setting(
        0.001,
        min=0,
        max=1,
        label="subsampling",
        help="words more frequent than this part of the text are thinned, anew for every epoch; 0 keeps all",
    )

    def word_count(self) -> int:
        return self.vocabulary

    def token_names(self) -> tuple[str, ...]:
        from builder.data import folder

        return _words(self, folder())

    def sample_text(self, sample: Split) -> str:
        return windows_text(sample, self.token_names())


@functools.lru_cache(maxsize=2)
def _words(dataset: Text8, folder: Path | None) -> tuple[str, ...]:
    return tuple(words_by_frequency(text8_sentences(dataset.to_settings(), folder), dataset.vocabulary))
