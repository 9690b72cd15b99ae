"""Every look of every task has something that draws it, from arrays that belong together."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from builder import tasks
from builder.training.snapshot import Snapshot
from builder.ui import views
from builder.ui.views.scene import Scene

LOOKS = [(name, look) for name in tasks.names() for look in tasks.find(name).looks]


@pytest.mark.parametrize(("task", "look"), LOOKS, ids=[f"{task}-{look.kind}" for task, look in LOOKS])
def test_a_look_is_drawn_by_a_view_of_its_kind(task: str, look: tasks.Look) -> None:
    assert callable(views.find(look.kind).draw)
    assert look.title
    assert look.width > 0


def test_an_unknown_kind_and_a_file_that_draws_nothing_are_no_views() -> None:
    for kind in ("hologram", "plots", "scene"):
        with pytest.raises(KeyError, match=kind):
            views.find(kind)


def seen(results: tuple[str, float] | None, probe_time: float) -> list[float] | None:
    """What a look has of the first sample and the second, where only the first is followed and is worth 1."""
    left = None if results is None else Snapshot({"split": results[0], "time": results[1]}, {"sample/x": np.zeros(2)})
    followed = Snapshot({"time": probe_time}, {"live/x": np.ones(1)})
    run: Any = SimpleNamespace(results=lambda: left, probe=lambda: followed)
    found = Scene(run, Any, Any, tasks.Look("masks", "Masks", {"x": "sample/x"})).array("x")  # type: ignore[arg-type]
    return None if found is None else found.tolist()


def test_followed_samples_are_shown_while_they_are_newer_and_of_the_same_split() -> None:
    assert seen(None, 1) == [1]
    assert seen(("validation", 1), 2) == [1, 0]
    assert seen(("validation", 2), 1) == [0, 0]
    assert seen(("test", 1), 2) == [0, 0]  # what is followed are validation samples: others than those of the test
