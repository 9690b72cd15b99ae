"""Text that a network writes, character by character, from its best weights."""

from __future__ import annotations

import html

import streamlit as st

from builder.data.base import DataError, Dataset
from builder.training import evaluate
from builder.training.checkpoint import CheckpointError
from builder.training.run import LIVE
from builder.ui.views.scene import Scene

COUNT = 240
_STYLE = """
.writing { font: 13px/1.5 var(--st-code-font, "Source Code Pro", monospace); white-space: pre-wrap; overflow-wrap: anywhere;
  border-left: 3px solid #4a68e8; padding: 2px 0 2px 12px; margin: 0; max-height: 270px; overflow: auto; }
.writing b { opacity: .6; font-weight: 400; }
"""


def draw(scene: Scene) -> None:
    """Draw the fields, and what the network writes; anew after every epoch while it trains."""
    scene.title()
    weights = scene.run.weights()
    if weights is None:
        st.info("It writes after the first epoch, when the first weights are saved.")
        return
    left, middle, right = st.columns([2, 1.6, 1], vertical_alignment="bottom")
    prompt = left.text_input("Begin with", key=scene.key("prompt"), placeholder="a new line")
    temperature = middle.slider(
        "Temperature", 0.0, 2.0, 0.7, 0.1, key=scene.key("temperature"), help="0 always takes the likeliest character."
    )
    again = scene.key("seed")
    if right.button("Write again", key=scene.key("again"), icon=":material/replay:"):
        st.session_state[again] = st.session_state.get(again, 0) + 1
    question = {"prompt": prompt, "temperature": temperature, "count": COUNT, "seed": st.session_state.get(again, 0)}
    try:
        text = _written(str(scene.run.folder), weights.stat().st_mtime_ns, scene.dataset, question)
    except (DataError, CheckpointError, ValueError, OSError) as error:
        st.error(str(error))
        return
    st.html(f"<style>{_STYLE}</style><p class='writing'><b>{html.escape(prompt)}</b>{html.escape(text)}</p>")
    if scene.run.state.status in LIVE:
        st.caption("Written anew whenever better weights are saved.")


@st.cache_data(max_entries=32, show_spinner=False)
def _written(folder: str, stamp: int, _dataset: Dataset, question: dict[str, object]) -> str:
    """`stamp` tells newer weights apart."""
    names = _dataset.token_names()
    found = evaluate.ask(folder, question)
    return "".join(names[int(number)] for number in found["token"])
