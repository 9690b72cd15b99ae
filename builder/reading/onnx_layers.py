"""What an ONNX operator is in PyTorch: the constructor call of a module, and its weights under torch's names.

Operators: https://onnx.ai/onnx/operators. A function here raises `UnlikeError` for what no module of torch does the
same way; such an operator stays visible as an opaque block.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from blocks.base import Call, Shape
from builder.reading import matching
from builder.reading.onnx_file import Array, Operator


class UnlikeError(ValueError):
    """No layer of PyTorch does exactly this; the message says what is unlike."""


@dataclass(frozen=True)
class Layer:
    """A module in place of an operator; `data` are the values that flow into it."""

    call: Call
    data: tuple[str, ...]
    weights: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """One operator with the shapes of what flows into it (without the batch), and its constants by name."""

    operator: Operator
    shapes: dict[str, Shape]
    constants: dict[str, Array]

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.operator.attributes.get(name, default)

    def input(self, index: int) -> str:
        return self.operator.inputs[index] if index < len(self.operator.inputs) else ""

    def constant(self, index: int) -> Array | None:
        """The constant at this input; None where nothing is given. Raises UnlikeError for what flows there."""
        name = self.input(index)
        if not name:
            return None
        if name not in self.constants:
            raise UnlikeError("its weights are worked out, not given")
        return self.constants[name]

    def weight(self, index: int) -> Array:
        found = self.constant(index)
        if found is None:
            raise UnlikeError("it has no weights")
        return found

    def shape(self, index: int = 0) -> Shape:
        if self.input(index) not in self.shapes:
            raise UnlikeError("what it reads is no data")
        return self.shapes[self.input(index)]

    def flowing(self) -> tuple[str, ...]:
        """All inputs, when data flows at every one. Raises UnlikeError otherwise."""
        if any(name not in self.shapes for name in self.operator.inputs):
            raise UnlikeError("a constant is joined with data")
        return self.operator.inputs


def layer(context: Context) -> Layer:
    """The module that does what the operator does. Raises UnlikeError."""
    known = _KNOWN.get(context.operator.kind.lower())
    try:
        if known is not None:
            return known(context)
        name = _modules().get(context.operator.kind.lower())
        if name is None or len(context.operator.inputs) != 1:
            raise UnlikeError(f"there is no block for the operator {context.operator.kind[:60]}")
        context.shape()
        if context.operator.attributes:
            raise UnlikeError(f"it has the attributes {', '.join(list(context.operator.attributes)[:5])}")
        return Layer(Call(f"nn.{name}"), (context.input(0),))
    except (TypeError, IndexError, AttributeError, OverflowError) as error:
        raise UnlikeError(f"its attributes are damaged ({error})") from None


@functools.cache
def _modules() -> dict[str, str]:
    """Functions of one input, by ONNX's name in lower case."""
    same = ("relu", "sigmoid", "tanh", "softplus", "softsign", "hardswish", "mish", "selu")
    return {name.lower(): name for name in vars(nn) if name.lower() in same}


def _short(value: Any) -> Any:
    """A float32 of the file as people wrote it: 0.1, not 0.10000000149."""
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _sides(context: Context, dims: int) -> int | tuple[int, ...]:
    """Padding that is equal at both ends. Raises UnlikeError."""
    auto = context.attribute("auto_pad", "NOTSET")
    if auto == "VALID":
        return 0
    if auto != "NOTSET":
        raise UnlikeError(f"it pads by {auto}")
    pads = tuple(context.attribute("pads", (0,) * 2 * dims))
    if len(pads) != 2 * dims or pads[:dims] != pads[dims:] or min(pads) < 0:
        raise UnlikeError(f"it pads unevenly by {', '.join(map(str, pads[:8]))}")
    return _one(pads[:dims])


def _one(values: tuple[int, ...]) -> int | tuple[int, ...]:
    return values[0] if len(set(values)) == 1 else tuple(values)


def _several(context: Context, name: str, dims: int, default: int = 1) -> int | tuple[int, ...]:
    values = tuple(context.attribute(name, (default,) * dims))
    if len(values) != dims or any(v < 0 for v in values):
        raise UnlikeError(f"its {name} is {values[:8]}")
    return _one(values)


