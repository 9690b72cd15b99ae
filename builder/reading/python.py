"""A model.py as a project: parsed, never run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from blocks.base import Block, BlockError, Call, Port, Shape
from builder import names
from builder.graph import Edge, Graph, Node
from builder.project import MAX_NAME, Project
from builder.reading import matching
from builder.reading.assemble import DEPTH, Assembled, Part, assemble
from builder.reading.classes import Definition, File, parse
from builder.reading.ends import answer, entering, with_vocabulary
from builder.reading.errors import ReadError
from builder.reading.fitting import fitted
from builder.reading.grouping import grouped
from builder.reading.layout import placed
from builder.reading.trace import trace
from builder.shapes import size

SIDES = (28, 32, 64, 224, 96, 128, 227, 299, 48, 256, 512, 572, 448)
"""Sides of pictures that are tried where the code does not say them; others follow in order."""
LARGEST_SIDE = 320
LENGTH = 16
"""Steps of a sequence where the code does not say them."""


@dataclass(frozen=True)
class Read:
    """What was read, and sentences about what was not in the file or was read otherwise than written.

    `weights` are those of the file, ``{network: state_dict}``; None where it has none.
    """

    project: Project
    notes: tuple[str, ...] = ()
    weights: dict[str, dict[str, Tensor]] | None = None


def read_code(text: str) -> Read:
    """The networks of a model.py. Raises ReadError with one sentence, which names the line."""
    file = parse(text)
    definitions = file.networks()
    told = re.match(r"(.+?): (?:a network|networks (.+?)) in PyTorch", file.docstring, re.DOTALL)
    listed = told[2].split(", ") if told and told[2] else []
    networks: dict[str, Graph] = {}
    notes: list[str] = []
    trees: dict[str, tuple[tuple[Part, ...], tuple[str, ...]]] = {}
    for definition in definitions:
        known = [name for name in listed if names.class_name(name) == definition.name]
        name = known[0] if known else "network" if len(definitions) == 1 else _snake(definition.name)
        name = names.free([name], networks)
        networks[name], said, trees[name] = _network(file, definition)
        notes += said
    name = (told[1] if told else definitions[-1].name)[:MAX_NAME]
    return Read(fitted(grouped(Project(name=name, networks=networks), trees)), tuple(notes))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _network(file: File, definition: Definition) -> tuple[Graph, list[str], tuple[tuple[Part, ...], tuple[str, ...]]]:
    inputs, found, notes = _fitting_inputs(file, definition)
    nodes = [Node(name, block) for name, block in zip(definition.inputs, inputs, strict=True)]
    nodes += [Node(id, block) for id, block in found.blocks.items()]
    edges = list(found.edges)
    taken = {n.id for n in nodes}
    _, told = _docstring(definition)
    several = len(found.ends) > 1
    for i, end in enumerate(found.ends):
        wanted = told[i].name if i < len(told) and len(told) == len(found.ends) else ""
        id = names.free([wanted or (f"output{i + 1}" if several else "output")], taken)
        taken.add(id)
        block = answer()
        nodes.append(Node(id, block))
        edges.append(Edge(end, "out", id, block.ports()[0].name))
    tree = (found.tree, found.local_ends)
    return placed(Graph(tuple(nodes), tuple(edges))), [*notes, *found.notes], tree


# --- what enters ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Told:
    """An input or output as the docstring has it; the name of a lone output is left out."""

    name: str
    shape: Shape
    vocabulary: int | None = None


def _docstring(definition: Definition) -> tuple[dict[str, _Told], list[_Told]]:
    """What "From image 1×28×28 to 10; ..." says: the inputs, and the outputs."""
    told = re.match(r"From (.+?) to ([^;]+);", " ".join(definition.docstring.split()))
    if not told:
        return {}, []
    return {one.name: one for one in _told(told[1]) if one.name}, list(_told(told[2]))


def _told(text: str) -> Iterator[_Told]:
    size = r"[1-9]\d{0,8}"
    for part in text.split(", "):
        found = re.fullmatch(rf"(?:(.*) )?({size}(?:×{size})*)(?: \(tokens below ({size})\))?", part.strip())
        if found:
            shape = tuple(map(int, found[2].split("×")))
            yield _Told(found[1] or "", shape, int(found[3]) if found[3] else None)


def _fitting_inputs(file: File, definition: Definition) -> tuple[list[Block], Assembled, list[str]]:
    """Input blocks with which every layer takes what it receives; a note says where the size is a guess."""
    told, _ = _docstring(definition)
    choices: list[list[Shape]] = []
    tokens: list[bool] = []
    for name in definition.inputs:
        call = _first_reader(file, definition, {}, name)
        writers = matching.writers(call) if call is not None else ()
        ports = [p for cls in writers for p in cls.inputs]
        takes_tokens = bool(ports) and all(p.holds == "tokens" for p in ports)
        tokens.append(takes_tokens or (name in told and told[name].vocabulary is not None))
        choices.append([told[name].shape] if name in told else list(_likely(call, ports)))
    refused: ReadError | None = None
    nearest: tuple[list[Block], Assembled] | None = None
    for shapes in itertools.islice(itertools.product(*choices), 2 * LARGEST_SIDE):
        inputs = [entering(shape, held) for shape, held in zip(shapes, tokens, strict=True)]
        try:
            found = assemble(file, definition, inputs)
        except ReadError as error:
            refused = refused or error
            continue
        if nearest is None or len(found.notes) < len(nearest[1].notes):
            nearest = inputs, found
        if not found.notes:
            break
    if nearest is None:
        raise refused or ReadError(f"{definition.name} takes no input, so nothing can enter it.", definition.line)
    inputs, found = nearest
    inputs = [
        with_vocabulary(
            block,
            [found.blocks[edge.target] for edge in found.edges if edge.source == name],
            told[name].vocabulary if name in told else None,
        )
        for name, block in zip(definition.inputs, inputs, strict=True)
    ]
    guessed = [
        f"The code does not say how large {name} is; {size(block.source_shape() or ())} fits its layers. "
        f"Set the block {name} to your data's size."
        for name, block, shapes in zip(definition.inputs, inputs, choices, strict=True)
        if len(shapes) > 1
    ]
    return inputs, found, guessed


def _first_reader(
    file: File, definition: Definition, arguments: dict[str, Any], name: str, depth: int = 0
) -> Call | None:
    """The first layer that reads this input, also inside a class of the file."""
    for step in trace(file, definition, arguments).steps:
        if name in step.sources:
            inner = file.definitions.get(step.call.target)
            at = step.sources.index(name)
            if inner is None or depth > DEPTH or at >= len(inner.inputs):
                return step.call if inner is None else None
            return _first_reader(file, inner, step.call.kwargs, inner.inputs[at], depth + 1)
    return None


def _likely(call: Call | None, ports: list[Port]) -> Iterator[Shape]:
    """Shapes that may enter the first layer: its own numbers tell the channels or features."""
    ranks: list[int] = []
    for port in ports:
        ranks += [port.rank] if isinstance(port.rank, int) else list(port.rank or (3, 1))
    numbers = list(dict.fromkeys(_numbers(call))) if call is not None else []
    sides = list(dict.fromkeys([*SIDES, *range(1, LARGEST_SIDE)]))
    for rank in dict.fromkeys(ranks or [3, 1]):
        if rank == 3:
            channels = [n for n in numbers[:1] if n < 65536] or [1, 3]
            yield from ((c, s, s) for s in sides for c in channels)
        elif rank == 2:
            yield from ((LENGTH, n) for n in numbers[:2])
            yield from ((n, LENGTH) for n in numbers[:2])
        else:
            yield from ((n,) for n in numbers[:2])
            yield (LENGTH,)


def _numbers(call: Call) -> Iterator[int]:
    try:
        values = matching.arguments(call).values()
    except BlockError:
        return  # it is said when the layer is read
    for value in values:
        if isinstance(value, Call):
            yield from _numbers(value)
        elif isinstance(value, int) and not isinstance(value, bool) and value > 0:
            yield value
