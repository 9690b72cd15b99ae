"""The text of model.py: how it reads, that tools agree with it, and that it is what the blocks say."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import subprocess
import sys
from pathlib import Path

import networks
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import graph, project
from torch import Tensor, nn

from blocks import modules
from blocks.activation import ReLU
from blocks.base import Block, Call, Port, Shape, Subgraph, setting
from blocks.convolution import Conv2d
from blocks.inputs import Image, Output
from blocks.merging import Add
from builder import templates
from builder.compile import instantiate, write
from builder.forward import Name, Step, statements
from builder.graph import Edge, Graph, Node
from builder.project import Project
from builder.shapes import build
from builder.source import generate, render, source

torch.set_num_threads(1)
GOLDEN = Path(__file__).parent / "golden"
KNOWN = {
    "lenet5": networks.lenet5,
    "small_resnet": networks.small_resnet,
    "small_googlenet": networks.small_googlenet,
    "resnet50": functools.partial(templates.load, "resnet50"),
    "googlenet": functools.partial(templates.load, "googlenet"),
}
IMAGE = ("image", "Image", {"channels": 2, "height": 8, "width": 8})
OUTPUT = ("output", "Output", {})


def conv(id: str, channels: int = 2, *sources: str) -> tuple[object, ...]:
    row = (id, "Conv2d", {"out_channels": channels, "kernel_size": 3, "padding": 1})
    return (*row, list(sources)) if sources else row


def modules_of(made: Project, folder: Path) -> dict[str, nn.Module]:
    generated = generate(made)
    return instantiate(write(generated, folder), generated.classes)


def body(made: Project) -> list[str]:
    """The statements of the last class's `forward`."""
    text = source(made)
    return [line.strip() for line in text[text.rindex("    def forward") :].splitlines()[1:]]


# --- how it reads --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_text_is_the_golden_file(name: str, request: pytest.FixtureRequest) -> None:
    text = source(KNOWN[name]())
    assert text == (GOLDEN / f"{name}.py").read_text(), (
        f"write it anew with: PYTHONPATH=. python tests/test_source.py {name}"
    )


