"""What a page shows of a data set: samples of each class, counts, value range, sizes."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from builder.data.base import Dataset, Progress, Split, Splits

Array = np.ndarray[Any, Any]

KEPT_PER_CLASS = 12
KEPT_IN_ALL = 2000
FREQUENT = 20
KEPT_BYTES = 64_000_000
"""Samples that stay in memory for the panel of one data set, the tokens that are counted, and what samples may take at most."""
MEASURED = 50_000_000
"""Numbers of which range, mean and deviation are taken."""
WRITTEN = 400
"""Samples that are written out."""

LOOKS = 8
"""Data sets of which the samples that are shown are kept."""

_CLASSED = {"class": "Samples", "box_classes": "Boxes", "mask": "Pixels"}
"""Kinds of fields that hold class numbers, and what is counted in them."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Some training samples, ordered by class; the same ones are the same object, so that what is drawn of them can be kept.

    `inputs` is the data set's first field: pictures uint8 (N, H, W, 1 or 3), points or table rows
    float (N, columns), sequences of rows as pictures. `labels` are class numbers (N,) or None. `fields`
    has what else belongs to these samples, by what it holds: ``mask`` (N, H, W), ``boxes`` (N, M, 4),
    ``box_classes`` (N, M). `texts` are the samples written out, for data that are read. `columns` and
    `guessed` are the names of a table's columns and of the number to be guessed, as far as it has some.
    """

    kind: str
    inputs: Array
    labels: Array | None
    class_names: tuple[str, ...]
    fields: dict[str, Array] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    guessed: str = ""


@dataclass(frozen=True)
class Statistics:
    """A data set in numbers.

    `sizes` has the samples per split, `counts` per split the samples of each class (of boxes or of pixels,
    where those have classes; `counted` says which), `shapes` the shape of each field of one sample as the
    network sees it. `minimum`, `maximum`, `mean` and `std` are of the training inputs as the network gets them (normalised, not augmented), over at most 4096 samples.
    `size_in_memory` is in bytes. `frequent` are the most frequent tokens of the training samples with their
    counts, for data that is text.
    """

    sizes: dict[str, int]
    counts: dict[str, tuple[int, ...]]
    shapes: dict[str, tuple[int, ...]]
    minimum: float
    maximum: float
    mean: float
    std: float
    size_in_memory: int
    frequent: tuple[tuple[str, int], ...] = ()
    counted: str = "Samples"


def samples(dataset: Dataset, per_class: int = 8, progress: Progress | None = None) -> Samples:
    """At most `per_class` training samples of each class (12 at the most), the first of each.

    Points and tables give up to 2000 samples whatever `per_class` says, since they are drawn as a
    cloud. Loads the data on the first call and keeps what it shows. Raises DataError.
    """
    found, _ = _looked(dataset, progress)
    return found if dataset.kind in ("points", "table") else _few(found, per_class)


@functools.lru_cache(maxsize=2)
def _few(found: Samples, per_class: int) -> Samples:
    """The first samples of each class; all of them where there are no classes."""
    if found.labels is None:
        return found
    seen: dict[int, int] = {}
    chosen = []
    for position, label in enumerate(found.labels.tolist()):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= per_class:
            chosen.append(position)
    if len(chosen) == len(found.labels):
        return found
    return Samples(
        found.kind,
        found.inputs[chosen],
        found.labels[chosen],
        found.class_names,
        {name: values[chosen] for name, values in found.fields.items()},
        tuple(found.texts[i] for i in chosen if i < len(found.texts)),
        found.columns,
        found.guessed,
    )


def statistics(dataset: Dataset, progress: Progress | None = None) -> Statistics:
    """The numbers of a data set. Loads it on the first call and keeps the result. Raises DataError."""
    return _looked(dataset, progress)[1]


class Looking:
    """A look at a data set in a thread of its own, so that nobody has to wait while it is loaded or downloaded.

    `text` and `fraction` (0 to 1) tell how far it is.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.text, self.fraction = dataset, "", 0.0
        self.failed = False
        self._found: tuple[Samples, Statistics] | Exception | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._work, name="samples", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, for so long at most; whether it has come."""
        return self._ended.wait(seconds)

    def result(self, per_class: int = 8) -> tuple[Samples, Statistics]:
        """What `samples` and `statistics` give. Raises what they raise."""
        self._ended.wait()
        if isinstance(self._found, Exception):
            raise self._found
        assert self._found is not None
        found, numbers = self._found
        return found if self.dataset.kind in ("points", "table") else _few(found, per_class), numbers

    def _work(self) -> None:
        try:
            self._found = _looked(self.dataset, self._progress)
        except Exception as error:  # raised again by `result`
            self._found, self.failed = error, True
        self._ended.set()

    def _progress(self, text: str, fraction: float) -> None:
        self.text, self.fraction = text, min(1.0, max(0.0, fraction))


def look(dataset: Dataset) -> Looking:
    """The look at a data set that is under way or done; another one if that has failed."""
    from builder.data import folder

    key = (dataset, folder())
    with _looks_lock:
        found = _looks.pop(key, None)
        if found is None or found.failed:
            found = Looking(dataset)
        _looks[key] = found  # the last one used comes last
        while len(_looks) > LOOKS:
            del _looks[next(iter(_looks))]
        return found


_looks: dict[tuple[Dataset, Path | None], Looking] = {}
_looks_lock = threading.Lock()
_lock = threading.Lock()


def _looked(dataset: Dataset, progress: Progress | None) -> tuple[Samples, Statistics]:
    from builder.data import folder

    with _lock:  # two tabs that open the same panel load it once
        _progress.append(progress)
        try:
            return _look(dataset, folder())
        finally:
            _progress.clear()


_progress: list[Progress | None] = []
"""The listener of the call that holds the lock: it is no part of what is cached."""


@functools.lru_cache(maxsize=LOOKS)
def _look(dataset: Dataset, present: Path | None) -> tuple[Samples, Statistics]:
    from builder.data import load

    splits = load(dataset, _progress[0] if _progress else None, present)
    return _samples(dataset, splits["train"]), _statistics(dataset, splits)


def _samples(dataset: Dataset, split: Split) -> Samples:
    fields = dataset.fields()
    name = next(iter(fields))
    label = next((n for n, f in fields.items() if f.holds == "class" and n in split), None)
    labels = None if label is None else split[label]
    size = max(1, split[name][0].numel() * split[name].element_size())
    most = max(24, min(KEPT_IN_ALL, KEPT_BYTES // size))
    if labels is None or dataset.kind in ("points", "table"):
        index = torch.arange(min(len(split[name]), most))
    else:
        per_class = max(1, min(KEPT_PER_CLASS, most // max(1, len(dataset.class_names()))))
        firsts = [torch.nonzero(labels == value).flatten()[:per_class] for value in torch.unique(labels)]
        index = torch.cat(firsts)[:most]
    inputs = split[name][index]
    if inputs.dtype == torch.uint8 and inputs.dim() > 2:  # letters may be bytes too
        inputs = inputs.unsqueeze(-1) if inputs.dim() == 3 else inputs.permute(0, 2, 3, 1)
        if inputs.shape[-1] not in (1, 3):
            inputs = inputs[..., :1]
    named = dataset.column_names()
    target = next((n for n, f in fields.items() if f.holds == "target"), "")
    more = {f.holds: split[n][index].numpy() for n, f in fields.items() if n not in (name, label) and n in split}
    return Samples(
        dataset.kind,
        np.ascontiguousarray(inputs.numpy()),
        None if labels is None else labels[index].numpy(),
        dataset.class_names(),
        more,
        _texts(dataset, split, index),
        named.get(name, ()),
        next(iter(named.get(target, ())), ""),
    )


def _frequent(dataset: Dataset, tokens: Tensor) -> tuple[tuple[str, int], ...]:
    if tokens.dim() == 2 and tokens.shape[1] > 1:  # short samples are filled up with 0 at the left
        tokens = tokens[(tokens != 0).cumsum(1) > 0]
    counts = torch.bincount(tokens.flatten().long().clamp(min=0))
    best = counts.topk(min(FREQUENT, len(counts)))
    names = dataset.token_names()
    return tuple(
        (names[i] if i < len(names) else str(i), count)
        for i, count in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        if count
    )


def _texts(dataset: Dataset, split: Split, index: Tensor) -> tuple[str, ...]:
    """The samples written out; empty for data that are drawn."""
    found = (
        dataset.sample_text({name: values[i] for name, values in split.items() if len(values) > i})
        for i in index[:WRITTEN].tolist()
    )
    return tuple(text for text in found if text is not None)


def _statistics(dataset: Dataset, splits: Splits) -> Statistics:
    fields = dataset.fields()
    name = next(iter(fields))
    train = splits["train"]
    most = max(16, min(4096, MEASURED // max(1, train[name][0].numel())))
    step = max(1, len(train[name]) // most)
    values = dataset.make_batch(train, torch.arange(0, len(train[name]), step)[:most], dataset.to_settings())[name]
    values = values.to(torch.float64)
    classed = next(((n, f) for n, f in fields.items() if f.holds in _CLASSED and n in train), None)
    counts: dict[str, tuple[int, ...]] = {}
    if classed is not None:
        key, given = classed
        counts = {part: tuple(_count(split[key], given.size or 0)) for part, split in splits.items() if key in split}
    return Statistics(
        sizes={key: len(split[name]) for key, split in splits.items() if name in split},
        counts=counts,
        shapes={key: field.shape for key, field in fields.items()},
        minimum=float(values.min()),
        maximum=float(values.max()),
        mean=float(values.mean()),
        std=float(values.std()),
        size_in_memory=sum(t.numel() * t.element_size() for split in splits.values() for t in split.values()),
        frequent=_frequent(dataset, train[name]) if fields[name].holds == "tokens" else (),
        counted="Samples" if classed is None else _CLASSED[classed[1].holds],
    )


def _count(labels: Tensor, classes: int) -> list[int]:
    """How often each class occurs; negative numbers stand for nothing."""
    flat = labels.flatten().long()
    found: list[int] = torch.bincount(flat[flat >= 0], minlength=classes).tolist()
    return found
