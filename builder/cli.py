"""The command line: what `python -m builder` does, command by command.

Each command is a function of the parsed arguments that prints and returns the exit status. Mistakes in
files, names and settings leave it as a `CommandError`: one sentence on stderr and status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import blocks
from builder import project as files
from builder import tables, templates
from builder.project import Choice, Project, ProjectError

PARTS = ("data", "task", "loss", "optimizer", "training", "name")
PROGRESS_SECONDS = 0.5


class CommandError(Exception):
    """The command cannot be done; the message is one sentence for stderr."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status: 0, 1 for what is wrong, 2 (raised by argparse) for wrong usage."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        status = command(options)
        sys.stdout.flush()
        return status
    except CommandError as error:
        print(f"builder: {error}", file=sys.stderr)
    except BrokenPipeError:  # the reader (head, say) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"builder: {where}{error.strerror or error}.", file=sys.stderr)
    except KeyboardInterrupt:
        print("builder: stopped.", file=sys.stderr)
        return 130
    return 1


def parser() -> argparse.ArgumentParser:
    """The grammar of all commands."""
    top = argparse.ArgumentParser(prog="python -m builder", description="Check, train and export Layerloom projects.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], help: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help, description=help)
        made.set_defaults(command=command, read_weights=None)
        return made

    add("templates", _templates, "List the starter projects.")
    add("blocks", _blocks, "List all blocks with their settings.")

    new = add("new", _new, "Write a starter project, or a network in code or ONNX, to a project's file.")
    new.add_argument(
        "template", metavar="TEMPLATE|FILE", help="the name of a starter project, a model.py or an .onnx file"
    )
    new.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the file to write")

    check = add("check", _check, "Print shapes, parameters and problems; status 1 when there are errors.")
    check.add_argument("--json", action="store_true", help="print one JSON object")

    export = add("export", _export, "Write model.py, train.py, a notebook and requirements to a folder.")
    export.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="the folder to write to")
    export.add_argument("--onnx", action="store_true", help="also write ONNX")
    export.add_argument("--pt2", action="store_true", help="also write PyTorch's exported program")
    export.add_argument("--figure", action="store_true", help="also draw every network (DOT, SVG, PDF), and a summary")

    summary = add("summary", _summary, "Print a table of every layer: shape, parameters, multiply-adds, memory.")
    summary.add_argument("--csv", action="store_true", help="as comma-separated values, with every inner layer")
    summary.add_argument("--unfold", action="store_true", help="with the layers inside composites")

    train = add("train", _train, "Train a project and keep its run.")
    train.add_argument("--epochs", metavar="N", type=_positive, help="how often every sample is seen")
    train.add_argument("--run", metavar="DIR", type=Path, help="the folder of the run (a new one unless told)")
    train.add_argument("--json", action="store_true", help="print one JSON object a line")
    train.add_argument(
        "--weights", metavar="FILE", type=Path, help="begin with these: safetensors, or a .pt state_dict"
    )
    train.add_argument("--partial", action="store_true", help="take of the weights what fits, and draw the rest")

    for made in (check, export, summary, train):
        made.add_argument(
            "file", metavar="FILE", help="a project's file, a model.py, an .onnx file, or the name of a starter project"
        )
    for made in (new, check, export, summary, train):
        made.add_argument(
            "--set",
            metavar="PART.NAME=VALUE",
            action="append",
            default=[],
            help="change a part first, such as data.name=mnist, training.batch_size=32 or optimizer.lr=0.01",
        )
    return top


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


# --- opening -------------------------------------------------------------------------------------


def opened(options: argparse.Namespace) -> Project:
    """The project a command names, with the changes of --set. Raises CommandError."""
    name = options.file
    try:
        if not Path(name).is_file() and name in templates.names():
            found = templates.load(name)
        else:
            found = _read(Path(name), options)
    except ProjectError as error:
        hint = ""
        if os.sep not in name and not Path(name).exists():
            hint = f" There is no starter project of that name either; there are {', '.join(templates.names())}."
        raise CommandError(f"{error}{hint}") from None
    if found.weights is not None:
        print(
            f"note: on the page, training begins with the weights of {found.weights.name}; here they are drawn anew, "
            "unless `train --weights FILE` names a file.",
            file=sys.stderr,
        )
    return changed(found, options.set)


def _read(path: Path, options: argparse.Namespace) -> Project:
    """The project in a file of any form; what was read otherwise than written is said on stderr.

    Weights of the file are put into ``options.read_weights``.
    """
    if path.suffix.lower() in ("", ".json"):
        return files.load(path)
    from builder.reading import ReadError, open_file

    try:
        read = open_file(path)
    except ReadError as error:
        raise CommandError(str(error)) from None
    for note in read.notes:
        print(f"note: {note}", file=sys.stderr)
    options.read_weights = read.weights
    return read.project


