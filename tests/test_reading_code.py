"""Code that comes back: a model.py opens as the graph it was written from, also after a person has edited it."""

from __future__ import annotations

import time
from typing import Any

import networks
import pytest
import torch
from torch import nn

import blocks
import builder
from blocks.base import Block, Shape
from builder import templates
from builder.compile import generate, instantiate, write
from builder.graph import Edge, Graph, Node
from builder.project import Project
from builder.reading import ReadError, placed, read_code

torch.set_num_threads(1)


def content(graph: Graph) -> tuple[dict[str, Any], set[Edge]]:
    """The blocks by name, and the wires: a graph without its places on the canvas."""
    return {n.id: n.block for n in graph.nodes}, set(graph.edges)


def network(text: str) -> dict[str, Any]:
    """The blocks of the only network of a file."""
    (graph,) = read_code(text).project.networks.values()
    return {n.id: n.block for n in graph.nodes}


# --- what Layerloom wrote ------------------------------------------------------------------------


@pytest.mark.parametrize("name", templates.names())
def test_every_starter_project_comes_back(name: str) -> None:
    made = templates.load(name)
    read = read_code(builder.source(made))
    assert read.notes == ()
    assert read.project.name == made.name
    assert set(read.project.networks) == set(made.networks)
    for slot, graph in made.networks.items():
        assert content(read.project.networks[slot]) == content(graph)
    assert builder.check(read.project).ok
    assert builder.source(read.project) == builder.source(made)


def alone(block: Block, shapes: tuple[Shape, ...]) -> Project | None:
    """Inputs of these shapes, the block and an output; None where no input has such a shape."""
    nodes, edges = [], []
    for i, (port, shape) in enumerate(zip(block.ports(), shapes, strict=True)):
        if port.holds == "tokens":
            entering: tuple[str, dict[str, int]] = ("Tokens", {"length": shape[0], "vocabulary": 7})
        elif len(shape) == 3:
            entering = ("Image", {"channels": shape[0], "height": shape[1], "width": shape[2]})
        elif len(shape) == 2:
            entering = ("Sequence", {"length": shape[0], "features": shape[1]})
        elif len(shape) == 1:
            entering = ("Vector", {"features": shape[0]})
        else:
            return None
        nodes.append(Node(f"x{i}", blocks.catalogue()[entering[0]](**entering[1])))
        edges.append(Edge(f"x{i}", "out", "middle", port.name))
    nodes += [Node("middle", block), Node("output", blocks.catalogue()["Output"]())]
    edges.append(Edge("middle", "out", "output", "in"))
    return Project(name="alone", networks={"network": Graph(tuple(nodes), tuple(edges))})


CASES = [
    (cls, example)
    for cls in blocks.catalogue().values()
    for example in cls.examples
    if cls.layer is not Block.layer or cls.template is not Block.template
]


@pytest.mark.parametrize(("cls", "example"), CASES, ids=lambda v: v.__name__ if isinstance(v, type) else "")
def test_every_block_comes_back(cls: type[Block], example: Any) -> None:
    block = cls.from_settings(example.settings)
    for setting in (None, *cls.settings()):
        for value in setting.choices or ((False, True) if setting.kind == "bool" else ()) if setting else (None,):
            try:
                tried = block.replace(**{setting.name: value}) if setting else block
                made = alone(tried, example.inputs)
                text = builder.source(made) if made is not None else ""
            except ValueError:
                continue  # such a value does not fit these shapes
            if not text:
                continue
            read = read_code(text)
            assert read.notes == ()
            assert builder.source(read.project) == text
            found = network(text)["middle"]
            if found != tried:  # a setting that leaves no trace in the code
                assert type(found) is type(tried)


# --- what a person changed -----------------------------------------------------------------------


def edited(name: str, *changes: tuple[str, str]) -> dict[str, Any]:
    text = builder.source(templates.load(name))
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return network(text)


