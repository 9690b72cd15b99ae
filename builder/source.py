"""The text of model.py: the network as an engineer would write it, from a plan.

The text imports torch only. It is the source that trains: `builder.compile` imports it from a real
file, and an export copies that file.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import math
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from blocks import modules
from blocks.base import Call
from builder import names
from builder.forward import Name, Statement
from builder.layers import SEQUENTIAL, Copies, Layer
from builder.plan import Class, Plan, plan
from builder.project import Project

WIDTH = 120
"""The longest line, as in this project's own files."""
REPEATED = 3
"""From this many on, equal layers of a stage are written once, in a loop."""

Lines = list[tuple[str, tuple[str, ...]]]
"""Lines of a class, each with the ids of the layers it belongs to."""


@dataclass(frozen=True)
class Source:
    """The text of model.py and where to find a node in it.

    A node's path is its id, after those of the composites it is in: "layer1.conv1". `modules` gives
    the path of its module (for `get_submodule`), `lines` its line numbers, from 1: those of the
    constructor and of `forward`, in the class it is written in.
    """

    text: str
    classes: dict[str, str]
    modules: dict[str, dict[str, str]]
    lines: dict[str, dict[str, tuple[int, ...]]]


def source(project: Project) -> str:
    """The text of model.py; raises ValueError when a network cannot be written."""
    return generate(project).text


def generate(project: Project) -> Source:
    """The text of model.py with its line map; raises ValueError when a network cannot be written."""
    planned = plan(project)
    styles = {name: _positional(name, planned) for name in planned.classes}
    written = {name: _class(cls, name in planned.networks.values(), styles) for name, cls in planned.classes.items()}
    helpers = _helpers(planned)
    body = "\n\n\n".join([*helpers, *("\n".join(text for text, _ in lines) for lines in written.values())])
    head = "\n".join([f'"""{_docstring(project)}"""', "", *_imports(helpers), "", ""]) + "\n"

    at = head.count("\n") + sum(text.count("\n") + 3 for text in helpers)
    numbers: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, lines in written.items():
        numbers[name] = {}
        for number, (_, ids) in enumerate(lines, start=at + 1):
            for id in ids:
                numbers[name][id] = (*numbers[name].get(id, ()), number)
        at += len(lines) + 2
    places = {net: list(_places(planned, numbers, cls)) for net, cls in planned.networks.items()}
    return Source(
        head + body + "\n",
        dict(planned.networks),
        {net: {node: path for node, path, _ in found} for net, found in places.items()},
        {net: {node: lines for node, _, lines in found} for net, found in places.items()},
    )


