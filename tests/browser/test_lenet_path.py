"""From an empty canvas to LeNet-5's code in a real browser, by mouse and keyboard; and a look at every view."""

from __future__ import annotations

import itertools
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.app_harness import Server, until
from tests.browser.canvas_harness import centre, drag
from tests.browser.looking import Look
from tests.browser.task_paths import choose

DATA = Path(os.environ.get("LAYERLOOM_DATA", "/nonexistent"))
SAMPLES = 6000
WATCHED_SECONDS = 10.0
RATE = 1.5
"""Changes a second that curves and feature maps must reach on a machine with nothing else to do."""

pytestmark = pytest.mark.browser

# Block, settings typed in the inspector; in the order of the network.
LENET: list[tuple[str, dict[str, int]]] = [
    ("Image", {"channels": 1, "height": 28, "width": 28}),
    ("Conv2d", {"out_channels": 6, "kernel_size": 5, "padding": 2}),
    ("ReLU", {}),
    ("MaxPool2d", {"kernel_size": 2}),
    ("Conv2d", {"out_channels": 16, "kernel_size": 5}),
    ("ReLU", {}),
    ("MaxPool2d", {"kernel_size": 2}),
    ("Flatten", {}),
    ("Linear", {"out_features": 120}),
    ("ReLU", {}),
    ("Linear", {"out_features": 84}),
    ("ReLU", {}),
    ("Linear", {"out_features": 10}),
    ("Output", {}),
]
IDS = [
    "image1", "conv1", "relu1", "pool1", "conv2", "relu2", "pool2",
    "flatten1", "fc1", "relu3", "fc2", "relu4", "fc3", "output1",
]  # fmt: skip


def type_into(page: Any, field: Any, value: object) -> None:
    """Replace a field's text by keyboard."""
    field.click()
    page.keyboard.press("Control+a")
    page.keyboard.type(str(value))
    page.keyboard.press("Enter")


def place(page: Any, block: str, at: tuple[float, float]) -> None:
    """Look a block up in the palette and drag it to a place on the canvas."""
    page.get_by_test_id("palette-search").click()
    page.keyboard.press("Control+a")
    page.keyboard.type(block)
    item = page.get_by_test_id(f"palette-item-{block}")
    item.wait_for()
    drag(page, centre(item), at)


