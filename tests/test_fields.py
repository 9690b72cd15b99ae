"""Fields and panels against a page that is slower than the person: nothing typed or asked for is undone."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st

from builder.ui import objective, state


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", found)
    return found


@pytest.mark.parametrize("knows", [True, False])
def test_a_panel_asked_for_stays_in_front_until_the_browser_knows(
    knows: bool, session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(state.time, "monotonic", lambda: now[0])
    session[state.PANEL] = "Data"
    state.show("curves")
    assert session[state.PANEL] == "Curves"
    for seconds in (30.0, 0.5, 3.0):  # a run cut short before the tabs were sent; then two soon after they were
        now[0] += seconds
        session[state.PANEL] = "Data"  # the browser names the panel before
        state.hold_panel()
        assert session[state.PANEL] == "Curves"
        state.panel_drawn()
    if knows:
        state.hold_panel()  # the browser names it at last; from now on the one before is a click, too
        click = "Data"
    else:
        click = "Export"
    session[state.PANEL] = click
    state.hold_panel()
    assert session[state.PANEL] == click


def test_a_browser_that_never_learns_of_a_panel_has_its_way(
    session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(state.time, "monotonic", lambda: now[0])
    session[state.PANEL] = "Data"
    state.show("curves")
    state.panel_drawn()
    now[0] += state.HOLD_SECONDS
    session[state.PANEL] = "Data"
    state.hold_panel()
    assert session[state.PANEL] == "Data"


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
