"""From generated text to modules: the only file that evaluates generated source.

The text is written to a real file first, so that tracebacks and debuggers show its lines, and so that
what trains is what can be read.
"""

from __future__ import annotations

import atexit
import builtins
import hashlib
import os
import shutil
import sys
import tempfile
import types
from pathlib import Path

from torch import nn

from builder.initialization import initialize
from builder.project import Project, write_atomically
from builder.source import Source, generate, source
from builder.training.settings import TrainingSettings
from builder.validate import check

__all__ = ["compile", "generate", "instantiate", "load_source", "source"]

FILE = "model.py"


def compile(project: Project, folder: str | os.PathLike[str] | None = None) -> dict[str, nn.Module]:
    """The networks of a project as modules, with fresh weights from torch's current random state.

    The weights are drawn as the training settings say.
    model.py is written to `folder` (a temporary one unless told). Raises ValueError that lists the
    problems when the project does not check ok, and OSError when the file cannot be written.
    """
    errors = [p for p in check(project).problems if p.severity == "error"]
    if errors:
        listed = "\n".join(f"- {p.network}{'.' + p.node if p.node else ''}: {p.message}" for p in errors)
        raise ValueError(f"{project.name} cannot be compiled yet:\n{listed}")
    generated = generate(project)
    networks = instantiate(write(generated, folder), generated.classes)
    initialize(networks, TrainingSettings.from_settings(project.training).to_settings())
    return networks


def write(generated: Source, folder: str | os.PathLike[str] | None = None) -> Path:
    """Put the text into `folder`/model.py (a temporary folder unless told) and give its path."""
    text = generated.text.encode()
    place = Path(folder) if folder is not None else _temporary() / hashlib.sha256(text).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    path = place / FILE
    if not path.exists() or path.read_bytes() != text:
        write_atomically(path, text)
    return path


def instantiate(path: str | os.PathLike[str], classes: dict[str, str]) -> dict[str, nn.Module]:
    """The networks of the model.py at `path`; `classes` gives the class of each (see `Source`)."""
    module = load_source(path)
    return {name: getattr(module, cls)() for name, cls in classes.items()}


def load_source(path: str | os.PathLike[str]) -> types.ModuleType:
    """The file as a module of its own, which later imports of the same unchanged file share.

    Python's cache of compiled files is passed by: it tells two texts apart by second and size only, and
    would leave a folder in the run.
    """
    path = Path(path).resolve()
    text = path.read_bytes()
    name = "layerloom_model_" + hashlib.sha256(bytes(path) + b"\0" + text).hexdigest()[:16]
    if name not in sys.modules:
        module = types.ModuleType(name)
        module.__file__ = str(path)
        exec(builtins.compile(text, str(path), "exec"), module.__dict__)
        sys.modules[name] = module  # pickle and inspect find a class through its module
    return sys.modules[name]


_made: list[Path] = []


def _temporary() -> Path:
    """A folder of this process alone (0700), removed at its end."""
    if not _made:
        _made.append(Path(tempfile.mkdtemp(prefix="layerloom-")))
        atexit.register(shutil.rmtree, _made[0], ignore_errors=True)
    return _made[0]
