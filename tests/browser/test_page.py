"""The page in a real browser: the first minute, and that nothing is lost by a reload, a dead server or a second tab."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import builder
from builder.training import checkpoint
from tests.browser.app_harness import Server, until

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]
EPOCHS = 40
"""Long enough on the digits for a kill in the middle, short enough to be trained twice."""


def saved(page: Any) -> None:
    """Wait until every edit has reached the disk."""
    page.locator("[data-testid=saved][data-state=saved]").wait_for()


def set_channels(page: Any, value: int) -> None:
    """Give conv1 so many channels, by the inspector."""
    page.get_by_test_id("node-conv1").click()
    page.get_by_test_id("setting-out_channels").fill(str(value))
    page.keyboard.press("Enter")


def channels(project: dict[str, Any]) -> int:
    node = next(n for n in project["networks"]["network"]["nodes"] if n["id"] == "conv1")
    found: int = node["settings"]["out_channels"]
    return found


def set_epochs(page: Any, server: Server, value: int) -> None:
    """Set the number of epochs in the page's own panel."""
    page.get_by_role("tab", name="Loss & optimizer").click()
    field = page.get_by_label("epochs", exact=True).first
    field.fill(str(value))
    field.press("Enter")
    until(lambda: server.project(page)["training"].get("epochs") == value)


def train_long(page: Any, server: Server) -> None:
    """A training that does not end by itself within the test."""
    set_epochs(page, server, 5000)
    page.get_by_test_id("train").click()
    page.get_by_test_id("pause").wait_for()
    until(lambda: server.runs()[-1].state.step > 0, 90)


def test_the_first_visit_shows_a_network_that_trains_with_one_click(visit: Visit, server: Server) -> None:
    page = visit()
    page.get_by_test_id("node-conv1").wait_for()
    assert "61,706" in page.get_by_test_id("totals").inner_text()
    assert page.get_by_role("tab", name="Data").get_attribute("aria-selected") == "true"
    page.get_by_test_id("train").click()
    page.locator("[role=tab][aria-selected=true]", has_text="Curves").wait_for()
    page.get_by_text("epoch ", exact=False).first.wait_for()
    until(lambda: server.runs()[0].state.step > 20, 90)
    for name in ("loss", "accuracy"):
        curve = page.get_by_test_id(f"curve-{name}")
        curve.wait_for()
        box = curve.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 768, "the curves must be seen without scrolling"
    page.locator("[data-testid=thumb-conv1]").first.wait_for()
    assert f"run={server.runs()[0].id}" in page.url


def test_a_panel_clicked_right_after_train_is_drawn(visit: Visit, server: Server) -> None:
    page = visit()
    page.get_by_role("tab", name="Results").click()
    page.get_by_text("No results yet").wait_for()
    page.get_by_test_id("train").click()
    page.locator("[role=tab][aria-selected=true]", has_text="Curves").wait_for()
    page.get_by_role("tab", name="Results").click()  # the panel that was in front before
    page.get_by_text("Confusion matrix").first.wait_for(timeout=15_000)
    page.locator("[role=tab][aria-selected=true]", has_text="Results").wait_for()

    said = "getComputedStyle([...document.querySelectorAll('[role=tabpanel]')].find((e) => e.checkVisibility()), '::before').content"
    assert page.evaluate(said) == "none"
    with server.held():
        page.get_by_role("tab", name="Inside").click()
        page.wait_for_timeout(400)
        assert "on its way" in page.evaluate(said)
    page.get_by_text("Output of").first.wait_for()
    assert page.evaluate(said) == "none"
    page.get_by_test_id("stop").click()
    page.get_by_test_id("train").wait_for()


def test_a_reload_keeps_the_edits_and_the_training(visit: Visit, server: Server) -> None:
    page = visit()
    set_channels(page, 9)
    saved(page)
    until(lambda: channels(server.project(page)) == 9)
    train_long(page, server)
    address, run = page.url, server.runs()[0]
    before = run.state.step
    page.reload()
    page.get_by_test_id("pause").wait_for()
    assert page.url == address
    assert page.get_by_test_id("read-only").count() == 0
    until(lambda: run.state.step > before)
    page.get_by_test_id("node-conv1").click()
    assert page.get_by_test_id("setting-out_channels").input_value() == "9"
    page.get_by_test_id("stop").click()
    page.get_by_test_id("train").wait_for()
    assert len(server.runs()) == 1


def test_a_killed_server_loses_no_edit_and_no_step(visit: Visit, server: Server) -> None:
    page = visit()
    set_channels(page, 9)
    saved(page)
    train_long(page, server)
    run = server.runs()[0]
    server.kill()
    before = run.state.step
    page.get_by_test_id("offline").wait_for()
    page.wait_for_timeout(3000)
    assert page.get_by_role("dialog").count() == 0, "nothing lies over the network, which can still be edited"
    set_channels(page, 11)
    until(lambda: run.state.step > before)  # the training goes on by itself
    server.start()
    page.get_by_test_id("offline").wait_for(state="detached")
    until(lambda: channels(server.project(page)) == 11)
    page.get_by_test_id("pause").wait_for()
    assert page.get_by_test_id("read-only").count() == 0
    again = visit(page.url, beside=page)
    again.get_by_test_id("read-only").wait_for()
    again.get_by_test_id("pause").wait_for()
    again.get_by_test_id("node-conv1").click()
    assert again.get_by_test_id("setting-out_channels").input_value() == "11"
    page.get_by_test_id("stop").click()
    until(lambda: run.state.status == "stopped")