def test_another_number_of_filters() -> None:
    found = edited(
        "lenet5",
        ("self.conv1 = nn.Conv2d(1, 6,", "self.conv1 = nn.Conv2d(1, 12,"),
        ("self.conv2 = nn.Conv2d(6,", "self.conv2 = nn.Conv2d(12,"),
    )
    assert found["conv1"].out_channels == 12
    assert found["conv2"].out_channels == 16


def test_a_number_that_does_not_follow_is_said() -> None:
    text = builder.source(templates.load("lenet5")).replace(
        "self.conv1 = nn.Conv2d(1, 6,", "self.conv1 = nn.Conv2d(1, 12,"
    )
    read = read_code(text)
    line = next(i for i, row in enumerate(text.splitlines(), 1) if "self.conv2 =" in row)
    assert read.notes == (
        f"Line {line}: conv2 is written with in_channels=6, but 12×14×14 arrives there; it now follows what arrives.",
    )
    assert builder.check(read.project).ok


def test_a_layer_more() -> None:
    found = edited(
        "lenet5",
        ("        self.fc3 =", "        self.dropout = nn.Dropout(p=0.25)\n        self.fc3 ="),
        ("return self.fc3(x)", "x = self.dropout(x)\n        return self.fc3(x)"),
    )
    assert found["dropout"].p == 0.25
    assert len(found) == len(network(builder.source(templates.load("lenet5")))) + 1


def test_a_longer_stage_and_another_width() -> None:
    found = edited(
        "resnet50", ("*(Bottleneck(1024, 256) for _ in range(5))", "*(Bottleneck(1024, 256) for _ in range(7))")
    )
    assert [id for id in found if id.startswith("layer3")] == [f"layer3_{i}" for i in range(8)]
    assert found["layer3_7"] == found["layer3_1"]


def test_another_activation_inside_a_class_opens_it() -> None:
    text = builder.source(templates.load("resnet18"))
    at = text.index("self.act1 = nn.ReLU()")
    found = network(text[:at] + "self.act1 = nn.SiLU()" + text[at + len("self.act1 = nn.ReLU()") :])
    assert type(found["layer1_0_act1"]).__name__ == "SiLU"
    assert type(found["layer1_0_act_out"]).__name__ == "ReLU"
    assert type(found["layer2_0"]).__name__ == "Residual", "the class with a shortcut is as it was"


def test_all_activations_of_a_class_are_a_setting() -> None:
    text = builder.source(templates.load("resnet18"))
    start = text.index("class Residual(")
    end = text.index("class ", start + 1)
    found = network(text[:start] + text[start:end].replace("nn.ReLU()", "nn.GELU()") + text[end:])
    assert {found[f"layer{i}_1"].activation for i in (1, 2, 3, 4)} == {"GELU"}
    assert found["layer2_0"].activation == "ReLU"


def test_another_input_size() -> None:
    found = edited("resnet18", ("From image 3×224×224", "From image 3×96×96"))
    assert found["image"].height == 96


# --- what a person wrote -------------------------------------------------------------------------

LENET = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class LeNet(nn.Module):
    def __init__(self, classes: int = 10):
        super(LeNet, self).__init__()
        width = 6
        self.conv1 = nn.Conv2d(1, width, 5)
        self.conv2 = nn.Conv2d(width, width + 10, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)
        for m in self.modules():
            nn.init.zeros_(m.bias)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(x.size(0), -1)
        x = torch.relu(self.fc1(x))
        x = F.dropout(self.fc2(x).relu(), 0.3, training=self.training)
        x = self.fc3(x)
        return F.log_softmax(x, dim=1)


if __name__ == "__main__":
    print(LeNet())
"""

SKIPS = """
from torch import nn
import torch


def conv(a, b):
    return nn.Conv2d(a, b, 3)


