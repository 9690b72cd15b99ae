"""The page without a browser: every panel draws, shows the document's values, and sends changes as commands."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import blocks
from blocks.base import Setting
from builder import data, edits, templates, validate
from builder.graph_file import node_to_json
from builder.project import save, to_json
from builder.training.client import Launcher
from builder.training.headless import train
from builder.training.run import Run, new_run_folder, write_state
from builder.training.settings import TrainingSettings
from builder.training.snapshot import Snapshot
from builder.ui import forms, live, samples, state
from builder.ui import page as page_module
from builder.ui.session import Document
from builder.ui.views import plots
from builder.workspace import Workspace

APP = str(Path(__file__).parents[1] / "app.py")


@pytest.fixture(autouse=True)
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path))
    monkeypatch.setattr(Launcher, "ready", lambda *_: None)  # no process is kept warm for these tests
    return Workspace(tmp_path)


def visit(panel: str = "Data", **query: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=120)
    page.session_state[state.PANEL] = state.Front(panel)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception, page.exception
    return page


def document(page: AppTest) -> Document:
    found: Document = page.session_state["document"]
    return found


def trained(space: Workspace, template: str, **settings: Any) -> str:
    """A project with one short finished run; returns the project's id."""
    project = templates.load(template)
    project = project.replace(training={**project.training, "epochs": 1, **settings})
    id = space.create(project)
    train(project, run_folder=new_run_folder(space.runs_place(id)))
    return id


@pytest.mark.parametrize("panel", state.PANELS)
def test_every_panel_draws_before_anything_was_trained(panel: str) -> None:
    page = visit(panel)
    assert document(page).project == templates.load(state.STARTER)
    assert not page.error


@pytest.mark.parametrize("template", ["lenet5", "mlp"])
def test_every_panel_draws_after_a_training(space: Workspace, template: str) -> None:
    id = trained(space, template)
    for panel in state.PANELS:
        page = visit(panel, project=id)
        assert not page.error, (panel, [e.value for e in page.error])
        assert not [c.value for c in page.caption if "as they were" in c.value], panel  # looked at again, not as it was


def test_a_choice_named_once_more_by_a_field_that_has_left_the_page_is_not_made_again() -> None:
    page = visit("Data")
    before = document(page).project
    page.selectbox(key="data.name.classification.0").select("shape_boxes")
    told = page._tree.get_widget_states()
    page._run(told)
    assert document(page).project.task.name == "detection"
    assert len(document(page).commands) == 1
    page._run(told)  # a message of a browser that does not know of the new fields yet: it says all it knows again
    assert len(document(page).commands) == 1
    document(page).command("undone", [{"op": "replace_project", "value": to_json(before)}])
    for _ in range(2):
        page._run(told)
    assert document(page).project == before
    page.run()
    assert page.selectbox(key="data.name.classification.1").value == "digits"
    page.selectbox(key="data.name.classification.1").select("shape_boxes").run()  # by a person, this time
    assert document(page).project.task.name == "detection"


def test_a_table_is_headed_by_the_names_of_its_columns(space: Workspace) -> None:
    project = templates.load("mlp_regression")
    data.samples(data.find(project.data.name).from_settings(project.data.settings))  # no page has to wait for it
    page = visit("Data", project=space.create(project))
    (table,) = page.dataframe
    assert list(table.value.columns)[:3] == ["age", "sex", "body mass index"]
    assert list(table.value.columns)[-1] == "progression, to be guessed"
    assert len(table.value.columns) == 11
    assert list(samples._headed([("a", 1), ("b", 2), ("a", 3), ("a (2)", 4)])) == ["a", "b", "a (2)", "a (2) (2)"]


def test_the_bar_calls_a_long_named_metric_as_the_field_does(space: Workspace) -> None:
    (run,) = space.runs(trained(space, "mlp_regression"))
    score = live.run_json(run, run.state)["score"]
    assert score == f"MAE {run.state.test['metrics']['mae']:.3f}"


def test_the_address_names_the_project(space: Workspace) -> None:
    page = visit()
    id = document(page).project_id
    assert page.query_params["project"] in (id, [id])
    assert document(visit(project=id)).project_id == id
    assert len(space.projects()) == 1


