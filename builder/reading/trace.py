"""The order in which a class calls its layers, by following `forward` statement by statement without running it."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from blocks.base import Call
from builder.layers import SEQUENTIAL
from builder.reading import matching
from builder.reading.classes import MAX_LAYERS, Definition, File, Made, layers, unread
from builder.reading.errors import ReadError


@dataclass
class Step:
    """One call of a layer; `sources` are ids of earlier steps, or inputs.

    `again`: the layer was called before. `alone`: it is all that an nn.Sequential holds, a row of one.
    """

    id: str
    call: Call
    sources: tuple[str, ...]
    line: int
    again: bool = False
    alone: bool = False


@dataclass
class Trace:
    """What a class does: its inputs, its steps in order, and the values it returns."""

    inputs: tuple[str, ...]
    steps: list[Step] = field(default_factory=list)
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Steps:
    """The whole output of a recurrent layer; `last` picks its last step."""

    id: str


def trace(file: File, definition: Definition, arguments: dict[str, Any]) -> Trace:
    """What `definition(**arguments)` does. Raises ReadError with the line of what is no straight-line call."""
    return _Tracer(file, definition, arguments).run()


class _Tracer:
    def __init__(self, file: File, definition: Definition, arguments: dict[str, Any]) -> None:
        self.file = file
        self.definition = definition
        self.attributes = layers(file, definition, arguments)
        self.trace = Trace(definition.inputs)
        self.held: dict[str, str] = {name: name for name in definition.inputs}
        self.taken = {*definition.inputs, *self.attributes}
        self.used: dict[str, int] = {}

    def run(self) -> Trace:
        for statement in self.definition.forward:
            if isinstance(statement, ast.Return):
                if statement.value is None:
                    break
                several = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
                self.trace.outputs = tuple(self.value(v) for v in several)
                return self.trace
            self.statement(statement)
        raise ReadError(f"forward of {self.definition.name} returns nothing.", self.definition.line)

    def statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), _, ast.expr() as value):
                self.held[name] = self.value(value)
            case ast.Assign([ast.Tuple([ast.Name(name), *_])], ast.Call() as value):
                self.held[name] = self.recurrent(value)
            case ast.AugAssign(ast.Name() as target, operator, value):
                self.held[target.id] = self.value(ast.copy_location(ast.BinOp(target, operator, value), statement))
            case ast.Expr(ast.Call() as value):
                self.value(value)
            case _:
                raise ReadError(unread(statement), statement.lineno)

    # --- expressions -----------------------------------------------------------------------

    def value(self, node: ast.expr) -> str:
        """The id of the value an expression gives, with the steps it takes noted."""
        match node:
            case ast.Name(name):
                if name not in self.held:
                    raise ReadError(f"{name} holds nothing yet.", node.lineno)
                return self.held[name]
            case ast.Call(ast.Attribute(ast.Name("self"), name), arguments, []) if name in self.attributes:
                return self.layer(name, self.values(arguments), node)
            case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS:
                symbol = _OPERATORS[type(operator)]
                terms = [left, right] if symbol == "-" else self.terms(node, type(operator))
                return self.step(Call(matching.spoken()[symbol]), self.values(terms), node)
            case ast.Call(function, arguments, keywords):
                return self.function(node, ast.unparse(function), arguments, keywords)
            case ast.Subscript():
                return self.part(node)
        raise ReadError(unread(node), node.lineno)

    def values(self, nodes: list[ast.expr]) -> list[str]:
        if any(isinstance(node, ast.Starred) for node in nodes):
            raise ReadError(unread(nodes[0]), nodes[0].lineno)
        return [self.value(node) for node in nodes]

    def terms(self, node: ast.expr, operator: type[ast.operator]) -> list[ast.expr]:
        """a + b + c as one sum."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, operator):
            return [*self.terms(node.left, operator), node.right]
        return [node]

    def layer(self, name: str, sources: list[str], node: ast.expr) -> str:
        made = self.attributes[name]
        if not isinstance(made, Made):
            raise ReadError(f"self.{name} is no layer, so it cannot be called.", node.lineno)
        self.used[name] = count = self.used.get(name, 0) + 1
        id = name if count == 1 else self.free(name)
        return self.apply(id, made.call, sources, made.line, count > 1)

    def apply(
        self, id: str, call: Call, sources: list[str], line: int, again: bool = False, alone: bool = False
    ) -> str:
        if call.target != SEQUENTIAL:
            if len(self.trace.steps) >= MAX_LAYERS:
                raise ReadError(f"It has more than {MAX_LAYERS:,} layers, the most Layerloom opens.", line)
            self.file.budget.spend(line)
            self.trace.steps.append(Step(id, call, tuple(sources), line, again, alone))
            return id
        if len(sources) != 1 or call.kwargs:
            raise ReadError("nn.Sequential takes one input, and layers without names.", line)
        at = sources[0]
        for i, part in enumerate(call.args):
            at = self.apply(self.free(f"{id}_{i}", exact=True), part, [at], line, again, len(call.args) == 1)
        return at

    def step(self, call: Call, sources: list[str], node: ast.expr) -> str:
        """A step that has no attribute: an operator, or a function without weights."""
        stem = call.target.removeprefix("nn.").lower()
        return self.apply(self.free(stem), call, sources, node.lineno)

    def free(self, stem: str, exact: bool = False) -> str:
        number, name = 1, stem if exact else f"{stem}1"
        while name in self.taken:
            number += 1
            name = f"{stem}{number}" if not exact else f"{stem}_{number}"
        self.taken.add(name)
        return name

    # --- functions -------------------------------------------------------------------------

    def function(self, node: ast.Call, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> str:
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) not in _MODULES:
            arguments, name = [node.func.value, *arguments], node.func.attr  # x.relu() is relu(x)
        else:
            name = name.rpartition(".")[2]
        target = matching.spoken().get(name)
        if target and target == matching.spoken()["cat"]:
            return self.concatenate(node, target, arguments, keywords)
        if target and target in [matching.spoken()[symbol] for symbol in _OPERATORS.values()]:
            if len(arguments) != 2 or keywords:
                raise ReadError(unread(node), node.lineno)
            return self.step(Call(target), self.values(arguments), node)
        if name in ("flatten", "view", "reshape"):
            return self.flatten(node, name, arguments, keywords)
        if (
            name == "mean"
            and target
            and [ast.unparse(a) for a in arguments[1:]] in (["(2, 3)"], ["[2, 3]"])
            and not keywords
        ):
            return self.step(Call(target), self.values(arguments[:1]), node)
        module = _functional().get(name.replace("_", ""))
        if module is None or not arguments:
            raise ReadError(unread(node), node.lineno)
        call = Call(f"nn.{module}", *(self.constant(a) for a in arguments[1:]))
        call.kwargs = {
            k.arg: self.constant(k.value)
            for k in keywords
            if k.arg is not None and k.arg not in ("training", "inplace")
        }
        return self.step(call, self.values(arguments[:1]), node)

    def constant(self, node: ast.expr) -> Any:
        match node:
            case ast.Attribute(ast.Name("self"), name) if name in self.attributes:
                if not isinstance(self.attributes[name], Made):
                    return self.attributes[name]
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise ReadError(unread(node), node.lineno) from None

    def concatenate(self, node: ast.Call, target: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> str:
        dims = [self.constant(a) for a in arguments[1:]] + [self.constant(k.value) for k in keywords if k.arg == "dim"]
        if not arguments or not isinstance(arguments[0], (ast.List, ast.Tuple)) or len(dims) != 1 or dims[0] == 0:
            raise ReadError(unread(node), node.lineno)
        sources = self.values(arguments[0].elts)
        dim = dims[0] - 1 if dims[0] > 0 else dims[0]
        return self.step(Call(target, **({} if dim == 0 else {"dim": dim})), sources, node)

    def flatten(self, node: ast.Call, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> str:
        """`flatten(x, 1)`, `x.view(x.size(0), -1)`, `x.reshape(-1, 400)`: all numbers of a sample in a row."""
        shape = [ast.unparse(a) for a in arguments[1:]] + [ast.unparse(k.value) for k in keywords]
        source = self.value(arguments[0])
        if name == "flatten" and shape == ["1"]:
            return self.step(Call(matching.spoken()["flatten"]), [source], node)
        batch = ("-1", "x.size(0)", "x.shape[0]", "len(x)")
        variable = ast.unparse(arguments[0])
        first = shape[0].replace(variable, "x") if shape else ""
        rest = shape[1:]
        if name != "flatten" and first in batch and len(rest) == 1 and (rest == ["-1"] or rest[0].isdigit()):
            return self.step(Call(matching.spoken()["flatten"]), [source], node)
        if name != "flatten" and first in batch and rest:
            lengths = tuple(self.constant(a) for a in arguments[2:])
            return self.step(Call(matching.spoken()["reshape"], *lengths), [source], node)
        raise ReadError(unread(node), node.lineno)

    # --- recurrent layers give two values --------------------------------------------------

    def recurrent(self, node: ast.Call) -> str:
        """`y, _ = self.lstm(x)`: the sequence that comes out."""
        match node:
            case ast.Call(ast.Attribute(ast.Name("self"), name), arguments, []):
                made = self.attributes.get(name)
                if isinstance(made, Made) and made.call.target in ("nn.RNN", "nn.LSTM", "nn.GRU"):
                    self.used[name] = count = self.used.get(name, 0) + 1
                    id = name if count == 1 else self.free(name)
                    call = Call("Recurrent", made.call)
                    return self.apply(id, call, self.values(arguments), made.line, count > 1)
        raise ReadError(unread(node), node.lineno)

    def part(self, node: ast.Subscript) -> str:
        """`y[:, -1]` of a recurrent layer: its last step."""
        index = ast.unparse(node.slice).replace(" ", "").strip("()")
        if index in (":,-1", ":,-1,:"):
            source = self.value(node.value)
            for step in self.trace.steps:
                others = [s for s in self.trace.steps if source in s.sources]
                if step.id == source and step.call.target == "Recurrent" and not others and not step.call.kwargs:
                    step.call = Call("Recurrent", *step.call.args, last=True)
                    return source
        raise ReadError(unread(node), node.lineno)


_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Mult: "*", ast.Sub: "-"}
_MODULES = ("F", "torch", "nn.functional", "torch.nn.functional", "functional")


@functools.cache
def _functional() -> dict[str, str]:
    """`max_pool2d` without its underscores -> MaxPool2d: the modules without weights that functions stand for."""
    return {
        name.lower(): name for name, cls in vars(nn).items() if isinstance(cls, type) and issubclass(cls, nn.Module)
    }
