"""Views of what tasks yield, drawn from real short runs: points, generated pictures, boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from by_hand import block, chain, point_gan, shape_finder
from streamlit.testing.v1 import AppTest
from test_pages import space, visit

from builder import templates
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


def starter(name: str, **data_settings: Any) -> Project:
    project = templates.load(name)
    return project.replace(data=Choice(project.data.name, {**project.data.settings, **data_settings}))


def html_of(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def test_new_noise_makes_other_pictures_and_the_fixed_one_comes_back(space: Workspace) -> None:
    page, before = results(space, digit_gan())
    source = lambda html: html.split("alt='Generated samples'")[0].rsplit("src='", 1)[1]  # noqa: E731
    page.button[0].click().run()
    first = source(html_of(page))
    assert any("new noise 1" in title for title in titles(page))
    page.button[0].click().run()
    second = source(html_of(page))
    assert len({source(before), first, second}) == 3
    back = next(button for button in page.button if button.label == "Back")
    back.click().run()
    assert source(html_of(page)) == source(before)
    assert not page.exception


def test_regression_tells_its_errors_beside_the_plot(space: Workspace) -> None:
    page, html = results(space, starter("mlp_regression"))
    assert len(page.get("plotly_chart")) == 1
    assert "R², the explained part of the variance" in html
    assert "always guessing their mean" in html
    assert "test, step" in titles(page)[0]


def test_a_forecast_has_its_legend_and_its_error_in_one_line(space: Workspace) -> None:
    page, html = results(space, starter("gru_forecast", steps=900))
    assert "that of the naive forecast" in html
    assert html.count("border-top: 2px") == 3
    assert len(page.get("plotly_chart")) == 1


def test_masks_follow_the_threshold(space: Workspace) -> None:
    page, html = results(space, starter("unet_shapes", samples=60))
    assert html.count("<figcaption>IoU ") == 6
    page.slider[0].set_value(0.05).run()
    assert not page.exception
    assert html_of(page) != html


def test_a_latent_map_has_a_picture_of_its_middle_and_a_walk(space: Workspace) -> None:
    page, html = results(space, starter("autoencoder"))
    assert "data-testid='walk'" in html
    assert html.count("alt=''/>") >= 9
    assert not page.exception
    assert [field.label for field in page.number_input][:2] == ["From sample", "to sample"]