@pytest.mark.parametrize("name", KNOWN)
def test_ruff_finds_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(source(KNOWN[name]()))
    select = "E,F,W,I,B,UP,SIM,C4,PIE,N,RET"
    for command in (["format", "--diff"], ["check", "--select", select, "--ignore", "N812"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--config", "line-length=120", str(path)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [*KNOWN, "all helpers"])
def test_only_torch_is_imported(name: str) -> None:
    text = inspect.getsource(modules) if name == "all helpers" else source(KNOWN[name]())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            assert {a.name.split(".")[0] for a in node.names} == {"torch"}
        if isinstance(node, ast.ImportFrom):
            assert node.module in ("torch", "__future__")


def test_source_does_not_change_from_call_to_call() -> None:
    assert source(networks.small_googlenet()) == source(networks.small_googlenet())


def test_a_chain_is_nested_from_layer_to_layer() -> None:
    rows = [IMAGE, conv("a"), ("r", "ReLU", {}), conv("b"), conv("c"), OUTPUT]
    assert body(project("p", *rows)) == ["x = self.r(self.a(image))", "x = self.b(x)", "return self.c(x)"]


def test_a_value_used_later_keeps_its_name() -> None:
    rows = [IMAGE, conv("a"), conv("b"), ("add", "Add", {}, ["b", "a"]), OUTPUT]
    assert body(project("p", *rows)) == ["a = self.a(image)", "b = self.b(a)", "return self.add(b, a)"]


def test_the_running_variable_never_overwrites_what_is_needed() -> None:
    made = statements(
        {"in": "x"}, [Step("a", ("in",), True), Step("b", ("a",), True), Step("add", ("b", "in"), False)], ("add",)
    )
    assert [f"{s.head}{', '.join(map(repr, s.values))}" for s in made] == [
        "out = self.a(x)",
        "b = self.b(out)",
        "return self.add(b, x)",
    ]


@st.composite
def wirings(draw: st.DrawFn) -> tuple[dict[str, str], list[Step], tuple[str, ...]]:
    """Inputs, steps that read what came before them, and outputs; with names that meet the running variables."""
    pool = draw(st.permutations(["x", "out", "h", "y", "a", "b", "c", "d", "e", "f"]))
    inputs, ids = pool[: draw(st.integers(1, 2))], pool[2 : draw(st.integers(2, 10))]
    known, steps = list(inputs), []
    for id in ids:
        near = st.sampled_from(known[-2:])  # long chains are what is nested
        sources = draw(st.lists(near | st.sampled_from(known), min_size=1, max_size=3))
        steps.append(Step(id, tuple(sources[: draw(st.integers(1, 3))]), draw(st.booleans())))
        known.append(id)
    outputs = draw(st.lists(st.sampled_from(known[-3:]), min_size=1, max_size=2))
    return {i: i for i in inputs}, steps, tuple(outputs)


@given(wirings())
@settings(max_examples=100, deadline=None)
def test_statements_compute_what_the_wires_say(wiring: tuple[dict[str, str], list[Step], tuple[str, ...]]) -> None:
    inputs, steps, outputs = wiring
    wanted: dict[str, object] = dict(inputs)
    for step in steps:
        wanted[step.id] = (step.id, *(wanted[s] for s in step.sources))
    held: dict[str, object] = dict(inputs)
    called = []

    def value(item: Call | Name) -> object:
        if isinstance(item, Name):
            return held[item.name]
        inner = tuple(value(a) for a in item.args)
        called.append(item.target.removeprefix("self."))
        return (called[-1], *inner)

    for statement in statements(inputs, steps, outputs):
        before = len(called)
        values = tuple(value(v) for v in statement.values)
        assert tuple(called[before:]) == statement.layers
        if statement.head.endswith("= "):
            held[statement.head.removesuffix(" = ")] = values[0]
    assert values == tuple(wanted[o] for o in outputs)
    assert called == [s.id for s in steps]


def test_one_source_into_both_ports() -> None:
    made = project("p", IMAGE, conv("a"), ("add", "Add", {}, ["a", "a"]), OUTPUT)
    assert body(made) == ["a = self.a(image)", "return self.add(a, a)"]


def test_names_that_meet_the_running_variable() -> None:
    rows = [("x", "Image", IMAGE[2]), conv("out"), conv("h"), ("add", "Add", {}, ["h", "x"]), conv("y"), OUTPUT]
    made = project("p", *rows)
    assert body(made) == ["out = self.out(x)", "h = self.h(out)", "x = self.add(h, x)", "return self.y(x)"]


def test_a_value_that_goes_nowhere_is_still_computed() -> None:
    made = project("p", IMAGE, conv("a"), conv("loose"), ("output", "Output", {}, ["a"]))
    assert body(made) == ["a = self.a(image)", "self.loose(a)", "return a"]


def test_several_inputs_and_outputs_in_file_order(tmp_path: Path) -> None:
    rows = [
        ("second", "Image", {"channels": 3, "height": 8, "width": 8}),
        ("first", "Image", IMAGE[2]),
        ("late", "Output", {}, ["b"]),
        conv("a", 4, "first"),
        conv("b", 5, "second"),
        ("early", "Output", {}, ["a"]),
    ]
    made = project("p", *rows)
    assert "def forward(self, second: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:" in source(made)
    late, early = modules_of(made, tmp_path)["network"](torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 8, 8))
    assert (late.shape[1], early.shape[1]) == (5, 4)


def test_an_input_straight_to_the_output(tmp_path: Path) -> None:
    x = torch.rand(2, 2, 8, 8)
    assert modules_of(project("p", IMAGE, OUTPUT), tmp_path)["network"](x) is x


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LeNet-5", "LeNet5"),
        ("my first net", "MyFirstNet"),
        ("3d net", "Network3dNet"),
        ("none", "Network"),
        ("", "Network"),
        ("сеть", "Сеть"),
        ("nn", "Nn"),
        ("Add", "Add2"),
        ('"""\n__import__("os").system("x")', "ImportOsSystemX"),
        ("a\\", "A"),
    ],
)
def test_any_project_name_gives_a_class(name: str, expected: str, tmp_path: Path) -> None:
    made = project(name, IMAGE, conv("a"), ("add", "Add", {}, ["a", "a"]), OUTPUT)
    generated = generate(made)
    assert generated.classes == {"network": expected}
    classes = [node.name for node in ast.parse(generated.text).body if isinstance(node, ast.ClassDef)]
    assert classes == ["Add", expected]
    modules_of(made, tmp_path)


