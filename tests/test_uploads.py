"""Uploads: hostile and spoiled zips, class folders, and a person's own picture."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw

from builder import data
from builder.data import uploads
from builder.data.base import DataError
from builder.data.image_zip import sort_pictures
from tests.test_data import alone, equal

torch.set_num_threads(1)


def picture(
    value: int | tuple[int, ...] = 120, size: tuple[int, int] = (30, 20), kind: str = "PNG", mode: str = "RGB"
) -> bytes:
    """A picture file of one colour with a dark square at its left top."""
    drawn = Image.new(mode, size, value)
    ImageDraw.Draw(drawn).rectangle((0, 0, 4, 4), fill=0)
    file = io.BytesIO()
    drawn.save(file, kind)
    return file.getvalue()


def packed(files: dict[str, bytes | None], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files; None makes an empty folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name) if content is None else name, content or b"", compression)
    return file.getvalue()


def two_classes(count: int = 10) -> dict[str, bytes | None]:
    return {f"{label}/{n:02}.png": picture(60 + 10 * n) for label in ("cat", "dog") for n in range(count)}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LAYERLOOM_DATA", raising=False)
    return tmp_path / "home"


def used(content: bytes, **more: Any) -> data.Dataset:
    """The data set of an upload."""
    report = uploads.inspect_zip(content)
    return data.find("image_folder").from_settings({**report.settings(uploads.store(content, data.home())), **more})


# Zips that are refused as a whole


def named(name: str, **changes: Any) -> bytes:
    """A good zip with one more entry of this name."""
    file = io.BytesIO(packed(two_classes()))
    with zipfile.ZipFile(file, "a") as archive:
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = entry.orig_filename = name
        for key, value in changes.items():
            setattr(entry, key, value)
        archive.writestr(entry, picture())
    return file.getvalue()


def bomb() -> bytes:
    return packed({**two_classes(), "cat/huge.png": b"\0" * 80_000_000})


def lying_sizes() -> bytes:
    """A zip whose directory claims 5 GB for one entry."""
    content = bytearray(packed({**two_classes(), "dog/last.png": picture()}, zipfile.ZIP_STORED))
    at = content.rindex(b"PK\1\2")
    content[at + 24 : at + 28] = (4_200_000_000).to_bytes(4, "little")
    return bytes(content)


REFUSED: dict[str, tuple[bytes, str]] = {
    "traversal": (named("../../etc/passwd.png"), r"names '\.\./\.\./etc/passwd\.png', a place outside itself"),
    "traversal inside": (named("cat/../../x.png"), "a place outside itself"),
    "absolute": (named("/etc/x.png"), "'/etc/x.png', a place outside itself"),
    "drive": (named("C:/x.png"), "'C:/x.png', a place outside itself"),
    "backslash traversal": (named("..\\x.png"), "a place outside itself"),
    "backslash": (named("cat\\x.png"), "a name that is not allowed"),
    "symlink": (
        named("cat/link.png", create_system=3, external_attr=(stat.S_IFLNK | 0o777) << 16),
        "'cat/link.png', a link",
    ),
    "bomb": (bomb(), r"grow from .* MB to 80 MB.*'cat/huge\.png'"),
    "lying sizes": (lying_sizes(), r"Unpacked, the zip file has 4\.2 GB; at most 4 GB"),
    "no zip": (b"hello", "no zip file"),
    "cut off": (packed(two_classes())[:-200], "no zip file, or it is damaged"),
    "empty": (packed({}), "The zip file is empty"),
    "only folders": (packed({"cat/": None, "dog/": None}), "The zip file is empty"),
    "no pictures": (
        packed({"cat/a.txt": b"x", "dog/b.csv": b"y"}),
        r"no pictures in class folders; for instance 'cat/a\.txt'",
    ),
    "no folders": (packed({"a.png": picture(), "b.png": picture()}), r"'a\.png': it lies in no class folder"),
    "one class": (packed({"cat/a.png": picture(), "cat/b.png": picture()}), "only one class, 'cat'.*at least two"),
    "one readable class": (packed({"cat/a.png": picture(), "dog/b.png": b"text"}), "only one class, 'cat'"),
    "nothing readable": (
        packed({"cat/a.png": b"x", "dog/b.png": b"text"}),
        r"no readable pictures; for instance 'cat/a\.png'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_zip_that_cannot_be_used_is_refused_in_a_sentence(case: str, tmp_path: Path) -> None:
    content, sentence = REFUSED[case]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=sentence) as error:
        uploads.inspect_zip(content)
    assert str(error.value).endswith(".")
    assert sorted(tmp_path.rglob("*")) == before


def test_too_many_files_and_classes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_FILES", 19)
    with pytest.raises(DataError, match="20 entries; at most 19"):
        uploads.inspect_zip(packed(two_classes()))
    monkeypatch.setattr(uploads, "MAX_FILES", 20)
    monkeypatch.setattr(uploads, "MAX_CLASSES", 1)
    with pytest.raises(DataError, match="2 class folders"):
        uploads.inspect_zip(packed(two_classes()))


def test_a_bomb_that_tells_small_sizes_unpacks_no_more_than_it_told() -> None:
    """The directory's size bounds what is read; the file then fails its checksum and is named."""
    content = bytearray(packed({**two_classes(), "dog/huge.png": b"\0" * 60_000_000}))
    at = content.rindex(b"PK\1\2")
    content[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    report = uploads.inspect_zip(bytes(content))
    assert [file.name for file in report.unreadable] == ["dog/huge.png"]
    assert report.counts["train"] == {"cat": 10, "dog": 10}


# Files that are left out


def with_side(side: int) -> bytes:
    """A small PNG file whose header claims a square of this side."""
    pixels = bytearray(picture(1, (8, 8), mode="L"))
    at = pixels.index(b"IHDR")
    pixels[at + 4 : at + 12] = side.to_bytes(4, "big") * 2
    pixels[at + 17 : at + 21] = zlib.crc32(bytes(pixels[at : at + 17])).to_bytes(4, "big")
    return bytes(pixels)


def test_files_that_cannot_be_read_are_named_and_the_rest_is_used() -> None:
    whole = picture(kind="JPEG", size=(200, 200))
    content = packed(
        {
            **two_classes(),
            "cat/text.png": b"this is no picture",
            "cat/cut.jpg": whole[: len(whole) // 2],
            "cat/empty.png": b"",
            "dog/pixels.png": with_side(8000),
            "dog/more_pixels.png": with_side(60_000),
            "dog/notes.txt": b"hello",
            "dog/drawing.svg": b"<svg/>",
            "loose.png": picture(),
            "__MACOSX/cat/._00.png": b"x",
            "cat/.DS_Store": b"x",
            "dog/Thumbs.db": b"x",
        }
    )
    report = uploads.inspect_zip(content)
    reasons = {file.name: file.reason for file in report.unreadable}
    assert reasons.keys() == {
        "cat/text.png",
        "cat/cut.jpg",
        "cat/empty.png",
        "dog/pixels.png",
        "dog/more_pixels.png",
        "dog/notes.txt",
        "dog/drawing.svg",
        "loose.png",
    }
    assert reasons["cat/text.png"].startswith("it is no picture")
    assert "damaged or cut off" in reasons["cat/cut.jpg"]
    assert "8000×8000 pixels; at most 50 million" in reasons["dog/pixels.png"]
    assert "too many pixels; at most 50 million" in reasons["dog/more_pixels.png"]
    assert reasons["dog/notes.txt"].startswith("it is not a kind of picture")
    assert reasons["loose.png"] == "it lies in no class folder"
    assert report.counts == {"train": {"cat": 10, "dog": 10}}
    dataset = used(content)
    assert {name: len(split["label"]) for name, split in data.load(dataset).items()} == dataset.size_hint()


def test_a_file_that_is_too_large_is_named() -> None:
    content = bytearray(packed({**two_classes(), "dog/last.png": picture()}, zipfile.ZIP_STORED))
    at = content.rindex(b"PK\1\2")
    content[at + 20 : at + 28] = (150_000_000).to_bytes(4, "little") * 2
    dataset = used(bytes(content))
    report = uploads.inspect_zip(bytes(content))
    assert [str(file) for file in report.unreadable] == [
        "dog/last.png: it has 150 MB unpacked; at most 100 MB are read"
    ]
    assert sum(len(split["label"]) for split in data.load(dataset).values()) == 20


def test_an_encrypted_file_is_named() -> None:
    content = bytearray(packed({**two_classes(), "dog/secret.png": picture()}, zipfile.ZIP_STORED))
    at, local = content.rindex(b"PK\1\2"), content.rindex(b"PK\3\4")
    content[at + 8] |= 1
    content[local + 6] |= 1
    report = uploads.inspect_zip(bytes(content))
    assert [str(file) for file in report.unreadable] == ["dog/secret.png: it is encrypted"]


def test_empty_and_unreadable_class_folders_are_left_out_with_a_warning() -> None:
    report = uploads.inspect_zip(packed({**two_classes(), "bird/": None, "fish/a.png": b"text"}))
    assert report.classes == ("cat", "dog")
    assert "The folder 'bird' holds no readable picture, so it is left out as a class." in report.warnings
    assert "The folder 'fish' holds no readable picture, so it is left out as a class." in report.warnings


def test_few_and_uneven_pictures_are_said() -> None:
    files = {**{f"cat/{n}.png": picture() for n in range(33)}, **{f"dog/{n}.png": picture() for n in range(3)}}
    warnings = uploads.inspect_zip(packed(files)).warnings
    assert any("'dog' (3)" in text for text in warnings)
    assert any("the largest has 33 pictures, the smallest 3" in text for text in warnings)


# What folders mean

FOLDERS: list[tuple[list[str], dict[str, tuple[str, str]]]] = [
    (["a/1.png", "b/2.JPG"], {"a/1.png": ("train", "a"), "b/2.JPG": ("train", "b")}),
    (["r/a/1.png", "r/b/2.png"], {"r/a/1.png": ("train", "a"), "r/b/2.png": ("train", "b")}),
    (["r/a/x/1.png", "r/b/2.png"], {"r/a/x/1.png": ("train", "a"), "r/b/2.png": ("train", "b")}),
    (
        ["train/a/1.png", "Val/b/2.png", "test/a/3.png", "extra/c/4.png"],
        {"train/a/1.png": ("train", "a"), "Val/b/2.png": ("validation", "b"), "test/a/3.png": ("test", "a")},
    ),
    (
        ["r/train/a/1.png", "r/valid/a/2.png"],
        {"r/train/a/1.png": ("train", "a"), "r/valid/a/2.png": ("validation", "a")},
    ),
    (["train/a/1.png", "train/b/2.png"], {"train/a/1.png": ("train", "a"), "train/b/2.png": ("train", "b")}),
    (["train/1.png", "freight/2.png"], {"train/1.png": ("train", "train"), "freight/2.png": ("train", "freight")}),
    (["a/1.png", ".hidden/2.png", "__MACOSX/b/3.png", "4.png", "a/5.txt"], {"a/1.png": ("train", "a")}),
    ([], {}),
]


@pytest.mark.parametrize(("names", "expected"), FOLDERS)
def test_folders_name_splits_and_classes(names: list[str], expected: dict[str, tuple[str, str]]) -> None:
    assert sort_pictures(names) == expected


@pytest.mark.parametrize("parts", [("train", "val"), ("train", "test"), ("train", "val", "test")])
def test_own_splits_are_kept(parts: tuple[str, ...]) -> None:
    files = {f"{part}/{name}": content for part in parts for name, content in two_classes().items()}
    dataset = used(packed({**files, "test/bird/1.png": picture()} if "test" in parts else files))
    sizes = {name: len(split["label"]) for name, split in data.load(dataset).items()}
    assert sizes == dataset.size_hint()
    assert sizes.get("test", 20) == 20
    assert sizes["validation"] == (20 if "val" in parts else 3)
    assert dataset.class_names() == ("cat", "dog")


def test_an_uploaded_data_set_is_what_it_declares() -> None:
    content = packed(
        {f"{label}/{n}.png": picture((value,) * 3) for label, value in (("b", 250), ("a", 40)) for n in range(20)}
    )
    report = uploads.inspect_zip(content)
    assert (report.colour, report.size) == ("grey", 28)  # all channels are alike
    dataset = used(content, normalization="standard", size=16)
    splits = data.load(dataset)
    assert {name: len(split["label"]) for name, split in splits.items()} == dataset.size_hint()
    assert dataset.fields()["image"].shape == (1, 16, 16)
    for split in splits.values():
        light = split["image"][:, 0, 8, 8] > 128
        assert torch.equal(light, split["label"] == 1)  # classes are sorted: a is dark
    batch = dataset.make_batch(splits["train"], torch.arange(28), dataset.to_settings())
    assert abs(float(batch["image"].mean())) < 0.3
    again = alone(dataset.load_arrays, dataset.helpers)(dataset.to_settings(), data.home())
    assert equal(splits, again)


def test_an_upload_that_is_gone_changed_or_never_made_is_said(home: Path) -> None:
    empty = data.find("image_folder")()
    assert "Upload a zip file" in (empty.missing() or "")
    with pytest.raises(DataError, match="Upload a file"):
        data.load(empty)
    dataset = used(packed(two_classes()))
    assert dataset.missing() is None
    path = next((home / "uploads").iterdir())
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="has changed since it was uploaded"):
        data.load(dataset)
    path.unlink()
    with pytest.raises(DataError, match=r"not on this machine\. Put [0-9a-f]{64}\.zip into"):
        data.load(dataset)
    for name in ("../../etc/passwd", "/etc/passwd", "a" * 64, "x.zip"):
        with pytest.raises(DataError, match="is not the name of an upload"):
            data.load(data.find("image_folder")(file=name))


# Storing


def test_an_upload_is_stored_once_under_its_hash(tmp_path: Path) -> None:
    name = uploads.store(b"content", tmp_path)
    assert name == hashlib.sha256(b"content").hexdigest() + ".zip"
    assert uploads.store(b"content", tmp_path) == name
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [name]


def test_a_store_that_fails_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"The upload \(0\.0 MB\) cannot be saved in .*No space left on device"):
        uploads.store(b"content", tmp_path)
    assert list((tmp_path / "uploads").iterdir()) == []
