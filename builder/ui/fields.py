"""Widgets that show a value which is kept elsewhere: in the document, in a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx

_KEY = "fields"
_TRIES = 5
"""More messages than come in the milliseconds of a callback; work that asks for a new run itself is not repeated for ever."""


@dataclass
class _Fields:
    """The fields of one page: how often each got a new widget, and which widgets stand on the page."""

    generations: dict[str, int] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)
    """By the script's latest run that came to its end, and by what repeated of it since."""
    begun: set[str] = field(default_factory=set)
    """By the runs that were interrupted since then; the browser has what they had drawn."""
    now: set[str] = field(default_factory=set)
    """By the present run."""


def _fields() -> _Fields:
    found: _Fields = st.session_state.setdefault(_KEY, _Fields())
    return found


def begin() -> None:
    """The page is drawn anew."""
    _fields().now = set()


def end() -> None:
    """The page is drawn to its end: a field that it did not draw has left it."""
    found = _fields()
    found.drawn, found.begun = found.now, set()  # one set from here on: what is repeated of the page adds to it


def shows(key: str, value: object) -> str:
    """The widget key under which a field called `key` shows `value`, which is also its widget's default.

    A field keeps its widget as long as its person alone changes it: nothing is sent to the browser
    that could overwrite what is being typed. When the value has been changed elsewhere (undo, another
    choice, a refused entry) the field gets a new widget. What the browser still says of the old one, in
    a message that crossed ours, then means nothing; under the same key it would undo that change.

    The value is not put into the session's state: the browser takes it from there only if the widget is
    on the screen at that moment, and one in a closed drawer would come up with its own default.
    """
    found = _fields()
    name = f"{key}.{found.generations.get(key, 0)}"
    if name in st.session_state and st.session_state[name] != value:
        found.generations[key] = found.generations.get(key, 0) + 1
        name = f"{key}.{found.generations[key]}"
    found.now.add(name)
    found.begun.add(name)
    return name


def answers(widget: str, work: Callable[[], None]) -> Callable[[], None]:
    """The callback of a widget that `shows` named: `work` as in `pressed`, and only while the widget stands.

    When a field has left the page, the server forgets its value. A message that the browser sent before it knew
    names that value once more, which then counts as a change: a choice would be made a second time, after an
    undo against it. (An edit that a person ends in a panel just as another one is brought to the front is taken for
    such a message, too: for the time of one way to the browser.)
    """

    def answer() -> None:
        found = _fields()
        if widget in found.drawn | found.begun:
            work()

    return pressed(answer)


def pressed(work: Callable[[], None]) -> Callable[[], None]:
    """The callback of a button: `work`, done to its end though a newer message waits. It may be begun twice.

    Streamlit ends a callback at its next use of the session's state when a newer message of the browser waits, and
    does not call it again. (A thread of its own, as `state.uninterrupted` has, would wait for ever: callbacks run
    under the lock of the session's state.)
    """

    def whole() -> None:
        waiting: list[RerunException] = []
        for _ in range(_TRIES):
            try:
                work()
                break
            except RerunException as found:
                waiting.append(found)
        if not waiting:
            return
        *earlier, last = waiting
        context = get_script_run_ctx()
        if context is not None and context.script_requests is not None:
            for one in earlier:  # a press of a button is sent once: it must not be lost
                context.script_requests.request_rerun(one.rerun_data)
        raise last

    return whole
