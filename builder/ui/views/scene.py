"""What a view needs to draw one look: the run, its data, and the arrays by role."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder import data
from builder import project as projects
from builder.data.base import Dataset, Split, Splits
from builder.tasks.base import Look, Task
from builder.training import job
from builder.training.run import Run
from builder.training.snapshot import Array, Snapshot
from builder.ui.views import plots

PANEL = 307
"""Pixels: four tenths of a window of 768, for which heights are chosen (see the editor's height in `styles/page.css`)."""


@st.cache_resource(max_entries=2, show_spinner="Loading the data …")
def _splits(name: str, settings: str) -> Splits:
    return data.load(data.find(name).from_settings(json.loads(settings)))


@dataclass(frozen=True)
class Scene:
    """One look of a run. `array(role)` gives what it is about, `key(name)` names a widget of its own."""

    run: Run
    dataset: Dataset
    task: Task
    look: Look
    place: str = "results"

    @functools.cached_property
    def results(self) -> Snapshot | None:
        """What the latest validation left."""
        return self.run.results()

    @functools.cached_property
    def probe(self) -> Snapshot | None:
        """The latest feature maps, and the first samples followed live."""
        return self.run.probe()

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """What the task's plain functions take, as the run was trained."""
        return job.task_settings(projects.from_json(self.run.project_json()))

    @property
    def dark(self) -> bool:
        """Whether the page is dark."""
        return bool(st.context.theme.type == "dark")

    def plot(self, figure: go.Figure, name: str) -> None:
        """Draw a figure as high as its layout says; in a high window it takes the room that is left there."""
        least = int(figure.layout.height)
        key = re.sub(r"[^\w-]", "-", f"plot-{self.key(name)}")  # Streamlit makes a class of it
        st.html(
            f"<style>.stApp .st-key-{key} {{ flex: none; height: max({least}px, 40vh - {PANEL - least}px); }}</style>"
        )
        with st.container(key=key):
            st.plotly_chart(figure, key=self.key(name), height="stretch", config=plots.CONFIG)

    def array(self, role: str) -> Array | None:
        """The array that plays this role; None while there is none.

        Of single samples, the first may be newer than the rest: those that are followed while training.
        """
        name = self.look.arrays.get(role)
        if name is None:
            return None
        found = None if self.results is None else self.results.arrays.get(name)
        live = self._live(name)
        if live is None:
            return None if found is None else np.asarray(found)
        if found is None or len(found) <= len(live) or found.shape[1:] != live.shape[1:]:
            return live
        return np.concatenate([live, found[len(live) :]])

    def _live(self, name: str) -> Array | None:
        kind, _, short = name.partition("/")
        if kind != "sample" or self.probe is None:
            return None
        found = self.probe.arrays.get(f"live/{short}")
        if found is None:
            return None
        # What is followed are validation samples; once the test has left results, these are of others.
        if self.split_name != "validation" and self.results is not None:
            return None
        if self.results is not None and self.results.info.get("time", 0) > self.probe.info.get("time", 0):
            return None
        return np.asarray(found)

    @property
    def step(self) -> int | None:
        """The training step that `array` shows."""
        infos = [s.info for s in (self.results, self.probe) if s is not None and "step" in s.info]
        return max((int(i["step"]) for i in infos), default=None)

    @property
    def when(self) -> str:
        """What the samples are of, and the step, as a remark beside a heading."""
        return "" if self.step is None else f"{self.split_name}, step {self.step:,}"

    @property
    def split_name(self) -> str:
        """The split that the results are of."""
        return "validation" if self.results is None else str(self.results.info.get("split", "validation"))

    def splits(self) -> Splits:
        """All that the data set loads. Raises DataError, ValueError or OSError."""
        return _splits(self.dataset.name, json.dumps(self.dataset.to_settings(), sort_keys=True))

    def samples(self) -> Split:
        """All samples of that split, in the order of the results. Raises DataError, ValueError or OSError."""
        splits = self.splits()
        return splits.get(self.split_name) or splits.get("validation") or next(iter(splits.values()))

    def batch(self, index: list[int]) -> dict[str, Any]:
        """These samples as the network and the loss take them."""
        import torch

        return self.dataset.make_batch(self.samples(), torch.tensor(index), self.dataset.to_settings())

    def class_name(self, number: float) -> str:
        """The name of a class, safe to stand in HTML."""
        names, index = self.dataset.class_names(), int(number)
        text = names[index] if 0 <= index < len(names) else str(index)
        return text.replace("&", "&amp;").replace("<", "&lt;")

    def key(self, name: str = "") -> str:
        """A key for a widget or a figure of this look."""
        return f"{self.place}.{self.look.kind}.{self.look.title}.{name}"

    def title(self, more: str = "") -> None:
        """Draw the look's heading, with a remark."""
        st.markdown(
            f"##### {self.look.title}" + (f" &ensp; :small[{more}]" if more else ""), help=self.look.help or None
        )
