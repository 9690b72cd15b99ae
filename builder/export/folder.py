"""Writing an export: the code, its requirements, weights, and other forms of the network."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from torch import Tensor, nn

from builder.compile import compile as compile_networks
from builder.export import figure as drawing
from builder.export import programs, script, summary
from builder.export.notebook import notebook
from builder.project import Project, write_atomically
from builder.source import generate
from builder.training import weights as beginning
from builder.training.checkpoint import CheckpointError, load_weights, save_weights
from builder.training.job import parts
from builder.training.weights import INITIAL_FILE, Beginning
from builder.validate import check

WEIGHTS_FILE = "weights.safetensors"
Weights = str | os.PathLike[str] | Mapping[str, Mapping[str, Tensor]]


class ExportError(ValueError):
    """An export cannot be made; the message is one sentence."""


def export(
    project: Project,
    folder: str | os.PathLike[str],
    weights: Weights | None = None,
    onnx: bool = False,
    pt2: bool = False,
    figure: bool = False,
    begin: Beginning | None = None,
) -> Path:
    """Write model.py, train.py, train.ipynb, requirements.txt and README.txt to a folder, and give its path.

    `weights` is a run's weights file, or ``{slot: state_dict}``; they go to weights.safetensors, and into
    NETWORK.onnx and NETWORK.pt2 if these are asked for (without weights, fresh ones drawn from the
    project's seed). `figure` adds summary.csv and the drawing of every network, folded and unfolded: NETWORK.dot,
    and NETWORK.svg and NETWORK.pdf where graphviz's `dot` is installed. `begin` is what the next training begins with;
    what of it fits goes to initial.safetensors, which train.py takes by ``--weights``. Files of the same names are
    replaced.

    Raises ExportError (a ValueError) with a sentence when the project has errors, the weights do not fit, or ONNX
    cannot be made (everything else is written then); WeightsError (a ValueError) when those to begin with do not fit;
    OSError when the folder cannot be written.
    """
    errors = [p for p in check(project).problems if p.severity == "error"]
    if errors:
        listed = "\n".join(f"- {p.message}" for p in errors)
        raise ExportError(f"{project.name} cannot be exported yet:\n{listed}")
    given = _given(weights)
    first = None if begin is None else beginning.find(begin.source, project, begin.name)
    if given is not None or onnx or pt2:
        networks = _networks(project, given)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = generate(project).text
    files = {
        "model.py": model,
        "train.py": script.text(project),
        "train.ipynb": notebook(project, model, script.script(project)),
        "requirements.txt": requirements(project),
        "README.txt": _readme(project, given is not None, "" if first is None else first[1].sentence()),
    }
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    if given is not None:
        states = {slot: network.state_dict() for slot, network in networks.items()}
        save_weights(folder / WEIGHTS_FILE, states, {})
    if first is not None and begin is not None:
        beginning.keep(folder, *first, begin.partial)
    if figure:
        _draw(project, folder)
    if pt2:
        for slot, network in networks.items():
            programs.write_pt2(network, project.networks[slot], folder / f"{slot}.pt2")
    if onnx:
        missing = programs.missing_for_onnx()
        if missing:
            raise ExportError(
                f"ONNX needs more packages; install them with: pip install {' '.join(missing)}. "
                "All other files of the export were written."
            )
        for slot, network in networks.items():
            try:
                programs.write_onnx(network, project.networks[slot], folder / f"{slot}.onnx")
            except programs.OnnxError as error:
                raise ExportError(f"{error} All other files of the export were written.") from error
    return folder


def _draw(project: Project, folder: Path) -> None:
    """The summary, and the figures: of a network without composites one, else one folded and one unfolded."""
    report = check(project)
    write_atomically(folder / "summary.csv", summary.csv_text(project, report).encode())
    for slot in project.networks:
        opens = any(known.inner for known in report.nodes[slot].values())
        for unfolded in (False, True) if opens else (False,):
            stem = f"{slot}_unfolded" if unfolded else slot
            source = drawing.dot(project, slot, unfolded, report)
            write_atomically(folder / f"{stem}.dot", source.encode())
            for form in drawing.FORMATS if drawing.drawable() else ():
                write_atomically(folder / f"{stem}.{form}", drawing.render(source, form))


def export_zip(
    project: Project,
    weights: Weights | None = None,
    onnx: bool = False,
    pt2: bool = False,
    figure: bool = False,
    begin: Beginning | None = None,
) -> bytes:
    """The same files in a zip, in a folder named after the project. Raises as `export` does."""
    stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in project.name).strip("_").lower()[:60] or "network"
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="layerloom-") as place:
        export(project, place, weights, onnx, pt2, figure, begin)
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(Path(place).rglob("*")):
                if path.is_file():
                    archive.write(path, f"{stem}/{path.relative_to(place)}")
    return buffer.getvalue()


# --- texts ---------------------------------------------------------------------------------------


def requirements(project: Project) -> str:
    """What train.py needs: exactly this torch, since others give other last digits."""
    needed = [f"torch=={torch.__version__.partition('+')[0]}", "numpy", "safetensors", *parts(project).dataset.requires]
    return "".join(f"{line}\n" for line in dict.fromkeys(_pinned(name) for name in needed))


def _pinned(requirement: str) -> str:
    if not requirement.replace("-", "").replace("_", "").isalnum():
        return requirement
    try:
        return f"{requirement}=={version(requirement)}"
    except PackageNotFoundError:
        return requirement


def _readme(project: Project, weights: bool, begun: str) -> str:
    lines = [
        f"{' '.join(project.name.split())}, drawn with Layerloom",
        "",
        "  pip install -r requirements.txt",
        "  python train.py",
        "",
        "model.py     the network, in PyTorch",
        "train.py     its training: settings at the top, then data, loss and loop",
        "train.ipynb  the same as a notebook",
    ]
    if weights:
        lines += [
            "weights.safetensors  the trained weights. To load them:",
            "",
            "  from safetensors.torch import load_file",
            "  from model import *",
        ]
        for slot, cls in generate(project).classes.items():
            prefix = f"{slot}."
            lines += [
                f"  {slot} = {cls}()",
                f'  {slot}.load_state_dict({{k.removeprefix("{prefix}"): v for k, v in '
                f'load_file("weights.safetensors").items() if k.startswith("{prefix}")}})',
            ]
    if begun:
        lines += [
            f"{INITIAL_FILE}  what the next training on the page begins with. {begun}",
            "train.py draws all weights anew, unless it is told to begin with these too:",
            "",
            f"  python train.py --weights {INITIAL_FILE}",
        ]
    lines += ["", "train.py keeps the weights of the best validation in weights.safetensors."]
    return "\n".join(lines) + "\n"


# --- networks ------------------------------------------------------------------------------------


def _given(weights: Weights | None) -> dict[str, dict[str, Tensor]] | None:
    if weights is None:
        return None
    if isinstance(weights, Mapping):
        return {slot: dict(state) for slot, state in weights.items()}
    try:
        return load_weights(Path(weights))
    except CheckpointError as error:
        raise ExportError(str(error)) from error


def _networks(project: Project, given: dict[str, dict[str, Tensor]] | None) -> dict[str, nn.Module]:
    """The networks in evaluation mode, with the given weights or with fresh ones from the project's seed."""
    with torch.random.fork_rng([]):
        torch.manual_seed(parts(project).training.seed)
        networks = compile_networks(project)
    for slot, network in networks.items():
        if given is not None:
            try:
                network.load_state_dict(given.get(slot, {}))
            except RuntimeError as error:
                raise ExportError(
                    f"The weights do not fit the network {slot!r}; it has changed since they were trained. "
                    "Export the run's own project, or train again."
                ) from error
        network.eval()
    return networks