def _conv(context: Context) -> Layer:
    weight, bias = context.weight(1), _bias(context, 2)
    dims = weight.ndim - 2
    if dims not in (1, 2):
        raise UnlikeError(f"it convolves over {dims} dimensions")
    transposed = context.operator.kind == "ConvTranspose"
    groups = int(context.attribute("group", 1))
    received, given = (weight.shape[0], weight.shape[1] * groups) if transposed else (
        weight.shape[1] * groups, weight.shape[0],
    )  # fmt: skip
    options: dict[str, Any] = {
        "kernel_size": _one(tuple(map(int, weight.shape[2:]))),
        "stride": _several(context, "strides", dims),
        "padding": _sides(context, dims),
        "dilation": _several(context, "dilations", dims),
        "groups": groups,
        "bias": bias is not None,
    }
    if transposed:
        if context.attribute("output_shape"):
            raise UnlikeError("it names the size that comes out")
        options["output_padding"] = _several(context, "output_padding", dims, 0)
    name = f"nn.Conv{'Transpose' if transposed else ''}{dims}d"
    return Layer(
        Call(name, int(received), int(given), **options), (context.input(0),), _named(weight=weight, bias=bias)
    )


def _named(**arrays: Array | None) -> dict[str, Array]:
    return {name: array for name, array in arrays.items() if array is not None}


def _bias(context: Context, index: int) -> Array | None:
    """The bias; one of zeros that no module named is what an exporter put where there was none."""
    bias = context.constant(index)
    named = context.input(index).endswith(("bias", "beta", ".b"))
    return None if bias is not None and not named and not bias.any() else bias


def _gemm(context: Context) -> Layer:
    attribute = context.attribute
    if attribute("alpha", 1.0) != 1.0 or attribute("beta", 1.0) != 1.0 or attribute("transA", 0):
        raise UnlikeError("it scales or transposes its input")
    weight, bias = context.weight(1), _bias(context, 2)
    if weight.ndim != 2:
        raise UnlikeError("its weights are no matrix")
    weight = weight if attribute("transB", 0) else np.ascontiguousarray(weight.T)
    if bias is not None and bias.shape != weight.shape[:1]:
        raise UnlikeError("its bias is no vector")
    return _linear(weight, bias, context.input(0))


def _linear(weight: Array, bias: Array | None, data: str) -> Layer:
    call = Call("nn.Linear", int(weight.shape[1]), int(weight.shape[0]), bias=bias is not None)
    return Layer(call, (data,), _named(weight=weight, bias=bias))


def _matmul(context: Context) -> Layer:
    weight = context.weight(1)
    if weight.ndim != 2:
        raise UnlikeError("its weights are no matrix")
    return _linear(np.ascontiguousarray(weight.T), None, context.input(0))


def _batch_norm(context: Context) -> Layer:
    if context.attribute("training_mode", 0):
        raise UnlikeError("it normalizes with the batch's own statistics")
    weight, bias, mean, variance = (context.weight(i) for i in range(1, 5))
    name = "nn.BatchNorm2d" if len(context.shape()) == 3 else "nn.BatchNorm1d"
    eps, momentum = _short(context.attribute("epsilon", 1e-5)), _short(1 - context.attribute("momentum", 0.9))
    weights = _named(weight=weight, bias=bias, running_mean=mean, running_var=variance)
    weights["num_batches_tracked"] = np.array(0)
    return Layer(Call(name, int(weight.shape[0]), eps=eps, momentum=momentum), (context.input(0),), weights)


def _layer_norm(context: Context) -> Layer:
    weight, bias = context.weight(1), context.constant(2)
    if context.attribute("axis", -1) not in (-1, len(context.shape())) or weight.ndim != 1 or bias is None:
        raise UnlikeError("it normalizes several dimensions at once, or has no shift")
    eps = _short(context.attribute("epsilon", 1e-5))
    return Layer(
        Call("nn.LayerNorm", int(weight.shape[0]), eps=eps), (context.input(0),), _named(weight=weight, bias=bias)
    )


def _instance_norm(context: Context) -> Layer:
    weight, bias = context.weight(1), context.weight(2)
    call = Call("nn.InstanceNorm2d", int(weight.shape[0]), eps=_short(context.attribute("epsilon", 1e-5)), affine=True)
    return Layer(call, (context.input(0),), _named(weight=weight, bias=bias))


def _pool(context: Context) -> Layer:
    kernel = tuple(context.attribute("kernel_shape", ()))
    dims = len(kernel)
    if dims not in (1, 2) or len(context.operator.outputs) > 1 or context.attribute("storage_order", 0):
        raise UnlikeError(f"it pools over {dims} dimensions, or tells where the largest was")
    options: dict[str, Any] = {"stride": _several(context, "strides", dims), "padding": _sides(context, dims)}
    dilation = _several(context, "dilations", dims)
    kind = "Max" if context.operator.kind == "MaxPool" else "Avg"
    if kind == "Max":
        options["dilation"] = dilation
    elif dilation != 1:
        raise UnlikeError("it takes means over spread points")
    else:
        padded = options["padding"] != 0
        options["count_include_pad"] = bool(context.attribute("count_include_pad", 0)) or not padded
    options["ceil_mode"] = bool(context.attribute("ceil_mode", 0))
    if kind == "Max" and options["stride"] == _one(kernel):
        options["stride"] = None
    return Layer(Call(f"nn.{kind}Pool{dims}d", _one(kernel), **options), (context.input(0),))


