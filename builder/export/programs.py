"""Other forms of a network: an ONNX file, and PyTorch's exported program (PT2). Both take any number of samples."""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from blocks.base import Block
from builder.export import onnx_layers
from builder.graph import Graph
from builder.structure import is_input, is_output

ONNX_PACKAGES = ("onnx", "onnxscript")


def missing_for_onnx() -> tuple[str, ...]:
    """The packages that ONNX needs and that are not installed."""
    return tuple(package for package in ONNX_PACKAGES if find_spec(package) is None)


def write_pt2(network: nn.Module, graph: Graph, path: Path) -> None:
    """Write the network in evaluation mode as an exported program; `torch.export.load` opens it."""
    torch.export.save(_program(network, _samples(graph)), path)


class OnnxError(ValueError):
    """A layer that ONNX has no operators for; the message names its block."""


def write_onnx(network: nn.Module, graph: Graph, path: Path) -> None:
    """Write the network in evaluation mode as ONNX; inputs and outputs are called as on the canvas.

    Raises OnnxError with a sentence where that cannot be done.
    """
    try:
        _write_onnx(network, graph, path)
    except torch.onnx.OnnxExporterError as error:
        raise OnnxError(_unwritten(network, graph, error)) from error


def _unwritten(network: nn.Module, graph: Graph, error: BaseException) -> str:
    """Which block cannot be written as ONNX, told from the call that torch's exporter stopped at."""
    told = re.search(r"translating node %(\w+)", f"{error} {error.__cause__}")
    calls = _program(network, _samples(graph)).graph_module.graph.nodes if told else ()
    for call in calls:
        if told is not None and call.name == told[1] and call.meta.get("nn_module_stack"):
            path, kind = list(call.meta["nn_module_stack"].values())[-1]
            name = str(kind).rpartition(".")[2].rstrip("'>")
            place = path.removeprefix("network.")
            return (
                f"ONNX has no operators for {place} ({name} with these sizes). Give it sizes that divide what it "
                "receives, or put another block in its place; the exported program (PT2) can hold it as it is."
            )
    first = str(error.__cause__ or error).strip().split("\n")[0]
    return f"The network cannot be written as ONNX: {first}"


def _write_onnx(network: nn.Module, graph: Graph, path: Path) -> None:
    samples = _samples(graph)
    names = [n.id for n in graph.nodes if is_input(n)], [n.id for n in graph.nodes if is_output(n)]
    with _quiet():
        program = torch.onnx.export(
            _exportable(network),
            samples,
            dynamo=True,
            verbose=False,
            optimize=False,  # which would merge batch normalization into convolutions: other weights than were trained
            dynamic_shapes=_dynamic(network, samples),
            input_names=names[0],
            output_names=names[1],
            custom_translation_table=onnx_layers.translations(),
        )
        assert program is not None
        _fold(program.model)
        if _clashes(network):
            _plainly_named(program.model)
        program.save(path, external_data=False)


def _fold(model: Any) -> None:
    """Work out what is constant (the lengths of a reshape, say), so that a layer is one operator."""
    from onnxscript import optimizer

    optimizer.fold_constants(model, input_size_limit=1024)
    optimizer.remove_unused_nodes(model)


def _samples(graph: Graph) -> tuple[Tensor, ...]:
    """Two samples of zeros for each input."""
    found = []
    for block in (n.block for n in graph.nodes if is_input(n)):
        assert isinstance(block, Block)
        kind = torch.int64 if block.holds == "tokens" else torch.float32
        found.append(torch.zeros((2, *(block.source_shape() or ())), dtype=kind))
    return tuple(found)


def _program(network: nn.Module, samples: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a recurrent layer's flat weights, which torch makes by itself
        return torch.export.export(_exportable(network), samples, dynamic_shapes=_dynamic(network, samples))


class _Whole(nn.Module):
    """A network inside another module: its layers may be called as a program has it for itself, such as `code`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        found: Tensor | tuple[Tensor, ...] = self.network(*inputs)
        return found


def _clashes(network: nn.Module) -> bool:
    """Whether a layer has a name that torch's exported programs need, which they would take for something else."""
    return any(hasattr(torch.fx.GraphModule, name) for name, _ in network.named_children())


def _exportable(network: nn.Module) -> nn.Module:
    return _Whole(network).eval() if _clashes(network) else network


def _plainly_named(model: Any) -> None:
    """Call weights and layers as in the network itself, also where that was within another module."""
    scopes, classes = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
    for value in list(model.graph.initializers.values()):
        value.name = value.name.removeprefix("network.")
    for node in model.graph:
        if "'network'" in node.metadata_props.get(scopes, ""):
            told = node.metadata_props[scopes].replace("'network', ", "").replace("'network.", "'")
            node.metadata_props[scopes] = told
            node.metadata_props.pop(classes, None)  # it is one longer now


def _dynamic(network: nn.Module, samples: tuple[Tensor, ...]) -> Any:
    free = _any_number(samples)
    return (free,) if _clashes(network) else free


def _any_number(samples: tuple[Tensor, ...]) -> tuple[dict[int, torch.export.Dim], ...]:
    """The same free number of samples at every input."""
    batch = torch.export.Dim("batch", min=1)
    return tuple({0: batch} for _ in samples)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's words on packages that are not needed."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
