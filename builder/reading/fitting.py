"""Data and a task for a network that came without them."""

from __future__ import annotations

from builder import templates
from builder.project import Project
from builder.validate import check


def fitted(project: Project) -> Project:
    """The project with data, task, loss, optimizer and training of the first starter project that suit its networks.

    Its own are kept where they fit, or where nothing does. Data sets are asked for their declaration only, so
    nothing is read or downloaded.
    """
    if check(project).ok:
        return project
    for name in templates.names():
        starter = templates.load(name)
        if set(starter.networks) != set(project.networks):
            continue
        tried = starter.replace(name=project.name, networks=project.networks, blocks=project.blocks)
        if check(tried).ok:
            return tried
    return project


def placed(project: Project, standing: Project) -> Project:
    """A file's networks with the data, task, loss, optimizer and training of the project that stands, where these suit.

    For files that hold networks alone: what a person has chosen beside them outlives an edited ``model.py``.
    """
    tried = standing.replace(
        name=project.name, networks=project.networks, blocks=project.blocks, weights=project.weights
    )
    return tried if check(tried).ok else project
