"""An ONNX file as plain data: bounded, without external files, and without running anything of it."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from builder.project import MAX_NODES
from builder.reading.errors import ReadError

Array = npt.NDArray[Any]
Path = tuple[str, ...]

MAX_BYTES = 2**31 - 1
MAX_DIMENSIONS = 8
INSTALL = "Opening ONNX needs one more package; install it with: pip install onnx."


@dataclass(frozen=True)
class Operator:
    """One node of the file. `path` is the module that made it, where the file tells: ("layer1", "0", "conv1").

    `classes` are the names of the classes of the modules it lies in, by their paths.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    path: Path
    classes: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Value:
    """An input or output of the graph; lengths that the file leaves open are None. `tokens`: it holds integers."""

    name: str
    shape: tuple[int | None, ...]
    tokens: bool = False


@dataclass
class OnnxGraph:
    """What an ONNX file holds. `shapes` are those of values in between, as far as they can be told (batch first)."""

    name: str
    inputs: list[Value]
    outputs: list[Value]
    constants: dict[str, Array]
    operators: list[Operator]
    shapes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)


def parse(content: bytes) -> OnnxGraph:
    """The graph in the bytes of a file. Raises ReadError with one sentence for anything that is none."""
    if find_spec("onnx") is None:
        raise ReadError(INSTALL)
    if len(content) > MAX_BYTES:
        raise ReadError(
            f"The file has {len(content) / 2**30:.1f} GB; Layerloom opens ONNX up to {MAX_BYTES / 2**30:.0f} GB."
        )
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError, RuntimeError):
        raise ReadError("The file is no ONNX, or it is cut off.") from None
    if not model.ir_version or not model.graph.node:
        raise ReadError("The file is no ONNX network, or it is cut off: it holds no operators.")
    graph = model.graph
    if len(graph.node) > MAX_NODES:
        raise ReadError(f"It has {len(graph.node):,} operators; Layerloom opens at most {MAX_NODES:,}.")
    _refuse_elsewhere(graph)
    if graph.sparse_initializer:
        raise ReadError("It holds sparse weights, which Layerloom does not read.")
    constants = {_text(t.name): _array(t) for t in graph.initializer}
    operators = []
    for node in graph.node:
        attributes = {_text(a.name): _attribute(a, _text(node.op_type)) for a in node.attribute}
        kind, domain = _text(node.op_type), _text(node.domain)
        kind = kind if domain in ("", "ai.onnx") else f"{domain}.{kind}"
        ends = tuple(map(_text, node.input)), tuple(map(_text, node.output))
        operators.append(Operator(kind, *ends, attributes, _path(node), _classes(node)))
    inputs = [_value(v) for v in graph.input if _text(v.name) not in constants]
    if not inputs or not graph.output:
        raise ReadError(f"The network in the file has no {'output' if inputs else 'input'}.")
    found = OnnxGraph(_text(graph.name), inputs, [_value(v) for v in graph.output], constants, operators)
    found.shapes = _shapes(model)
    return found


def _text(value: str | bytes) -> str:
    """A name; one that is no valid text comes as bytes."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def _refuse_elsewhere(graph: Any) -> None:
    """Weights that lie in other files are never opened: their path is the file's to choose."""
    import onnx

    tensors = [*graph.initializer, *(a.t for n in graph.node for a in n.attribute if a.HasField("t"))]
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ReadError(
                f"The weights {_text(tensor.name)[:60]!r} lie in another file, which Layerloom does not open. "
                "Save the model in one file (save_as_external_data=False)."
            )


