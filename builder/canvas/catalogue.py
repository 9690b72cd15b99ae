"""Blocks and their settings as JSON, as palette and inspector in the browser need them."""

from __future__ import annotations

import functools
from typing import Any

import blocks
from blocks.base import Block, Port, Setting

Json = dict[str, Any]


@functools.cache
def catalogue_json() -> Json:
    """All blocks with their settings and ports, as palette and inspector need them."""
    return {
        "categories": [{"name": name, "label": label} for name, label in blocks.CATEGORIES.items()],
        "blocks": {name: block_json(cls) for name, cls in blocks.catalogue().items()},
    }


def block_json(cls: type[Block]) -> Json:
    """One kind of block."""
    return {
        "label": cls.label,
        "category": cls.category,
        "help": cls.help,
        "formula": cls.formula,
        "source": cls.source,
        "stem": cls.stem,
        "variadic": cls.variadic,
        "inputs": [_port_json(p) for p in cls.inputs],
        "settings": [setting_json(s) for s in cls.settings()],
        "kind": _kind(cls),
    }


def _kind(cls: type[Block]) -> str:
    """What a block is, from what it defines (see `blocks.base.Block`)."""
    if cls.source_shape is not Block.source_shape:
        return "input"
    if cls.template is not Block.template:
        return "composite"
    return "leaf" if cls.layer is not Block.layer else "output"


def _port_json(port: Port) -> Json:
    rank = list(port.rank) if isinstance(port.rank, tuple) else port.rank
    return {"name": port.name, "rank": rank, "holds": port.holds}


def setting_json(setting: Setting) -> Json:
    """A declared setting as a form in the browser needs it."""
    default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    return {
        "name": setting.name,
        "kind": setting.kind,
        "default": default,
        "optional": setting.optional,
        "min": setting.min,
        "max": setting.max,
        "choices": None if setting.choices is None else list(setting.choices),
        "label": setting.label,
        "help": setting.help,
        "unit": setting.unit,
    }
