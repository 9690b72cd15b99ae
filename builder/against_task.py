"""What of a network does not suit the data, the task and the loss it is trained with."""

from __future__ import annotations

import math
from collections.abc import Iterator

from blocks.base import Block, Shape
from builder import structure
from builder.data.base import Dataset
from builder.graph import Graph
from builder.problems import Problem
from builder.report import NodeReport, Parts
from builder.shapes import Inner, leaves, size
from builder.structure import Wiring, is_input, is_output
from builder.tasks.base import Loss, Task


def against_task(
    network: str, graph: Graph, wires: Wiring, known: dict[str, NodeReport], parts: Parts
) -> Iterator[Problem]:
    """The problems of one network: its inputs, its outputs, what can learn in it, its batch statistics."""
    yield from _batch_statistics(network, graph, known, parts)
    if parts.task is None or parts.dataset is None or network not in parts.task.slots:
        return
    wanted = parts.task.inputs(parts.dataset, network)
    inputs = [n for n in graph.nodes if is_input(n)]
    if inputs and len(inputs) != len(wanted):
        names = ", ".join(name for name, _ in wanted)
        message = (
            f"The network has {len(inputs)} inputs ({', '.join(n.id for n in inputs)}), but the data {parts.dataset.label} "
            f"feeds {len(wanted)} ({names})."
        )
        yield Problem(network, inputs[-1].id, None, "inputs", "error", message + " Remove or add an input block.")
    else:
        for node, (name, given) in zip(inputs, wanted, strict=False):
            block = node.block
            assert isinstance(block, Block)
            holds = "tokens" if given.holds == "tokens" else "features"
            vocabulary = block.to_settings().get("vocabulary") if holds == "tokens" else None
            if block.source_shape() != given.shape or block.holds != holds:
                message = (
                    f"{node.id} expects {size(block.source_shape() or ())}, but the data {parts.dataset.label} gives "
                    f"{name} of {size(given.shape)}. Set the input to the data's shape, or resize the data."
                )
                yield Problem(network, node.id, None, "input-mismatch", "error", message)
            elif vocabulary is not None and given.size is not None and vocabulary != given.size:
                message = (
                    f"{node.id} has a vocabulary of {vocabulary}, but the data {parts.dataset.label} uses {given.size} "
                    "tokens. Set the vocabulary to the data's."
                )
                yield Problem(network, node.id, None, "input-mismatch", "error", message)
    if parts.loss is not None:
        yield from _outputs(network, graph, wires, known, parts.dataset, parts.task, parts.loss)


def _outputs(
    network: str,
    graph: Graph,
    wires: Wiring,
    known: dict[str, NodeReport],
    dataset: Dataset,
    task: Task,
    loss: Loss,
) -> Iterator[Problem]:
    outputs = [n for n in graph.nodes if is_output(n)]
    shapes = task.all_output_shapes(dataset, loss, network, len(outputs))
    if outputs and len(outputs) != len(shapes):
        listed = ", ".join(n.id for n in outputs)
        message = (
            f"The network has {len(outputs)} outputs ({listed}), but the task {task.label} takes {len(shapes)}. "
            "Remove the one that is not meant."
        )
        yield Problem(network, outputs[-1].id, None, "outputs", "error", message)
        return
    fixed = frozenset(n.id for n in graph.nodes if isinstance(n.block, Block) and n.block.independent)
    useful = structure.leading_to([n.id for n in outputs], wires, fixed)
    if outputs and all(known[id].shape is not None and not known[id].parameters for id in useful):
        message = (
            "Nothing can be trained: no block between input and output has parameters. "
            "Add a layer that has some, such as a fully connected one or a convolution."
        )
        yield Problem(network, outputs[0].id, None, "no-parameters", "error", message)
    learning = [n.id for n in graph.nodes if n.id in useful and known[n.id].parameters]
    if learning and not any(_learns(graph.node(id).rate, known[id]) for id in learning):
        inside = "" if graph.node(learning[-1]).rate == 0 else ", or to a block inside it"
        message = (
            f"Every block with parameters is frozen ({', '.join(learning[:3])}{', ...' if len(learning) > 3 else ''}), "
            f"so nothing can be trained. Give one of them a rate above 0, such as {learning[-1]}{inside}."
        )
        yield Problem(network, learning[-1], None, "all-frozen", "error", message)
    for node, wanted in zip(outputs, shapes, strict=False):
        shape = known[node.id].shape
        if shape is None:
            continue
        remedy = None if wanted is None else task.output_problem(shape, wanted)
        if wanted is not None and remedy is not None:
            why = task.reason(dataset, loss, network)
            last = wires.sources[node.id].get("in", node.id)
            message = f"{node.id} receives {size(shape)} from {last}, but {why} need {size(wanted)}. {remedy}"
            yield Problem(network, node.id, "in", "output-mismatch", "error", message)
        if loss.expects_logits:
            source = wires.sources[node.id].get("in")
            block = graph.node(source).block if source is not None else None
            if isinstance(block, Block) and block.probabilities:
                message = (
                    f"{source} ({block.label}) gives probabilities, but the loss {loss.label or loss.name} wants raw "
                    f"scores and applies it itself: twice learns slowly. Remove {source}."
                )
                yield Problem(network, source, None, "probabilities", "warning", message)


def _learns(rate: float, known: NodeReport) -> bool:
    """Whether anything in a block moves: it is not frozen, nor is all that has parameters inside."""
    return rate != 0 and (
        not known.inner or any(part.rate and part.inferred.parameters for part in leaves(known.inner))
    )


def _batch_statistics(network: str, graph: Graph, known: dict[str, NodeReport], parts: Parts) -> Iterator[Problem]:
    """Batch normalization of one value per channel divides by nothing when a batch is a single sample."""
    if parts.training is None or parts.training.batch_size > 1:
        return
    for node in graph.nodes:
        shape = known[node.id].shape
        if shape is not None and isinstance(node.block, Block) and _lonely(node.block, shape, known[node.id].inner):
            message = (
                f"{node.id} ({node.block.label}) normalizes over the batch, but a batch of 1 leaves it a single value "
                "per channel. Use a batch size of 2 or more."
            )
            yield Problem(network, node.id, None, "one-value", "error", message)


def _lonely(block: Block, shape: Shape, inner: tuple[Inner, ...]) -> bool:
    if block.per_batch and math.prod(shape[1:]) == 1:
        return True
    return any(_lonely(i.block, i.inferred.shape, i.inferred.inner) for i in inner)