def test_worker_and_server_killed_at_once(visit: Visit, server: Server, tmp_path: Path) -> None:
    """A cut of the power, as far as a test can make one: the page, the history and the curve outlive it."""
    page = visit()
    set_epochs(page, server, EPOCHS)
    page.get_by_test_id("train").click()
    run = until(lambda: next(iter(server.runs()), None))
    state = until(lambda: run.state if run.state.epoch >= 4 and checkpoint.found(run.folder) else None, 120, 0.01)
    assert state.status == "running"
    os.kill(state.pid, signal.SIGKILL)
    killed = time.time()
    server.kill(signal.SIGKILL)
    set_channels(page, 9)  # while nothing runs: only this browser has the edit
    page.get_by_test_id("offline").wait_for()
    until(lambda: run.state.status == "lost")
    steps = run.steps()
    reached = len(steps["step"])
    assert steps["step"].tolist() == list(range(1, reached + 1))
    assert 0 < reached < run.state.steps
    assert killed - steps["time"][-1] < 0.5  # at most 0.2 s lie in memory; a step may last while the machine is busy

    server.start()
    page.get_by_test_id("offline").wait_for(state="detached")
    until(lambda: channels(server.project(page)) == 9)
    assert "Continue" in page.get_by_test_id("run-status").inner_text()
    page.get_by_role("tab", name="Curves").click()
    page.get_by_test_id("curve-loss").wait_for()
    page.get_by_text(f"train {np.mean(steps['loss/loss'][-20:]):.3f}").wait_for()  # up to the last step
    page.get_by_test_id("continue").click()
    until(lambda: run.state.status == "done", 180)
    assert len(server.runs()) == 1
    assert 0 < run.attempts()[1] <= reached

    undisturbed = builder.train(builder.load(run.folder / "project.json"), tmp_path / "undisturbed").steps()
    resumed = run.steps()
    assert set(resumed) == set(undisturbed)
    for name in set(resumed) - {"time"}:
        np.testing.assert_array_equal(resumed[name], undisturbed[name], err_msg=name)
    page.get_by_text(f"train {np.mean(undisturbed['loss/loss'][-20:]):.3f}").wait_for()


def test_a_server_killed_right_after_an_edit_and_a_page_opened_anew(visit: Visit, server: Server) -> None:
    page = visit()
    saved(page)
    server.kill()
    set_channels(page, 13)  # never reached the server: only this browser has it
    context = page.context
    address = page.url
    page.close()
    server.start()
    page = context.new_page()
    page.goto(address)
    page.get_by_test_id("node-conv1").wait_for(timeout=90_000)
    until(lambda: channels(server.project(page)) == 13)


def test_a_second_tab_looks_and_takes_over(visit: Visit, server: Server) -> None:
    first = visit()
    saved(first)
    second = visit(first.url, beside=first)
    second.get_by_test_id("read-only").wait_for()
    set_channels(first, 7)
    until(lambda: channels(server.project(first)) == 7)
    until(lambda: "62,132" in first.get_by_test_id("totals").inner_text())
    until(lambda: "62,132" in second.get_by_test_id("totals").inner_text())
    second.get_by_test_id("take-over").click()
    second.get_by_test_id("read-only").wait_for(state="detached")
    first.get_by_test_id("read-only").wait_for()
    set_channels(second, 8)
    until(lambda: channels(server.project(first)) == 8)
    until(lambda: "62,558" in first.get_by_test_id("totals").inner_text())
    assert json.loads((server.folder(first) / "project.json").read_text())["name"] == "LeNet-5"


def test_a_choice_in_a_panel_is_one_undo_away(visit: Visit, server: Server) -> None:
    page = visit()
    page.get_by_role("tab", name="Loss & optimizer").click()
    field = page.get_by_label("epochs", exact=True).first
    field.fill("3")
    field.press("Enter")
    until(lambda: server.project(page)["training"].get("epochs") == 3)
    page.get_by_test_id("undo").click()
    until(lambda: server.project(page)["training"].get("epochs") != 3)
    until(lambda: field.input_value() != "3")


def test_a_broken_network_keeps_the_pictures_of_the_blocks_that_still_stand(visit: Visit, server: Server) -> None:
    page = visit()
    set_epochs(page, server, 2)
    page.get_by_test_id("train").click()
    until(lambda: server.runs() and server.runs()[-1].state.status == "done", 120)
    conv, dense = page.get_by_test_id("thumb-conv1"), page.get_by_test_id("thumb-fc1")
    conv.wait_for()
    dense.wait_for()
    page.get_by_test_id("node-flatten").click()
    page.keyboard.press("Delete")
    dense.wait_for(state="detached")  # nothing comes out of it any more
    page.wait_for_timeout(3000)
    assert conv.is_visible()
    page.get_by_test_id("undo").click()
    dense.wait_for()
    assert conv.is_visible()
    page.get_by_test_id("gallery").click()
    page.get_by_test_id("template-mlp").click()
    page.get_by_test_id("node-fc2").wait_for()
    page.wait_for_timeout(3000)
    assert not page.get_by_test_id("thumb-fc1").count(), "of the network before"


def test_an_address_of_nowhere_opens_something_and_says_so(visit: Visit, server: Server) -> None:
    page = visit(f"{server.url}/?project=../../etc")
    assert "not in this workspace" in page.get_by_test_id("notice").inner_text()
    page.get_by_test_id("node-conv1").wait_for()
