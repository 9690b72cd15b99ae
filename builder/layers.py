"""The layers of a class, and which of them a person would write as one stage."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from blocks.base import Call, Shape
from builder import names

SEQUENTIAL = "nn.Sequential"
_NUMBERED = re.compile(r"(.+)_(0|[1-9][0-9]*)")


@dataclass(frozen=True)
class Copies:
    """So many equal modules in a row, each with weights of its own; an argument of a SEQUENTIAL call.

    `count` is a number, or the name of the argument that says it.
    """

    call: Call
    count: Any


@dataclass(frozen=True)
class Layer:
    """One module of a class: `self.<id> = <call>`, fed by `sources` (ids of layers, or inputs).

    `shape` is its output's; in a class of several uses, that of the first use. A stage has `parts`: the
    layers it calls one after the other.
    """

    id: str
    call: Call
    sources: tuple[str, ...]
    shape: Shape
    flops: int
    parts: tuple[Layer, ...] = ()

    def paths(self) -> dict[str, str]:
        """The id of every node in it, and the path of that node's module."""
        return {part.id: f"{self.id}.{i}" for i, part in enumerate(self.parts)} or {self.id: self.id}


def staged(layers: Sequence[Layer], outputs: tuple[str, ...], taken: Container[str]) -> tuple[Layer, ...]:
    """The layers with every chain that is numbered from 0 (layer1_0, layer1_1, ...) as one stage `layer1`.

    Such a chain stands together in the given order and each of its layers feeds the next one alone, so a stage
    computes the same and keeps the order of parameters. A stage never takes a name of `taken`.
    """
    used = Counter([*(s for layer in layers for s in layer.sources), *outputs])
    found: list[Layer] = []
    at = 0
    while at < len(layers):
        numbered = _NUMBERED.fullmatch(layers[at].id)
        stem, length = "", 1
        if numbered and numbered[2] == "0" and len(layers[at].sources) == 1 and _usable(numbered[1], taken):
            stem = numbered[1]
            while at + length < len(layers):
                before, after = layers[at + length - 1], layers[at + length]
                if (after.id, after.sources) != (f"{stem}_{length}", (before.id,)) or used[before.id] != 1:
                    break
                length += 1
        found.append(_stage(stem, layers[at : at + length]) if length > 1 else layers[at])
        at += length
    last = {stage.parts[-1].id: stage.id for stage in found if stage.parts}
    return tuple(_reading(layer, last) for layer in found)


def _usable(stem: str, taken: Container[str]) -> bool:
    try:
        return names.identifier(stem) not in taken
    except ValueError:
        return False


def _stage(id: str, parts: Sequence[Layer]) -> Layer:
    call = Call(SEQUENTIAL, *(part.call for part in parts))
    return Layer(id, call, parts[0].sources, parts[-1].shape, sum(p.flops for p in parts), tuple(parts))


def _reading(layer: Layer, last: dict[str, str]) -> Layer:
    sources = tuple(last.get(s, s) for s in layer.sources)
    return Layer(layer.id, layer.call, sources, layer.shape, layer.flops, layer.parts)
