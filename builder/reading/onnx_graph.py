"""An ONNX file as a project: its operators become blocks with their weights, what has no block stays visible."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from blocks.base import Block, BlockError, Shape
from builder import names
from builder.graph import Edge, Graph, Node, UnknownBlock
from builder.graph_file import ONNX
from builder.project import MAX_NAME, Project
from builder.reading import matching, onnx_layers
from builder.reading.errors import ReadError
from builder.reading.fitting import fitted
from builder.reading.layout import placed
from builder.reading.onnx_file import Array, OnnxGraph, Operator, Value, parse
from builder.reading.python import Read, answer, entering
from builder.shapes import infer
from builder.source import generate

OPEN_SIDE = 224
"""The length of a side that the file leaves open."""
MAX_FOLDED = 4096
"""Constants worked out while reading hold lengths and positions; more numbers than this are weights."""
BATCH = -1
"""The number of samples inside constants that are worked out."""


def read_onnx(content: bytes, name: str = "") -> Read:
    """The network of an ONNX file with its weights. Raises ReadError with one sentence."""
    reader = _Reader(parse(content))
    graph = reader.read()
    title = (name or reader.file.name or "network")[:MAX_NAME]
    project = fitted(Project(name=title, networks={"network": graph}))
    if reader.opaque:
        kinds = ", ".join(kind if count == 1 else f"{kind} ({count})" for kind, count in reader.opaque.most_common(5))
        many = reader.opaque.total() > 1
        reader.notes.append(
            f"{reader.opaque.total()} operator{'s have' if many else ' has'} no block and stand{'' if many else 's'} as in "
            f"the file, marked: {kinds}. Replace or remove {'them' if many else 'it'} before training."
        )
    return Read(project, tuple(reader.notes), {"network": reader.state(project)})


class _Reader:
    def __init__(self, file: OnnxGraph) -> None:
        self.file = file
        self.constants: dict[str, Array] = dict(file.constants)
        self.shapes: dict[str, Shape] = {}
        self.source: dict[str, tuple[str, str]] = {}
        """The node and port at which each value comes out."""
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.weights: dict[str, dict[str, Array]] = {}
        self.opaque: Counter[str] = Counter()
        self.notes: list[str] = []
        self.uses = Counter(i for o in file.operators for i in o.inputs) + Counter(v.name for v in file.outputs)

    def read(self) -> Graph:
        taken = {self._identifier(v.name) for v in self.file.outputs}
        for value in self.file.inputs:
            id = names.free([self._identifier(value.name)], {*self.nodes, *taken})
            block = entering(self._shape(value), value.tokens)
            self._put(id, block, value.name)
            self.shapes[value.name] = block.source_shape() or ()
        for operator in self.file.operators:
            self._operator(operator, taken)
        for value in self.file.outputs:
            if value.name not in self.source:
                raise ReadError(f"The output {value.name[:60]!r} comes from nowhere; the file is damaged.")
            block = answer()
            id = names.free([self._identifier(value.name)], self.nodes)
            self.nodes[id] = Node(id, block)
            self._wire(value.name, id, block.ports()[0].name)
        return placed(Graph(tuple(self.nodes.values()), tuple(self.edges)))

    def _shape(self, value: Value) -> Shape:
        lengths = value.shape[1:]
        if None in lengths:
            self.notes.append(
                f"The file leaves the size of {value.name} open; {OPEN_SIDE} is taken. Set the block to your data's size."
            )
        shape = tuple(OPEN_SIDE if n is None else n for n in lengths)
        if not shape or math.prod(shape) > 2**31:
            raise ReadError(f"The input {value.name[:60]!r} has the shape {list(value.shape)}, which no sample has.")
        return shape

    # --- one operator ----------------------------------------------------------------------

    def _operator(self, operator: Operator, taken: set[str]) -> None:
        for name in operator.inputs:
            if name and name not in self.source and name not in self.constants:
                raise ReadError(f"{operator.kind[:60]} reads {name[:60]!r}, which nothing gives; the file is damaged.")
        folded = _folded(operator, self.constants, self.shapes)
        if folded is not None:
            self.constants[operator.outputs[0]] = folded
            return
        if operator.kind in ("Identity", "Cast") and operator.inputs and operator.inputs[0] in self.source:
            self.source[operator.outputs[0]] = self.source[operator.inputs[0]]
            self.shapes[operator.outputs[0]] = self.shapes[operator.inputs[0]]
            return
        if self._is_bias(operator):
            return
        try:
            layer = onnx_layers.layer(onnx_layers.Context(operator, self.shapes, self.constants))
            received = tuple(self.shapes[name] for name in layer.data)
            found = matching.leaf(layer.call, received)
            if found is None or found.differs:
                raise onnx_layers.UnlikeError(f"no block writes {layer.call!r}")
            inferred = infer(found.block, received)
        except (onnx_layers.UnlikeError, BlockError) as error:
            self._unknown(operator, str(error), taken)
            return
        id = self._name(operator, found.block.stem or type(found.block).__name__.lower(), taken)
        self._put(id, found.block, operator.outputs[0])
        self.shapes[operator.outputs[0]] = inferred.shape
        self.weights[id] = layer.weights
        for port, name in zip(found.block.ports(), layer.data, strict=True):
            self._wire(name, id, port.name)

    def _is_bias(self, operator: Operator) -> bool:
        """A vector added to a matrix product is its bias, where exporters keep the two apart."""
        data = [i for i in operator.inputs if i in self.source]
        held = [self.constants[i] for i in operator.inputs if i in self.constants]
        if operator.kind.lower() != "add" or len(data) != 1 or len(held) != 1 or self.uses[data[0]] != 1:
            return False
        id, _ = self.source[data[0]]
        weights = self.weights.get(id, {})
        block = self.nodes[id].block
        if "bias" in weights or "weight" not in weights or "bias" not in getattr(block, "to_settings", dict)():
            return False
        if (
            weights["weight"].ndim != 2
            or held[0].shape != weights["weight"].shape[:1]
            or isinstance(block, UnknownBlock)
        ):
            return False
        self.nodes[id] = Node(id, block.replace(bias=True))
        weights["bias"] = held[0]
        self.source[operator.outputs[0]] = self.source[data[0]]
        self.shapes[operator.outputs[0]] = self.shapes[data[0]]
        return True

    def _unknown(self, operator: Operator, why: str, taken: set[str]) -> None:
        """An opaque block: it keeps the operator's place, wires and numbers, so that nothing is lost from sight."""
        kind = operator.kind[:80]
        self.opaque[kind] += 1
        id = self._name(operator, kind.rpartition(".")[2].lower(), taken)
        settings = {k[:80]: v for k, v in operator.attributes.items() if _plain(v)}
        block = UnknownBlock(f"{ONNX} {kind}", settings, f"It is ONNX’s {kind}, which no block stands for: {why}.")
        self.nodes[id] = Node(id, block, note=f"ONNX operator {kind}: {why}")
        for i, name in enumerate(n for n in operator.inputs if n in self.source):
            self._wire(name, id, f"in{i + 1}")
        for i, name in enumerate(operator.outputs):
            self.source[name] = (id, "out" if i == 0 else f"out{i + 1}")
            told = self.file.shapes.get(name, ())
            if len(told) > 1 and None not in told[1:]:
                self.shapes[name] = tuple(n for n in told[1:] if n is not None)

    def _put(self, id: str, block: Block, value: str) -> None:
        self.nodes[id] = Node(id, block)
        self.source[value] = (id, "out")

    def _wire(self, value: str, id: str, port: str) -> None:
        self.edges.append(Edge(*self.source[value], id, port))

    # --- names -----------------------------------------------------------------------------

    def _name(self, operator: Operator, stem: str, taken: set[str]) -> str:
        """The name of the module that made the operator, or of its weights; else the block's with a number."""
        path = operator.path
        for name in operator.inputs if not path else ():
            if name in self.file.constants and name.endswith((".weight", ".bias")):
                path = tuple(name.split(".")[:-1])
                break
        used = {*self.nodes, *taken}
        wanted = self._identifier("_".join(path)) if path else ""
        if wanted and wanted not in used:
            return wanted
        number = 1
        while f"{stem}{number}" in used:
            number += 1
        return self._identifier(f"{stem}{number}")

    @staticmethod
    def _identifier(text: str) -> str:
        """The text as a name that can stand in code."""
        plain = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:80] or "value"
        for tried in (plain, f"{plain}_", f"n_{plain}"):
            try:
                return names.identifier(tried)
            except ValueError:
                continue
        return "value"

    # --- weights ---------------------------------------------------------------------------

    def state(self, project: Project) -> dict[str, Tensor]:
        """The weights by the names of the network's modules; these are the blocks' own while it cannot be written."""
        try:
            places = generate(project).modules["network"]
        except ValueError:
            places = {id: id for id in self.weights}
        found: dict[str, Tensor] = {}
        for id, arrays in self.weights.items():
            for name, array in arrays.items():
                whole = array.dtype.kind in "iu"
                found[f"{places[id]}.{name}"] = torch.from_numpy(np.array(array, np.int64 if whole else np.float32))
        return found


