"""The classes of a model.py as plain data, by parsing its text; nothing of it is ever run.

The dialect is that of `builder.source` and of most hand-written modules: in ``__init__`` the layers
(`self.conv1 = nn.Conv2d(...)`, with numbers, arguments and arithmetic), in ``forward`` straight-line calls.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from blocks import modules
from blocks.base import Call
from builder.layers import SEQUENTIAL
from builder.reading.errors import ReadError

MAX_BYTES = 2 * 2**20
MAX_LAYERS = 20_000
MAX_NUMBER = 2**53
"""Numbers in code are bounded, so that arithmetic cannot take all memory."""


@dataclass(frozen=True)
class Made:
    """A layer as `__init__` makes it. `call` may name a class of the file; its arguments are values by then."""

    call: Call
    line: int


@dataclass(frozen=True)
class Definition:
    """A module class of the file; `forward` takes `inputs`."""

    name: str
    line: int
    docstring: str
    arguments: tuple[tuple[str, ast.expr | None], ...]
    init: tuple[ast.stmt, ...]
    inputs: tuple[str, ...]
    forward: tuple[ast.stmt, ...]


@dataclass
class Budget:
    """How many more layers and numbers may be read: loops in loops are short to write and long to read."""

    left: int = 10 * MAX_LAYERS

    def spend(self, line: int) -> None:
        """Count one. Raises ReadError when there are too many."""
        self.left -= 1
        if self.left < 0:
            raise ReadError(f"It makes more layers than Layerloom opens; the most is {MAX_LAYERS:,}.", line)


@dataclass(frozen=True)
class File:
    """What a model.py holds: its first docstring, and its classes by name, in their order."""

    docstring: str
    definitions: dict[str, Definition]
    budget: Budget = field(default_factory=Budget)

    def networks(self) -> tuple[Definition, ...]:
        """The classes that no other class uses: the networks. Raises ReadError when there is none."""
        used: set[str] = set()
        for definition in self.definitions.values():
            for statement in definition.init:
                names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
                used |= names & self.definitions.keys() - {definition.name}
        found = tuple(d for d in self.definitions.values() if d.name not in used)
        if not found:
            raise ReadError("It defines no network: a class of nn.Module with a constructor and a forward is needed.")
        return found


def parse(text: str) -> File:
    """The classes of a model.py. Raises ReadError with the line of what is no such dialect."""
    if len(text) > MAX_BYTES:
        raise ReadError(f"The file has {len(text) / 2**20:.1f} MB; a model.py has at most {MAX_BYTES // 2**20} MB.")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ReadError(f"This is no Python: {error.msg}.", error.lineno) from None
    except (RecursionError, MemoryError):
        raise ReadError("It is nested too deeply to be a network.") from None
    except ValueError:
        raise ReadError("The file is no text, so it is no Python.") from None
    classes: dict[str, ast.ClassDef] = {}
    for statement in tree.body:
        match statement:
            case ast.ClassDef(name):
                if name in classes:
                    raise ReadError(f"The class {name} is defined twice.", statement.lineno)
                classes[name] = statement
            case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.If() | ast.Assign() | ast.AnnAssign():
                pass  # what stands beside the classes is no part of the network
            case ast.Expr():
                pass
    known = {name for name, cls in classes.items() if _is_ours(name, cls)}
    definitions = {name: _definition(cls) for name, cls in classes.items() if name not in known and _is_module(cls)}
    if not definitions:
        raise ReadError("It defines no network: there is no class of nn.Module with a forward in it.")
    return File(ast.get_docstring(tree) or "", definitions)


def _is_ours(name: str, cls: ast.ClassDef) -> bool:
    """Whether this is one of the small modules that exports carry along, unchanged."""
    own = vars(modules).get(name)
    if not (isinstance(own, type) and own.__module__ == modules.__name__):
        return False
    (ours,) = ast.parse(textwrap.dedent(inspect.getsource(own))).body
    return ast.dump(_undocumented(cls)) == ast.dump(_undocumented(ours))


def _undocumented(cls: ast.stmt) -> ast.ClassDef:
    assert isinstance(cls, ast.ClassDef)
    documented = ast.get_docstring(cls) is not None
    return ast.ClassDef(cls.name, cls.bases, cls.keywords, cls.body[documented:], cls.decorator_list)


def _is_module(cls: ast.ClassDef) -> bool:
    return any(ast.unparse(base) in ("nn.Module", "torch.nn.Module", "Module") for base in cls.bases)


def _definition(cls: ast.ClassDef) -> Definition:
    methods = {s.name: s for s in cls.body if isinstance(s, ast.FunctionDef)}
    for name, method in methods.items():
        if name not in ("__init__", "forward") and "forward" in methods and _calls(methods["forward"], name):
            raise ReadError(
                f"The method {name} of {cls.name} takes part in it; write its steps in forward.", method.lineno
            )
    if "forward" not in methods:
        raise ReadError(f"{cls.name} has no forward, so its steps are unknown.", cls.lineno)
    forward = methods["forward"]
    if forward.args.vararg or forward.args.kwarg or forward.args.kwonlyargs:
        raise ReadError(f"forward of {cls.name} takes *args or named arguments; name every input.", forward.lineno)
    inputs = tuple(a.arg for a in forward.args.args[1:])
    init = methods.get("__init__")
    arguments: list[tuple[str, ast.expr | None]] = []
    if init is not None:
        given = init.args.args[1:]
        defaults: list[ast.expr | None] = [None] * (len(given) - len(init.args.defaults)) + [*init.args.defaults]
        arguments = [(a.arg, d) for a, d in zip(given, defaults, strict=True)]
        arguments += [(a.arg, d) for a, d in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)]
    docstring = ast.get_docstring(cls) or ""
    body = init.body if init is not None else []
    return Definition(cls.name, cls.lineno, docstring, tuple(arguments), _plain(body), inputs, _plain(forward.body))


def _calls(method: ast.FunctionDef, name: str) -> bool:
    """Whether this method calls another one of its own class."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == name and ast.unparse(node.value) == "self"
        for node in ast.walk(method)
    )


