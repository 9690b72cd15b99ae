"""Boxes that come from outside: VOC and COCO files, well and badly made. Each fault is one sentence; the rest is usable."""

import io
import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from builder import data
from builder.data.annotations import read_coco, read_voc
from builder.data.base import DataError
from builder.data.own_boxes import inspect_boxes
from builder.data.uploads import store

PRESENT = Path(os.environ.get("LAYERLOOM_DATA") or "missing") / "bccd_voc"


def voc(*objects: tuple[str, Any], width: Any = 100, height: Any = 80, file: str = "a.png") -> bytes:
    parts = []
    for name, box in objects:
        edges = "".join(f"<{side}>{v}</{side}>" for side, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        parts.append(f"<object>\n<name>{name}</name><bndbox>{edges}</bndbox></object>\n")
    head = f"<annotation>\n<filename>{file}</filename><size><width>{width}</width><height>{height}</height></size>\n"
    return (head + "".join(parts) + "</annotation>").encode()


def test_a_good_annotation() -> None:
    picture, problems = read_voc(voc(("cat", (10, 20, 30, 40)), ("dog", (0, 0, 100, 80))), "a.xml")
    assert problems == []
    assert picture is not None
    assert picture["objects"] == [("cat", (10.0, 20.0, 30.0, 40.0)), ("dog", (0.0, 0.0, 100.0, 80.0))]
    assert (picture["width"], picture["height"], picture["file"]) == (100, 80, "a.png")


@pytest.mark.parametrize(
    ("object_", "said"),
    [
        (("cat", (30, 20, 30, 40)), "a.xml, line 5, object 2 (cat): its box 30, 20 to 30, 40 has no area"),
        (("cat", (120, 20, 130, 40)), "object 2 (cat): its box 120, 20 to 130, 40 lies outside the picture of 100×80"),
        (("cat", ("x", 20, 130, 40)), "line 5, object 2 (cat): its box is not four numbers"),
        (("cat", ("nan", 20, 130, 40)), "object 2 (cat): its box is not made of numbers"),
        (("cow", (1, 2, 3, 4)), "object 2 (cow): its class is unknown, so it is left out; known are cat, dog"),
        (("", (1, 2, 3, 4)), "object 2 (without a name): it has no class"),
    ],
)
def test_one_bad_object_is_named_by_file_line_and_number_and_the_others_stay(object_: Any, said: str) -> None:
    content = voc(("cat", (10, 20, 30, 40)), object_, ("dog", (1, 1, 9, 9)))
    picture, problems = read_voc(content, "a.xml", ("cat", "dog"))
    assert picture is not None
    assert [label for label, _ in picture["objects"]] == ["cat", "dog"]
    (problem,) = problems
    assert said in problem


def test_a_box_that_reaches_out_is_cut() -> None:
    picture, (problem,) = read_voc(voc(("cat", (-5, 20, 130, 40))), "a.xml")
    assert picture is not None
    assert picture["objects"] == [("cat", (0.0, 20.0, 100.0, 40.0))]
    assert "reaches beyond the picture of 100×80 and is cut to it" in problem


LAUGHS = (
    '<?xml version="1.0"?>\n<!DOCTYPE lolz [\n<!ENTITY lol "lol">\n'
    + "\n".join(f'<!ENTITY lol{i} "{f"&lol{i - 1};" * 10}">' for i in range(1, 10)).replace("&lol0;", "&lol;")
    + "\n]>\n<annotation><filename>&lol9;</filename></annotation>"
)
OUTSIDE = (
    '<!DOCTYPE a [<!ENTITY file SYSTEM "file:///etc/passwd">]><annotation><filename>&file;</filename></annotation>'
)


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE], ids=["billion laughs", "external entity"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_they_are_expanded(text: str, encoding: str) -> None:
    began = time.monotonic()
    picture, (problem,) = read_voc(text.replace('<?xml version="1.0"?>\n', "").encode(encoding), "bad.xml")
    assert picture is None
    assert problem.startswith("bad.xml, line 1: it declares a document type or entities")
    assert "root:" not in problem
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<annotation><object>", "bad.xml, line 1: it is no whole XML"),
        (b"", "no whole XML"),
        (b"\x00\xff\x10", "no whole XML"),
        (b"<a>" * 5000, "nested too deeply"),
        (voc(width="wide"), "does not say the picture's width and height"),
        (voc(width=-3), "does not say the picture's width and height"),
    ],
)
def test_a_file_that_is_no_annotation(content: bytes, said: str) -> None:
    picture, (problem,) = read_voc(content, "bad.xml")
    assert picture is None
    assert said in problem


def coco(**changes: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 80}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [{"image_id": 7, "category_id": 3, "bbox": [10, 20, 20, 20]}],
        **changes,
    }


