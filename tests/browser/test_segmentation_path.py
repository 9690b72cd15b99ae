"""Segmentation in the browser: a U-Net is opened, trained, its masks looked at, a loss chosen with its fix, exported."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.browser.task_paths import begin_training, choose, end_training, exported_script, open_template, set_number

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


def zipped(path: Path) -> Path:
    """Twelve pictures with a bright disc, masks of 0, 100 and 200 for nothing, the disc and its rim, and three faults."""
    rows, columns = np.mgrid[0:48, 0:64]
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(12):
            apart = np.hypot(rows - 24, columns - 14 - 3 * i)
            mask = np.where(apart < 8, 100, np.where(apart < 12, 200, 0)).astype(np.uint8)
            picture = np.where(mask > 0, 150 + mask // 4, 60).astype(np.uint8)[..., None].repeat(3, 2)
            small = Image.fromarray(mask[:20])
            for name, made in (
                ("images", Image.fromarray(picture)),
                ("masks", small if i == 3 else Image.fromarray(mask)),
            ):
                content = io.BytesIO()
                made.save(content, "PNG")
                if (name, i) != ("masks", 4):
                    archive.writestr(
                        f"discs/{name}/{i:02}.png", content.getvalue()[: 40 if (name, i) == ("images", 5) else None]
                    )
    return path


def test_pictures_and_masks_of_one_s_own_bring_their_task_and_are_trained(
    chrome: Any, server: Server, tmp_path: Path
) -> None:
    with Look(chrome, server.url, "own-masks-") as look:
        page = look.page
        look.tab("Data")
        choose(page, "Data set", "Your own pictures with masks")
        until(lambda: server.project(page)["task"]["name"] == "segmentation")
        page.get_by_text("No pictures have been chosen yet").first.wait_for()
        look.shot("1-none")
        page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(zipped(tmp_path / "discs.zip"))
        page.get_by_text("3 things in it could not be used as they are").click()
        page.get_by_text("discs/masks/03.png: the mask has 64×20 pixels").wait_for()
        page.get_by_text("discs/images/04.png: it has no mask").wait_for()
        page.locator(".samples img").first.wait_for()
        page.locator("[data-testid=train]:enabled").wait_for()
        settings = server.project(page)["data"]["settings"]
        assert (settings["values"], settings["counts"]) == (["0", "100", "200"], [9])
        look.shot("2-data", 2500)
        page.get_by_text("Preparation").click()
        page.get_by_label("classes", exact=True).first.fill("nothing, disc, rim")
        page.keyboard.press("Enter")
        until(lambda: server.project(page)["data"]["settings"]["classes"] == ["nothing", "disc", "rim"])
        look.tab("Loss & optimizer")
        set_number(page, "epochs", 6)
        until(lambda: server.project(page)["training"]["epochs"] == 6)
        begin_training(page, "loss")
        look.tab("Results")
        page.locator(".masks figure").first.wait_for()
        until(lambda: any(r.state.status == "done" for r in server.runs()), 240)
        page.get_by_test_id("train").wait_for()
        page.locator(".maskkey", has_text="rim").wait_for()
        look.shot("3-results", 2000)
        assert "def read_pair" in exported_script(look)
