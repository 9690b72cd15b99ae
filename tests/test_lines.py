"""A block on the canvas knows its lines in model.py, and a line its blocks."""

from __future__ import annotations

from definitions import argument, node, opened, pair, stack, wires

from builder import lines, templates
from builder.source import Source, generate


def texts(source: Source, numbers: tuple[int, ...]) -> list[str]:
    rows = source.text.splitlines()
    return [rows[n - 1].strip().split("  #")[0] for n in numbers]


def at(source: Source, start: str) -> int:
    (number,) = (n for n, row in enumerate(source.text.splitlines(), 1) if row.strip().startswith(start))
    return number


def test_a_block_has_the_lines_that_make_and_call_it() -> None:
    project = templates.load("lenet5")
    source = generate(project)
    assert texts(source, lines.marked(project, source, "network", ["conv1"])) == [
        "self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)",
        "x = self.pool1(self.relu1(self.conv1(image)))",
    ]
    found = lines.blocks_at(project, source)
    assert found[at(source, "self.fc2 =")] == ("network", ("fc2",))
    assert found[at(source, "x = self.pool1(")] == ("network", ("conv1", "relu1", "pool1"))
    assert at(source, "class LeNet5") not in found


def test_a_composite_has_the_lines_of_its_class_too() -> None:
    project = templates.load("resnet18")
    source = generate(project)
    marked = texts(source, lines.marked(project, source, "network", ["layer2_1"]))
    assert "self.add = Add()" in marked
    assert not any("shortcut" in line for line in marked)
    first = next(n for n, row in enumerate(source.text.splitlines(), 1) if "self.bn1 = nn.BatchNorm2d(out" in row)
    assert lines.blocks_at(project, source)[first] == ("network", ("layer1_0",))


def test_what_is_selected_inside_an_own_block_is_marked_for_all_uses() -> None:
    outer = {
        "arguments": {"width": 3},
        "nodes": [
            node("x", "Image", channels=6, height=8, width=8),
            node("first", "Pair", width=argument("width"), repeat=3),
            node("act", "Tanh"),
            node("output", "Output"),
        ],
        "edges": wires("x>first", "first>act", "act>output"),
    }
    used = stack(node("a", "Outer"), node("b", "Outer", width=5), blocks={"Pair": pair(), "Outer": outer})
    project, report = opened(used)
    assert report.ok
    source = generate(project)
    inner = [n["id"] for n in pair()["nodes"]][1]
    marked = texts(source, lines.marked(project, source, "blocks/Pair", [inner]))
    assert any(line.startswith(f"self.{inner} = ") for line in marked)
    assert texts(source, lines.marked(project, source, "blocks/Outer", ["act"]))[0] == "self.act = nn.Tanh()"
    found = lines.blocks_at(project, source)
    assert found[at(source, "self.act = nn.Tanh()")] == ("blocks/Outer", ("act",))
    assert found[at(source, f"self.{inner} = ")] == ("blocks/Pair", (inner,))
    assert found[at(source, "self.a = ")] == ("network", ("a",))
    whole = set(lines.marked(project, source, "network", ["a"]))
    assert set(lines.marked(project, source, "blocks/Pair", [inner])) < whole