@pytest.mark.parametrize("id", ["a b", "class", "train", "forward", "self", "__x", "1a", "ﬁ", 'a"; import os', ""])
def test_a_name_that_cannot_stand_in_code_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match=r"name|Name"):
        source(project("p", IMAGE, conv(id), OUTPUT))


def test_several_networks_are_named_after_themselves() -> None:
    made = Project(name="gan", networks={n: graph(IMAGE, conv("a"), OUTPUT) for n in ("generator", "discriminator")})
    assert generate(made).classes == {"generator": "Generator", "discriminator": "Discriminator"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ('say "a"', "'say \"a\"'"),
        ("it's", '"it\'s"'),
        ("a\n\\", '"a\\n\\\\"'),
        ((3,), "(3,)"),
        (1e-5, "1e-05"),
        (None, "None"),
        (Call("nn.Conv2d", 1, 2, padding_mode="zeros"), 'nn.Conv2d(1, 2, padding_mode="zeros")'),
    ],
)
def test_values_come_back_as_they_were(value: object, text: str) -> None:
    assert render(value) == text
    if not isinstance(value, Call):
        assert ast.literal_eval(text) == value


def test_the_longest_name_still_compiles(tmp_path: Path) -> None:
    long = "n" * 200
    made = project("p", IMAGE, conv(long, 6), ("add", "Add", {}, [long, long]), OUTPUT)
    assert modules_of(made, tmp_path)["network"](torch.rand(1, 2, 8, 8)).shape == (1, 6, 8, 8)


@pytest.mark.parametrize("length", [8, 50, 88, 100])
def test_long_names_are_broken_as_ruff_breaks_them(length: int, tmp_path: Path) -> None:
    long = "n" * length
    rows = [IMAGE, conv(long, 6), ("add", "Add", {}, [long, long]), ("cat", "Concatenate", {}, [long, "add"]), OUTPUT]
    made = project("p", *rows)
    modules_of(made, tmp_path)
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--diff",
        "--isolated",
        "--config",
        "line-length=120",
        str(tmp_path),
    ]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# --- what it computes ----------------------------------------------------------------------------


def by_hand(made: Graph, x: Tensor) -> Tensor:
    """The network's output from its blocks' own calls, without any generated text."""
    values: dict[str, Tensor] = {}
    shapes: dict[str, Shape] = {}

    def run(block: Block, inputs: list[Tensor], received: tuple[Shape, ...]) -> Tensor:
        template = block.template(*received)
        if template is None:
            call = block.layer(*received)
            return inputs[0] if call is None else build(call).eval()(*inputs)
        inner = dict(zip((p.name for p in block.ports()), inputs, strict=True))
        for step in template.steps:
            taken = [inner[s] for s in step.sources]
            inner[step.id] = run(step.block, taken, tuple(tuple(t.shape[1:]) for t in taken))
        return inner[template.result]

    for id in made.order():
        block = made.node(id).block
        wires = {e.target_port: e.source for e in made.incoming(id)}
        taken = [values[wires[p.name]] for p in block.ports()]
        values[id] = run(block, taken, tuple(tuple(t.shape[1:]) for t in taken)) if taken else x
        shapes[id] = tuple(values[id].shape[1:])
    return values[made.nodes[-1].id]


