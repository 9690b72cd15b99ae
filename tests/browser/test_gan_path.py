"""The starter project of a generative adversarial network in the browser: two canvases, stepped alone, watched, taken home."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.browser.task_paths import changes, open_template, set_number


def test_a_gan_is_opened_trained_stepped_alone_and_exported(chrome: Any, server: Server, tmp_path: Path) -> None:
    with Look(chrome, server.url, "gan-") as look:
        page = look.page
        open_template(look, server, "gan", "noise")
        page.get_by_test_id("network-discriminator").click()
        page.get_by_test_id("node-point").wait_for()
        look.shot("discriminator")
        page.get_by_test_id("network-generator").click()

        look.tab("Loss & optimizer")
        set_number(page, "discriminator steps", 2)
        until(lambda: server.project(page)["task"]["settings"]["discriminator_steps"] == 2)
        set_number(page, "epochs", 3000)
        until(lambda: server.project(page)["training"]["epochs"] == 3000)
        look.shot("objective")

        page.get_by_test_id("train").click()
        page.get_by_test_id("curve-losses").wait_for()
        page.get_by_test_id("thumb-fc1").wait_for()
        run = until(lambda: next((r for r in server.runs() if r.state.epoch > 8), None))
        look.shot("curves")
        look.tab("Results")
        changes(page, "[data-testid=film]")
        page.get_by_text("The samples reach").or_(page.get_by_text("The game")).first.wait_for()
        look.shot("results", settle=2500)
        look.tab("Inside")
        page.get_by_text("Output of fc1").wait_for()
        look.shot("inside")

        page.get_by_test_id("pause").click()
        page.get_by_test_id("resume").wait_for()
        for slot in ("generator", "discriminator"):
            before = run.state.step
            page.get_by_test_id(f"step-{slot}").click()
            until(lambda before=before: run.state.step == before + 1)
            until(lambda: run.state.status == "paused")
        look.shot("paused")
        page.get_by_test_id("stop").click()
        page.get_by_test_id("train").wait_for()

        look.tab("Code")
        page.get_by_text("class Discriminator").first.wait_for()
        look.tab("Export")
        with page.expect_download() as download:
            page.get_by_role("button", name="Code, notebook and weights").click()
        archive = tmp_path / "gan.zip"
        download.value.save_as(archive)
        with zipfile.ZipFile(archive) as content:
            (script,) = (name for name in content.namelist() if name.endswith("train.py"))
            assert "def generator_loss" in content.read(script).decode()


def test_its_views_in_the_dark(chrome: Any, server: Server) -> None:
    with Look(chrome, server.url, "gan-dark-", dark=True) as look:
        page = look.page
        open_template(look, server, "gan", "noise")
        page.get_by_test_id("train").click()
        page.get_by_test_id("curve-losses").wait_for()
        until(lambda: next((r for r in server.runs() if r.state.epoch > 20), None))
        look.shot("curves")
        look.tab("Results")
        page.get_by_test_id("film").wait_for()
        look.shot("results", settle=3000)
        page.get_by_test_id("stop").click()
        page.get_by_test_id("train").wait_for()
