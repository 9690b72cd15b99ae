"""What a page session does as a whole, whatever else the browser asks for meanwhile."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from builder.ui import state


def test_work_done_as_a_whole_is_done_when_it_returns() -> None:
    done = []
    state.uninterrupted(lambda: done.append(1))
    assert done == [1]


def test_what_the_work_raises_reaches_the_caller() -> None:
    def work() -> None:
        raise ValueError("no such run")

    with pytest.raises(ValueError, match="no such run"):
        state.uninterrupted(work)


def test_the_work_sees_the_session() -> None:
    def script() -> None:
        import streamlit as st

        from builder.ui import state

        def work() -> None:
            st.session_state["seen"] = st.session_state["given"] + 1

        st.session_state["given"] = 1
        state.uninterrupted(work)
        st.write(st.session_state["seen"])

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.session_state["seen"] == 2
