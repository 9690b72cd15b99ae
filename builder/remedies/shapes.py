"""Remedies for blocks that cannot take what they receive."""

from __future__ import annotations

import math
from collections.abc import Iterator

from blocks.base import Block, Shape
from builder.project import node_to_json
from builder.remedies.scene import Candidate, Scene, by_role, insert, removal, set_to, wire


def rank(scene: Scene) -> Iterator[Candidate]:
    edge, flatten = wire(scene, scene.problem.port), by_role("flatten")
    if edge is not None and flatten is not None:
        shape = scene.shape(edge.source) or ()
        yield f"Insert {flatten.label} → {math.prod(shape):,}", insert(scene, edge, flatten())


def tokens(scene: Scene) -> Iterator[Candidate]:
    edge, embed = wire(scene, scene.problem.port), by_role("embed")
    if edge is not None and embed is not None:
        block = scene.graph.node(edge.source).block
        vocabulary = getattr(block, "vocabulary", None)
        if isinstance(vocabulary, int):
            yield f"Insert {embed.label}", insert(scene, edge, embed.from_settings({"num_embeddings": vocabulary}))
        yield from removal(scene)


def equal(scene: Scene) -> Iterator[Candidate]:
    """Make one input of a merge like another: project channels, crop, pad, or map a vector."""
    merge = scene.known[scene.node.id].inputs
    project, readout, crop, pad = (by_role(r) for r in ("project", "readout", "crop", "pad"))
    wires = {e.target_port: e for e in scene.graph.incoming(scene.node.id)}
    pairs = [(a, b) for b in merge for a in reversed(merge) if a != b and merge[a] != merge[b]]
    same_channels = scene.problem.code == "add-mismatch"
    for port, like in pairs:
        have, want, edge = merge[port], merge[like], wires[port]
        if len(have) == len(want) == 3:
            if same_channels and have[0] != want[0] and project is not None:
                for block in _projections(project, have, want):
                    yield f"Project {edge.source} to {want[0]} channels", insert(scene, edge, block)
            if crop is not None and have[1] >= want[1] and have[2] >= want[2]:
                block = crop.from_settings({"height": want[1], "width": want[2]})
                yield f"Crop {edge.source} to {want[1]}×{want[2]}", insert(scene, edge, block)
            if pad is not None and have[1] <= want[1] and have[2] <= want[2]:
                top, left = (want[1] - have[1]) // 2, (want[2] - have[2]) // 2
                sides = {"top": top, "left": left, "bottom": want[1] - have[1] - top, "right": want[2] - have[2] - left}
                yield f"Pad {edge.source} to {want[1]}×{want[2]}", insert(scene, edge, pad.from_settings(sides))
        elif len(have) == len(want) == 1 and same_channels and readout is not None:
            block = readout.from_settings({"out_features": want[0]})
            yield f"Map {edge.source} to {want[0]} numbers", insert(scene, edge, block)
    flatten = by_role("flatten")
    for port, shape in merge.items():
        if len(shape) > 1 and flatten is not None and any(len(other) == 1 for other in merge.values()):
            yield f"Insert {flatten.label} after {wires[port].source}", insert(scene, wires[port], flatten())


def _projections(project: type[Block], have: Shape, want: Shape) -> Iterator[Block]:
    """Convolutions from one picture's shape to another: 1×1 with a stride, else as large as what is too much."""
    stride = max(1, round(have[1] / want[1]))
    settings = {"out_channels": want[0], "kernel_size": 1, "stride": stride, "bias": False}
    yield project.from_settings(settings)
    kernel = [have[1] - want[1] + 1, have[2] - want[2] + 1]
    if min(kernel) >= 1 and max(kernel) <= 11:
        yield project.from_settings(
            {**settings, "kernel_size": kernel if kernel[0] != kernel[1] else kernel[0], "stride": 1}
        )


def kernel(scene: Scene) -> Iterator[Candidate]:
    settings = node_to_json(scene.node)["settings"]
    shapes = scene.inputs
    largest = min((n for shape in shapes for n in shape[1:]), default=1)
    now = settings.get("kernel_size")
    if isinstance(now, (int, list)):
        whole = max(now) if isinstance(now, list) else now
        for kernel in dict.fromkeys((*(k for k in (7, 5, 3) if k < whole and k <= largest), largest, 2, 1)):
            if kernel < whole:
                yield f"Set kernel_size to {kernel}", set_to(scene, "kernel_size", kernel)
        yield f"Set padding to {whole // 2}", set_to(scene, "padding", whole // 2)
    yield from removal(scene)


def divisor(scene: Scene) -> Iterator[Candidate]:
    settings = node_to_json(scene.node)["settings"]
    shape = next(iter(scene.inputs), (1,))
    counts = [shape[0], shape[-1], settings.get("out_channels", 0)]
    for name in ("groups", "num_groups", "num_heads"):
        if name in settings:
            for count in counts:
                yield (
                    f"Set {name} to {math.gcd(settings[name], count)}",
                    set_to(scene, name, math.gcd(settings[name], count)),
                )
            yield f"Set {name} to 1", set_to(scene, name, 1)


def smaller(scene: Scene) -> Iterator[Candidate]:
    """Settings that reach beyond the input are brought back to it."""
    settings = node_to_json(scene.node)["settings"]
    shape = next(iter(scene.inputs), ())
    if "padding" in settings:
        kernel = settings.get("kernel_size", 1)
        half = (min(kernel) if isinstance(kernel, list) else kernel) // 2
        for padding in dict.fromkeys((half, 0)):
            yield f"Set padding to {padding}", set_to(scene, "padding", padding)
    if "height" in settings and len(shape) == 3:
        height, width = min(settings["height"], shape[1]), min(settings["width"], shape[2])
        yield f"Crop to {height}×{width}", set_to(scene, "height", height) + set_to(scene, "width", width)
    if "dim" in settings:
        yield "Set dim to 0", set_to(scene, "dim", 0)
    if "shape" in settings:
        yield "Keep the first length, open the rest", set_to(scene, "shape", [shape[0] if len(shape) > 1 else 1, -1])
    yield from removal(scene)


def vocabulary(scene: Scene) -> Iterator[Candidate]:
    source = next(iter(scene.sources[scene.node.id].values()))
    vocabulary = getattr(scene.graph.node(source).block, "vocabulary", 0)
    yield f"Set num_embeddings to {vocabulary}", set_to(scene, "num_embeddings", vocabulary)
