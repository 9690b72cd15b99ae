"""A text of the user's: encodings, texts that cannot be used, words and characters from an upload to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import builder
from builder import data, templates
from builder.data.base import DataError
from builder.data.judged_words import judged_words
from builder.data.own_text import decoded
from builder.data.uploads import store
from builder.data.words import text_sentences, words_by_frequency
from builder.project import Choice
from builder.remedies.ends import input_for
from builder.training import evaluate

torch.set_num_threads(1)

TEXT = "The cat sat on the mat. The dog's bone lay there!\n\nA cat, a well-known cat, sat by the dog. " * 30


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1251"])
def test_a_russian_text_is_read_in_its_encoding(encoding: str) -> None:
    text = "Москва, столица.\nРоссия - страна.\n"
    found, name, told = decoded(text.encode(encoding))
    assert found.removeprefix("\ufeff") == text
    assert name == encoding.removesuffix("-sig")
    assert bool(told) == (encoding == "windows-1251")
    if told:
        assert told[0].startswith("Line 1 is not UTF-8 (byte 0xcc), so the text is read as windows-1251.")


def test_a_western_text_names_the_first_line_that_is_no_utf_8() -> None:
    found, name, told = decoded("plain\nplain\nle café est ouvert\n".encode("windows-1252"))
    assert (found.splitlines()[2], name) == ("le café est ouvert", "windows-1252")
    assert told[0].startswith("Line 3 is not UTF-8 (byte 0xe9)")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("own_words", b"", "The text is empty"),
        ("own_words", b" \n\n", "The text is empty"),
        ("own_words", b"... !!! ---", "holds no words"),
        ("own_words", b"buffalo Buffalo buffalo. Buffalo!", "only one word, 'buffalo', 4 times"),
        ("own_words", b"PK\x03\x04\0\0\0", "no text file"),
        ("own_characters", b"aaaa", "only one character, 'a'"),
    ],
)
def test_texts_that_cannot_be_used_are_told(name: str, content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        data.find(name).receive(content)


def test_sentences_and_words() -> None:
    assert text_sentences("It's 3.5 metres — well-known. Да! Нет\n\nконец") == [
        ["it's", "3", "5", "metres", "well-known"],
        ["да"],
        ["нет"],
        ["конец"],
    ]
    assert words_by_frequency([["a", "b"], ["b", "c"]], 2) == ["b", "a"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path))
    monkeypatch.delenv("LAYERLOOM_DATA", raising=False)
    return tmp_path


def uploaded(name: str, home: Path, **more: Any) -> Any:
    cls = data.find(name)
    settings, _ = cls.receive(TEXT.encode())
    return cls.from_settings({**settings, "file": store(TEXT.encode(), home, "txt"), **more})


def test_words_of_an_upload_get_vectors(home: Path) -> None:
    assert data.find("own_words")().missing() == "No text has been chosen yet. Upload a text file."
    dataset = uploaded("own_words", home)
    names = dataset.token_names()
    assert set(names) == {
        "the",
        "cat",
        "sat",
        "on",
        "mat",
        "dog's",
        "bone",
        "lay",
        "there",
        "a",
        "well-known",
        "by",
        "dog",
    }
    assert dataset.fields()["word"].size == len(names) == 13
    assert names[:2] == ("the", "cat")
    project = templates.load("skipgram").replace(data=Choice("own_words", dataset.to_settings()))
    for _ in range(4):
        problems = builder.check(project).problems
        if not problems:
            break
        project = builder.edits.apply(project, next(p.fix for p in problems if p.fix is not None).edits)
    assert builder.check(project).problems == ()
    run = builder.train(project.replace(training={**project.training, "epochs": 1}), home / "run")
    assert run.metrics == {}  # nobody has judged these words
    found = evaluate.ask(run.folder, {"plus": ["cat"], "count": 50})
    assert len(found["word"]) == 12


def test_only_the_most_frequent_words_are_kept(home: Path) -> None:
    dataset = uploaded("own_words", home, vocabulary=3)
    assert dataset.token_names() == ("the", "cat", "sat")
    splits = data.load(dataset)
    assert int(splits["train"]["around"].max()) == 2


def test_characters_of_an_upload_are_read(home: Path) -> None:
    dataset = uploaded("own_characters", home, length=20)
    assert dataset.letters() == "\n !',-.ATabcdeghklmnorstwy"
    split = data.load(dataset)["train"]
    assert dataset.sample_text({"text": split["text"][0]}) == "The cat sat on the mat"[:21]
    block = input_for(dataset.fields()["text"])
    assert block is not None
    assert block.source_shape() == (20,)


def test_judged_words_come_from_files_that_are_present(tmp_path: Path) -> None:
    place = tmp_path / "word_analogy_similarity"
    place.mkdir()
    number = {
        word: i for i, word in enumerate(["athens", "greece", "baghdad", "iraq", "paris", "france", "love", "sex"])
    }
    lines = [
        ": capitals",
        "Athens Greece Baghdad Iraq",
        "Athens Greece Oslo Norway",
        *["Paris France Athens Greece"] * 19,
    ]
    (place / "questions-words.txt").write_text("\n".join(lines))
    (place / "wordsim353.tsv").write_text("# a comment\n" + "love\tsex\t6.77\ntiger\tcat\t7.35\n" * 20)
    found = judged_words(number, tmp_path)
    assert found["analogies"]["question"].shape == (20, 4)
    assert found["analogies"]["question"][0].tolist() == [0, 1, 2, 3]
    assert found["similarity"]["pair"][0].tolist() == [6, 7]
    assert found["similarity"]["score"][0].item() == pytest.approx(6.77)
    assert judged_words({"athens": 0}, tmp_path) == {}
    assert judged_words(number, tmp_path / "nowhere") == {}
