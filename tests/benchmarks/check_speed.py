"""Checking a network of 1,000 convolutions, all different: with an empty cache, and after one edit.

Best of 5 in a warm process, one thread. Goals: 300 ms cold, 10 ms after an edit (a setting of one block in the
middle; blocks after it keep their input shapes).

    python tests/benchmarks/check_speed.py
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import networks
import torch

from builder import shapes, structure, validate
from builder.project import Project
from builder.source import source
from builder.validate import check

NODES = 1000
COLD, EDIT = 0.300, 0.010


def convolutions() -> Project:
    """A chain in which no convolution has the settings and the input of another."""
    rows = [("image", "Image", {"channels": 1, "height": 28, "width": 28})]
    used: set[tuple[int, int]] = set()
    before = 1
    for i in range(NODES):
        out = next(o for o in itertools.chain(range(i % 64 + 1, 65), range(1, 65)) if (before, o) not in used)
        used.add((before, out))
        rows.append((f"conv{i}", "Conv2d", {"out_channels": out, "kernel_size": 3, "padding": 1}))
        before = out
    rows += [
        ("pool", "AdaptiveAvgPool2d", {}),
        ("flatten", "Flatten", {}),
        ("fc", "Linear", {"out_features": 10}),
        ("output", "Output", {}),
    ]
    return networks.project("chain", *rows)


def best(action: Callable[[], object], before: Callable[[], object]) -> float:
    """The shortest of 5 times of `action`, in seconds; `before` runs ahead of each and is not timed."""
    times = []
    for _ in range(5):
        before()
        begun = time.process_time()
        action()
        times.append(time.process_time() - begun)
    return min(times)


def main() -> int:
    """Print both times; the exit status says whether they reach the goals."""
    torch.set_num_threads(1)
    project = convolutions()
    report = check(project)
    assert report.ok, report.problems

    lines = source(project).splitlines()
    assert len({line.split("#")[0].split("=", 1)[1] for line in lines if "= nn.Conv2d" in line}) == NODES

    def forget() -> None:
        shapes.infer.cache_clear()
        validate._understood.cache_clear()
        structure.wiring.cache_clear()

    cold = best(lambda: check(project), forget)
    print(f"check of {NODES} different convolutions, empty cache: {cold * 1e3:6.1f} ms (goal {COLD * 1e3:.0f})")

    dilations = itertools.count(2)
    edited = [project]

    def edit() -> None:
        graph = project.networks["network"]
        node = graph.node(f"conv{NODES // 2}")
        dilation = next(dilations)  # never seen before; the padding keeps the size of the output
        block = node.block.replace(dilation=dilation, padding=dilation)
        edited[0] = project.with_network("network", graph.with_node(type(node)(node.id, block)))

    check(project)
    once = best(lambda: check(edited[0]), edit)
    print(f"check after one edit of them:                         {once * 1e3:6.1f} ms (goal {EDIT * 1e3:.0f})")
    written = best(lambda: source(project), lambda: None)
    print(f"source of them, shapes known:                         {written * 1e3:6.1f} ms")
    return int(cold > COLD or once > EDIT)


if __name__ == "__main__":
    raise SystemExit(main())
