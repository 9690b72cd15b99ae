"""ONNX's recurrent operators as torch's RNN, LSTM and GRU.

Operators: https://onnx.ai/onnx/operators (RNN, LSTM, GRU); gates stand in another order there than in torch. The
operator takes a sequence with the time first unless its `layout` is 1, and gives it with the directions apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from blocks.base import Call, Shape
from builder.reading.arrangement import Arrangement, Places, whole
from builder.reading.onnx_context import Context, Layer, UnlikeError
from builder.reading.onnx_file import Array, Operator

GATES = {"rnn": (0,), "lstm": (0, 2, 3, 1), "gru": (1, 0, 2)}
"""Where each of torch's gates stands in ONNX: input, forget, cell, output; reset, update, new."""
USUAL = {"rnn": ("tanh",), "lstm": ("sigmoid", "tanh", "tanh"), "gru": ("sigmoid", "tanh")}


def is_recurrent(operator: Operator) -> bool:
    """Whether the operator reads a sequence step by step."""
    return operator.kind.lower() in GATES


def time_first(operator: Operator) -> bool:
    """Whether the sequence that comes in has its time before its batch."""
    return not operator.attributes.get("layout", 0)


def layer(context: Context, data: str, shape: Shape) -> Layer:
    """The layer that gives the whole sequence, batch first, for `data` of length × features. Raises UnlikeError."""
    operator, kind = context.operator, context.operator.kind.lower()
    both = _directions(context)
    options: dict[str, Any] = {"batch_first": True}
    activations = tuple(str(a).lower() for a in context.attribute("activations", USUAL[kind] * both))
    if kind == "rnn" and activations == ("relu",) * both:
        options = {"nonlinearity": "relu", **options}
    elif activations != USUAL[kind] * both:
        raise UnlikeError(f"its activations are {', '.join(activations[:6])[:80]}")
    for name in ("clip", "input_forget"):
        if context.attribute(name):
            raise UnlikeError(f"it has the attribute {name}")
    if kind == "gru" and not context.attribute("linear_before_reset", 0):
        raise UnlikeError("it resets the state before the matrix product, torch after it")
    if context.input(4) or (kind == "lstm" and context.input(7)):
        raise UnlikeError("it has sequences of different lengths, or peepholes")
    for index in (5, 6):
        first = context.constant(index)
        if first is not None and first.any():
            raise UnlikeError("its first state is not zero")
    w, r, b = context.weight(1), context.weight(2), context.constant(3)
    hidden = int(context.attribute("hidden_size", r.shape[-1]))
    gates = len(GATES[kind])
    b = np.zeros((both, 2 * gates * hidden), np.float32) if b is None else b
    if len(shape) != 2 or w.shape != (both, gates * hidden, shape[1]) or r.shape != (both, gates * hidden, hidden):
        raise UnlikeError(f"its weights have the lengths {list(w.shape)} and {list(r.shape)}")
    if b.shape != (both, 2 * gates * hidden):
        raise UnlikeError(f"its bias has the lengths {list(b.shape)}")
    weights: dict[str, Array] = {}
    for i, suffix in zip(range(both), ("", "_reverse")):
        parts = {
            "weight_ih": w[i],
            "weight_hh": r[i],
            "bias_ih": b[i][: gates * hidden],
            "bias_hh": b[i][gates * hidden :],
        }
        for name, part in parts.items():
            weights[f"layer.{name}_l0{suffix}"] = _torch_order(part, kind)
    if both == 2:
        options = {"bidirectional": True, **options}
    return Layer(Call("Recurrent", Call(f"nn.{operator.kind}", shape[1], hidden, **options)), (data,), weights)


def last_step(call: Call) -> Call:
    """The call of a layer that gives its last step instead of the whole sequence."""
    return Call(call.target, *call.args, last=True)


def outputs(operator: Operator, sequence: str, shape: Shape) -> tuple[dict[str, Arrangement], Places]:
    """What the operator gives, as arrangements of the value `sequence` of this shape (length × features).

    And where the last step stands in that; a backward pass ends at the first.
    """
    directions = 2 if operator.attributes.get("direction") == "bidirectional" else 1
    given = whole(sequence, shape)
    if given is None:
        raise UnlikeError("its sequence is too long to be followed")
    length, features = shape
    apart = given.places.reshape(-1, length, directions, features // directions)
    ends = [apart[:, -1, 0], *([apart[:, 0, 1]] if directions == 2 else [])]
    if time_first(operator):
        forms = (apart.transpose(1, 2, 0, 3), np.stack(ends, 0))
    else:
        forms = (apart, np.stack(ends, 1))
    held = {name: Arrangement(sequence, shape, form) for name, form in zip(operator.outputs, forms) if name}
    return held, np.concatenate([end[0] for end in ends])


def _directions(context: Context) -> int:
    direction = context.attribute("direction", "forward")
    if direction not in ("forward", "bidirectional"):
        raise UnlikeError(f"it reads {str(direction)[:20]}")
    return 2 if direction == "bidirectional" else 1


def _torch_order(array: Array, kind: str) -> Array:
    """The rows of all gates in torch's order."""
    blocks = np.split(array, len(GATES[kind]))
    return np.concatenate([blocks[i] for i in GATES[kind]])
