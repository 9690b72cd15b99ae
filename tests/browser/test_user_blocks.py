"""Blocks of one's own in a real browser: made with the mouse, used three times, edited once, exported, undone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import builder
from builder.project import from_json
from tests.browser.app_harness import Server, until
from tests.browser.canvas_harness import centre, drag
from tests.browser.looking import Look

pytestmark = pytest.mark.browser


def choose(page: Any, *ids: str) -> None:
    """Select these blocks with the mouse."""
    canvas = page.get_by_test_id("canvas").bounding_box()
    page.mouse.click(canvas["x"] + 20, canvas["y"] + canvas["height"] - 12)
    page.get_by_test_id(f"node-{ids[0]}").click()
    for id in ids[1:]:
        page.get_by_test_id(f"node-{id}").click(modifiers=["Shift"])


def drop(page: Any, block: str, wire: str) -> None:
    """Drag a block from the palette onto the pill of a wire."""
    pill = page.get_by_test_id(f"pill-{wire}")
    pill.wait_for()
    page.wait_for_timeout(400)  # the view may still be moving to the block before
    drag(page, centre(page.get_by_test_id(f"palette-item-{block}")), centre(pill))


def set_number(page: Any, setting: str, value: int) -> None:
    field = page.get_by_test_id(f"setting-{setting}")
    field.click()
    page.keyboard.press("Control+a")
    page.keyboard.type(str(value))
    page.keyboard.press("Enter")


def total(page: Any, count: int) -> None:
    """Wait until the bar counts so many parameters."""
    page.get_by_test_id("totals").filter(has_text=f"{count:,} parameters").wait_for()


def conv(source: int, target: int, kernel: int) -> int:
    """Parameters of a convolution with a bias."""
    return source * target * kernel * kernel + target


def test_made_with_the_mouse_used_three_times_edited_once_exported_and_undone(
    chrome: Any, server: Server, tmp_path: Path
) -> None:
    with Look(chrome, server.url, "own-block-") as look:
        page = look.page
        total(page, 61_706)
        original = until(lambda: server.project(page))
        rest = 61_706 - conv(1, 6, 5) - conv(6, 16, 5)

        choose(page, "conv1", "relu1")
        page.get_by_test_id("node-relu1").click(button="right")
        look.shot("menu", 300)
        page.get_by_test_id("menu-make-block").click()
        page.get_by_test_id("new-block-name").fill("conv step")
        page.get_by_test_id("expose-out_channels").check()
        look.shot("dialog", 300)
        page.get_by_test_id("make-block-now").click()
        page.get_by_test_id("node-step1").wait_for()
        total(page, 61_706)
        look.shot("made")

        drop(page, "ConvStep", "step1-pool1")
        page.get_by_test_id("node-step2").wait_for()
        set_number(page, "out_channels", 8)
        drop(page, "ConvStep", "step2-pool1")
        page.get_by_test_id("node-step3").wait_for()
        set_number(page, "out_channels", 12)
        total(page, rest + conv(1, 6, 5) + conv(6, 8, 5) + conv(8, 12, 5) + conv(12, 16, 5))
        look.shot("used")

        page.get_by_test_id("node-step2").dblclick(position={"x": 52, "y": 70})
        page.get_by_test_id("trail").filter(has_text="ConvStep").wait_for()
        page.get_by_test_id("node-conv1").click()
        set_number(page, "kernel_size", 3)
        set_number(page, "padding", 1)
        look.shot("opened")
        page.keyboard.press("Escape")  # nothing selected
        page.get_by_test_id("uses").filter(has_text="3 times").wait_for()
        look.shot("definition")
        page.get_by_test_id("trail-0").click()
        total(page, rest + conv(1, 6, 3) + conv(6, 8, 3) + conv(8, 12, 3) + conv(12, 16, 5))
        look.shot("edited")

        look.tab("Code")
        page.get_by_text("class ConvStep").wait_for()
        look.tab("Export")
        with page.expect_download() as started:
            page.get_by_role("button", name="Save the project").click()
        path = tmp_path / "project.json"
        started.value.save_as(path)
        project = builder.load(path)
        source = builder.source(project)
        assert source.count("class ConvStep(nn.Module):") == 1
        assert [source.count(f"= ConvStep({n}") for n in ("1, 6", "6, 8", "8, 12")] == [1, 1, 1], source
        builder.export(project, tmp_path / "code")
        answer = subprocess.run(
            [sys.executable, "train.py", "--epochs", "1", "--json"],
            cwd=tmp_path / "code", capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout.splitlines()[-1])["done"] is True

        undo = page.get_by_test_id("undo")
        for _ in range(40):
            if undo.is_disabled():
                break
            undo.click()
        total(page, 61_706)
        until(lambda: from_json(server.project(page)) == from_json(original))
        page.get_by_test_id("family-own").wait_for(state="detached")
        look.shot("undone")


def test_renamed_kept_for_all_projects_and_refused(chrome: Any, server: Server) -> None:
    with Look(chrome, server.url, "own-library-", dark=True) as look:
        page = look.page
        total(page, 61_706)
        choose(page, "conv1", "pool1")
        page.keyboard.press("b")
        page.get_by_test_id("toast").filter(has_text="through relu1. Select it too").wait_for()
        choose(page, "conv1", "relu1", "pool1")
        page.get_by_test_id("make-block").click()
        name = page.get_by_test_id("new-block-name")
        name.fill("Linear")
        assert "itself" in page.get_by_test_id("make-block-dialog").inner_text()
        assert page.get_by_test_id("make-block-now").is_disabled()
        name.fill("Stage")
        look.shot("dialog", 300)
        page.keyboard.press("Enter")
        page.get_by_test_id("node-stage1").wait_for()

        page.get_by_test_id("edit-block").click()
        page.get_by_test_id("node-conv1").click()
        page.get_by_test_id("expose-out_channels").click()
        look.shot("exposed")
        page.keyboard.press("Escape")
        argument = page.get_by_test_id("argument-name-out_channels")
        argument.fill("width")
        argument.press("Enter")
        title = page.get_by_test_id("definition-name")
        title.fill("PooledConv")
        title.press("Enter")
        page.get_by_test_id("trail").filter(has_text="PooledConv").wait_for()
        page.get_by_test_id("delete-block").click()
        page.get_by_test_id("toast").filter(has_text="is used by stage1. Delete it first").wait_for()
        page.get_by_test_id("keep-block").click()
        page.get_by_test_id("keep-block").filter(has_text="In your library").wait_for()
        look.shot("kept")
        page.keyboard.press("Escape")
        page.get_by_test_id("setting-width").wait_for()
        page.get_by_test_id("ungroup").click()
        page.get_by_test_id("node-pool1").wait_for()
        page.get_by_test_id("palette-item-PooledConv").hover()
        page.get_by_test_id("palette-edit-PooledConv").click()
        page.get_by_test_id("delete-block").click()
        page.get_by_test_id("family-library").wait_for()
        total(page, 61_706)

        page.get_by_test_id("project-menu").click()
        page.get_by_test_id("new-project").click()
        page.get_by_text("An empty canvas").wait_for()
        page.get_by_test_id("palette-item-Image").click()
        page.get_by_test_id("palette-item-PooledConv").click()
        page.get_by_test_id("node-conv1").wait_for()
        page.get_by_test_id("shape").filter(has_text="1×28×28 → 6×14×14").wait_for()
        until(lambda: list(server.project(page)["blocks"]) == ["PooledConv"])
        look.shot("elsewhere")
        page.get_by_test_id("undo").click()
        until(lambda: server.project(page)["blocks"] == {})
        page.get_by_test_id("palette-item-PooledConv").hover()
        page.get_by_test_id("palette-forget-PooledConv").click()
        page.get_by_test_id("family-library").wait_for(state="detached")


def test_a_block_broken_inside_is_mended_where_its_problem_is(chrome: Any, server: Server) -> None:
    with Look(chrome, server.url, "own-broken-") as look:
        page = look.page
        total(page, 61_706)
        choose(page, "conv1", "relu1")
        page.keyboard.press("b")
        page.get_by_test_id("new-block-name").fill("Step")
        page.keyboard.press("Enter")
        page.get_by_test_id("node-step1").wait_for()
        page.keyboard.press("e")
        page.get_by_test_id("node-conv1").click()
        page.get_by_test_id("unwire-in").click()
        page.locator("[data-testid=node-conv1][data-state=error]").wait_for()
        page.get_by_test_id("trail-0").click()
        page.locator("[data-testid=node-step1][data-state=error]").wait_for()
        assert page.get_by_test_id("palette-item-Step").is_disabled()
        look.shot("outside")
        page.get_by_test_id("problems").click()
        page.get_by_test_id("problem-list").get_by_text("Step › conv1").click()
        page.get_by_test_id("trail").wait_for()
        look.shot("inside")
        page.keyboard.press("Escape")
        drag(page, centre(page.get_by_test_id("port-x-out")), centre(page.get_by_test_id("port-conv1-in")))
        page.locator("[data-testid=node-conv1][data-state=ok]").wait_for()
        page.get_by_test_id("trail-0").click()
        total(page, 61_706)


def test_resnet18_opens_folded_and_one_residual_block_is_opened_changed_and_closed(chrome: Any, server: Server) -> None:
    with Look(chrome, server.url, "resnet18-") as look:
        page = look.page
        total(page, 61_706)
        original = until(lambda: server.project(page))
        page.get_by_test_id("gallery").click()
        page.get_by_test_id("template-resnet18").click()
        total(page, 11_689_512)
        assert page.locator("[data-testid^='inner-']").count() == 0
        ids = [n["id"] for n in until(lambda: server.project(page))["networks"]["network"]["nodes"]]
        block = next(n["id"] for n in server.project(page)["networks"]["network"]["nodes"] if n["block"] == "Residual")
        assert len(ids) < 25
        look.shot("folded")
        page.get_by_test_id(f"node-{block}").click()
        page.get_by_test_id("toggle-fold").click()
        page.get_by_test_id(f"inner-{block}-conv1").wait_for()
        look.shot("opened")
        page.get_by_test_id("setting-kind").select_option(label="bottleneck")
        page.get_by_test_id(f"inner-{block}-conv3").wait_for()
        # 64·16 + 16·16·9 + 16·64 weights and 2·(16 + 16 + 64) of the norms, in place of 73,984
        total(page, 11_689_512 - 73_984 + 1024 + 2304 + 1024 + 192)
        look.shot("changed")
        wide = until(lambda: page.get_by_test_id(f"node-{block}").bounding_box())
        canvas = page.get_by_test_id("canvas").bounding_box()
        assert wide["x"] >= canvas["x"], "it has become wider, and stays in view"
        assert wide["x"] + wide["width"] <= canvas["x"] + canvas["width"]
        after = page.get_by_test_id(f"node-{ids[ids.index(block) + 1]}").bounding_box()
        assert after["x"] >= wide["x"] + wide["width"], "the next one has made room"
        page.get_by_test_id(f"close-{block}").click()
        page.get_by_test_id(f"inner-{block}-conv1").wait_for(state="detached")
        look.shot("closed")
        undo = page.get_by_test_id("undo")
        for _ in range(3):
            undo.click()
        total(page, 11_689_512)
        undo.click()  # the starter project that was opened
        total(page, 61_706)
        assert undo.is_disabled()
        until(lambda: from_json(server.project(page)) == from_json(original))
