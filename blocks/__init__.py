"""The vocabulary: every block one can put on the canvas, declared once.

`catalogue()` collects the Block classes of this package's files; a new class in any of them is
found by itself.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil

from blocks.base import Block

CATEGORIES: dict[str, str] = {
    "input": "Input & output",
    "convolution": "Convolution",
    "pooling": "Pooling",
    "normalization": "Normalization",
    "activation": "Activation",
    "dense": "Dense",
    "reshape": "Reshape",
    "resample": "Resample",
    "merge": "Merge",
    "recurrent": "Recurrent",
    "embedding": "Embedding",
    "attention": "Attention",
    "composite": "Composite",
}
"""The families of blocks in the order of the palette, with the name a person reads."""


@functools.cache
def catalogue() -> dict[str, type[Block]]:
    """All blocks by name, in the order of families and then of their files.

    Raises ValueError when two classes share a name or one has an unknown category.
    """
    found: dict[str, type[Block]] = {}
    for info in pkgutil.iter_modules(__path__):
        if info.name in ("base", "modules"):
            continue
        module = importlib.import_module(f"{__name__}.{info.name}")
        for name, cls in vars(module).items():
            if not (inspect.isclass(cls) and issubclass(cls, Block)) or cls.__module__ != module.__name__:
                continue
            if name.startswith("_") or not cls.label:
                continue  # a shared base of several blocks
            if name in found:
                raise ValueError(f"two blocks are called {name}")
            if cls.category not in CATEGORIES:
                raise ValueError(f"{name} has the unknown category {cls.category!r}")
            found[name] = cls
    order = list(CATEGORIES)
    return dict(sorted(found.items(), key=lambda item: order.index(item[1].category)))
