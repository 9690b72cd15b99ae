"""The directions of imports: what may know of what. Read from the source with ast, nothing is run."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

import blocks

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for path in (*(ROOT / "blocks").rglob("*.py"), *(ROOT / "builder").rglob("*.py"), ROOT / "app.py")
    if path.is_file() and "node_modules" not in path.parts
)
EVALUATES = "builder/compile.py"


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[str]:
    """The dotted names of all modules a file imports, anywhere in it; ``from a import b`` gives a and a.b."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)} has a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def of(path: Path, package: str) -> list[str]:
    return [found for found in imports(path) if found == package or found.startswith(package + ".")]


def test_the_sources_are_found() -> None:
    assert {"blocks/base.py", "builder/validate.py", "builder/ui/page.py", "app.py"} <= set(map(name, SOURCES))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_only_the_page_imports_streamlit(path: Path) -> None:
    page = name(path) == "app.py" or name(path).startswith(("builder/ui/", "builder/canvas/"))
    assert page or not of(path, "streamlit")


@pytest.mark.parametrize("path", [p for p in SOURCES if name(p).startswith("blocks/")], ids=name)
def test_blocks_know_no_builder_and_torch_only_in_their_modules(path: Path) -> None:
    assert not of(path, "builder")
    assert name(path) == "blocks/modules.py" or not of(path, "torch")


@pytest.mark.parametrize("path", [p for p in SOURCES if name(p).startswith("builder/")], ids=name)
def test_the_engine_knows_no_page(path: Path) -> None:
    if name(path).startswith(("builder/ui/", "builder/canvas/")):
        return
    assert not of(path, "builder.ui")
    assert not of(path, "builder.canvas")
    assert not of(path, "app")


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_one_file_evaluates_source(path: Path) -> None:
    """No eval, no exec, no pickle, and torch.load only for weights."""
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in ("exec", "builtins.exec"):
            assert name(path) == EVALUATES
        assert called not in ("eval", "builtins.eval", "__import__")
        if called == "torch.load":
            assert any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords)
    assert not of(path, "pickle")


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_the_engine_names_no_block(path: Path) -> None:
    """A string that is a block's name is how `if block == "LSTM"` begins."""
    if not name(path).startswith("builder/"):
        return
    others = {"Mean", "Output", "Sequence", "Tokens", "Image", "Vector"}  # words of their own in labels and headings
    named = set(blocks.catalogue()) - others
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
            literals = {c.value for c in compared if isinstance(c, ast.Constant) and isinstance(c.value, str)}
            literals |= {
                item.value
                for c in compared
                if isinstance(c, (ast.Tuple, ast.Set, ast.List))
                for item in c.elts
                if isinstance(item, ast.Constant) and isinstance(item.value, str)
            }
            assert not literals & set(blocks.catalogue())
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value not in named
        if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant):
            assert node.value.value not in blocks.catalogue()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_error_is_swallowed_without_a_reason(path: Path) -> None:
    """``except Exception`` needs a comment on its line or the next; a bare except has no excuse."""
    lines = path.read_text().splitlines()
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        assert node.type is not None
        if ast.unparse(node.type) in ("Exception", "BaseException"):
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            near = lines[max(0, node.lineno - 2) : node.lineno + 1]
            assert raises or any("#" in line for line in near)