def _global_pool(context: Context) -> Layer:
    if len(context.shape()) != 3:
        raise UnlikeError("it pools something else than a picture")
    kind = "Avg" if context.operator.kind == "GlobalAveragePool" else "Max"
    return Layer(Call(f"nn.Adaptive{kind}Pool2d", 1), (context.input(0),))


def _reduce_mean(context: Context) -> Layer:
    rank = len(context.shape()) + 1
    given = context.constant(1) if len(context.operator.inputs) > 1 else None
    axes = context.attribute("axes") if given is None else given.ravel()[:MAX_AXES].tolist()
    over = sorted(int(a) % rank for a in axes or ())
    if rank != 4 or over != [2, 3]:
        raise UnlikeError("it takes means over other dimensions than height and width")
    if context.attribute("keepdims", 1):
        return Layer(Call("nn.AdaptiveAvgPool2d", 1), (context.input(0),))
    return Layer(Call(matching.spoken()["mean"]), (context.input(0),))


MAX_AXES = 8


def _softmax(context: Context) -> Layer:
    rank = len(context.shape()) + 1
    dim = int(context.attribute("axis", -1)) % rank
    return Layer(Call(f"nn.{context.operator.kind}", dim=dim), (context.input(0),))


def _slope(context: Context) -> Layer:
    weight = context.weight(1)
    call = Call("nn.PReLU", int(weight.size))
    return Layer(call, (context.input(0),), {"weight": weight.reshape(-1)})


def _leaky(context: Context) -> Layer:
    return Layer(Call("nn.LeakyReLU", _short(context.attribute("alpha", 0.01))), (context.input(0),))


def _elu(context: Context) -> Layer:
    return Layer(Call("nn.ELU", _short(context.attribute("alpha", 1.0))), (context.input(0),))


def _gelu(context: Context) -> Layer:
    return Layer(Call("nn.GELU", approximate=context.attribute("approximate", "none")), (context.input(0),))


def _clip(context: Context) -> Layer:
    low, high = context.attribute("min"), context.attribute("max")
    if len(context.operator.inputs) > 1:
        low, high = (None if v is None else float(v.reshape(-1)[0]) for v in (context.constant(1), context.constant(2)))
    if (low, high) == (0.0, 6.0):
        return Layer(Call("nn.ReLU6"), (context.input(0),))
    raise UnlikeError(f"it cuts numbers off at {low} and {high}")


def _flatten(context: Context) -> Layer:
    if context.attribute("axis", 1) != 1:
        raise UnlikeError("it flattens the batch too")
    context.shape()
    return Layer(Call(matching.spoken()["flatten"]), (context.input(0),))


