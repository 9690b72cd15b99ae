"""What the browser tests of the tasks share: a starter project is opened, a field of a panel set, a picture compared."""

from __future__ import annotations

from typing import Any

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look


def open_template(look: Look, server: Server, name: str, node: str) -> None:
    """Open a starter project from the gallery, as one undoable step, and wait for one of its blocks."""
    page = look.page
    page.get_by_test_id("gallery").click()
    page.get_by_test_id(f"template-{name}").click()
    page.get_by_test_id(f"node-{node}").wait_for()
    page.locator("[data-testid=saved][data-state=saved]").wait_for()
    page.wait_for_timeout(1500)  # the panels show the new project before anything in them is changed


def set_number(page: Any, label: str, value: object) -> None:
    """Type into a number field of a panel and leave it."""
    field = page.get_by_label(label, exact=True).first
    field.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(str(value))
    page.keyboard.press("Enter")


def changes(page: Any, selector: str, seconds: float = 60.0) -> None:
    """Wait until what a view shows is no longer what it showed at first."""
    page.locator(selector).first.wait_for()
    look = lambda: page.locator(selector).first.inner_html() if page.locator(selector).count() else ""  # noqa: E731
    before = look()
    until(lambda: look() not in ("", before), seconds)


def choose(page: Any, label: str, option: str, exact: bool = False) -> None:
    """Pick from one of the panels' lists, by keyboard."""
    page.get_by_label(label, exact=True).first.click()
    page.keyboard.type(option)
    page.get_by_role("option", name=option, exact=exact).first.click()
