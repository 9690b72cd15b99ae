"""Segmentation in the browser: a U-Net is opened, trained, its masks looked at, a loss chosen with its fix, exported."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.browser.task_paths import begin_training, choose, end_training, exported_script, open_template

pytestmark = pytest.mark.browser


def masks(page: Any) -> list[str]:
    """The pictures of the network's masks, as they stand."""
    found: list[str] = page.locator(".masks figure img:nth-child(3)").evaluate_all("all => all.map(e => e.src)")
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_masks_improve_before_ones_eyes(chrome: Any, server: Server, dark: bool) -> None:
    with Look(chrome, server.url, f"masks-{'dark' if dark else 'light'}-", dark=dark) as look:
        page = look.page
        open_template(look, server, "unet_shapes", "dec1")
        until(lambda: server.project(page)["data"]["name"] == "shape_masks")
        look.tab("Data")
        page.locator(".samples img").first.wait_for()
        page.get_by_text("Pixels per class").wait_for()
        look.shot("1-data", 2500)

        begin_training(page, "mean_iou")
        look.shot("2-curves", 2500)
        look.tab("Results")
        page.locator(".masks figure").nth(3).wait_for()
        early = masks(page)
        run = until(lambda: next((r for r in server.runs() if r.state.step > 0), None))
        until(lambda: run.state.epoch >= 1 and run.state.validation, 120)
        until(lambda: masks(page) != early)
        look.shot("3-early")
        until(lambda: run.state.validation.get("metrics", {}).get("mean_iou", 0) > (0.35 if dark else 0.6), 240)
        page.locator(".scores tr.mean").wait_for()
        look.shot("4-later", 1500)
        end_training(page)
        until(lambda: run.state.status == "stopped")
        page.wait_for_timeout(1500)
        before = masks(page)
        slider = page.get_by_role("slider").first
        slider.focus()
        for _ in range(7):
            page.keyboard.press("ArrowRight")
        until(lambda: masks(page) != before)
        look.shot("5-threshold")
        if dark:
            return

        look.tab("Loss & optimizer")
        choose(page, "Loss", "BCE per pixel")
        until(lambda: server.project(page)["loss"]["name"] == "bce")
        page.locator("[data-testid=node-output][data-state=error]").wait_for()
        page.get_by_test_id("node-output").click()
        page.get_by_test_id("bubble").first.wait_for()
        look.shot("6-other-loss")
        page.locator("[data-testid$=fix-0]").first.click()
        page.locator("[data-testid=node-output][data-state=ok]").wait_for()

        assert "def segmentation_loss" in exported_script(look)
