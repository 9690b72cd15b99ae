"""Every starter project is opened and trained in the browser: its curve moves, and what its task gives to look at is drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from builder import data, tasks, templates
from builder.project import Project
from builder.ui import views
from builder.ui.results import KEY
from builder.workspace import Workspace
from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.short_projects import HUGE, short

pytestmark = pytest.mark.browser

# What a person sees in a view: its pictures, drawings, tables and fields, each of some size.
_SEEN = """(view) => {
  const seen = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 8 && e.getBoundingClientRect().height > 8;
  return [...view.querySelectorAll("svg, img, canvas, table, input, [data-testid=stHtml] *")].filter(seen).length;
}"""
# What its drawings look like, without what Streamlit notes at their places.
_DRAWN = """(view) => view.innerText + [...view.querySelectorAll("svg, img, canvas")].map((e) => e.src ?? e.toDataURL?.() ?? e.innerHTML).join()"""
_CURVE = """(svg) => [...svg.querySelectorAll("path.line")].map((p) => p.getAttribute("d")).join()"""
SAID = ("verdict",)
"""Kinds of views that tell something in a box of their own; in others such a box says that there is nothing yet."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all of them: each gets a page and a project of its own."""
    found = Server(tmp_path_factory.mktemp("home"))
    found.start()
    yield found
    told = found.log()
    found.close()
    assert "Traceback" not in told, told[-4000:]


def looks(project: Project) -> list[str]:
    """The kinds of what the project's task gives to look at with its data and its loss."""
    dataset = data.find(project.data.name)
    return [
        look.kind
        for look in tasks.find(project.task.name).looks
        if (not look.data or dataset.kind in look.data) and (not look.losses or project.loss.name in look.losses)
    ]


def follows(kind: str) -> bool:
    """Whether a view is drawn again and again while something trains."""
    return bool(getattr(views.find(kind), "FOLLOWS", True))


@pytest.mark.parametrize("name", templates.names())
def test_it_opens_and_trains_and_shows_its_live_views(name: str, chrome: Any, shared: Server) -> None:
    if name in HUGE and not os.environ.get("LAYERLOOM_HUGE"):
        pytest.skip("it trains a minute; set LAYERLOOM_HUGE=1 for it")
    project = short(name)
    project = project.replace(training={**project.training, "epochs": 60_000})  # until Stop is pressed
    space = Workspace(shared.home)
    id = space.create(project)
    with Look(chrome, f"{shared.url}/?project={id}", f"live-{name}-") as look:
        page = look.page
        page.locator("[data-testid=train]:enabled").click()
        curve = page.locator("[data-testid^=curve-]").first
        curve.wait_for()
        until(lambda: curve.evaluate(_CURVE), 240)
        begun = curve.evaluate(_CURVE)
        until(lambda: curve.evaluate(_CURVE) != begun, 240)
        (run,) = until(lambda: space.runs(id))
        page.locator("[data-testid^=thumb-]").first.wait_for()
        look.tab("Results")
        kinds = looks(project)
        assert kinds
        before = {}
        for kind in kinds:
            view = page.locator(f".st-key-{KEY}{kind}").first
            view.wait_for()
            until(lambda view=view: view.evaluate(_SEEN), 240)
            if kind not in SAID:
                until(lambda view=view: not view.get_by_test_id("stAlertContentInfo").count(), 240)
            if follows(kind):
                before[kind] = view.evaluate(_DRAWN)
        assert before
        until(
            lambda: any(page.locator(f".st-key-{KEY}{k}").first.evaluate(_DRAWN) != b for k, b in before.items()), 240
        )
        assert not page.get_by_test_id("stException").count()
        assert not page.get_by_test_id("stAlertContentError").count()
        look.shot("light")
        page.emulate_media(color_scheme="dark")
        look.shot("dark")
        page.get_by_test_id("stop").click()
        page.get_by_test_id("train").wait_for()
        until(lambda: run.state.status == "stopped")
    space.delete(id)
