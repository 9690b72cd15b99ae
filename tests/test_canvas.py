"""The Python side of the canvas: the bundle, the catalogue as JSON, and the three components in a script."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest

import blocks
from builder import templates
from builder.canvas import component
from builder.canvas.annotations import annotate
from builder.canvas.catalogue import catalogue_json
from builder.graph_file import graph_from_json, graph_to_json
from builder.project import from_json
from builder.validate import check


def test_the_catalogue_is_json_and_complete() -> None:
    catalogue = json.loads(json.dumps(catalogue_json()))
    assert list(catalogue["blocks"]) == list(blocks.catalogue())
    families = {c["name"] for c in catalogue["categories"]}
    for name, block in catalogue["blocks"].items():
        assert block["category"] in families
        assert [s["name"] for s in block["settings"]] == [s.name for s in blocks.catalogue()[name].settings()]


def test_blocks_are_told_apart_by_what_they_define() -> None:
    found = catalogue_json()["blocks"]
    kinds = {name: found[name]["kind"] for name in ("Image", "Output", "Conv2d", "Residual")}
    assert kinds == {"Image": "input", "Output": "output", "Conv2d": "leaf", "Residual": "composite"}
    # A variadic block names the setting that says how many inputs it has.
    assert found["Add"]["variadic"] in [s["name"] for s in found["Add"]["settings"]]


def test_defaults_in_the_catalogue_make_the_block() -> None:
    for name, block in catalogue_json()["blocks"].items():
        values = {s["name"]: s["default"] for s in block["settings"]}
        assert blocks.catalogue()[name].from_settings(values).to_settings() == values


def test_a_gallery_card_draws_the_largest_network() -> None:
    node = {"version": 1, "settings": {}, "position": [0, 0], "folded": True, "note": ""}
    nodes = [{**node, "id": "image", "block": "Image"}, {**node, "id": "relu", "block": "ReLU"}]
    edge = {"source": "image", "source_port": "out", "target": "relu", "target_port": "in"}
    project = from_json(
        {
            "format": 1,
            "name": "two",
            "networks": {"small": {"nodes": [], "edges": []}, "large": {"nodes": nodes, "edges": [edge]}},
            "data": {"name": "digits"},
            "task": {"name": "classification"},
            "loss": {"name": "cross_entropy"},
        }
    )
    card = component.gallery_item("two", project, parameters=0)
    assert card["sketch"] == {"nodes": ["input", "activation"], "edges": [[0, 1]]}
    assert card["blocks"] == {node["id"]: node["block"] for node in nodes}
    assert (card["label"], card["parameters"]) == ("two", 0)


@pytest.mark.parametrize(("features", "caption"), [(1, "1 value"), (2, "2 values"), (1200, "1,200 values")])
def test_a_vector_says_how_many_values_it_holds(features: int, caption: str) -> None:
    project = templates.load("mlp_regression")
    graph = graph_to_json(project.networks["network"])
    layer = next(node for node in graph["nodes"] if node["block"] == "Linear")
    layer["settings"]["out_features"] = features
    project = project.replace(networks={"network": graph_from_json(graph, "network")})
    told = annotate(project, check(project), 1)["networks"]["network"]["nodes"]
    assert told[layer["id"]]["caption"] == caption


def test_the_bundle_is_one_module_without_chunks() -> None:
    text = component.BUNDLE.read_text(encoding="utf-8")
    assert "export{" in text.replace(" ", "")
    assert "process.env" not in text
    assert "import(" not in text
    assert len(text) < 700_000


def test_the_components_run_in_a_script() -> None:
    def script() -> None:
        import streamlit as st

        from builder.canvas import component
        from builder.canvas.catalogue import catalogue_json

        component.assets(component.packed(catalogue_json(), []))
        found = component.editor({"project_id": "p", "sid": "s"}, key="editor")
        component.feed({"run": None, "tick": 1}, key="feed")
        st.write(repr(found))

    app = AppTest.from_function(script).run(timeout=30)
    assert not app.exception
    assert app.markdown[0].value == "`None`" or app.markdown[0].value == "None"
