"""Operators of ONNX that hold weights, as layers of PyTorch with the weights under torch's names.

Operators: https://onnx.ai/onnx/operators. A function here raises `UnlikeError` for what no module of torch does the
same way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from blocks.base import Call
from builder.reading.onnx_context import Context, Layer, UnlikeError, named, one, several, short, sides
from builder.reading.onnx_file import Array


def conv(context: Context) -> Layer:
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
        "kernel_size": one(tuple(map(int, weight.shape[2:]))),
        "stride": several(context, "strides", dims),
        "padding": sides(context, dims),
        "dilation": several(context, "dilations", dims),
        "groups": groups,
        "bias": bias is not None,
    }
    if transposed:
        if context.attribute("output_shape"):
            raise UnlikeError("it names the size that comes out")
        options["output_padding"] = several(context, "output_padding", dims, 0)
    name = f"nn.Conv{'Transpose' if transposed else ''}{dims}d"
    return Layer(Call(name, int(received), int(given), **options), (context.input(0),), named(weight=weight, bias=bias))


def _bias(context: Context, index: int) -> Array | None:
    """The bias; one of zeros that no module named is what an exporter put where there was none."""
    bias = context.constant(index)
    named = context.input(index).endswith(("bias", "beta", ".b"))
    return None if bias is not None and not named and not bias.any() else bias


def gemm(context: Context) -> Layer:
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
    return Layer(call, (data,), named(weight=weight, bias=bias))


def matmul(context: Context) -> Layer:
    weight = context.weight(1)
    if weight.ndim != 2:
        raise UnlikeError("its weights are no matrix")
    return _linear(np.ascontiguousarray(weight.T), None, context.input(0))


def batch_norm(context: Context) -> Layer:
    if context.attribute("training_mode", 0):
        raise UnlikeError("it normalizes with the batch's own statistics")
    weight, bias, mean, variance = (context.weight(i) for i in range(1, 5))
    name = "nn.BatchNorm2d" if len(context.shape()) == 3 else "nn.BatchNorm1d"
    eps, momentum = short(context.attribute("epsilon", 1e-5)), short(1 - context.attribute("momentum", 0.9))
    weights = named(weight=weight, bias=bias, running_mean=mean, running_var=variance)
    weights["num_batches_tracked"] = np.array(0)
    return Layer(Call(name, int(weight.shape[0]), eps=eps, momentum=momentum), (context.input(0),), weights)


def layer_norm(context: Context) -> Layer:
    weight, bias = context.weight(1), context.constant(2)
    if context.attribute("axis", -1) not in (-1, len(context.shape())) or weight.ndim != 1 or bias is None:
        raise UnlikeError("it normalizes several dimensions at once, or has no shift")
    eps = short(context.attribute("epsilon", 1e-5))
    return Layer(
        Call("nn.LayerNorm", int(weight.shape[0]), eps=eps), (context.input(0),), named(weight=weight, bias=bias)
    )


def instance_norm(context: Context) -> Layer:
    weight, bias = context.weight(1), context.weight(2)
    call = Call("nn.InstanceNorm2d", int(weight.shape[0]), eps=short(context.attribute("epsilon", 1e-5)), affine=True)
    return Layer(call, (context.input(0),), named(weight=weight, bias=bias))


def slope(context: Context) -> Layer:
    weight = context.weight(1)
    call = Call("nn.PReLU", int(weight.size))
    return Layer(call, (context.input(0),), {"weight": weight.reshape(-1)})


def embedding(context: Context) -> Layer:
    weight = context.weight(0)
    if weight.ndim != 2 or context.attribute("axis", 0) != 0 or context.input(1) not in context.shapes:
        raise UnlikeError("it picks from something else than a table")
    return Layer(Call("nn.Embedding", *map(int, weight.shape)), (context.input(1),), {"weight": weight})
