"""Which tensors of one network are which of another, from names and shapes alone.

Tensors are matched layer by layer: a layer is taken as a whole, or not at all. Results give for names here those there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Hashable

from blocks.base import Shape

Shapes = dict[str, Shape]
Layer = dict[str, tuple[str, Shape]]
"""The tensors of a layer by their last name (weight, bias, running_mean): full name and shape."""

COUNTER = "num_batches_tracked"
"""A counter of batch normalization that older files lack; it starts at 0 then."""


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts layer2 before layer10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def by_name(there: Shapes, here: Shapes, named: dict[str, str]) -> dict[str, str]:
    """Layers of the same names and shapes; `named` gives for a name here the one it would have there."""
    fits = {name for name in here if name in named and there[named[name]] == here[name]}
    broken = {name.rpartition(".")[0] for name in here if name not in fits and not name.endswith(COUNTER)}
    return {name: named[name] for name in here if name in fits and name.rpartition(".")[0] not in broken}


def in_sequence(there: Shapes, here: Shapes) -> dict[str, str]:
    """Layers of equal shapes in the order of both sides; layers that only one side has are left out."""
    theirs, ours = layers(there), layers(here)
    signs = [_sign(layer) for layer in theirs.values()], [_sign(layer) for layer in ours.values()]
    found: dict[str, str] = {}
    one, other = [*theirs.values()], [*ours.values()]
    for a, b, length in difflib.SequenceMatcher(None, *signs, autojunk=False).get_matching_blocks():
        for left, right in zip(one[a : a + length], other[b : b + length]):
            found |= pair(left, right)
    return found


def by_kind(there: Shapes, here: Shapes) -> dict[str, str]:
    """Layers of equal shapes where the order of theirs is not known but for that of their names.

    First those with the same last name (conv1, bn2), then the rest; where one side has more layers of a kind than the
    other, nobody can tell which is which, and none is taken.
    """
    found: dict[str, str] = {}
    kinds: tuple[Callable[[str, Layer], Hashable], ...] = (
        lambda name, layer: (name.rpartition(".")[2], _sign(layer)),
        lambda name, layer: _sign(layer),
    )
    for kind in kinds:
        used = set(found.values())
        theirs = _grouped({n: s for n, s in there.items() if n not in used}, kind)
        for key, ours in _grouped({n: s for n, s in here.items() if n not in found}, kind).items():
            if len(theirs.get(key, ())) == len(ours):
                for left, right in zip(theirs[key], ours):
                    found |= pair(left, right)
    return found


def layers(shapes: Shapes) -> dict[str, Layer]:
    """Tensors gathered by the layer they belong to."""
    found: dict[str, Layer] = {}
    for name, shape in shapes.items():
        layer, _, key = name.rpartition(".")
        found.setdefault(layer, {})[key] = (name, shape)
    return found


def pair(there: Layer, here: Layer) -> dict[str, str]:
    """The tensors of two layers by their last names."""
    return {name: there[key][0] for key, (name, _) in here.items() if key in there}


def _grouped(shapes: Shapes, kind: Callable[[str, Layer], Hashable]) -> dict[Hashable, list[Layer]]:
    found: dict[Hashable, list[Layer]] = {}
    for name, layer in layers(shapes).items():
        found.setdefault(kind(name, layer), []).append(layer)
    return found


def _sign(layer: Layer) -> Hashable:
    """What two layers must share to be taken for each other."""
    return tuple(sorted((key, shape) for key, (_, shape) in layer.items() if key != COUNTER))
