"""From a project to flat data that reads like the file to be written: classes, their layers, their statements.

Composites are expanded concretely, and uses with an equal structure (same names inside, same modules,
same wiring) share one class. Constants in which the uses differ become the class's arguments::

    ResidualBlock(64, 64, stride=1), ResidualBlock(64, 128, stride=2)   # one class, three arguments
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from blocks import modules
from blocks.base import Block, Call, Shape
from builder import forward, names, structure
from builder.definition import REPEAT
from builder.graph import Graph, UnknownBlock
from builder.layers import SEQUENTIAL, Copies, Layer, staged
from builder.project import Project
from builder.shapes import Inferred, Inner, infer, module_class
from builder.structure import is_input, is_output, wiring

RESERVED = ("self", *structure.RESERVED)
"""Names the text itself uses."""


@dataclass(frozen=True)
class Argument:
    """An argument of a class's constructor; `type` is its annotation."""

    name: str
    type: str


@dataclass(frozen=True)
class Class:
    """One class of the file; `forward` takes `inputs`, runs `statements` and returns that many `outputs`."""

    name: str
    title: str
    arguments: tuple[Argument, ...]
    inputs: tuple[str, ...]
    layers: tuple[Layer, ...]
    outputs: int
    statements: tuple[forward.Statement, ...]


@dataclass(frozen=True)
class Plan:
    """All classes, each before those that use it, and which of them are the networks."""

    classes: dict[str, Class]
    networks: dict[str, str]


def plan(project: Project) -> Plan:
    """The plan of a project whose networks check ok.

    Raises ValueError with a sentence when a network cannot be written (a block is unknown, an input is
    not connected, a name is no identifier, a shape does not fit).
    """
    bodies = {name: _network(graph) for name, graph in project.networks.items()}
    groups: dict[Hashable, list[_Body]] = {}
    for body in bodies.values():
        _collect(body, groups)
    taken = {*RESERVED, *vars(modules)}
    networks: dict[str, str] = {}
    for name in bodies:
        networks[name] = names.free([names.class_name(project.name if len(bodies) == 1 else name)], taken)
        taken.add(networks[name])
    classes: dict[str, Class] = {}
    for name, uses in zip(_class_names(list(groups.values()), taken), groups.values()):
        classes[name] = _grouped(name, uses)
    for name, body in bodies.items():
        layers = tuple(Layer(s.id, s.call, s.sources, s.inferred.shape, s.inferred.flops) for s in body.steps)
        classes[networks[name]] = _class(networks[name], _title(body, project.networks[name]), (), body, layers)
    return Plan(classes, networks)


def _title(body: _Body, graph: Graph) -> str:
    """One line on a network: what goes in, what comes out."""
    sizes = {n.id: getattr(n.block, "vocabulary", None) for n in graph.nodes if is_input(n)}
    below = {id: f" (tokens below {count})" if count else "" for id, count in sizes.items()}
    inputs = ", ".join(f"{i} {names.size(body.shapes[i])}{below[i]}" for i in body.inputs)
    ends = [n.id for n in graph.nodes if is_output(n)]
    told = [f"{id} " if ends != ["output"] else "" for id in ends]
    outputs = ", ".join(f"{id}{names.size(body.shapes[o])}" for id, o in zip(told, body.outputs, strict=True))
    total = sum(s.inferred.parameters for s in body.steps)
    return f"From {inputs} to {outputs}; {total:,} parameters."


def _class_names(groups: list[list[_Body]], taken: set[str]) -> list[str]:
    """A name for every group: the block's, and for a structure with more inside what it has besides.

    ResidualBlock, and ResidualBlockWithShortcut for the one that has shortcut_conv and shortcut_bn too.
    """
    plainest: dict[str, set[str]] = {}
    for uses in sorted(groups, key=lambda uses: len(uses[0].steps)):
        plainest.setdefault(_kind(uses), {s.id for s in uses[0].steps})
    found = []
    for uses in groups:
        block = _kind(uses)
        more = [s.id for s in uses[0].steps if s.id not in plainest[block]]
        words = {id.split("_")[0] for id in more}
        numbered = [id for id in more if id.rstrip("0123456789") == more[0].rstrip("0123456789")]
        extra = words.pop() if len(words) == 1 else "".join(numbered[-1:])  # of conv3 to conv8, conv8
        wanted = [f"{block}With{names.class_name(extra)}"] if more else [block]
        found.append(names.free(wanted, taken))
        taken.add(found[-1])
    return found


def _kind(uses: list[_Body]) -> str:
    """The name of the block of these uses."""
    block = uses[0].block
    assert block is not None
    return block.class_name()


# --- concrete bodies -----------------------------------------------------------------------------


