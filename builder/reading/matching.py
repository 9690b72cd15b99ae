"""Which block a line of code stands for: the catalogue is searched for the block that would write that very line.

A block knows how it becomes a call (`Block.layer`) or a sub-graph (`Block.template`); here the way back is
found by trying settings until the result is the same. So a new block can be read as soon as it can be written.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import blocks
from blocks.base import Block, BlockError, Call, Setting, SettingError, Shape, Step
from builder.shapes import infer, module_class

Distance = tuple[int, ...]
"""How far a block is from what is looked for: 0 where they are the same."""

MAX_CHOICES = 512
"""Combinations of choices that are tried; numbers are found one by one for the best of them."""
TRIED = 6
IGNORED = ("inplace", "device", "dtype")
"""Arguments that change no number."""


@dataclass(frozen=True)
class Match:
    """A block, and the arguments of the call that it would write otherwise."""

    block: Block
    differs: tuple[str, ...]


def leaf(call: Call, shapes: tuple[Shape, ...]) -> Match | None:
    """The block that writes this call for these shapes, or the nearest one; None where no block has its module.

    Raises BlockError with a sentence when a block has the module, but refuses the shapes or a setting.
    """
    given = arguments(call)
    for nested in [v for v in given.values() if isinstance(v, Call)]:
        given = {**arguments(nested), **given}
    found: list[tuple[int, Block]] = []
    refused: BlockError | None = None
    for cls in writers(call):

        def distance(block: Block) -> Distance:
            made = block.layer(*shapes)
            assert made is not None
            return (_apart(call, made),)

        try:
            block = solve(cls, given, len(shapes), given.values(), distance, shapes)
        except BlockError as error:
            refused = refused or error
        else:
            found.append((distance(block)[0], block))
    if not found and refused is not None:
        raise refused
    if not found:
        return None
    block = min(found, key=lambda item: item[0])[1]
    made = block.layer(*shapes)
    assert made is not None
    return Match(block, _differing(call, made))


def composite(
    name: str,
    steps: tuple[Step, ...],
    received: tuple[tuple[Shape, ...], ...],
    result: str,
    shapes: tuple[Shape, ...],
    given: dict[str, Any],
    named: bool = True,
) -> Block | None:
    """The composite of the catalogue that opens to exactly these steps, or None.

    Sources of steps are earlier ones, or "#0", "#1" for the inputs; `received` are the shapes each step takes. The class in the code is called `name` and made
    with `given`, which often are the names of the block and of its settings; where two blocks open to the same, the
    one of this name is meant.
    """
    constants = tuple((k, v) for k, v in given.items() if not isinstance(v, Call))
    return _composite(name, steps, received, result, shapes, constants, named)


@functools.lru_cache(maxsize=4096)
def _composite(
    name: str,
    steps: tuple[Step, ...],
    received: tuple[tuple[Shape, ...], ...],
    result: str,
    shapes: tuple[Shape, ...],
    given: tuple[tuple[str, Any], ...],
    named: bool,
) -> Block | None:
    pool = dict.fromkeys(v for step in steps for v in vars(step.block).values())
    channels = [shape[0] for shape in shapes]
    pool |= dict.fromkeys(c // n for c in channels for n in list(pool) if _whole(n) and n > 0 and c % n == 0)
    held = {type(step.block) for step in steps}
    known = [cls for cls, (always, ever) in _composites().items() if always <= held <= ever]
    for cls in sorted(known, key=lambda cls: not name.startswith(cls.__name__)):

        def distance(block: Block) -> Distance:
            template = block.template(*shapes)
            assert template is not None
            places = {port.name: f"#{i}" for i, port in enumerate(block.ports())}
            written = inside(block, shapes)
            if not named:
                places |= {step.id: str(i) for i, step in enumerate(written)}
            made = [
                Step(s.id if named else places[s.id], s.block, tuple(places.get(x, x) for x in s.sources))
                for s in written
            ]
            names = sum(a.id != b.id for a, b in zip(made, steps)) + abs(len(made) - len(steps))
            others = sum(_unlike(a, b, taken) for a, b, taken in zip(made, steps, received))
            return (names, others + (places.get(template.result, template.result) != result))

        try:
            found = solve(cls, dict(given), len(shapes), pool, distance, shapes)
        except BlockError:
            continue
        if not any(distance(found)):
            return found
    return None


Kinds = frozenset[type[Block]]


@functools.cache
def _composites() -> dict[type[Block], tuple[Kinds, Kinds]]:
    """The composites of the catalogue, with the blocks that each always holds and those that it ever does."""
    found = {}
    for cls in blocks.catalogue().values():
        if cls.template is Block.template:
            continue
        seen: list[Kinds] = []
        for example in cls.examples:
            block = cls.from_settings(example.settings)
            numbers = [{s.name: n} for s in cls.settings() if s.kind in ("int", "float") for n in (0, 1, 2, 0.5)]
            for changes in (*_choices(cls), *numbers):
                try:
                    tried = block.replace(**changes)
                    tried.check(*example.inputs)
                    seen.append(frozenset(type(step.block) for step in inside(tried, example.inputs)))
                except (BlockError, SettingError):
                    continue
        if seen:
            found[cls] = (frozenset.intersection(*seen), frozenset().union(*seen))
    return found


def inside(block: Block, shapes: tuple[Shape, ...]) -> list[Step]:
    """The steps inside a composite that become modules."""
    template = block.template(*shapes)
    return [] if template is None else [step for step in template.steps if _is_module(step.block)]


def _unlike(one: Step, other: Step, shapes: tuple[Shape, ...]) -> int:
    """In how many settings and wires two steps differ; settings that leave no trace in the code do not count."""
    if type(one.block) is not type(other.block):
        return 100
    first, second = vars(one.block), vars(other.block)
    settings = sum(bool(first[k] != second[k]) for k in first)
    if settings:
        a, b = infer(one.block, shapes), infer(other.block, shapes)
        settings = settings if (a.call, a.inner) != (b.call, b.inner) else 0
    return settings + int(one.sources != other.sources)


def writers(call: Call) -> tuple[type[Block], ...]:
    """The blocks that write this module."""
    return _writers().get(_targets(call), ())


def having(cls: type[Block], shape: Shape) -> Block | None:
    """The input block of this class that gives this shape, or None. Raises BlockError when a length is out of bounds."""

    def distance(block: Block) -> Distance:
        entering = block.source_shape() or ()
        return (abs(len(entering) - len(shape)), sum(a != b for a, b in zip(entering, shape)))

    found = solve(cls, {}, 0, shape, distance, ())
    return found if found.source_shape() == shape else None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_module(block: Block) -> bool:
    """Whether a block becomes a module; the others hand their input on and stand in no code."""
    return type(block).layer is not Block.layer or type(block).template is not Block.template


# --- calls ---------------------------------------------------------------------------------------


def arguments(call: Call) -> dict[str, Any]:
    """All arguments of a call by name, defaults included. Raises BlockError when the module does not take them."""
    signature = _signature(call.target)
    try:
        bound = signature.bind(*call.args, **call.kwargs)
    except TypeError as error:
        raise BlockError(f"{call.target} cannot be made so: {error}.", "arguments") from None
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif name not in IGNORED:
            found[name] = value
    return found


@functools.cache
def _signature(target: str) -> inspect.Signature:
    cls = module_class(target)
    signature = inspect.signature(cls)
    if all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in signature.parameters.values()) and cls.__mro__[1:]:
        # A recurrent layer hands its arguments on to its base, which takes the kind of layer before them.
        base = list(inspect.signature(cls.__mro__[1]).parameters.values())
        more = inspect.Parameter("more", inspect.Parameter.VAR_KEYWORD)
        if len(base) > 1 and all(p.kind is p.POSITIONAL_OR_KEYWORD for p in base):
            return inspect.Signature([*base[1:], more])
    return signature


def _apart(one: Any, other: Any) -> int:
    """In how many numbers two calls, or two arguments, differ; an equal pair is the same as one number."""
    if isinstance(one, Call) and isinstance(other, Call):
        first, second = arguments(one), arguments(other)
        values = ((first.get(name), second.get(name)) for name in {**first, **second})
        return (one.target != other.target) + sum(_apart(a, b) for a, b in values)
    if isinstance(one, tuple) or isinstance(other, tuple):
        length = max(len(v) for v in (one, other) if isinstance(v, tuple))
        first_, second_ = (v if isinstance(v, tuple) else (v,) * length for v in (one, other))
        return sum(a != b for a, b in itertools.zip_longest(first_, second_))
    return int(one != other or isinstance(one, bool) is not isinstance(other, bool))


def _differing(wanted: Call, made: Call) -> tuple[str, ...]:
    """The names of the arguments that differ; of a nested call too."""
    found: list[str] = []
    first, second = arguments(wanted), arguments(made)
    for name in {**first, **second}:
        one, other = first.get(name), second.get(name)
        if isinstance(one, Call) and isinstance(other, Call) and one.target == other.target:
            found.extend(_differing(one, other))
        elif _apart(one, other):
            found.append(name)
    return tuple(found)


def _targets(call: Call) -> tuple[str, ...]:
    """The modules a call makes, outer first: ("Recurrent", "nn.LSTM")."""
    inner = (v for v in (*call.args, *call.kwargs.values()) if isinstance(v, Call))
    return (call.target, *(t for nested in inner for t in _targets(nested)))


@functools.cache
def _writers() -> dict[tuple[str, ...], tuple[type[Block], ...]]:
    """The blocks that write a module, found from their examples with every choice tried."""
    found: dict[tuple[str, ...], dict[type[Block], None]] = {}
    for cls in blocks.catalogue().values():
        if cls.layer is Block.layer:
            continue
        for example in cls.examples:
            for choices in _choices(cls):
                try:
                    call = cls.from_settings(example.settings).replace(**choices).layer(*example.inputs)
                except (BlockError, SettingError):
                    continue
                if call is not None:
                    found.setdefault(_targets(call), {})[cls] = None
    return {targets: tuple(classes) for targets, classes in found.items()}


@functools.cache
def spoken() -> dict[str, str]:
    """The module that a function or operator stands for in code: the one that the block of these `functions` writes."""
    return {name: targets[0] for targets, classes in _writers().items() for cls in classes for name in cls.functions}


def fulfilling(role: str) -> str:
    """The module that the block of this role writes."""
    return next(targets[0] for targets, classes in _writers().items() if any(cls.role == role for cls in classes))


# --- finding settings ----------------------------------------------------------------------------


def _choices(cls: type[Block]) -> Iterator[dict[str, Any]]:
    """Every combination of the settings that have few values; each alone where these are too many."""
    few = {s.name: _few(s) for s in cls.settings() if _few(s)}
    total = 1
    for values in few.values():
        total *= len(values)
    if total <= MAX_CHOICES:
        for combination in itertools.product(*few.values()):
            yield dict(zip(few, combination))
    else:
        yield {}
        for name, values in few.items():
            yield from ({name: value} for value in values)


def _few(setting: Setting) -> tuple[Any, ...]:
    return setting.choices or ((False, True) if setting.kind == "bool" else ())


def solve(
    cls: type[Block],
    given: dict[str, Any],
    inputs: int,
    pool: Iterable[Any],
    distance: Callable[[Block], Distance],
    shapes: tuple[Shape, ...],
) -> Block:
    """The settings of `cls` with the least distance: those of the same name first, then one by one.

    Raises BlockError when none can be had for these shapes.
    """
    fixed: dict[str, Any] = {cls.variadic: inputs} if cls.variadic else {}
    settings = {s.name: s for s in cls.settings()}
    named = {k: v for k, v in given.items() if k in settings and k not in fixed and not callable(v)}
    best: list[tuple[Distance, Block]] = []
    refused: BlockError | None = None

    def attempt(values: dict[str, Any]) -> tuple[Distance, Block] | None:
        nonlocal refused
        try:
            block = cls(**values)
            if any(not p.accepts(s) for p, s in zip(block.ports(), shapes)) or len(block.ports()) != len(shapes):
                raise BlockError(f"{cls.label} does not take what it receives.", "shape")
            block.check(*shapes)
            return distance(block), block
        except BlockError as error:
            refused = refused or error
        except SettingError as error:
            refused = refused or BlockError(str(error), "setting")
        return None

    starts = []
    for choices in _choices(cls):
        made = attempt({**choices, **named, **fixed})
        if made is not None:
            starts.append(made)
            if not any(made[0]):
                return made[1]
        if not any(name not in named for name in choices):
            break  # every choice is given
    candidates = {s.name: _candidates(s, pool) for s in cls.settings() if s.name not in fixed and not _few(s)}
    if not starts:
        for name, values in candidates.items():  # a default may not fit where another number does
            starts += [made for v in values if (made := attempt({**named, **fixed, name: v})) is not None]
    for start in sorted(starts, key=lambda made: made[0])[:TRIED]:
        best.append(_descend(start, candidates, attempt))
        if not any(best[-1][0]):
            break
    if not best:
        raise refused or BlockError(f"{cls.label} cannot be had here.", "settings")
    return min(best, key=lambda made: made[0])[1]


def _descend(
    start: tuple[Distance, Block],
    candidates: dict[str, tuple[Any, ...]],
    attempt: Callable[[dict[str, Any]], tuple[Distance, Block] | None],
) -> tuple[Distance, Block]:
    """Change one setting at a time while that brings it nearer."""
    at, better = start, True
    while better and any(at[0]):
        better = False
        for name, values in candidates.items():
            held = {s.name: getattr(at[1], s.name) for s in at[1].settings()}
            for value in values:
                made = attempt({**held, name: value}) if value != held[name] else None
                if made is not None and made[0] < at[0]:
                    at, better = made, True
    return at


def _candidates(setting: Setting, pool: Iterable[Any]) -> tuple[Any, ...]:
    """Values of the pool that this setting takes, and their neighbours and sums where it is a whole number."""
    values: list[Any] = [setting.default]
    numbers: list[int] = []
    for value in pool:
        parts = value if isinstance(value, tuple) else (value,)
        values += [value, *parts]
        numbers += [p for p in parts if isinstance(p, int) and not isinstance(p, bool)]
    if setting.kind == "int":
        values += [n + d for n in dict.fromkeys(numbers) for d in (-1, 1)]
        values += list(range(9))
    if setting.kind in ("ints", "floats"):
        values += [(v,) for v in values if isinstance(v, (int, float))]
    found: dict[str, Any] = {}
    for value in values:
        if isinstance(value, Call):
            continue
        try:
            checked = setting.check(value)
        except SettingError:
            continue
        found.setdefault(repr(checked), checked)
    return tuple(found.values())[:200]
