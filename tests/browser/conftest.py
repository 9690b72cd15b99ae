"""Fixtures of the browser tests: a server, a Chromium, and pages that watch for errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.app_harness import WAIT, Server

# What browser and Streamlit write to the console while a test has the server killed.
_NO_SERVER = (
    "disconnected from server",
    "reaching server endpoint",
    "connected to the internet",
    "WebSocket",
    "net::ERR_",
    "Failed to load resource",
    "Failed to fetch",
    "_stcore",
    "Network Error",
)


FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell a measured figure, which is printed at the end of the tests whether they pass or not."""
    told = request.config.stash.setdefault(FIGURES, [])
    return lambda text: told.append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    told = config.stash.get(FIGURES, [])
    if told:
        terminalreporter.section("measured")
        for line in told:
            terminalreporter.write_line(line)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A fresh server on an empty workspace."""
    found = Server(tmp_path)
    found.start()
    yield found
    told = found.log()  # a run of the page that the end of the server interrupts is no mistake
    found.close()
    assert "Traceback" not in told, told[-4000:]


@pytest.fixture(scope="session")
def chrome() -> Iterator[Any]:
    """One headless Chromium for all browser tests: Playwright runs only once in a process."""
    from tests.browser.canvas_harness import browser

    with browser() as found:
        yield found


@pytest.fixture
def visit(chrome: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Open the app (or another address of it) in a page, by default in a fresh profile; errors in pages fail the test."""
    contexts: list[Any] = []
    errors: list[str] = []

    def noted(message: Any) -> None:
        expected = server.killed and any(word in message.text for word in _NO_SERVER)
        if message.type == "error" and not expected:
            errors.append(message.text)

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
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("console", noted)
        page.goto(address or server.url)
        page.get_by_test_id("canvas").wait_for()
        page.wait_for_url("**project=**")
        return page

    yield go
    for context in contexts:
        context.close()
    assert errors == []