@dataclass(eq=False)
class _Step:
    """A module inside a body: a leaf, or a composite with its own body."""

    id: str
    sources: tuple[str, ...]
    inferred: Inferred
    inner: _Body | None

    @property
    def call(self) -> Call:
        call = self.inferred.call if self.inner is None else self.inner.call
        assert call is not None, self.id
        return call


@dataclass(eq=False)
class _Body:
    """The inside of a network, or of one use of a composite; `call` is set once its class is known."""

    block: Block | None
    inputs: tuple[str, ...]
    steps: list[_Step]
    outputs: tuple[str, ...]
    shapes: dict[str, Shape]
    chain: bool = False
    _call: Call | None = None

    @property
    def uniform(self) -> bool:
        """Whether it is a row of equal modules, which receive equal shapes."""
        shapes = [step.inner.shapes for step in self.steps if step.inner is not None]
        return self.chain and len(shapes) == len(self.steps) and all(s == shapes[0] for s in shapes)

    @property
    def call(self) -> Call | None:
        """How it is made: of its class, or, where it is a row of others, a SEQUENTIAL of these."""
        if self.uniform:
            return Call(SEQUENTIAL, Copies(self.steps[0].call, len(self.steps)))
        return Call(SEQUENTIAL, *(step.call for step in self.steps)) if self.chain else self._call

    @call.setter
    def call(self, value: Call) -> None:
        self._call = value


def _network(graph: Graph) -> _Body:
    wires = wiring(graph.ids(), graph.edges)
    if wires.loops:
        raise ValueError(
            f"The blocks {', '.join(wires.loops[0])} form a loop, so there is no order in which to run them."
        )
    nodes = {node.id: node for node in graph.nodes}
    inner: list[Inner] = []
    shapes: dict[str, Shape] = {}
    for id in wires.order:
        block = nodes[id].block
        if isinstance(block, UnknownBlock):
            raise ValueError(f"{id} cannot be written as code: {block.reason}")
        ports = () if is_input(nodes[id]) else block.ports()
        for port in ports:
            if port.name not in wires.sources[id]:
                raise ValueError(f"{id}: its input {port.name} is not connected.")
        sources = tuple(wires.sources[id][port.name] for port in ports)
        inferred = infer(block, tuple(shapes[s] for s in sources))
        shapes[id] = inferred.shape
        inner.append(Inner(names.identifier(id), block, sources, inferred))
    inputs = tuple(n.id for n in graph.nodes if is_input(n))
    outputs = tuple(n.id for n in graph.nodes if is_output(n))
    if not inputs or not outputs:
        raise ValueError(f"The network has no {'output' if inputs else 'input'}; add one.")
    return _body(None, inputs, [i for i in inner if i.id not in inputs], outputs, {i: shapes[i] for i in inputs})


def _composite(block: Block, inferred: Inferred, shapes: tuple[Shape, ...]) -> _Body:
    template = block.template(*shapes)
    assert template is not None
    ports = tuple(port.name for port in block.ports())
    body = _body(block, ports, inferred.inner, (template.result,), dict(zip(ports, shapes)))
    body.chain = template.chain
    return body


def _body(
    block: Block | None,
    inputs: tuple[str, ...],
    inner: Iterable[Inner],
    outputs: tuple[str, ...],
    shapes: dict[str, Shape],
) -> _Body:
    """Steps with their own bodies; a block that is no module hands on its source."""
    shapes = dict(shapes)
    same: dict[str, str] = {}
    steps = []
    for item in inner:
        sources = tuple(same.get(s, s) for s in item.sources)
        shapes[item.id] = item.inferred.shape
        if item.inferred.inner:
            body = _composite(item.block, item.inferred, tuple(shapes[s] for s in sources))
            steps.append(_Step(item.id, sources, item.inferred, body))
        elif item.inferred.call is not None:
            steps.append(_Step(item.id, sources, item.inferred, None))
        else:
            same[item.id] = sources[0]
    return _Body(block, inputs, steps, tuple(same.get(o, o) for o in outputs), shapes)


# --- one class per kind of composite -------------------------------------------------------------


def _collect(body: _Body, groups: dict[Hashable, list[_Body]]) -> Hashable:
    """Put every composite inside into the group of its structure, inner ones first; gives the body's own."""
    parts = []
    for step in body.steps:
        if step.inner is None:
            shape: Hashable = _structure(step.call)
        else:
            shape = _collect(step.inner, groups)
            if not step.inner.chain:
                groups.setdefault(shape, []).append(step.inner)
        parts.append((step.id, step.sources, shape))
    if body.uniform:  # how many there are is a constant as others are
        return (type(body.block), body.inputs, parts[0])
    return (type(body.block), body.chain, body.inputs, tuple(parts), body.outputs)