def test_a_good_coco_file_gives_edges() -> None:
    (picture,), problems = read_coco(json.dumps(coco()).encode(), "c.json")
    assert problems == []
    assert picture["objects"] == [("cat", (10.0, 20.0, 30.0, 40.0))]


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ({"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4]}, "annotation 1: there is no picture with the id 8"),
        ({"image_id": 7, "category_id": 4, "bbox": [1, 2, 3, 4]}, "annotation 1: there is no class with the id 4"),
        ({"image_id": 7, "category_id": [], "bbox": [1, 2, 3, 4]}, "there is no class with the id"),
        ({"image_id": 7, "category_id": 3, "bbox": [1, 2, 0, 4]}, "annotation 1 (cat in a.png): its box"),
        ({"image_id": 7, "category_id": 3, "bbox": [1, 2]}, "lacks a picture, a class or a box of four numbers"),
        ({"image_id": 7, "category_id": 3}, "lacks a picture, a class or a box of four numbers"),
        (None, "lacks a picture, a class or a box of four numbers"),
    ],
)
def test_one_bad_annotation_of_coco(annotation: Any, said: str) -> None:
    good = coco()["annotations"]
    (picture,), (problem,) = read_coco(json.dumps(coco(annotations=[annotation, *good])).encode(), "c.json")
    assert said in problem
    assert len(picture["objects"]) == 1


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"images": 3}', b"[" * 100_000, b"\xff\xfe"])
def test_json_that_is_not_coco_s(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"c\.json is n"):
        read_coco(content, "c.json")


# --- an upload ---------------------------------------------------------------------------------------


def picture(width: int = 100, height: int = 80, value: int = 100) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_in_voc_s_form_is_reported_stored_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, bytes] = {}
    for i in range(8):
        files[f"set/JPEGImages/p{i}.png"] = picture(value=20 * i)
        name = "cat" if i % 2 else "dog"
        files[f"set/Annotations/p{i}.xml"] = voc((name, (10, 20, 60, 60)), file=f"p{i}.png")
    files["set/Annotations/p1.xml"] = voc(("cat", (10, 20, 60, 60)), ("cat", (5, 5, 5, 9)), file="p1.png")
    files["set/Annotations/lost.xml"] = voc(("cat", (1, 1, 9, 9)), file="lost.png")
    files["set/Annotations/bomb.xml"] = LAUGHS.encode()
    files["set/JPEGImages/p7.png"] = b"no picture"
    content = packed(files)
    report = inspect_boxes(content)
    assert report.classes == {"cat": 3, "dog": 4}
    assert (report.pictures, report.most) == (7, 1)
    assert len(report.problems) == 4
    assert data.find("own_boxes").receive(content) == (report.settings(), report.problems)
    for part in (
        "p1.xml, line 5, object 2 (cat)",
        "'lost.png' is not in the zip",
        "bomb.xml, line",
        "p7.png: it is no",
    ):
        assert sum(part in problem for problem in report.problems) == 1, part

    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path))
    dataset = data.find("own_boxes").from_settings({**report.settings(), "file": store(content, tmp_path), "size": 40})
    splits = data.load(dataset)
    assert {name: len(split["image"]) for name, split in splits.items()} == dataset.size_hint()
    assert sum(len(split["image"]) for split in splits.values()) == 7
    batch = dataset.make_batch(splits["train"], torch.arange(2), dataset.to_settings())
    assert batch["image"].shape == (2, 3, 40, 40)
    assert batch["box"][0, 0].tolist() == pytest.approx([0.1, 0.25, 0.6, 0.75])
    assert {f: tuple(batch[f].shape[1:]) for f in dataset.fields()} == {n: f.shape for n, f in dataset.fields().items()}


def test_a_zip_in_coco_s_form() -> None:
    images = [{"id": i, "file_name": f"p{i}.png", "width": 100, "height": 80} for i in range(4)]
    notes = [{"image_id": i, "category_id": 3, "bbox": [10, 20, 20, 20]} for i in range(4)]
    files = {f"images/p{i}.png": picture() for i in range(4)}
    report = inspect_boxes(packed({**files, "notes.json": json.dumps(coco(images=images, annotations=notes)).encode()}))
    assert report.classes == {"cat": 4}
    assert report.problems == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no zip", "no zip file"),
        (packed({"a.png": picture()}), "0 usable pictures"),
        (packed({"../a.xml": voc()}), "outside itself"),
        (packed({f"p{i}.xml": LAUGHS.encode() for i in range(4)}), "declares a document type or entities"),
        (packed({"zeros.xml": b"\0" * 60_000_000}), "0 usable pictures"),
    ],
)
def test_a_zip_that_cannot_be_used_is_refused_in_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        inspect_boxes(content)


@pytest.mark.skipif(not PRESENT.is_dir(), reason="LAYERLOOM_DATA has no bccd_voc")
def test_the_two_boxes_without_area_among_the_blood_cells_are_told_and_left_out() -> None:
    names = ("BloodImage_00338", "BloodImage_00343")
    for name in names:
        content = (PRESENT / "Annotations" / f"{name}.xml").read_bytes()
        picture, problems = read_voc(content, f"{name}.xml")
        assert picture is not None
        assert picture["objects"]
        assert sum("has no area" in problem for problem in problems) == 1
        assert f"{name}.xml, line " in problems[0]
    dataset = data.find("blood_cells").from_settings({"size": 32})
    splits = data.load(dataset)
    labels = torch.cat([split["box_class"] for split in splits.values()])
    counts = torch.bincount(labels[labels >= 0]).tolist()
    assert counts == [4155 - 2, 372, 361]
    assert {name: len(split["image"]) for name, split in splits.items()} == dataset.size_hint()
    size = torch.cat([split["box"][..., 2:] - split["box"][..., :2] for split in splits.values()])
    assert (size[labels >= 0] > 0).all()


def test_blood_cells_that_are_not_there_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERLOOM_DATA", str(tmp_path))
    with pytest.raises(DataError, match="bccd_voc"):
        data.load(data.find("blood_cells")())
