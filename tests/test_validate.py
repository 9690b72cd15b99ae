"""LeNet-5 broken in many ways: each gives a message that names the block, the numbers and the remedy, and most a fix."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import networks
import pytest

import builder
from builder import data, edits, tasks
from builder.canvas.annotations import annotate
from builder.graph import Edge, Graph, Node
from builder.problems import Problem
from builder.project import Choice, Project, from_json, to_json
from builder.validate import Report, check, inspect

Changes = list[dict[str, Any]]


def set_(id: str, setting: str, value: Any) -> Changes:
    return [{"op": "set", "network": "network", "id": id, "setting": setting, "value": value}]


def add(id: str, block: str, **settings: Any) -> Changes:
    return [{"op": "add_node", "network": "network", "node": {"id": id, "block": block, "settings": settings}}]


def remove(id: str) -> Changes:
    return [{"op": "remove_node", "network": "network", "id": id}]


def edge(source: str, target: str, port: str = "in") -> dict[str, str]:
    return {"source": source, "source_port": "out", "target": target, "target_port": port}


def wire(source: str, target: str, port: str = "in") -> Changes:
    return [{"op": "add_edge", "network": "network", "edge": edge(source, target, port)}]


def cut(source: str, target: str, port: str = "in") -> Changes:
    return [{"op": "remove_edge", "network": "network", "edge": edge(source, target, port)}]


def rename(id: str, to: str) -> Changes:
    return [{"op": "rename_node", "network": "network", "id": id, "to": to}]


def part(name: str, value: Any) -> Changes:
    return [{"op": "set_part", "part": name, "value": value}]


def bypass(id: str, source: str, target: str) -> Changes:
    """Take a node out and join its neighbours."""
    return remove(id) + wire(source, target)


def between(source: str, target: str, id: str, block: str, **settings: Any) -> Changes:
    """Put a node into a wire."""
    return add(id, block, **settings) + cut(source, target) + wire(source, id) + wire(id, target)


def join(first: str, second: str, block: str, **settings: Any) -> Changes:
    """The results of two nodes meet in a new node, which feeds the layer after `first`."""
    after = {"conv1": "relu1", "fc1": "relu3", "conv2": "relu2", "pool2": "flatten", "fc2": "relu4"}[first]
    made = add("meet", block, **settings) + cut(first, after)
    return made + wire(first, "meet", "in1") + wire(second, "meet", "in2") + wire("meet", after)


@dataclass(frozen=True)
class Break:
    """One way to break LeNet-5.

    `says` are parts of the message: numbers and the remedy. `fixed` tells whether the offered fix makes the project
    valid; the others have no fix, since only the person knows what was meant.
    """

    name: str
    changes: Changes
    code: str
    node: str | None
    says: tuple[str, ...]
    fixed: bool = True
    network: str = "network"


BREAKS = (
    Break("no flatten", bypass("flatten", "pool2", "fc1"), "rank", "fc1", ("16×5×5", "400", "Insert a Flatten")),
    Break(
        "flat vector into a convolution",
        remove("relu4") + add("late", "Conv2d") + cut("fc2", "fc3") + wire("fc2", "late") + wire("late", "fc3"),
        "rank",
        "late",
        ("84", "picture", "Reshape"),
        fixed=False,
    ),
    Break(
        "kernel too large",
        set_("conv2", "kernel_size", 15),
        "kernel-too-large",
        "conv2",
        ("kernel_size 15", "14×14", "6×14×14", "at most 14"),
    ),
    Break(
        "pooled to nothing",
        set_("pool2", "kernel_size", 11),
        "kernel-too-large",
        "pool2",
        ("kernel_size 11", "10×10", "at most 10"),
    ),
    Break(
        "classes mismatch", set_("fc3", "out_features", 7), "output-mismatch", "output", ("7", "10 classes", "need 10")
    ),
    Break(
        "convolution at the end",
        remove("fc3") + remove("relu4") + remove("fc2") + remove("relu3") + remove("fc1") + wire("flatten", "output"),
        "output-mismatch",
        "output",
        ("400", "10"),
    ),
    Break(
        "picture at the end",
        remove("flatten")
        + wire("pool2", "output")
        + [c for id in ("fc1", "relu3", "fc2", "relu4", "fc3") for c in remove(id)],
        "output-mismatch",
        "output",
        ("16×5×5", "10"),
    ),
    Break(
        "nothing to train",
        remove("flatten")
        + [c for id in ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2") for c in remove(id)]
        + [c for id in ("fc1", "relu3", "fc2", "relu4", "fc3") for c in remove(id)]
        + add("small", "AdaptiveAvgPool2d", output_size=[2, 5])
        + add("flat", "Flatten")
        + wire("image", "small")
        + wire("small", "flat")
        + wire("flat", "output"),
        "no-parameters",
        "output",
        ("Nothing can be trained", "Add a layer"),
    ),
    Break("wrong input size", set_("image", "height", 32), "input-mismatch", "image", ("1×32×28", "1×28×28")),
    Break("wrong channels", set_("image", "channels", 3), "input-mismatch", "image", ("3×28×28", "1×28×28")),
    Break(
        "loop",
        join("conv2", "relu2", "Add"),
        "cycle",
        "relu2",
        ("relu2 → meet → relu2", "remove one of the wires"),
    ),
    Break("missing input", cut("relu1", "pool1"), "missing-input", "pool1", ("not connected", "draw a wire")),
    Break("no output", remove("output"), "no-output", None, ("no output", "Add an Output")),
    Break("no input", remove("image"), "no-input", None, ("no input", "Add the input")),
    Break(
        "empty canvas",
        [{"op": "set_network", "network": "network", "value": {"nodes": [], "edges": []}}],
        "empty",
        None,
        ("empty", "Add an input"),
        fixed=False,
    ),
    Break(
        "auxiliary head of another size",
        add("second", "Output") + wire("fc2", "second"),
        "output-mismatch",
        "second",
        ("84", "10 classes", "need 10"),
    ),
    Break(
        "two inputs",
        add("second", "Image") + join("conv1", "second", "Concatenate"),
        "inputs",
        "second",
        ("2 inputs", "1"),
    ),
    Break(
        "two wires into a port", wire("conv1", "conv2"), "two-wires", "conv2", ("pool1", "conv1", "Add or Concatenate")
    ),
    Break("wire to nowhere", wire("conv1", "ghost"), "loose-wire", "conv1", ("ghost", "Remove it")),
    Break("wire from nowhere", wire("ghost", "conv2", "in"), "loose-wire", "conv2", ("ghost", "Remove it")),
    Break("unknown port", wire("conv1", "fc2", "side"), "unknown-port", "fc2", ("'side'", "in", "Remove the wire")),
    Break("wire after the output", wire("output", "fc3"), "cycle", "fc3", ("fc3 → output → fc3",)),
    Break(
        "block after the output",
        add("late", "ReLU") + wire("output", "late"),
        "after-output",
        "output",
        ("ends the network", "before it"),
    ),
    Break(
        "add mismatch", join("conv2", "pool1", "Add"), "add-mismatch", "meet", ("16×10×10", "6×14×14", "equal shapes")
    ),
    Break("add mismatch of vectors", join("fc2", "fc1", "Add"), "add-mismatch", "meet", ("84", "120", "equal shapes")),
    Break(
        "concatenation mismatch",
        join("conv2", "pool1", "Concatenate"),
        "concat-mismatch",
        "meet",
        ("16×10×10", "6×14×14", "height and width must agree"),
    ),
    Break(
        "picture and vector joined",
        join("fc1", "pool2", "Concatenate"),
        "concat-mismatch",
        "meet",
        ("120", "16×5×5", "Flatten"),
    ),
    Break(
        "unknown block",
        between("conv1", "relu1", "magic", "Conv9d"),
        "unknown-block",
        "magic",
        ("'Conv9d'", "Replace it"),
    ),
    Break(
        "setting out of bounds",
        set_("conv1", "out_channels", -3),
        "unknown-block",
        "conv1",
        ("out_channels is -3", "smallest allowed is 1"),
        fixed=False,
    ),
    Break(
        "setting of a wrong type",
        set_("pool1", "kernel_size", "big"),
        "unknown-block",
        "pool1",
        ("'big'", "whole number"),
    ),
    Break(
        "groups that do not divide", set_("conv2", "groups", 5), "groups", "conv2", ("groups 5", "6", "16", "such as 2")
    ),
    Break("padding too wide", set_("pool1", "padding", 2), "padding", "pool1", ("2", "1")),
    Break(
        "reshape of another count",
        between("pool2", "flatten", "shape", "Reshape", shape=[3, 7]),
        "reshape",
        "shape",
        ("16×5×5", "400", "21"),
    ),
    Break(
        "crop larger than the picture",
        between("conv1", "relu1", "crop", "Crop", height=40, width=20),
        "crop",
        "crop",
        ("40×20", "28×28"),
    ),
    Break(
        "tokens into a convolution",
        remove("image") + add("tokens", "Tokens") + wire("tokens", "conv1"),
        "tokens",
        "conv1",
        ("tokens", "Embedding"),
        fixed=False,
    ),
    Break("name of a keyword", rename("conv1", "class"), "name", "class", ("'class'", "Python name")),
    Break("name of a module's attribute", rename("fc1", "train"), "name", "train", ("'train'", "choose another name")),
    Break("name with a space", rename("pool2", "my pool"), "name", "my pool", ("'my pool'", "letters, digits")),
    Break("name the code uses", rename("relu1", "torch"), "name", "torch", ("'torch'", "choose another name")),
    Break(
        "10^9 parameters",
        set_("fc1", "out_features", 5_000_000),
        "too-large",
        "fc1",
        ("2,425,003,506", "GB", "fc1", "smaller"),
        fixed=False,
    ),
    Break(
        "unknown data set",
        part("data", {"name": "cats", "settings": {}}),
        "unknown-data",
        None,
        ("'cats'", "digits"),
        network="",
    ),
    Break(
        "unknown loss",
        part("loss", {"name": "luck", "settings": {}}),
        "unknown-loss",
        None,
        ("'luck'", "cross_entropy"),
        network="",
    ),
    Break(
        "unknown task",
        part("task", {"name": "wishing", "settings": {}}),
        "unknown-task",
        None,
        ("'wishing'", "classification"),
        network="",
    ),
    Break(
        "unknown optimizer",
        part("optimizer", {"network": {"name": "Magic", "settings": {}}}),
        "unknown-optimizer",
        None,
        ("'Magic'", "Adam"),
        network="",
    ),
    Break(
        "learning rate of a wrong type",
        part("optimizer", {"network": {"name": "SGD", "settings": {"lr": "fast"}}}),
        "optimizer-setting",
        None,
        ("lr", "'fast'", "number"),
        network="",
    ),
    Break("no optimizer", part("optimizer", {}), "missing-optimizer", None, ("network", "no optimizer", "Choose one")),
    Break(
        "batch size of zero",
        part("training", {"batch_size": 0}),
        "training-setting",
        None,
        ("batch_size is 0", "smallest allowed is 1"),
        network="",
    ),
    Break(
        "network of another name",
        [{"op": "set_network", "network": "network", "value": None}],
        "missing-network",
        None,
        ("'network'", "Add it"),
        fixed=False,
    ),
)

WARNINGS = (
    Break(
        "dangling branch",
        add("side", "Conv2d") + wire("pool1", "side"),
        "dangling",
        "side",
        ("side", "goes nowhere", "remove it"),
    ),
    Break(
        "softmax before cross entropy",
        between("fc3", "output", "soft", "Softmax"),
        "probabilities",
        "soft",
        ("soft", "probabilities", "Remove soft"),
    ),
)


def broken(case: Break) -> Project:
    return edits.apply(builder.templates.load("lenet5"), case.changes)


def found(report: Report, case: Break) -> Problem:
    for problem in report.problems:
        if (problem.code, problem.node, problem.network) == (case.code, case.node, case.network):
            return problem
    raise AssertionError(f"no {case.code} at {case.node}: {report.problems}")


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.name)
def test_every_break_has_a_message_with_numbers_and_remedy(case: Break) -> None:
    report = check(broken(case))
    problem = found(report, case)
    assert not report.ok
    assert problem.severity == "error"
    for words in case.says:
        assert words in problem.message
    if case.node is not None and case.code != "no-parameters":
        assert case.node in problem.message
    assert len(problem.message) <= 320, "too long for a bubble"
    assert problem.message.endswith(".")


@pytest.mark.parametrize("case", [c for c in BREAKS if c.fixed], ids=lambda case: case.name)
def test_the_offered_fix_makes_the_project_valid(case: Break) -> None:
    project = broken(case)
    problem = found(check(project), case)
    assert problem.fix is not None
    assert len(problem.fix.label) <= 60
    after = check(edits.apply(project, problem.fix.edits))
    assert after.ok, (problem.fix, after.problems)


def test_there_are_enough_ways_to_break_it_and_to_repair_it() -> None:
    assert len({c.name for c in BREAKS}) >= 25
    assert sum(c.fixed for c in BREAKS) >= 15
    assert len({c.code for c in BREAKS}) >= 20


@pytest.mark.parametrize("case", WARNINGS, ids=lambda case: case.name)
def test_warnings_let_the_project_train_and_are_fixed(case: Break) -> None:
    project = broken(case)
    report = check(project)
    problem = found(report, case)
    assert report.ok
    assert problem.severity == "warning"
    for words in case.says:
        assert words in problem.message
    assert problem.fix is not None
    after = check(edits.apply(project, problem.fix.edits))
    assert after.problems == ()


def test_lenet5_has_the_shapes_and_counts_of_the_table() -> None:
    """LeCun et al. 1998, figure 2, with padding 2 on the first layer; 416,520 multiply-adds by hand."""
    report = check(builder.templates.load("lenet5"))
    assert report.ok
    assert report.problems == ()
    shapes = report.shapes["network"]
    table = {
        "conv1": (6, 28, 28),
        "pool1": (6, 14, 14),
        "conv2": (16, 10, 10),
        "pool2": (16, 5, 5),
        "flatten": (400,),
        "fc1": (120,),
        "fc2": (84,),
        "fc3": (10,),
        "output": (10,),
    }
    assert {id: shapes[id] for id in table} == table
    assert report.parameters == {"network": 61_706}
    by_hand = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10
    assert report.flops == {"network": by_hand}


@pytest.mark.parametrize("name", builder.templates.names())
def test_every_template_checks_without_a_problem(name: str) -> None:
    report = inspect(builder.templates.load(name))
    assert report.ok
    assert report.problems == ()


# --- states --------------------------------------------------------------------------------------


def test_nodes_behind_a_broken_one_wait_for_it() -> None:
    project = edits.apply(builder.templates.load("lenet5"), set_("conv2", "kernel_size", 15))
    report = check(project)
    nodes = report.nodes["network"]
    assert nodes["conv2"].state == "error"
    assert nodes["pool1"].state == "ok"
    for id in ("relu2", "pool2", "flatten", "fc1", "output"):
        assert (nodes[id].state, nodes[id].waits_for) == ("waiting", "conv2")
    assert [p.node for p in report.problems] == ["conv2"], "those that only wait are not wrong"


def test_two_independent_mistakes_are_both_reported() -> None:
    changes = set_("conv1", "groups", 5) + rename("fc3", "class") + part("loss", {"name": "luck", "settings": {}})
    report = check(edits.apply(builder.templates.load("lenet5"), changes))
    assert {"groups", "name", "unknown-loss"} <= {p.code for p in report.problems}


def test_ports_know_what_they_receive_even_when_the_block_is_broken() -> None:
    report = check(edits.apply(builder.templates.load("lenet5"), join("conv2", "pool1", "Add")))
    assert report.nodes["network"]["meet"].inputs == {"in1": (16, 10, 10), "in2": (6, 14, 14)}


def test_a_node_may_be_added_to_itself() -> None:
    """Add(x, x): two wires join the same two blocks at different ports."""
    changes = add("twice", "Add") + cut("conv1", "relu1")
    changes += wire("conv1", "twice", "in1") + wire("conv1", "twice", "in2") + wire("twice", "relu1")
    report = check(edits.apply(builder.templates.load("lenet5"), changes))
    assert report.ok
    assert report.shapes["network"]["twice"] == (6, 28, 28)


def test_batch_normalization_of_single_values_is_refused() -> None:
    project = edits.apply(builder.templates.load("lenet5"), between("fc1", "relu3", "norm", "BatchNorm1d"))
    assert check(project).ok
    alone = project.replace(training={**project.training, "batch_size": 1})
    problem = next(p for p in check(alone).problems if p.code == "one-value")
    assert problem.node == "norm"
    assert "batch of 1" in problem.message
    assert problem.fix is not None
    assert check(edits.apply(alone, problem.fix.edits)).ok


def test_memory_that_does_not_suffice_is_said_before_training() -> None:
    project = builder.templates.load("vgg16")
    huge = project.replace(training={**project.training, "batch_size": 1_000_000})
    problem = next(p for p in check(huge).problems if p.code == "memory")
    assert "GB" in problem.message
    assert "smaller batch size" in problem.message


def test_torch_is_quoted_only_under_details() -> None:
    for case in BREAKS:
        for problem in inspect(broken(case)).problems:
            assert "Error" not in problem.message
            assert "torch." not in problem.message


# --- fixes ---------------------------------------------------------------------------------------


def test_the_inserted_block_stands_between_its_neighbours() -> None:
    project = builder.templates.load("lenet5")
    graph = project.networks["network"]
    placed = Graph(
        tuple(dataclasses.replace(n, position=(180.0 * i, 0.0)) for i, n in enumerate(graph.nodes)), graph.edges
    )
    project = edits.apply(project.with_network("network", placed), bypass("flatten", "pool2", "fc1"))
    problem = next(p for p in check(project).problems if p.code == "rank")
    assert problem.fix is not None
    after = edits.apply(project, problem.fix.edits).networks["network"]
    new = next(n for n in after.nodes if n.id not in {m.id for m in project.networks["network"].nodes})
    assert after.node("pool2").position[0] < new.position[0] < after.node("fc1").position[0]
    places = [n.position for n in after.nodes]
    assert len(set(places)) == len(places), "no two blocks lie on each other"


def test_a_shortcut_is_projected_with_stride() -> None:
    project = networks.project(
        "shortcut",
        ("image", "Image", {"channels": 8, "height": 16, "width": 16}),
        ("conv", "Conv2d", {"out_channels": 16, "stride": 2, "padding": 1}),
        ("add", "Add", {}, ("conv", "image")),
        ("pool", "AdaptiveAvgPool2d", {}),
        ("flatten", "Flatten", {}),
        ("fc", "Linear", {"out_features": 10}),
        ("output", "Output", {}),
    )
    problem = next(p for p in check(project).problems if p.code == "add-mismatch")
    assert problem.fix is not None
    added = next(e["node"] for e in problem.fix.edits if e["op"] == "add_node")
    assert added["block"] == "Conv2d"
    assert (added["settings"]["out_channels"], added["settings"]["stride"], added["settings"]["kernel_size"]) == (
        16,
        2,
        1,
    )
    after = check(edits.apply(project, problem.fix.edits))
    assert after.shapes["network"]["add"] == (16, 8, 8)


def test_new_data_offers_to_adapt_input_and_classes() -> None:
    project = builder.templates.load("lenet5").replace(data=Choice("spirals", {"classes": 3}))
    codes = {p.code for p in check(project).problems}
    assert "input-mismatch" in codes
    assert "output-mismatch" in codes


@pytest.mark.parametrize(
    "data, channels, classes", [("cifar10", 3, 10), ("fashion_mnist", 1, 10), ("pictures", None, None)]
)
def test_one_fix_after_the_other_adapts_to_other_data(data: str, channels: int | None, classes: int | None) -> None:
    project = builder.templates.load("lenet5").replace(data=Choice(data))
    for _ in range(3):
        report = check(project)
        fix = next((p.fix for p in report.problems if p.fix is not None), None)
        if fix is None:
            break
        project = edits.apply(project, fix.edits)
    assert check(project).ok
    shapes = check(project).shapes["network"]
    assert shapes["image"] == next(iter(builder.data.find(data)().fields().values())).shape
    if classes is not None:
        assert (shapes["image"][0], shapes["output"]) == (channels, (classes,))


def test_an_offered_fix_never_adds_an_error() -> None:
    for case in (*BREAKS, *WARNINGS):
        project = broken(case)
        before = check(project)
        for problem in before.problems:
            if problem.fix is None:
                continue
            after = inspect(edits.apply(project, problem.fix.edits))
            kinds = [(p.network, p.node, p.code, p.port) for p in after.problems]
            assert (problem.network, problem.node, problem.code, problem.port) not in kinds
            assert sum(p.severity == "error" for p in after.problems) <= sum(
                p.severity == "error" for p in before.problems
            )


def test_fixes_survive_json() -> None:
    for case in BREAKS:
        project = broken(case)
        if not project.networks:
            continue  # a file holds at least one network
        for problem in check(from_json(to_json(project))).problems:
            plain = json.loads(json.dumps(problem.to_json()))
            if problem.fix is not None:
                assert edits.apply(project, plain["fix"]["edits"]) == edits.apply(project, problem.fix.edits)


# --- size ----------------------------------------------------------------------------------------


def chain(length: int) -> Project:
    """Convolutions one after the other, each with settings of its own."""
    rows = [("image", "Image", {"channels": 1, "height": 8, "width": 8})]
    rows += [(f"conv{i}", "Conv2d", {"out_channels": 2 + i % 61, "padding": 1}) for i in range(length)]
    rows += [("flatten", "Flatten", {}), ("fc", "Linear", {"out_features": 10}), ("output", "Output", {})]
    return networks.project("chain", *rows)


def test_a_thousand_nodes_are_checked_in_work_that_grows_with_their_number() -> None:
    """Counted in calls, not in seconds: twice the nodes may cost little more than twice the calls."""
    import cProfile
    import pstats

    def calls(length: int) -> int:
        project = chain(length)
        inspect(project)
        profile = cProfile.Profile()
        profile.runcall(inspect, project)
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    small, large = calls(400), calls(800)
    assert large < 2.3 * small


def test_a_long_chain_of_missing_wires_is_no_trap() -> None:
    """500 loose blocks give 500 problems; only the first few are tried for fixes."""
    graph = Graph(tuple(Node(f"relu{i}", networks.blocks.catalogue()["ReLU"]()) for i in range(500)))
    report = check(networks.project("loose").with_network("network", graph))
    assert sum(p.code == "missing-input" for p in report.problems) == 500


def test_edges_to_unknown_blocks_keep_their_wires() -> None:
    project = broken(next(c for c in BREAKS if c.name == "unknown block"))
    graph = project.networks["network"]
    assert Edge("conv1", "out", "magic", "in") in graph.edges
    assert from_json(to_json(project)) == project


def test_a_remedy_out_of_bounds_is_no_remedy() -> None:
    """Whatever a tiny picture is to be trained for, no remedy asks a block for more than its settings allow."""
    made = networks.project(
        "p",
        ("image", "Image", {"channels": 3, "height": 2, "width": 2}),
        ("relu", "ReLU", {}),
        ("output", "Output", {}),
    )
    for task in tasks.names():
        for name in data.names():
            loss = tasks.find(task).losses[0].name
            tried = made.replace(task=Choice(task), data=Choice(name), loss=Choice(loss))
            assert not check(tried).ok


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("data", {"name": "mnist", "settings": {"validation": 7}}, "data"),
        ("data", {"name": "diabetes", "settings": {}}, "data"),  # does not suit the task
        ("task", {"name": "wishing", "settings": {}}, "task"),
        ("loss", {"name": "luck", "settings": {}}, "loss"),
        ("optimizer", {"network": {"name": "Adam", "settings": {"betas": [0.9]}}}, "optimizer"),
        ("optimizer", {}, "optimizer"),
        ("training", {"batch_size": 0}, "training"),
    ],
)
def test_a_problem_tells_the_part_of_the_project_that_it_is_in(name: str, value: Any, wanted: str) -> None:
    project = edits.apply(builder.templates.load("lenet5"), [edits.set_part(name, value)])
    (problem,) = check(project).problems
    assert problem.part == problem.to_json()["part"] == wanted


def test_a_problem_of_the_networks_is_in_no_other_part() -> None:
    project = edits.apply(
        builder.templates.load("lenet5"), [{"op": "remove_node", "network": "network", "id": "output"}]
    )
    assert {p.part for p in check(project).problems} == {""}


@pytest.mark.parametrize("name", data.names())
def test_data_that_must_still_be_given_are_named_and_do_not_make_the_networks_wrong(name: str) -> None:
    dataset = data.find(name)()
    project = builder.templates.load("lenet5").replace(data=Choice(name, dataset.to_settings()))
    report = check(project)
    if "classification" in dataset.tasks:
        assert report.missing == annotate(project, report, 1)["missing"] == dataset.missing()
    assert not any(p.message == dataset.missing() for p in report.problems)
