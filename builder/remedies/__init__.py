"""Remedies by the code of the problem they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from builder.remedies import ends, parts, scene, shapes, wires

REMEDIES: dict[str, Callable[[scene.Scene], Iterator[scene.Candidate]]] = {
    "rank": shapes.rank,
    "tokens": shapes.tokens,
    "add-mismatch": shapes.equal,
    "subtract-mismatch": shapes.equal,
    "mean-mismatch": shapes.equal,
    "concat-mismatch": shapes.equal,
    "kernel-too-large": shapes.kernel,
    "groups": shapes.divisor,
    "heads": shapes.divisor,
    "padding": shapes.smaller,
    "crop": shapes.smaller,
    "dim": shapes.smaller,
    "reshape": shapes.smaller,
    "channels": scene.removal,
    "vocabulary": shapes.vocabulary,
    "input-mismatch": ends.input,
    "no-input": ends.no_input,
    "empty": ends.no_input,
    "no-output": ends.no_output,
    "output-mismatch": ends.output_shape,
    "outputs": ends.extra_end,
    "inputs": ends.extra_end,
    "cycle": wires.loop,
    "loose-wire": wires.bad_wire,
    "unknown-port": wires.bad_wire,
    "two-wires": wires.bad_wire,
    "after-output": wires.after_output,
    "missing-input": wires.missing,
    "dangling": wires.dangling,
    "name": wires.name,
    "unknown-block": wires.unknown,
    "probabilities": scene.removal,
    "training-setting": parts.training,
    "memory": parts.batch_size,
    "one-value": parts.batch_size,
    "unknown-data": parts.part,
    "data-setting": parts.part,
    "unknown-task": parts.part,
    "task-setting": parts.part,
    "unknown-loss": parts.part,
    "loss-setting": parts.part,
    "unknown-optimizer": parts.part,
    "optimizer-setting": parts.part,
    "missing-optimizer": parts.optimizer,
}