def _plain(body: list[ast.stmt]) -> tuple[ast.stmt, ...]:
    """The statements without the docstring and `pass`."""
    return tuple(
        s
        for s in body
        if not isinstance(s, ast.Pass) and not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    )


# --- what __init__ makes -------------------------------------------------------------------------


@dataclass
class Scope:
    """The names of one constructor: its arguments and variables, and the attributes it sets."""

    file: File
    names: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)


def layers(file: File, definition: Definition, arguments: dict[str, Any]) -> dict[str, Any]:
    """The attributes that `definition(**arguments)` sets: a Made for a layer, else a number or text.

    Raises ReadError for what cannot be read without running it.
    """
    names = dict(arguments)
    scope = Scope(file, names)
    for name, default in definition.arguments:
        if name not in names:
            if default is None:
                raise ReadError(f"{definition.name} needs its argument {name}, which nothing gives.", definition.line)
            names[name] = _value(default, scope)
    for statement in definition.init:
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(ast.Call(ast.Name("super")), "__init__"))):
                continue
            case ast.Assign([ast.Attribute(ast.Name("self"), name)], value) | ast.AnnAssign(
                ast.Attribute(ast.Name("self"), name), _, ast.expr() as value
            ):
                made = _value(value, scope)
                scope.attributes[name] = Made(made, statement.lineno) if isinstance(made, Call) else made
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), _, ast.expr() as value):
                names[name] = _value(value, scope)
            case _ if _draws_weights(statement):
                continue  # how weights begin is no part of the graph
            case _:
                raise ReadError(unread(statement), statement.lineno)
    return scope.attributes


def _draws_weights(statement: ast.stmt) -> bool:
    match statement:
        case ast.For(_, ast.Call(ast.Attribute(ast.Name("self"), name))):
            return name in ("modules", "named_modules", "children", "parameters", "named_parameters")
        case ast.Expr(ast.Call(function)):
            name = ast.unparse(function)
            return name.removeprefix("torch.").startswith(("nn.init.", "self.apply")) or bool(
                re.fullmatch(r"self\.\w*(init|reset)\w*", name)
            )
    return False


def unread(node: ast.AST) -> str:
    """The sentence for a piece of code that is no part of the dialect."""
    text = " ".join(ast.unparse(node).split())
    shown = text if len(text) <= 60 else text[:57] + "..."
    return f"`{shown}` cannot be read as part of a network; use layers with numbers, and straight-line calls."


def _value(node: ast.expr, scope: Scope) -> Any:
    """A number, text, tuple or Call. Raises ReadError for anything else."""
    match node:
        case ast.Constant(value) if value is None or isinstance(value, (bool, int, float, str)):
            return _bounded(value, node)
        case ast.Tuple(elements) | ast.List(elements):
            return tuple(_items(elements, scope))
        case ast.Name(name):
            if name not in scope.names:
                raise ReadError(f"{name} has no value here.", node.lineno)
            return scope.names[name]
        case ast.Attribute(ast.Name("self"), name) if name in scope.attributes:
            found = scope.attributes[name]
            return found.call if isinstance(found, Made) else found
        case ast.UnaryOp(ast.USub(), operand):
            return -_number(operand, scope)
        case ast.BinOp(left, operator, right):
            return _arithmetic(_number(left, scope), operator, _number(right, scope), node)
        case ast.Call(ast.Name("float"), [ast.Constant("inf" | "-inf" | "nan" as text)]):
            return float(text)
        case ast.Call(ast.Name("int"), [inner], []):
            return int(_number(inner, scope))
        case ast.Call():
            return _call(node, scope)
    raise ReadError(unread(node), node.lineno)


