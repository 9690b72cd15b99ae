"""The training as a Jupyter notebook, written as the JSON of nbformat 4.5."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from builder.export.gather import import_lines, separate_imports
from builder.export.script import Script
from builder.project import Project

PLOT = '''"""Train, and draw the curves after each epoch if matplotlib is there."""

try:
    import matplotlib.pyplot as plt
    from IPython.display import clear_output
except ImportError:
    plt = None


def draw(records):
    """The curves of the first loss and the first metric so far."""
    clear_output(wait=True)
    steps = [r for r in records if "split" not in r]
    checks = [r for r in records if r.get("split") == "validation"]
    _, axes = plt.subplots(1, 2, figsize=(11, 3.5))
    for axis, kind in zip(axes, ("losses", "metrics")):
        if not steps[0][kind]:
            continue
        name = next(iter(steps[0][kind]))
        axis.plot([r["step"] for r in steps], [r[kind][name] for r in steps], alpha=0.4, label="train")
        axis.plot([r["step"] for r in checks], [r[kind][name] for r in checks], marker="o", label="validation")
        axis.set_xlabel("step")
        axis.set_title(name)
        axis.legend()
    plt.show()


loop = start(data_folder(None))
records = []
for record in loop.run():
    records.append(record)
    if "split" in record:
        if plt is not None:
            draw(records)
        print({"epoch": record["epoch"], "split": record["split"], **record["losses"], **record["metrics"]})'''

SAVE = 'save_weights(loop, Path("weights.safetensors"))'


def notebook(project: Project, model: str, script: Script) -> str:
    """The text of train.ipynb; `model` is the text of model.py."""
    functions, _, _ = script.main.partition("\n\n\ndef main()")
    network, imports = _without_imports(model)
    imports |= script.imports
    body = "\n\n\n".join([network, script.settings, script.data, script.task, script.loop, functions])
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    cells = [
        _text(
            f"# {' '.join(project.name.split())}\n\nA network drawn with Layerloom, and its training in plain PyTorch."
        ),
        _code(import_lines(statement for name, statement in imports.items() if name in used)),
        _text("## The network"),
        _code(network),
        _text("## Settings"),
        _code(script.settings),
        _text("## Data"),
        _code(script.data),
        _text("## Loss and step"),
        _code(script.task),
        _text("## The training loop"),
        _code(script.loop),
        _code(functions),
        _text("## Training"),
        _code(PLOT),
        _code(SAVE),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    book = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def _without_imports(source: str) -> tuple[str, dict[str, ast.Import | ast.ImportFrom]]:
    """The text without its imports, which a notebook has in one place, and the imports."""
    gone: set[int] = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            gone.update(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
    kept = [line for number, line in enumerate(source.splitlines(), start=1) if number not in gone]
    text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(kept)).strip()
    return text, separate_imports(source)


def _text(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, Any]:
    source = text.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
