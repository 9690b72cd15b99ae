"""What tasks give to look at, drawn by kind: one file per kind, whose name it has and which defines `draw(scene)`.

A kind that follows the training, rather than waiting for the person, is drawn again and again while
something trains, unless its file says ``FOLLOWS = False``.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from types import ModuleType


@functools.cache
def find(kind: str) -> ModuleType:
    """The module that draws this kind. Raises KeyError with a sentence when there is none."""
    if any(info.name == kind for info in pkgutil.iter_modules(__path__)):
        module = importlib.import_module(f"{__name__}.{kind}")
        if hasattr(module, "draw"):
            return module
    raise KeyError(f"There is no view of the kind {kind!r}.")