def test_a_data_set_chosen_in_its_panel_is_a_command(space: Workspace) -> None:
    page = visit("Data")
    page.selectbox(key="data.name.classification.0").select("spirals").run()
    assert not page.exception
    changed = document(page)
    assert changed.project.data.name == "spirals"
    assert [c["edits"][0]["part"] for c in changed.commands] == ["data"]
    assert space.open(changed.project_id).project.data.name == "spirals"


def test_a_field_shows_the_document_not_what_was_typed_last(space: Workspace) -> None:
    page = visit("Loss & optimizer")
    page.number_input(key="training.epochs.0").set_value(3).run()
    held = document(page)
    assert held.project.training["epochs"] == 3
    held.set_part("undone in the browser", "training", {**held.project.training, "epochs": 7})
    page.run()
    assert page.number_input(key="training.epochs.1").value == 7


def test_a_whole_number_is_not_cut_out_of_another(space: Workspace) -> None:
    page = visit("Loss & optimizer")
    before = document(page).project.training["epochs"]
    page.number_input(key="training.epochs.0").set_value(3.7).run()
    assert [t.value for t in page.toast] == ["epochs is 3.7; it must be a whole number."]
    assert document(page).project.training["epochs"] == before
    page.number_input(key="training.epochs.1").set_value(before + 1).run()
    epochs = document(page).project.training["epochs"]
    assert (epochs, type(epochs)) == (before + 1, int)


@pytest.mark.parametrize(
    ("kind", "text", "number"),
    [
        ("float", "0,001", 0.001),
        ("float", "1,5", 1.5),
        ("float", "1e-3", 0.001),
        ("int", "12", 12),
        ("int", "3,7", 3.7),
    ],
)
def test_one_number_may_have_a_decimal_comma(kind: str, text: str, number: float) -> None:
    spec = Setting("clip", kind, None, True, 0, None, None, "clip", "", "")
    assert forms._read(spec, text) == number
    for ambiguous in ("1.000,5", "1,000,5", "one"):
        with pytest.raises(ValueError, match="takes a number"):
            forms._read(spec, ambiguous)


def test_an_optimizer_keeps_its_rate_when_the_method_changes(space: Workspace) -> None:
    page = visit("Loss & optimizer")
    page.number_input(key="optimizer.network.Adam.lr.0").set_value(0.02).run()
    page.selectbox(key="optimizer.network.name.0").select("SGD").run()
    chosen = document(page).project.optimizer["network"]
    assert (chosen.name, chosen.settings["lr"]) == ("SGD", 0.02)


def test_the_next_run_can_begin_with_what_an_earlier_one_has_learned(space: Workspace) -> None:
    id = trained(space, "mlp")
    (run,) = space.runs(id)
    page = visit("Loss & optimizer", project=id)
    assert page.selectbox(key="weights.source.0").value == "drawn"
    page.selectbox(key="weights.source.0").select(run.id).run()
    assert any("All 6 tensors of Run 1 fit, matched by name." in c.value for c in page.caption)
    held = document(page)
    wider = dataclasses.replace(held.project.networks["network"].nodes[3])
    assert wider.id == "fc2"
    edited = dataclasses.replace(wider, block=wider.block.replace(out_features=20))  # type: ignore[union-attr]
    edits = [{"op": "replace_node", "network": "network", "id": "fc2", "node": node_to_json(edited)}]
    held.command("Make fc2 narrower", edits)
    page.run()
    assert not page.exception
    assert any(c.value == "Kept: fc1. Drawn anew: fc2, fc3." for c in page.caption)
    page.selectbox(key="weights.source.0").select("file").run()
    assert not page.error
    assert not page.warning


def test_a_damaged_workspace_still_opens_a_page(space: Workspace) -> None:
    id = space.create(templates.load("mlp"))
    (space.place(id) / "project.json").write_text("{")
    page = visit(project=id)
    told = document(page).notice
    assert told is not None
    assert "cannot be opened" in told.text
    assert document(page).project_id != id


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path / "file"))
    page = visit()
    assert "cannot be written" in page.error[0].value


