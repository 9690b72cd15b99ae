"""Tasks: the kinds of job a network can be trained for.

`find(name)` gives a task's class; a class in any file of this package, or one given to `register`,
is found by its name.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil

from builder.tasks.base import Chart, Look, Loss, Metric, Task

__all__ = ["Chart", "Look", "Loss", "Metric", "Task", "find", "find_loss", "names", "register"]

_registered: dict[str, type[Task]] = {}


@functools.cache
def _own() -> dict[str, type[Task]]:
    """The tasks of this package's files, by name. Raises ValueError when two share a name."""
    found: dict[str, type[Task]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            if not (inspect.isclass(value) and issubclass(value, Task)) or value.__module__ != module.__name__:
                continue
            if not value.name:
                continue  # a shared base of several tasks
            if value.name in found:
                raise ValueError(f"two tasks are called {value.name}")
            found[value.name] = value
    return found


def register(task: type[Task]) -> type[Task]:
    """Add a task from outside; usable as a decorator.

    Raises ValueError when it has no name or another task has the same one.
    """
    if not task.name:
        raise ValueError(f'{task.__name__} has no name; set name = "..." in the class.')
    known = _own().get(task.name) or _registered.get(task.name)
    if known is not None and known is not task:
        raise ValueError(f"two tasks are called {task.name}")
    _registered[task.name] = task
    return task


def names() -> tuple[str, ...]:
    """The names of all tasks, in the order in which a page offers them."""
    return tuple({**_own(), **_registered})


def find(name: str) -> type[Task]:
    """The task of this name. Raises KeyError with a sentence when there is none."""
    found = _own().get(name) or _registered.get(name)
    if found is None:
        raise KeyError(f"There is no task called {name!r}; there are {', '.join(names())}.")
    return found


def find_loss(task: type[Task] | Task, name: str) -> type[Loss]:
    """The loss of this name among those the task offers. Raises KeyError with a sentence."""
    for loss in task.losses:
        if loss.name == name:
            return loss
    offered = ", ".join(loss.name for loss in task.losses)
    raise KeyError(f"The task {task.name} offers no loss called {name!r}; it offers {offered}.")
