"""What the browser tests of the tasks share: a starter project is opened, trained, looked at, and its script taken home."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
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


def begin_training(page: Any, curve: str) -> None:
    """Press Train and wait for a curve."""
    page.get_by_test_id("train").click()
    page.get_by_test_id(f"curve-{curve}").wait_for()


def after_epoch(server: Server, epoch: int, seconds: float = 120.0) -> Any:
    """The run that is past this epoch, waited for."""
    return until(lambda: next((r for r in server.runs() if r.state.epoch > epoch), None), seconds)


def end_training(page: Any) -> None:
    """Press Stop and wait until one could train again."""
    page.get_by_test_id("stop").click()
    page.get_by_test_id("train").wait_for()


def exported_script(look: Look) -> str:
    """The text of train.py in the archive that the Export panel gives."""
    look.tab("Export")
    with look.page.expect_download() as download:
        look.page.get_by_role("button", name="Code, notebook and weights").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as content:
        (script,) = (name for name in content.namelist() if name.endswith("train.py"))
        return content.read(script).decode()


def views_in_the_dark(look: Look, server: Server, template: str, node: str, curve: str, view: str, epoch: int) -> None:
    """Pictures of the curves and of the results of a starter project past an epoch."""
    open_template(look, server, template, node)
    begin_training(look.page, curve)
    after_epoch(server, epoch)
    look.shot("curves")
    look.tab("Results")
    look.page.get_by_test_id(view).wait_for()
    look.shot("results", settle=3000)
    end_training(look.page)
