"""Opening a starter project in the app, for the browser test of each task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builder import templates
from builder.project import Choice
from builder.workspace import Workspace
from tests.browser.app_harness import Server, until


def project_of(server: Server, template: str, epochs: int | None = None, **data_settings: Any) -> str:
    """The address of a new project made from a starter, with fewer epochs or other data settings if told."""
    project = templates.load(template)
    training = {**project.training, **({} if epochs is None else {"epochs": epochs})}
    choice = Choice(project.data.name, {**project.data.settings, **data_settings})
    id = Workspace(Path(server.home)).create(project.replace(training=training, data=choice))
    return f"{server.url}/?project={id}"


def train_to_the_end(page: Any, server: Server) -> None:
    """Press Train and wait until the run is done."""
    page.locator("[data-testid=train]:enabled").click()
    page.get_by_test_id("pause").wait_for()
    until(lambda: server.runs() and server.runs()[-1].state.status == "done", 240)
