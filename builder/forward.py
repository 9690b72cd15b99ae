"""The statements of a `forward` method: layers in order become few, readable lines.

A run of layers that only feed each other is written as one variable, `x`, with up to four calls
nested in a line; a line begins where a layer does the work (a convolution, a matrix product)::

    x = self.pool1(self.relu1(self.conv1(image)))

A value that is used later, more than once, or by a layer of several inputs is named after its layer; branches of
one call each stand in the call that joins them::

    return self.concat(self.branch1(x), self.branch2(x))
"""

from __future__ import annotations

import keyword
from dataclasses import dataclass

from blocks.base import Call
from builder import names

WIDTH = 88
"""The longest statement that is nested."""
JOINED = 100
"""The longest call that joins branches; they stand side by side, so it reads easily."""
DEPTH = 4
"""The most calls in one statement."""
CHAIN = ("x", "out", "h", "y")


@dataclass(frozen=True)
class Name:
    """A name used as a value; its repr is its source."""

    name: str

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Statement:
    """One statement: `head` is "x = ", "return " or empty; `layers` are the ids of the layers it calls."""

    head: str
    values: tuple[Call | Name, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A layer to be called: its sources are ids of earlier steps or of inputs. `works` begins a line."""

    id: str
    sources: tuple[str, ...]
    works: bool


@dataclass(frozen=True)
class _Line:
    """A statement that may still grow outwards."""

    value: Call
    layers: tuple[str, ...]


def variables(inputs: tuple[str, ...], steps: list[Step]) -> dict[str, str]:
    """The variable of each input: its own name, or `x` where that is a keyword (the port "in")."""
    taken = {s.id for s in steps} | set(inputs)
    found: dict[str, str] = {}
    for name in inputs:
        found[name] = names.free([*CHAIN, "input"], taken) if keyword.iskeyword(name) else name
        taken.add(found[name])
    return found


def statements(inputs: dict[str, str], steps: list[Step], outputs: tuple[str, ...]) -> tuple[Statement, ...]:
    """The statements that call all steps in the given order and return the outputs.

    `inputs` gives the variable of each input.
    """
    users: dict[str, list[int]] = {}
    for i, step in enumerate(steps):
        for source in step.sources:
            users.setdefault(source, []).append(i)
    for output in outputs:
        users.setdefault(output, []).append(len(steps))
    ids = {step.id for step in steps}
    held = dict(inputs)  # the variable of every value so far
    holds = {variable: value for value, variable in inputs.items()}  # and the last value of every variable
    written: list[Statement] = []

    def assign(line: _Line, name: str) -> None:
        written.append(Statement(f"{name} = ", (line.value,), line.layers))
        held[line.layers[-1]] = name
        holds[name] = line.layers[-1]

    def free(position: int, id: str) -> str:
        """A running variable that holds nothing still needed at step `position`, or else `id`."""
        needed = [v for v in CHAIN if v in ids or (v in holds and users.get(holds[v], [-1])[-1] >= position)]
        return next((name for name in CHAIN if name not in needed), id)

    line: _Line | None = None  # its value feeds the next step and nothing else
    for i, step in enumerate(steps):
        if line is not None:
            wide = len(f"        return {Call(f'self.{step.id}', line.value)!r}") > WIDTH
            if step.works or wide or len(line.layers) == DEPTH:
                assign(line, free(i, line.layers[-1]))
                line = None
        joined = None if line is not None else _joined(step, written, users)
        if line is not None:
            line = _Line(Call(f"self.{step.id}", line.value), (*line.layers, step.id))
        elif joined is not None:
            line = joined
            del written[-len(step.sources) :]
        else:
            line = _Line(Call(f"self.{step.id}", *(Name(held[s]) for s in step.sources)), (step.id,))
        used = users.get(step.id, [])
        last = i + 1 == len(steps)
        if used != [i + 1] or (len(outputs) > 1 if last else len(steps[i + 1].sources) > 1):
            if used:
                assign(line, step.id)
            else:
                written.append(Statement("", (line.value,), line.layers))
            line = None
    if line is not None:
        written.append(Statement("return ", (line.value,), line.layers))
    else:
        written.append(Statement("return ", tuple(Name(held[o]) for o in outputs), ()))
    return tuple(written)


def _joined(step: Step, written: list[Statement], users: dict[str, list[int]]) -> _Line | None:
    """The call of a step with the calls of all its branches in it; None where they are no single, short calls."""
    branches = written[-len(step.sources) :]
    if len(step.sources) < 2 or [b.layers for b in branches] != [(s,) for s in step.sources]:
        return None
    if any(len(users[s]) > 1 for s in step.sources):
        return None
    call = Call(f"self.{step.id}", *(b.values[0] for b in branches))
    if len(f"        return {call!r}") > JOINED:
        return None
    return _Line(call, (*step.sources, step.id))
