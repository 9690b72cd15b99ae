"""The command line as a user's scripts see it: output, exit status, and one sentence for every mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

import blocks
import builder
from builder import cli, project, tables
from builder.problems import Problem
from builder.training import job

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path / "home"))


def run(*arguments: str, expect: int = 0) -> None:
    assert cli.main(arguments) == expect


def test_it_is_a_program_that_needs_no_streamlit() -> None:
    code = (
        "import sys; sys.modules['streamlit'] = None; from builder.cli import main; sys.exit(main(['check', 'lenet5']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "61,706" in done.stdout
    assert done.stderr == ""


def test_it_runs_as_a_module_and_closes_quietly_with_its_reader() -> None:
    done = subprocess.run(
        f"{sys.executable} -m builder blocks | head -n 1",
        shell=True,
        executable="/bin/bash",
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == next(iter(blocks.CATEGORIES.values()))
    assert done.stderr == ""


def test_check_prints_the_table_of_lenet5(capsys: pytest.CaptureFixture[str]) -> None:
    run("check", "lenet5")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    table = {line[0]: line for line in lines if len(line) == 5}
    shapes = {id: table[id][2] for id in ("conv1", "pool1", "conv2", "pool2", "flatten", "fc1", "fc2", "fc3")}
    assert shapes == {
        "conv1": "6×28×28",
        "pool1": "6×14×14",
        "conv2": "16×10×10",
        "pool2": "16×5×5",
        "flatten": "400",
        "fc1": "120",
        "fc2": "84",
        "fc3": "10",
    }
    assert table["fc1"][3:] == ["48,120", "48,000"]
    assert ["total", "61,706", "416,520"] in lines
    assert lines[-1] == ["no", "problems"]


def test_check_as_json_has_the_keys_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    run("check", "lenet5", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert told["problems"] == []
    assert told["parameters"] == {"network": 61_706}
    assert told["flops"] == {"network": 416_520}
    assert told["shapes"]["network"]["conv2"] == [16, 10, 10]


def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.json"
    data = project.to_json(builder.templates.load("lenet5"))
    data["networks"]["network"]["nodes"][4]["settings"]["kernel_size"] = 15
    path.write_text(json.dumps(data))
    return path


def test_check_of_a_broken_project_prints_its_errors_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("check", str(broken(tmp_path)), expect=1)
    out = capsys.readouterr().out
    assert "error: network.conv2: conv2 (Conv2d): kernel_size 15" in out
    assert "fix: Set kernel_size to" in out
    assert "waits for conv2" in out
    assert out.endswith("1 error, 0 warnings\n")
    run("check", "--json", str(broken(tmp_path)), expect=1)
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    (problem,) = told["problems"]
    assert {"network", "node", "port", "code", "severity", "message", "fix"} <= set(problem)
    assert (problem["network"], problem["node"], problem["code"]) == ("network", "conv2", "kernel-too-large")
    assert problem["fix"]["edits"]
    assert "conv2" not in told["shapes"]["network"]


def test_templates_and_blocks_list_all(capsys: pytest.CaptureFixture[str]) -> None:
    run("templates")
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert tuple(listed) == builder.templates.names()
    run("blocks")
    out = capsys.readouterr().out
    words = {line.split()[0] for line in out.splitlines()}
    assert set(blocks.catalogue()) <= words
    assert "kernel_size=3" in out


def test_new_writes_a_file_that_checks_and_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.json"
    run("new", "lenet5", "-o", str(path), "--set", "name=mine", "--set", "training.epochs=3")
    made = builder.load(path)
    assert (made.name, made.training["epochs"]) == ("mine", 3)
    run("check", str(path))
    before = path.read_bytes()
    capsys.readouterr()
    run("new", "mlp", "-o", str(path), expect=1)
    assert "exists already" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_export_writes_the_model_that_source_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("export", "lenet5", "-o", str(tmp_path / "out"))
    written = {Path(line).name for line in capsys.readouterr().out.splitlines()}
    assert {"model.py", "train.py", "requirements.txt"} <= written
    assert (tmp_path / "out" / "model.py").read_text() == builder.source(builder.templates.load("lenet5"))


def test_train_as_json_prints_the_records_and_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    run("train", "mlp", "--epochs", "1", "--run", str(folder), "--json", "--set", "training.batch_size=32")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    steps = [line for line in lines if "step" in line and "split" not in line]
    assert [line["step"] for line in steps] == list(range(1, len(steps) + 1))
    assert all(set(line) == {"step", "epoch", "losses", "metrics"} for line in steps)
    assert any(line.get("split") == "validation" for line in lines)
    assert lines[-1]["done"] is True
    assert Path(lines[-1]["run"]) == folder
    assert "accuracy" in lines[-1]["metrics"]
    assert builder.load(folder / "project.json").training["batch_size"] == 32


def test_train_for_people_ends_with_the_place_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    run("train", "mlp", "--epochs", "2", "--run", str(folder))
    out = capsys.readouterr().out.splitlines()
    assert sum("validation" in line for line in out) == 2
    assert out[-1] == f"The run is in {folder}."


def test_the_same_command_gives_the_same_losses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for name in ("a", "b"):
        run("train", "mlp", "--epochs", "1", "--run", str(tmp_path / name), "--json")
        texts.append(capsys.readouterr().out.splitlines()[:-1])
    assert texts[0] == texts[1]


# --- settings ------------------------------------------------------------------------------------


def test_settings_can_be_changed_from_outside() -> None:
    made = cli.changed(
        builder.templates.load("lenet5"),
        ("data.name=mnist", "data.size=28", "training.batch_size=32", "optimizer.name=SGD", "optimizer.lr=0.1",
         "optimizer.network.momentum=0.9", "loss.settings.label_smoothing=0.1", "name=a = b"),
    )  # fmt: skip
    assert made.data.name == "mnist"
    assert made.training["batch_size"] == 32
    assert made.optimizer["network"].name == "SGD"
    assert made.optimizer["network"].settings == {"lr": 0.1, "momentum": 0.9}
    assert made.loss.settings["label_smoothing"] == 0.1
    assert made.name == "a = b"
    assert builder.check(made).ok
    assert job.parts(made).dataset.name == "mnist"


def test_another_data_set_starts_from_its_usual_settings() -> None:
    lenet = builder.templates.load("lenet5")
    assert cli.changed(lenet, ("data.name=spirals",)).data.settings == {}
    assert cli.changed(lenet, ("data.name=digits",)).data == lenet.data


@pytest.mark.parametrize("change", ["", "x", "data", "data=1", "data.=1", "networks.network=1", "optimizer.ghost.lr=1", "training.a.b=1", "data.__class__.x=1"])  # fmt: skip
def test_a_change_that_names_no_setting_is_refused(change: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("check", "lenet5", "--set", change, expect=1)
    assert "names no setting" in one_sentence(capsys)


def test_a_bad_value_becomes_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    run("check", "lenet5", "--set", "training.batch_size=lots", expect=1)
    assert "batch_size is 'lots'" in capsys.readouterr().out


# --- mistakes ------------------------------------------------------------------------------------


def one_sentence(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("builder: ")
    assert "Traceback" not in told.err
    assert told.err.rstrip().endswith(".")
    assert told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize("command", [("check",), ("train",), ("export", "-o", "unused")])
@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff\xfe", b'{"format": 9}'])
def test_a_file_that_cannot_be_opened_is_one_sentence(
    command: tuple[str, ...], content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "project.json"
    if content is not None:
        path.write_bytes(content)
    run(*command, str(path), expect=1)
    assert "project.json" in one_sentence(capsys)


def test_a_name_that_is_neither_file_nor_template(capsys: pytest.CaptureFixture[str]) -> None:
    run("check", "lenet55", expect=1)
    assert "lenet5" in one_sentence(capsys)
    run("new", "lenet55", "-o", "unused.json", expect=1)
    assert "lenet5" in one_sentence(capsys)


def test_places_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for command in (
        ("new", "mlp", "-o", str(file / "x.json")),
        ("export", "mlp", "-o", str(file / "x")),
        ("train", "mlp", "--run", str(file / "x")),
    ):
        run(*command, expect=1)
        one_sentence(capsys)


def test_a_broken_project_is_neither_trained_nor_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(broken(tmp_path))
    for command in (("train", path, "--run", str(tmp_path / "r")), ("export", path, "-o", str(tmp_path / "e"))):
        run(*command, expect=1)
        told = capsys.readouterr()
        assert "kernel_size 15" in told.err
        assert "Traceback" not in told.err
    assert not (tmp_path / "e").exists()


def test_a_run_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "run")
    run("train", "mlp", "--epochs", "1", "--run", folder)
    capsys.readouterr()
    run("train", "mlp", "--epochs", "1", "--run", folder, expect=1)
    assert "already holds a run" in one_sentence(capsys)


@pytest.mark.parametrize(
    "arguments", [(), ("check",), ("fly",), ("new", "mlp"), ("export", "mlp"), ("train", "mlp", "--epochs", "x"), ("train", "mlp", "--epochs", "0"), ("check", "mlp", "--loud")]
)  # fmt: skip
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert "usage:" in capsys.readouterr().err


# --- tables --------------------------------------------------------------------------------------


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert tables.aligned([("a", "1"), ("long", "22")], right=(1,)) == "a      1\nlong  22"
    assert tables.aligned([]) == ""


def test_names_from_a_file_cannot_move_the_cursor() -> None:
    made = builder.templates.load("lenet5")
    made = made.replace(name="evil\x1b[2J\nname")
    report = builder.check(made)
    report.problems = (Problem("net\x1bwork", "no\nde", None, "x", "error", "A sentence."),)
    printed = tables.report(made, report)
    assert "\x1b" not in printed
    assert "no\nde" not in printed


def test_a_model_py_is_opened_as_a_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, made = tmp_path / "model.py", tmp_path / "project.json"
    text = builder.source(builder.templates.load("resnet_digits"))
    code.write_text(text.replace("nn.Linear(32, 10)", "nn.Linear(99, 10)"))
    run("new", str(code), "-o", str(made))
    assert "fc is written with in_features=99, but 32 arrives there" in capsys.readouterr().err
    assert builder.load(made).networks.keys() == {"network"}
    run("check", str(code))


def test_a_file_that_is_no_network_is_said_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = tmp_path / "model.py"
    code.write_text("import torch\n\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return x.sum()\n")
    run("check", str(code), expect=1)
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "Line 5: `x.sum()` cannot be read" in err


def test_an_onnx_file_is_opened_with_its_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxscript")
    run("export", "mlp", "-o", str(tmp_path / "first"), "--onnx")
    file, made = tmp_path / "first" / "network.onnx", tmp_path / "project.json"
    run("new", str(file), "-o", str(made))
    assert "project.safetensors holds its weights" in capsys.readouterr().out
    run("export", str(file), "-o", str(tmp_path / "again"))
    kept, given = (load_file(p) for p in (tmp_path / "again" / "weights.safetensors", tmp_path / "project.safetensors"))
    assert all((kept[name] == given[name]).all() for name in given)
    run("train", str(file), "--run", str(tmp_path / "run"), "--epochs", "1")
    assert "network.safetensors" in capsys.readouterr().out
    file.write_bytes(file.read_bytes()[:500])
    run("check", str(file), expect=1)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "network.onnx: The file is no ONNX" in err
