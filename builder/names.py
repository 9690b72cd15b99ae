"""Names in generated code: what people typed, made safe as Python identifiers and as text."""

from __future__ import annotations

import functools
import keyword
import re
import unicodedata
from collections.abc import Container, Iterable

from torch import nn


@functools.lru_cache(maxsize=50_000)
def identifier(id: str) -> str:
    """`id` itself if it can be the attribute of a module and a variable; raises ValueError otherwise."""
    if not id.isidentifier() or keyword.iskeyword(id) or unicodedata.normalize("NFKC", id) != id:
        raise ValueError(f"{id!r} is no Python name; use letters, digits and underscores.")
    if id == "self" or id.startswith("__") or hasattr(_MODULE, id):
        raise ValueError(f"{id!r} has a meaning of its own in a PyTorch module; choose another name.")
    return id


_MODULE = nn.Module()


def class_name(text: str, fallback: str = "Network") -> str:
    """The text in CamelCase ("res-net 18" gives ResNet18); capitals inside words stay."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).replace("_", " "))
    name = "".join(word[:1].upper() + word[1:] for word in words)
    if name and not name.isidentifier():
        name = fallback + name
    return name if name.isidentifier() and not keyword.iskeyword(name) else fallback


def free(wanted: Iterable[str], taken: Container[str]) -> str:
    """The first of the wanted names that is not taken, or the last one with a number."""
    name = ""
    for name in wanted:
        if name not in taken:
            return name
    number = 2
    while f"{name}{number}" in taken:
        number += 1
    return f"{name}{number}"


def is_size(argument: str) -> bool:
    """Whether an argument says how wide a layer is; such come first, and without their name."""
    return argument.endswith(("channels", "features"))


def docstring(text: str) -> str:
    """The text as it can stand between triple quotes: printable, no quote or backslash that ends it."""
    shown = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return shown.replace("\\", "/").replace('"', "'")


def size(shape: tuple[int, ...]) -> str:
    """A shape as people write it: 6×28×28."""
    return "×".join(map(str, shape)) or "1"
