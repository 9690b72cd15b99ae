"""The canvas by itself, driven by mouse and keyboard; the other side is played by canvas_host.js."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from canvas_harness import CHROMIUM, centre, document, drag, network, open_canvas

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"no browser at {CHROMIUM}"),
]


@pytest.fixture
def chromium(chrome: Any) -> Any:
    return chrome


@pytest.fixture
def canvas(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    page = open_canvas(chromium, **getattr(request, "param", {}))
    yield page
    assert page.errors == []
    page.context.close()


def starter(name: str, **options: Any) -> Any:
    return pytest.mark.parametrize("canvas", [{"starter": name, **options}], indirect=True, ids=[name])


def ids(page: Any) -> list[str]:
    return [n["id"] for n in network(page)["nodes"]]


def wires(page: Any) -> list[str]:
    return [f"{e['source']}>{e['target']}.{e['target_port']}" for e in network(page)["edges"]]


def position(page: Any, id: str) -> list[float]:
    return next(n["position"] for n in network(page)["nodes"] if n["id"] == id)


@starter("empty")
def test_a_chain_is_built_by_clicking_and_typing(canvas: Any) -> None:
    for name in ("Image", "Conv2d", "MaxPool2d"):
        canvas.get_by_test_id(f"palette-item-{name}").click()
    canvas.keyboard.press("/")
    canvas.keyboard.type("relu")
    canvas.keyboard.press("Enter")
    assert wires(canvas) == ["image1>conv1.in", "conv1>pool1.in", "pool1>relu1.in"]
    assert canvas.get_by_test_id("pill-conv1-pool1").inner_text() == "16×26×26"


@starter("empty")
def test_a_block_is_dragged_in_wired_broken_and_mended(canvas: Any) -> None:
    canvas.get_by_test_id("palette-item-Image").click()
    canvas.get_by_test_id("family-dense").click()
    drag(canvas, centre(canvas.get_by_test_id("palette-item-Linear")), (760, 330))
    assert wires(canvas) == []
    drag(canvas, centre(canvas.get_by_test_id("port-image1-out")), centre(canvas.get_by_test_id("port-fc1-in")))
    assert wires(canvas) == ["image1>fc1.in"]
    assert canvas.get_by_test_id("node-fc1").get_attribute("data-state") == "error"
    assert "1×28×28" in canvas.get_by_test_id("bubble").inner_text()
    canvas.get_by_test_id("fix-0").click()
    assert wires(canvas) == ["image1>flatten_fc1.in", "flatten_fc1>fc1.in"]
    assert canvas.get_by_test_id("node-fc1").get_attribute("data-state") == "ok"
    canvas.get_by_test_id("undo").click()
    assert wires(canvas) == ["image1>fc1.in"]


@starter("lenet5")
def test_a_block_dropped_on_a_wire_stands_in_it_and_leaves_it_whole(canvas: Any) -> None:
    before = wires(canvas)
    target = centre(canvas.get_by_test_id("pill-image-conv1"))
    drag(canvas, centre(canvas.get_by_test_id("palette-item-Conv2d")), target)
    assert {"image>conv3.in", "conv3>conv1.in"} <= set(wires(canvas))
    canvas.keyboard.press("Delete")
    assert sorted(wires(canvas)) == sorted(before)


@starter("skips")
def test_while_a_wire_is_pulled_illegal_targets_are_grey_and_refused(canvas: Any) -> None:
    canvas.mouse.move(*centre(canvas.get_by_test_id("port-conv2-out")))
    canvas.mouse.down()
    canvas.mouse.move(620, 350, steps=5)
    grey = {
        id: float(canvas.get_by_test_id(f"node-{id}").evaluate("(e) => getComputedStyle(e).opacity")) < 0.5
        for id in ("image", "conv1", "conv2", "add2", "fc")
    }
    canvas.mouse.up()
    assert grey == {"image": True, "conv1": True, "conv2": False, "add2": False, "fc": True}
    canvas.keyboard.press("Escape")
    before = wires(canvas)
    drag(canvas, centre(canvas.get_by_test_id("port-fc-out")), centre(canvas.get_by_test_id("node-conv1")))
    assert "loop" in canvas.get_by_test_id("toast").inner_text()
    assert wires(canvas) == before


@starter("skips")
def test_a_merge_grows_a_port_for_a_wire_dropped_on_a_full_one(canvas: Any) -> None:
    drag(canvas, centre(canvas.get_by_test_id("port-image-out")), centre(canvas.get_by_test_id("port-add2-in1")))
    assert wires(canvas)[-1] == "image>add2.in3"
    assert canvas.get_by_test_id("port-add2-in3").is_visible()


@starter("lenet5")
def test_copies_cuts_and_undo(canvas: Any) -> None:
    canvas.get_by_test_id("node-conv1").click()
    canvas.get_by_test_id("node-pool1").click(modifiers=["Shift"])
    canvas.keyboard.press("Control+c")
    canvas.keyboard.press("Control+v")
    assert ids(canvas)[-2:] == ["conv3", "pool3"]
    canvas.keyboard.press("Control+d")
    assert ids(canvas)[-2:] == ["conv4", "pool4"]
    canvas.keyboard.press("Control+x")
    canvas.keyboard.press("Control+z")
    canvas.keyboard.press("Control+z")
    canvas.keyboard.press("Control+z")
    canvas.keyboard.press("Control+Shift+z")
    assert ids(canvas)[-2:] == ["conv3", "pool3"]
    canvas.keyboard.press("Control+a")
    canvas.keyboard.press("Delete")
    assert ids(canvas) == []
    canvas.keyboard.press("Control+z")
    assert len(ids(canvas)) == 16


@starter("lenet5")
def test_moving_is_one_step_and_the_view_stays(canvas: Any) -> None:
    start = position(canvas, "conv1")
    drag(canvas, centre(canvas.get_by_test_id("node-conv1")), (500, 430))
    assert position(canvas, "conv1") != start
    still = canvas.get_by_test_id("node-image").bounding_box()
    for _ in range(4):
        canvas.keyboard.press("ArrowDown")
    canvas.keyboard.press("Control+z")
    canvas.keyboard.press("Control+z")
    assert position(canvas, "conv1") == start
    canvas.evaluate("host.set({saved_rev: 99})")
    assert canvas.get_by_test_id("node-image").bounding_box() == still


@starter("empty")
def test_without_a_mouse(canvas: Any) -> None:
    canvas.keyboard.press("/")
    for name in ("image", "flatten"):
        canvas.keyboard.press("Control+a")
        canvas.keyboard.type(name)
        canvas.keyboard.press("Enter")
    canvas.keyboard.press("Escape")
    canvas.keyboard.press("Tab")
    canvas.keyboard.press("Enter")
    canvas.wait_for_timeout(100)
    canvas.keyboard.press("Control+a")
    canvas.keyboard.type("3")
    assert network(canvas)["nodes"][0]["settings"]["channels"] == 3
    canvas.keyboard.press("Escape")
    canvas.keyboard.press("Escape")
    canvas.keyboard.press("a")
    canvas.keyboard.type("linear")
    canvas.keyboard.press("Enter")
    canvas.get_by_test_id("rf__node-flatten1").focus()
    canvas.keyboard.press("Enter")
    canvas.wait_for_timeout(100)
    canvas.keyboard.press("Escape")
    canvas.keyboard.press("c")
    canvas.keyboard.type("fc1")
    canvas.keyboard.press("Enter")
    assert wires(canvas) == ["image1>flatten1.in", "flatten1>fc1.in"]


@starter("lenet5")
def test_settings_have_bounds_and_typing_is_one_step(canvas: Any) -> None:
    canvas.get_by_test_id("node-conv1").click()
    field = canvas.get_by_test_id("setting-out_channels")
    field.fill("")
    field.press_sequentially("128", delay=20)
    assert next(n for n in network(canvas)["nodes"] if n["id"] == "conv1")["settings"]["out_channels"] == 128
    assert canvas.get_by_test_id("parameters").inner_text() == "3,328"
    field.fill("0")
    assert "smallest allowed is 1" in canvas.locator(".setting-problem").inner_text()
    assert next(n for n in network(canvas)["nodes"] if n["id"] == "conv1")["settings"]["out_channels"] == 128
    canvas.get_by_test_id("undo").click()
    assert next(n for n in network(canvas)["nodes"] if n["id"] == "conv1")["settings"]["out_channels"] == 6


@starter("lenet5")
def test_a_name_is_checked_before_it_is_taken(canvas: Any) -> None:
    canvas.get_by_test_id("node-conv1").locator(".block-title").dblclick()
    canvas.keyboard.type("class")
    canvas.keyboard.press("Enter")
    assert "word of Python" in canvas.get_by_test_id("toast").inner_text()
    canvas.get_by_test_id("node-conv1").locator(".block-title").dblclick()
    canvas.keyboard.type("stem")
    canvas.keyboard.press("Enter")
    assert "stem>relu1.in" in wires(canvas)


@starter("resnet")
def test_a_composite_opens_in_place_and_closes_as_it_was(canvas: Any) -> None:
    before = {n["id"]: n["position"] for n in network(canvas)["nodes"]}
    canvas.get_by_test_id("open-layer2_0").click()
    assert canvas.get_by_test_id("inner-layer2_0-projection_conv").is_visible()
    boxes = canvas.evaluate(
        "[...document.querySelectorAll('div')].flatMap(d => d.shadowRoot ? [...d.shadowRoot.querySelectorAll("
        "'.react-flow__node')] : []).map(n => n.getBoundingClientRect()).map(r => [r.x, r.y, r.width, r.height])"
    )
    overlaps = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[i + 1 :]
        if a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
    ]
    assert overlaps == []
    canvas.get_by_test_id("close-layer2_0").click()
    assert {n["id"]: n["position"] for n in network(canvas)["nodes"]} == before


@starter("lenet5")
def test_a_run_is_steered_from_the_bar_and_shows_live_pictures(canvas: Any) -> None:
    canvas.get_by_test_id("train").click()
    pixel = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    run = {"status": "running", "epoch": 2, "epochs": 5, "step": 40, "steps": 100, "seconds_left": 41, "lr": 0.001}
    canvas.evaluate("d => host.feed(d)", {"run": run, "thumbnails": {"network": {"conv1": pixel}}, "tick": 1})
    assert canvas.get_by_test_id("thumb-conv1").is_visible()
    assert canvas.get_by_test_id("time-left").inner_text() == "0:41 left"
    canvas.get_by_test_id("lr").fill("0.01")
    canvas.keyboard.press("Enter")
    for name in ("step", "pause"):
        canvas.get_by_test_id(name).click()
    canvas.evaluate("r => host.feed({run: r, tick: 2})", {**run, "status": "paused"})
    for name in ("resume", "stop"):
        canvas.get_by_test_id(name).click()
    canvas.wait_for_timeout(600)
    names = canvas.evaluate("host.actions.map(a => a.name)")
    assert names == ["train", "set_lr", "step", "pause", "resume", "stop"]
    assert canvas.evaluate("host.actions[1].args") == {"value": 0.01}


@starter("lenet5")
def test_no_edit_is_lost_with_a_dead_server_and_a_reload(canvas: Any, chromium: Any) -> None:
    canvas.evaluate("host.alive = false")
    canvas.get_by_test_id("node-fc3").click()
    canvas.keyboard.press("Delete")
    canvas.wait_for_timeout(600)
    again = open_canvas(chromium, "lenet5", page=canvas)
    assert "fc3" not in ids(again)
    again.get_by_test_id("undo").click()
    assert "fc3" in ids(again)


@starter("lenet5", read_only=True)
def test_a_second_tab_only_reads_and_offers_to_take_over(canvas: Any) -> None:
    canvas.get_by_test_id("node-conv1").click()
    canvas.keyboard.press("Delete")
    assert canvas.get_by_test_id("palette-item-Conv2d").is_disabled()
    canvas.get_by_test_id("take-over").click()
    canvas.wait_for_timeout(200)
    assert "conv1" in ids(canvas)
    assert canvas.evaluate("host.actions.map(a => a.name)") == ["take_over"]


@starter("lenet5")
def test_gallery_projects_tour_and_problems_open_and_close(canvas: Any) -> None:
    canvas.get_by_test_id("gallery").click()
    canvas.get_by_test_id("template-resnet18").click()
    assert canvas.get_by_test_id("gallery-sheet").count() == 0
    canvas.get_by_test_id("project-menu").click()
    canvas.get_by_test_id("delete-p2").click()
    canvas.get_by_test_id("restore-project").click()
    canvas.keyboard.press("Escape")
    canvas.get_by_test_id("node-conv1").click()
    canvas.keyboard.press("?")
    canvas.get_by_test_id("start-tour").click()
    for _ in range(6):
        canvas.get_by_test_id("tour-next").click()
    assert canvas.get_by_test_id("tour").count() == 0
    canvas.wait_for_timeout(200)
    asked = canvas.evaluate("host.actions.map(a => [a.name, Object.values(a.args)[0]])")
    assert asked == [["open_template", "resnet18"], ["delete_project", "p2"], ["restore_project", "p2"]]


@starter("lenet5")
def test_a_command_from_python_is_one_step_of_undo(canvas: Any) -> None:
    change = [{"op": "set_part", "part": "data", "value": {"name": "mnist", "settings": {}}}]
    canvas.evaluate("edits => host.command('choose data', edits)", change)
    assert document(canvas)["data"]["name"] == "mnist"
    canvas.get_by_test_id("undo").click()
    assert document(canvas)["data"]["name"] == "digits"
