"""What must follow when other data or another task is chosen, as one list of project edits.

Everything is derived from declarations: the tasks a data set names, the losses of a task, the slots
it trains, and the starter projects. Nothing here is specific to one of them.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from blocks.base import SettingError
from builder import data, edits, optimizers, tasks, templates, validate
from builder.data.base import Dataset
from builder.problems import Edit
from builder.project import Choice, Project, graph_to_json, to_json
from builder.tasks.base import Loss, Task

ADAPTING = frozenset({"input-mismatch", "output-mismatch"})
"""Codes of the problems whose remedies fit a network's ends to data and task, and change nothing between."""
_GROWTH = 4
"""How many times as many parameters a network may have after it was fitted to another task."""
_ROUNDS = 6
_TRIED = 6
"""How many starter projects are tried before none is proposed."""


@dataclass(frozen=True)
class Proposal:
    """Edits that go together, and what they do in words.

    `fits` says whether the project can be trained after them; `remarks` name what changes besides the choice.
    """

    label: str
    edits: tuple[Edit, ...]
    remarks: tuple[str, ...] = ()
    fits: bool = True


def for_data(project: Project, name: str) -> Proposal:
    """Change to the data set `name`. Raises KeyError with a sentence when there is none.

    Data that do not suit the project's task bring their usual task with its loss. The network is kept where
    it fits, if need be with other ends; where it does not, a starter's network takes its place, but for one that
    is still being drawn while the task stays.
    """
    cls = data.find(name)
    label = f"Use {cls.label or cls.name}"
    if project.task.name in cls.tasks:
        for settings in _settings(cls, project.data):
            changes = [*_part("data", {"name": cls.name, "settings": settings})]
            changes += _loss_if_unfit(edits.apply(project, changes))
            done = _adapted(project, changes)
            if done is not None:
                return Proposal(label, tuple(done[0]), done[1])
        return _with_its_network(project, label, cls, Choice(cls.name, cls().to_settings()))
    for task in (t for t in cls.tasks if t in tasks.names()):
        return _for_both(project, label, cls, tasks.find(task), chosen="data")
    return Proposal(label, tuple(_part("data", _declared(cls))), fits=False)


def for_upload(project: Project, cls: type[Dataset], settings: dict[str, Any]) -> Proposal:
    """Use data a person has uploaded, with these settings; the network's ends follow, or a starter takes its place."""
    label = "Use your upload"
    choice = Choice(cls.name, cls.from_settings(settings).to_settings())
    done = _adapted(project, [*_part("data", {"name": choice.name, "settings": choice.settings})])
    if done is None:
        return _with_its_network(project, label, cls, choice)
    return Proposal(label, tuple(done[0]), done[1])


def for_task(project: Project, name: str) -> Proposal:
    """Change to the task `name`, with its loss; other data and a starter's network where these do not fit.

    Raises KeyError with a sentence when there is none.
    """
    task = tasks.find(name)
    label = f"Train for {_label(name)}"
    found: Proposal | None = None
    if project.data.name in data.names() and name in data.find(project.data.name).tasks:
        found = _for_both(project, label, data.find(project.data.name), task, project.data)
        if found.fits:
            return found
    for starter in itertools.islice(_starters(name), _TRIED):
        if starter.data.name in data.names():
            other = _for_both(project, label, data.find(starter.data.name), task)
            if other.fits:
                return other
    if found is not None:
        return found
    suited = [d for d in map(data.find, data.names()) if name in d.tasks]
    if not suited:
        return Proposal(label, tuple(_part("task", _declared(task))), fits=False)
    return _for_both(project, label, suited[0], task)


def starter(project: Project) -> Proposal | None:
    """Put a starter's networks in the place of networks that do not fit data and task; None if none fits."""
    try:
        cls, task = data.find(project.data.name), tasks.find(project.task.name)
    except KeyError:
        return None
    found = _with_starter(project, cls, task, project.data)
    if found is None:
        return None
    title, changes = found
    return Proposal(f"Use the network of {title}", tuple(changes), (f"the network of {title}",))


def unsuited(cls: type[Dataset], task: str) -> str | None:
    """Why this data cannot be used for a task as it is, as a sentence; None if it can."""
    if task in cls.tasks:
        return None
    labels = [_label(t) for t in cls.tasks if t in tasks.names()]
    return f"{cls.label} is for {' or '.join(labels) or 'tasks this version does not know'}."


# --- how ---------------------------------------------------------------------------------------------


def _label(task: str) -> str:
    """What a task is called within a sentence."""
    cls = tasks.find(task)
    text = cls.label or cls.name
    return text[:1].lower() + text[1:]


def _part(part: str, value: Any) -> Iterator[Edit]:
    yield edits.set_part(part, value)


def _declared(cls: type[Any]) -> dict[str, Any]:
    return {"name": cls.name, "settings": cls().to_settings()}


def _settings(cls: type[Dataset], before: Choice) -> Iterator[dict[str, Any]]:
    """The usual settings, and those with what the data before them were set to (a size, a colour)."""
    yield cls().to_settings()
    known = {s.name for s in cls.settings()}
    kept = {k: v for k, v in before.settings.items() if k in known}
    try:
        yield cls.from_settings(kept).to_settings()
    except SettingError:
        return


def _with_its_network(project: Project, label: str, cls: type[Dataset], choice: Choice) -> Proposal:
    """Change to this data, of the project's task, and to a starter's network for it; to the data alone if none fits.

    A network that does not work as it stands is still being drawn, and stays.
    """
    drawn = validate.inspect(project).ok
    found = _with_starter(project, cls, tasks.find(project.task.name), choice) if drawn else None
    if found is None:
        return Proposal(label, tuple(_part("data", {"name": choice.name, "settings": choice.settings})), fits=False)
    title, changes = found
    return Proposal(label, tuple(changes), (f"the network of {title}",))