class Down(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.conv = nn.Conv2d(a, b, kernel_size=(3, 3), padding=(1, 1), bias=False)
        self.bn = nn.BatchNorm2d(b)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Down(3, 8)
        self.body = nn.Sequential(Down(8, 8), nn.MaxPool2d(2), *[Down(8, 8) for _ in range(2)])
        self.side = nn.Conv2d(3, 8, 2, stride=2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = nn.Linear(16, 5)

    def forward(self, image):
        x = self.first(image)
        y = self.body(x)
        y += self.side(image)
        y = self.up(y)
        x = torch.cat([x, y], dim=1)
        x = x * torch.sigmoid(x)
        x = x.mean((2, 3))
        x = self.head(x)
        return x
"""


def test_a_lenet_by_hand() -> None:
    read = read_code(LENET)
    found = network(LENET)
    assert [type(b).__name__ for b in found.values()] == [
        *("Image", "Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear", "ReLU", "Linear"),
        *("ReLU", "Dropout", "Linear", "LogSoftmax", "Output"),
    ]
    assert found["x"] == blocks.catalogue()["Image"](channels=1, height=32, width=32), "400 numbers need 32×32"
    assert found["conv2"].out_channels == 16
    assert found["dropout1"].p == 0.3
    assert read.notes == (
        "The code does not say how large x is; 1×32×32 fits its layers. Set the block x to your data's size.",
    )
    assert read.project.name == "LeNet"
    same_outputs(LENET.replace("nn.init.zeros_(m.bias)", "pass"), "LeNet", read.project, torch.rand(2, 1, 32, 32))


def test_branches_by_hand_compute_the_same() -> None:
    """The same weights in the code as it stands and in the network that was read give the same outputs."""
    read = read_code(SKIPS)
    (graph,) = read.project.networks.values()
    found = {n.id: type(n.block).__name__ for n in graph.nodes}
    assert found["first"] == "BasicConv2d", "its inside is that of a block of the catalogue"
    assert [id for id in found if id.startswith("body")] == ["body_0", "body_1", "body_2", "body_3"]
    same_outputs(SKIPS, "Net", read.project, torch.rand(2, 3, 16, 16))


def same_outputs(text: str, name: str, made: Project, x: torch.Tensor) -> None:
    """The class as Python runs it, and the network that was read, with the same weights."""
    space: dict[str, Any] = {}
    exec(text, space)
    torch.manual_seed(1)
    written: nn.Module = space[name]().eval()
    generated = generate(made)
    (ours,) = instantiate(write(generated), generated.classes).values()
    ours.eval().load_state_dict(written.state_dict())
    with torch.no_grad():
        assert torch.equal(ours(x), written(x))


def test_a_recurrent_layer_by_hand() -> None:
    text = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 12)
        self.lstm = nn.LSTM(12, 20, num_layers=2, batch_first=True)
        self.fc = nn.Linear(20, 3)

    def forward(self, words):
        h = self.embed(words)
        y, _ = self.lstm(h)
        return self.fc(y[:, -1])
"""
    found = network(text)
    assert (found["words"].vocabulary, type(found["words"]).__name__) == (50, "Tokens")
    assert found["lstm"] == blocks.catalogue()["LSTM"](hidden_size=20, num_layers=2, output="last")


# --- what cannot be read -------------------------------------------------------------------------


def module(init: str = "self.a = nn.ReLU()", forward: str = "return self.a(x)", more: str = "") -> str:
    body = "\n".join(f"        {line}" for line in init.splitlines())
    steps = "\n".join(f"        {line}" for line in forward.splitlines())
    return (
        f"{more}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n{body}\n\n"
        f"    def forward(self, x):\n{steps}\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "It defines no network"),
        ("print('hello')", "It defines no network"),
        ("import os\nos.system('id')\n", "It defines no network"),
        ("exec('import os')\n", "It defines no network"),
        (module("exec('import os')"), "Line 4: .* cannot be read"),
        (module("os.remove('a')", more="import os\n\n\n"), "Line 7: .* cannot be read"),
        (
            module("self.a = nn.Sequential(*(nn.ReLU() for _ in range(10**6)))"),
            "Line 4: range takes whole numbers up to",
        ),
        ("class A:\n    pass", "It defines no network"),
        ("def f(:\n", "Line 1: This is no Python"),
        ("\0", "no text|no Python"),
        ("(" * 100_000, "nested too deeply|no Python"),
        ("-" * 200_000 + "1", "nested too deeply|no Python"),
        ("#" * (3 * 2**20), "at most 2 MB"),
        (module("self.a = open('/etc/passwd')"), "Line 4: open is no layer of torch.nn"),
        (module("__import__('os').system('id')"), "Line 4: .* cannot be read"),
        (module("self.a = nn.Conv2d(**options)"), "Line 4"),
        (module("self.a = nn.Fold(4, 2)"), "Line 4: nn.Fold.* no block stands for"),
        (module("self.a = nn.ReLU6(1, 2, 3)"), "Line 4: .*cannot be made so"),
        (module("self.a = nn.Conv2d(3, 8, 3, padding_mode='wild')"), "Line 4: .*padding_mode"),
        (module("self.a = nn.Conv2d(3, 10**18, 3)"), "Line 4: .*10\\*\\*18|too large"),
        (module("self.a = nn.Conv2d(3, 9**9**9, 3)"), "Line 4"),
        (module("self.a = nn.Conv2d(3, 1 // 0, 3)"), "Line 4: It divides by zero"),
        (module("self.a = nn.Linear(nothing, 3)"), "Line 4: nothing has no value"),
        (module("self.a = nn.Sequential(*(nn.ReLU() for _ in range(10**9)))"), "Line 4: range takes"),
        (
            module(
                "self.a = nn.Sequential(*(nn.Sequential(*(nn.ReLU() for _ in range(20000))) for _ in range(20000)))"
            ),
            "Line 4: It makes more layers",
        ),
        (module("self.a = nn.BatchNorm2d(3, track_running_stats=False)"), "Line 4: .*track_running_stats=False"),
        (module(forward="if x.sum() > 0:\n    return self.a(x)\nreturn x"), "Line 7: .* cannot be read"),
        (module(forward="for i in range(3):\n    x = self.a(x)\nreturn x"), "Line 7: .* cannot be read"),
        (module(forward="y = self.a(z)\nreturn y"), "Line 7: z holds nothing yet"),
        (module(forward="return self.b(x)"), "Line 7"),
        (module(forward="x = self.a(x)"), "returns nothing"),
        (module(forward="return torch.fft.fft(x)"), "Line 7: .*fft"),
        (module("self.a = nn.Linear(4, 4)", "return self.a(self.a(x))"), "called again"),
        (module("self.train = nn.ReLU()", "return self.train(x)"), "Line 4: 'train' has a meaning of its own"),
        (module("self.a = Net()"), "contains itself|no network"),
        (
            module("self.a = B(1, 2)", more="class B(nn.Module):\n    def forward(self, x):\n        return x\n"),
            "B takes",
        ),
    ],
    ids=lambda v: v[:24] if isinstance(v, str) and "\0" not in v else "",
)
def test_what_is_no_such_dialect_is_said_with_its_line(text: str, message: str) -> None:
    began = time.monotonic()
    with pytest.raises(ReadError, match=message) as caught:
        read_code(text)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value).strip()
    assert time.monotonic() - began < 20


def test_nothing_is_run(tmp_path: Any) -> None:
    harm = f"import os\nexec('x = 1')\nos.mkdir({str(tmp_path / 'ran')!r})\n"
    read_code(harm + builder.source(networks.lenet5()))
    text = f"open({str(tmp_path / 'ran')!r}, 'w')\n" + builder.source(networks.lenet5())
    read_code(text)
    assert not (tmp_path / "ran").exists()


def test_code_that_comes_back_keeps_the_data_and_training_that_stand_where_they_suit() -> None:
    standing = templates.load("lenet5")
    standing = standing.replace(training={**standing.training, "batch_size": 48, "epochs": 3})
    back = placed(read_code(builder.source(standing)).project, standing)
    assert back.networks["network"].ids() == standing.networks["network"].ids()
    assert (back.data, back.task, back.loss, back.optimizer) == (
        standing.data,
        standing.task,
        standing.loss,
        standing.optimizer,
    )
    assert back.training == standing.training
    other = read_code(builder.source(templates.load("mlp"))).project  # takes two numbers: the digits do not suit it
    assert placed(other, standing) == other
