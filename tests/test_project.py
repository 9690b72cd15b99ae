"""The project file: what is saved opens again, old files always open, and hostile ones are refused with a sentence."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

import blocks
import builder
from builder import edits, names
from builder.graph import Edge, Graph, Node, UnknownBlock
from builder.project import (
    FORMAT,
    MAX_NODES,
    Choice,
    Project,
    ProjectError,
    dumps,
    from_json,
    load,
    loads,
    save,
    to_json,
)
from builder.source import source
from builder.validate import check

SAVED = sorted((Path(__file__).parent / "saved_projects").glob("*.json"))


def lenet5() -> Project:
    return builder.templates.load("lenet5")


def plain() -> dict[str, Any]:
    """LeNet-5 as a JSON object of its own."""
    return json.loads(dumps(lenet5()))


# --- there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", builder.templates.names())
def test_every_template_survives_its_file(name: str, tmp_path: Path) -> None:
    project = builder.templates.load(name)
    save(project, tmp_path / "project.json")
    assert load(tmp_path / "project.json") == project
    assert dumps(load(tmp_path / "project.json")) == dumps(project)


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_old_files_open_and_check(path: Path) -> None:
    project = load(path)
    assert check(project).ok
    assert from_json(to_json(project)) == project


def test_old_files_mean_what_they_meant() -> None:
    assert {path.stem for path in SAVED} >= {"format1_lenet5", "format1_residual"}
    lenet = load(next(path for path in SAVED if path.stem == "format1_lenet5"))
    assert check(lenet).parameters == {"network": 61_706}
    residual = load(next(path for path in SAVED if path.stem == "format1_residual"))
    assert residual.networks["network"].nodes[0].note == "Ziffern „8×8“\nzweite Zeile"
    assert residual.networks["network"].nodes[1].position == (180.0, 40.0)


def test_all_settings_are_written_even_defaults() -> None:
    for node in plain()["networks"]["network"]["nodes"]:
        cls = blocks.catalogue()[node["block"]]
        assert set(node["settings"]) == {s.name for s in cls.settings()}
        assert node["version"] == 1


def test_settings_that_are_left_out_take_their_defaults() -> None:
    data = plain()
    node = next(n for n in data["networks"]["network"]["nodes"] if n["id"] == "conv2")
    node["settings"] = {"out_channels": 16, "kernel_size": 5}
    assert from_json(data) == lenet5()


def test_parts_of_a_newer_program_do_not_stop_it() -> None:
    data = plain()
    data["about"] = {"text": "x"}
    data["networks"]["network"]["nodes"][0]["colour"] = "red"
    assert from_json(data) == lenet5()


def test_an_unknown_block_stays_in_the_file_as_it_was() -> None:
    data = plain()
    strange = {"id": "later", "block": "Conv9d", "version": 4, "settings": {"a": [1, {"b": None}]}, "position": [1, 2]}
    data["networks"]["network"]["nodes"].append(strange)
    project = from_json(data)
    node = project.networks["network"].node("later")
    assert isinstance(node.block, UnknownBlock)
    written = to_json(project)["networks"]["network"]["nodes"][-1]
    assert (written["block"], written["settings"]) == ("Conv9d", strange["settings"])
    assert not check(project).ok


def test_a_value_out_of_bounds_stays_too() -> None:
    data = plain()
    data["networks"]["network"]["nodes"][1]["settings"]["out_channels"] = -5
    written = to_json(from_json(data))
    assert written["networks"]["network"]["nodes"][1]["settings"]["out_channels"] == -5


def test_saving_replaces_the_file_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "project.json"
    save(lenet5(), path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(lenet5().replace(name="other"), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["project.json"], "no half file is left behind"


# --- hostile files -------------------------------------------------------------------------------


def one_sentence(error: ProjectError) -> str:
    message = str(error)
    assert 0 < len(message) < 300
    assert "\n" not in message
    assert "Traceback" not in message
    return message


def test_a_file_has_a_line_for_every_node_and_wire() -> None:
    project = lenet5()
    text = dumps(project)
    lines = [line.strip().rstrip(",") for line in text.splitlines()]
    network = json.loads(text)["networks"]["network"]
    assert json.loads(text) == to_json(project)
    for item in (*network["nodes"], *network["edges"]):
        assert json.dumps(item, ensure_ascii=False) in lines
    moved = dumps(project.with_network("network", project.networks["network"].renamed("fc3", "last"))).splitlines()
    assert len(set(moved) - set(text.splitlines())) == 3, "one node and its two wires"


@pytest.mark.parametrize("empty", [{}, {"network": Graph()}])
def test_an_empty_project_is_written_as_json(empty: dict[str, Graph]) -> None:
    project = Project(networks=empty, optimizer={}, training={"é \u2028": [1, {"a": [None, True, 0.1]}]})
    assert json.loads(dumps(project)) == to_json(project)


def test_every_truncation_is_refused() -> None:
    text = dumps(lenet5())
    for length in (0, 1, 10, len(text) // 3, len(text) // 2, len(text) - 3):
        with pytest.raises(ProjectError) as caught:
            loads(text[:length])
        assert "JSON" in one_sentence(caught.value)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"hello", "no complete JSON"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "no"),
        (b"\xff" * 100, "no text"),
        (b"[]", "must be an object"),
        (b"null", "must be an object"),
        (b"3", "must be an object"),
        (b"{}", "no known format"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"format": 1}', "networks must be an object"),
        (b'{"format": 2}', "update Layerloom"),
        (b'{"format": "1"}', "no known format"),
        (b'{"format": true, "networks": {}}', "no known format"),
        (b'{"format": 1, "networks": {}}', "no network"),
        (b'{"format": 1, "networks": {"network": {"nodes": 5, "edges": []}}}', "must be a list"),
        (b'{"format": 1, "networks": {"network": {"nodes": [5], "edges": []}}}', "nodes[0] must be an object"),
        (b'{"format": 1, "networks": {"network": {"nodes": [], "edges": [{}]}}}', "edges[0]"),
        (b'{"format": NaN}', "no known format"),
    ],
)
def test_what_is_no_project_is_refused_in_a_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(ProjectError) as caught:
        load(path)
    message = one_sentence(caught.value)
    assert words in message
    assert "broken.json" in message
    assert path.read_bytes() == content, "the file is left alone"


def test_numbers_beyond_python_are_refused(tmp_path: Path) -> None:
    """Python limits how long an integer it reads may be; that is no crash either."""
    path = tmp_path / "broken.json"
    path.write_text('{"format": ' + "1" * 10_000 + "}")
    with pytest.raises(ProjectError):
        load(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(ProjectError) as caught:
            load(path)
        assert "cannot be read" in one_sentence(caught.value)


WRONG: tuple[Any, ...] = (None, True, 0, -1.5, "", "x" * 300, [], {}, [[]], {"a": {}}, 10**400)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places inside a JSON value; of long lists only the first two items."""
    found = [here] if here else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += paths(item, (*here, key))
    elif isinstance(value, list):
        for i, item in enumerate(value[:2]):
            found += paths(item, (*here, i))
    return found


