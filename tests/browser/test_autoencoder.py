"""An autoencoder in the browser: opened, trained, its map clicked, a walk, the bottleneck changed, exported."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.browser.task_paths import begin_training, changes, exported_script, open_template

pytestmark = pytest.mark.browser


def source(page: Any, name: str) -> str:
    """The picture of this name."""
    found: str = page.get_by_test_id(name).first.evaluate("e => e.src ?? e.innerHTML")
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_digits_gather_on_a_map_and_every_place_is_decoded(chrome: Any, server: Server, dark: bool) -> None:
    with Look(chrome, server.url, f"autoencoder-{'dark' if dark else 'light'}-", dark=dark) as look:
        page = look.page
        open_template(look, server, "variational_autoencoder" if dark else "autoencoder", "latent")
        begin_training(page, "loss")
        look.tab("Results")
        changes(page, "[data-testid=reconstructions]", 120)
        until(lambda: next((r for r in server.runs() if r.state.status == "done"), None), 200)
        page.get_by_test_id("train").wait_for()
        look.tab("Curves")
        look.tab("Results")
        page.locator(".js-plotly-plot .scatterlayer").first.wait_for()
        page.get_by_test_id("decoded").wait_for()
        look.shot("1-results", 2500)
        before = source(page, "decoded")
        box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
        page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
        until(lambda: source(page, "decoded") != before)
        walk = source(page, "walk")
        field = page.get_by_label("to sample", exact=True)
        field.click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("17")
        page.keyboard.press("Enter")
        until(lambda: source(page, "walk") != walk)
        look.shot("2-clicked", 1500)
        if dark:
            return
        page.get_by_test_id("node-latent").click()
        page.get_by_test_id("setting-out_features").click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("8")
        page.keyboard.press("Enter")
        until(
            lambda: (
                next(n for n in server.project(page)["networks"]["network"]["nodes"] if n["id"] == "latent")[
                    "settings"
                ]["out_features"]
                == 8
            )
        )
        page.get_by_test_id("train").click()
        until(lambda: sum(r.state.status == "done" for r in server.runs()) == 2, 200)
        page.get_by_test_id("train").wait_for()
        look.tab("Results")
        page.get_by_text("8 numbers, seen along").wait_for()
        look.shot("3-eight", 2000)
        assert "def reconstruct" in exported_script(look)
