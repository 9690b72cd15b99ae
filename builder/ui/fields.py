"""Widgets that show a value which is kept elsewhere: in the document, in a run."""

from __future__ import annotations

from typing import Any

import streamlit as st


def shows(key: str, value: Any) -> str:
    """The widget key under which a field called `key` shows `value`, which is also its widget's default.

    A field keeps its widget as long as its person alone changes it: nothing is sent to the browser
    that could overwrite what is being typed. When the value has been changed elsewhere (undo, another
    choice, a refused entry) the field gets a new widget. What the browser still says of the old one, in
    a message that crossed ours, then means nothing; under the same key it would undo that change.

    The value is not put into the session's state: the browser takes it from there only if the widget is
    on the screen at that moment, and one in a closed drawer would come up with its own default.
    """
    generations: dict[str, int] = st.session_state.setdefault("field_generations", {})
    name = f"{key}.{generations.get(key, 0)}"
    if name in st.session_state and st.session_state[name] != value:
        generations[key] = generations.get(key, 0) + 1
        name = f"{key}.{generations[key]}"
    return name
