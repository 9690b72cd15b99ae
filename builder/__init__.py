"""The engine of Layerloom: a project in, a trained model and its code out.

>>> import builder
>>> project = builder.templates.load("lenet5")
>>> builder.check(project).parameters
{'network': 61706}

Names are loaded when they are first used, so that `import builder` is quick.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder import data, tasks, templates
    from builder.compile import compile
    from builder.export import export
    from builder.project import Project, ProjectError, load, save
    from builder.source import source
    from builder.training import train
    from builder.validate import check

_HOMES = {
    "check": "builder.validate",
    "compile": "builder.compile",
    "export": "builder.export",
    "source": "builder.source",
    "train": "builder.training",
    "Project": "builder.project",
    "ProjectError": "builder.project",
    "load": "builder.project",
    "save": "builder.project",
}
_PACKAGES = ("data", "tasks", "templates")

__all__ = [
    "Project",
    "ProjectError",
    "check",
    "compile",
    "data",
    "export",
    "load",
    "save",
    "source",
    "tasks",
    "templates",
    "train",
]


class _Package(types.ModuleType):
    """This package: a submodule named like a function (compile, source, export) does not take its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"builder.{name}")
    if name in _HOMES:
        found = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'builder' has no attribute {name!r}")