def _structure(value: Any) -> Hashable:
    """What two calls must share to become one line: all but the constants."""
    if isinstance(value, Call):
        _, defaults = _parameters(value.target)
        named = tuple((k, _structure(v)) for k, v in value.kwargs.items() if k not in defaults or _nested(v))
        return (value.target, tuple(_structure(a) for a in value.args), named)
    return tuple(_structure(v) for v in value) if _nested(value) else None


def _nested(value: Any) -> bool:
    return isinstance(value, Call) or (isinstance(value, tuple) and any(_nested(v) for v in value))


def _grouped(name: str, uses: list[_Body]) -> Class:
    """The class of all these uses; sets each use's `call`."""
    lifted: dict[tuple[str, ...], Argument] = {}
    values: dict[str, list[Any]] = {}
    taken = {*RESERVED}
    block = uses[0].block
    assert block is not None
    settings = {s.name: tuple(repr(getattr(use.block, s.name)) for use in uses) for s in block.settings()}

    def lift(vector: list[Any], parameter: str, *, id: str) -> Any:
        """The argument for a position whose constants differ; equal vectors share one."""
        key = tuple(map(repr, vector))
        if key not in lifted:
            setting = [name for name, held in settings.items() if held == key]
            qualified = [f"{id}_{parameter.split('_')[-1]}", f"{id}_{parameter}"]
            free = names.free([*setting, parameter, *qualified], taken | (settings.keys() - setting))
            taken.add(free)
            lifted[key] = Argument(free, _annotation(vector))
            values[free] = vector
        return forward.Name(lifted[key].name)

    layers = []
    for steps in zip(*(use.steps for use in uses)):
        first = steps[0]
        call = _merge([s.call for s in steps], "", functools.partial(lift, id=first.id))
        layers.append(Layer(first.id, call, first.sources, first.inferred.shape, first.inferred.flops))
    arguments = tuple(sorted(lifted.values(), key=lambda a: not names.is_size(a.name)))
    for i, use in enumerate(uses):
        use.call = Call(name, **{a.name: values[a.name][i] for a in arguments})
    title = block.summary() or f"{block.label}."
    return _class(name, f"{title}\n\n{block.source}." if block.source else title, arguments, uses[0], tuple(layers))


def _merge(values: list[Any], parameter: str, lift: Callable[[list[Any], str], Any]) -> Any:
    """One expression that stands for the same position in every use."""
    first = values[0]
    if isinstance(first, Call):
        known, defaults = _parameters(first.target)
        args = [
            _merge([v.args[i] for v in values], known[i] if i < len(known) else f"argument{i + 1}", lift)
            for i in range(len(first.args))
        ]
        longest = sorted(values, key=lambda v: -len(v.kwargs))
        kwargs = {
            k: _merge([v.kwargs[k] if k in v.kwargs else defaults[k] for v in values], k, lift)
            for k in dict.fromkeys(k for v in longest for k in v.kwargs)
        }
        return Call(first.target, *args, **kwargs)
    if isinstance(first, Copies):
        count = _merge([v.count for v in values], REPEAT, lift)
        return Copies(_merge([v.call for v in values], parameter, lift), count)
    if _nested(first):
        return tuple(_merge(list(items), parameter, lift) for items in zip(*values))
    return first if len(set(map(repr, values))) == 1 else lift(values, parameter)


@functools.cache
def _parameters(target: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The names of a module's constructor arguments, and those with a default."""
    if not target.startswith("nn.") and not hasattr(modules, target):
        return (), {}  # a class of the plan, whose calls name every argument
    known = inspect.signature(module_class(target)).parameters.values()
    named = [p for p in known if p.kind is p.POSITIONAL_OR_KEYWORD]
    return tuple(p.name for p in named), {p.name: p.default for p in named if p.default is not p.empty}


def _annotation(values: Iterable[Any]) -> str:
    def one(value: Any) -> str:
        if isinstance(value, tuple):
            return f"tuple[{', '.join(map(one, value)) or '()'}]"
        return "None" if value is None else type(value).__name__

    return " | ".join(sorted({one(v) for v in values}, key=lambda name: (name == "None", name)))


def _class(name: str, title: str, arguments: tuple[Argument, ...], body: _Body, layers: tuple[Layer, ...]) -> Class:
    ids = {layer.id for layer in layers}
    layers = staged(layers, body.outputs, {*ids, *body.inputs, *(a.name for a in arguments), *RESERVED})
    ends = {layer.parts[-1].id: layer.id for layer in layers if layer.parts}
    steps = [forward.Step(s.id, s.sources, s.flops > 0) for s in layers]
    variables = forward.variables(body.inputs, steps)
    statements = forward.statements(variables, steps, tuple(ends.get(o, o) for o in body.outputs))
    return Class(name, title, arguments, tuple(variables.values()), layers, len(body.outputs), statements)
