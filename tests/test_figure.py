"""The figure and the summary of a network: what they say, and that any name can stand in them."""

from __future__ import annotations

import csv
import io
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import networks
import pytest

import builder
from builder import cli, templates
from builder.export import figure, summary
from builder.graph import Node, UnknownBlock
from builder.shapes import leaves

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz's dot is not installed")


def drawn(source: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The labels of the drawn nodes, and the arrows."""
    labels = dict(re.findall(r"^\t+(n\d+) \[label=(.*?)(?: \w+=|\]$)", source, re.M))
    return labels, re.findall(r"^\t+(n\d+) -> (n\d+)", source, re.M)


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "googlenet_aux", "lstm_digits"])
@pytest.mark.parametrize("unfolded", [False, True])
def test_every_block_is_drawn_once_with_its_wires(name: str, unfolded: bool) -> None:
    project = templates.load(name)
    graph, report = project.networks["network"], builder.check(project)
    labels, arrows = drawn(figure.dot(project, "network", unfolded))
    inner = {id: leaves(known.inner) for id, known in report.nodes["network"].items()}
    opened = {id: parts for id, parts in inner.items() if parts and unfolded}
    assert len(labels) == len(graph.nodes) - len(opened) + sum(map(len, opened.values()))
    wires = [e for e in graph.edges if e.target not in opened]
    assert len(arrows) == len(wires) + sum(len(p.sources) for parts in opened.values() for p in parts)
    assert all(a in labels and b in labels for a, b in arrows)


def test_a_skip_goes_round_its_block_and_a_composite_has_a_frame() -> None:
    source = figure.dot(templates.load("resnet18"), "network", unfolded=True)
    assert source.count("subgraph cluster_") == 8
    assert source.count('label="+"') == 8
    assert "Conv2d 7×7, stride 2" in source
    assert "9,408 parameters" in source
    assert 'label="  64×112×112"' in source


@needs_dot
@pytest.mark.parametrize("unfolded", [False, True])
def test_svg_and_pdf(unfolded: bool) -> None:
    source = figure.dot(templates.load("resnet18"), "network", unfolded)
    root = ET.fromstring(figure.render(source, "svg"))
    texts = {(t.text or "").strip() for t in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"conv1", "3×224×224", "9,408 parameters"} <= texts
    assert figure.render(source, "pdf").startswith(b"%PDF")


@needs_dot
def test_any_name_can_be_drawn() -> None:
    graph = networks.lenet5().networks["network"]
    hostile = '<b>"; image="/etc/passwd"\\n&\x00'
    graph = graph.renamed("conv1", hostile).with_node(Node("lost", UnknownBlock("<Odd>", {}, "unknown")))
    project = networks.lenet5().with_network("network", graph)
    source = figure.dot(project, "network")
    root = ET.fromstring(figure.render(source, "svg"))
    assert not list(root.iter("{http://www.w3.org/2000/svg}image"))
    texts = "".join(t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}text"))
    assert '<b>"; image="/etc/passwd"' in texts.replace("\xa0", " ")
    assert "<Odd>" in texts


def test_without_dot_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(figure.FigureError, match="apt install graphviz"):
        figure.render("digraph {}", "svg")
    assert cli.main(["export", "lenet5", "-o", str(tmp_path), "--figure"]) == 0
    assert "apt install graphviz" in capsys.readouterr().err
    assert (tmp_path / "network.dot").read_text().startswith("digraph")
    assert not (tmp_path / "network.svg").exists()


@needs_dot
def test_the_command_line_writes_folded_and_unfolded(tmp_path: Path) -> None:
    assert cli.main(["export", "resnet_digits", "-o", str(tmp_path), "--figure"]) == 0
    for stem in ("network", "network_unfolded"):
        assert {p.suffix for p in tmp_path.glob(f"{stem}.*")} == {".dot", ".svg", ".pdf"}
    assert (tmp_path / "summary.csv").exists()


# --- the summary ---------------------------------------------------------------------------------


def test_the_summary_of_lenet5_by_hand() -> None:
    rows = {r.layer: r for r in summary.rows(networks.lenet5(), "network")}
    assert rows["conv2"] == summary.Row("conv2", "Conv2d", "16×10×10", 2416, 240_000, 4 * (2416 + 1600))
    assert sum(r.parameters for r in rows.values()) == 61_706
    text = summary.text(networks.lenet5())
    assert re.search(r"total +61,706 +416,520 +0\.3\d MB", text)


@pytest.mark.parametrize("name", ["googlenet_aux", "resnet18", "dcgan"])
def test_the_sums_are_those_of_the_check(name: str) -> None:
    project = templates.load(name)
    report = builder.check(project)
    table = list(csv.DictReader(io.StringIO(summary.csv_text(project, report))))
    for network in project.networks:
        outer = [r for r in table if r["network"] == network and "." not in r["layer"]]
        assert sum(int(r["parameters"]) for r in outer) == report.parameters[network]
        assert sum(int(r["multiply-adds"]) for r in outer) == report.flops[network]


def test_inner_layers_stand_under_their_composite() -> None:
    folded, unfolded = (summary.text(templates.load("resnet_digits"), u) for u in (False, True))
    assert "  shortcut_conv" not in folded
    lines = unfolded.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("block3"))
    assert lines[at + 1].startswith("  conv1")


def test_no_cell_is_a_formula() -> None:
    project = networks.lenet5()
    graph = project.networks["network"].renamed("conv1", "=cmd()")
    assert "'=cmd()" in summary.csv_text(project.with_network("network", graph))


def test_a_network_that_is_not_whole_has_a_summary_too() -> None:
    project = networks.lenet5()
    broken = project.with_network("network", project.networks["network"].without_node("pool1"))
    assert "fc3" in summary.text(broken)
    assert "fc3" in figure.dot(broken, "network")
