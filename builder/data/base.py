"""What a data set is: its settings, the fields it gives, and the plain functions that load it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from blocks.base import Declared, Shape

Split = dict[str, Tensor]
"""Field name -> tensor of all samples of one split, the sample first: ``{"image": (N, C, H, W), "label": (N,)}``."""

Splits = dict[str, Split]
"""``{"train": ..., "validation": ..., "test": ...}``; these splits have the same fields.

A data set may add tables of its own under other names, for a task's `prepare` (the analogies of a corpus).
"""

Renewal = Callable[[Splits, dict[str, Any], Any], Split]
"""Plain: ``renew(splits, settings, generator)`` gives the training samples of another epoch; see `Dataset.renewal`."""

Progress = Callable[[str, float], None]
"""Called with a sentence and a fraction from 0 to 1 while data is fetched or prepared."""


class DataError(ValueError):
    """The data cannot be used; the message is one sentence that names the file and what to do."""


@dataclass(frozen=True)
class Field:
    """One tensor of a sample.

    `holds` is ``"image"`` (float, C×H×W), ``"features"`` (float), ``"tokens"`` (integers below `size`),
    ``"class"`` (one integer below `size`, shape ``()``) or ``"mask"`` (for each pixel of a picture its
    class, an integer below `size`, shape H×W; 0 is the background). ``"boxes"`` are M×4 numbers, left, top,
    right and bottom as parts of the picture's width and height; ``"box_classes"`` are the M classes of those
    boxes (integers below `size`, -1 where there is no further box). ``"target"`` are numbers to be guessed (float).
    """

    shape: Shape
    holds: str = "features"
    size: int | None = None


class Dataset(Declared):
    """A data set, declared by its settings. A subclass has a `name` and is registered by it.

    What is known without reading anything (`fields`, `class_names`) is what `builder.check` sees.
    `load_arrays` and `make_batch` are *plain functions*: they use only torch, numpy, the standard
    library and libraries they import inside themselves, since their very source is copied into the
    exported ``train.py``. `helpers` lists further plain functions those two call.
    """

    name: ClassVar[str] = ""
    order: ClassVar[int] = 100
    """Where it stands in a list: small numbers first, equal ones by name."""
    kind: ClassVar[str] = "image"
    """How samples are drawn: ``image``, ``points`` (2-D), ``table``, ``sequence``, ``text`` or ``words``."""
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    """Names of the tasks this data suits, the usual one first."""
    upload: ClassVar[str] = ""
    """What a person uploads for it, as the label of a field for a file; empty for nothing (see `receive`)."""
    upload_endings: ClassVar[tuple[str, ...]] = ("zip",)
    """Endings of the names of the files it takes."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Distributions that the plain functions import besides torch and numpy, as in a requirements file."""
    helpers: ClassVar[tuple[Callable[..., Any], ...]] = ()
    measured: ClassVar[tuple[str, ...]] = ()
    """Settings that are read from an upload, so that nobody sets them by hand."""

    def fields(self) -> dict[str, Field]:
        """The fields of one sample as the network sees them (after resizing). Reads nothing."""
        raise TypeError(f"{type(self).__name__} must define fields()")

    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their numbers; empty for data without classes."""
        return ()

    def token_names(self) -> tuple[str, ...]:
        """What the numbers of its tokens stand for: characters or words. May read the data; empty without tokens."""
        return ()

    def column_names(self) -> dict[str, tuple[str, ...]]:
        """What the columns of a table are called, by field: of the features, and of a number to be guessed. Reads nothing."""
        return {}

    def sample_text(self, sample: Split) -> str | None:
        """A sample (each field without the batch, as in the splits) written out; None for data that is drawn."""
        return None

    def size_hint(self) -> dict[str, int] | None:
        """The number of samples per split if known without reading anything."""
        return None

    def renewal(self) -> Renewal | None:
        """The plain function that draws the samples to train on anew before every epoch; None where they stay.

        It gives the fields of the split "train", of about as many samples; `splits` are those of `load_arrays`, and the
        generator, a torch.Generator, depends on the seed of the training and the epoch alone.
        """
        return None

    def missing(self) -> str | None:
        """What a person must still give before this data can be loaded, as a sentence; None if nothing."""
        return None

    @classmethod
    def receive(cls, content: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Settings for an upload, all but `file`, and sentences on whatever is left out or changed.

        Raises DataError with a sentence when it cannot be used.
        """
        raise DataError(f"{cls.label} takes no upload.")

    @staticmethod
    def load_arrays(settings: dict[str, Any], folder: Path | None, progress: Progress | None = None) -> Splits:
        """Plain: all samples in memory, pictures as uint8 (N, C, H, W). Raises ValueError with a sentence.

        `settings` is `to_settings()`. `folder` is where files that are already present lie (what
        LAYERLOOM_DATA names), or None.
        """
        raise TypeError("a data set must define load_arrays()")

    @staticmethod
    def make_batch(split: Split, index: Tensor, settings: dict[str, Any], generator: Any = None) -> dict[str, Tensor]:
        """Plain: the samples `index` as the network and the loss take them.

        With a generator (training) the samples are augmented from it; without, never.
        """
        raise TypeError("a data set must define make_batch()")


def split_sizes(count: int, validation: float, test: float = 0.0) -> dict[str, int]:
    """How many of `count` samples each split gets, as `plain.stratified_split` divides them."""
    parts = {"validation": validation, "test": test}
    sizes = {name: max(1, round(part * count)) for name, part in parts.items() if part > 0}
    return {"train": count - sum(sizes.values()), **sizes}


def own_split_sizes(counts: tuple[int, ...], validation: float, test: float) -> dict[str, int] | None:
    """The samples per split of data that may come divided, as `plain.complete_splits` leaves them.

    `counts` is nothing, the samples in all, or those of the data's own train, validation and test (0 where there is none).
    """
    if not counts:
        return None
    train, validated, tested = counts if len(counts) == 3 else (counts[0], 0, 0)
    if validated:
        return {"train": train, "validation": validated, **({"test": tested} if tested else {})}
    if tested:
        return {**split_sizes(train, validation), "test": tested}
    return split_sizes(train, validation, test)
