"""Every look of every task has something that draws it."""

import pytest

from builder import tasks
from builder.ui import views

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
