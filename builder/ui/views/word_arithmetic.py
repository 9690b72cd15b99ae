"""A line to calculate with words, their nearest neighbours, and the vectors to take away."""

from __future__ import annotations

import html
import re

import numpy as np
import streamlit as st

from builder.data.base import DataError
from builder.export import vectors
from builder.training import evaluate
from builder.training.checkpoint import CheckpointError
from builder.ui.views import plots
from builder.ui.views.scene import Scene

COUNT = 7
_LIST = """
.near { display: grid; grid-template-columns: max-content 1fr max-content; gap: 2px 10px; font-size: 13px; line-height: 18px; align-items: center; }
.near .first { font-weight: 600; } .near i { display: block; height: 8px; border-radius: 2px; }
.near span { font-variant-numeric: tabular-nums; opacity: .75; }
"""


def draw(scene: Scene) -> None:
    """Draw the field, the answer and the downloads."""
    if scene.run.weights() is None:
        scene.title()
        st.info("Calculate here after the first epoch, when the first weights are saved.")
        return
    try:
        names = scene.dataset.token_names()
        heading, field = st.columns([1.1, 1.15], gap="small", vertical_alignment="top")
        with heading:
            scene.title()
        asked = field.text_input(
            "Words with + and − between them",
            value=_example(scene, names),
            key=scene.key(f"asked.{scene.dataset.name}"),
            label_visibility="collapsed",
            placeholder="words with + and − between them",
        )
        plus, minus = terms(asked)
        found = evaluate.ask(scene.run.folder, {"plus": plus, "minus": minus, "count": COUNT})
    except (DataError, CheckpointError, ValueError, OSError) as error:
        st.error(str(error))
        return
    rows = ""
    for place, (number, near) in enumerate(zip(found["word"], found["near"], strict=True)):
        colour = plots.GREY if place else plots.BLUE
        rows += (
            f"<div class='{'' if place else 'first'}'>{html.escape(names[int(number)])}</div>"
            f"<i style='width: {100 * max(0.0, float(near)):.0f}%; background: {colour}'></i><span>{near:.2f}</span>"
        )
    st.html(f"<style>{_LIST}</style><div class='near'>{rows}</div>")
    st.caption("The cosine of the angle between the sum and each word's vector, by the best weights.")
    _kept_distances(scene)
    _downloads(scene, names)


def terms(text: str) -> tuple[list[str], list[str]]:
    """The words added and taken away in a line such as ``king − man + woman``; hyphens may stand within words."""
    plus: list[str] = []
    minus: list[str] = []
    for sign, word in re.findall(r"(^|[+−–]|(?<!\S)-)\s*([^\s+−–]+)", text.strip()):
        (minus if sign in ("-", "−", "–") else plus).append(word)
    return plus, minus


def _example(scene: Scene, names: tuple[str, ...]) -> str:
    """The first question of the corpus that it can ask, else its first word."""
    table = scene.splits().get("analogies")
    if table is None or not len(table["question"]):
        return names[0] if names else ""
    a, b, c, _ = (names[int(number)] for number in table["question"][0])
    return f"{c} − {a} + {b}"


def _kept_distances(scene: Scene) -> None:
    """For a first layer that does not learn: how far words lie from each other before and after it."""
    found = evaluate.ask(scene.run.folder, {"distances": True})
    if not found["after"].size:
        return
    counts, edges = np.histogram(found["after"], 40, (0.0, 2.0))
    figure = plots.histogram(counts, float(edges[0]), float(edges[-1]), 110, plots.TEAL)
    figure.add_vline(x=float(found["before"][0]), line={"color": plots.ORANGE, "width": 2})
    st.markdown("**Distances are kept**")
    st.plotly_chart(figure, key=scene.key("distances"), config=plots.CONFIG)
    st.caption(
        f"One-hot vectors lie √2 apart (the line); after the fixed projection {found['after'].mean():.2f} "
        f"± {found['after'].std():.2f}."
    )


def _downloads(scene: Scene, names: tuple[str, ...]) -> None:
    with st.popover("Take the vectors away", icon=":material/download:"):
        if not st.toggle("Prepare the files", key=scene.key("prepare")):
            return
        found = evaluate.ask(scene.run.folder, {"vectors": True})["vectors"]
        st.download_button(
            "word2vec text (.txt)", vectors.word2vec_text(names, found), "vectors.txt", key=scene.key("text")
        )
        st.download_button(
            "safetensors", vectors.safetensors_bytes(names, found), "vectors.safetensors", key=scene.key("tensors")
        )
