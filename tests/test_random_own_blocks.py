"""Random networks with own blocks, made by folding: nested, repeated, with settings exposed, with auxiliary heads.

What `check` calls ok compiles, agrees with an interpreter that knows no generated code, trains, exports, and its
model.py opens again as a network that computes the same.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies
from test_random_graphs import Anything, accepted, careful, same, surroundings

import builder
from builder import edits, reading
from builder.fold import FoldError, make_block
from builder.graph import Graph
from builder.own import OwnBlock, inside
from builder.project import Project, dumps, loads
from builder.structure import is_input, is_output
from builder.validate import check

__all__ = ["surroundings"]  # a fixture that is used by being here

EXAMPLES = 100


def folded(project: Project, name: str, dice: random.Random) -> Project:
    """The project with some of its blocks as one block, which has some of their settings as its own."""
    graph = project.networks["network"]
    inner = [id for id in graph.order() if not is_input(graph.node(id)) and not is_output(graph.node(id))]
    joining = [i for i, id in enumerate(inner) if len(graph.node(id).block.ports()) > 1]
    start = dice.choice(joining) if joining and dice.random() < 0.5 else dice.randrange(len(inner))
    chosen = inner[start : start + dice.randint(1, 4)]
    exposed: dict[str, list[tuple[str, str]]] = {}
    for id in chosen:
        block = graph.node(id).block
        for spec in () if not hasattr(block, "settings") else block.settings():
            if dice.random() < 0.3 and spec.name != getattr(block, "variadic", None):
                exposed[f"{id}_{spec.name}"] = [(id, spec.name)]
    try:
        return edits.apply(project, make_block(project, check(project), "network", chosen, name, exposed))
    except FoldError:
        return project


def with_own_blocks(dice: random.Random, length: int) -> Project:
    """Networks are drawn and folded in turn, each of the blocks that the one before has left."""
    project = careful(dice, length)
    for level in range(dice.randint(1, 3)):
        for number in range(dice.randint(1, 2)):
            project = folded(project, f"Own{level}{number}", dice)
        own = [cls for cls in project.own.values() if isinstance(cls, type)]
        drawn = careful(dice, length, own, heads=dice.choice((0, 0, 1, 2)))
        before = {**project.blocks}
        project = loads(dumps(drawn.replace(blocks=before)))
    return folded(project, "Last", dice) if dice.random() < 0.5 else project


def depth(graph: Graph) -> int:
    """How many own blocks lie inside each other."""
    return max((1 + depth(inside(n.block)) for n in graph.nodes if isinstance(n.block, OwnBlock)), default=0)


def opens_again(project: Project) -> None:
    """The text of model.py is read as a network with the same numbers; weights go over by order."""
    text = builder.source(project)
    again = reading.read("model.py", text.encode()).project
    first = builder.compile(project)["network"].eval()
    second = builder.compile(again.replace(data=project.data, training=project.training))["network"].eval()
    ours, theirs = first.state_dict(), second.state_dict()
    assert [t.shape for t in ours.values()] == [t.shape for t in theirs.values()]
    second.load_state_dict(dict(zip(theirs, ours.values(), strict=True)))
    data = Anything.from_settings(project.data.settings)
    x = data.load_arrays(data.to_settings(), None)["train"]["x"]
    with torch.no_grad():
        assert same(first(x), second(x))


@pytest.mark.slow
def test_whatever_check_says_of_own_blocks_holds(tmp_path: Path) -> None:
    counted: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategies.integers(1, 6), strategies.integers(0, 2**32))
    def holds(length: int, seed: int) -> None:
        project = with_own_blocks(random.Random(seed), length)
        report = check(project)
        counted["ok" if report.ok else "refused"] += 1
        if not report.ok:
            assert all(p.message.strip() for p in report.problems)
            return
        graph = project.networks["network"]
        counted["own"] += any(isinstance(n.block, OwnBlock) for n in graph.nodes)
        counted["nested"] += depth(graph) > 1
        counted["repeated"] += any(getattr(n.block, "repeat", 1) > 1 for n in graph.nodes)
        counted["several inputs"] += any(
            isinstance(n.block, OwnBlock) and len(n.block.ports()) > 1 for n in graph.nodes
        )
        counted["heads"] += sum(map(is_output, graph.nodes)) > 1
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            accepted(project, Path(folder))
        opens_again(project)

    holds()
    assert counted["ok"] >= EXAMPLES * 0.8, counted
    for kind in ("own", "nested", "repeated", "several inputs", "heads"):
        assert counted[kind] >= EXAMPLES // 50, counted
