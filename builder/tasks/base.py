"""What a task is: the networks it needs, its losses, how a batch becomes a step, and how it is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from blocks.base import Declared, Shape
from builder.data.base import Dataset, Field, Splits


class Loss(Declared):
    """A loss a task offers, declared by its settings; `name` is what the project file says."""

    name: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    expects_logits: ClassVar[bool] = False
    """Whether it applies the softmax itself, so that a network should end in raw scores."""

    def problem(self, dataset: Dataset) -> str | None:
        """Why this loss does not suit the data, as a sentence; None if it does. Reads no data."""
        return None


@dataclass(frozen=True)
class Metric:
    """A number by which a trained network is judged.

    `unit` is ``"%"`` for fractions shown as percent. `short` is what the field calls it where there is little room.
    """

    name: str
    label: str
    higher_is_better: bool = True
    unit: str = ""
    short: str = ""


@dataclass(frozen=True)
class Chart:
    """Curves over the steps in one picture: `names` are ``"loss/NAME"`` or ``"metric/NAME"``, alike in scale."""

    title: str
    names: tuple[str, ...]
    width: float = 1.0


@dataclass(frozen=True)
class Look:
    """Something a task gives to look at after every validation, and while it trains.

    `kind` names what draws it (a view of `builder.ui.views`). `arrays` says which array plays which
    role: ``"sample/NAME"`` one of the task's `results`, ``"total/NAME"`` one of its `totals`. `data`
    lists the kinds of data sets it is for; empty for all. `width` is its share of the panel's width.
    """

    kind: str
    title: str
    arrays: Mapping[str, str] = field(default_factory=dict)
    help: str = ""
    data: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    """Names of the losses it is for; empty for all."""
    width: float = 1.0


class Score(Protocol):
    """Makes metrics of rows from all batches of a split; see `Task.score`."""

    __name__: str

    def __call__(self, rows: dict[str, Tensor], settings: dict[str, Any], /) -> dict[str, float]: ...


class Measure(Protocol):
    """Makes metrics of the networks themselves; see `Task.measure`."""

    __name__: str

    def __call__(self, networks: dict[str, nn.Module], settings: dict[str, Any], /) -> dict[str, float]: ...


class Task(Declared):
    """A kind of job. A subclass has a `name` and is registered by it; it knows no page.

    `prepare`, `train_step` and `evaluate` are *plain functions*: they use only torch and other plain
    functions of the same file, since their very source is copied into the exported ``train.py``.
    """

    name: ClassVar[str] = ""
    slots: ClassVar[tuple[str, ...]] = ("network",)
    """Names of the networks the task trains."""
    losses: ClassVar[tuple[type[Loss], ...]] = ()
    """The losses it offers, the usual one first."""
    metrics: ClassVar[tuple[Metric, ...]] = ()
    """What `evaluate` returns; the first, on validation data, decides which weights are kept as best."""
    helpers: ClassVar[tuple[Callable[..., Any], ...]] = ()
    looks: ClassVar[tuple[Look, ...]] = ()
    """What there is to look at, the most telling first."""
    charts: ClassVar[tuple[Chart, ...]] = ()
    """The curves to draw; the loss and the first metric unless told."""
    live: ClassVar[int] = 0
    """How many of the first validation samples `results` follows while training, besides the validations."""
    film: ClassVar[tuple[str, ...]] = ()
    """Which of the `results` of those samples are kept as they were at several moments, as a film strip."""
    score: ClassVar[Score | None] = None
    """Plain, a static method: metrics that are no means over samples, from what `evaluate` left of a whole split.

    A value of `evaluate`'s metrics with at least one dimension is no sum: the values of all batches are
    joined along their first dimension, and ``score(rows, settings)`` makes metrics of them (mean
    intersection over union from the counts of each batch, mean average precision from all boxes).
    """

    @classmethod
    def drawn(cls) -> tuple[Chart, ...]:
        """The curves to draw: `charts`, or the loss and the first metric."""
        usual = Chart("Loss", ("loss/loss",), 1.1)
        return cls.charts or (
            usual,
            *(Chart(m.label[:1].upper() + m.label[1:], (f"metric/{m.name}",)) for m in cls.metrics[:1]),
        )

    @classmethod
    def metric(cls, name: str) -> Metric | None:
        """The metric of this name; None if it has none."""
        return next((m for m in cls.metrics if m.name == name), None)

    measure: ClassVar[Measure | None] = None
    """Plain, a static method: metrics that need no samples, once for every evaluation (accuracy on analogies)."""
    best_by_loss: ClassVar[bool] = False
    """Whether the weights kept as best are those of the smallest loss, rather than of the best first metric."""

    def inputs(self, dataset: Dataset, slot: str) -> tuple[tuple[str, Field], ...]:
        """The fields fed to this slot's input nodes, in their file order."""
        raise TypeError(f"{type(self).__name__} must define inputs()")

    def output_shapes(self, dataset: Dataset, loss: Loss, slot: str) -> tuple[Shape | None, ...]:
        """The shapes this slot's output nodes must have, in their file order; None where any will do."""
        raise TypeError(f"{type(self).__name__} must define output_shapes()")

    def reason(self, dataset: Dataset, loss: Loss, slot: str) -> str:
        """What needs the outputs' shapes, as the subject of a sentence in the plural."""
        classes = len(dataset.class_names())
        wanted = self.output_shapes(dataset, loss, slot)
        return f"{classes} classes" if wanted == ((classes,),) else loss.label or loss.name

    def taking(self, shape: Shape) -> Task | None:
        """This task so set that it takes an output of this shape, if its settings decide on that; else None."""
        return None

    def followed(self, dataset: Dataset) -> int:
        """How many of the first validation samples to follow while training: `live`, unless it depends on the data."""
        return self.live

    def output_problem(self, shape: Shape, wanted: Shape) -> str | None:
        """What to do about an output of this shape where `output_shapes` asks for `wanted`; None if it will do."""
        return None if shape == wanted else f"Let the last layer give {'×'.join(map(str, wanted))}."

    def auxiliary(self) -> float | None:
        """The weight in the loss of every output beyond `output_shapes`; None if there may be none.

        Such an output is an auxiliary head: it answers the same question as the first, from further down.
        """
        return None

    def all_output_shapes(self, dataset: Dataset, loss: Loss, slot: str, count: int) -> tuple[Shape | None, ...]:
        """The shapes that `count` output nodes must have, auxiliary heads (as the first output) included."""
        shapes = self.output_shapes(dataset, loss, slot)
        return shapes if self.auxiliary() is None else shapes + shapes[:1] * (count - len(shapes))

    def initial_loss(self, dataset: Dataset, loss: Loss) -> float | None:
        """The loss of a network that knows nothing, where theory gives it (ln 10 for ten classes)."""
        return None

    def constants(self, dataset: Dataset) -> dict[str, Any]:
        """What the plain functions need to know of the data's declaration, as JSON.

        It joins the task's settings in ``settings["task"]``: the names of fields, the number of classes.
        """
        return {}

    @staticmethod
    def prepare(splits: Splits, settings: dict[str, Any]) -> dict[str, Any]:
        """Plain: the settings completed by what must be read from the data, such as class weights."""
        return settings

    @staticmethod
    def train_step(
        networks: dict[str, nn.Module],
        batch: dict[str, Tensor],
        settings: dict[str, Any],
        optimize: Callable[..., None],
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Plain: one batch's losses and metrics by name, after calling ``optimize(loss, slot)`` to step.

        `settings` holds the loss's and the task's settings: ``{"loss": {"name", ...}, "task": {...}}``,
        the latter with `constants`. `optimize` leaves out the step when the loss is not finite.
        """
        raise TypeError("a task must define train_step()")

    @staticmethod
    def evaluate(
        networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
        """Plain: sums over one batch of losses and metrics by name (not means), and the sample count.

        A metric with at least one dimension is for `score`.
        """
        raise TypeError("a task must define evaluate()")

    @staticmethod
    def complete(batch: dict[str, Tensor], settings: dict[str, Any], index: Tensor | None = None) -> dict[str, Tensor]:
        """A batch to be looked at, with the fields that the task makes itself (noise), the same at every call.

        `index` says which samples these are, the first ones unless told; a batch that has the fields stays as it is.
        """
        return batch

    @staticmethod
    def outputs(
        networks: dict[str, nn.Module],
        inputs: dict[str, tuple[str, ...]],
        batch: dict[str, Tensor],
        settings: dict[str, Any],
    ) -> dict[str, Any]:
        """What each slot's network gives for a batch, to be looked at; `inputs` names each slot's fields.

        A slot whose fields the batch lacks is left out. A task in which one network feeds another
        overrides this.
        """
        return {
            slot: network(*(batch[name] for name in inputs[slot]))
            for slot, network in networks.items()
            if inputs.get(slot) and all(name in batch for name in inputs[slot])
        }

    @staticmethod
    def results(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """Named arrays to look at, the sample first, from what each slot's network gave for a batch.

        For instance ``{"probability": (N, C), "prediction": (N,)}``. `batch` may lack the targets (a
        picture of the user's own); then only what follows from the outputs is returned. Empty unless
        a task has something to show.
        """
        return {}

    @staticmethod
    def totals(
        outputs: dict[str, Tensor | tuple[Tensor, ...]], batch: dict[str, Tensor], settings: dict[str, Any]
    ) -> dict[str, Tensor]:
        """Named arrays that are summed over all batches of a validation (``{"confusion": (C, C)}``)."""
        return {}

    def verdict(self, metrics: dict[str, float], settings: dict[str, Any]) -> tuple[str, str] | None:
        """How the training stands, in words, from the metrics of a validation: "good", "bad" or "open", and a sentence.

        `settings` is what the plain functions take, before `prepare`. None where a task has nothing to say.
        """
        return None

    def answer(
        self,
        networks: dict[str, nn.Module],
        dataset: Dataset,
        settings: dict[str, Any],
        question: dict[str, Any],
    ) -> dict[str, Tensor]:
        """What trained networks (in evaluation mode) say to a question of a view, as named arrays.

        The question is JSON that the task and its views agree on: ``{"text": ..., "temperature": 0.8}``.
        `settings` is what the plain functions take, before `prepare`. Raises ValueError with a sentence
        when the question makes no sense.
        """
        raise ValueError(f"{self.label or self.name} has no answer to that.")