def _plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) <= 64 and all(_plain(v) for v in value)
    return isinstance(value, (int, str)) or (isinstance(value, float) and math.isfinite(value))


def _folded(operator: Operator, constants: dict[str, Array], shapes: dict[str, Shape]) -> Array | None:
    """What a constant operator gives; the lengths that flow into a reshape, say. None for one that works on data."""
    kind = operator.kind.lower()
    if len(operator.outputs) != 1:
        return None
    if kind == "constant":
        value = next(iter(operator.attributes.values()), None)
        return None if value is None or isinstance(value, str) else np.asarray(value)
    if kind == "shape" and operator.inputs[:1] and operator.inputs[0] in shapes:
        lengths = np.array([BATCH, *shapes[operator.inputs[0]]])
        return lengths[operator.attributes.get("start", 0) : operator.attributes.get("end", len(lengths))]
    given = [constants[i] for i in operator.inputs if i in constants]
    if not given or len(given) != len([i for i in operator.inputs if i]) or sum(a.size for a in given) > MAX_FOLDED:
        return None
    try:
        return _worked_out(kind, operator.attributes, given)
    except (ValueError, IndexError, TypeError, np.exceptions.AxisError, OverflowError):
        return None


def _worked_out(kind: str, attributes: dict[str, Any], given: list[Array]) -> Array | None:
    first = given[0]
    match kind:
        case "identity":
            return first
        case "cast":
            return first.astype(np.int64) if attributes.get("to") in (6, 7) else first.astype(np.float32)
        case "concat":
            return np.concatenate([np.atleast_1d(a) for a in given], int(attributes.get("axis", 0)))
        case "unsqueeze":
            axes = given[1].ravel().tolist() if len(given) > 1 else attributes.get("axes", (0,))
            return np.expand_dims(first, tuple(int(a) for a in axes))
        case "squeeze":
            return np.squeeze(first)
        case "gather":
            return np.take(first, given[1].astype(np.int64), int(attributes.get("axis", 0)))
        case "reshape":
            return first.reshape([int(n) for n in given[1].ravel()])
        case "slice" if first.ndim == 1 and len(given) >= 3:
            start, end = int(given[1].ravel()[0]), int(given[2].ravel()[0])
            return first[start : end : int(given[4].ravel()[0]) if len(given) > 4 else 1]
        case "add" | "sub" | "mul" | "div" if len(given) == 2 and not any((a == BATCH).any() for a in given):
            return {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.floor_divide}[kind](
                first, given[1]
            )
    return None