@pytest.mark.parametrize("name", KNOWN)
def test_output_is_bitwise_that_of_the_blocks(name: str, tmp_path: Path) -> None:
    made = KNOWN[name]()
    channels, height, width = made.networks["network"].nodes[0].block.source_shape()
    x = torch.rand(2, channels, min(height, 64), min(width, 64))  # large networks pool to a fixed size
    torch.manual_seed(3)
    network = modules_of(made, tmp_path)["network"].eval()
    torch.manual_seed(3)
    with torch.no_grad():
        assert torch.equal(network(x), by_hand(made.networks["network"], x))


def test_parameters_come_in_topological_order_and_ties_in_file_order(tmp_path: Path) -> None:
    rows = [
        ("output", "Output", {}, ["add"]),
        conv("z", 2, "image"),
        conv("a", 2, "image"),
        ("add", "Add", {}, ["a", "z"]),
        IMAGE,
    ]
    network = modules_of(project("p", *rows), tmp_path)["network"]
    assert [n for n, _ in network.named_parameters()] == ["z.weight", "z.bias", "a.weight", "a.bias"]


def test_a_composite_s_parameters_follow_its_template(tmp_path: Path) -> None:
    network = modules_of(networks.small_resnet(), tmp_path)["network"]
    names = [n.removeprefix("layer2.") for n, _ in network.named_parameters() if n.startswith("layer2.")]
    assert list(dict.fromkeys(n.split(".")[0] for n in names)) == [
        "conv1",
        "bn1",
        "conv2",
        "bn2",
        "shortcut_conv",
        "shortcut_bn",
    ]


def test_lenet5_has_the_published_parameters(tmp_path: Path) -> None:
    network = modules_of(networks.lenet5(), tmp_path)["network"]
    assert sum(p.numel() for p in network.parameters()) == 61_706


# --- one class per kind --------------------------------------------------------------------------