def _array(tensor: Any) -> Array:
    """A tensor's numbers. Its lengths must agree with the data that is there, before anything is made of them."""
    import onnx
    from onnx import numpy_helper

    dims = tuple(tensor.dims)
    where = f"The tensor {_text(tensor.name)[:60]!r}"
    if len(dims) > MAX_DIMENSIONS or any(d < 0 for d in dims):
        raise ReadError(f"{where} has no lengths that a tensor can have: {list(dims)[:10]}.")
    try:
        kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    except (KeyError, ValueError, TypeError):
        raise ReadError(f"{where} holds numbers of an unknown kind ({tensor.data_type}).") from None
    if kind.kind not in "fiub" or kind.itemsize > 8:
        raise ReadError(f"{where} holds {kind.name}, not numbers.")
    count = math.prod(dims)
    held = len(tensor.raw_data) // kind.itemsize if tensor.raw_data else _listed(tensor)
    if count != held:
        raise ReadError(f"{where} should have {count:,} numbers, but {held:,} are there; the file is damaged.")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise ReadError(f"{where} cannot be read: {error}") from None


def _listed(tensor: Any) -> int:
    fields = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    return max(len(f) for f in fields)


def _attribute(attribute: Any, kind: str) -> Any:
    """A number, text, tuple or array; a graph inside an operator is told as its type."""
    import onnx

    if attribute.HasField("t"):
        return _array(attribute.t)
    if attribute.HasField("g") or attribute.graphs or attribute.tensors or attribute.sparse_tensors:
        return "a graph" if attribute.HasField("g") else "data"
    if attribute.type == onnx.AttributeProto.UNDEFINED:
        raise ReadError(
            f"The attribute {_text(attribute.name)[:60]!r} of {kind[:60]} has no type; the file is damaged."
        )
    try:
        value = onnx.helper.get_attribute_value(attribute)
    except ValueError as error:
        raise ReadError(
            f"The attribute {_text(attribute.name)[:60]!r} of {kind[:60]} cannot be read: {error}"
        ) from None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, (int, float, str)):
        return value
    return tuple(v.decode(errors="replace") if isinstance(v, bytes) else v for v in value)


def _value(value: Any) -> Value:
    import onnx

    kind = value.type.tensor_type
    integers = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    return Value(_text(value.name), _lengths(kind), kind.elem_type in integers)


def _lengths(kind: Any) -> tuple[int | None, ...]:
    dims = kind.shape.dim[: MAX_DIMENSIONS + 1]
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dims)


def _shapes(model: Any) -> dict[str, tuple[int | None, ...]]:
    """Shapes of values in between, from ONNX's own rules; none where these do not fit the file."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError, MemoryError):
        return {}
    values = [*inferred.graph.value_info, *inferred.graph.output]
    return {_text(v.name): _lengths(v.type.tensor_type) for v in values if v.type.tensor_type.HasField("shape")}


def _path(node: Any) -> Path:
    """The module an operator belongs to, from what PyTorch writes down: "['', 'layer1', 'layer1.0', 'conv2d']"."""
    scopes = _listing(node, "name_scopes")
    if len(scopes) > 2:
        return tuple(part for part in scopes[-2].split(".") if part)
    parts = [
        part for part in _text(node.name).strip("/").split("/") if part
    ]  # as older exporters name it: /layer1/conv1/Conv, or /layer1/layer1.0/conv1/Conv
    found: list[str] = []
    for part in parts[:-1]:
        inner = part.split(".")
        found = inner if inner[: len(found)] == found else [*found, part]
    return tuple(found)


def _classes(node: Any) -> tuple[tuple[Path, str], ...]:
    """The classes of the modules an operator lies in, from the same: "['model.Net', 'model.Stage', 'aten.conv2d']"."""
    scopes, classes = _listing(node, "name_scopes"), _listing(node, "class_hierarchy")
    if len(scopes) != len(classes):
        return ()
    return tuple((tuple(scope.split(".")), cls.rpartition(".")[2]) for scope, cls in zip(scopes[:-1], classes) if scope)


def _listing(node: Any, key: str) -> list[str]:
    """A list of texts among what the exporter says of a node; empty where it says nothing."""
    for prop in node.metadata_props:
        if _text(prop.key) == f"pkg.torch.onnx.{key}" and len(prop.value) < 4000:
            try:
                found = ast.literal_eval(_text(prop.value))
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                return []
            return found if isinstance(found, list) and all(isinstance(item, str) for item in found) else []
    return []
