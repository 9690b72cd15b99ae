"""Word vectors in a browser: trained, the map, arithmetic and the tree looked at, a setting changed, exported."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.browser.starter import project_of, train_to_the_end
from tests.browser.task_paths import exported_script, set_number

pytestmark = pytest.mark.browser


def map_of(page: Any) -> str:
    """Where the words of the map lie, as the picture's text."""
    found: str = page.locator(".js-plotly-plot .scatterlayer").first.inner_html()
    return found


def test_kings_and_queens(server: Server, chrome: Any) -> None:
    with Look(chrome, project_of(server, "skipgram", epochs=400), "words-") as look:
        page = look.page
        page.get_by_text("Most frequent").wait_for()
        look.shot("1-data", 1500)
        page.locator("[data-testid=train]:enabled").click()
        page.get_by_test_id("pause").wait_for()
        look.tab("Results")
        page.locator(".js-plotly-plot .textpoint").first.wait_for()
        before = map_of(page)
        page.wait_for_function(
            "before => document.querySelector('.js-plotly-plot .scatterlayer').innerHTML != before", arg=before
        )
        page.locator(".st-key-below .near").wait_for()
        look.shot("2-training")
        page.locator(".st-key-below .near .first", has_text="queen").wait_for()
        page.get_by_test_id("stop").click()
        page.get_by_test_id("train").wait_for()
        look.shot("3-results", 2000)
        field = page.get_by_role("textbox", name="Words with + and − between them")
        field.fill("Paris")
        field.press("Enter")
        # After so few steps it is by chance which of the other capitals is the nearest.
        page.locator(".st-key-below .near div", has_text=re.compile("London|Washington|Moscow|Cairo")).first.wait_for()
        field.fill("Atlantis")
        field.press("Enter")
        page.get_by_text("'Atlantis' is not among the 377 words").wait_for()
        look.shot("4-unknown")
        look.tab("Curves")
        page.get_by_test_id("curve-analogies").wait_for()
        look.shot("5-curves")
        look.tab("Loss & optimizer")
        set_number(page, "negatives", 8)
        until(lambda: server.project(page)["loss"]["settings"]["negatives"] == 8)
        page.locator("[data-testid=train]:enabled").wait_for()
        look.shot("6-loss", 1500)
        script = exported_script(look)
        assert '"name": "negative_sampling"' in script
        assert '"negatives": 8' in script


def test_the_way_in_the_tree_in_the_dark(server: Server, chrome: Any) -> None:
    with Look(chrome, project_of(server, "skipgram_hierarchical", epochs=4), "tree-", dark=True) as look:
        page = look.page
        train_to_the_end(page, server)
        look.tab("Results")
        page.locator("img.way").wait_for()
        page.locator(".js-plotly-plot .textpoint").first.wait_for()
        look.shot("1-results", 2500)


def test_collisions_are_named(server: Server, chrome: Any) -> None:
    with Look(chrome, project_of(server, "skipgram_hashed", epochs=2), "hashed-") as look:
        page = look.page
        train_to_the_end(page, server)
        look.tab("Results")
        page.get_by_text("share their vector with another").wait_for()
        look.shot("1-results", 2500)
