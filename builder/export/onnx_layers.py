"""Layers that torch's exporter to ONNX writes out number by number, as the few operators that they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

BIASED, PLAIN = 4, 2
"""Tensors of one direction of one layer: weights of the input and of the state, then their biases."""


def translations() -> dict[Any, Callable[..., Any]]:
    """What becomes of torch's functions. Needs the package onnxscript."""
    known = torch.ops.aten
    functions = {"tanh": known.rnn_tanh.input, "relu": known.rnn_relu.input}
    return {
        **{function: _recurrent(name.title()) for name, function in functions.items()},
        known.adaptive_avg_pool2d.default: _adaptive_mean,
    }


def cells(length: int, count: int) -> npt.NDArray[np.float32]:
    """The matrix that takes means over `count` cells of a row of numbers, as torch's adaptive pooling cuts it."""
    found = np.zeros((count, length), np.float32)
    for i in range(count):
        start, end = i * length // count, -(-(i + 1) * length // count)
        found[i, start:end] = 1 / (end - start)
    return found


def _adaptive_mean(x: Any, output_size: Sequence[int]) -> Any:
    """Means over a grid: a mean of all, windows where these are equal, else a matrix on either side."""
    from onnxscript import opset18 as op

    height, width = x.shape[2], x.shape[3]
    rows, columns = output_size
    if (rows, columns) == (height, width):
        return op.Identity(x)
    if (rows, columns) == (1, 1):
        return op.ReduceMean(x, [2, 3], keepdims=1)
    if height % rows == 0 and width % columns == 0:
        window = [height // rows, width // columns]
        return op.AveragePool(x, kernel_shape=window, strides=window)
    left, right = cells(height, rows), np.ascontiguousarray(cells(width, columns).T)
    return op.MatMul(op.Constant(value=_tensor(left)), op.MatMul(x, op.Constant(value=_tensor(right))))


def _tensor(array: npt.NDArray[np.float32]) -> Any:
    from onnxscript import ir

    return ir.tensor(array)


def _recurrent(activation: str) -> Callable[..., Any]:
    from onnxscript import opset18 as op

    def translated(
        input: Any,
        hx: Any,
        params: Sequence[Any],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Any, Any]:
        directions = 2 if bidirectional else 1
        count = BIASED if has_biases else PLAIN
        x = op.Transpose(input, perm=[1, 0, 2]) if batch_first else input
        states = []
        for layer in range(num_layers):
            first = layer * directions
            held = [params[(first + i) * count : (first + i + 1) * count] for i in range(directions)]
            w, r = (_stacked([tensors[k] for tensors in held]) for k in (0, 1))
            b = _stacked([op.Concat(tensors[2], tensors[3], axis=0) for tensors in held]) if has_biases else None
            y, state = op.RNN(
                x,
                w,
                r,
                b,
                None,
                op.Slice(hx, [first], [first + directions], [0]),
                activations=[activation] * directions,
                direction="bidirectional" if bidirectional else "forward",
                hidden_size=hx.shape[2],
            )
            states.append(state)
            x = op.Reshape(op.Transpose(y, perm=[0, 2, 1, 3]), [0, 0, -1])  # steps × batch × directions and features
        return op.Transpose(x, perm=[1, 0, 2]) if batch_first else x, _joined(states)

    def _stacked(tensors: list[Any]) -> Any:
        return _joined([op.Unsqueeze(tensor, [0]) for tensor in tensors])

    def _joined(tensors: list[Any]) -> Any:
        return op.Concat(*tensors, axis=0) if len(tensors) > 1 else tensors[0]

    return translated