def _bounded(value: Any, node: ast.expr) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) > MAX_NUMBER:
        raise ReadError(f"The number {str(value)[:20]}… is too large for a network.", node.lineno)
    return value


def _number(node: ast.expr, scope: Scope) -> int | float:
    value = _value(node, scope)
    if isinstance(value, (int, float)):
        return value
    raise ReadError(unread(node), node.lineno)


def _arithmetic(left: int | float, operator: ast.operator, right: int | float, node: ast.expr) -> Any:
    try:
        match operator:
            case ast.Add():
                result: int | float = left + right
            case ast.Sub():
                result = left - right
            case ast.Mult():
                result = left * right
            case ast.FloorDiv():
                result = left // right
            case ast.Div():
                result = left / right
            case ast.Mod():
                result = left % right
            case ast.Pow() if 0 <= right <= 64 and abs(left) <= 1024:
                result = left**right
            case _:
                raise ReadError(unread(node), node.lineno)
    except ZeroDivisionError:
        raise ReadError("It divides by zero.", node.lineno) from None
    return _bounded(result, node)


def _items(elements: list[ast.expr], scope: Scope) -> Iterator[Any]:
    """The values of a list; `*(... for _ in range(n))` is written out."""
    for element in elements:
        if isinstance(element, ast.Starred):
            yield from _repeated(element.value, scope)
        else:
            scope.file.budget.spend(element.lineno)
            yield _value(element, scope)


def _repeated(node: ast.expr, scope: Scope) -> Iterator[Any]:
    match node:
        case ast.List(elements) | ast.Tuple(elements):
            yield from _items(elements, scope)
            return
        case ast.GeneratorExp(item, [loop]) | ast.ListComp(item, [loop]):
            match loop:
                case ast.comprehension(ast.Name(name), ast.Call(ast.Name("range"), limits, []), []):
                    steps = [_number(limit, scope) for limit in limits]
                    if not 1 <= len(steps) <= 3 or not all(isinstance(s, int) and abs(s) <= MAX_LAYERS for s in steps):
                        raise ReadError(f"range takes whole numbers up to {MAX_LAYERS:,}.", node.lineno)
                    for value in range(*(int(s) for s in steps)):
                        scope.file.budget.spend(node.lineno)
                        yield _value(item, Scope(scope.file, {**scope.names, name: value}, scope.attributes))
                    return
                case ast.comprehension(ast.Name(name), ast.List(values) | ast.Tuple(values), []):
                    for value in _items(values, scope):
                        yield _value(item, Scope(scope.file, {**scope.names, name: value}, scope.attributes))
                    return
    raise ReadError(unread(node), node.lineno)


def _call(node: ast.Call, scope: Scope) -> Call:
    """A layer, or a class of the file, with values for arguments."""
    name = ast.unparse(node.func).removeprefix("torch.")
    arguments = tuple(_items(node.args, scope))
    named: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ReadError(unread(node), node.lineno)
        named[keyword.arg] = _value(keyword.value, scope)
    if name in scope.file.definitions:
        known = [argument for argument, _ in scope.file.definitions[name].arguments]
        unknown = [key for key in named if key not in known]
        if len(arguments) > len(known) or unknown:
            what = f"no argument {unknown[0]}" if unknown else f"{len(known)} arguments, not {len(arguments)}"
            raise ReadError(f"{name} takes {what}.", node.lineno)
        twice = [key for key in known[: len(arguments)] if key in named]
        if twice:
            raise ReadError(f"{name} is given its argument {twice[0]} twice.", node.lineno)
        return _made(name, (), {**dict(zip(known, arguments)), **named})
    own = vars(modules).get(name)
    if isinstance(own, type) and own.__module__ == modules.__name__:
        return _made(name, arguments, named)
    if name.startswith("nn.") and isinstance(getattr(nn, name[3:], None), type):
        if name == SEQUENTIAL and not all(isinstance(a, Call) for a in arguments):
            raise ReadError(f"nn.Sequential takes layers only: {unread(node)}", node.lineno)
        return _made(name, arguments, named)
    raise ReadError(f"{name} is no layer of torch.nn and no class of this file.", node.lineno)


def _made(name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Call:
    call = Call(name, *arguments)
    call.kwargs = named  # a name of the file's choice, such as `target`, cannot be passed on as a keyword
    return call
