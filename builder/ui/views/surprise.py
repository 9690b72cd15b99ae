"""A text whose characters are shaded by how likely the network held them: ``token`` and ``chance`` (N, T)."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from builder.data.base import DataError
from builder.ui.views.scene import Scene

_STYLE = """
.surprise { font: 13px/1.75 var(--st-code-font, "Source Code Pro", monospace); white-space: pre-wrap; overflow-wrap: anywhere; margin: 0;
  max-height: 270px; overflow: auto; }
.surprise span { border-radius: 2px; padding: 2px 0; }
"""


def draw(scene: Scene) -> None:
    """Draw one window of the validation text."""
    scene.title(scene.when)
    tokens, chances = scene.array("token"), scene.array("chance")
    if tokens is None or chances is None:
        st.info("It comes with the first steps of the training.")
        return
    try:
        names = scene.dataset.token_names()
    except (DataError, ValueError, OSError) as error:
        st.error(str(error))
        return
    letters = [names[int(n)] if int(n) < len(names) else "?" for n in tokens[0]]
    cells = "".join(_cell(letter, float(chance)) for letter, chance in zip(letters, chances[0], strict=True))
    st.html(f"<style>{_STYLE}</style><p class='surprise'>{cells}</p>")
    nats = -float(np.log(np.maximum(chances[0], 1e-12)).mean())
    st.caption(
        f"A window of the {scene.split_name} text: {nats:.3f} nats a character. The more orange, the less expected."
    )


def _cell(letter: str, chance: float) -> str:
    shown = "⏎\n" if letter == "\n" else html.escape(letter)
    return f"<span style='background: rgb(214 96 30 / {0.75 * (1 - chance):.2f})' title='{100 * chance:.0f} %'>{shown}</span>"
