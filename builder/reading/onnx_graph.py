"""An ONNX file as a project: its operators become blocks with their weights, what has no block stays visible."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from blocks.base import Block, BlockError, Call, Shape
from builder import names
from builder.graph import Edge, Graph, Node, UnknownBlock
from builder.graph_file import ONNX
from builder.project import MAX_NAME, Project
from builder.reading import arrangement, matching, onnx_layers, onnx_recurrent
from builder.reading.arrangement import Arrangement, Places
from builder.reading.ends import answer, entering, with_vocabulary
from builder.reading.errors import ReadError
from builder.reading.fitting import fitted
from builder.reading.layout import placed
from builder.reading.onnx_composites import Folded, folded
from builder.reading.onnx_constants import Constants
from builder.reading.onnx_context import Context, Layer, UnlikeError
from builder.reading.onnx_file import Array, OnnxGraph, Operator, Value, parse
from builder.reading.onnx_patterns import joined
from builder.reading.python import Read
from builder.shapes import infer
from builder.source import generate

OPEN_SIDE = 224
"""The length of a side that the file leaves open."""


def read_onnx(content: bytes, name: str = "") -> Read:
    """The network of an ONNX file with its weights. Raises ReadError with one sentence."""
    reader = _Reader(parse(content))
    graph = reader.read()
    apart = reader.composites(graph)
    graph = placed(apart.graph)
    title = (name or reader.file.name or "network")[:MAX_NAME]
    project = fitted(Project(name=title, networks={"network": graph}))
    if reader.opaque:
        kinds = ", ".join(kind if count == 1 else f"{kind} ({count})" for kind, count in reader.opaque.most_common(5))
        many = reader.opaque.total() > 1
        reader.notes.append(
            f"{reader.opaque.total()} operator{'s have' if many else ' has'} no block and stand{'' if many else 's'} as in "
            f"the file, marked: {kinds}. Replace or remove {'them' if many else 'it'} before training."
        )
    return Read(project, tuple(reader.notes), {"network": reader.state(project, apart.places)})


class _Reader:
    def __init__(self, file: OnnxGraph) -> None:
        self.file = file
        self.constants = Constants(file.constants)
        self.shapes: dict[str, Shape] = {}
        self.source: dict[str, tuple[str, str]] = {}
        """The node and port at which each value comes out."""
        self.nodes: dict[str, Node] = {}
        self.paths: dict[str, tuple[str, ...]] = {}
        """The module of each block, where the file tells it."""
        self.edges: list[Edge] = []
        self.weights: dict[str, dict[str, Array]] = {}
        self.opaque: Counter[str] = Counter()
        self.notes: list[str] = []
        self.operators = joined(file)
        self.uses = Counter(i for o in self.operators for i in o.inputs) + Counter(v.name for v in file.outputs)
        self.readers: dict[str, list[Operator]] = defaultdict(list)
        for operator in self.operators:
            for name in operator.inputs if operator.kind != "Shape" else ():
                self.readers[name].append(operator)
        self.arranged: dict[str, Arrangement] = {}
        """Values that hold the numbers of another one in other places, which no block gives yet."""
        self.movers: dict[str, Operator] = {}
        """The operator that gives each of these."""
        self.sequences: dict[str, tuple[Call, Shape, Places, tuple[str, ...]]] = {}
        """For a block that reads step by step its call, what it receives, where its last step stands, and its values."""

    def read(self) -> Graph:
        taken = {self._identifier(v.name) for v in self.file.outputs}
        for value in self.file.inputs:
            id = names.free([self._identifier(value.name)], {*self.nodes, *taken})
            block = entering(self._shape(value), value.tokens)
            self._put(id, block, value.name)
            self.shapes[value.name] = block.source_shape() or ()
        for operator in self.operators:
            self._operator(operator, taken)
        for value in self.file.outputs:
            self._settle(value.name, taken)
            if value.name not in self.source:
                raise ReadError(f"The output {value.name[:60]!r} comes from nowhere; the file is damaged.")
            block = answer()
            id = names.free([self._identifier(value.name)], self.nodes)
            self.nodes[id] = Node(id, block)
            self._wire(value.name, id, block.ports()[0].name)
        for value in self.file.inputs:
            self._vocabulary(self.source[value.name][0])
        return Graph(tuple(self.nodes.values()), tuple(self.edges))

    def _vocabulary(self, id: str) -> None:
        """Let an input of tokens have as many different ones as the layers after it take."""
        block = self.nodes[id].block
        readers = [self.nodes[edge.target].block for edge in self.edges if edge.source == id]
        if not isinstance(block, UnknownBlock):
            self.nodes[id] = Node(id, with_vocabulary(block, [r for r in readers if isinstance(r, Block)]))

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
            if name and not (name in self.source or name in self.constants or name in self.arranged):
                raise ReadError(f"{operator.kind[:60]} reads {name[:60]!r}, which nothing gives; the file is damaged.")
        if self.constants.work_out(operator, self._lengths(operator)):
            return
        if operator.kind in ("Identity", "Cast", "CastLike") and operator.inputs and operator.inputs[0] in self.source:
            self.source[operator.outputs[0]] = self.source[operator.inputs[0]]
            self.shapes[operator.outputs[0]] = self.shapes[operator.inputs[0]]
            return
        if self._is_bias(operator):
            return
        if onnx_recurrent.is_recurrent(operator):
            self._recurrent(operator, taken)
            return
        if operator.kind == "Split" and self._split(operator):
            return
        if any(name in self.arranged for name in operator.inputs) and self._moves(operator):
            return
        for name in operator.inputs:
            self._settle(name, taken)
        try:
            self._place(operator, onnx_layers.layer(self._context(operator)), operator.outputs[0], taken)
        except (UnlikeError, BlockError) as error:
            if not self._moves(operator):
                self._unknown(operator, str(error), taken)

    def _context(self, operator: Operator) -> Context:
        return Context(operator, self.shapes, self.constants)

    def _place(self, operator: Operator, layer: Layer, value: str, taken: set[str]) -> str:
        """Add the block that writes a layer, which gives `value`. Raises UnlikeError or BlockError."""
        received = tuple(self.shapes[name] for name in layer.data)
        found = matching.leaf(layer.call, received)
        if found is None or found.differs:
            raise UnlikeError(f"no block writes {layer.call!r}")
        inferred = infer(found.block, received)
        inner = {name.rpartition(".")[0] for name in layer.weights}
        if len(inner) == 1 and operator.path[-1:] == tuple(inner):  # the layer within the block's module
            operator = dataclasses.replace(operator, path=operator.path[:-1])
        id = self._name(operator, found.block.stem or type(found.block).__name__.lower(), taken)
        self._put(id, found.block, value)
        self.paths[id] = operator.path
        self.shapes[value] = inferred.shape
        self.weights[id] = layer.weights
        for port, name in zip(found.block.ports(), layer.data, strict=True):
            self._wire(name, id, port.name)
        return id

    def _lengths(self, operator: Operator) -> Array | None:
        """The lengths of what an operator reads first, the batch's as BATCH."""
        name = operator.inputs[0] if operator.inputs else ""
        if name in self.arranged:
            return self.arranged[name].lengths()
        return np.array([arrangement.BATCH, *self.shapes[name]]) if name in self.shapes else None

    # --- numbers in other places -----------------------------------------------------------

    def _split(self, operator: Operator) -> bool:
        """Follow the parts into which a value is cut."""
        lengths = self._lengths(operator)
        axis = int(operator.attributes.get("axis", 0))
        if lengths is None or not -len(lengths) <= axis < len(lengths) or lengths[axis] == arrangement.BATCH:
            return False
        sizes = self.constants.get(operator.inputs[1]) if len(operator.inputs) > 1 else operator.attributes.get("split")
        count, whole = len(operator.outputs), int(lengths[axis])
        part = -(-whole // count)
        ends = np.cumsum([min(part, whole - i * part) for i in range(count)] if sizes is None else np.ravel(sizes))
        if len(ends) != count or ends[-1] != whole:
            return False
        parts = [name for name in operator.outputs if self.uses[name]]
        for name, start, end in zip(operator.outputs, [0, *ends], ends):
            if name in parts:
                attributes = {"starts": (int(start),), "ends": (int(end),), "axes": (axis,)}
                cut = Operator("Slice", operator.inputs[:1], (name,), attributes, operator.path)
                if not self._moves(cut):
                    return False
        return True

    def _moves(self, operator: Operator) -> bool:
        """Follow an operator that only moves numbers; the block that does so is found where they are read."""
        given = [g for name in operator.inputs if (g := self._arranged(name)) is not None]
        if not given or len(operator.outputs) != 1 or len({g.source for g in given}) > 1:
            return False
        if operator.kind == "Concat" and len(given) == len(operator.inputs):
            found = arrangement.joined(given, int(operator.attributes.get("axis", 0)))
        elif len(given) > 1 or self._arranged(operator.inputs[0]) is None:
            return False
        else:
            constants = [self.constants.get(name) for name in operator.inputs[1:]]
            found = arrangement.moved(operator.kind.lower(), operator.attributes, given[0], constants)
        if found is None:
            return False
        self.arranged[operator.outputs[0]] = found
        self.movers[operator.outputs[0]] = operator
        return True

    def _arranged(self, name: str) -> Arrangement | None:
        """Where the numbers of a value stand; those of a block's output stand where they are."""
        if name in self.arranged or name not in self.source or name not in self.shapes:
            return self.arranged.get(name)
        return arrangement.whole(name, self.shapes[name])

    def _only(self, value: str, given: tuple[str, ...]) -> bool:
        """Whether all that is read of the values `given` goes into `value`."""
        way: set[int] = set()
        between, left = {*given}, [value]
        while left:
            operator = self.movers.get(left.pop())
            if operator is not None and id(operator) not in way:
                way.add(id(operator))
                held = [name for name in operator.inputs if name in self.movers]
                between.update(held)
                left += held
        ends = {v.name for v in self.file.outputs}
        return all(id(reader) in way for name in between - {value} for reader in self.readers[name]) and not ends & (
            between - {value}
        )

    def _settle(self, value: str, taken: set[str]) -> None:
        """Give a value whose numbers stand in other places the block that puts them there."""
        held = self.arranged.get(value)
        if held is None:
            return
        places = held.sample()
        if places is not None and self._same(value, held, places):
            del self.arranged[value]
            return
        block = arrangement.block_for(places, held.shape) if places is not None else None
        if block is None or places is None:
            self._unsettled(value, taken)
            return
        del self.arranged[value]
        id = self._name(self.movers[value], block.stem or type(block).__name__.lower(), taken)
        self._put(id, block, value)
        self.paths[id] = self.movers[value].path
        self.shapes[value] = places.shape
        self.weights[id] = {}
        self._wire(held.source, id, block.ports()[0].name)

    def _same(self, value: str, held: Arrangement, places: Places) -> bool:
        """Whether a value is its source as it stands, or the last step of a layer that can give just that."""
        if places.shape == held.shape and np.array_equal(places.ravel(), np.arange(held.size)):
            self.shapes[value] = held.shape
        else:
            id, _ = self.source[held.source]
            read = any(edge.source == id for edge in self.edges)
            if id not in self.sequences or read:
                return False
            call, received, last, values = self.sequences[id]
            if not self._only(value, values):
                return False
            found = matching.leaf(onnx_recurrent.last_step(call), (received,))
            if not np.array_equal(places, last) or found is None or found.differs:
                return False
            self.nodes[id] = Node(id, found.block)
            self.shapes[value] = places.shape
        self.source[value] = self.source[held.source]
        return True

    def _unsettled(self, value: str, taken: set[str]) -> None:
        """Show the operators that lead to a value as they are: no block does the same."""
        del self.arranged[value]
        operator = self.movers[value]
        for name in operator.inputs:
            self._settle(name, taken)
        self._unknown(operator, "no block puts numbers into such places", taken)

    def _recurrent(self, operator: Operator, taken: set[str]) -> None:
        """A layer that reads step by step; what it gives has the batch elsewhere, and the directions apart."""
        try:
            data = self._batch_first(operator, taken)
            layer = onnx_recurrent.layer(self._context(operator), data, self.shapes[data])
            if any(self.uses[name] for name in operator.outputs[2:]):
                raise UnlikeError("its memory is read")
            sequence = f"\0{operator.outputs[0]}\0{operator.outputs[-1]}"
            id = self._place(operator, layer, sequence, taken)
            given, last = onnx_recurrent.outputs(operator, sequence, self.shapes[sequence])
        except (UnlikeError, BlockError, IndexError) as error:
            for name in operator.inputs:
                self._settle(name, taken)
            self._unknown(operator, str(error), taken)
            return
        self.sequences[id] = (layer.call, self.shapes[data], last, operator.outputs)
        for name, held in given.items():
            self.arranged[name] = held
            self.movers[name] = Operator("Transpose", (sequence,), (name,), {}, operator.path)

    def _batch_first(self, operator: Operator, taken: set[str]) -> str:
        """The name of the sequence that a recurrent operator reads, with the batch before the time."""
        name = operator.inputs[0]
        if name in self.shapes and not onnx_recurrent.time_first(operator):
            return name
        held = self._arranged(name)
        if held is not None and onnx_recurrent.time_first(operator):
            held = arrangement.moved("transpose", {"perm": (1, 0, 2)}, held, [])
        places = None if held is None else held.sample()
        if held is None or places is None:
            raise UnlikeError("what it reads is no sequence")
        data = f"\0{name}"
        if data not in self.source:
            self.arranged[data] = held
            self.movers[data] = Operator("Transpose", (name,), (data,), {}, operator.path)
            self._settle(data, taken)
        if data not in self.shapes:
            raise UnlikeError("what it reads is no sequence")
        return data

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

    def composites(self, graph: Graph) -> Folded:
        """The graph with single layers folded into the composites they were."""
        shapes = {id: self.shapes[value] for value, (id, port) in self.source.items() if value in self.shapes}
        opaque = {node.id for node in graph.nodes if isinstance(node.block, UnknownBlock)}
        known = {id: shape for id, shape in shapes.items() if id not in opaque}
        classes = {path: name for operator in self.operators for path, name in operator.classes}
        return folded(
            graph, self.paths, classes, known, lambda path, taken: names.free([self._identifier("_".join(path))], taken)
        )

    def state(self, project: Project, where: dict[str, str]) -> dict[str, Tensor]:
        """The weights by the names of the network's modules; these are the blocks' own while it cannot be written."""
        try:
            places = generate(project).modules["network"]
        except ValueError:
            places = {where[id]: where[id] for id in self.weights}
        found: dict[str, Tensor] = {}
        for id, arrays in self.weights.items():
            for name, array in arrays.items():
                whole = array.dtype.kind in "iu"
                found[f"{places[where[id]]}.{name}"] = torch.from_numpy(
                    np.array(array, np.int64 if whole else np.float32)
                )
        return found


def _plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) <= 64 and all(_plain(v) for v in value)
    return isinstance(value, (int, str)) or (isinstance(value, float) and math.isfinite(value))
