"""Text as a sequence of characters, for language models."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blocks.base import setting
from builder.data.base import Dataset, Field, Split
from builder.data.download import fetch, file_hash
from builder.data.small_world import ENGLISH, RUSSIAN, world_rows, world_sentences, world_words

SHAKESPEARE_LETTERS = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RUSSIAN_LETTERS = (
    "\n !\"'(),-.0123456789:;?«»…–—"
    "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁабвгдежзийклмнопрстуфхцчшщъыьэюяё"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzàâçèéêëîïôùûœ"
)
SHAKESPEARE_FILE = {"input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}
SHAKESPEARE_PACKED = "13125fe8f49092165d7d489e3944db52d1ba546e64a60080cc9523bcd0c5e46a"
SHAKESPEARE_ADDRESS = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/"
)
WAR_AND_PEACE_PACKED = "1edc60a0dd10e16e2548c2d7f140369f850370b66ad53b71820323983eaa509a"


def character_windows(text: str, letters: str, settings: dict[str, Any]) -> dict[str, dict[str, torch.Tensor]]:
    """Splits of windows of `length` + 1 characters as int16 numbers in `letters`; others are left out.

    One window begins where the one before ends. The end of the text is set aside for validation. Raises
    ValueError with a sentence when the text is too short.
    """
    table = np.full(0x110000, -1, np.int16)
    table[[ord(letter) for letter in letters]] = np.arange(len(letters))
    numbers = table[np.frombuffer(text.encode("utf-32-le"), np.uint32)]
    numbers = numbers[numbers >= 0]
    length = settings["length"]
    count = (len(numbers) - 1) // length
    aside = max(1, round(settings["validation"] * count))
    if count - aside < 1:
        raise ValueError(
            f"The text has {len(numbers):,} usable characters; two windows of {length} need {2 * length + 1:,}. "
            "Use a longer text or shorter windows."
        )
    starts = np.arange(count)[:, None] * length + np.arange(length + 1)
    windows = torch.from_numpy(numbers[starts])
    return {"train": {"text": windows[:-aside]}, "validation": {"text": windows[-aside:]}}


def characters_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Characters (N, length), and the next one for each of them (N, length)."""
    windows = split["text"].index_select(0, index.to(split["text"].device)).long()
    return {"text": windows[:, :-1], "next": windows[:, 1:]}


def packed_text(folder: Path | None, name: str, file: str, checksum: str) -> str | None:
    """The gzipped text ``folder/name/file``, if it is there and is the original; else None."""
    import gzip

    path = None if folder is None else folder / name / file
    if path is None or not path.is_file() or file_hash(path) != checksum:
        return None
    return gzip.decompress(path.read_bytes()).decode()


def load_shakespeare(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Windows of 1.1 million characters of Shakespeare's plays."""
    text = packed_text(folder, "tinyshakespeare", "input.txt.gz", SHAKESPEARE_PACKED)
    if text is None:
        files = fetch("tinyshakespeare", "Tiny Shakespeare", SHAKESPEARE_FILE, (SHAKESPEARE_ADDRESS,), folder, progress)
        text = files["input.txt"].read_text(encoding="utf-8")
    return character_windows(text, SHAKESPEARE_LETTERS, settings)


def load_war_and_peace(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Windows of Tolstoy's War and Peace, 2.9 million characters, from a file that is already present."""
    text = packed_text(folder, "russian_classics", "voyna_i_mir.txt.gz", WAR_AND_PEACE_PACKED)
    if text is None:
        raise ValueError(
            "War and Peace is not on this machine. Set LAYERLOOM_DATA to the folder that holds "
            "russian_classics/voyna_i_mir.txt.gz, or use a text of your own."
        )
    return character_windows(text, RUSSIAN_LETTERS, settings)


def world_letters(language: str) -> str:
    """The characters of a small world's text, in order."""
    words = world_words(RUSSIAN if language == "Russian" else ENGLISH)
    return "".join(sorted({"\n", " ", *(letter for word in words for letter in word)}))


def load_world_text(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Windows of a small world's sentences, one a line."""
    families = RUSSIAN if settings["language"] == "Russian" else ENGLISH
    sentences = world_sentences(families, settings["sentences"], settings["seed"])
    text = "\n".join(" ".join(sentence) for sentence in sentences)
    return character_windows(text, world_letters(settings["language"]), settings)


class Characters(Dataset):
    """Base of the texts by characters."""

    kind = "text"
    tasks = ("language_modelling",)
    make_batch = staticmethod(characters_batch)

    length: int = setting(64, min=2, max=4096, help="characters of a window: how far back the network can look")
    validation: float = setting(
        0.1, min=0.01, max=0.4, label="validation part", help="the end of the text that is kept for validation"
    )

    def letters(self) -> str:
        """The characters in the order of their numbers."""
        raise TypeError(f"{type(self).__name__} must define letters()")

    def token_names(self) -> tuple[str, ...]:
        return tuple(self.letters())

    def sample_text(self, sample: Split) -> str:
        letters = self.letters()
        return "".join(letters[int(number)] for number in sample["text"])

    def fields(self) -> dict[str, Field]:
        size = len(self.letters())
        return {"text": Field((self.length,), "tokens", size), "next": Field((self.length,), "tokens", size)}


@functools.cache
def _world_letters(language: str) -> str:
    return world_letters(language)


class SmallWorldText(Characters):
    """The sentences of the small world, letter by letter."""

    name = "small_world_text"
    label = "A small world, letter by letter"
    help = "Made sentences about people, cities and things: enough to see spelling, then grammar appear."
    order = 62
    helpers = (world_rows, world_words, world_sentences, character_windows, world_letters)
    load_arrays = staticmethod(load_world_text)

    language: str = setting("English", choices=("English", "Russian"), help="the language of the sentences")
    sentences: int = setting(4000, min=20, max=200_000, help="how many sentences are made")
    seed: int = setting(0, min=0, max=2**31 - 1, help="another number makes other sentences")

    def letters(self) -> str:
        return _world_letters(self.language)


class Shakespeare(Characters):
    """Plays of Shakespeare in one file (A. Karpathy 2015), public domain."""

    name = "shakespeare"
    label = "Shakespeare"
    help = "1.1 million characters of Shakespeare's plays; 0.4 MB, downloaded once."
    order = 63
    requires = ("pooch", "requests")
    helpers = (file_hash, fetch, packed_text, character_windows)
    load_arrays = staticmethod(load_shakespeare)

    def letters(self) -> str:
        return SHAKESPEARE_LETTERS


class WarAndPeace(Characters):
    """Leo Tolstoy's War and Peace in Russian, public domain."""

    name = "war_and_peace"
    label = "War and Peace, in Russian"
    help = "2.9 million characters of Tolstoy; from a folder of files already on this machine."
    order = 64
    helpers = (file_hash, packed_text, character_windows)
    load_arrays = staticmethod(load_war_and_peace)

    def letters(self) -> str:
        return RUSSIAN_LETTERS
