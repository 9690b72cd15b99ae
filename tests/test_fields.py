"""Fields and panels against a page that is slower than the person: nothing typed or asked for is undone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import RerunData, RerunException

from builder.ui import fields, objective, state


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", found)
    return found


def test_a_panel_asked_for_is_not_undone_by_a_browser_that_does_not_know_of_it(session: dict[str, Any]) -> None:
    session["panel.0"] = "Results"  # clicked
    assert state.front().now() == "Results"
    state.show("curves")
    for _ in range(3):
        session["panel.0"] = "Results"  # still named with every message until the new tabs are there
        assert (state.front().asked, state.front().key) == ("Curves", "panel.1")


def test_the_panel_before_can_be_clicked_at_once(session: dict[str, Any]) -> None:
    session["panel.0"] = "Results"
    state.show("curves")
    session["panel.0"] = session["panel.1"] = "Results"  # the new tabs have come, and are clicked
    assert state.front().now() == "Results"
    assert state.front().key == "panel.1", "the tabs are not drawn anew for a click"
    state.show("results")
    assert state.front().key == "panel.1", "what is in front need not be asked for"
    state.show("curves")
    assert (state.front().asked, state.front().now(), state.front().key) == ("Curves", "Curves", "panel.2")


def test_a_click_on_the_tabs_before_the_new_ones_come_is_followed(session: dict[str, Any]) -> None:
    state.show("curves")
    session["panel.0"] = "Export"
    assert (state.front().asked, state.front().key) == ("Export", "panel.2")
    assert state.front().key == "panel.2", "once"
    del session["panel.0"]
    session["panel.2"] = "Code"
    assert (state.front().now(), state.front().key) == ("Code", "panel.2")


def test_a_setting_of_what_has_been_replaced_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(state, "part", lambda name: {"name": "cross_entropy", "settings": {"label_smoothing": 0.0}})
    monkeypatch.setattr(state, "set_part", lambda *arguments: sent.append(arguments))
    objective._setter("loss", "focal")("gamma", 3.0)
    assert sent == []
    objective._setter("loss", "cross_entropy")("label_smoothing", 0.1)
    assert sent == [
        ("Set label_smoothing", "loss", {"name": "cross_entropy", "settings": {"label_smoothing": 0.1}}),
    ]


def test_what_a_button_asks_for_is_done_though_a_newer_message_cuts_it_off() -> None:
    done: list[str] = []

    def work() -> None:
        done.append("begun")
        if len(done) == 1:
            raise RerunException(RerunData())
        done.append("ended")

    with pytest.raises(RerunException):  # what waits has its turn afterwards
        fields.pressed(work)()
    assert done == ["begun", "begun", "ended"]


def test_every_message_that_cut_a_callback_off_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RerunData] = []
    requests = SimpleNamespace(request_rerun=asked.append)
    monkeypatch.setattr(fields, "get_script_run_ctx", lambda: SimpleNamespace(script_requests=requests))
    waiting = [RerunData(query_string=name) for name in ("first", "second", "third")]
    left = iter(waiting)

    def work() -> None:
        for one in left:
            raise RerunException(one)

    with pytest.raises(RerunException) as last:
        fields.pressed(work)()
    assert [*asked, last.value.rerun_data] == waiting


def test_a_field_answers_while_it_stands_on_the_page(session: dict[str, Any]) -> None:
    done: list[str] = []

    def drawn(*names: str, whole: bool = True) -> None:
        fields.begin()
        for name in names:
            fields.shows(name, 1)
        if whole:
            fields.end()

    answer = fields.answers("left.0", lambda: done.append("left"))
    drawn("left", "right")
    answer()
    drawn("right", whole=False)  # a run that was cut off says nothing about the fields below
    answer()
    assert len(done) == 2
    drawn("right", "new", whole=False)
    fields.answers("new.0", lambda: done.append("new"))()  # the browser has what was drawn before the cut
    assert done.pop() == "new"
    drawn("right")
    answer()
    assert len(done) == 2
