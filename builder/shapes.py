"""What comes out of a block, by running it: its shape, its parameters, its work.

A leaf's module is built and called on torch's ``meta`` device, where no number is computed and no memory
taken, so that a shape is never written twice. A composite is the sum of its inside. Results are cached
on (block, input shapes); blocks are frozen and hashable for that.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from blocks import modules
from blocks.base import Block, BlockError, Call, Port, Shape

PROBE_BATCH = 83
"""An odd batch size: a block that swallows or mixes the batch shows it."""

REAL_BATCH = 2
MAX_REAL_INPUT = 2_000_000
MAX_REAL_PARAMETERS = 2**26
MAX_REAL_WORK = 2**32
"""A block that asks for a real run gets one up to this many multiply-adds; above it runs on the meta device."""

MAX_ELEMENTS = 2**40
"""Outputs larger than this are refused before torch's own arithmetic can overflow."""


@dataclass(frozen=True)
class Inferred:
    """What is known of a block for given input shapes.

    `elements` counts the output values of one sample, those of everything inside included. `call`
    is a leaf's constructor; `inner` what a composite is made of, and `result` the one whose output is its own.
    """

    shape: Shape
    parameters: int
    flops: int
    elements: int
    call: Call | None = None
    inner: tuple[Inner, ...] = ()
    result: str = ""


@dataclass(frozen=True)
class Inner:
    """One block inside a composite; `sources` are the composite's port names or ids of earlier ones.

    `rate` is the factor of the composite's learning rate with which it learns.
    """

    id: str
    block: Block
    sources: tuple[str, ...]
    inferred: Inferred
    rate: float = 1.0


@functools.lru_cache(maxsize=50_000)
def infer(block: Block, shapes: tuple[Shape, ...]) -> Inferred:
    """What `block` does with inputs of these shapes (without the batch).

    Raises BlockError with a sentence when it cannot take them.
    """
    entering = block.source_shape()
    if entering is not None:
        return Inferred(_bounded(entering), 0, 0, _count(entering))
    block.check(*shapes)
    template = block.template(*shapes)
    if template is not None:
        return _composite(block, shapes)
    call = block.layer(*shapes)
    if call is None:
        return Inferred(shapes[0], 0, 0, 0)
    shape, parameters = _run(call, shapes, block)
    return Inferred(_bounded(shape), parameters, block.flops(shapes, shape), _count(shape), call)


def _composite(block: Block, shapes: tuple[Shape, ...]) -> Inferred:
    template = block.template(*shapes)
    assert template is not None
    known = {port.name: shape for port, shape in zip(block.ports(), shapes, strict=True)}
    inner = []
    for step in template.steps:
        received = tuple(known[source] for source in step.sources)
        for port, shape in zip(step.block.ports(), received, strict=True):
            if not port.accepts(shape):
                raise BlockError(f"Inside it, {step.id} receives {size(shape)}, which does not fit it.", "inside")
        try:
            inferred = infer(step.block, received)
        except BlockError as error:
            raise BlockError(f"Inside it, {step.id}: {error}", error.code) from error
        known[step.id] = inferred.shape
        inner.append(Inner(step.id, step.block, step.sources, inferred, step.rate))
    return Inferred(
        known[template.result],
        sum(i.inferred.parameters for i in inner),
        sum(i.inferred.flops for i in inner),
        sum(i.inferred.elements for i in inner),
        None,
        tuple(inner),
        template.result,
    )


def leaves(inner: tuple[Inner, ...]) -> tuple[Inner, ...]:
    """A composite's inside down to single layers; those of an inner composite are called `<inner>.<id>`.

    Their rates are factors of the outermost composite's.
    """
    return _leaves(inner, {}, "", 1.0)[0]


def _leaves(
    inner: tuple[Inner, ...], ports: dict[str, str], prefix: str, rate: float
) -> tuple[tuple[Inner, ...], dict[str, str]]:
    """The leaves, and the name outside of every value inside: of `ports`, and of the blocks in `inner`."""
    found: list[Inner] = []
    held = dict(ports)
    for part in inner:
        sources = tuple(held.get(s, s) for s in part.sources)
        held[part.id] = prefix + part.id
        if part.inferred.inner:
            entering = dict(zip((port.name for port in part.block.ports()), sources, strict=True))
            within, values = _leaves(part.inferred.inner, entering, f"{prefix}{part.id}.", rate * part.rate)
            held[part.id] = values[part.inferred.result]
            found.extend(within)
        else:
            found.append(Inner(held[part.id], part.block, sources, part.inferred, rate * part.rate))
    return tuple(found), held


