"""Words in the plane in which their vectors differ most: ``vectors`` (W, D) of the tokens ``shown`` (W,)."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder.data.base import DataError
from builder.ui.views import plots
from builder.ui.views.scene import Scene

Array = np.ndarray[Any, Any]

ALL = "the most frequent words"
HEIGHT = 180
LABELLED = 80
"""The most words that are written out; further ones are dots with their word under the mouse."""


def draw(scene: Scene) -> None:
    """Draw the words of one relation joined in pairs, or all of them."""
    vectors, shown = scene.array("vectors"), scene.array("shown")
    if vectors is None or shown is None:
        scene.title()
        st.info("The map comes with the first steps of the training.")
        return
    try:
        names = scene.dataset.token_names()
        relations = _relations(scene, names)
    except (DataError, ValueError, OSError) as error:
        st.error(str(error))
        return
    place = {int(number): i for i, number in enumerate(shown)}
    heading, field = st.columns([1, 1], vertical_alignment="top")
    with heading:
        scene.title("" if scene.step is None else f"step {scene.step:,}")
    chosen = field.selectbox("Words", [*relations, ALL], key=scene.key("words"), label_visibility="collapsed")
    pairs = [(place[a], place[b]) for a, b in relations.get(chosen, []) if a in place and b in place]
    members = np.unique(np.array(pairs).reshape(-1)) if pairs else np.arange(len(shown))
    points = np.full((len(shown), 2), np.nan)
    points[members] = _plane(vectors[members], scene.key(f"plane.{chosen}"))
    words = [names[int(number)] if number < len(names) else str(int(number)) for number in shown]
    figure = _figure(points, [words[i] for i in members], members, pairs, scene.dark)
    scene.plot(figure, "map")
    shared = _collisions(vectors)
    if shared:
        listed = "; ".join(", ".join(words[i] for i in group) for group in shared[:4])
        st.caption(
            f"**Collisions**: {sum(map(len, shared))} of these {len(shown)} words share their vector with another: "
            f"{listed}{' …' if len(shared) > 4 else '.'}"
        )
    elif pairs:
        st.caption("Each line joins two words of one pair. Where lines run side by side, a relation has a direction.")


def _relations(scene: Scene, names: tuple[str, ...]) -> dict[str, list[tuple[int, int]]]:
    """Pairs of words by relation, as the corpus's analogies tell them: a is to b as c is to d."""
    table = scene.splits().get("analogies")
    if table is None:
        return {}
    groups: list[dict[tuple[int, int], None]] = []
    of: dict[tuple[int, int], dict[tuple[int, int], None]] = {}
    for a, b, c, d in table["question"].tolist():
        group = of.get((a, b)) or of.get((c, d))
        if group is None:
            if (b, a) in of:
                continue  # the same relation the other way round
            group = {}
            groups.append(group)
        for pair in ((a, b), (c, d)):
            group[pair] = None
            of[pair] = group
    return {f"{names[a]} – {names[b]}": list(group) for group in groups for a, b in [next(iter(group))]}


def _plane(vectors: Array, key: str) -> Array:
    """The two coordinates of the largest variance, turned so that they lie as they lay before."""
    centred = vectors - vectors.mean(0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(vectors), 2))
    points[:, : min(2, len(size))] = (left * size)[:, :2]
    before = st.session_state.get(key)
    if before is not None and before.shape == points.shape:
        # The rotation or reflection nearest to the picture before (orthogonal Procrustes, Schönemann 1966).
        u, _, v = np.linalg.svd(points.T @ before)
        points = points @ u @ v
    st.session_state[key] = points
    return points


def _figure(points: Array, words: list[str], members: Array, pairs: list[tuple[int, int]], dark: bool) -> go.Figure:
    figure = go.Figure()
    if pairs:
        joined = np.array([[points[a], points[b], (np.nan, np.nan)] for a, b in pairs]).reshape(-1, 2)
        line = {"color": plots.GREY, "width": 1}
        figure.add_trace(go.Scatter(x=joined[:, 0], y=joined[:, 1], mode="lines", line=line, hoverinfo="skip"))
    first = {a for a, _ in pairs}
    colours = [plots.BLUE if i in first else plots.ORANGE for i in members] if pairs else plots.BLUE
    written = len(members) <= LABELLED
    figure.add_trace(
        go.Scatter(
            x=points[members, 0],
            y=points[members, 1],
            text=words,
            mode="markers+text" if written else "markers",
            textposition=_sides(points, members, pairs),
            textfont={"size": 11, "color": "#d8dde6" if dark else "#222b38"},
            marker={"size": 6, "color": colours},
            hovertemplate="%{text}<extra></extra>",
        )
    )
    plots.layout(figure, HEIGHT)
    figure.update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 4})
    across, up = (_range(points[members, i], room) for i, room in ((0, 0.24), (1, 0.09)))
    figure.update_xaxes(showticklabels=False, ticks="", range=across)
    figure.update_yaxes(showticklabels=False, showgrid=False, range=up)
    return figure


def _sides(points: Array, members: Array, pairs: list[tuple[int, int]]) -> list[str] | str:
    """Where each word stands beside its dot: those of a pair outside of the line between them, others above."""
    beyond = {a: points[a, 0] - points[b, 0] for pair in pairs for a, b in (pair, pair[::-1])}
    return [f"middle {'left' if beyond[i] < 0 else 'right'}" for i in members.tolist()] if pairs else "top center"


def _range(values: Array, room: float) -> list[float]:
    """An axis with room for what is written beside the outermost dots."""
    low, high = float(values.min()), float(values.max())
    more = room * (high - low or 1.0)
    return [low - more, high + more]


def _collisions(vectors: Array) -> list[list[int]]:
    """Groups of words whose vectors are the same to the last bit."""
    found: dict[bytes, list[int]] = {}
    for i, row in enumerate(np.ascontiguousarray(vectors)):
        found.setdefault(row.tobytes(), []).append(i)
    return [group for group in found.values() if len(group) > 1]
