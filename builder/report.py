"""What is known of a project once it is checked: of every node, of every network, and of the parts around them."""

from __future__ import annotations

from dataclasses import dataclass, field

from blocks.base import Shape
from builder.data.base import Dataset
from builder.problems import Problem
from builder.shapes import Inner
from builder.tasks.base import Loss, Task
from builder.training.settings import TrainingSettings


@dataclass(slots=True)
class NodeReport:
    """What is known of one node. `inputs` are the shapes at its ports; `waits_for` the broken node upstream."""

    shape: Shape | None = None
    inputs: dict[str, Shape] = field(default_factory=dict)
    parameters: int = 0
    flops: int = 0
    elements: int = 0
    state: str = "ok"
    waits_for: str | None = None
    inner: tuple[Inner, ...] = ()
    explain: str = ""


@dataclass
class Report:
    """The outcome of `check`; the inner keys of `shapes` and `nodes` are node ids.

    `flops` are multiply-adds of one sample, `memory` bytes while training: weights, gradients, two
    optimizer states, and the outputs of one batch with their gradients.
    """

    problems: tuple[Problem, ...] = ()
    shapes: dict[str, dict[str, Shape]] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)
    flops: dict[str, int] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    nodes: dict[str, dict[str, NodeReport]] = field(default_factory=dict)
    insides: dict[str, dict[str, NodeReport]] = field(default_factory=dict)
    """The insides of the project's own blocks, with the usual values of their arguments, by the block's name."""
    missing: str | None = None
    """What a person must still give before the data can be loaded, as a sentence; shapes and code do without."""

    @property
    def ok(self) -> bool:
        """Whether the project can be trained: no problem is an error."""
        return not any(p.severity == "error" for p in self.problems)


@dataclass(frozen=True)
class Parts:
    """The parts of a project besides its networks, looked up; None where that failed."""

    dataset: Dataset | None
    task: Task | None
    loss: Loss | None
    training: TrainingSettings | None
