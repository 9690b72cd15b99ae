"""The engine of Layerloom: a project in, a trained model and its code out.

>>> import builder
>>> project = builder.templates.load("lenet5")
>>> builder.check(project).parameters
{'network': 61706}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder import data, tasks, templates
from builder.compile import compile, source
from builder.export import export
from builder.project import Project, ProjectError, load, save
from builder.training import train
from builder.validate import check

if TYPE_CHECKING:
    from builder.problems import Problem as Problem

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
