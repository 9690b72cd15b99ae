"""Operators of ONNX without weights, as layers of PyTorch or as the blocks' own modules.

A function here raises `UnlikeError` for what no module of torch does the same way.
"""

from __future__ import annotations

import math
from typing import Any

from blocks.base import Call
from builder.reading import matching
from builder.reading.onnx_context import MAX_AXES, Context, Layer, UnlikeError, one, several, short, sides


def pool(context: Context) -> Layer:
    kernel = tuple(context.attribute("kernel_shape", ()))
    dims = len(kernel)
    if dims not in (1, 2) or len(context.operator.outputs) > 1 or context.attribute("storage_order", 0):
        raise UnlikeError(f"it pools over {dims} dimensions, or tells where the largest was")
    options: dict[str, Any] = {"stride": several(context, "strides", dims), "padding": sides(context, dims)}
    dilation = several(context, "dilations", dims)
    kind = "Max" if context.operator.kind == "MaxPool" else "Avg"
    if kind == "Max":
        options["dilation"] = dilation
    elif dilation != 1:
        raise UnlikeError("it takes means over spread points")
    else:
        padded = options["padding"] != 0
        options["count_include_pad"] = bool(context.attribute("count_include_pad", 0)) or not padded
    options["ceil_mode"] = bool(context.attribute("ceil_mode", 0))
    if kind == "Max" and options["stride"] == one(kernel):
        options["stride"] = None
    return Layer(Call(f"nn.{kind}Pool{dims}d", one(kernel), **options), (context.input(0),))


def global_pool(context: Context) -> Layer:
    if len(context.shape()) != 3:
        raise UnlikeError("it pools something else than a picture")
    kind = "Avg" if context.operator.kind == "GlobalAveragePool" else "Max"
    return Layer(Call(f"nn.Adaptive{kind}Pool2d", 1), (context.input(0),))


def adaptive_mean(context: Context) -> Layer:
    return Layer(Call("nn.AdaptiveAvgPool2d", one(tuple(context.attribute("output_size")))), (context.input(0),))


def centre_crop(context: Context) -> Layer:
    return Layer(Call(matching.fulfilling("crop"), *context.attribute("output_size")), (context.input(0),))


def reduce(context: Context) -> Layer:
    """The mean or the largest of every channel."""
    rank = len(context.shape()) + 1
    given = context.constant(1) if len(context.operator.inputs) > 1 else None
    axes = context.attribute("axes") if given is None else given.ravel()[:MAX_AXES].tolist()
    over = sorted(int(a) % rank for a in axes or ())
    kept, mean = context.attribute("keepdims", 1), context.operator.kind == "ReduceMean"
    if rank == 4 and over == [2, 3] and kept:
        return Layer(Call(f"nn.Adaptive{'Avg' if mean else 'Max'}Pool2d", 1), (context.input(0),))
    if rank == 4 and over == [2, 3] and mean:
        return Layer(Call(matching.spoken()["mean"]), (context.input(0),))
    raise UnlikeError(f"it takes {'means' if mean else 'the largest'} over other dimensions than height and width")


def softmax(context: Context) -> Layer:
    rank = len(context.shape()) + 1
    dim = int(context.attribute("axis", -1)) % rank
    return Layer(Call(f"nn.{context.operator.kind}", dim=dim), (context.input(0),))


def leaky(context: Context) -> Layer:
    return Layer(Call("nn.LeakyReLU", short(context.attribute("alpha", 0.01))), (context.input(0),))


def elu(context: Context) -> Layer:
    return Layer(Call("nn.ELU", short(context.attribute("alpha", 1.0))), (context.input(0),))


def gelu(context: Context) -> Layer:
    return Layer(Call("nn.GELU", approximate=context.attribute("approximate", "none")), (context.input(0),))


def clip(context: Context) -> Layer:
    low, high = context.attribute("min"), context.attribute("max")
    if len(context.operator.inputs) > 1:
        low, high = (None if v is None else float(v.reshape(-1)[0]) for v in (context.constant(1), context.constant(2)))
    if (low, high) == (0.0, 6.0):
        return Layer(Call("nn.ReLU6"), (context.input(0),))
    raise UnlikeError(f"it cuts numbers off at {low} and {high}")


def flatten(context: Context) -> Layer:
    if context.attribute("axis", 1) != 1:
        raise UnlikeError("it flattens the batch too")
    context.shape()
    return Layer(Call(matching.spoken()["flatten"]), (context.input(0),))


def reshape(context: Context) -> Layer:
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


def transpose(context: Context) -> Layer:
    rank = len(context.shape()) + 1
    order = tuple(context.attribute("perm", tuple(reversed(range(rank)))))
    if len(order) != rank or order[0] != 0:
        raise UnlikeError("it moves the batch to another place")
    return Layer(Call(matching.spoken()["permute"], *(int(o) - 1 for o in order[1:])), (context.input(0),))


def concat(context: Context) -> Layer:
    rank = len(context.shape()) + 1
    dim = int(context.attribute("axis", 0)) % rank - 1
    if dim < 0:
        raise UnlikeError("it joins batches")
    return Layer(Call(matching.spoken()["cat"], **({"dim": dim} if dim else {})), context.flowing())


def merge(context: Context) -> Layer:
    return Layer(Call(matching.spoken()[OPERATORS[context.operator.kind.lower()]]), context.flowing())


OPERATORS = {"add": "+", "sum": "+", "sub": "-", "mul": "*"}


def dropout(context: Context) -> Layer:
    ratio = context.constant(1)
    p = context.attribute("ratio", 0.5) if ratio is None else float(ratio.reshape(-1)[0])
    return Layer(Call("nn.Dropout", short(p)), (context.input(0),))


def lrn(context: Context) -> Layer:
    options = {
        "alpha": short(context.attribute("alpha", 1e-4)),
        "beta": short(context.attribute("beta", 0.75)),
        "k": short(context.attribute("bias", 1.0)),
    }
    return Layer(Call("nn.LocalResponseNorm", int(context.attribute("size", 5)), **options), (context.input(0),))


def depth_to_space(context: Context) -> Layer:
    if context.attribute("mode", "DCR") != "CRD":
        raise UnlikeError("it lays channels out in another order")
    return Layer(Call("nn.PixelShuffle", int(context.attribute("blocksize", 1))), (context.input(0),))


def resize(context: Context) -> Layer:
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


def pad(context: Context) -> Layer:
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
