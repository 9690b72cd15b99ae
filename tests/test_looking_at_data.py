"""A data set is looked at beside the page, which does not wait for it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from builder import data
from builder.data import view
from builder.data.base import DataError, Dataset


@pytest.fixture(autouse=True)
def forgotten() -> None:
    view._looks.clear()
    view._look.cache_clear()


def digits(**settings: Any) -> Dataset:
    return data.find("digits").from_settings(settings)


def test_it_gives_the_samples_and_the_statistics() -> None:
    dataset = digits()
    found, numbers = view.look(dataset).result(4)
    assert found is view.samples(dataset, 4)
    assert numbers == view.statistics(dataset)
    assert sum(numbers.sizes.values()) == 1797


def test_it_is_under_way_once_however_often_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    go, calls = threading.Event(), []
    look = view._look

    def slow(dataset: Dataset, present: Any) -> Any:
        calls.append(dataset)
        view._progress[0]("Half of it", 0.5)  # type: ignore[misc]
        go.wait(10)
        return look(dataset, present)

    monkeypatch.setattr(view, "_look", slow)
    first = view.look(digits())
    assert not first.wait(0.2)
    assert (first.text, first.fraction) == ("Half of it", 0.5)
    assert view.look(digits()) is first
    go.set()
    assert first.wait(10)
    assert view.look(digits()) is first
    assert len(calls) == 1


def test_what_fails_says_why_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(dataset: Dataset, present: Any) -> Any:
        raise DataError("The connection was lost at 3 of 10 MB.")

    with monkeypatch.context() as patched:
        patched.setattr(view, "_look", fails)
        first = view.look(digits())
        with pytest.raises(DataError, match="connection was lost"):
            first.result()
    again = view.look(digits())
    assert again is not first
    again.result()


def test_only_the_last_ones_are_kept() -> None:
    for size in range(8, 8 + view.LOOKS + 2):
        view.look(digits(size=size)).result()
    assert len(view._looks) == view.LOOKS
