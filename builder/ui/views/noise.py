"""Samples that a generator makes: of the noise that is followed while it trains, or of noise a person has drawn anew."""

from __future__ import annotations

import streamlit as st

from builder.training import evaluate
from builder.training.checkpoint import CheckpointError
from builder.training.snapshot import Array
from builder.ui import fields
from builder.ui.views.scene import Scene


def samples(scene: Scene, count: int) -> Array | None:
    """At most `count` samples with the look's title, and buttons for other noise and back; None while there are none.

    Other noise is asked of the weights that were last saved, the followed one is as new as the latest picture.
    """
    followed = scene.array("generated")
    key = scene.key("drawn")
    drawn = int(st.session_state.get(key, 0))
    made, remark = followed, "" if scene.step is None else f"step {scene.step:,}"
    if drawn:
        try:
            made = evaluate.ask(scene.run.folder, {"samples": count, "seed": drawn})["generated"]
            remark = f"new noise {drawn}"
        except (CheckpointError, ValueError, OSError) as error:
            st.toast(str(error))
            drawn = st.session_state[key] = 0
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        scene.title(remark)
        _buttons(scene, drawn)
    if made is None:
        st.info("The first samples come as soon as something trains.")
        return None
    return made[:count]


def _buttons(scene: Scene, drawn: int) -> None:
    """New noise, and back to the one that is followed; it takes saved weights to ask."""
    key = scene.key("drawn")
    if scene.run.weights() is None:
        return

    def draw() -> None:
        st.session_state[key] = drawn + 1

    def back() -> None:
        st.session_state[key] = 0

    st.button(
        "New noise",
        key=scene.key("new"),
        on_click=fields.pressed(draw),
        type="tertiary",
        help="Draw other noise: samples are made, not learned by heart.",
    )
    if drawn:
        st.button(
            "Back",
            key=scene.key("back"),
            on_click=fields.pressed(back),
            type="tertiary",
            help="To the noise that is followed.",
        )
