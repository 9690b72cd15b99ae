"""Collecting plain functions with everything they need, so that they can stand in a file of their own."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

OWN = ("builder", "blocks")
"""Packages whose definitions are copied; everything else is imported."""

_MARKS = re.compile(r"[ \t]*# (?:type: ignore|noqa)\b[^\n]*")


class GatherError(TypeError):
    """A function cannot be copied into a file of its own: a mistake in a data set or a task, not a user's."""


@dataclass
class Gathered:
    """Definitions, each after those it needs, and the imports of them all."""

    definitions: dict[str, str] = field(default_factory=dict)
    imports: dict[str, ast.Import | ast.ImportFrom] = field(default_factory=dict)
    """Name -> the statement that binds it and nothing else."""
    origins: dict[str, str] = field(default_factory=dict)

    def add(self, *roots: Callable[..., Any] | type) -> list[str]:
        """Copy these functions and classes, and what they need; returns the names that are new, in order."""
        before = set(self.definitions)
        for root in roots:
            if not isinstance(root, type) and root.__qualname__ != root.__name__:
                self._define(sys.modules[root.__module__], root.__name__, _method_source(root))
            else:
                self._resolve(sys.modules[root.__module__], root.__name__)
        return [name for name in self.definitions if name not in before]

    def text(self, names: Iterable[str]) -> str:
        """These definitions as a piece of source: constants together, functions two lines apart."""
        parts = ""
        constant_before = False
        for name in names:
            constant = not self.definitions[name].startswith(("def ", "class ", "@"))
            if parts:
                parts += "\n" if constant and constant_before else "\n\n\n"
            parts += self.definitions[name]
            constant_before = constant
        return parts

    # --- following names -------------------------------------------------------------------

    def _resolve(self, module: ModuleType, name: str) -> None:
        statement = _bindings(module).get(name)
        if statement is None:
            if not hasattr(builtins, name):
                raise GatherError(f"{module.__name__} binds {name} in a way that cannot be copied")
            return
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._import(statement, name)
        else:
            self._define(module, name, ast.get_source_segment(inspect.getsource(module), statement) or "", statement)

    def _import(self, statement: ast.Import | ast.ImportFrom, name: str) -> None:
        alias = next(a for a in statement.names if (a.asname or a.name.partition(".")[0]) == name)
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").partition(".")[0] in OWN:
            if alias.asname is not None:
                raise GatherError(f"{alias.name} is imported as {name}; plain functions import our own by their names")
            self._resolve(sys.modules[statement.module or ""], name)
            return
        if isinstance(statement, ast.Import) and alias.name.partition(".")[0] in OWN:
            raise GatherError(f"a plain function uses the module {alias.name}; import its functions by name")
        single = _single(statement, alias)
        self._once(name, ast.unparse(single))
        self.imports[name] = single

    def _define(self, module: ModuleType, name: str, source: str, statement: ast.stmt | None = None) -> None:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) and statement.decorator_list:
            marks = [f"@{ast.unparse(d)}" for d in statement.decorator_list]
            source = "\n".join([*marks, source])
        source = _MARKS.sub("", source)
        if not self._once(name, f"{module.__name__}\n{source}"):
            return
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and _owner(node) in OWN:
                raise GatherError(f"{module.__name__}.{name} imports {ast.unparse(node)}; it must do without")
        for used in _globals_used(tree, module):
            if used != name:
                self._resolve(module, used)
        self.definitions[name] = source

    def _once(self, name: str, origin: str) -> bool:
        """Note what a name stands for; whether it is new. Two meanings of one name cannot share a file."""
        known = self.origins.setdefault(name, origin)
        if known != origin:
            raise GatherError(f"two different things are called {name}: in {known[:60]!r} and {origin[:60]!r}")
        return known is origin


def _method_source(function: Callable[..., Any]) -> str:
    """The source of a static method, as a function of its own."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    while lines and lines[0].startswith("@"):
        lines.pop(0)
    return "\n".join(lines)


@functools.cache
def _bindings(module: ModuleType) -> dict[str, ast.stmt]:
    """Top-level names of a module and the statements that bind them."""
    found: dict[str, ast.stmt] = {}

    def note(statements: list[ast.stmt]) -> None:
        for statement in statements:
            match statement:
                case ast.Import(names) | ast.ImportFrom(names=names):
                    for alias in names:
                        found[alias.asname or alias.name.partition(".")[0]] = statement
                case ast.FunctionDef(name) | ast.ClassDef(name):
                    found[name] = statement
                case ast.Assign(targets):
                    for target in targets:
                        if isinstance(target, ast.Name):
                            found[target.id] = statement
                case ast.AnnAssign(target=ast.Name(id)):
                    found[id] = statement
                case ast.If(body=body):
                    note(body)  # imports for type checking

    note(ast.parse(inspect.getsource(module)).body)
    return found


def _globals_used(tree: ast.AST, module: ModuleType) -> list[str]:
    """Names read in `tree` that the module binds, in the order of their first use."""
    known = _bindings(module)
    return list(dict.fromkeys(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in known))


def _owner(statement: ast.Import | ast.ImportFrom) -> str:
    name = statement.module if isinstance(statement, ast.ImportFrom) else statement.names[0].name
    return (name or "").partition(".")[0]


def _single(statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.Import | ast.ImportFrom:
    if isinstance(statement, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(statement.module, [alias], 0)


def separate_imports(source: str) -> dict[str, ast.Import | ast.ImportFrom]:
    """Top-level imports of a text, a statement for each name."""
    found = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                found[alias.asname or alias.name.partition(".")[0]] = _single(statement, alias)
    return found


def import_lines(statements: Iterable[ast.Import | ast.ImportFrom]) -> str:
    """Import statements merged and sorted as import sorters do: the standard library, then the rest."""
    plain: set[str] = set()
    members: dict[str, set[str]] = {}
    for statement in statements:
        for alias in statement.names:
            text = ast.unparse(alias)
            if isinstance(statement, ast.Import):
                plain.add(text)
            else:
                members.setdefault(statement.module or "", set()).add(text)
    lines: dict[bool, list[str]] = {True: [], False: []}
    for text in sorted(plain):
        lines[_standard(text)].append(f"import {text}")
    for module, names in sorted(members.items()):
        lines[_standard(module)].append(f"from {module} import {', '.join(sorted(names, key=_case))}")
    return "\n\n".join("\n".join(group) for group in (lines[True], lines[False]) if group)


def _standard(module: str) -> bool:
    return module.partition(" ")[0].partition(".")[0] in sys.stdlib_module_names


def _case(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as isort orders members."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2), name