def draw_lenet(page: Any) -> None:
    """Fourteen blocks in two rows, then thirteen wires."""
    canvas = page.get_by_test_id("canvas").bounding_box()
    step = (canvas["width"] - 90) / 7
    for i, (block, settings) in enumerate(LENET):
        place(page, block, (canvas["x"] + 70 + step * (i % 7), canvas["y"] + 100 + 190 * (i // 7)))
        page.get_by_test_id(f"node-{IDS[i]}").wait_for()
        for name, value in settings.items():
            type_into(page, page.get_by_test_id(f"setting-{name}"), value)
    for source, target in itertools.pairwise(IDS):
        # Nothing selected: the bubble of a block with a problem may lie over its neighbours' ports.
        page.mouse.click(canvas["x"] + 20, canvas["y"] + canvas["height"] - 12)
        drag(page, centre(page.get_by_test_id(f"port-{source}-out")), centre(page.get_by_test_id(f"port-{target}-in")))


def counter(page: Any) -> int:
    """The step that the bar tells."""
    found = re.search(r"step ([\d,]+)", page.get_by_test_id("run-status").text_content())
    assert found is not None
    return int(found[1].replace(",", ""))


def wanted_rate() -> float:
    """`RATE`, and less where more processes want to run than there are cores: then each gets only its part."""
    cores = (os.cpu_count() or 1) + 0.5
    return RATE * min(1.0, cores / max(os.getloadavg()[0], 0.1))


def network_and_data(look: Look, server: Server, samples: int | None) -> None:
    """Draw LeNet-5 on an empty canvas and choose MNIST: `samples` of its training digits, or all."""
    page = look.page
    page.get_by_test_id("node-conv1").wait_for()
    page.get_by_test_id("project-menu").click()
    page.get_by_test_id("new-project").click()
    page.get_by_test_id("node-conv1").wait_for(state="detached")

    draw_lenet(page)
    page.get_by_test_id("tidy").click()
    page.get_by_test_id("totals").get_by_text("61,706").wait_for()
    page.locator("[data-testid=saved][data-state=saved]").wait_for()
    network = until(lambda: server.project(page)["networks"]["network"])
    assert [(n["id"], n["block"]) for n in network["nodes"]] == list(zip(IDS, (block for block, _ in LENET)))
    assert {(e["source"], e["target"]) for e in network["edges"]} == set(itertools.pairwise(IDS))
    look.shot("lenet-built")

    look.tab("Data")
    choose(page, "Data set", "MNIST", exact=True)
    until(lambda: server.project(page)["data"]["name"] == "mnist")
    page.get_by_text("train 54,000").wait_for()
    if samples:
        page.get_by_text("Preparation").click()
        type_into(page, page.get_by_label("training samples", exact=True), samples)
        until(lambda: server.project(page)["data"]["settings"]["limit"] == samples)
        page.get_by_text(f"train {samples * 9 // 10:,}").wait_for()
    look.shot("data")


@pytest.mark.skipif(not (DATA / "mnist").exists(), reason="LAYERLOOM_DATA names no folder with mnist")
def test_lenet5_is_drawn_trained_on_mnist_steered_and_taken_home(
    chrome: Any, server: Server, figure: Callable[[str], None], tmp_path: Path
) -> None:
    with Look(chrome, server.url, "path-") as look:
        walk(look, server, figure, tmp_path / "taken.zip")


@pytest.mark.skipif(not (DATA / "mnist").exists(), reason="LAYERLOOM_DATA names no folder with mnist")
@pytest.mark.skipif(not os.environ.get("LAYERLOOM_HUGE"), reason="it trains some minutes; set LAYERLOOM_HUGE=1 for it")
def test_lenet5_drawn_by_hand_reads_98_5_percent_of_mnist_after_five_epochs(
    chrome: Any, server: Server, figure: Callable[[str], None]
) -> None:
    with Look(chrome, server.url, "full-") as look:
        page = look.page
        network_and_data(look, server, None)
        look.tab("Loss & optimizer")
        type_into(page, page.get_by_label("epochs", exact=True).first, 5)
        until(lambda: server.project(page)["training"].get("epochs") == 5)
        page.get_by_test_id("train").click()
        page.get_by_test_id("thumb-conv1").wait_for()
        run = until(lambda: next((r for r in server.runs() if r.state.step > 50), None))
        look.shot("training")
        until(lambda: run.state.status == "done", 900)
        assert run.state.step == 5 * -(-54_000 // 32)
        look.tab("Results")
        page.locator(".matrix").first.wait_for()
        look.shot("results", 2500)
        accuracy = float(run.test()["metric/accuracy"][-1])
        figure(f"LeNet-5 drawn by mouse, MNIST, 5 epochs: {accuracy:.2%} of the 10,000 test digits")
        assert accuracy >= 0.985
        page.get_by_text(f"{accuracy * 100:.1f}", exact=False).first.wait_for()


def walk(look: Look, server: Server, figure: Callable[[str], None], archive: Path) -> None:
    """Draw, choose the data, train, steer, take home."""
    page = look.page
    network_and_data(look, server, SAMPLES)
    look.tab("Loss & optimizer")
    type_into(page, page.get_by_label("epochs", exact=True).first, 500)
    until(lambda: server.project(page)["training"].get("epochs") == 500)

    page.get_by_test_id("train").click()
    page.get_by_test_id("thumb-conv1").wait_for()
    page.get_by_test_id("curve-accuracy").wait_for()
    run = until(lambda: next((r for r in server.runs() if r.state.step > 50), None))
    rates = look.rates(WATCHED_SECONDS)
    look.shot("training")
    wanted = wanted_rate()
    watched = [
        "curve-loss",
        "curve-accuracy",
        *(f"thumb-{id}" for id in ("conv1", "pool1", "conv2", "pool2", "fc1", "fc2", "fc3")),
    ]
    told = ", ".join(f"{name} {rates.get(name, 0):.2f}" for name in watched)
    figure(f"changes a second over {WATCHED_SECONDS:g} s at a load of {os.getloadavg()[0]:.1f}: {told}")
    assert min(rates.get(name, 0.0) for name in watched) >= wanted, f"fewer than {wanted:.2f} a second: {told}"

    page.get_by_test_id("pause").click()
    page.get_by_test_id("resume").wait_for()
    until(lambda: run.state.status == "paused")
    until(lambda: counter(page) == run.state.step)
    before = run.state.step
    page.get_by_test_id("step").click()
    until(lambda: run.state.step > before)
    page.wait_for_timeout(1500)
    assert run.state.step == before + 1
    assert run.state.status == "paused"
    until(lambda: counter(page) == before + 1)
    page.get_by_test_id("resume").click()
    page.get_by_test_id("pause").wait_for()
    until(lambda: run.state.step > before + 20)
    until(lambda: run.state.validation.get("metrics", {}).get("accuracy", 0) > 0.9)
    look.tab("Inside")
    page.get_by_test_id("node-conv1").click()
    page.locator(".maps img").nth(5).wait_for()
    look.shot("inside")
    page.get_by_test_id("stop").click()
    page.get_by_test_id("train").wait_for()
    until(lambda: run.state.status == "stopped")
    assert list(run.steps()["step"]) == list(range(1, run.state.step + 1))

    look.tab("Export")
    with page.expect_download() as download:
        page.get_by_role("button", name="Code, notebook and weights").click()
    look.shot("export")
    download.value.save_as(archive)
    with zipfile.ZipFile(archive) as content:
        files = {Path(name).name: name for name in content.namelist()}
        assert {"model.py", "train.py", "requirements.txt", "train.ipynb", "weights.safetensors"} <= set(files)
        for name in ("model.py", "train.py"):
            compile(content.read(files[name]), name, "exec")
        assert json.loads(content.read(files["train.ipynb"]))["nbformat"] == 4


# --- every view, in every size and colour ------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str, str]]:
    """A server whose workspace holds an untouched starter and a trained one: (server, untouched, trained)."""
    from builder import templates
    from builder.training import train
    from builder.workspace import Workspace

    server = Server(tmp_path_factory.mktemp("home"))
    space = Workspace(server.home)
    project = templates.load("lenet5")
    project = project.replace(name="digits", training={**project.training, "epochs": 300})
    untouched, used = space.create(templates.load("lenet5")), space.create(project)
    train(project, space.runs_place(used) / "20260101-120000", epochs=3)
    server.start()
    yield server, untouched, used
    server.close()


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)], ids=["1366", "1920"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_view_fits_the_window(
    chrome: Any, trained: tuple[Server, str, str], size: tuple[int, int], dark: bool
) -> None:
    server, untouched, used = trained
    prefix = f"{size[0]}-{'dark' if dark else 'light'}-"
    with Look(chrome, f"{server.url}/?project={untouched}", prefix, size, dark) as look:
        page = look.page
        page.get_by_test_id("node-conv1").wait_for()
        page.locator(".samples img").first.wait_for()
        page.locator(".bars.stack").wait_for()
        look.shot("1-first-visit", 2500)
        page.get_by_test_id("gallery").click()
        page.get_by_test_id("gallery-sheet").wait_for()
        look.shot("2-gallery")
    with Look(chrome, f"{server.url}/?project={used}", prefix, size, dark) as look:
        tour(look)


def tour(look: Look) -> None:
    """Every other view of a trained project, and a training."""
    page = look.page
    page.get_by_test_id("node-conv1").click()
    page.locator(".bars.stack").wait_for()
    look.shot("3-lenet-built", 2500)
    page.get_by_test_id("node-flatten").click()
    page.keyboard.press("Delete")
    page.get_by_test_id("node-fc1").click()
    page.get_by_test_id("bubble").first.wait_for()
    look.shot("4-error")
    page.get_by_test_id("undo").click()
    page.locator("[data-testid=node-fc1][data-state=ok]").wait_for()
    look.tab("Loss & optimizer")
    look.shot("5-loss", 2500)
    page.locator("[data-testid=train]:enabled").click()
    page.get_by_test_id("pause").wait_for()
    page.get_by_test_id("curve-accuracy").wait_for()
    look.shot("6-training", 2500)
    look.tab("Inside")
    page.get_by_test_id("node-conv2").click()
    page.locator(".maps img").nth(15).wait_for()
    look.shot("7-inside", 2500)
    page.get_by_test_id("stop").click()
    page.get_by_test_id("train").wait_for()
    look.tab("Results")
    page.locator(".matrix").first.wait_for()
    look.shot("8-results", 2500)
    look.tab("Code")
    page.get_by_text("Lines of").wait_for()
    look.shot("9-code")
    look.tab("Export")
    page.get_by_role("button", name="Code, notebook and weights").wait_for()
    page.get_by_text("Project file").first.wait_for()
    look.shot("10-export")