def _places(
    planned: Plan,
    numbers: dict[str, dict[str, tuple[int, ...]]],
    name: str,
    node: str = "",
    path: str = "",
    values: dict[str, Any] | None = None,
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Every layer of a class and those inside its layers: as a node, as a module, and its line numbers.

    `values` are the arguments this use of the class is made with.
    """
    known = values or {}
    for layer in planned.classes[name].layers:
        for part, (id, place) in zip(layer.parts or (layer,), layer.paths().items(), strict=True):
            yield node + id, path + place, numbers[name][id]
            for below, call in _inside(part.call, planned, known):
                inner, at = f"{node}{id}{below}", f"{path}{place}{below}"
                if below:
                    yield inner, at, numbers[name][id]
                given = {k: _known(v, known) for k, v in call.kwargs.items()}
                yield from _places(planned, numbers, call.target, f"{inner}.", f"{at}.", given)


def _inside(call: Call, planned: Plan, values: dict[str, Any]) -> Iterator[tuple[str, Call]]:
    """The classes of the plan that a call makes, with where they are in the module it makes."""
    if call.target in planned.classes:
        yield "", call
    elif call.target == SEQUENTIAL:
        every = [c for item in call.args for c in _copies(item, values)]
        yield from ((f".{i}", item) for i, item in enumerate(every) if item.target in planned.classes)


def _copies(item: Call | Copies, values: dict[str, Any]) -> list[Call]:
    return [item.call] * _known(item.count, values) if isinstance(item, Copies) else [item]


def _known(value: Any, values: dict[str, Any]) -> Any:
    return values[value.name] if isinstance(value, Name) else value


# --- the head ------------------------------------------------------------------------------------


def _docstring(project: Project) -> str:
    several = len(project.networks) > 1
    kind = f"networks {', '.join(project.networks)}" if several else "a network"
    return names.docstring(f"{project.name}: {kind} in PyTorch, drawn with Layerloom.").replace("\n", " ")


def _helpers(planned: Plan) -> list[str]:
    """The sources of the modules torch lacks, in the order of their file."""

    def targets(value: Any) -> Iterator[str]:
        if isinstance(value, Copies):
            value = value.call
        if isinstance(value, Call):
            yield value.target
            value = (*value.args, *value.kwargs.values())
        if isinstance(value, tuple):
            for item in value:
                yield from targets(item)

    used = {t for cls in planned.classes.values() for layer in cls.layers for t in targets(layer.call)}
    return [
        inspect.getsource(cls).rstrip()
        for name, cls in vars(modules).items()
        if name in used and isinstance(cls, type) and cls.__module__ == modules.__name__
    ]


def _imports(helpers: list[str]) -> list[str]:
    """The import statements that these helpers, and every network, need."""
    used = {node.id for text in helpers for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    found = ["import torch"] if "torch" in used else []
    found += ["import torch.nn.functional as F"] if "F" in used else []
    return [*found, "from torch import Tensor, nn"]


# --- classes -------------------------------------------------------------------------------------


def _class(cls: Class, network: bool, styles: dict[str, int]) -> Lines:
    lines: Lines = [(f"class {cls.name}(nn.Module):", ())]
    lines += [(line, ()) for line in _title(cls.title)]
    arguments = ["self", *(f"{a.name}: {a.type}" for a in cls.arguments)]
    lines += [("", ())] + [(line, ()) for line in _signature("__init__", arguments, "None")]
    lines.append(("        super().__init__()", ()))
    shapes = {part.id: part.shape for layer in cls.layers for part in (layer, *layer.parts)}

    def comment(layer: Layer) -> str:
        telling = layer.flops > 0 or shapes.get(layer.sources[0]) != layer.shape
        return f"  # {names.size(layer.shape)}" if network and telling else ""

    for layer in cls.layers:
        if layer.parts:
            lines += _stage(layer, comment, styles)
        else:
            lines += [(line, (layer.id,)) for line in _assignment(layer, comment(layer), styles)]
    result = "Tensor" if cls.outputs == 1 else f"tuple[{', '.join(['Tensor'] * cls.outputs)}]"
    arguments = ["self", *(f"{name}: Tensor" for name in cls.inputs)]
    lines += [("", ())] + [(line, ()) for line in _signature("forward", arguments, result)]
    nodes = {layer.id: tuple(layer.paths()) for layer in cls.layers}
    for statement in cls.statements:
        called = tuple(id for layer in statement.layers for id in nodes[layer])
        lines += [(line, called) for line in _statement(statement)]
    return lines


def _stage(stage: Layer, comment: Callable[[Layer], str], styles: dict[str, int]) -> Lines:
    """An nn.Sequential with a line for each of its layers, or one for several equal ones."""
    everything = tuple(part.id for part in stage.parts)
    lines: Lines = [(f"        self.{stage.id} = {stage.call.target}(", everything)]
    for _, run in itertools.groupby(stage.parts, lambda part: (part.call, part.shape)):
        parts = list(run)
        first = _styled(parts[0].call, styles)
        if len(parts) >= REPEATED:
            once = f"            *({render(first)} for _ in range({len(parts)})),{comment(parts[-1])}"
            if len(once) <= WIDTH:
                lines.append((once, tuple(part.id for part in parts)))
                continue
        for part in parts:
            lines += [(line, (part.id,)) for line in _item(" " * 12, first, f",{comment(part)}")]
    return [*lines, ("        )", everything)]


def _item(indent: str, call: Call, tail: str) -> list[str]:
    """A call in a line of its own, below its comment where both are too long."""
    bare = tail.split("  #")[0]
    if len(f"{indent}{render(call)}{tail}") > WIDTH >= len(f"{indent}{render(call)}{bare}"):
        return [f"{indent}{tail.removeprefix(bare).strip()}", f"{indent}{render(call)}{bare}"]
    return _wrapped(indent, call, tail, len(indent))


def _title(title: str) -> list[str]:
    text = names.docstring(title)
    if len(text) + 10 <= WIDTH and "\n" not in text:
        return [f'    """{text}"""']
    rows: list[str] = []
    for paragraph in text.split("\n"):
        rows += textwrap.wrap(paragraph, WIDTH - 8, break_long_words=False, break_on_hyphens=False) or [""]
    return [f'    """{rows[0]}', *(f"    {row}".rstrip() for row in rows[1:]), '    """']


def _signature(name: str, arguments: list[str], result: str) -> list[str]:
    line = f"    def {name}({', '.join(arguments)}) -> {result}:"
    if len(line) <= WIDTH:
        return [line]
    if len(f"        {', '.join(arguments)}") <= WIDTH:
        return [f"    def {name}(", f"        {', '.join(arguments)}", f"    ) -> {result}:"]
    return [f"    def {name}(", *(f"        {a}," for a in arguments), f"    ) -> {result}:"]


def _assignment(layer: Layer, comment: str, styles: dict[str, int]) -> list[str]:
    head, call = f"        self.{layer.id} = ", _styled(layer.call, styles)
    if len(f"{head}{render(call)}{comment}") > WIDTH and len(f"{head}{render(call)}") <= WIDTH:
        return [f"        {comment.strip()}", f"{head}{render(call)}"]
    return _wrapped(head, call, comment, 8)


def _statement(statement: Statement) -> list[str]:
    head = f"        {statement.head}"
    if len(statement.values) == 1:
        return _wrapped(head, statement.values[0], "", 8)
    line = head + ", ".join(map(render, statement.values))
    if len(line) <= WIDTH:
        return [line]
    return [f"{head}(", *(f"            {render(value)}," for value in statement.values), "        )"]


def _wrapped(head: str, value: Any, tail: str, indent: int) -> list[str]:
    """A call on one line, or with an argument a line where it is too long."""
    line = f"{head}{render(value)}{tail}"
    if len(line) <= WIDTH or not isinstance(value, Call) or not (value.args or value.kwargs):
        return [line]
    if head.strip() and len(f"{head}{value.target}(") > WIDTH:
        return [f"{head}(", *_wrapped(" " * (indent + 4), value, "", indent + 4), f"{' ' * indent}){tail}"]
    lines = [f"{head}{value.target}("]
    deeper = " " * (indent + 4)
    for key, item in [*((None, a) for a in value.args), *value.kwargs.items()]:
        lines += _wrapped(f"{deeper}{key}=" if key else deeper, item, ",", indent + 4)
    return [*lines, f"{' ' * indent}){tail}"]


def render(value: Any) -> str:
    """A value of a Call as source, with double quotes as formatters write them."""
    if isinstance(value, Call):
        items = [render(a) for a in value.args] + [f"{k}={render(v)}" for k, v in value.kwargs.items()]
        return f"{value.target}({', '.join(items)})"
    if isinstance(value, tuple):
        return f"({', '.join(map(render, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str):
        quoted = repr(value)
        return quoted if '"' in value else f'"{quoted[1:-1]}"'
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, Copies):
        return f"*({render(value.call)} for _ in range({value.count!r}))"
    if value is None or isinstance(value, (bool, int, float, Name)):
        return repr(value)
    raise TypeError(f"{value!r} cannot be an argument of a module in generated code")


# --- how composites are called -------------------------------------------------------------------


def _positional(name: str, planned: Plan) -> int:
    """How many arguments of a class are given by position: sizes, or all where names make lines too long."""
    arguments = planned.classes[name].arguments
    sizes = sum(names.is_size(a.name) for a in arguments)
    for cls in planned.classes.values():
        for layer in (part for whole in cls.layers for part in (whole.parts or (whole,))):
            line = f"        self.{layer.id} = {render(_styled(layer.call, {name: sizes}))}  # 999×99×99"
            if layer.call.target == name and len(line) > WIDTH:
                return len(arguments)
    return sizes


def _styled(call: Call, styles: dict[str, int]) -> Call:
    if call.target == SEQUENTIAL:
        rows = itertools.chain.from_iterable(_row(item, styles) for item in call.args)
        return Call(SEQUENTIAL, *_rows(list(rows)))
    if call.target not in styles:
        return call
    items, count = list(call.kwargs.items()), styles[call.target]
    return Call(call.target, *(value for _, value in items[:count]), **dict(items[count:]))


def _row(item: Call | Copies, styles: dict[str, int]) -> list[Call | Copies]:
    """An item of a row; a few copies are written one by one."""
    if not isinstance(item, Copies):
        return [_styled(item, styles)]
    styled = _styled(item.call, styles)
    few = isinstance(item.count, int) and item.count < REPEATED
    return [styled] * item.count if few else [Copies(styled, item.count)]


def _rows(items: list[Call | Copies]) -> list[Call | Copies]:
    """The modules of a row, with runs of equal ones taken together."""
    found: list[Call | Copies] = []
    for item, run in itertools.groupby(items):
        equal = list(run)
        found += [Copies(item, len(equal))] if isinstance(item, Call) and len(equal) >= REPEATED else equal
    return found
