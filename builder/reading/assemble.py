"""From the steps of a class to a graph: every step becomes the block that writes it, with the shapes that flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blocks.base import Block, BlockError, Call, SettingError, Shape
from blocks.base import Step as Inner
from builder import names
from builder.graph import Edge
from builder.reading import matching
from builder.reading.classes import Definition, File
from builder.reading.errors import ReadError
from builder.reading.trace import Step, Trace, trace
from builder.shapes import Inferred, infer, size

DEPTH = 20
"""Classes within classes; a deeper nesting is a class that contains itself."""


@dataclass(frozen=True)
class Part:
    """One step as it is written: a block, or a class of the file; sources are ids or "#0", "#1" for inputs.

    `alone`: it is all that an nn.Sequential holds.
    """

    id: str
    made: Block | Use
    sources: tuple[str, ...]
    alone: bool = False


@dataclass(frozen=True, eq=False)
class Use:
    """A class of the file that is no block of the catalogue, as it is called in one place."""

    definition: Definition
    parts: tuple[Part, ...]
    result: str
    shapes: tuple[Shape, ...]
    arguments: dict[str, Any]


@dataclass
class Assembled:
    """Blocks in order with the wires between them; `ends` are the values returned.

    `notes` are sentences about numbers of the code that the incoming shapes contradict.
    """

    blocks: dict[str, Block] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    ends: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    tree: tuple[Part, ...] = ()
    """The steps as they are written, with classes of the file as such, and the ends in their terms."""
    local_ends: tuple[str, ...] = ()


@dataclass
class _Body:
    """The inside of one class for given shapes; sources are "#0", "#1" for its inputs."""

    steps: list[Inner]
    results: tuple[str, ...]
    shapes: dict[str, Shape]
    tree: list[Part] = field(default_factory=list)
    local: dict[str, str] = field(default_factory=dict)
    """For a value that comes out of a class, the id of the step that called it."""

    def part(self, id: str, made: Block | Use, sources: tuple[str, ...], alone: bool = False) -> None:
        """Note a step as it is written, classes of the file as such."""
        self.tree.append(Part(id, made, tuple(self.local.get(s, s) for s in sources), alone))


def assemble(file: File, definition: Definition, inputs: Sequence[Block]) -> Assembled:
    """The graph of a network whose inputs are these blocks.

    Raises ReadError with the line of a layer that has no block or cannot take what it receives.
    """
    assembler = _Assembler(file)
    shapes = tuple(block.source_shape() or () for block in inputs)
    body = assembler.body(trace(file, definition, {}), shapes, 0)
    body.steps = agree(body.steps, body.shapes)
    found = Assembled(notes=assembler.notes)
    held = {f"#{i}": name for i, name in enumerate(definition.inputs)}
    for step in body.steps:
        found.blocks[step.id] = step.block
        for port, source in zip(step.block.ports(), step.sources, strict=True):
            found.edges.append(Edge(held.get(source, source), "out", step.id, port.name))
    found.ends = tuple(held.get(r, r) for r in body.results)
    named = {**held, **body.local}
    found.tree = tuple(Part(p.id, p.made, tuple(named.get(s, s) for s in p.sources), p.alone) for p in body.tree)
    found.local_ends = tuple(named.get(r, r) for r in body.results)
    return found


class _Assembler:
    def __init__(self, file: File) -> None:
        self.file = file
        self.notes: list[str] = []

    def body(self, traced: Trace, shapes: tuple[Shape, ...], depth: int) -> _Body:
        if depth > DEPTH:
            raise ReadError("A class contains itself, or classes are nested too deeply.")
        held = {name: f"#{i}" for i, name in enumerate(traced.inputs)}
        known = dict(zip(held.values(), shapes, strict=True))
        body = _Body([], (), known)
        for step in traced.steps:
            sources = tuple(held[s] for s in step.sources)
            try:
                names.identifier(step.id)
            except ValueError as error:
                raise ReadError(str(error), step.line) from None
            if step.call.target in self.file.definitions:
                held[step.id] = self.made(step, sources, body, depth)
            else:
                inferred = self.leaf(step, sources, body)
                if step.again and inferred.parameters:
                    raise ReadError(
                        f"The layer {step.call.target} is called again at another place; a block with weights stands at "
                        "one place only. Make a second layer, or one without weights.",
                        step.line,
                    )
                held[step.id] = step.id
        body.results = tuple(held[o] for o in traced.outputs)
        return body

    def leaf(self, step: Step, sources: tuple[str, ...], body: _Body) -> Inferred:
        shapes = tuple(body.shapes[s] for s in sources)
        received = " and ".join(map(size, shapes))
        try:
            match = matching.leaf(step.call, shapes)
            if match is None:
                raise ReadError(f"{step.call!r} is a layer that no block stands for.", step.line)
            inferred = infer(match.block, shapes)
        except BlockError as error:
            raise ReadError(f"{step.call!r}, which receives {received}, cannot be read: {error}", step.line) from None
        wanted = matching.arguments(step.call)
        for name in match.differs:
            value = next((a[name] for a in _all_arguments(step.call, wanted) if name in a), None)
            if (
                not isinstance(value, int)
                or isinstance(value, bool)
                or name in {s.name for s in match.block.settings()}
            ):
                raise ReadError(
                    f"{step.call!r} has {name}={value!r}, which the block {match.block.label} has no setting for.",
                    step.line,
                )
            self.notes.append(
                f"Line {step.line}: {step.id} is written with {name}={value}, but {received} arrives there; "
                "it now follows what arrives."
            )
        body.steps.append(Inner(step.id, match.block, sources))
        body.part(step.id, match.block, sources)
        body.shapes[step.id] = inferred.shape
        return inferred

    def made(self, step: Step, sources: tuple[str, ...], body: _Body, depth: int) -> str:
        """A class of the file: a composite of the catalogue where its inside is one, else its blocks themselves."""
        definition = self.file.definitions[step.call.target]
        if step.again:
            raise ReadError(
                f"The {definition.name} is called again at another place; a block stands at one place only.", step.line
            )
        if len(sources) != len(definition.inputs):
            raise ReadError(
                f"{definition.name} takes {len(definition.inputs)} inputs, but is called with {len(sources)}.",
                step.line,
            )
        shapes = tuple(body.shapes[s] for s in sources)
        inside = self.body(trace(self.file, definition, step.call.kwargs), shapes, depth + 1)
        if len(inside.results) != 1:
            raise ReadError(
                f"{definition.name} returns {len(inside.results)} values; inside a network, one.", step.line
            )
        (result,) = inside.results
        received = tuple(tuple(inside.shapes[s] for s in inner.sources) for inner in inside.steps)
        block = matching.composite(definition.name, tuple(inside.steps), received, result, shapes, step.call.kwargs)
        if block is not None:
            body.steps.append(Inner(step.id, block, sources))
            body.part(step.id, block, sources)
            body.shapes[step.id] = infer(block, shapes).shape
            return step.id
        use = Use(definition, tuple(inside.tree), inside.local.get(result, result), shapes, dict(step.call.kwargs))
        body.part(step.id, use, sources, step.alone)
        renamed = {f"#{i}": source for i, source in enumerate(sources)}
        taken = {s.id for s in body.steps}
        for inner in inside.steps:
            renamed[inner.id] = name = names.free([f"{step.id}_{inner.id}"], taken)
            taken.add(name)
            body.steps.append(Inner(name, inner.block, tuple(renamed[s] for s in inner.sources)))
            body.shapes[name] = inside.shapes[inner.id]
        body.local[renamed[result]] = step.id
        return renamed[result]


def _all_arguments(call: Call, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    return [wanted, *(matching.arguments(v) for v in wanted.values() if isinstance(v, Call))]


def agree(steps: Sequence[Inner], shapes: Mapping[str, Shape]) -> list[Inner]:
    """The steps with settings that leave no trace in the code as in the other blocks of the same kind.

    Where a residual block needs no projection, say, its code does not tell how it would project. `shapes` are those
    of the sources.
    """
    found = list(steps)
    alike: dict[type[Block], list[int]] = {}
    for i, step in enumerate(found):
        alike.setdefault(type(step.block), []).append(i)
    for cls, places in alike.items():
        for setting in cls.settings() if len(places) > 1 else ():
            values = setting.choices or ((False, True) if setting.kind == "bool" else ())
            same = {i: _same_code(found[i], shapes, setting.name, values) for i in places}
            told = {getattr(found[i].block, setting.name) for i in places if len(same[i]) == 1}
            for i in places if len(told) == 1 else ():
                if told <= same[i]:
                    step = found[i]
                    found[i] = Inner(step.id, step.block.replace(**{setting.name: next(iter(told))}), step.sources)
    return found


def _same_code(step: Inner, known: Mapping[str, Shape], setting: str, values: tuple[Any, ...]) -> set[Any]:
    """The values of a setting with which a block writes the same code."""
    shapes = tuple(known[s] for s in step.sources)
    first = infer(step.block, shapes)
    found = {getattr(step.block, setting)}
    for value in values:
        try:
            other = infer(step.block.replace(**{setting: value}), shapes)
        except (BlockError, SettingError):
            continue
        if (other.call, other.inner) == (first.call, first.inner):
            found.add(value)
    return found
