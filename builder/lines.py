"""Which lines of model.py belong to a block on the canvas, and which block to a line."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from builder.definition import PLACE
from builder.own import OwnBlock, inside
from builder.project import Project
from builder.source import Source

Place = tuple[str, str]
"""A network, or the inside of an own block (``blocks/<name>``), and a block in it."""


def marked(project: Project, source: Source, network: str, ids: Collection[str]) -> tuple[int, ...]:
    """The line numbers of these blocks, those of everything inside them included.

    `network` may be the inside of an own block; what a class of that has is written once for all its uses.
    """
    found: set[int] = set()
    for slot, lines in source.lines.items():
        for path, numbers in lines.items():
            if any(place == network and id in ids for place, id in _places(project, slot, path)):
                found.update(numbers)
    return tuple(sorted(found))


def blocks_at(project: Project, source: Source) -> dict[int, tuple[str, tuple[str, ...]]]:
    """For each line that belongs to blocks, where these can be selected, and their ids there.

    A line of a composite's class belongs to the first block that is made of it.
    """
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for slot, lines in source.lines.items():
        for path, numbers in lines.items():
            *_, (network, id) = _places(project, slot, path)
            written = network != slot or "." not in path  # in the very class of that network
            for number in numbers:
                place, ids = found.setdefault(number, (network, ()))
                if place == network and id not in ids and (written or not ids):
                    found[number] = (network, (*ids, id))
    return found


def _places(project: Project, slot: str, path: str) -> Iterator[Place]:
    """Where the layer at a path can be seen, from outside to inside: in the network, then within own blocks."""
    at, graph = slot, project.networks[slot]
    for part in path.split("."):
        if part not in graph.ids():
            continue  # the number of a copy in a row
        yield at, part
        block = graph.node(part).block
        if not isinstance(block, OwnBlock):
            return
        at, graph = f"{PLACE}{type(block).__name__}", inside(block)
