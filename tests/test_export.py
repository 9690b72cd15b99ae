"""Exports: the script in a process of its own gives the same losses to the last digit; files, weights, other forms."""

import dataclasses
import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import lenet5, point_gan, row_lstm, shape_finder, small_resnet, spiral_mlp
from exported import lines_of, process
from packaging.requirements import Requirement

import blocks
import builder
from blocks.base import setting
from builder import data, optimizers, structure
from builder.export import ExportError, export_zip, programs
from builder.export.gather import Gathered, GatherError
from builder.project import Choice, Project
from builder.training import checkpoint

ROOT = Path(__file__).resolve().parents[1]


def from_template(name: str, **data_settings: Any) -> Callable[..., Project]:
    """A starter project on less data."""

    def make(training: dict[str, Any] | None = None) -> Project:
        project = builder.templates.load(name)
        choice = Choice(project.data.name, {**project.data.settings, **data_settings})
        return project.replace(data=choice, training={**project.training, **(training or {})})

    make.__name__ = name
    return make


PROJECTS = [
    *(lenet5, small_resnet, row_lstm, spiral_mlp, point_gan, shape_finder),
    from_template("char_lstm", sentences=120),
    from_template("skipgram", sentences=400, subsample=0.01),
]


def short(make: Callable[..., Project]) -> Project:
    return make(training={"epochs": 1, "batch_size": 128})


def installed(requirements: Path, packages: Path) -> Path:
    """A folder with what `pip install -r requirements` would put there and nothing else: links to what is installed here."""
    packages.mkdir()
    waiting, seen = [Requirement(line) for line in requirements.read_text().split()], set()
    while waiting:
        wanted = waiting.pop()
        if wanted.name in seen or (wanted.marker is not None and not wanted.marker.evaluate({"extra": ""})):
            continue
        seen.add(wanted.name)
        found = distribution(wanted.name)
        assert wanted.specifier.contains(found.version, prereleases=True), f"{wanted}: {found.version} is installed"
        waiting += map(Requirement, found.requires or ())
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(found.locate_file(top))))
    return packages


@pytest.mark.parametrize("make", PROJECTS, ids=lambda make: make.__name__)
def test_script_command_line_and_train_give_the_same_numbers(make: Callable[..., Project], tmp_path: Path) -> None:
    project = short(make)
    run = builder.train(project, tmp_path / "run")
    folder = builder.export(project, tmp_path / "export")
    packages = installed(folder / "requirements.txt", tmp_path / "packages")
    for absent in ("builder", "streamlit", "pandas", "plotly"):  # there for this process, not for the script's
        assert importlib.util.find_spec(absent) is not None
        assert f"No module named '{absent}'" in process(["-c", f"import {absent}"], folder, packages).stderr
    *records, last = lines_of(["train.py", "--json"], folder, packages)
    assert records == run.history
    assert last == {"done": True, "run": str(folder), "metrics": run.metrics}

    builder.save(project, tmp_path / "project.json")
    arguments = ["-m", "builder", "train", str(tmp_path / "project.json"), "--run", str(tmp_path / "cli"), "--json"]
    *records, last = lines_of(arguments, ROOT)
    assert records == run.history
    assert last == {"done": True, "run": str(tmp_path / "cli"), "metrics": run.metrics}

    best = checkpoint.load_weights(folder / "weights.safetensors")
    assert set(best) == set(run.networks)
    for slot, network in run.networks.items():
        assert all(torch.equal(best[slot][k], v) for k, v in network.state_dict().items())