def changed(project: Project, changes: Sequence[str]) -> Project:
    """The project after changes of the form ``part.name=value``. Raises CommandError for one it cannot make.

    A value is read as JSON where it is such, and as text otherwise. A new name of the data set, loss, task or
    optimizer starts from that one's usual settings. ``optimizer.lr`` is set in every slot,
    ``optimizer.generator.lr`` in one.
    """
    for change in changes:
        path, equals, text = change.partition("=")
        part, *rest = path.strip().split(".")
        if rest[:1] == ["settings"]:
            rest = rest[1:]
        if not equals or part not in PARTS or not (all(rest) and len(rest) == (0 if part == "name" else 1)):
            slot = part == "optimizer" and len(rest) == 2 and rest[0] in project.optimizer
            if not (equals and slot):
                raise CommandError(
                    f"--set {change} names no setting. Use PART.NAME=VALUE with PART one of {', '.join(PARTS)}."
                )
        value = _value(text)
        match part:
            case "name":
                project = project.replace(name=text[: files.MAX_NAME] or project.name)
            case "training":
                project = project.replace(training={**project.training, rest[0]: value})
            case "optimizer":
                slots = (rest[0],) if len(rest) == 2 else tuple(project.optimizer)
                chosen = {slot: _with(project.optimizer[slot], rest[-1], value) for slot in slots}
                project = project.replace(optimizer={**project.optimizer, **chosen})
            case _:
                project = project.replace(**{part: _with(getattr(project, part), rest[0], value)})
    return project


def _with(choice: Choice, setting: str, value: Any) -> Choice:
    if setting != "name":
        return Choice(choice.name, {**choice.settings, setting: value})
    return choice if value == choice.name else Choice(str(value))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


# --- commands ------------------------------------------------------------------------------------


def _templates(options: argparse.Namespace) -> int:
    rows = [(name, templates.about(name).text) for name in templates.names()]
    print(tables.aligned(rows))
    return 0


def _blocks(options: argparse.Namespace) -> int:
    for category, label in blocks.CATEGORIES.items():
        members = [cls for cls in blocks.catalogue().values() if cls.category == category]
        if members:
            print(label)
            print(tables.aligned([(f"  {cls.__name__}", tables.settings(cls)) for cls in members]))
    return 0


def _new(options: argparse.Namespace) -> int:
    if Path(options.template).is_file():
        made = changed(_read(Path(options.template), options), options.set)
    else:
        try:
            made = changed(templates.load(options.template), options.set)
        except KeyError as error:
            raise CommandError(error.args[0]) from None
    if options.output.exists():
        raise CommandError(f"{options.output} exists already; choose another file, so that nothing is lost.")
    files.save(made, options.output)
    print(f"{options.output} holds {made.name}.")
    if options.read_weights:
        from builder.training.checkpoint import save_weights

        place = options.output.with_suffix(".safetensors")
        save_weights(place, options.read_weights, {})
        print(f"{place} holds its weights; train --weights {place} begins with them.")
    return 0


def _check(options: argparse.Namespace) -> int:
    from builder.validate import check

    project = opened(options)
    report = check(project)
    if options.json:
        print(json.dumps(tables.as_json(report)))
    else:
        print(tables.report(project, report))
    return 0 if report.ok else 1


def _export(options: argparse.Namespace) -> int:
    from builder.export import export, figure

    project = opened(options)
    try:
        weights = options.read_weights
        folder = export(project, options.output, weights, onnx=options.onnx, pt2=options.pt2, figure=options.figure)
    except ValueError as error:
        raise CommandError(str(error)) from None
    for path in sorted(folder.iterdir()):
        print(path)
    if options.figure and not figure.drawable():
        print(f"note: {figure.INSTALL}", file=sys.stderr)
    return 0


def _summary(options: argparse.Namespace) -> int:
    from builder.export import summary

    project = opened(options)
    print(summary.csv_text(project).rstrip("\n") if options.csv else summary.text(project, options.unfold))
    return 0


def _train(options: argparse.Namespace) -> int:
    from builder.training import train

    project = opened(options)
    show = _print_json if options.json else Progress(project.training.get("epochs") if not options.epochs else None)
    try:
        with tempfile.TemporaryDirectory(prefix="layerloom-") as place:
            if options.read_weights and not options.weights:
                from builder.training.checkpoint import save_weights

                options.weights = Path(place) / f"{Path(options.file).stem}.safetensors"
                save_weights(options.weights, options.read_weights, {})
            run = train(project, options.run, show, options.epochs, options.weights, options.partial)
    except ValueError as error:
        raise CommandError(str(error)) from None
    if options.json:
        _print_json({"done": True, "run": str(run.folder), "metrics": run.metrics})
    else:
        if options.weights:
            from builder.training.weights import told

            print(told(run.folder))
        print(f"The run is in {run.folder}.")
    return 0


def _print_json(record: dict[str, Any]) -> None:
    print(json.dumps(record), flush=True)


class Progress:
    """Prints a training for people: a line now and then, and one for every evaluation."""

    def __init__(self, epochs: int | None) -> None:
        self.epochs = epochs
        self.last = time.monotonic()

    def __call__(self, record: dict[str, Any]) -> None:
        now = time.monotonic()
        if "split" not in record and now - self.last < PROGRESS_SECONDS:
            return
        self.last = now
        of = f"/{self.epochs}" if self.epochs else ""
        values = {**record["losses"], **record["metrics"]}
        what = record.get("split", "training")
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        print(f"epoch {record['epoch']}{of}  step {record['step']:>6}  {what:<10}  {numbers}", flush=True)
