"""Figures made as plain HTML, and what the data panel is given to draw."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from builder import data
from builder.data import view
from builder.ui import samples
from builder.ui.views import drawn, word_map, word_tree
from builder.ui.views.pictures import reduced


def pictures(html: str) -> list[np.ndarray]:
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(found))))
        for found in re.findall(r"base64,([A-Za-z0-9+/=]+)", html)
    ]


def test_a_matrix_tells_counts_and_shares_of_its_rows_and_escapes_names() -> None:
    html = drawn.matrix(np.array([[3, 1], [0, 6]]), ("<b>", "it's"))
    assert "<b>" not in html
    assert "true &lt;b&gt;, predicted it&#x27;s: 1'" in html
    assert "color-mix(in srgb, #4a68e8 75%" in html  # 3 of the 4 of the first class
    assert "color-mix(in srgb, #4a68e8 100%" in html


def test_a_matrix_of_many_classes_is_a_picture() -> None:
    (picture,) = pictures(drawn.matrix(np.eye(100), ()))
    few = np.zeros((1000, 1000))
    few[2, 2], few[2, 999], few[7, 2] = 5, 1, 3
    html = drawn.matrix(few, tuple(f"pattern {i}" for i in range(10)))  # of a network with more classes than the data
    assert not pictures(html)
    assert [f"title='{name}'" in html for name in ("pattern 2", "pattern 7", "999", "pattern 3")] == [
        True,
        True,
        True,
        False,
    ]
    assert "title='true pattern 2, predicted 999: 1'" in html
    assert picture.shape[:2] == (100, 100)
    assert (picture[0, 0] != picture[0, 1]).any()


def test_a_histogram_marks_zero_only_where_it_has_room() -> None:
    inside = drawn.histogram([1, 4, 2, 0], -1.0, 1.0, 50)
    assert re.findall(r"height:([\d.]+)%", inside) == ["25.0", "100.0", "50.0", "0.0"]
    assert "left:50.0%'>0<" in inside
    assert ">0<" not in drawn.histogram([1, 1], 1.0, 2.0, 50)
    assert ">0<" not in drawn.histogram([1, 1], -0.01, 2.0, 50)


def test_the_plane_has_its_lowest_row_at_the_bottom() -> None:
    classes = np.array([[1, 1], [0, 0]])  # class 1 below
    low, high = np.zeros(2), np.ones(2)
    regions, points = pictures(
        drawn.plane(np.array([[0.5, 0.05]]), np.array([1]), ("a", "b"), 50, (low, high), classes)
    )
    assert tuple(regions[-1, 0, :3]) == drawn.colour(1)
    assert tuple(regions[0, 0, :3]) == drawn.colour(0)
    marked = np.argwhere(points[..., 3] > 0)
    assert marked[:, 0].min() > 0.8 * len(points)  # the point at y = 0.05 is near the bottom


def test_bars_of_classes_add_up_over_the_parts() -> None:
    html = drawn.stacked(("x", "y"), {"train": (2, 1), "test": (2, 0)}, {"train": "#111111"}, 40)
    assert "x: train 2, test 2" in html
    assert re.findall(r"height:([\d.]+)%", html) == ["50.00", "50.00", "0.00", "25.00"]


@pytest.mark.parametrize("name", data.names())
def test_the_panel_has_samples_and_counts_for_every_kind_of_field(name: str) -> None:
    dataset = data.find(name)()
    if dataset.missing() is not None or any("downloads" in t or "downloaded" in t for t in (dataset.help,)):
        pytest.skip("needs a file or the network")
    try:
        found, numbers = view.samples(dataset), view.statistics(dataset)
    except data.base.DataError as error:
        pytest.skip(str(error))
    fields = dataset.fields()
    held = {field.holds for field in fields.values()}
    for kind in ("mask", "boxes", "box_classes"):
        assert (kind in found.fields) == (kind in held)
    if {"mask", "box_classes"} & held:
        total = sum(numbers.counts["train"])
        assert total > numbers.sizes["train"]
        assert numbers.counted in ("Pixels", "Boxes")
    if found.inputs.ndim == 4:
        picture = samples.masked(found, 0)
        assert picture.shape[:2] == found.inputs.shape[1:3]
        assert samples.boxes(found, 0).count("<i ") == (
            int((found.fields["box_classes"][0] >= 0).sum()) if "boxes" in held else 0
        )


def test_large_pictures_are_sent_small_and_keep_what_they_show() -> None:
    picture = np.zeros((224, 200, 3), np.uint8)
    picture[:112] = (200, 100, 0)
    small = reduced(picture, 96)
    assert small.shape == (75, 67, 3)
    assert tuple(small[0, 0]) == (200, 100, 0)
    assert tuple(small[-1, -1]) == (0, 0, 0)
    grey = reduced(np.full((100, 100, 1), 9, np.uint8), 96)
    assert grey.shape == (50, 50)
    assert (grey == 9).all()
    digit = picture[:28, :28]
    assert reduced(digit, 96) is digit


def test_samples_that_were_drawn_are_not_drawn_again() -> None:
    dataset = data.find("pictures").from_settings({"height": 224, "width": 224, "samples": 60, "classes": 3})
    assert view.samples(dataset, 10) is view.samples(dataset, 10)
    assert len(view.samples(dataset, 4).inputs) == 12
    html = samples._grid(view.samples(dataset, 10))
    assert html.count("<figure>") == 30
    assert len(html) < 30 * 25_000
    assert samples._grid(view.samples(dataset, 10)) is html


def test_a_thousand_bars_of_classes_stay_in_their_column() -> None:
    few, many = (drawn.stacked((), {"train": (1,) * count}, {}, 40) for count in (10, 1000))
    assert "class='bars stack'" in few
    assert "class='bars stack many'" in many


def test_the_way_to_a_word_goes_up_for_a_turn_to_the_left() -> None:
    drawing = word_tree._way(np.array([4, 2]), np.array([1.0, -1.0]), np.array([0.9, 0.5]), "<word>", "#000")
    svg = base64.b64decode(drawing.split("base64,")[1].split("'")[0]).decode()
    places = [(float(x), float(y)) for x, y in re.findall(r"<circle cx='([\d.]+)' cy='([-\d.]+)'", svg)]
    (x0, y0), (x1, y1), (x2, y2) = places
    assert x0 < x1 < x2
    assert y1 < y0 == y2  # up, then down again
    assert "&lt;word&gt;" in svg
    assert "0.90" in svg


def test_words_of_a_pair_are_written_outside_of_the_line_between_them() -> None:
    points = np.array([[0.0, 0.0], [3.0, 1.0], [5.0, 0.0], [1.0, 2.0]])
    sides = word_map._sides(points, np.array([0, 1, 2, 3]), [(0, 1), (2, 3)])
    assert sides == ["middle left", "middle right", "middle right", "middle left"]
    assert word_map._sides(points, np.array([0, 1]), []) == "top center"


def test_a_sequence_is_a_picture_that_the_page_does_not_take_out() -> None:
    html = drawn.sparkline(np.array([[0.0, 1.0], [2.0, 1.0], [1.0, 0.0]]))
    assert html.startswith("<img")
    assert "<svg" not in html
    (found,) = re.findall(r"image/svg\+xml;base64,([A-Za-z0-9+/=]+)", html)
    drawing = ElementTree.fromstring(base64.b64decode(found))
    lines = [line.get("points") for line in drawing.iter("{http://www.w3.org/2000/svg}polyline")]
    # The highest value stands at y = 2, the lowest at y = 38; the steps divide the width.
    assert lines == ["0.0,38.0 50.0,2.0 100.0,20.0", "0.0,20.0 50.0,20.0 100.0,38.0"]
