"""The text of train.py: settings, the plain functions that trained, and a short main."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blocks.base import Declared
from builder import optimizers
from builder.export.gather import Gathered, import_lines, separate_imports
from builder.initialization import initialize
from builder.project import Project
from builder.source import generate, render
from builder.training.job import parts, settings
from builder.training.loop import Loop

MAIN = Path(__file__).with_name("main.py.txt")
WIDTH = 120


@dataclass(frozen=True)
class Script:
    """A training script in pieces, which train.py and the notebook join in their own ways."""

    imports: dict[str, ast.Import | ast.ImportFrom]
    settings: str
    data: str
    task: str
    loop: str
    main: str
    load: str
    make_batch: str
    classes: dict[str, str]

    def text(self, docstring: str) -> str:
        """The whole train.py."""
        pieces = [
            f'"""{docstring}"""\n\nfrom __future__ import annotations\n\n{import_lines(self.imports.values())}\n',
            f"from model import {', '.join(sorted(set(self.classes.values())))}\n",
            f"# --- what you may want to change {'-' * 65}\n\n{self.settings}\n\n",
            f"# --- data {'-' * 88}\n\n\n{self.data}\n\n",
            f"# --- the task {'-' * 84}\n\n\n{self.task}\n\n",
            f"# --- the training loop {'-' * 75}\n\n\n{self.loop}\n\n",
            f"# --- the script {'-' * 82}\n\n\n{self.main}",
        ]
        return "\n".join(pieces)


def script(project: Project) -> Script:
    """The pieces of a project's training script. The project must check ok."""
    found, chosen = parts(project), settings(project)
    gathered = Gathered()
    renewal = found.dataset.renewal()
    data = gathered.add(found.dataset.load_arrays, found.dataset.make_batch, *((renewal,) if renewal else ()))
    optional = {"score": found.task.score, "measure": found.task.measure}
    given: dict[str, Any] = {name: function for name, function in optional.items() if function is not None}
    task = gathered.add(found.task.prepare, found.task.train_step, found.task.evaluate, *given.values())
    if renewal is not None:
        given["renew"] = renewal
    loop = gathered.add(Loop, initialize)
    classes = generate(project).classes
    names = {
        "LOAD_ARRAYS": found.dataset.load_arrays.__name__,
        "MAKE_BATCH": found.dataset.make_batch.__name__,
        "PREPARE": found.task.prepare.__name__,
        "TRAIN_STEP": found.task.train_step.__name__,
        "EVALUATE": found.task.evaluate.__name__,
        "MORE": "".join(f", {name}={function.__name__}" for name, function in given.items()),
        "NETWORKS": ", ".join(f'"{slot}": {cls}()' for slot, cls in classes.items()),
    }
    body = MAIN.read_text()
    head, _, main = body.partition("\n\n\n")
    for placeholder, name in names.items():
        main = main.replace(f"__{placeholder}__", name)
    return Script(
        imports={**gathered.imports, **separate_imports(head)},
        settings=_settings(project, chosen),
        data=gathered.text(data),
        task=gathered.text(task),
        loop=gathered.text(loop),
        main=main,
        load=names["LOAD_ARRAYS"],
        make_batch=names["MAKE_BATCH"],
        classes=classes,
    )


def text(project: Project) -> str:
    """The text of train.py. The project must check ok."""
    dataset = parts(project).dataset
    title = " ".join(f"Train {project.name} on {dataset.label}.".split()).replace("\\", "/").replace('"', "'")
    usage = (
        f"{title}\n\nWritten by Layerloom. The network stands in model.py.\n\n"
        "    python train.py                  train with the settings below\n"
        "    python train.py --epochs 3       for another number of epochs\n"
        "    python train.py --json           print one JSON object a line\n"
        "    python train.py --data FOLDER    take data files that are already there\n"
        "    python train.py --weights FILE   begin with the weights of an earlier training\n"
    )
    return script(project).text(usage)


# --- settings as source --------------------------------------------------------------------------


def _settings(project: Project, chosen: dict[str, Any]) -> str:
    found = parts(project)
    pieces = [
        _dict("TRAINING", chosen["training"], type(found.training)),
        *_optimizer(project, chosen["optimizer"]),
        "# Modules that learn at a rate of their own, for each network: a factor of the learning rate; 0 freezes.",
        _rates(chosen["rates"]),
        _dict("LOSS", chosen["loss"], type(found.loss)),
        _dict("TASK", chosen["task"], type(found.task)),
        _dict("DATA", chosen["data"], type(found.dataset)),
        "# Which number of the validation decides the weights to keep.",
        _dict("BEST", chosen["best"], None),
    ]
    return "\n".join(pieces)


def _optimizer(project: Project, chosen: dict[str, Any]) -> list[str]:
    lines = ["# A class of torch.optim and its arguments, for each network.", "OPTIMIZER = {"]
    for slot, values in chosen.items():
        lines.append(f"    {render(slot)}: {{")
        lines += _items(values, optimizers.find(project.optimizer[slot].name), 8)
        lines.append("    },")
    return ["\n".join([*lines, "}"])]


def _rates(chosen: dict[str, dict[str, float]]) -> str:
    """One line, or where that is too long a module a line."""
    line = f"RATES = {_value(chosen)}"
    if len(line) <= WIDTH:
        return line
    lines = ["RATES = {"]
    for slot, factors in chosen.items():
        lines += [f"    {render(slot)}: {{", *_items(factors, None, 8), "    },"]
    return "\n".join([*lines, "}"])


def _dict(name: str, values: dict[str, Any], declared: type[Declared] | None) -> str:
    line = f"{name} = {_value(values)}"
    if len(values) <= 3 and len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = {{", *_items(values, declared, 4), "}"])


def _items(values: dict[str, Any], declared: type[Declared] | None, indent: int) -> list[str]:
    """One line per setting, with what it means where there is room."""
    meanings = _meanings(declared) if declared is not None else {}
    lines = []
    for name, value in values.items():
        line = f"{' ' * indent}{render(name)}: {_value(value)},"
        comment = meanings.get(name, "")
        lines.append(f"{line}  # {comment}" if comment and len(line) + len(comment) + 4 <= WIDTH else line)
    return lines


def _meanings(declared: type[Declared]) -> dict[str, str]:
    return {s.name: " or ".join(map(str, s.choices)) if s.choices else s.help.rstrip(".") for s in declared.settings()}


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{render(k)}: {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return render(value)