@pytest.mark.parametrize("make", PROJECTS, ids=lambda make: make.__name__)
def test_exported_code_is_clean(make: Callable[..., Project], tmp_path: Path) -> None:
    folder = builder.export(make(), tmp_path / "export")
    for command in (["check", "--isolated", "--no-cache"], ["format", "--isolated", "--line-length", "120", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    text = (folder / "train.py").read_text()
    for word in ("builder", "blocks.", "type: ignore", "noqa"):
        assert word not in text
    imports = {line for line in (folder / "model.py").read_text().splitlines() if line.startswith(("import ", "from "))}
    assert all("torch" in line or line == "import math" for line in imports)


def test_epochs_table_and_kept_weights(tmp_path: Path) -> None:
    project = spiral_mlp()
    folder = builder.export(project, tmp_path, weights={"network": builder.compile(project)["network"].state_dict()})
    before = (folder / "weights.safetensors").read_bytes()
    done = subprocess.run([sys.executable, "train.py", "--epochs", "1"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, last, where = done.stdout.splitlines()
    assert first.startswith("epoch   1   train loss")
    assert "validation loss" in first
    assert last.startswith("epoch   1   test loss")
    assert str(folder / "weights.safetensors") in where
    assert (folder / "weights.before.safetensors").read_bytes() == before


def test_the_script_says_what_is_wrong(tmp_path: Path) -> None:
    folder = builder.export(spiral_mlp(training={"device": "cpu"}), tmp_path)
    text = (folder / "train.py").read_text()
    (folder / "train.py").write_text(text.replace('"device": "cpu"', '"device": "mps"'))
    done = subprocess.run([sys.executable, "train.py"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith('train.py: The device "mps" is not available')


def test_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = short(spiral_mlp)
    run = builder.train(project, tmp_path / "run")
    folder = builder.export(project, tmp_path / "export")
    book = json.loads((folder / "train.ipynb").read_text())
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    monkeypatch.chdir(tmp_path)
    cells = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    space: dict[str, Any] = {"__name__": "notebook"}
    for cell in cells:
        exec(compile(cell, "cell", "exec"), space)
    assert space["records"] == run.history
    assert (tmp_path / "weights.safetensors").exists()


def test_requirements_name_what_is_imported(tmp_path: Path) -> None:
    folder = builder.export(lenet5(), tmp_path)
    names = {line.partition("==")[0] for line in (folder / "requirements.txt").read_text().split()}
    assert names == {"torch", "numpy", "safetensors", "scikit-learn"}


def test_weights_and_readme(tmp_path: Path) -> None:
    project = short(lenet5)
    run = builder.train(project, tmp_path / "run")
    folder = builder.export(project, tmp_path / "export", weights=run.weights())
    code = [line.strip() for line in (folder / "README.txt").read_text().splitlines() if line.startswith("  ")]
    code = [line for line in code if not line.startswith(("pip", "python"))]
    test = "import torch; torch.manual_seed(0); print([network(torch.rand(2, 1, 28, 28)).tolist()])"
    (found,) = lines_of(["-c", "\n".join([*code, "network.eval()", test])], folder)
    torch.manual_seed(0)
    assert found[0] == run.networks["network"].eval()(torch.rand(2, 1, 28, 28)).tolist()


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    weights = {"network": builder.compile(spiral_mlp())["network"].state_dict()}
    with pytest.raises(ExportError, match="do not fit the network 'network'"):
        builder.export(lenet5(), tmp_path, weights=weights)
    (tmp_path / "bad").write_bytes(b"no weights")
    with pytest.raises(ExportError, match="cannot be read"):
        builder.export(lenet5(), tmp_path, weights=tmp_path / "bad")


def test_errors_are_refused(tmp_path: Path) -> None:
    project = lenet5()
    broken = project.with_network("network", project.networks["network"].without_node("fc3"))
    with pytest.raises(ExportError, match="cannot be exported yet"):
        builder.export(broken, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_zip() -> None:
    archive = zipfile.ZipFile(io.BytesIO(export_zip(lenet5().replace(name='Le"Net\n../5'))))
    assert {name.split("/", 1)[1] for name in archive.namelist()} == {
        "model.py",
        "train.py",
        "train.ipynb",
        "requirements.txt",
        "README.txt",
    }
    assert all(name.startswith("le_net____5/") for name in archive.namelist())


@pytest.mark.parametrize("make", PROJECTS, ids=lambda make: make.__name__)
def test_pt2_gives_the_same_output_for_any_number_of_samples(make: Callable[..., Project], tmp_path: Path) -> None:
    project = make()
    networks = {slot: network.eval() for slot, network in builder.compile(project).items()}
    weights = {slot: network.state_dict() for slot, network in networks.items()}
    folder = builder.export(project, tmp_path, weights=weights, pt2=True)
    dataset = data.find(project.data.name).from_settings(project.data.settings)
    task = builder.tasks.find(project.task.name).from_settings(project.task.settings)
    for slot, network in networks.items():
        program = torch.export.load(folder / f"{slot}.pt2").module()
        (_, field), *_ = task.inputs(dataset, slot)
        x = torch.rand(5, *field.shape) if field.holds != "tokens" else torch.randint(field.size, (5, *field.shape))
        assert torch.allclose(program(x), network(x), atol=1e-6)


@pytest.mark.skipif(importlib.util.find_spec("onnx") is not None, reason="onnx is installed")
def test_without_its_packages_onnx_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="pip install onnx"):
        builder.export(lenet5(), tmp_path, onnx=True)
    assert (tmp_path / "train.py").exists()


def test_a_missing_package_is_said_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ONNX_PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(ExportError, match=r"pip install .*no_such_package\. All other files"):
        builder.export(lenet5(), tmp_path, onnx=True, pt2=True)
    assert (tmp_path / "train.py").exists()
    assert (tmp_path / "network.pt2").exists()


def test_a_layer_that_onnx_cannot_say_is_named(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    project = builder.templates.load("lenet5")
    graph = project.networks["network"]
    pool = blocks.catalogue()["AdaptiveMaxPool2d"]

    def pooled(size: int) -> Project:
        nodes = tuple(
            dataclasses.replace(n, block=pool.from_settings({"output_size": size})) if n.id == "pool1" else n
            for n in graph.nodes
        )
        return project.replace(networks={"network": dataclasses.replace(graph, nodes=nodes)})

    with pytest.raises(ExportError, match=r"no operators for pool1 \(AdaptiveMaxPool2d .* All other files"):
        builder.export(pooled(13), tmp_path / "uneven", onnx=True, pt2=True)
    assert (tmp_path / "uneven" / "network.pt2").exists()
    builder.export(pooled(14), tmp_path / "even", onnx=True)
    assert (tmp_path / "even" / "network.onnx").exists()


FORMS = (
    *("mlp", "lenet", "lenet5", "resnet_digits", "lstm_digits", "resnet20_cifar", "gan", "dcgan"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("googlenet_aux", "inception_v1", "resnet18", "resnet34")),
)


@pytest.mark.parametrize("name", FORMS)
def test_onnx_and_pt2_agree_with_pytorch_at_two_sizes_of_a_batch(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    project = builder.templates.load(name)
    torch.manual_seed(0)
    networks = builder.compile(project)
    samples = {slot: inputs(project, slot, 4) for slot in networks}
    with torch.no_grad():
        for slot, network in networks.items():
            for module in network.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.momentum = None  # statistics of these samples, so that numbers stay of usual size
            network.train()(*samples[slot])
            network.eval()
    states = {slot: network.state_dict() for slot, network in networks.items()}
    folder = builder.export(project, tmp_path, weights=states, onnx=True, pt2=True)
    for slot, network in networks.items():
        session = runtime.InferenceSession(folder / f"{slot}.onnx", providers=["CPUExecutionProvider"])
        program = torch.export.load(folder / f"{slot}.pt2").module()
        graph = project.networks[slot]
        assert [i.name for i in session.get_inputs()] == [n.id for n in graph.nodes if structure.is_input(n)]
        assert [o.name for o in session.get_outputs()] == [n.id for n in graph.nodes if structure.is_output(n)]
        for count in (1, 3):
            x = inputs(project, slot, count)
            with torch.no_grad():
                wanted, found = network(*x), program(*x)
            wanted, found = (v if isinstance(v, tuple) else (v,) for v in (wanted, found))
            given = {i.name: t.numpy() for i, t in zip(session.get_inputs(), x, strict=True)}
            for ours, other, theirs in zip(wanted, found, session.run(None, given), strict=True):
                assert ours.abs().max() > 1e-3, "numbers large enough to tell a difference"
                scale = max(1.0, float(ours.abs().max()))
                assert (ours - torch.from_numpy(theirs)).abs().max() / scale < 1e-5
                assert (ours - other).abs().max() / scale < 1e-5


def inputs(project: Project, slot: str, count: int) -> tuple[torch.Tensor, ...]:
    """Samples of random numbers, or of tokens, for every input of a network."""
    blocks = [n.block for n in project.networks[slot].nodes if structure.is_input(n)]
    return tuple(
        torch.randint(2, (count, *block.source_shape()))
        if block.holds == "tokens"
        else torch.randn(count, *block.source_shape())
        for block in blocks
    )


# --- every data set and optimizer can be written -------------------------------------------------


@pytest.mark.parametrize("name", data.names())
def test_every_data_set_can_stand_alone(name: str) -> None:
    cls = data.find(name)
    gathered = Gathered()
    names = gathered.add(cls.load_arrays, cls.make_batch)
    compile(gathered.text(names), name, "exec")


def test_a_data_set_that_cannot_stand_alone_is_told() -> None:
    def uses_us() -> None:
        from builder import project

        print(project)

    with pytest.raises(GatherError, match="must do without"):
        Gathered().add(uses_us)


def test_every_optimizer_exports(tmp_path: Path) -> None:
    class Adagrad(optimizers.Optimizer):
        name = "Adagrad"
        lr: float = setting(0.01, min=0)

    optimizers.register(Adagrad)
    try:
        project = short(spiral_mlp).replace(optimizer={"network": Choice("Adagrad", {"lr": 0.5})})
        run = builder.train(project, tmp_path / "run")
        folder = builder.export(project, tmp_path / "export")
    finally:
        optimizers._known.pop("Adagrad")
    *records, _ = lines_of(["train.py", "--json"], folder)
    assert records == run.history


# --- several processes ---------------------------------------------------------------------------


def together(folder: Path, processes: int) -> tuple[list[dict[str, Any]], str]:
    """The JSON lines of train.py under torchrun, and what it said besides."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, "train.py", "--json", "--epochs", "1"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5", "lstm_digits"])
def test_two_processes_give_the_losses_of_one_with_the_same_batches(name: str, tmp_path: Path) -> None:
    project = builder.templates.load(name)
    project = project.replace(training={**project.training, "batch_size": 151})  # odd, so that the parts differ
    folder = builder.export(project, tmp_path)
    alone = lines_of(["train.py", "--json", "--epochs", "1"], folder)
    both, said = together(folder, 2)
    assert len(both) == len(alone) > 5
    for one, two in zip(alone[:-1], both[:-1], strict=True):
        assert {k: one.get(k) for k in ("step", "epoch", "split")} == {
            k: two.get(k) for k in ("step", "epoch", "split")
        }
        assert two["losses"]["loss"] == pytest.approx(one["losses"]["loss"], abs=1e-5)
        assert two["metrics"]["accuracy"] == pytest.approx(one["metrics"]["accuracy"], abs=1e-5)
    assert both[-1]["done"]
    assert "Batch normalization" not in said


@pytest.mark.slow
def test_batch_normalization_on_parts_of_a_batch_is_said(tmp_path: Path) -> None:
    folder = builder.export(builder.templates.load("resnet_digits"), tmp_path)
    records, said = together(folder, 2)
    assert said.count("train.py: Batch normalization sees at most") == 1
    steps = [r for r in records if "split" not in r and "losses" in r]
    assert steps[-1]["losses"]["loss"] < steps[0]["losses"]["loss"]
    assert (folder / "weights.safetensors").exists()


def resnet18_on_small_pictures() -> builder.Project:
    """The starter project's own network, with 8 classes of pictures of 32 pixels."""
    project = builder.templates.load("resnet18")
    graph = project.networks["network"]
    changes = {"image": {"height": 32, "width": 32}, "fc": {"out_features": 8}}
    nodes = tuple(dataclasses.replace(n, block=n.block.replace(**changes.get(n.id, {}))) for n in graph.nodes)
    data = {**project.data.settings, "height": 32, "width": 32, "classes": 8, "samples": 256}
    return project.replace(
        networks={"network": dataclasses.replace(graph, nodes=nodes)},
        data=dataclasses.replace(project.data, settings=data),
        optimizer={
            "network": dataclasses.replace(project.optimizer["network"], settings={"lr": 0.003, "momentum": 0.9})
        },
    )


@pytest.mark.slow
def test_resnet18_on_two_processes_trains_and_says_that_normalization_sees_half_a_batch(tmp_path: Path) -> None:
    project = resnet18_on_small_pictures()
    assert project.training["batch_size"] == 16
    folder = builder.export(project, tmp_path)
    records, said = together(folder, 2)
    assert said.count("train.py: Batch normalization sees at most 8 of the 16 samples of a batch") == 1
    losses = [r["losses"]["loss"] for r in records if "split" not in r and "losses" in r]
    assert len(losses) == 12
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    assert records[-1]["done"]
    assert (folder / "weights.safetensors").exists()