def test_a_wrong_value_anywhere_is_a_sentence_or_a_problem_never_a_crash() -> None:
    refused = opened = 0
    for place, wrong in itertools.product(paths(plain()), WRONG):
        data = plain()
        inner: Any = data
        for key in place[:-1]:
            inner = inner[key]
        if json.dumps(inner[place[-1]]) == json.dumps(wrong):
            continue
        inner[place[-1]] = wrong
        try:
            project = from_json(data)
        except ProjectError as error:
            one_sentence(error)
            refused += 1
            continue
        opened += 1
        report = check(project)
        if report.ok and opened % 7 == 0:
            source(project)
        assert from_json(to_json(project)) == project
    assert refused > 100
    assert opened > 100


def test_a_million_nodes_are_refused_by_their_number() -> None:
    node = {"id": "a", "block": "ReLU", "settings": {}}
    data = plain()
    data["networks"]["network"]["nodes"] = [node] * 1_000_000
    with pytest.raises(ProjectError, match="1,000,000"):
        from_json(data)


def test_many_networks_do_not_get_round_the_limit() -> None:
    data = plain()
    one = {"nodes": [{"id": f"n{i}", "block": "ReLU", "settings": {}} for i in range(MAX_NODES // 2 + 1)], "edges": []}
    data["networks"] = {"network": one, "second": one}
    with pytest.raises(ProjectError, match="more than"):
        from_json(data)


def test_the_most_blocks_a_file_may_hold_are_checked_in_bounded_work() -> None:
    """20,000 loose blocks: 20,000 problems, and still an answer."""
    relu = blocks.catalogue()["ReLU"]()
    nodes = tuple(Node(f"n{i}", relu) for i in range(MAX_NODES))
    report = check(lenet5().with_network("network", Graph(nodes)))
    assert len(report.problems) > MAX_NODES


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    with pytest.raises(ProjectError, match="64 MB"):
        load(path)


def test_10_to_the_9_parameters_are_refused_with_their_number_before_anything_is_built() -> None:
    data = plain()
    for node in data["networks"]["network"]["nodes"]:
        if node["id"] == "fc1":
            node["settings"]["out_features"] = 10_000_000
    report = check(from_json(data))
    problem = next(p for p in report.problems if p.code == "too-large")
    assert f"{report.parameters['network']:,}" in problem.message
    assert report.parameters["network"] > 10**9
    assert "this machine has" in problem.message
    with pytest.raises(ValueError, match="cannot be compiled"):
        builder.compile(from_json(data))


HOSTILE_NAMES = (
    "__import__('os').system('touch {marker}')",
    'a"); import os; os.system("touch {marker}") #',
    "x\nimport os\nos.system('touch {marker}')",
    '"""\nimport os\n"""',
    "'; DROP TABLE runs; --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\u202eevil",
    "__class__",
    "ﬁ",
)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_of_blocks_are_problems_and_never_code(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    name = name.replace("{marker}", str(marker))[:200]
    data = plain()
    network = data["networks"]["network"]
    for node in network["nodes"]:
        node["id"] = name if node["id"] == "conv1" else node["id"]
    for edge in network["edges"]:
        for end in ("source", "target"):
            edge[end] = name if edge[end] == "conv1" else edge[end]
    project = from_json(data)
    report = check(project)
    problem = next(p for p in report.problems if p.code == "name")
    assert problem.node == name
    with pytest.raises(ValueError, match="cannot be compiled"):
        builder.compile(project)
    assert problem.fix is not None
    fixed = edits.apply(project, problem.fix.edits)
    assert check(fixed).ok
    builder.compile(fixed)
    assert not marker.exists()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_of_projects_and_notes_stay_text(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    name = name.replace("{marker}", str(marker))[:200]
    data = plain()
    data["name"] = name
    data["networks"]["network"]["nodes"][1]["note"] = name
    project = from_json(data)
    assert check(project).ok
    compile(source(project), "model.py", "exec")
    module = builder.compile(project)["network"]
    assert sum(p.numel() for p in module.parameters()) == 61_706
    assert not marker.exists()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_of_everything_else_are_problems(name: str) -> None:
    for change in ("data", "task", "loss"):
        project = lenet5().replace(**{change: Choice(name, {name: name})})
        assert not check(project).ok
    assert not check(lenet5().replace(optimizer={"network": Choice(name, {})})).ok
    assert not check(lenet5().replace(training={name: 1})).ok
    data = plain()
    data["networks"]["network"]["nodes"][1]["block"] = name
    data["networks"]["network"]["nodes"][2]["settings"] = {name: name}
    assert sum(p.code == "unknown-block" for p in check(from_json(data)).problems) == 2


def test_two_blocks_of_one_name_are_refused() -> None:
    data = plain()
    data["networks"]["network"]["nodes"][1]["id"] = "image"
    with pytest.raises(ProjectError, match="must be unique"):
        from_json(data)


@pytest.mark.parametrize("name", ["class", "forward", "train", "type", "self", "__dunder", "1st", "a-b", "", "e\u0301"])
def test_names_that_are_no_attributes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        names.identifier(name)


def test_names_of_other_alphabets_are_welcome() -> None:
    for name in ("свёртка", "畳み込み", "größe", "conv_1"):
        assert names.identifier(name) == name


# --- edits ---------------------------------------------------------------------------------------


def test_edits_do_what_their_names_say() -> None:
    project = lenet5()
    node = {"id": "drop", "block": "Dropout", "settings": {"p": 0.3}, "position": [10, 20]}
    edge = {"source": "relu4", "source_port": "out", "target": "drop", "target_port": "in"}
    after = edits.apply(
        project,
        [
            {"op": "add_node", "network": "network", "node": node},
            {"op": "add_edge", "network": "network", "edge": edge},
            {"op": "rename_node", "network": "network", "id": "fc3", "to": "scores"},
            {"op": "set", "network": "network", "id": "conv1", "setting": "out_channels", "value": 8},
            {"op": "move_node", "network": "network", "id": "conv1", "position": [5, 6]},
            {"op": "fold_node", "network": "network", "id": "conv1", "folded": False},
            {"op": "remove_node", "network": "network", "id": "relu1"},
            {"op": "remove_edge", "network": "network", "edge": {**edge, "source": "relu4", "target": "fc3"}},
            edits.set_part("training", {"epochs": 3}),
            edits.set_part("name", "mine"),
        ],
    )
    graph = after.networks["network"]
    assert graph.node("drop").position == (10.0, 20.0)
    assert Edge("relu4", "out", "drop", "in") in graph.edges
    assert Edge("scores", "out", "output", "in") in graph.edges
    conv = graph.node("conv1")
    assert (conv.block.to_settings()["out_channels"], conv.position, conv.folded) == (8, (5.0, 6.0), False)
    assert "relu1" not in graph.ids()
    assert not [e for e in graph.edges if "relu1" in (e.source, e.target)]
    assert after.training == {"epochs": 3}
    assert after.name == "mine"
    assert project == lenet5(), "the project before is untouched"


@pytest.mark.parametrize(
    "edit",
    [
        {"op": "set", "network": "network", "id": "ghost", "setting": "p", "value": 1},
        {"op": "set", "network": "other", "id": "conv1", "setting": "p", "value": 1},
        {"op": "remove_node", "network": "network"},
        {"op": "add_node", "network": "network", "node": {"id": "conv1", "block": "ReLU", "settings": {}}},
        {"op": "add_node", "network": "network", "node": 3},
        {"op": "rename_node", "network": "network", "id": "conv1", "to": "fc1"},
        {"op": "add_edge", "network": "network", "edge": {"source": "conv1"}},
        {"op": "set_part", "part": "networks", "value": {}},
        {"op": "explode", "network": "network", "id": "conv1"},
    ],
)
def test_edits_that_do_not_fit_are_refused(edit: dict[str, Any]) -> None:
    with pytest.raises(edits.EditError):
        edits.apply(lenet5(), [edit])


def test_the_format_number_is_written() -> None:
    assert plain()["format"] == FORMAT
