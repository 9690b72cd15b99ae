"""Single pictures: every kind of file is read, and a person's own picture takes the form of the data's."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from builder import data
from builder.data import uploads
from builder.data.base import DataError
from builder.data.image_zip import decode_picture
from tests.test_uploads import picture

torch.set_num_threads(1)

KINDS = {"PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_that_is_named_is_read(kind: str) -> None:
    pixels = decode_picture(picture((200, 10, 60), (40, 40), kind), 20, "colour", "pad")
    assert np.abs(pixels[:, 15, 15].astype(int) - [200, 10, 60]).max() <= 12


def test_modes_become_grey_or_colour() -> None:
    def saved(drawn: Image.Image) -> bytes:
        file = io.BytesIO()
        drawn.save(file, "PNG")
        return file.getvalue()

    clear = saved(Image.new("RGBA", (8, 8), (255, 0, 0, 0)))
    assert (decode_picture(clear, 8, "grey", "pad") == 255).all()  # what is transparent is white
    palette = saved(Image.new("RGB", (8, 8), (0, 0, 255)).convert("P"))
    assert decode_picture(palette, 8, "colour", "pad")[:, 4, 4].tolist() == [0, 0, 255]
    deep = saved(Image.fromarray(np.full((8, 8), 32_896, np.uint16)))
    assert (decode_picture(deep, 8, "grey", "pad") == 128).all()
    assert (decode_picture(saved(Image.new("1", (8, 8), 1)), 8, "grey", "pad") == 255).all()


def test_oblong_pictures_become_square() -> None:
    drawn = Image.new("L", (60, 20), 100)
    ImageDraw.Draw(drawn).rectangle((20, 0, 39, 19), fill=200)
    file = io.BytesIO()
    drawn.save(file, "PNG")
    padded = decode_picture(file.getvalue(), 30, "grey", "pad")[0]
    assert (padded[:9] == padded[0, 0]).all()  # rows above the picture have the colour of its edge
    assert padded[15, 15] == 200
    assert (decode_picture(file.getvalue(), 30, "grey", "crop")[0][5:25, 2:28] == 200).all()
    assert decode_picture(file.getvalue(), 30, "grey", "stretch")[0][0, 15] == 200


def test_photographs_are_turned_upright() -> None:
    drawn = Image.new("L", (40, 40), 0)
    ImageDraw.Draw(drawn).rectangle((0, 0, 39, 9), fill=255)  # light on top
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    file = io.BytesIO()
    drawn.save(file, "JPEG", exif=exif)
    assert decode_picture(file.getvalue(), 40, "grey", "pad")[0][20, 37] > 200


@pytest.mark.parametrize(
    "values",
    [{}, {"size": 8}, {"size": 8, "layout": "rows"}, {"size": 32, "colour": "colour"}],
    ids=str,
)
def test_an_own_picture_has_the_form_of_the_data(values: dict[str, Any]) -> None:
    dataset = data.find("digits").from_settings(values)
    own = uploads.read_picture(picture(255, (300, 200)), dataset)
    assert own.image.shape == (1, *dataset.fields()["image"].shape)
    assert own.image.dtype == np.uint8
    batch = dataset.make_batch(
        {"image": torch.from_numpy(own.image), "label": torch.zeros(1, dtype=torch.int64)},
        torch.tensor([0]),
        dataset.to_settings(),
    )
    assert tuple(batch["image"].shape[1:]) == dataset.fields()["image"].shape


def test_ink_on_paper_is_offered_to_be_inverted_and_then_placed_as_in_mnist() -> None:
    paper = Image.new("L", (400, 300), 235)
    ImageDraw.Draw(paper).line((50, 40, 80, 200), fill=20, width=18)  # off the middle
    file = io.BytesIO()
    paper.save(file, "JPEG")
    mnist = data.find("mnist")()
    assert uploads.read_picture(file.getvalue(), mnist).suggest_invert
    own = uploads.read_picture(file.getvalue(), mnist, invert=True)
    assert not own.suggest_invert
    ink = own.image[0, 0].astype(float)
    rows = np.nonzero(ink > 100)[0]
    assert rows.max() - rows.min() + 1 in (19, 20)
    middle = (ink.sum(1) @ np.arange(28) / ink.sum(), ink.sum(0) @ np.arange(28) / ink.sum())
    assert middle == pytest.approx((13.5, 13.5), abs=1)
    assert ink[:3].max() == 0
    night = uploads.read_picture(picture(5, (50, 50)), mnist)
    assert not night.suggest_invert
    assert not uploads.read_picture(file.getvalue(), data.find("cifar10")()).suggest_invert


def test_a_drawing_becomes_a_sample() -> None:
    drawn = np.zeros((280, 280))
    drawn[40:160, 30:50] = 255
    mnist = uploads.read_drawing(drawn, data.find("mnist")(size=32))
    assert mnist.shape == (1, 1, 32, 32)
    assert mnist.max() > 200
    assert uploads.read_drawing(np.zeros((9, 9)), data.find("digits")()).max() == 0
    with pytest.raises(DataError, match="table of grey values"):
        uploads.read_drawing(np.zeros((3, 3, 3)), data.find("mnist")())


def test_a_drawn_digit_is_nearest_to_its_own_kind() -> None:
    """A training digit blown up and pushed into a corner comes back as nearly the same digit."""
    dataset = data.find("digits")(size=8)
    images = data.load(dataset)["train"]["image"][:40, 0].numpy()
    found = []
    for one in images:
        canvas = np.zeros((400, 400))
        canvas[:160, 230:390] = np.kron(one, np.ones((20, 20)))
        back = uploads.read_drawing(canvas, dataset)[0, 0].astype(float)
        found.append(int(np.abs(images.astype(float) - back).sum((1, 2)).argmin()))
    assert np.mean(np.array(found) == np.arange(40)) > 0.8


def test_what_cannot_be_taken_is_said() -> None:
    mnist = data.find("mnist")()
    with pytest.raises(DataError, match="The picture cannot be used: it is no picture"):
        uploads.read_picture(b"text", mnist)
    with pytest.raises(DataError, match="damaged or cut off"):
        uploads.read_picture(picture(kind="PNG", size=(200, 200))[:150], mnist)
    with pytest.raises(DataError, match="Iris has no pictures"):
        uploads.read_picture(picture(), data.find("iris")())
    with pytest.raises(DataError, match="5 channels"):
        uploads.read_picture(picture(), data.find("pictures")(channels=5))
