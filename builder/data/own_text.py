"""The user's own text, by words or by characters."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blocks.base import setting
from builder.data.base import DataError, Field, Split
from builder.data.characters import Characters, character_windows
from builder.data.download import file_hash
from builder.data.judged_words import judged_words
from builder.data.own_files import find_upload
from builder.data.words import (
    WordCorpus,
    keep_chances,
    sentence_windows,
    text_sentences,
    windows_text,
    word_windows,
    words_by_frequency,
)

MAX_BYTES = 200_000_000
MAX_LETTERS = 400
LONG_TEXT = 200_000
"""Words from which on frequent ones are thinned."""
ENCODINGS = ("utf-8", "utf-16", "windows-1251", "windows-1252")


def uploaded_text(settings: dict[str, Any], folder: Path | None) -> str:
    """The text of the upload that the settings name, in their encoding."""
    if not settings["file"]:
        raise ValueError("No text has been chosen yet. Upload a text file.")
    content = find_upload(settings["file"], folder).read_bytes()
    return content.decode(settings["encoding"], errors="replace").removeprefix("\ufeff").replace("\r\n", "\n")


def load_own_words(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Windows of the words of an uploaded text, the most frequent ones only."""
    sentences = text_sentences(uploaded_text(settings, folder))
    names = words_by_frequency(sentences, settings["vocabulary"])
    number = {word: i for i, word in enumerate(names)}
    numbered = [[number[word] for word in sentence if word in number] for sentence in sentences]
    return {**sentence_windows(numbered, len(names), settings), **judged_words(number, folder)}


def load_own_characters(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Windows of the characters of an uploaded text."""
    return character_windows(uploaded_text(settings, folder), settings["alphabet"], settings)


# --- an upload -------------------------------------------------------------------------------------


def decoded(content: bytes) -> tuple[str, str, tuple[str, ...]]:
    """A text, its encoding, and what a person should know of it.

    UTF-8, UTF-16 with its mark, else Windows' code page for Cyrillic or for western Europe, whichever the
    bytes look like. Raises DataError when it is no text, empty or too long.
    """
    if len(content) > MAX_BYTES:
        raise DataError(f"The text has {len(content) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read.")
    if not content.strip():
        raise DataError("The text is empty. Upload a file with some sentences in it.")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace"), "utf-16", ()
    if b"\0" in content[:4096]:
        raise DataError("This is no text file: it holds zero bytes. Save it as plain text (.txt).")
    try:
        return content.decode("utf-8").removeprefix("\ufeff"), "utf-8", ()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        high = sum(byte >= 0xC0 for byte in content[:100_000])
        letters = sum(byte >= 0xC0 or chr(byte).isalpha() for byte in content[:100_000] if byte < 0x80 or byte >= 0xC0)
        encoding = "windows-1251" if high > 0.4 * max(1, letters) else "windows-1252"
        told = (
            f"Line {line} is not UTF-8 (byte {content[error.start]:#04x}), so the text is read as {encoding}. If letters "
            "look wrong, choose another encoding under Preparation, or save the file as UTF-8."
        )
        return content.decode(encoding, errors="replace"), encoding, (told,)


class OwnWords(WordCorpus):
    """A text of the user's, by words in lower case."""

    name = "own_words"
    label = "Your own text, by words"
    help = "Any text file: a vector for each of its most frequent words."
    order = 66
    upload = "Your text: a .txt file"
    upload_endings = ("txt",)
    measured = ("file", "counts")
    helpers = (
        *(keep_chances, word_windows, sentence_windows, text_sentences, words_by_frequency),
        *(file_hash, find_upload, uploaded_text, judged_words),
    )
    load_arrays = staticmethod(load_own_words)

    file: str = setting("", help="the stored upload, named by the sha256 of its content")
    encoding: str = setting("utf-8", choices=ENCODINGS, help="how letters are stored in the file")
    counts: tuple[int, ...] = setting((), min=0, help="how many different words the text has")
    vocabulary: int = setting(5000, min=2, max=200_000, help="how many of the most frequent words get a vector")

    @classmethod
    def receive(cls, content: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
        text, encoding, told = decoded(content)
        found = Counter(word for sentence in text_sentences(text) for word in sentence)
        if not found:
            raise DataError("The text holds no words, only signs. Upload a file with some sentences in it.")
        if len(found) == 1:
            ((word, count),) = found.items()
            raise DataError(
                f"The text has only one word, {word[:40]!r}, {count:,} times. Vectors need words to tell apart."
            )
        # In a short text every word is frequent; thinned, it would leave nothing to learn from.
        thinned = 0.001 if found.total() >= LONG_TEXT else 0.0
        return {"encoding": encoding, "counts": [len(found)], "subsample": thinned}, told

    def missing(self) -> str | None:
        return None if self.file else "No text has been chosen yet. Upload a text file."

    def word_count(self) -> int:
        return max(2, min(self.vocabulary, *self.counts)) if self.counts else self.vocabulary

    def token_names(self) -> tuple[str, ...]:
        from builder.data import folder

        return _own_words(self, folder())

    def sample_text(self, sample: Split) -> str:
        return windows_text(sample, self.token_names())


@functools.lru_cache(maxsize=4)
def _own_words(dataset: OwnWords, folder: Path | None) -> tuple[str, ...]:
    sentences = text_sentences(uploaded_text(dataset.to_settings(), folder))
    return tuple(words_by_frequency(sentences, dataset.vocabulary))


class OwnCharacters(Characters):
    """A text of the user's, by characters."""

    name = "own_characters"
    label = "Your own text, by characters"
    help = "Any text file: a network learns to write as it does."
    order = 67
    upload = "Your text: a .txt file"
    upload_endings = ("txt",)
    measured = ("file", "alphabet")
    helpers = (file_hash, find_upload, uploaded_text, character_windows)
    load_arrays = staticmethod(load_own_characters)

    file: str = setting("", help="the stored upload, named by the sha256 of its content")
    encoding: str = setting("utf-8", choices=ENCODINGS, help="how letters are stored in the file")
    alphabet: str = setting("\n abcdefghijklmnopqrstuvwxyz", help="the characters that are read; others are left out")

    @classmethod
    def receive(cls, content: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
        text, encoding, told = decoded(content)
        found = Counter(text.replace("\r\n", "\n"))
        if len(found) < 2:
            raise DataError(f"The text has only one character, {text[:1]!r}. There is nothing to tell.")
        rare = len(found) - MAX_LETTERS
        if rare > 0:
            told = (*told, f"The {rare:,} rarest of {len(found):,} different characters are left out.")
        return {"encoding": encoding, "alphabet": "".join(sorted(c for c, _ in found.most_common(MAX_LETTERS)))}, told

    def missing(self) -> str | None:
        return None if self.file else "No text has been chosen yet. Upload a text file."

    def letters(self) -> str:
        return "".join(dict.fromkeys(self.alphabet)) or " "

    def fields(self) -> dict[str, Field]:
        size = max(2, len(self.letters()))
        return {"text": Field((self.length,), "tokens", size), "next": Field((self.length,), "tokens", size)}
