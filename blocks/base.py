"""What a block is: its settings, its ports, and how it becomes a layer.

A block is declared once, as a frozen class whose fields are its settings::

    class Linear(Block):
        label, category = "Linear", "dense"
        inputs = (Port("in", rank=1),)
        out_features: int = setting(10, min=1, help="how many numbers come out")

        def layer(self, x: Shape) -> Call:
            return Call("nn.Linear", x[0], self.out_features)

Everything else (palette entry, form, bounds, shape, module, exported line, docs, tests) is derived
from that declaration. Shapes never include the batch: a grey 28 by 28 picture is ``(1, 28, 28)``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from blocks.declared import Declared, Json, Setting, SettingError, setting

__all__ = [
    "Block",
    "BlockError",
    "Call",
    "Declared",
    "Example",
    "Json",
    "Port",
    "Setting",
    "SettingError",
    "Shape",
    "Step",
    "Subgraph",
    "setting",
]

Shape = tuple[int, ...]
"""The shape of one sample, without the batch."""


class BlockError(ValueError):
    """A block cannot take what it receives.

    The message is a sentence for the person at the canvas: what is wrong, the numbers received, and
    what to do. `code` is a stable short name of the kind of mistake (``"kernel-too-large"``).
    """

    def __init__(self, message: str, code: str = "shape", port: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.port = port


@dataclass(frozen=True)
class Port:
    """An input of a block.

    `rank` is the number of dimensions of one sample (an image has 3, a flat vector 1), or several
    allowed ranks, or None for any. `holds` is ``"features"`` (floats) or ``"tokens"`` (integers).
    """

    name: str
    rank: int | tuple[int, ...] | None = None
    holds: str = "features"

    def accepts(self, shape: Shape) -> bool:
        """Whether a sample of this shape has a rank this port takes."""
        ranks = (self.rank,) if isinstance(self.rank, int) else self.rank
        return ranks is None or len(shape) in ranks


class Call:
    """A constructor call as plain data; its `repr` is its source.

    `target` is a dotted name under ``nn`` (``"nn.Conv2d"``) or the bare name of a class in
    `blocks.modules`. Arguments are numbers, strings, None, tuples of these, or further calls.

    >>> Call("nn.Conv2d", 3, 16, kernel_size=3, padding=1)
    nn.Conv2d(3, 16, kernel_size=3, padding=1)
    """

    __slots__ = ("args", "kwargs", "target")

    def __init__(self, target: str, *args: Any, **kwargs: Any) -> None:
        self.target = target
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        parts = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.kwargs.items()]
        return f"{self.target}({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Call)
            and self.target == other.target
            and self.args == other.args
            and self.kwargs == other.kwargs
        )

    def __hash__(self) -> int:
        return hash((self.target, self.args, tuple(self.kwargs.items())))


@dataclass(frozen=True)
class Step:
    """One block inside a composite: its name there, where its inputs come from, and by how much faster it learns.

    `rate` is a factor of the learning rate of the composite; 0 freezes it.
    """

    id: str
    block: Block
    sources: tuple[str, ...]
    rate: float = 1.0


class Subgraph:
    """The inside of a composite, built forward.

    Sources are the names of the composite's input ports or ids of earlier steps::

        g = Subgraph()
        h = g.add("conv1", Conv2d(out_channels=8), "in")
        g.output(g.add("add", Add(), h, "in"))
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.result: str = ""
        self.chain = False
        """Whether it is a row of blocks and nothing else, which code writes as ``nn.Sequential``."""

    def add(self, id: str, block: Block, *sources: str, rate: float = 1.0) -> str:
        """Append a block that reads `sources` (one per input port); returns its id."""
        self.steps.append(Step(id, block, sources, rate))
        self.result = id
        return id

    def output(self, id: str) -> Subgraph:
        """Name the step whose output is the composite's (the last one added, unless told)."""
        self.result = id
        return self


