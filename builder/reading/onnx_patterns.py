"""Several operators of an ONNX file that are one layer: exporters write out what ONNX has, or torch has, in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from builder.export.onnx_layers import cells
from builder.reading.onnx_file import Array, OnnxGraph, Operator

MAX_CELLS = 2**20
INSIDE = ("squeeze", "averagepool", "pad", "reshape", "unsqueeze")


def joined(file: OnnxGraph) -> list[Operator]:
    """The operators, with those that are one local response normalization, adaptive mean or crop as that."""
    made = {name: operator for operator in file.operators for name in operator.outputs}
    uses = Counter(name for operator in file.operators for name in operator.inputs)
    uses.update(value.name for value in file.outputs)
    constants = dict(file.constants)
    for operator in file.operators:
        if operator.kind.lower() == "constant" and len(operator.outputs) == 1:
            (value, *_) = operator.attributes.values() or (None,)
            if value is not None and not isinstance(value, str):
                constants[operator.outputs[0]] = np.asarray(value)
    replaced: dict[int, Operator] = {}
    gone: set[int] = set()
    for operator in file.operators:
        if operator.kind == "Div" and len(operator.inputs) == 2:
            found = _response_norm(operator, made, uses, constants, file.shapes)
        elif operator.kind == "MatMul" and len(operator.inputs) == 2:
            found = _adaptive_mean(operator, made, uses, constants)
        else:
            continue
        if found is not None:
            replaced[id(operator)], parts = found
            gone |= {id(part) for part in parts}
    rest = [replaced.get(id(o), o) for o in file.operators if id(o) not in gone]
    return _centre_crops(rest, uses, constants, {**{v.name: v.shape for v in file.inputs}, **file.shapes})


def _adaptive_mean(
    product: Operator, made: Mapping[str, Operator], uses: Mapping[str, int], constants: Mapping[str, Array]
) -> tuple[Operator, list[Operator]] | None:
    """A matrix of means on the left of a picture, and one on its right."""
    inner = made.get(product.inputs[1])
    if inner is None or inner.kind != "MatMul" or uses[product.inputs[1]] != 1 or len(inner.inputs) != 2:
        return None
    left, right = constants.get(product.inputs[0]), constants.get(inner.inputs[1])
    if left is None or right is None or left.ndim != 2 or right.ndim != 2 or inner.inputs[0] in constants:
        return None
    rows, columns = left.shape[0], right.shape[1]
    if max(left.size, right.size) > MAX_CELLS or 0 in (*left.shape, *right.shape):
        return None
    if not np.array_equal(left, cells(left.shape[1], rows)) or not np.array_equal(
        right.T, cells(right.shape[0], columns)
    ):
        return None
    size = {"output_size": (rows, columns)}
    return Operator("AdaptiveAveragePool", inner.inputs[:1], product.outputs, size, product.path), [inner]


def _centre_crops(
    operators: list[Operator],
    uses: Mapping[str, int],
    constants: Mapping[str, Array],
    shapes: dict[str, tuple[int | None, ...]],
) -> list[Operator]:
    """Slices that keep the middle rows of pictures, their middle columns, or one after the other, as one crop."""
    crops: dict[str, Operator] = {}
    inside: set[str] = set()
    for operator in operators:
        centre = _centre(operator, constants, shapes)
        if centre is None:
            continue
        axis, size = centre
        shapes[operator.outputs[0]] = (*shapes[operator.inputs[0]][:2], *size)
        source, before = operator.inputs[0], crops.get(operator.inputs[0])
        if before is not None and uses[source] == 1 and axis == 3 and before.attributes["axis"] == 2:
            inside.add(source)
            source = before.inputs[0]
        attributes = {"axis": axis, "output_size": size}
        crops[operator.outputs[0]] = Operator("CentreCrop", (source,), operator.outputs, attributes, operator.path)
    return [crops.get(o.outputs[0], o) if o.outputs else o for o in operators if not inside & {*o.outputs[:1]}]


def _centre(
    operator: Operator, constants: Mapping[str, Array], shapes: Mapping[str, tuple[int | None, ...]]
) -> tuple[int, tuple[int, int]] | None:
    """The axis that a slice shortens evenly at both ends (at the far one by one more), and the size that is left."""
    if operator.kind != "Slice" or len(operator.outputs) != 1 or len(operator.inputs) not in (4, 5):
        return None
    given = [constants.get(name) for name in operator.inputs[1:]]
    whole = shapes.get(operator.inputs[0], ())
    if any(g is None or g.size != 1 for g in given) or len(whole) != 4:
        return None
    start, end, axis, *step = (int(g.ravel()[0]) for g in given if g is not None)
    size = [n for n in whole[2:] if n is not None]
    axis %= 4
    if step not in ([], [1]) or axis < 2 or len(size) != 2 or not 0 <= start < end <= size[axis - 2]:
        return None
    if start != (size[axis - 2] - (end - start)) // 2:
        return None
    size[axis - 2] = end - start
    return axis, (size[0], size[1])


def _response_norm(
    division: Operator,
    made: Mapping[str, Operator],
    uses: Mapping[str, int],
    constants: Mapping[str, Array],
    shapes: Mapping[str, tuple[int | None, ...]],
) -> tuple[Operator, list[Operator]] | None:
    """x / (k + α · mean of the squares in n neighbouring channels)^β, and the operators that write it out."""
    x, below = division.inputs
    parts: list[Operator] = []

    def single(name: str, kind: str) -> tuple[str, float] | None:
        """What flows into an operator of this kind that gives `name`, and its constant of one number."""
        operator = made.get(name)
        if operator is None or operator.kind.lower() != kind or uses[name] != 1 or len(operator.inputs) != 2:
            return None
        flows = [i for i in operator.inputs if i not in constants]
        held = [constants[i] for i in operator.inputs if i in constants and constants[i].size == 1]
        if len(flows) != 1 or len(held) != 1 or (kind == "pow" and operator.inputs[0] != flows[0]):
            return None
        parts.append(operator)
        return flows[0], float(f"{float(held[0].ravel()[0]):.7g}")

    power = single(below, "pow")
    added = single(power[0], "add") if power else None
    scaled = single(added[0], "mul") if added else None
    if power is None or added is None or scaled is None:
        return None
    at, size, padded, wide = scaled[0], 0, None, ""
    while (
        (operator := made.get(at)) is not None and operator.kind.lower() in INSIDE and uses[at] == 1 and operator.inputs
    ):
        parts.append(operator)
        kind = operator.kind.lower()
        if kind == "averagepool":
            kernel = tuple(operator.attributes.get("kernel_shape", ()))
            plain = not any(operator.attributes.get("pads", ())) and set(operator.attributes.get("strides", (1,))) == {
                1
            }
            if size or len(kernel) not in (2, 3) or set(kernel[1:]) != {1} or not plain:
                return None
            size = int(kernel[0])
        elif kind == "pad":
            padded = constants.get(operator.inputs[1]) if len(operator.inputs) > 1 else None
        elif kind in ("reshape", "unsqueeze"):
            wide = at
        at = operator.inputs[0]
    square = made.get(at)
    if (
        square is None
        or square.kind.lower() != "mul"
        or square.inputs != (x, x)
        or uses[at] != 1
        or not size
        or padded is None
    ):
        return None
    rank = padded.size // 2
    wanted = np.zeros((2, rank), np.int64)
    wanted[:, 2] = size // 2, (size - 1) // 2
    told, within = shapes.get(x), shapes.get(wide)
    kept = not told or not within or (within[1] == 1 and within[2:] == told[1:])
    if rank not in (4, 5) or not np.array_equal(padded.ravel(), wanted.ravel()) or not kept:
        return None
    attributes = {"size": size, "alpha": scaled[1], "beta": power[1], "bias": added[1]}
    return Operator("LRN", (x,), division.outputs, attributes, division.path), [*parts, square]
