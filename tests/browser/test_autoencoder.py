"""An autoencoder in the browser: opened, trained, its map dragged in, a walk, the bottleneck changed, exported."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.browser.task_paths import begin_training, changes, exported_script, open_template, set_number

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
        look.tab("Loss & optimizer")
        set_number(page, "epochs", 400)  # it must last while the page looks on: forty take a second
        begin_training(page, "loss")
        look.tab("Results")
        changes(page, "[data-testid=reconstructions]", 120)
        until(lambda: next((r for r in server.runs() if r.state.status == "done"), None), 200)
        page.get_by_test_id("train").wait_for()
        look.tab("Curves")
        look.tab("Results")
        page.get_by_test_id("plane").locator("circle").nth(50).wait_for()
        look.shot("1-results", 2500)
        place = page.get_by_test_id("plane")
        place.scroll_into_view_if_needed()
        box = place.bounding_box()
        seen = [source(page, "decoded")]
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
        page.mouse.down()
        for part in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
            page.mouse.move(box["x"] + part * box["width"], box["y"] + 0.4 * box["height"], steps=4)
            page.wait_for_timeout(400)
            seen.append(source(page, "decoded"))
        assert len(set(seen)) >= 4, "the picture follows while the button is held"
        page.mouse.up()
        page.get_by_text("Decoded at (").wait_for()
        before = source(page, "decoded")
        place.focus()
        for _ in range(8):
            page.keyboard.press("ArrowLeft")
        until(lambda: source(page, "decoded") != before)
        walk = source(page, "walk")
        field = page.get_by_label("to sample", exact=True)
        field.click()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("17")
        page.keyboard.press("Enter")
        until(lambda: source(page, "walk") != walk)
        look.shot("2-dragged", 1500)
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
