"""The way from the root of a Huffman tree to a word: each turn with its chance."""

from __future__ import annotations

import base64
import html

import numpy as np
import streamlit as st

from builder.data.base import DataError
from builder.training import evaluate
from builder.training.checkpoint import CheckpointError
from builder.training.snapshot import Array
from builder.ui.views import plots
from builder.ui.views.scene import Scene

STEP, RISE = 40, 17
"""Pixels from a node to the next one: to the right, at most, and up or down."""
WIDTH = 270
"""Pixels of the way at most; the word stands beside its end."""


def draw(scene: Scene) -> None:
    """Draw the fields and the way."""
    scene.title()
    if scene.run.weights() is None:
        st.info("Ways are shown after the first epoch, when the first weights are saved.")
        return
    try:
        names = scene.dataset.token_names()
        left, right = st.columns(2)
        first, other = _example(scene, names)
        key = scene.dataset.name
        target = left.text_input("Way to", value=first, key=scene.key(f"to.{key}"))
        word = right.text_input("seen near", value=other, key=scene.key(f"near.{key}"))
        found = evaluate.ask(scene.run.folder, {"path": target.strip(), "from": word.strip()})
    except (DataError, CheckpointError, ValueError, OSError) as error:
        st.error(str(error))
        return
    turn, chance = found["turn"], found["chance"]
    st.html(_way(found["node"], turn, chance, target.strip(), "#d8dde6" if scene.dark else "#222b38"))
    code = "".join("0" if t > 0 else "1" for t in turn)
    st.caption(
        f"p = {' · '.join(f'{c:.2f}' for c in chance)} = **{np.prod(chance):.4f}**. Code {code}: 0 is a turn to the "
        f"left (up), σ⟨s, v⟩; 1 to the right (down), σ(−⟨s, v⟩). Frequent words have short codes."
    )


def _example(scene: Scene, names: tuple[str, ...]) -> tuple[str, str]:
    """A word, and one that stood beside it."""
    split = scene.samples()
    around = split["around"][0]
    return names[int(around[around >= 0][0])], names[int(split["word"][0, 0])]


def _way(nodes: Array, turns: Array, chances: Array, word: str, ink: str) -> str:
    """A drawing of the way from left to right, so that a turn to the left goes up; thin stubs are the turns not taken."""
    up = np.concatenate([[0.0], np.cumsum(np.where(turns > 0, -RISE, RISE))])
    top = float(up.min()) - RISE - 8
    step = min(STEP, WIDTH / max(1, len(turns)))
    width, height = step * len(turns) + 24 + 9.0 * len(word) + 16, float(up.max()) - top + RISE + 8
    parts = []
    for i, (turn, chance) in enumerate(zip(turns, chances, strict=True)):
        x, x2, y, y2 = step * i + 12, step * (i + 1) + 12, up[i], up[i + 1]
        stub = y - (y2 - y)
        parts.append(f"<line x1='{x}' y1='{y}' x2='{x2}' y2='{stub}' class='stub'/>")
        parts.append(f"<line x1='{x}' y1='{y}' x2='{x2}' y2='{y2}' style='stroke-width: {1 + 3 * chance:.1f}'/>")
        parts.append(
            f"<text x='{(x + x2) / 2 - 3}' y='{(y + y2) / 2 + (-8 if turn > 0 else 16)}' text-anchor='middle'>{chance:.2f}</text>"
        )
    for i, number in enumerate(nodes):
        parts.append(f"<circle cx='{step * i + 12}' cy='{up[i]}' r='5'><title>node {int(number)}</title></circle>")
    x, y = step * len(turns) + 12, up[-1]
    parts.append(f"<circle cx='{x}' cy='{y}' r='6' class='leaf'/>")
    parts.append(f"<text x='{x + 11}' y='{y + 4}' class='word'>{html.escape(word)}</text>")
    style = (
        f".way line {{ stroke: {plots.BLUE}; }} .way .stub {{ stroke: {plots.GREY}; stroke-dasharray: 3 3; opacity: .7; }}"
        f".way circle {{ fill: {plots.BLUE}; }} .way .leaf {{ fill: {plots.ORANGE}; }}"
        ".way text { font-size: 10.5px; fill: " + ink + "; opacity: .8; font-variant-numeric: tabular-nums; }"
        ".way .word { font-size: 14px; font-weight: 600; opacity: 1; }"
    )
    drawing = (
        f"<svg xmlns='http://www.w3.org/2000/svg' class='way' viewBox='0 {top} {width} {height}' width='{width}' "
        f"height='{height}' font-family='sans-serif'><style>{style}</style>{''.join(parts)}</svg>"
    )
    # As a picture: the page takes drawings out of HTML.
    url = f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
    return f"<img class='way' src='{url}' alt='way to {html.escape(word, quote=True)}' style='max-width: 100%'/>"
