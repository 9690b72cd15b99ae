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


def test_a_panel_asked_for_stays_in_front_until_the_browser_knows(
    session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(state.time, "monotonic", lambda: now[0])
    state.show("curves")
    assert session[state.PANEL] == "Curves"
    for seconds in (30.0, 0.5):  # a run cut short before the tabs were sent; then one right after they were
        now[0] += seconds
        session[state.PANEL] = "Data"  # the browser names the panel before
        state.hold_panel()
        assert session[state.PANEL] == "Curves"
        state.panel_drawn()
    now[0] += state.HOLD_SECONDS
    session[state.PANEL] = "Export"  # a click of the person's
    state.hold_panel()
    assert session[state.PANEL] == "Export"


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
