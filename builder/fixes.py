"""Remedies for problems, tried before they are offered.

For each kind of problem `builder.remedies` makes a few candidate lists of project edits. One is offered
only if, once applied, the problem is gone and the project is better than before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from blocks.base import SettingError
from builder import edits
from builder.definition import PLACE
from builder.problems import Fix, Problem
from builder.project import Project
from builder.remedies import REMEDIES
from builder.remedies.scene import Candidate, Scene
from builder.report import Report

MAX_PROBLEMS = 24
MAX_TRIED = 24
"""Problems of one project that get fixes, and candidates tried for one of them."""
MAX_WORK = 100_000
"""Nodes checked while trying, all candidates of a project together: large networks get fewer tries, not longer waits."""


def with_fixes(project: Project, report: Report, inspect: Callable[[Project], Report]) -> tuple[Problem, ...]:
    """The report's problems, each with the first remedy that works, if there is one.

    `inspect` checks a project without looking for fixes.
    """
    work = MAX_WORK
    nodes = sum(len(graph.nodes) for graph in project.networks.values()) + 1
    found = []
    for problem in report.problems[:MAX_PROBLEMS]:
        tried = min(MAX_TRIED, work // nodes)
        fix, used = _fix(project, problem, report, inspect, tried)
        work -= used * nodes
        found.append(problem if fix is None else dataclasses.replace(problem, fix=fix))
    return (*found, *report.problems[MAX_PROBLEMS:])


def _fix(
    project: Project, problem: Problem, report: Report, inspect: Callable[[Project], Report], most: int
) -> tuple[Fix | None, int]:
    """The first of at most `most` candidates that works, and how many were tried."""
    make = REMEDIES.get(problem.code)
    place = problem.network
    if make is None or (place and place not in project.networks and place.removeprefix(PLACE) not in report.insides):
        return None, 0
    used = 0
    for label, changes in _candidates(make, Scene(project, report, problem)):
        if used >= most:
            break
        used += 1
        try:
            after = inspect(edits.apply(project, changes))
        except edits.EditError:
            continue
        if _better(problem, report, after):
            return Fix(label, tuple(changes)), used
    return None, used


def _candidates(make: Callable[[Scene], Iterator[Candidate]], scene: Scene) -> Iterator[Candidate]:
    """The candidates of a remedy, up to one that would need a setting out of its bounds."""
    try:
        yield from make(scene)
    except SettingError:
        return


def _better(problem: Problem, before: Report, after: Report) -> bool:
    if any(
        (p.network, p.node, p.code, p.port) == (problem.network, problem.node, problem.code, problem.port)
        for p in after.problems
    ):
        return False
    return _weight(after) < _weight(before)


def _weight(report: Report) -> tuple[int, int, int]:
    """How bad a project is: errors, then nodes without a shape, then warnings."""
    errors = sum(p.severity == "error" for p in report.problems)
    everywhere = (*report.nodes.values(), *report.insides.values())
    unknown = sum(n.shape is None for known in everywhere for n in known.values())
    return (errors + unknown, errors, len(report.problems))
