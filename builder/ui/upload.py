"""The field for what a person uploads for a data set that takes a file."""

from __future__ import annotations

import streamlit as st

from builder import proposals
from builder.data import uploads
from builder.data.base import DataError, Dataset
from builder.ui import state

SHOWN = 50


def field(cls: type[Dataset]) -> None:
    """Draw it; a file that comes is checked, stored and chosen, and what is left out of it is listed."""
    key = f"upload.{cls.name}"
    file = st.file_uploader(cls.upload, type=list(cls.upload_endings), key=key)
    if file is None:
        return
    if st.session_state.get(f"{key}.taken") != file.file_id:
        content = file.getvalue()
        try:
            with st.spinner("Looking at it …"):
                settings, problems = cls.receive(content)
            name = uploads.store(content, state.workspace().folder, file.name.rpartition(".")[2].lower())
        except DataError as error:
            now = state.document().project.data
            kept = now.name == cls.name and now.settings.get("file")
            st.error(f"{file.name}: {error}{' What was handed in before stays in use.' if kept else ''}")
            return

        def take() -> None:
            st.session_state[f"{key}.taken"], st.session_state[f"{key}.problems"] = file.file_id, problems
            state.propose(proposals.for_upload(state.document().project, cls, {**settings, "file": name}))

        state.uninterrupted(take)
        st.rerun()
    problems = st.session_state.get(f"{key}.problems", ())
    if problems:
        few = "1 thing in it could not be used as it is"
        with st.expander(
            few if len(problems) == 1 else f"{len(problems):,} things in it could not be used as they are"
        ):
            for problem in problems[:SHOWN]:
                st.text(problem)
            if len(problems) > SHOWN:
                st.caption(f"… and {len(problems) - SHOWN:,} more.")