def test_the_cards_of_the_gallery_tell_the_true_sizes() -> None:
    for name in templates.names():
        found = validate.inspect(templates.load(name)).parameters
        assert templates.about(name).parameters == sum(found.values()), name


def test_smoothing_is_the_corrected_running_mean() -> None:

    values = np.array([3.0, 1.0, np.nan, 2.0, *np.linspace(0, 1, 200)])
    mean = weight = 0.0
    expected = []
    for value in np.nan_to_num(values):
        mean, weight = 0.9 * mean + 0.1 * value, 0.9 * weight + 0.1
        expected.append(mean / weight)
    np.testing.assert_allclose(plots.smoothed(values, 0.9), expected, rtol=1e-12)
    assert plots.smoothed(values, 0.0) is values


def test_the_figure_and_the_summary_are_offered() -> None:
    page = visit("Export")
    (chart,) = page.get("graphviz_chart")
    assert "6×28×28" in chart.proto.spec
    page.segmented_control(key="paper_view").select("Summary").run()
    assert not page.exception
    (table,) = page.dataframe
    assert table.value["parameters"].sum() == 61_706


def test_an_output_shows_probabilities_or_what_it_receives() -> None:
    project = templates.load("lenet5")
    last = next(e.source for e in project.networks["network"].edges if e.target == "output")
    arrays = {f"map/network/{last}": np.linspace(0, 1, 10, dtype=np.float16)}
    shown = live.thumbnails(project, Snapshot({}, arrays))["network"]
    assert shown["output"] == shown[last]
    judged = {**arrays, "prediction/probability": np.full(10, 0.1, np.float32)}
    assert live.thumbnails(project, Snapshot({}, judged))["network"]["output"] != shown[last]
    pixels = {**arrays, "prediction/probability": np.full((10, 4, 4), 0.1, np.float32)}
    assert live.thumbnails(project, Snapshot({}, pixels))["network"]["output"] == shown[last]


def test_only_blocks_that_are_still_the_same_keep_their_pictures() -> None:
    project = templates.load("lenet5")
    graph = project.networks["network"]
    then = live.kinds(project)
    pictured = {"network": {**{id: f"of {id}" for id in graph.ids()}, "conv1.inner": "of a block inside"}}
    assert live.standing(pictured, then, live.kinds(project, validate.check(project))) == pictured

    # Another kernel changes the shapes from there on up to what the first of the dense layers makes of them.
    setting = {"op": "set", "network": "network", "id": "conv1", "setting": "kernel_size", "value": 3}
    changed = live.kinds(edits.apply(project, [setting]))
    kept = live.standing(pictured, then, changed)["network"]
    shapes, others = validate.inspect(project).shapes, validate.inspect(edits.apply(project, [setting])).shapes
    assert set(kept) == {id for id in graph.ids() if shapes["network"][id] == others["network"].get(id)}
    assert "image" in kept
    assert not {"conv1", "conv1.inner", "pool1"} & set(kept)

    # Of the same shape and name, but another block.
    tanh = blocks.catalogue()["Tanh"]()
    nodes = tuple(dataclasses.replace(n, block=tanh) if n.id == "relu1" else n for n in graph.nodes)
    other = dataclasses.replace(graph, nodes=nodes)
    kept = live.standing(pictured, then, live.kinds(project.replace(networks={"network": other})))["network"]
    assert set(pictured["network"]) - set(kept) == {"relu1"}
    assert live.standing(pictured, then, {}) == {"network": {}}


def test_an_edited_network_is_akin_to_the_one_before_and_another_is_not() -> None:
    project = templates.load("lenet5")
    then = live.kinds(project)
    less = edits.apply(project, [{"op": "remove_node", "network": "network", "id": "flatten"}])
    assert live.akin(then, live.kinds(less))
    assert not live.akin(then, live.kinds(templates.load("mlp")))
    assert not live.akin(then, live.kinds(project.replace(networks={"generator": project.networks["network"]})))


