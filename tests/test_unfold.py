"""A composite opened for good computes what it computed before."""

from __future__ import annotations

import pytest
import torch

import builder
from builder.unfold import unfold


@pytest.mark.parametrize(("template", "id"), [("resnet_digits", "block1"), ("resnet_digits", "block3")])
def test_the_unfolded_network_gives_the_same_outputs(template: str, id: str) -> None:
    project = builder.templates.load(template)
    before = builder.check(project)
    shapes = tuple(before.nodes["network"][id].inputs.values())
    changed = project.with_network("network", unfold(project.networks["network"], id, shapes))
    after = builder.check(changed)
    assert after.ok, after.problems
    assert id not in changed.networks["network"].ids()
    assert after.parameters == before.parameters
    networks = []
    for each in (project, changed):
        torch.manual_seed(0)
        networks.append(builder.compile(each)["network"])
    x = torch.randn(3, *before.shapes["network"]["image"])
    assert torch.equal(networks[0](x), networks[1](x))


def test_branches_keep_their_wires() -> None:
    project = builder.templates.load("googlenet")
    before = builder.check(project)
    shapes = tuple(before.nodes["network"]["inception3a"].inputs.values())
    changed = project.with_network("network", unfold(project.networks["network"], "inception3a", shapes))
    after = builder.check(changed)
    assert after.ok
    assert after.shapes["network"]["inception3b"] == before.shapes["network"]["inception3b"]


def test_a_plain_block_is_refused() -> None:
    graph = builder.templates.load("lenet5").networks["network"]
    with pytest.raises(ValueError, match="conv1 has no inner blocks"):
        unfold(graph, "conv1", ((1, 28, 28),))
