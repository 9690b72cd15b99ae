"""Sequences in a browser: a network that writes, names, a forecast, and a recurrent block from inside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.browser.starter import project_of, train_to_the_end
from tests.browser.task_paths import choose, exported_script

pytestmark = pytest.mark.browser

PRESENT = Path(os.environ.get("LAYERLOOM_DATA", "/nonexistent"))


def test_a_network_writes(server: Server, chrome: Any) -> None:
    with Look(chrome, project_of(server, "char_lstm", epochs=2), "writing-") as look:
        page = look.page
        look.shot("1-data", 1500)
        page.locator("[data-testid=train]:enabled").click()
        page.get_by_test_id("pause").wait_for()
        look.tab("Results")
        page.locator(".surprise").wait_for()
        page.locator(".writing").wait_for()
        look.shot("2-training")
        page.get_by_test_id("train").wait_for()
        before = page.locator(".writing").inner_text()
        page.get_by_role("button", name="Write again").click()
        page.wait_for_function("before => document.querySelector('.writing')?.innerText != before", arg=before)
        look.shot("3-written", 1500)
        look.tab("Export")
        page.get_by_role("button", name="Code, notebook and weights").wait_for()


def test_a_forecast_and_the_gates(server: Server, chrome: Any) -> None:
    with Look(chrome, project_of(server, "gru_forecast", epochs=20), "forecast-") as look:
        page = look.page
        train_to_the_end(page, server)
        look.tab("Results")
        page.get_by_text("that of the naive forecast").wait_for()
        look.shot("1-results", 2000)
        before = page.get_by_text("that of the naive forecast").inner_text()
        page.get_by_test_id("node-gru").click()
        look.tab("Inside")
        page.locator(".gates img").first.wait_for()
        page.get_by_text("How far back it learns").scroll_into_view_if_needed()
        look.shot("2-gates", 2500)
        look.tab("Loss & optimizer")
        choose(page, "Loss", "Absolute error")
        until(lambda: server.project(page)["loss"]["name"] == "mae")
        look.shot("3-loss", 1500)
        page.get_by_test_id("train").click()
        until(lambda: sum(run.state.status == "done" for run in server.runs()) == 2, 240)
        page.get_by_test_id("train").wait_for()
        look.tab("Results")
        until(lambda: page.get_by_text("that of the naive forecast").inner_text() != before)
        assert '"name": "mae"' in exported_script(look)


@pytest.mark.skipif(not (PRESENT / "names").is_dir(), reason="LAYERLOOM_DATA names no folder with names/")
def test_names_in_the_dark(server: Server, chrome: Any) -> None:
    with Look(chrome, project_of(server, "rnn_names", epochs=1), "names-", dark=True) as look:
        page = look.page
        look.shot("1-data", 2500)
        train_to_the_end(page, server)
        look.tab("Results")
        page.locator(".predictions.texts p").first.wait_for()
        look.shot("2-results", 2000)
