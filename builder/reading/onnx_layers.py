"""What an ONNX operator is in PyTorch: the constructor call of a module, and its weights under torch's names.

An operator that no module of torch does the same way stays visible as an opaque block.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from torch import nn

from blocks.base import Call
from builder.reading import onnx_plain, onnx_weighted
from builder.reading.onnx_context import Context, Layer, UnlikeError


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


_KNOWN: dict[str, Callable[[Context], Layer]] = {
    **dict.fromkeys(("conv", "convtranspose"), onnx_weighted.conv),
    "gemm": onnx_weighted.gemm,
    "matmul": onnx_weighted.matmul,
    "batchnormalization": onnx_weighted.batch_norm,
    "layernormalization": onnx_weighted.layer_norm,
    "instancenormalization": onnx_weighted.instance_norm,
    **dict.fromkeys(("maxpool", "averagepool"), onnx_plain.pool),
    **dict.fromkeys(("globalaveragepool", "globalmaxpool"), onnx_plain.global_pool),
    "adaptiveaveragepool": onnx_plain.adaptive_mean,
    "centrecrop": onnx_plain.centre_crop,
    **dict.fromkeys(("reducemean", "reducemax"), onnx_plain.reduce),
    **dict.fromkeys(("softmax", "logsoftmax"), onnx_plain.softmax),
    "prelu": onnx_weighted.slope,
    "leakyrelu": onnx_plain.leaky,
    "elu": onnx_plain.elu,
    "gelu": onnx_plain.gelu,
    "clip": onnx_plain.clip,
    "flatten": onnx_plain.flatten,
    "reshape": onnx_plain.reshape,
    "transpose": onnx_plain.transpose,
    "concat": onnx_plain.concat,
    **dict.fromkeys(onnx_plain.OPERATORS, onnx_plain.merge),
    "gather": onnx_weighted.embedding,
    "dropout": onnx_plain.dropout,
    "lrn": onnx_plain.lrn,
    "depthtospace": onnx_plain.depth_to_space,
    **dict.fromkeys(("resize", "upsample"), onnx_plain.resize),
    "pad": onnx_plain.pad,
}
