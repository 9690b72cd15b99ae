"""The starter project of a generative adversarial network in the browser: two canvases, stepped alone, watched, taken home."""

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


def test_a_gan_is_opened_trained_stepped_alone_and_exported(chrome: Any, server: Server) -> None:
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

        begin_training(page, "losses")
        page.get_by_test_id("thumb-fc1").wait_for()
        run = after_epoch(server, 8)
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
        end_training(page)

        look.tab("Results")
        page.get_by_role("button", name="New noise").click()
        page.get_by_text("new noise 1").wait_for()
        before = page.locator(".js-plotly-plot .scatterlayer").first.inner_html()
        page.get_by_role("button", name="New noise").click()
        page.get_by_text("new noise 2").wait_for()
        until(lambda: page.locator(".js-plotly-plot .scatterlayer").first.inner_html() != before)
        legend = page.get_by_text("where it says real").bounding_box()
        assert legend is not None
        assert legend["y"] + legend["height"] <= 768, "the legend is seen without scrolling"
        look.shot("new-noise")
        page.get_by_role("button", name="Back", exact=True).click()
        page.get_by_text("new noise 2").wait_for(state="detached")

        look.tab("Code")
        page.get_by_text("class Discriminator").first.wait_for()
        assert "def generator_loss" in exported_script(look)


def test_its_views_in_the_dark(chrome: Any, server: Server) -> None:
    with Look(chrome, server.url, "gan-dark-", dark=True) as look:
        views_in_the_dark(look, server, "gan", "noise", "losses", "film", 20)


def test_panels_and_commands_in_quick_turn(chrome: Any, server: Server) -> None:
    """What is asked for while panels follow a training is neither lost nor drawn into the wrong place."""
    with Look(chrome, server.url, "gan-quick-") as look:
        page = look.page
        open_template(look, server, "gan", "noise")
        look.tab("Loss & optimizer")
        set_number(page, "epochs", 30000)
        until(lambda: server.project(page)["training"]["epochs"] == 30000)
        page.get_by_test_id("train").click()
        run = until(lambda: next((r for r in server.runs() if r.state.epoch > 1), None))
        for round in range(8):
            page.get_by_role("tab", name="Results").click()
            page.wait_for_timeout(300 * (round % 3))
            page.get_by_role("tab", name="Inside").click()
            page.get_by_test_id("pause").click()
            until(lambda: run.state.status == "paused")
            page.get_by_test_id("resume").click()
            until(lambda: run.state.status == "running")
        page.get_by_text("Output of fc1").wait_for()
        page.get_by_test_id("pause").click()
        page.get_by_test_id("resume").wait_for()
        page.wait_for_timeout(10_000)
        assert page.get_by_test_id("offline").count() == 0, "a paused training is no silent server"
        page.get_by_test_id("stop").click()
        page.get_by_test_id("train").wait_for()