def _reshape(context: Context) -> Layer:
    """The batch stays first (0, −1 or worked out from the batch, which here is −1)."""
    shape, lengths = context.shape(), [int(n) for n in context.weight(1).ravel()[: MAX_AXES + 1]]
    if not lengths or lengths[0] not in (0, -1) or len(lengths) > MAX_AXES:
        raise UnlikeError(f"it reshapes the batch too, to {lengths}")
    rest, total = lengths[1:], math.prod(shape)
    if not context.attribute("allowzero", 0):
        rest = [shape[i] if n == 0 and i < len(shape) else n for i, n in enumerate(rest)]
    if rest.count(-1) == 1:
        known = math.prod(n for n in rest if n != -1)
        rest = [total // known if n == -1 and known > 0 else n for n in rest]
    if any(n < 1 for n in rest) or math.prod(rest) != total:
        raise UnlikeError(f"it mixes the samples of a batch: {list(shape)} becomes {rest}")
    if len(rest) == 1:
        return Layer(Call(matching.spoken()["flatten"]), (context.input(0),))
    return Layer(Call(matching.spoken()["reshape"], *rest), (context.input(0),))


def _transpose(context: Context) -> Layer:
    rank = len(context.shape()) + 1
    order = tuple(context.attribute("perm", tuple(reversed(range(rank)))))
    if len(order) != rank or order[0] != 0:
        raise UnlikeError("it moves the batch to another place")
    return Layer(Call(matching.spoken()["permute"], *(int(o) - 1 for o in order[1:])), (context.input(0),))


def _concat(context: Context) -> Layer:
    rank = len(context.shape()) + 1
    dim = int(context.attribute("axis", 0)) % rank - 1
    if dim < 0:
        raise UnlikeError("it joins batches")
    return Layer(Call(matching.spoken()["cat"], **({"dim": dim} if dim else {})), context.flowing())


def _merge(context: Context) -> Layer:
    return Layer(Call(matching.spoken()[_OPERATORS[context.operator.kind.lower()]]), context.flowing())


_OPERATORS = {"add": "+", "sum": "+", "sub": "-", "mul": "*"}


def _embedding(context: Context) -> Layer:
    weight = context.weight(0)
    if weight.ndim != 2 or context.attribute("axis", 0) != 0 or context.input(1) not in context.shapes:
        raise UnlikeError("it picks from something else than a table")
    return Layer(Call("nn.Embedding", *map(int, weight.shape)), (context.input(1),), {"weight": weight})


def _dropout(context: Context) -> Layer:
    ratio = context.constant(1)
    p = context.attribute("ratio", 0.5) if ratio is None else float(ratio.reshape(-1)[0])
    return Layer(Call("nn.Dropout", _short(p)), (context.input(0),))


def _lrn(context: Context) -> Layer:
    options = {
        "alpha": _short(context.attribute("alpha", 1e-4)),
        "beta": _short(context.attribute("beta", 0.75)),
        "k": _short(context.attribute("bias", 1.0)),
    }
    return Layer(Call("nn.LocalResponseNorm", int(context.attribute("size", 5)), **options), (context.input(0),))


def _depth_to_space(context: Context) -> Layer:
    if context.attribute("mode", "DCR") != "CRD":
        raise UnlikeError("it lays channels out in another order")
    return Layer(Call("nn.PixelShuffle", int(context.attribute("blocksize", 1))), (context.input(0),))


def _resize(context: Context) -> Layer:
    if len(context.operator.inputs) not in (2, 3):
        raise UnlikeError("it names the size that comes out")
    scales = context.constant(len(context.operator.inputs) - 1)  # the older operator has no region before them
    if scales is None or scales.size != 4:
        raise UnlikeError("it names the size that comes out")
    factors = [float(f) for f in scales.ravel()]
    if factors[:2] != [1.0, 1.0] or factors[2] != factors[3] or factors[2] != int(factors[2]):
        raise UnlikeError(f"it enlarges by {factors}")
    mode, where = (
        context.attribute("mode", "nearest"),
        context.attribute("coordinate_transformation_mode", "half_pixel"),
    )
    if mode == "nearest" and where == "asymmetric" and context.attribute("nearest_mode", "") == "floor":
        return Layer(Call("nn.Upsample", scale_factor=int(factors[2])), (context.input(0),))
    if mode == "linear" and where in ("half_pixel", "pytorch_half_pixel"):
        return Layer(Call("nn.Upsample", scale_factor=int(factors[2]), mode="bilinear"), (context.input(0),))
    raise UnlikeError(f"it interpolates by {mode}, {where}")


def _pad(context: Context) -> Layer:
    given = context.constant(1) if len(context.operator.inputs) > 1 else None
    pads = [int(p) for p in (context.attribute("pads", ()) if given is None else given.ravel()[: 2 * MAX_AXES])]
    modes = {"constant": "nn.ZeroPad2d", "reflect": "nn.ReflectionPad2d", "edge": "nn.ReplicationPad2d"}
    mode = context.attribute("mode", "constant")
    filled = context.constant(2) if len(context.operator.inputs) > 2 else None
    if len(pads) != 8 or mode not in modes or any(pads[i] for i in (0, 1, 4, 5)) or min(pads) < 0:
        raise UnlikeError("it pads other dimensions than height and width")
    if filled is not None and filled.any():
        raise UnlikeError("it pads with other numbers than zeros")
    return Layer(Call(modes[mode], (pads[3], pads[7], pads[2], pads[6])), (context.input(0),))


_KNOWN: dict[str, Callable[[Context], Layer]] = {
    **dict.fromkeys(("conv", "convtranspose"), _conv),
    "gemm": _gemm,
    "matmul": _matmul,
    "batchnormalization": _batch_norm,
    "layernormalization": _layer_norm,
    "instancenormalization": _instance_norm,
    **dict.fromkeys(("maxpool", "averagepool"), _pool),
    **dict.fromkeys(("globalaveragepool", "globalmaxpool"), _global_pool),
    "reducemean": _reduce_mean,
    **dict.fromkeys(("softmax", "logsoftmax"), _softmax),
    "prelu": _slope,
    "leakyrelu": _leaky,
    "elu": _elu,
    "gelu": _gelu,
    "clip": _clip,
    "flatten": _flatten,
    "reshape": _reshape,
    "transpose": _transpose,
    "concat": _concat,
    **dict.fromkeys(_OPERATORS, _merge),
    "gather": _embedding,
    "dropout": _dropout,
    "lrn": _lrn,
    "depthtospace": _depth_to_space,
    **dict.fromkeys(("resize", "upsample"), _resize),
    "pad": _pad,
}
