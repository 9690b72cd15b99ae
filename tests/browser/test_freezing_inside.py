"""Freezing a block inside one's own block, by the page: it is set inside, and said at every use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builder.project import from_json, load
from builder.training.job import settings
from builder.workspace import Workspace
from tests.browser.app_harness import Server, until
from tests.definitions import node, pair, stack

pytestmark = pytest.mark.browser


def test_a_block_frozen_inside_is_said_at_every_use(visit: Callable[..., Any], server: Server, tmp_path: Path) -> None:
    data = stack(node("a", "Pair"), node("b", "Pair", repeat=2), blocks={"Pair": pair()})
    space = Workspace(server.home)
    id = space.create(from_json(data))
    page = visit(f"{server.url}/?project={id}")
    page.get_by_test_id("node-a").click()
    page.get_by_test_id("frozen-inside").wait_for(state="detached")
    page.get_by_test_id("edit-block").click()
    page.get_by_test_id("node-conv1").click()
    field = page.get_by_test_id("setting-rate")
    field.fill("0")
    field.press("Enter")
    page.get_by_test_id("frozen").wait_for()
    page.screenshot(path=tmp_path / "frozen.png")
    page.get_by_test_id("trail-0").click()
    page.get_by_test_id("node-b").click()
    page.get_by_test_id("frozen-inside").filter(has_text="Frozen inside: 0.conv1, 1.conv1").wait_for()
    page.screenshot(path=tmp_path / "use.png")
    frozen = {"a.conv1": 0.0, "b.0.conv1": 0.0, "b.1.conv1": 0.0}
    until(lambda: settings(load(space.place(id) / "project.json"))["rates"] == {"network": frozen})
