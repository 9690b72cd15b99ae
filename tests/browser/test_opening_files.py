"""Files opened by the page: code, ONNX, projects; and what is said of broken ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import builder
from builder import templates
from builder.export import programs
from builder.project import dumps
from tests.browser.app_harness import Server, until
from tests.browser.looking import Look

pytestmark = pytest.mark.browser


def hand_edited() -> str:
    """LeNet-5 with twelve filters, and a dropout more."""
    text = builder.source(templates.load("lenet5"))
    for old, new in (
        ("nn.Conv2d(1, 6,", "nn.Conv2d(1, 12,"),
        ("nn.Conv2d(6,", "nn.Conv2d(12,"),
        ("        self.fc3 =", "        self.rest = nn.Dropout(0.25)\n        self.fc3 ="),
        ("return self.fc3(x)", "return self.fc3(self.rest(x))"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def test_files_open_by_the_page_and_broken_ones_leave_the_project_as_it_was(
    chrome: Any, server: Server, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    residual = templates.load("resnet_digits")
    programs.write_onnx(
        builder.compile(residual)["network"].eval(), residual.networks["network"], tmp_path / "digits.onnx"
    )
    (tmp_path / "edited.py").write_text(hand_edited())
    builder.save(templates.load("mlp"), tmp_path / "points.json")
    content = (tmp_path / "digits.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    made = onnx.load_model_from_string(content)
    made.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    (tmp_path / "outside.onnx").write_bytes(made.SerializeToString())
    (tmp_path / "harm.py").write_text("import os\nos.system('id')\n")
    (tmp_path / "wrong.py").write_text("class Net(:\n")
    (tmp_path / "broken.json").write_text('{"format": 1, "networks": ')
    with Look(chrome, server.url, "open-") as look:
        page = look.page
        page.get_by_test_id("node-conv1").wait_for()
        look.tab("Export")
        field = page.locator("input[type=file]").first

        field.set_input_files(tmp_path / "edited.py")
        page.get_by_test_id("node-rest").wait_for()
        until(lambda: "rest" in [n["id"] for n in server.project(page)["networks"]["network"]["nodes"]])
        settings = {n["id"]: n["settings"] for n in server.project(page)["networks"]["network"]["nodes"]}
        assert settings["conv1"]["out_channels"] == 12
        assert settings["rest"]["p"] == 0.25

        field.set_input_files(tmp_path / "digits.onnx")
        page.get_by_test_id("node-block3").wait_for()
        page.get_by_text("The next run begins with the weights of the file", exact=False).wait_for()
        page.get_by_test_id("totals").filter(has_text="42,938 parameters").wait_for()
        until(lambda: server.project(page)["networks"]["network"]["nodes"][4]["block"] == "Residual")
        look.shot("onnx")

        field.set_input_files(tmp_path / "points.json")
        page.get_by_test_id("node-block3").wait_for(state="detached")
        until(lambda: server.project(page)["name"] == templates.load("mlp").name)
        before = server.project(page)

        for name, message in (
            ("cut.onnx", "The file is no ONNX, or it is cut off."),
            ("outside.onnx", "lie in another file, which Layerloom does not open"),
            ("harm.py", "It defines no network"),
            ("wrong.py", "Line 1: This is no Python"),
            ("broken.json", "broken.json"),
        ):
            field.set_input_files(tmp_path / name)
            page.get_by_role("alert").get_by_text(message, exact=False).wait_for()
        look.shot("broken")
        assert server.project(page) == before

        page.get_by_test_id("undo").click()
        page.get_by_test_id("node-block3").wait_for()


_DROP = """([name, content]) => {
  const root = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).find((r) => r?.querySelector("[data-testid=canvas]"));
  const canvas = root.querySelector("[data-testid=canvas]");
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([content], name));
  const send = (kind) => canvas.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, composed: true, dataTransfer }));
  return [send("dragover"), send("drop")];
}"""


def test_a_file_dropped_on_the_canvas_opens_and_a_broken_one_is_said(chrome: Any, server: Server) -> None:
    with Look(chrome, server.url, "dropped-") as look:
        page = look.page
        page.get_by_test_id("node-conv1").wait_for()
        taken = page.evaluate(_DROP, ["edited.py", hand_edited()])
        assert taken == [False, False], "the browser would have opened the file itself"
        page.get_by_test_id("node-rest").wait_for()
        until(lambda: "rest" in [n["id"] for n in server.project(page)["networks"]["network"]["nodes"]])
        before = server.project(page)

        page.evaluate(_DROP, ["wrong.py", "class Net(:\n"])
        page.get_by_role("alert").get_by_text("wrong.py: Line 1: This is no Python", exact=False).wait_for()
        page.evaluate(_DROP, ["picture.png", "no network"])
        page.get_by_text("files are not allowed", exact=False).wait_for()
        look.shot("broken")
        assert server.project(page) == before

        page.evaluate(_DROP, ["points.json", dumps(templates.load("mlp"))])
        until(lambda: server.project(page)["name"] == templates.load("mlp").name)
        page.get_by_test_id("node-rest").wait_for(state="detached")
        page.get_by_test_id("undo").click()
        page.get_by_test_id("node-rest").wait_for()
