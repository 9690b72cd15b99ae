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

STEP, SHIFT = 26, 22
"""Pixels from a node to the next one: down, and to the side."""


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
        f"left, σ⟨s, v⟩; 1 to the right, σ(−⟨s, v⟩). Frequent words have short codes."
    )


def _example(scene: Scene, names: tuple[str, ...]) -> tuple[str, str]:
    """A word, and one that stood beside it."""
    split = scene.samples()
    around = split["around"][0]
    return names[int(around[around >= 0][0])], names[int(split["word"][0, 0])]


def _way(nodes: Array, turns: Array, chances: Array, word: str, ink: str) -> str:
    """A drawing of the way; thin stubs are the turns not taken."""
    across = np.concatenate([[0.0], np.cumsum(np.where(turns > 0, -SHIFT, SHIFT))])
    left = float(across.min()) - SHIFT - 12
    width, height = float(across.max()) - left + 150, STEP * (len(turns) + 1) + 14
    parts = []
    for i, (turn, chance) in enumerate(zip(turns, chances, strict=True)):
        x, y, x2 = across[i], STEP * i + 12, across[i + 1]
        stub = x - (x2 - x)
        parts.append(f"<line x1='{x}' y1='{y}' x2='{stub}' y2='{y + STEP}' class='stub'/>")
        parts.append(f"<line x1='{x}' y1='{y}' x2='{x2}' y2='{y + STEP}' style='stroke-width: {1 + 3 * chance:.1f}'/>")
        side, anchor = (-8, "end") if turn > 0 else (8, "start")
        parts.append(
            f"<text x='{(x + x2) / 2 + side}' y='{y + STEP / 2 + 3}' text-anchor='{anchor}'>{chance:.2f}</text>"
        )
    for i, number in enumerate(nodes):
        parts.append(f"<circle cx='{across[i]}' cy='{STEP * i + 12}' r='5'><title>node {int(number)}</title></circle>")
    x, y = across[-1], STEP * len(turns) + 12
    parts.append(f"<circle cx='{x}' cy='{y}' r='6' class='leaf'/>")
    parts.append(f"<text x='{x + 11}' y='{y + 4}' class='word'>{html.escape(word)}</text>")
    style = (
        f".way line {{ stroke: {plots.BLUE}; }} .way .stub {{ stroke: {plots.GREY}; stroke-dasharray: 3 3; opacity: .7; }}"
        f".way circle {{ fill: {plots.BLUE}; }} .way .leaf {{ fill: {plots.ORANGE}; }}"
        ".way text { font-size: 10.5px; fill: " + ink + "; opacity: .8; font-variant-numeric: tabular-nums; }"
        ".way .word { font-size: 14px; font-weight: 600; opacity: 1; }"
    )
    drawing = (
        f"<svg xmlns='http://www.w3.org/2000/svg' class='way' viewBox='{left} 0 {width} {height}' width='{width}' "
        f"height='{height}' font-family='sans-serif'><style>{style}</style>{''.join(parts)}</svg>"
    )
    # As a picture: the page takes drawings out of HTML.
    url = f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
    return f"<img class='way' src='{url}' alt='way to {html.escape(word, quote=True)}' style='max-width: 100%'/>"
