"""The starter project of detection in the browser: boxes find their things while one watches."""

from __future__ import annotations

from typing import Any

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.browser.task_paths import (
    after_epoch,
    begin_training,
    changes,
    end_training,
    exported_script,
    open_template,
    set_number,
    views_in_the_dark,
)


def test_shapes_are_found_while_one_watches_and_the_code_is_taken_home(chrome: Any, server: Server) -> None:
    with Look(chrome, server.url, "yolo-") as look:
        page = look.page
        open_template(look, server, "yolo_tiny", "answers")
        look.tab("Data")
        page.get_by_text("train 1,400").wait_for()
        look.shot("data")
        look.tab("Loss & optimizer")
        page.get_by_text("suppression").first.wait_for()
        set_number(page, "epochs", 40)
        until(lambda: server.project(page)["training"]["epochs"] == 40)
        look.shot("objective")

        begin_training(page, "parts")
        page.get_by_test_id("thumb-conv1").wait_for()
        look.tab("Results")
        changes(page, "[data-testid=boxes]")
        run = after_epoch(server, 2)
        until(lambda: run.state.validation.get("metrics", {}).get("map50", 0) > 0.3, 120)
        look.shot("results", settle=2500)
        look.tab("Curves")
        page.get_by_test_id("curve-map50").wait_for()
        look.shot("curves")
        end_training(page)

        look.tab("Results")
        page.get_by_test_id("boxes").locator(".found").first.wait_for()
        slider = page.get_by_role("slider").first
        before = page.get_by_test_id("boxes").locator(".found").count()
        slider.focus()
        for _ in range(30):
            page.keyboard.press("ArrowRight")
        until(lambda: page.get_by_test_id("boxes").locator(".found").count() < before)
        look.shot("surer")

        assert "def yolo_parts" in exported_script(look)


def test_its_views_in_the_dark(chrome: Any, server: Server) -> None:
    with Look(chrome, server.url, "yolo-dark-", dark=True) as look:
        views_in_the_dark(look, server, "yolo_tiny", "answers", "parts", "boxes", 2)
