"""Weights from a file, by the page: what does not fit is said, what fits is trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from builder.training import weights
from tests.browser.app_harness import Server, until

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]


def lenet(classes: int) -> nn.Module:
    """LeNet-5 with layers of other names than the canvas has."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)),
    )


def test_weights_of_a_file_are_matched_shown_and_trained_on(visit: Visit, server: Server, tmp_path: Path) -> None:
    torch.save(lenet(7).state_dict(), tmp_path / "seven.pt")
    trained = lenet(10)
    torch.save(trained.state_dict(), tmp_path / "ten.pt")
    page = visit()
    page.get_by_test_id("node-conv1").wait_for()
    page.get_by_role("tab", name="Loss & optimizer").click()
    page.get_by_role("button", name="First weights").click()
    page.get_by_role("combobox", name="The next run begins with").click()
    page.get_by_role("option", name="weights from a file").click()
    field = page.locator("input[type=file]").first
    field.set_input_files(tmp_path / "seven.pt")
    page.get_by_text("network.fc3.weight is 7×84 in the file and 10×84 here", exact=False).wait_for()
    page.get_by_test_id("train").click()
    page.get_by_test_id("notice").get_by_text("Choose a partial load", exact=False).wait_for()
    assert server.runs() == []
    if not page.get_by_text("Take what fits", exact=True).is_visible():
        page.get_by_role("button", name="First weights").click()
    page.get_by_text("Take what fits", exact=True).click()
    page.get_by_text("Kept: conv1, conv2, fc1, fc2. Drawn anew: fc3.").first.wait_for()
    field.set_input_files(tmp_path / "ten.pt")
    page.get_by_text("All 10 tensors of ten.pt fit, matched by order and shape.").first.wait_for()
    page.get_by_test_id("train").click()
    run = until(lambda: server.runs() and server.runs()[0], 60)
    until(lambda: run.state.step > 0, 90)
    assert weights.told(run.folder) == "All 10 tensors of ten.pt fit, matched by order and shape."
    begun = weights.read(run.folder / weights.INITIAL_FILE)
    assert torch.equal(begun["network.conv1.weight"], trained.state_dict()["0.weight"])


def test_what_the_next_run_begins_with_outlives_a_reload_and_is_undone(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    torch.save(lenet(10).state_dict(), tmp_path / "ten.pt")
    page = visit()
    page.get_by_test_id("node-conv1").wait_for()
    page.get_by_role("tab", name="Loss & optimizer").click()
    page.get_by_role("button", name="First weights").click()
    page.get_by_role("combobox", name="The next run begins with").click()
    page.get_by_role("option", name="weights from a file").click()
    page.locator("input[type=file]").first.set_input_files(tmp_path / "ten.pt")
    page.get_by_text("All 10 tensors of ten.pt fit, matched by order and shape.").first.wait_for()
    page.get_by_text("The next run begins with the weights of ten.pt").wait_for()
    page.reload()
    page.get_by_test_id("node-conv1").wait_for()
    page.get_by_role("tab", name="Loss & optimizer").click()
    told = page.get_by_text("The next run begins with the weights of ten.pt")
    told.wait_for()
    page.get_by_role("button", name="First weights").click()
    page.get_by_text("All 10 tensors of ten.pt fit, matched by order and shape.").first.wait_for()
    page.get_by_role("combobox", name="The next run begins with").click()
    page.get_by_role("option", name="weights drawn anew").click()
    told.wait_for(state="hidden")
    page.get_by_test_id("undo").click()
    told.wait_for()
