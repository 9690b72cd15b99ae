"""What of given weights fits a project's networks, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blocks.base import Shape
from builder.shapes import size


@dataclass(frozen=True)
class Match:
    """What of a file fits the networks, a layer as a whole or not at all. Names of the networks are ``slot.key``.

    `pairs` are (name in the file, name in the networks), `fresh` the networks' tensors that are not taken from it:
    `missing` there, or `misshapen` (name, shape there, shape here), or of a layer that has one of these. `extra`
    are the file's that have no place here. `kept`, `partly` and `drawn` are the blocks on the canvas (``slot.node``)
    of which all tensors are taken, some (composites), and none. `by` says how: by name, by order and shape, or both;
    `where` is what sentences call the source.
    """

    source: str
    by: str
    pairs: tuple[tuple[str, str], ...]
    fresh: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    misshapen: tuple[tuple[str, Shape, Shape], ...]
    kept: tuple[str, ...]
    partly: tuple[str, ...]
    drawn: tuple[str, ...]
    where: str = "the file"

    @property
    def whole(self) -> bool:
        """Whether every tensor on both sides has its partner."""
        return not self.fresh and not self.extra

    def sentence(self) -> str:
        """What is taken and what is not."""
        total = len(self.pairs) + len(self.fresh)
        if self.whole:
            return f"All {total} tensors of {self.source} fit, matched by {self.by}."
        return f"{len(self.pairs)} of the network's {total} tensors come from {self.source}, matched by {self.by}. {self.blocks()} {self._rest()}"

    def blocks(self) -> str:
        """Which blocks keep their weights and which begin anew."""
        kept, partly, drawn = map(_blocks, (self.kept, self.partly, self.drawn))
        some = f" Kept in part: {partly}." if partly else ""
        return f"Kept: {kept or 'nothing'}.{some} Drawn anew: {drawn or 'nothing'}."

    def refusal(self) -> str:
        """Why these weights are not the network's, and what to do."""
        return f"{self.source} does not fit the network. {self._rest()} Choose a partial load to take what fits and draw the rest anew."

    def _rest(self) -> str:
        told = [
            f"{name} is {size(there)} in {self.where} and {size(here)} here."
            for name, there, here in self.misshapen[:3]
        ]
        for names, what in ((self.missing, f"not in {self.where}"), (self.extra, f"in {self.where} only")):
            if names:
                verb = "is" if len(names) == 1 else "are"
                told.append(f"{_listed(names)} {verb} {what}.")
        return " ".join(told)


_NAMED = 6
"""More blocks than this are counted, not named."""


def _blocks(nodes: tuple[str, ...]) -> str:
    single = len({node.partition(".")[0] for node in nodes}) <= 1
    names = [node.partition(".")[2] if single else node for node in nodes]
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more blocks"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    if len(names) <= 3:
        return ", ".join(names)
    return f"{', '.join(names[:2])} and {len(names) - 2} more tensors"
