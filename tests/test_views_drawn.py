"""Views of what tasks yield, drawn from real short runs: points, generated pictures, boxes."""

from __future__ import annotations

from pathlib import Path

import pytest
from by_hand import block, chain, point_gan, shape_finder
from streamlit.testing.v1 import AppTest
from test_pages import space, visit

from builder.project import Choice, Project
from builder.training.job import Job, prepare
from builder.training.run import new_run_folder
from builder.training.session import Session
from builder.workspace import Workspace

__all__ = ["space"]


def digit_gan() -> Project:
    generator = chain(
        ("noise", block("Vector", features=3)),
        ("fc", block("Linear", out_features=64)),
        ("sigmoid", block("Sigmoid")),
        ("reshape", block("Reshape", shape=(1, 8, 8))),
        ("output", block("Output")),
    )
    discriminator = chain(
        ("image", block("Image", channels=1, height=8, width=8)),
        ("flatten", block("Flatten")),
        ("fc", block("Linear", out_features=1)),
        ("output", block("Output")),
    )
    networks = {"generator": generator, "discriminator": discriminator}
    return point_gan(networks=networks, data=Choice("digits", {"size": 8}), loss=Choice("hinge", {}))


def results(space: Workspace, project: Project) -> tuple[AppTest, str]:
    """The Results panel after a run of one epoch in a session, and all its HTML."""
    id = space.create(project.replace(training={**project.training, "epochs": 1}))
    folder = prepare(space.open(id).project, new_run_folder(space.runs_place(id)))
    assert Session(Path(folder), Job).work() == 0
    page = visit("Results", project=id)
    assert not page.error, [e.value for e in page.error]
    found = [element.proto.body for element in page.get("html")]
    return page, "".join(found)


def titles(page: AppTest) -> list[str]:
    return [m.value for m in page.markdown if m.value.startswith("#####")]


def test_points_on_the_plane_their_film_and_a_verdict(space: Workspace) -> None:
    page, html = results(space, point_gan())
    assert len(page.get("plotly_chart")) == 1
    assert "data-testid='film'" in html
    assert html.count("<figcaption>step ") >= 1
    assert "D(G(z))" in html
    assert len([*page.info, *page.success, *page.warning]) == 1  # the verdict
    assert len(titles(page)) == 3


def test_generated_pictures(space: Workspace) -> None:
    page, html = results(space, digit_gan())
    assert "data-testid='generated'" in html
    assert "data-testid='film'" in html
    assert "samples reach" in "".join(e.value for e in [*page.info, *page.success, *page.warning])


@pytest.mark.parametrize("loss", ["yolo", "yolo_v1"])
def test_boxes_over_pictures_a_slider_and_curves(space: Workspace, loss: str) -> None:
    project = shape_finder(loss=Choice(loss, {}))
    if loss == "yolo_v1":
        graph = project.networks["network"]
        wider = block("Conv2d", out_channels=14, kernel_size=1)
        nodes = [n if n.id != "answers" else type(n)(n.id, wider) for n in graph.nodes]
        project = project.replace(networks={"network": type(graph)(tuple(nodes), graph.edges)})
    page, html = results(space, project)
    assert html.count("<div class='picture'>") == 12
    assert "class='true'" in html
    large, _ = page.get("plotly_chart")
    assert large.proto.spec.count("z0 = ") == 16  # every cell of 4×4 tells its answer
    page.slider[0].set_value(0.0).run()
    assert not page.exception
    low = "".join(e.proto.body for e in page.get("html")).count("class='found'")
    page.slider[0].set_value(1.0).run()
    high = "".join(e.proto.body for e in page.get("html")).count("class='found'")
    assert low > high
