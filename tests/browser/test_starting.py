"""How one starts: the gallery by topics, a lesson below the canvas, data that bring what fits them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from builder import data, tasks, templates
from tests.browser.app_harness import Server, until
from tests.browser.task_paths import choose

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]


def test_the_gallery_filters_by_topic_and_a_lesson_is_put_away_and_fetched_back(visit: Visit, server: Server) -> None:
    page = visit()
    page.get_by_test_id("gallery").click()
    sheet = page.get_by_test_id("gallery-sheet")
    family = templates.about("mlp").family
    page.get_by_test_id(f"topic-{family}").click()
    listed = [n for n in templates.names() if templates.about(n).family == family]
    until(lambda: sheet.locator(".template").count() == len(listed))
    page.get_by_test_id("topic-all").click()
    until(lambda: sheet.locator(".template").count() == len(templates.names()))
    page.get_by_test_id("gallery-search").fill("spirals")
    page.get_by_test_id("template-mlp").click()
    lesson = page.get_by_test_id("lesson")
    lesson.wait_for()
    assert templates.about("mlp").lesson["break"] in lesson.inner_text()
    canvas, strip = page.get_by_test_id("canvas").bounding_box(), lesson.bounding_box()
    assert strip["y"] >= canvas["y"] + canvas["height"] - 1  # it takes room of its own
    page.get_by_test_id("lesson-away").click()
    lesson.wait_for(state="detached")
    page.reload()
    page.get_by_test_id("lesson-again").click()
    lesson.wait_for()


def test_data_of_another_task_bring_all_that_fits_and_one_undo_takes_it_back(visit: Visit, server: Server) -> None:
    page = visit()
    before = server.project(page)
    other = next(d for d in map(data.find, data.names()) if before["task"]["name"] not in d.tasks and not d().missing())
    choose(page, "Data set", other.label)
    changed = until(lambda: found if (found := server.project(page))["data"]["name"] == other.name else None)
    assert changed["task"]["name"] == other.tasks[0]
    assert changed["loss"]["name"] in {loss.name for loss in tasks.find(other.tasks[0]).losses}
    assert set(tasks.find(other.tasks[0]).slots) <= set(changed["networks"])
    page.locator("[data-testid=train]:enabled").wait_for()  # nothing is wrong
    page.get_by_test_id("undo").click()
    until(lambda: server.project(page)["task"] == before["task"])
    back = server.project(page)
    assert {part: back[part] for part in ("data", "loss", "networks", "optimizer")} == {
        part: before[part] for part in ("data", "loss", "networks", "optimizer")
    }


def test_a_closed_drawer_of_settings_changes_none_of_them(visit: Visit, server: Server) -> None:
    page = visit()
    before = server.project(page)["data"]
    page.get_by_test_id("node-conv1").click()  # the page runs again with the drawer closed
    page.wait_for_timeout(1500)
    page.get_by_text("Preparation").click()
    page.get_by_label("size", exact=False).first.wait_for()
    page.wait_for_timeout(1500)
    assert server.project(page)["data"] == before


@pytest.mark.parametrize(("height", "least"), [(768, 460), (1080, 640)])
def test_the_editor_follows_the_window_and_leaves_the_panel_in_view(visit: Visit, height: int, least: int) -> None:
    page = visit(size=(1366, height))
    page.get_by_test_id("node-conv1").wait_for()
    editor = page.locator(".layerloom").bounding_box()
    assert editor["height"] >= least
    assert editor["y"] + editor["height"] <= height - 250
