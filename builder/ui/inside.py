"""The panel that looks inside a block: all its channels, its filters, its numbers, for a chosen sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from builder import data
from builder.data.base import DataError
from builder.project import ProjectError
from builder.training import client, evaluate
from builder.training.checkpoint import CheckpointError
from builder.training.control import ControlError
from builder.training.run import LIVE, Run
from builder.training.snapshot import Snapshot
from builder.ui import fields, recurrence, state
from builder.ui.live import probe_json, remark, trained
from builder.ui.views import drawn, pictures, plots, surface

TICK = 0.6
MAX_CHANNELS = 64


def panel() -> None:
    """Draw the panel; it repeats by itself while something trains."""
    run = state.run()
    if run is None:
        st.info(
            "Nothing to look into yet. Press Train, then choose a block on the canvas.", icon=":material/visibility:"
        )
        return
    if told := remark(run, state.document().project):
        st.caption(told)
    st.fragment(_inside, run_every=TICK if run.state.status in LIVE else None)(run.id)


def _inside(id: str) -> None:
    run = next((r for r in state.runs() if r.id == id), None)
    probe = None if run is None else run.probe()
    if run is None or probe is None:
        st.info("The first feature maps come with the first steps of the training.", icon=":material/visibility:")
        return
    live = run.state.status in LIVE
    network, node = _chosen(probe)
    top = st.columns([2, 1.1, 1.5], gap="medium", vertical_alignment="bottom")
    with top[0]:
        network, node = _select(probe, network, node)
    with top[1]:
        sample = _sample(run, probe, live)
    if live:
        _watch(run, probe, network, node)
    else:
        probe = _looked_again(run, probe, sample, network, node)
    with top[2]:
        _answer(run, probe)
    recurrence.draw(probe, network, node)  # first: what a block that remembers is looked at for
    left, middle, right = st.columns([2.3, 1.5, 1.5], gap="medium")
    with left:
        _maps(probe, network, node)
    with middle:
        _weights(probe, network, node)
    with right:
        first, second = st.columns(2)
        with first:
            _numbers(probe, network, node)
        with second:
            _spread(probe, network, node)
    _surface(probe)


def _chosen(probe: Snapshot) -> tuple[str, str]:
    """The block selected on the canvas if the probe has seen it, else the first one."""
    selection = state.document().selection
    network = str(selection.get("network") or "network")
    seen = probe.info.get("nodes", {})
    if network not in seen:
        network = next(iter(seen), network)
    for id in selection.get("nodes", []):
        if id in seen.get(network, {}):
            return network, str(id)
        inner = next((path for path in seen.get(network, {}) if path.startswith(f"{id}.")), None)
        if inner is not None:
            return network, inner
    return network, next(iter(seen.get(network, {})), "")


def _select(probe: Snapshot, network: str, node: str) -> tuple[str, str]:
    paths = [(slot, path) for slot, found in probe.info.get("nodes", {}).items() for path in found]
    many = len(probe.info.get("nodes", {})) > 1
    selected = tuple(state.document().selection.get("nodes", []))
    if st.session_state.get("inside_selected") != selected or st.session_state.get("inside_choice") not in paths:
        st.session_state["inside_selected"] = selected
        st.session_state["inside_choice"] = (network, node)
    chosen: tuple[str, str] = st.session_state["inside_choice"]
    widget = fields.shows("inside_node", chosen)

    def choose() -> None:
        wanted = st.session_state.get(widget, chosen)
        if wanted != chosen:  # otherwise it is what an older message still says of this field
            st.session_state["inside_choice"] = wanted

    st.selectbox(
        "Block",
        paths,
        paths.index(chosen),
        key=widget,
        on_change=fields.answers(widget, choose),
        format_func=lambda p: f"{p[0]}: {p[1]}" if many else p[1],
    )
    return chosen


def _watch(run: Run, probe: Snapshot, network: str, node: str) -> None:
    """Ask the training process to keep this block in full, once."""
    if run.state.status not in LIVE or probe.info.get("watched") == [network, node]:
        return
    if st.session_state.get("watched") != (run.id, network, node):
        st.session_state["watched"] = (run.id, network, node)
        try:
            client.watch(run.folder, network, node)
        except ControlError as error:
            st.caption(str(error))


def _sample(run: Run, probe: Snapshot, live: bool) -> int:
    """The field for the sample; a live run is asked for its maps, an ended one is looked at again."""
    shown = int(probe.info.get("sample") or 0)
    asked = st.session_state.get("sample_asked")
    if asked is not None and asked[0] == run.id and not (live and asked[1] == shown):
        shown = asked[1]
    widget = fields.shows("sample", shown)

    def pick() -> None:
        wanted = int(st.session_state.get(widget, shown))
        if wanted == shown:
            return
        st.session_state["sample_asked"] = (run.id, wanted)
        if live:
            try:
                client.pick_sample(run.folder, wanted)
            except ControlError as error:
                st.toast(str(error))

    st.number_input(
        "Validation sample",
        value=shown,
        min_value=0,
        step=1,
        key=widget,
        on_change=fields.answers(widget, pick),
        help="Which sample the maps are of.",
    )
    return shown


def _looked_again(run: Run, probe: Snapshot, sample: int, network: str, node: str) -> Snapshot:
    """The maps of an ended run, made now from its best weights, with the chosen block in full."""
    key = (run.id, sample, network, node)
    if st.session_state.get("looked_again_of") == key:
        found: Snapshot = st.session_state["looked_again"]
        return found
    try:
        again = evaluate.maps_of_sample(run.folder, sample, (network, node))
    except (CheckpointError, DataError, ProjectError, ValueError, OSError) as error:
        st.caption(f"The maps of the training are shown as they were: {error}")
        return probe
    info = {**probe.info, **again.info, "surface": probe.info.get("surface")}
    surface = {name: array for name, array in probe.arrays.items() if name.startswith("surface/")}
    st.session_state["looked_again_of"] = key
    found = Snapshot(info, {**again.arrays, **surface})
    st.session_state["looked_again"] = found
    return found


def _answer(run: Run, probe: Snapshot) -> None:
    project = trained(run)
    if project is None:
        return
    told = probe_json(project, probe)
    if told["prediction"] is not None:
        truth = f"class **{told['label']}**, " if told["label"] is not None else ""
        st.markdown(f"{truth}predicted **{told['prediction']}** at step {probe.info.get('step', 0):,}")


def _maps(probe: Snapshot, network: str, node: str) -> None:
    array = probe.maps(network).get(node)
    if array is None:
        st.caption("This block has no picture: it hands on its input.")
        return
    values = np.asarray(array, np.float32)
    shape = probe.info["nodes"][network][node].get("shape", list(values.shape))
    st.markdown(f"##### Output of {node} &ensp; :small[{'×'.join(map(str, shape))}]")
    if values.ndim == 3 and values.shape[1] * values.shape[2] > 1:
        shared = bool(st.session_state.get("shared_scale"))
        low, high = (float(values.min()), float(values.max())) if shared else (None, None)
        cells = "".join(
            f"<figure><img src='{pictures.url(pictures.coloured(channel, low=low, high=high))}' alt='channel {i}'/>"
            f"<figcaption>{i} <span>{channel.mean():.2f}</span></figcaption></figure>"
            for i, channel in enumerate(values[:MAX_CHANNELS])
        )
        st.html(f"<style>{_GRID}</style><div class='maps'>{cells}</div>")
        if shape[0] > MAX_CHANNELS:
            st.caption(f"The first {MAX_CHANNELS} of {shape[0]:,} channels, each with its mean.")
        else:
            st.caption("Every channel with its mean; bright is high.")
        st.toggle("Same scale for all channels", key="shared_scale")
    else:
        picture = pictures.coloured(values.T if values.ndim == 2 else pictures.flat_grid(values.reshape(-1), 4))
        st.html(f"<style>{_GRID}</style><img class='wide' src='{pictures.url(picture)}' alt='output values'/>")
        st.caption(
            "Steps run from left to right, features from top to bottom."
            if values.ndim == 2
            else "One cell per number, row by row."
        )


_GRID = """
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(58px, 1fr)); gap: 8px; }
.maps figure { margin: 0; }
.maps img { width: 100%; image-rendering: pixelated; border-radius: 3px; display: block; }
.maps figcaption { font-size: 11px; display: flex; justify-content: space-between; font-variant-numeric: tabular-nums; opacity: .75; }
.filters { display: grid; gap: 5px; }
.filters img { outline: 1px solid rgb(130 140 160 / .4); }
.filters img, .wide { width: 100%; image-rendering: pixelated; border-radius: 2px; display: block; }
@media (min-height: 900px) { .maps { grid-template-columns: repeat(auto-fill, minmax(92px, 1fr)); } .filters { --side: 60px; } }
.wide { max-height: clamp(134px, 100vh - 640px, 210px); }
"""


def _weights(probe: Snapshot, network: str, node: str) -> None:
    weights = probe.part(f"weight/{network}/{node}")
    st.markdown("##### Weights")
    if not weights:
        st.caption("This block has no weights, or they come with the next picture of the training.")
        return
    name, first = max(weights.items(), key=lambda item: np.ndim(item[1]))  # the kernel rather than the bias
    first = np.asarray(first, np.float32)
    if first.ndim == 4 and first.shape[2] * first.shape[3] > 1:
        outputs, inputs = min(first.shape[0], 16), min(first.shape[1], 12)
        limit = float(np.abs(first).max()) or 1.0
        cells = "".join(
            f"<img src='{pictures.url(pictures.coloured(first[o, i], 'RdBu_r', -limit, limit))}' alt='filter {o}, {i}'/>"
            for i in range(inputs)
            for o in range(outputs)
        )
        st.html(
            f"<style>{_GRID}</style><div class='filters' style='grid-template-columns: repeat({outputs}, minmax(8px, var(--side, 34px)))'>{cells}</div>"
        )
        cut = " (the first)" if outputs < first.shape[0] or inputs < first.shape[1] else ""
        st.caption(f"Columns are output channels, rows input channels{cut}; blue is negative, red positive.")
    elif first.ndim >= 2:
        picture = pictures.diverging(first.reshape(first.shape[0], -1)[:256, :512])
        st.html(f"<style>{_GRID}</style><img class='wide' src='{pictures.url(picture)}' alt='weight matrix'/>")
        st.caption(f"{name}: {'×'.join(map(str, first.shape))}; blue is negative, red positive.")
    else:
        st.caption(", ".join(f"{n} {'×'.join(map(str, np.shape(w)))}" for n, w in weights.items()))


def _spread(probe: Snapshot, network: str, node: str) -> None:
    """How the weights are spread."""
    weights = probe.part(f"weight/{network}/{node}")
    if not weights:
        return
    values = np.concatenate([np.asarray(w, np.float32).reshape(-1) for w in weights.values()])
    values = values[np.isfinite(values)]
    if values.size:
        counts, edges = np.histogram(values, 40)
        st.markdown("##### Spread of weights")
        st.html(drawn.histogram(counts, float(edges[0]), float(edges[-1]), 56))
        st.caption(f"{values.size:,} numbers")


def _numbers(probe: Snapshot, network: str, node: str) -> None:
    told: dict[str, Any] = probe.info["nodes"][network].get(node, {})
    st.markdown("##### Activations")
    if "histogram" in told:
        high = max(told["high"], told["low"] + 1e-6)
        st.html(drawn.histogram(told["histogram"], told["low"], high, 56, plots.TEAL))
    rows = []
    if told.get("mean") is not None and told.get("std") is not None:
        rows.append(f"mean {told['mean']:.3f}, deviation {told['std']:.3f}")
    if told.get("zeros") is not None:
        rows.append(f"{100 * told['zeros']:.0f} % zeros")
    if told.get("gradient") is not None:
        rows.append(f"gradient norm {told['gradient']:.3g}")
    st.caption("  \n".join(rows))


def _surface(probe: Snapshot) -> None:
    """For points of the plane: what the network says of every place, with the training points over it."""
    choice = state.document().project.data
    try:
        found = surface.figure(probe, data.find(choice.name).from_settings(choice.settings))
    except (KeyError, ValueError):
        return
    if found is not None:
        st.markdown("##### Decision border")
        st.html(found)