def test_a_run_is_known_to_be_of_the_project_as_it_stands_or_of_an_earlier_state(space: Workspace) -> None:
    id = trained(space, "mlp")
    (run,) = space.runs(id)
    project = space.open(id).project
    assert not live.edited(run, project)
    assert not live.edited(run, project.replace(name="another name"))
    moved = [{"op": "move_node", "network": "network", "id": "fc1", "position": [7, 7]}]
    assert not live.edited(run, edits.apply(project, moved))
    spelled_out = TrainingSettings().to_settings() | project.training
    assert spelled_out != project.training
    assert not live.edited(run, project.replace(training=spelled_out))
    assert live.edited(run, project.replace(training={**project.training, "epochs": 2}))
    assert live.edited(run, edits.apply(project, [{"op": "remove_node", "network": "network", "id": "fc1"}]))


def test_curves_are_those_of_the_task_that_a_run_was_trained_for(space: Workspace) -> None:
    id = trained(space, "mlp")
    project = space.open(id).project
    space.save(id, templates.load("mlp_regression").replace(name=project.name), 9)
    page = visit("Curves", project=id)
    assert any("another network than the one on the canvas" in c.value for c in page.caption)
    heads = [m.value for m in page.markdown]
    assert any("**Accuracy**" in head for head in heads)
    assert not any("error" in head for head in heads)


def test_the_time_told_is_that_of_the_last_run_of_the_same_project(space: Workspace) -> None:
    id = trained(space, "mlp", batch_size=8)
    (run,) = space.runs(id)
    assert run.state.step >= page_module.ENOUGH
    told = run.state
    write_state(run.folder, dataclasses.replace(told, seconds=3.0 * told.step, heartbeat=told.heartbeat + 1))
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "editor", lambda data, *_: found.update(data))
        visit("Data", project=id)
    assert "about 3.0 s a step" in found["steps"]["train"]


def test_the_chosen_run_is_called_what_it_is_called_now(space: Workspace) -> None:
    id = trained(space, "mlp")
    (run,) = space.runs(id)
    page = visit("Curves", project=id)
    before = next(s for s in page.selectbox if s.label == "Run")
    page.text_input(key=f"name.{run.id}.0").set_value("the first").run()
    after = next(s for s in page.selectbox if s.label == "Run")
    assert after.options[0].startswith("the first · ")
    assert after.id != before.id  # under the same one the browser would go on showing the label that it has
    assert after.value == run.id


def test_a_choice_is_made_of_what_stands_now(space: Workspace) -> None:
    page = visit("Loss & optimizer")
    told = document(page).project.optimizer["network"]
    method = page.selectbox(key="optimizer.network.name.0")
    rate = {**told.settings, "lr": 0.5}
    document(page).set_part("typed", "optimizer", {"network": {"name": told.name, "settings": rate}})
    method.select("SGD").run()  # not drawn again since
    assert document(page).project.optimizer["network"].settings["lr"] == 0.5


def test_a_project_deleted_by_another_tab_leaves_a_page_that_says_so(space: Workspace) -> None:
    id = trained(space, "mlp")
    page = visit("Code", project=id)
    space.delete(id)
    page.run()
    assert not page.exception
    document(page).set_part("Rename", "name", "too late")
    assert document(page).notice is not None


def test_a_number_out_of_bounds_is_refused_with_them() -> None:
    page = visit("Loss & optimizer")
    field = next(f for f in page.number_input if f.label == "batch size")
    before = field.value
    field.set_value(0).run()
    assert any(t.value.startswith("batch size is 0; the smallest allowed is 1") for t in page.toast), [
        t.value for t in page.toast
    ]
    assert document(page).project.training.get("batch_size", before) == before
    assert next(f for f in page.number_input if f.label == "batch size").value == before


def test_a_sample_is_named_by_the_classes_that_the_run_was_trained_on(tmp_path: Path) -> None:
    words = templates.load("rnn_names")
    names = data.find(words.data.name).from_settings(words.data.settings).class_names()
    save(words, tmp_path / "project.json")
    project = live.trained(Run(tmp_path))
    assert project is not None
    answer = np.zeros(len(names), np.float32)
    answer[1] = 1.0
    probe = Snapshot({"sample": 0}, {"prediction/probability": answer, "prediction/label": np.array([0])})
    assert live.probe_json(project, probe) == {"sample": 0, "label": names[0], "prediction": f"{names[1]} (100 %)"}
    (tmp_path / "project.json").write_text("{")
    assert live.trained(Run(tmp_path)) is None
