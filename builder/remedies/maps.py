"""Remedies for outputs that should be pictures, maps of classes or sequences, rather than vectors."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from blocks.base import Block, SettingError, Shape
from builder import edits
from builder.graph import Edge
from builder.problems import Edit
from builder.remedies.scene import Candidate, Scene, by_role, insert, set_to
from builder.shapes import size


def output_map(scene: Scene, wanted: Shape, edge: Edge) -> Iterator[Candidate]:
    """Let what reaches the output through `edge` have the shape `wanted`, of two or more dimensions."""
    received = scene.shape(edge.source)
    if received is None:
        return
    if len(received) == len(wanted) == 3:
        yield from _picture(scene, wanted, received, edge)
    if len(received) == len(wanted) == 2 and received[0] == wanted[0]:
        yield from _each_step(scene, wanted, edge)
    yield from _reshaped(scene, wanted, received, edge)


def _picture(scene: Scene, wanted: Shape, received: Shape, edge: Edge) -> Iterator[Candidate]:
    resized = list(_resized(wanted, received))
    if received[0] == wanted[0]:
        for label, blocks in resized:
            yield label, chained(scene, edge, *blocks)
        return
    for id in behind(scene, edge.source):
        block = scene.graph.node(id).block
        if isinstance(block, Block) and any(s.name == "out_channels" for s in block.settings()):
            label, changes = f"Set out_channels of {id} to {wanted[0]}", set_to(scene, "out_channels", wanted[0], id=id)
            yield label, changes
            for more, blocks in resized:
                yield f"{label}, {more[0].lower()}{more[1:]}", changes + chained(scene, edge, *blocks)
    project = by_role("project")
    if project is not None:
        layer = project.from_settings({"out_channels": wanted[0], "kernel_size": 1})
        label = f"Insert {project.label} → {wanted[0]} channels"
        yield label, chained(scene, edge, layer)
        for more, blocks in resized:
            yield f"{label}, {more[0].lower()}{more[1:]}", chained(scene, edge, layer, *blocks)


def _resized(wanted: Shape, received: Shape) -> Iterator[tuple[str, list[Block]]]:
    """Blocks that bring a picture to the wanted height and width; none where that is further than a block goes."""
    with contextlib.suppress(SettingError):
        yield from _to_size(wanted, received)


def _to_size(wanted: Shape, received: Shape) -> Iterator[tuple[str, list[Block]]]:
    enlarge, crop = by_role("enlarge"), by_role("crop")
    (height, width), (rows, columns) = wanted[1:], received[1:]
    middle = None if crop is None else crop.from_settings({"height": height, "width": width})
    if rows >= height and columns >= width and (rows, columns) != (height, width) and middle is not None:
        yield f"Crop to {height}×{width}", [middle]
    elif (rows < height or columns < width) and enlarge is not None:
        factor = max(math.ceil(height / rows), math.ceil(width / columns))
        larger = enlarge.from_settings({"scale_factor": factor})
        if (rows * factor, columns * factor) == (height, width):
            yield f"Enlarge {factor} times", [larger]
        elif middle is not None:
            yield f"Enlarge {factor} times and crop to {height}×{width}", [larger, middle]


def _each_step(scene: Scene, wanted: Shape, edge: Edge) -> Iterator[Candidate]:
    """The layer that gives every step of a sequence its numbers gives as many as wanted."""
    for id in behind(scene, edge.source):
        block, shape = scene.graph.node(id).block, scene.shape(id)
        if not isinstance(block, Block) or shape is None or len(shape) != 2:
            continue
        if any(s.name == "out_features" for s in block.settings()):
            yield f"Set out_features of {id} to {wanted[1]:,}", set_to(scene, "out_features", wanted[1], id=id)


def _reshaped(scene: Scene, wanted: Shape, received: Shape, edge: Edge) -> Iterator[Candidate]:
    """Lay the numbers out as wanted; the layer that makes them gives as many."""
    reshape, count = by_role("reshape"), math.prod(wanted)
    if reshape is None:
        return
    laid = reshape.from_settings({"shape": wanted})
    if math.prod(received) == count:
        yield f"Insert {reshape.label} → {size(wanted)}", chained(scene, edge, laid)
    changes: list[Edit] | None = None if len(received) > 1 else chained(scene, edge, laid)
    for id in behind(scene, edge.source):
        block = scene.graph.node(id).block
        if changes is None and type(block) is reshape:
            changes = set_to(scene, "shape", list(wanted), id=id)
        if changes is not None and isinstance(block, Block) and any(s.name == "out_features" for s in block.settings()):
            label = f"Set out_features of {id} to {count:,}, laid out as {size(wanted)}"
            yield label, set_to(scene, "out_features", count, id=id) + changes


def behind(scene: Scene, id: str, most: int = 4) -> Iterator[str]:
    """A node and those before it, through first inputs."""
    at: str | None = id
    for _ in range(most):
        if at is None:
            return
        yield at
        at = next(iter(scene.sources[at].values()), None)


def chained(scene: Scene, edge: Edge, *blocks: Block) -> list[Edit]:
    """Edits that put blocks of one input into a wire, one after the other."""
    found: list[Edit] = []
    project = scene.project
    for block in blocks:
        now = Scene(project, scene.report, scene.problem)
        wire = next(e for e in now.graph.incoming(edge.target) if e.target_port == edge.target_port)
        made = insert(now, wire, block)
        found += made
        project = edits.apply(project, made)
    return found
