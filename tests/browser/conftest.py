"""Fixtures of the browser tests: a server, a Chromium, and pages that watch for errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.app_harness import WAIT, Server

# What browsers say of Streamlit's own files and of a server that a test has killed.
_NOT_OURS = (
    "disconnected from server",
    "preload",
    "WebSocket",
    "ERR_CONNECTION_REFUSED",
    "ERR_CONNECTION_RESET",
    "Failed to fetch",
    "Network Error",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A fresh server on an empty workspace."""
    found = Server(tmp_path)
    found.start()
    yield found
    found.close()
    assert "Traceback" not in found.log(), found.log()[-4000:]


@pytest.fixture(scope="session")
def chrome() -> Iterator[Any]:
    """One headless Chromium for all tests of the app."""
    from playwright.sync_api import sync_playwright

    from tests.browser.canvas_harness import CHROMIUM, FLAGS

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def visit(chrome: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Open the app (or another address of it) in a page, by default in a fresh profile; errors in pages fail the test."""
    contexts: list[Any] = []
    errors: list[str] = []

    def noted(text: str) -> None:
        if not any(word in text for word in _NOT_OURS):
            errors.append(text)

    def go(address: str = "", *, beside: Any = None, size: tuple[int, int] = (1366, 768), dark: bool = False) -> Any:
        if beside is None:
            contexts.append(
                chrome.new_context(
                    viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
                )
            )
        context = beside.context if beside is not None else contexts[-1]
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda e: noted(str(e)))
        page.on("console", lambda m: noted(m.text) if m.type == "error" else None)
        page.goto(address or server.url)
        page.get_by_test_id("canvas").wait_for()
        page.wait_for_url("**project=**")
        return page

    yield go
    for context in contexts:
        context.close()
    assert errors == []
