"""Blocks kept for all projects of a workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from definitions import argument, node, opened, pair, stack, wires

import builder
from builder import edits
from builder.library import FORMAT, Library, LibraryError


def stage() -> dict[str, object]:
    return {
        "arguments": {"width": 3},
        "nodes": [
            node("x", "Image", channels=6, height=8, width=8),
            node("pairs", "Pair", width=argument("width"), repeat=2),
            node("output", "Output"),
        ],
        "edges": wires("x>pairs", "pairs>output"),
    }


def test_a_kept_block_brings_what_it_needs(tmp_path: Path) -> None:
    library = Library(tmp_path)
    assert library.entries() == {}
    blocks = {"Stage": stage(), "Unrelated": pair(), "Pair": pair()}
    library.save("Stage", blocks)
    assert library.entries() == {"Stage": {"Stage": stage(), "Pair": pair()}}
    # used in a project that has none of it
    data = stack(node("s", "Stage", width=2), blocks=library.entries()["Stage"])
    project, report = opened(data)
    assert report.ok, report.problems
    assert "class Stage" in builder.source(project)
    assert edits.apply(project, [edits.set_part("blocks", library.entries()["Stage"])]) == project


def test_kept_anew_it_is_replaced_and_removed_it_is_in_the_trash(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.save("Pair", {"Pair": pair()})
    changed = {**pair(), "help": "another"}
    library.save("Pair", {"Pair": changed})
    assert library.entries()["Pair"]["Pair"]["help"] == "another"
    library.remove("Pair")
    assert library.entries() == {}
    (kept,) = (tmp_path / "trash").iterdir()
    assert json.loads(kept.read_text())["blocks"]["Pair"] == changed


@pytest.mark.parametrize("name", ["Pair", "../Pair", "", "a/b", "Linear", "no such"])
def test_what_is_not_there_cannot_be_removed(tmp_path: Path, name: str) -> None:
    with pytest.raises(LibraryError, match="There is no block"):
        Library(tmp_path).remove(name)


def test_a_block_that_cannot_be_used_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="cannot be kept as it is"):
        Library(tmp_path).save("Stage", {"Stage": stage()})
    with pytest.raises(LibraryError, match="no block called Pair"):
        Library(tmp_path).save("Pair", {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        json.dumps({"format": FORMAT + 1, "name": "Pair", "blocks": {"Pair": pair()}}),
        json.dumps({"format": FORMAT, "name": "Other", "blocks": {"Pair": pair()}}),
        json.dumps({"format": FORMAT, "name": "Pair", "blocks": {"Pair": {}}}),
        json.dumps({"format": FORMAT, "name": "Pair", "blocks": {"Other": pair()}}),
        json.dumps({"format": FORMAT, "name": "Pair", "blocks": [1]}),
        "[" * 100_000,
        " " * 2**21,
    ],
)
def test_a_file_that_is_no_block_is_passed_by(tmp_path: Path, text: str) -> None:
    library = Library(tmp_path)
    library.save("Good", {"Good": pair()})
    (tmp_path / "blocks" / "Pair.json").write_text(text)
    assert list(library.entries()) == ["Good"]
