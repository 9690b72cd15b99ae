"""The canvas alone in a real browser: a page with a stand-in for Streamlit and Python (canvas_host.js)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit
from playwright.sync_api import Locator, Page, Route, sync_playwright

HERE = Path(__file__).parent
BUNDLE = HERE.parents[1] / "builder" / "canvas" / "dist" / "canvas.js"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
ADDRESS = "http://localhost/"

FONTS = {"sans": "SourceSansVF-Upright", "code": "SourceCodeVF-Upright"}
"""Streamlit's fonts, which the canvas is seen in."""
LIGHT = "--st-font:sans;--st-code-font:code;--st-background-color:#ffffff;--st-text-color:#171c27"
DARK = "--st-font:sans;--st-code-font:code;--st-background-color:#0e1117;--st-text-color:#fafafa"

PAGE = """<!doctype html><html style="{theme}"><head><meta charset="utf-8">
<style>body{{margin:0;background:var(--st-background-color)}}
@font-face{{font-family:sans;src:url(/sans.woff2);font-weight:200 900}}
@font-face{{font-family:code;src:url(/code.woff2);font-weight:200 900}}</style></head><body><script type="module">
import * as module from "/canvas.js";
import {{ start, starters }} from "/host.js";
const options = {options};
start(module, {{ ...options, project: options.project ? () => options.project : starters[options.starter] }});
</script></body></html>"""


def font(name: str) -> Path:
    """The file of one of Streamlit's fonts."""
    media = Path(streamlit.__file__).parent / "static" / "static" / "media"
    return next(media.glob(f"{name}.*.woff2"))


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield chromium
        finally:
            chromium.close()


def open_canvas(
    chromium: Any,
    starter: str = "lenet5",
    *,
    dark: bool = False,
    size: tuple[int, int] = (1366, 768),
    page: Page | None = None,
    **options: Any,
) -> Page:
    """A page with the canvas on a starter of canvas_host.js; errors in the page are kept in `page.errors`."""
    if page is None:
        page = chromium.new_context(viewport={"width": size[0], "height": size[1]}).new_page()
        errors: list[str] = []
        page.errors = errors  # type: ignore[attr-defined]
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    text = PAGE.format(theme=DARK if dark else LIGHT, options=json.dumps({"starter": starter, **options}))

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ADDRESS)
        if path == "canvas.js":
            route.fulfill(path=BUNDLE, content_type="text/javascript")
        elif path == "host.js":
            route.fulfill(path=HERE / "canvas_host.js", content_type="text/javascript")
        elif path.removesuffix(".woff2") in FONTS:
            route.fulfill(path=font(FONTS[path.removesuffix(".woff2")]), content_type="font/woff2")
        elif path == "":
            route.fulfill(body=text, content_type="text/html")
        else:
            route.fulfill(status=204, body="")

    page.unroute_all()
    page.route("**/*", answer)
    page.goto(ADDRESS)
    page.get_by_test_id("canvas").wait_for()
    if starter != "empty":
        page.locator("[data-testid^='node-']").first.wait_for()
    page.wait_for_timeout(350)
    return page


def document(page: Page) -> dict[str, Any]:
    """The project as the stand-in for Python last received it, once nothing is on its way any more."""
    page.wait_for_timeout(150)
    project: dict[str, Any] = page.evaluate("host.snapshot.project")
    return project


def network(page: Page) -> dict[str, Any]:
    """The network on the canvas, as Python has it."""
    net: dict[str, Any] = next(iter(document(page)["networks"].values()))
    return net


def centre(locator: Locator) -> tuple[float, float]:
    """The middle of an element, in pixels of the page."""
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, start: tuple[float, float], end: tuple[float, float], steps: int = 8) -> None:
    """Press, move and release the mouse."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=steps)
    page.mouse.up()
