"""Regression in the browser: diabetes trained and looked at, a loss chosen, a table of one's own uploaded, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look
from tests.browser.task_paths import begin_training, changes, choose, exported_script, open_template, set_number

pytestmark = pytest.mark.browser

PLOT = ".js-plotly-plot .scatterlayer"


def table(path: Path) -> Path:
    """A price that follows from size and age, with two rows that cannot be used and a column of words."""
    draw = np.random.default_rng(0)
    lines = ["town,size,age,price"]
    for i in range(300):
        size, age = draw.uniform(20, 200), draw.uniform(0, 80)
        cell = {7: "", 11: "old"}.get(i, f"{age:.1f}")
        lines.append(f"Ulm,{size:.1f},{cell},{3000 * size - 500 * age + draw.normal(0, 5000):.0f}")
    path.write_text("\n".join(lines))
    return path


def test_guesses_gather_at_the_diagonal_and_a_table_of_one_s_own_is_taken(
    chrome: Any, server: Server, tmp_path: Path
) -> None:
    with Look(chrome, server.url, "regression-") as look:
        page = look.page
        open_template(look, server, "mlp_regression", "features")
        look.shot("1-data", 1500)
        look.tab("Loss & optimizer")
        set_number(page, "epochs", 4000)
        until(lambda: server.project(page)["training"]["epochs"] == 4000)
        begin_training(page, "loss")
        look.tab("Results")
        changes(page, PLOT)
        page.get_by_text("always guessing their mean").wait_for()
        look.shot("2-results", 2500)
        page.get_by_test_id("stop").click()
        page.get_by_test_id("train").wait_for()

        look.tab("Loss & optimizer")
        choose(page, "Loss", "Huber")
        until(lambda: server.project(page)["loss"]["name"] == "huber")
        look.shot("3-loss", 1500)

        look.tab("Data")
        choose(page, "Data set", "Your own table")
        page.get_by_text("No table has been chosen yet").first.wait_for()
        look.shot("4-no-table")
        page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(table(tmp_path / "prices.csv"))
        page.get_by_text("3 things in it could not be used as they are").click()
        page.get_by_text("Line 9 has nothing in column 'age'").wait_for()
        page.get_by_text("Line 13 has 'old', which is no number").wait_for()
        page.locator("[data-testid=train]:enabled").wait_for()
        own = until(lambda: found if (found := server.project(page))["data"]["settings"].get("rows") else None)
        assert own["data"]["settings"]["columns"] == ["size", "age", "price"]
        assert own["data"]["settings"]["rows"] == 298
        look.shot("5-own-table", 2500)
        look.tab("Loss & optimizer")
        set_number(page, "epochs", 60)
        until(lambda: server.project(page)["training"]["epochs"] == 60)
        page.get_by_test_id("train").click()
        until(lambda: any(r.state.status == "done" for r in server.runs()), 120)
        page.get_by_test_id("train").wait_for()
        look.tab("Results")
        page.get_by_text("always guessing their mean").wait_for()
        look.shot("6-own-results", 2000)
        assert "def read_table" in exported_script(look)
