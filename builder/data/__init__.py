"""Data sets: embedded, generated, downloaded, and the user's own.

`find(name)` gives a data set's class; a class in any file of this package, or one given to
`register`, is found by its name.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import pkgutil
from pathlib import Path

from builder.data.base import DataError, Dataset, Field, Progress, Split, Splits
from builder.data.view import samples, statistics

__all__ = [
    "DataError",
    "Dataset",
    "Field",
    "Progress",
    "Split",
    "Splits",
    "find",
    "folder",
    "home",
    "load",
    "names",
    "register",
    "samples",
    "statistics",
]

_START = Path.cwd()
"""Relative folders mean what they meant when the program started."""

_registered: dict[str, type[Dataset]] = {}


@functools.cache
def _own() -> dict[str, type[Dataset]]:
    """The data sets of this package's files, by name. Raises ValueError when two share a name."""
    found: dict[str, type[Dataset]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            if not (inspect.isclass(value) and issubclass(value, Dataset)) or value.__module__ != module.__name__:
                continue
            if not value.name:
                continue  # a shared base of several data sets
            if value.name in found:
                raise ValueError(f"two data sets are called {value.name}")
            found[value.name] = value
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def register(dataset: type[Dataset]) -> type[Dataset]:
    """Add a data set from outside; usable as a decorator.

    Raises ValueError when it has no name or another data set has the same one.
    """
    if not dataset.name:
        raise ValueError(f'{dataset.__name__} has no name; set name = "..." in the class.')
    known = _own().get(dataset.name) or _registered.get(dataset.name)
    if known is not None and known is not dataset:
        raise ValueError(f"two data sets are called {dataset.name}")
    _registered[dataset.name] = dataset
    return dataset


def names() -> tuple[str, ...]:
    """The names of all data sets, in the order in which a page offers them."""
    return tuple({**_own(), **_registered})


def find(name: str) -> type[Dataset]:
    """The data set of this name. Raises KeyError with a sentence when there is none."""
    found = _own().get(name) or _registered.get(name)
    if found is None:
        raise KeyError(f"There is no data set called {name!r}; there are {', '.join(names())}.")
    return found


def folder() -> Path | None:
    """The folder named by LAYERLOOM_DATA, where files that are already present lie; None if unset."""
    value = os.environ.get("LAYERLOOM_DATA")
    return _START / Path(value).expanduser() if value else None


def home() -> Path:
    """The workspace folder named by LAYERLOOM_HOME, ``~/.layerloom`` unless set."""
    return _START / Path(os.environ.get("LAYERLOOM_HOME") or "~/.layerloom").expanduser()


def load(dataset: Dataset, progress: Progress | None = None, present: Path | None = None) -> Splits:
    """All samples of a data set in memory, by split.

    `present` holds files that are already there (LAYERLOOM_DATA unless told). Raises DataError with a
    sentence when the data cannot be had.
    """
    try:
        return dataset.load_arrays(dataset.to_settings(), present or folder(), progress)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from error
