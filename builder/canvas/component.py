"""The Python side of the canvas: three Streamlit components that share one bundle.

`assets` carries the bundle and never changes, so that it is sent once; `editor` is the upper part of
the page and receives the document's annotations; `feed` passes live data to the mounted editor and
draws nothing. What passes between the two sides is described in `frontend/src/types.ts`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from builder.graph import Graph
from builder.graph_file import graph_to_json
from builder.project import Project

BUNDLE = Path(__file__).parent / "dist" / "canvas.js"
Json = dict[str, Any]

# A component that only waits for the module the assets publish, and hands itself over to it.
_FORWARD = """// {name}
const latest = new WeakMap();
export default function (component) {{
  const ready = globalThis.__layerloom;
  if (ready) return ready.{name}(component);
  const first = !latest.has(component.parentElement);
  latest.set(component.parentElement, component);
  const hand = (module) => module.{name}(latest.get(component.parentElement));
  if (first) (globalThis.__layerloomWaiting ??= []).push(hand);
}}
"""


class _Registered(NamedTuple):
    assets: Callable[..., Any]
    editor: Callable[..., Any]
    feed: Callable[..., Any]


@functools.lru_cache(maxsize=1)
def _bundle(changed: int) -> tuple[str, str]:
    """The text of the bundle and its hash; `changed` is the file's time, so that a new build is seen."""
    text = BUNDLE.read_text(encoding="utf-8")
    return text, hashlib.sha256(text.encode()).hexdigest()[:12]


@st.cache_resource(show_spinner=False)
def _register(digest: str, _text: str) -> _Registered:
    """Register the three components once per bundle and server."""
    component = st.components.v2.component
    return _Registered(
        # Without an inner newline Streamlit would take the text for a path; hence the first line.
        assets=component(f"layerloom_assets_{digest}", js=f"// Layerloom canvas {digest}\n{_text}"),
        editor=component(f"layerloom_editor_{digest}", js=_FORWARD.format(name="editor")),
        feed=component(f"layerloom_feed_{digest}", js=_FORWARD.format(name="feed")),
    )


_changed = 0


def _components() -> _Registered:
    global _changed
    with contextlib.suppress(FileNotFoundError):  # it is being built anew: the one read before serves until then
        _changed = BUNDLE.stat().st_mtime_ns
    text, digest = _bundle(_changed)
    return _register(digest, text)


def packed(catalogue: Json, gallery: list[Json]) -> bytes:
    """What `assets` sends beside the bundle: made once, since to write it anew would cost every script run some milliseconds."""
    return json.dumps({"catalogue": catalogue, "gallery": gallery}).encode()


def assets(data: bytes) -> None:
    """Send the bundle and what `packed` gave to the page. Call it once per script run, before `editor`.

    As long as they are equal nothing is sent again.
    """
    _components().assets(key="layerloom_assets", data=data, height=1)


def editor(data: Json, key: str, height: int | None = None) -> Json | None:
    """Mount the editor at the top level of the script; returns the document's latest snapshot, or None at first.

    When one has come the script runs again and finds it as ``st.session_state[key]["snap"]``.
    `height` is in pixels; without one the editor follows the window (``styles/page.css``), so
    that the curves below it stay in view.
    """
    result = _components().editor(
        key=key,
        data={**data, "height": height},
        on_snap_change=_nothing,
        default={"snap": None},
        height=height or "content",
    )
    snapshot: Json | None = result.snap
    return snapshot


def _nothing() -> None:
    """Streamlit wants a callback for every value that has a default; that the script runs again is all that is needed."""


def feed(data: Json, key: str) -> None:
    """Pass live data (run, thumbnails, probe) to the mounted editor; meant for a fragment that repeats."""
    _components().feed(key=key, data=data, height=1)


# --- starter projects ---------------------------------------------------------------------------


def gallery_item(name: str, project: Project, **more: Any) -> Json:
    """A starter project's card: `more` may hold label, about, group and parameters; the drawing is made here."""
    graph = max(project.networks.values(), key=lambda g: len(g.nodes))
    kinds = {node["id"]: node["block"] for node in graph_to_json(graph)["nodes"]}
    return {
        "name": name,
        "label": project.name,
        "about": "",
        "group": "",
        "sketch": _sketch(graph),
        "blocks": kinds,
        **more,
    }


def _sketch(graph: Graph) -> Json:
    """Families of the blocks in order, and wires as pairs of their places."""
    place = {node.id: i for i, node in enumerate(graph.nodes)}
    return {
        "nodes": [getattr(node.block, "category", "") for node in graph.nodes],
        "edges": [[place[e.source], place[e.target]] for e in graph.edges if e.source in place and e.target in place],
    }