def _for_both(
    project: Project, label: str, cls: type[Dataset], task: type[Task], kept: Choice | None = None, chosen: str = "task"
) -> Proposal:
    """Change to this data and this task; `kept` holds the data's settings where they stay.

    `chosen` is what a person asked for, the "data" or the "task": only the other one is a remark.
    """
    remarks: tuple[str, ...] = (f"the task {_label(task.name)}",) if chosen == "data" else ()
    if cls.name != project.data.name and chosen == "task":
        remarks = (f"the data {cls.label or cls.name}",)
    remade = None
    for settings in (kept.settings,) if kept is not None else _settings(cls, project.data):
        choice = Choice(cls.name, settings)
        if set(project.networks) == set(task.slots):
            done = _adapted(project, [*_change(project, choice, task)])
            if done is not None:
                fitted = Proposal(label, tuple(done[0]), remarks + done[1])
                if _still_the_same(project, edits.apply(project, done[0])):
                    return fitted
                remade = remade or fitted
    choice = kept or Choice(cls.name, cls().to_settings())
    found = _with_starter(project, cls, task, choice)
    if found is not None:
        title, changes = found
        return Proposal(label, tuple(changes), (*remarks, f"the network of {title}"))
    return remade or Proposal(label, tuple(_change(project, choice, task)), remarks, fits=False)


def _change(project: Project, choice: Choice, task: type[Task]) -> Iterator[Edit]:
    """Data, task, a loss that suits both, and an optimizer for every network."""
    yield from _part("data", {"name": choice.name, "settings": choice.settings})
    yield from _part("task", _declared(task))
    loss = _loss(task, choice)
    if loss is not None:
        yield from _part("loss", _declared(loss))
    before = to_json(project)["optimizer"]
    usual = optimizers.find(Project().optimizer["network"].name)
    yield from _part("optimizer", {slot: before.get(slot) or _declared(usual) for slot in task.slots})


def _loss(task: type[Task], choice: Choice) -> type[Loss] | None:
    """The first loss of the task that has nothing against the data."""
    try:
        dataset = data.find(choice.name).from_settings(choice.settings)
    except (KeyError, SettingError):
        return next(iter(task.losses), None)
    return next((loss for loss in task.losses if loss().problem(dataset) is None), next(iter(task.losses), None))


def _loss_if_unfit(project: Project) -> Iterator[Edit]:
    """Another loss where the chosen one does not suit the data."""
    report = validate.inspect(project)
    if any(p.code == "loss-setting" for p in report.problems):
        loss = _loss(tasks.find(project.task.name), project.data)
        if loss is not None:
            yield from _part("loss", _declared(loss))


def _adapted(project: Project, changes: list[Edit]) -> tuple[list[Edit], tuple[str, ...]] | None:
    """These edits with the fixes at the network's ends that make the project valid, and their labels."""
    done, told = list(changes), list[str]()
    project = edits.apply(project, done)
    for _ in range(_ROUNDS):
        report = validate.check(project)
        errors = [p for p in report.problems if p.severity == "error"]
        if not errors:
            return done, tuple(told)
        fix = next((p.fix for p in errors if p.fix is not None and p.code in ADAPTING), None)
        if fix is None:
            return None
        done += fix.edits
        told.append(fix.label)
        project = edits.apply(project, fix.edits)
    return None


def _still_the_same(before: Project, after: Project) -> bool:
    """Whether a network was fitted to another task by settings of its own blocks, and has not become much larger.

    A classifier with one dense layer for every pixel segments pictures, but it is no network for that.
    """
    old, new = (sum(validate.check(project).parameters.values()) for project in (before, after))
    same = all(graph.ids() == after.networks[slot].ids() for slot, graph in before.networks.items())
    return same and (old == 0 or new <= _GROWTH * old)


@functools.cache
def _index() -> tuple[tuple[str, str, str], ...]:
    """Name, task and data set of every starter project."""
    found = ((name, templates.load(name)) for name in templates.names())
    return tuple((name, p.task.name, p.data.name) for name, p in found)


def _starters(task: str, cls: type[Dataset] | None = None) -> Iterator[Project]:
    """Starter projects of a task, those of this data first, then those of its kind, the small ones first."""

    def rank(entry: tuple[str, str, str]) -> tuple[bool, bool, int]:
        name, _, own = entry
        kind = own in data.names() and cls is not None and data.find(own).kind == cls.kind
        return (cls is not None and own != cls.name, not kind, templates.about(name).parameters or 0)

    suited = sorted((e for e in _index() if e[1] == task), key=rank)
    return (templates.load(name) for name, _, _ in suited)


def _with_starter(
    project: Project, cls: type[Dataset], task: type[Task], choice: Choice
) -> tuple[str, list[Edit]] | None:
    """The title of the first starter project that fits, and the edits that take over all but its name."""
    for found in itertools.islice(_starters(task.name, cls), _TRIED):
        told = to_json(found)
        chosen = told["data"] if found.data.name == cls.name else {"name": choice.name, "settings": choice.settings}
        changes = [edits.set_part("data", chosen)]
        changes += [edits.set_part(part, told[part]) for part in ("task", "loss", "optimizer", "training")]
        if found.blocks:
            changes.append(edits.set_part("blocks", {**project.blocks, **found.blocks}))
        changes += [
            {"op": "set_network", "network": slot, "value": None} for slot in project.networks if slot not in task.slots
        ]
        changes += [
            {"op": "set_network", "network": slot, "value": graph_to_json(graph)}
            for slot, graph in found.networks.items()
        ]
        done = _adapted(project, changes)
        if done is not None:
            return found.name, done[0]
    return None