@dataclass(frozen=True)
class Example:
    """A hand-written case that a block must satisfy: the oracle of its table test.

    `inputs` and `output` are shapes without the batch; `parameters` is the number of trainable
    values, None to leave it unchecked.
    """

    settings: dict[str, Json]
    inputs: tuple[Shape, ...]
    output: Shape
    parameters: int | None = None


class Block(Declared):
    """A thing one can put on the canvas. See the module's docstring for how to declare one.

    A leaf defines `layer`, a composite `template`, an input `source_shape`. A block with neither
    (the output) passes its input on unchanged and becomes no module.
    """

    category: ClassVar[str] = ""
    inputs: ClassVar[tuple[Port, ...]] = (Port("in"),)
    variadic: ClassVar[str | None] = None
    """Name of the integer setting that says how many inputs there are; they are called in1, in2, ..."""
    formula: ClassVar[str] = ""
    """One line of mathematics in plain text, shown in the inspector."""
    source: ClassVar[str] = ""
    """The paper or the documentation the block follows."""
    examples: ClassVar[tuple[Example, ...]] = ()
    holds: ClassVar[str] = "features"
    """What the output holds: ``"features"`` (floats) or ``"tokens"`` (integers)."""
    stochastic: ClassVar[bool] = False
    """Whether the output may differ from call to call in training mode (dropout, noise)."""
    probe_real: ClassVar[bool] = False
    """Whether its shape is found by a real run of two samples: some layers, recurrent ones say, are slow on torch's meta
    device."""
    role: ClassVar[str] = ""
    """What the block can do for a repair: ``output``, ``flatten``, ``reshape``, ``pad``, ``crop``, ``enlarge``,
    ``project``, ``readout``, ``embed``."""
    per_batch: ClassVar[bool] = False
    """Whether it needs several values per channel in a training batch, as batch normalization does."""
    probabilities: ClassVar[bool] = False
    """Whether its output is already normalized over the classes, which a loss on raw scores does not want."""
    independent: ClassVar[bool] = False
    """Whether its numbers do not depend on what comes in, so that nothing before it can learn."""
    functions: ClassVar[tuple[str, ...]] = ()
    """Functions and operators that do the same in code written by hand: ``+`` and ``add``."""
    stem: ClassVar[str] = ""
    """What a new node is called (``"conv"`` gives conv1, conv2 ...); the name in lower case unless told."""

    def class_name(self) -> str:
        """What code calls the class of this composite; the block's own name unless its settings have a better one."""
        return type(self).__name__

    def summary(self) -> str:
        """What this use does, in a sentence for the docstring of its class: `help`, unless settings tell more."""
        return self.help

    def ports(self) -> tuple[Port, ...]:
        """The input ports of this instance (their number may depend on a setting)."""
        if self.variadic is None:
            return self.inputs
        port = self.inputs[0]
        return tuple(dataclasses.replace(port, name=f"in{i + 1}") for i in range(getattr(self, self.variadic)))

    def check(self, *shapes: Shape) -> None:
        """Raise BlockError for input shapes that torch would refuse unclearly or accept silently."""

    def check_vocabulary(self, size: int) -> None:
        """Raise BlockError when tokens as large as `size` - 1 do not fit this block."""

    def layer(self, *shapes: Shape) -> Call | None:
        """The constructor call of this block's module for these input shapes; None for no leaf."""
        return None

    def template(self, *shapes: Shape) -> Subgraph | None:
        """The inside of this block for these input shapes; None for no composite."""
        return None

    def source_shape(self) -> Shape | None:
        """The shape of a sample that enters the network here; None if this is no input."""
        return None

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        """Multiply-adds of one sample's forward pass, the count of torchvision's tables.

        Additions of a bias, activations, pooling and normalization are left out, as there.
        """
        return 0

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        """The formula with this instance's numbers put in, one line each; empty if there is none."""
        return ""