def module_class(target: str) -> type[nn.Module]:
    """The class a Call names: one of torch.nn or of blocks.modules. Raises ValueError for anything else."""
    found: Any = None
    if target.startswith("nn.") and target.count(".") == 1:
        found = getattr(nn, target[3:], None)
    elif target.isidentifier():
        found = getattr(modules, target, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ValueError(f"{target!r} names no module of torch.nn or blocks.modules")
    return found


def build(call: Call) -> nn.Module:
    """The module a Call stands for, on torch's current default device."""

    def value(item: Any) -> Any:
        if isinstance(item, Call):
            return build(item)
        return tuple(map(value, item)) if isinstance(item, tuple) else item

    return module_class(call.target)(*map(value, call.args), **{k: value(v) for k, v in call.kwargs.items()})


def _run(call: Call, shapes: tuple[Shape, ...], block: Block) -> tuple[Shape, int]:
    ports = block.ports()
    try:
        module = _undrawn(call, "meta").eval()
        parameters = sum(p.numel() for p in module.parameters())
        device, batch = "meta", PROBE_BATCH
        if block.probe_real:
            received = sum(map(_count, shapes))
            if received > MAX_REAL_INPUT:
                raise BlockError(
                    f"It receives {' and '.join(map(size, shapes))}, which is {received:,} values a sample; "
                    f"at most {MAX_REAL_INPUT:,} can be run step by step. Make the sequence shorter.",
                    "too-large",
                )
            steps = max(shape[0] for shape in shapes)
            if parameters <= MAX_REAL_PARAMETERS and parameters * steps <= MAX_REAL_WORK:
                device, batch = "cpu", REAL_BATCH
                module = _undrawn(call, "cpu").eval()
        inputs = [_sample(port, shape, batch, device) for port, shape in zip(ports, shapes, strict=True)]
        with torch.no_grad():
            output = module(*inputs)
    except BlockError:
        raise
    except (RuntimeError, ValueError, TypeError, AssertionError, IndexError, OverflowError) as error:
        raise BlockError(f"PyTorch refuses {' and '.join(map(size, shapes))}: {_first_line(error)}", "torch") from error
    if not isinstance(output, Tensor) or output.dim() == 0 or output.shape[0] != batch:
        raise BlockError(
            f"It mixes the samples of a batch when it receives {' and '.join(map(size, shapes))}.", "batch"
        )
    return tuple(output.shape[1:]), parameters


def _sample(port: Port, shape: Shape, batch: int, device: str) -> Tensor:
    if port.holds == "tokens":
        return torch.zeros(batch, *shape, dtype=torch.int64, device=device)
    make = torch.empty if device == "meta" else torch.zeros
    return make(batch, *shape, device=device)


def _undrawn(call: Call, device: str) -> nn.Module:
    """The module a Call stands for, without the drawing of initial weights: they have no effect and take time."""

    def value(item: Any) -> Any:
        if isinstance(item, Call):
            return _undrawn(item, device)
        return tuple(map(value, item)) if isinstance(item, tuple) else item

    args, kwargs = [value(item) for item in call.args], {k: value(v) for k, v in call.kwargs.items()}
    quick = _without_reset(call.target) if device == "meta" else None
    if quick is not None:
        return quick(*args, **kwargs, device=device)
    with torch.device(device), _NoDrawing():
        return module_class(call.target)(*args, **kwargs)


@functools.cache
def _without_reset(target: str) -> type[nn.Module] | None:
    """A subclass that leaves its parameters as they are; several times faster to make than with a mode.

    None for a class that cannot be told its device.
    """
    cls = module_class(target)
    if "device" not in inspect.signature(cls).parameters:
        return None
    changes: dict[str, Any] = {name: lambda self: None for name in ("reset_parameters", "_reset_parameters")}
    if cls.__setattr__ is nn.Module.__setattr__:
        changes["__setattr__"] = _set
    return type(cls.__name__, (cls,), changes)


def _set(module: nn.Module, name: str, value: Any) -> None:
    """Set an attribute; a plain value is spared torch's search for parameters, which takes most of the time."""
    if type(value) in _PLAIN:
        object.__setattr__(module, name, value)
    else:
        nn.Module.__setattr__(module, name, value)


_PLAIN = frozenset({int, float, bool, str, tuple})


class _NoDrawing(TorchFunctionMode):
    """Leaves out the drawing of initial weights.

    A mode holds for its own thread only: others may build networks meanwhile.
    """

    _draws = frozenset(
        {
            *(nn.init.kaiming_uniform_, nn.init.kaiming_normal_, nn.init.xavier_uniform_, nn.init.xavier_normal_),
            *(nn.init.uniform_, nn.init.normal_, nn.init.constant_, nn.init.ones_, nn.init.zeros_),
            *(Tensor.uniform_, Tensor.normal_, Tensor.fill_, Tensor.zero_),
        }
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self._draws:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def size(shape: Shape) -> str:
    """A shape as people write it: 6×28×28."""
    return "×".join(map(str, shape)) or "one number"


def _count(shape: Shape) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _bounded(shape: Shape) -> Shape:
    if _count(shape) > MAX_ELEMENTS:
        raise BlockError(
            f"Its output {size(shape)} has {_count(shape):,} values a sample; no machine holds that.", "too-large"
        )
    return shape


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
