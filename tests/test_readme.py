"""What the README says, compared with what there is: its list of tasks, and its example, which is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import builder
from builder import cli, data, tasks, templates

README = (Path(__file__).parents[1] / "README.md").read_text()


def row(name: str) -> str:
    """A task's line in the table of what can be trained."""
    task = tasks.find(name)
    fitting = [dataset.label for dataset in map(data.find, data.names()) if name in dataset.tasks]
    starters = [templates.about(t).title for t in templates.names() if templates.load(t).task.name == name]
    cells = [fitting, [loss.label for loss in task.losses], starters]
    sentence = task.help[0].lower() + task.help[1:]
    return " | ".join((f"| **{task.label}**: {sentence}", *(" · ".join(cell) for cell in cells))) + " |"


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_is_listed_with_its_data_losses_and_starter_projects(name: str) -> None:
    assert row(name) in README.splitlines(), f"README.md lacks this line: {row(name)}"


def test_the_commands_that_it_names_are_understood() -> None:
    found = re.findall(r"^python -m builder (.*?)(?:\s+#.*)?$", README, re.MULTILINE)
    assert len(found) >= 6
    for line in found:
        cli.parser().parse_args(line.split())


def test_its_example_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = next(code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import builder" in code)
    load = templates.load

    def short(name: str) -> builder.Project:
        project = load(name)
        return project.replace(training={**project.training, "epochs": 1})

    monkeypatch.setattr(templates, "load", short)
    monkeypatch.chdir(tmp_path)
    made: dict[str, object] = {}
    exec(example, made)
    assert sorted(path.name for path in (tmp_path / "lenet5_code").iterdir())[:2] == ["README.txt", "model.py"]
    assert (tmp_path / "lenet5_code" / "weights.safetensors").exists()