class Pair(Block):
    """Two convolutions; `skip` adds the input, which makes another structure."""

    label, category, help = "Pair", "composite", "Two convolutions."
    inputs = (Port("in", rank=3),)
    width: int = setting(4, min=1)
    kernel: int = setting(3, min=1)
    skip: bool = setting(False)

    def template(self, *shapes: Shape) -> Subgraph:
        g = Subgraph()
        g.add("first", Conv2d(out_channels=self.width, kernel_size=self.kernel, padding=self.kernel // 2), "in")
        h = g.add("second", Conv2d(out_channels=shapes[0][0], kernel_size=1), "first")
        if self.skip:
            h = g.add("join", Add(), h, "in")
        g.add("unused", ReLU(), "first")
        return g.output(h)


class Outer(Block):
    """A composite of composites."""

    label, category = "Outer", "composite"
    inputs = (Port("in", rank=3), Port("class"))
    width: int = setting(4, min=1)

    def template(self, *shapes: Shape) -> Subgraph:
        g = Subgraph()
        g.add("left", Pair(width=self.width), "in")
        g.add("right", Pair(width=2 * self.width), "class")
        g.add("add", Add(), "left", "right")
        return g


def composite(*made: Block) -> Project:
    """image -> the blocks b1, b2, ... in a row, each reading the one before at all ports -> output."""
    nodes, edges, before = [Node("image", Image(channels=2, height=8, width=8))], [], "image"
    for i, block in enumerate([*made, Output()], 1):
        nodes.append(Node(f"b{i}", block))
        edges += [Edge(before, "out", f"b{i}", port.name) for port in block.ports()]
        before = f"b{i}"
    return Project(name="made", networks={"network": Graph(tuple(nodes), tuple(edges))})


def line_of(made: Project, start: str) -> str:
    found = [line.split("#")[0].strip() for line in source(made).splitlines() if line.strip().startswith(start)]
    assert len(found) == 1, found
    return found[0]


def test_equal_uses_have_no_arguments() -> None:
    made = composite(Pair(width=8), Pair(width=8))
    assert "self.first = nn.Conv2d(2, 8, kernel_size=3, padding=1)" in source(made)
    assert line_of(made, "self.b2") == "self.b2 = Pair()"


def test_constants_that_follow_a_setting_take_its_name() -> None:
    made = composite(Pair(width=8), Pair(width=9))
    assert "def __init__(self, width: int) -> None:" in source(made)
    assert "self.first = nn.Conv2d(2, width, kernel_size=3, padding=1)" in source(made)
    assert "self.second = nn.Conv2d(width, 2, kernel_size=1)" in source(made)
    assert line_of(made, "self.b2") == "self.b2 = Pair(width=9)"


def test_an_option_left_out_at_its_default_is_no_other_structure() -> None:
    made = composite(Pair(width=8, kernel=1), Pair(width=8))  # padding 0 is not written by Conv2d
    assert "def __init__(self, kernel: int, padding: int) -> None:" in source(made)
    assert "self.first = nn.Conv2d(2, 8, kernel_size=kernel, padding=padding)" in source(made)
    assert line_of(made, "self.b1") == "self.b1 = Pair(kernel=1, padding=0)"


def test_another_structure_is_another_class() -> None:
    text = source(composite(Pair(skip=True), Pair(), Pair(skip=True)))
    assert text.count("class Pair") == 2
    assert "class PairWithJoin(nn.Module):" in text
    assert "self.b1 = PairWithJoin()" in text
    assert "self.b2 = Pair()" in text


def test_arguments_pass_through_nested_composites(tmp_path: Path) -> None:
    made = composite(Outer(width=3), Outer(width=5))
    text = source(made)
    assert text.count("class Pair(") == text.count("class Outer(") == 1
    assert "self.left = Pair(width=width)" in text
    assert "self.right = Pair(width=right_width)" in text
    assert line_of(made, "self.b2") == "self.b2 = Outer(width=5, right_width=10)"
    assert "def forward(self, x: Tensor, out: Tensor) -> Tensor:" in text  # the ports "in" and "class" are keywords
    network = modules_of(made, tmp_path)["network"]
    assert network.b2.right.first.out_channels == 10
    x = torch.rand(1, 2, 8, 8)
    torch.manual_seed(1)
    fresh = modules_of(made, tmp_path)["network"].eval()
    torch.manual_seed(1)
    with torch.no_grad():
        assert torch.equal(fresh(x), by_hand(made.networks["network"], x))


def test_types_of_arguments_cover_all_values() -> None:
    class Window(Block):
        label, category = "Window", "composite"
        size: int | tuple[int, int] = setting(1)

        def template(self, *shapes: Shape) -> Subgraph:
            g = Subgraph()
            g.add("conv", Conv2d(out_channels=2, kernel_size=self.size), "in")
            return g

    text = source(composite(Window(size=3), Window(size=(1, 3))))
    assert "def __init__(self, size: int | tuple[int, int]) -> None:" in text
    assert "self.b2 = Window(size=(1, 3))" in text


# --- stages --------------------------------------------------------------------------------------


def numbered(*ids: str) -> list[tuple[object, ...]]:
    return [IMAGE, *(conv(id) for id in ids), OUTPUT]


def test_a_chain_numbered_from_0_is_a_stage(tmp_path: Path) -> None:
    made = project("p", *numbered("a_0", "a_1", "a_2", "b"))
    assert body(made) == ["x = self.a(image)", "return self.b(x)"]
    assert "*(nn.Conv2d(2, 2, kernel_size=3, padding=1) for _ in range(3)),  # 2×8×8" in source(made)
    generated = generate(made)
    assert generated.modules["network"] == {"a_0": "a.0", "a_1": "a.1", "a_2": "a.2", "b": "b"}
    names = [n for n, _ in modules_of(made, tmp_path)["network"].named_parameters()]
    assert names[:2] + names[-2:] == ["a.0.weight", "a.0.bias", "b.weight", "b.bias"]


def test_two_equal_layers_are_written_twice() -> None:
    assert source(project("p", *numbered("a_0", "a_1"))).count("            nn.Conv2d(") == 2


@pytest.mark.parametrize(
    "rows",
    [
        numbered("a_1", "a_2"),  # not from 0
        numbered("a_0", "a_2"),  # one is missing
        numbered("a_0", "b", "a_1"),  # no chain
        numbered("a_0", "a_01"),
        numbered("a", "a_0", "a_1"),  # the name is taken
        numbered("train_0", "train_1"),  # the name has a meaning of its own
        [IMAGE, conv("a_0"), conv("a_1"), ("add", "Add", {}, ["a_0", "a_1"]), OUTPUT],  # used besides
        [IMAGE, conv("a_0"), ("a_1", "Add", {}, ["a_0", "image"]), OUTPUT],  # two inputs
    ],
    ids=lambda rows: "-".join(row[0] for row in rows[1:-1]),
)
def test_what_is_no_stage(rows: list[tuple[object, ...]]) -> None:
    assert "Sequential" not in source(project("p", *rows))


def test_a_stage_may_be_an_output_and_feed_a_merge(tmp_path: Path) -> None:
    rows = [
        *(IMAGE, conv("a_0", 2, "image"), conv("a_1"), conv("b_0", 2, "image"), conv("b_1")),
        *(("concat", "Concatenate", {}, ["a_1", "b_1"]), ("first", "Output", {}, ["concat"])),
        *(conv("c_0", 3, "concat"), conv("c_1", 5), ("second", "Output", {}, ["c_1"])),
    ]
    made = project("p", *rows)
    assert body(made) == [
        "concat = self.concat(self.a(image), self.b(image))",
        "c = self.c(concat)",
        "return concat, c",
    ]
    first, second = modules_of(made, tmp_path)["network"](torch.zeros(1, 2, 8, 8))
    assert (first.shape[1], second.shape[1]) == (4, 5)


@pytest.mark.parametrize(("name", "most"), [("resnet50", 120), ("googlenet", 110)])
def test_famous_networks_are_short_to_read(name: str, most: int) -> None:
    assert len((GOLDEN / f"{name}.py").read_text().splitlines()) <= most


# --- where things are ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_every_node_knows_its_lines_and_its_module(name: str, tmp_path: Path) -> None:
    made = KNOWN[name]()
    generated = generate(made)
    text = generated.text.splitlines()
    network = modules_of(made, tmp_path)["network"]
    lines = generated.lines["network"]
    expected = {n for n, module in network.named_modules() if n and not isinstance(module, nn.Sequential)}
    places = generated.modules["network"]
    assert set(lines) == set(places)
    assert set(places.values()) == expected
    for path, numbers in lines.items():
        module, attribute = network.get_submodule(places[path]), path.split(".")[-1]
        shown = [text[n - 1] for n in numbers]
        if places[path].split(".")[-1].isdigit():  # a part of a stage, in a line that makes its class
            attribute = attribute.rsplit("_", 1)[0]
            assert any(f"{type(module).__name__}(" in line for line in shown[1:-2])
            assert shown[-2].strip() == ")"
        assert shown[0].strip().startswith(f"self.{attribute} = ")
        assert f"self.{attribute}(" in shown[-1]
    # and no other line of a class with that name inside belongs to it
    (conv1,) = [n for n, line in enumerate(text, 1) if re.match(r"        self.conv1 = nn.Conv2d\([13],", line)]
    assert lines["conv1"][0] == conv1


def test_lines_inside_a_composite_are_those_of_its_class() -> None:
    generated = generate(networks.small_resnet())
    lines, text = generated.lines["network"], generated.text.splitlines()
    assert lines["layer1.conv1"] == lines["layer3.conv1"] != lines["layer2.conv1"]
    above = [line for line in text[: lines["layer2.shortcut_conv"][0]] if line.startswith("class ")]
    assert above[-1] == "class ResidualWithShortcut(nn.Module):"


if __name__ == "__main__":
    for chosen in sys.argv[1:]:
        (GOLDEN / f"{chosen}.py").write_text(source(KNOWN[chosen]()))
