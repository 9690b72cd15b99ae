"""The user's own pictures with masks: layouts, kinds of masks, faults that are named, and what is trained and exported."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import builder
from builder import data, edits, proposals
from builder.data.base import DataError
from builder.data.mask_files import decode_mask, pair_masks, shrink_mask
from builder.data.mask_report import inspect_masks
from builder.data.uploads import store
from builder.project import Choice, Project

torch.set_num_threads(1)

Array = np.ndarray[Any, Any]
PRESENT = Path(os.environ.get("LAYERLOOM_DATA") or "missing") / "dsb2018_nuclei"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def saved(pixels: Array, kind: str = "PNG", palette: list[int] | None = None, **more: Any) -> bytes:
    picture = Image.fromarray(pixels)
    if palette is not None:
        picture = picture.convert("L")
        picture.putpalette(palette + [0] * (768 - len(palette)))
    file = io.BytesIO()
    picture.save(file, kind, **more)
    return file.getvalue()


def photo(i: int = 0, height: int = 24, width: int = 32) -> bytes:
    """A coloured picture whose right half is lighter."""
    pixels = np.full((height, width, 3), (40 + i, 60, 80), np.uint8)
    pixels[:, width // 2 :] += 90
    return saved(pixels)


def halves(*values: int, height: int = 24, width: int = 32) -> Array:
    """A mask of upright stripes with these values."""
    return np.repeat(np.array(values, np.uint8), width // len(values))[None].repeat(height, 0)


def packed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def folders(mask: Any, count: int = 8, ending: str = "png") -> dict[str, bytes]:
    """`count` pictures in images/, and what `mask` (a file's content, or a function of the number) gives in masks/."""
    files = {f"images/{i}.png": photo(i) for i in range(count)}
    return files | {f"masks/{i}.{ending}": mask(i) if callable(mask) else mask for i in range(count)}


def loaded(content: bytes, **more: Any) -> tuple[data.Dataset, data.Splits]:
    """The data set of an upload, and its samples."""
    settings, _ = data.find("own_masks").receive(content)
    dataset = data.find("own_masks").from_settings({**settings, "file": store(content, data.home()), **more})
    splits = data.load(dataset)
    assert {name: len(split["mask"]) for name, split in splits.items()} == dataset.size_hint()
    return dataset, splits


# --- layouts -----------------------------------------------------------------------------------------

LAYOUTS: dict[str, tuple[list[str], dict[str, list[str]]]] = {
    "two folders": (["images/a.jpg", "masks/a.png", "images/b.jpg", "masks/b.png"], {"images/a.jpg": ["masks/a.png"]}),
    "within another": (
        ["set/Images/A.JPG", "set/Ground_Truth/a.png"],
        {"set/Images/A.JPG": ["set/Ground_Truth/a.png"]},
    ),
    "called after the folder": (["imgs/a.jpg", "masks/a_mask.png"], {"imgs/a.jpg": ["masks/a_mask.png"]}),
    "suffix beside it": (["x/a.jpg", "x/a_mask.png", "x/a_1.jpg", "x/a_1_mask.png"], {"x/a.jpg": ["x/a_mask.png"]}),
    "several beside it": (
        ["benign (1).png", "benign (1)_mask.png", "benign (1)_mask_1.png", "benign (2).png", "benign (2)_mask.png"],
        {"benign (1).png": ["benign (1)_mask.png", "benign (1)_mask_1.png"]},
    ),
    "prefixes": (["img_01.png", "mask_01.png"], {"img_01.png": ["mask_01.png"]}),
    "both have a suffix": (["t/7_sat.jpg", "t/7_mask.png"], {"t/7_sat.jpg": ["t/7_mask.png"]}),
    "train_masks": (["train/a.jpg", "train_masks/a_mask.gif"], {"train/a.jpg": ["train_masks/a_mask.gif"]}),
    "trainannot": (["train/a.png", "trainannot/a.png"], {"train/a.png": ["trainannot/a.png"]}),
    "a letter is added": (["images/a.png", "labels/a_P.png"], {"images/a.png": ["labels/a_P.png"]}),
    "VOC's": (
        ["V/JPEGImages/a.jpg", "V/SegmentationClass/a.png", "V/SegmentationObject/a.png"],
        {"V/JPEGImages/a.jpg": ["V/SegmentationClass/a.png"]},
    ),
    "a folder for each picture": (
        ["a/images/a.png", "a/masks/1.png", "a/masks/2.png", "b/images/b.png", "b/masks/1.png"],
        {"a/images/a.png": ["a/masks/1.png", "a/masks/2.png"], "b/images/b.png": ["b/masks/1.png"]},
    ),
    "a picture called gt": (["images/gt_40.png", "masks/gt_40.png"], {"images/gt_40.png": ["masks/gt_40.png"]}),
    "no splits but one": (["train/images/a.png", "train/masks/a.png"], {"train/images/a.png": ["train/masks/a.png"]}),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_pictures_find_their_masks(case: str) -> None:
    names, expected = LAYOUTS[case]
    pairs, told = pair_masks([*names, "__MACOSX/images/._a.png", ".DS_Store", "readme.txt"])
    assert told == []
    assert {name: pairs[name][1] for name in expected} == expected
    assert {split for split, _ in pairs.values()} == {"train"}


def test_folders_may_be_splits() -> None:
    names = [f"{p}/{k}/{i}.png" for p in ("train", "valid", "test") for k in ("images", "masks") for i in range(2)]
    pairs, _ = pair_masks(names)
    assert [pairs[f"{p}/images/0.png"][0] for p in ("train", "valid", "test")] == ["train", "validation", "test"]
    other, _ = pair_masks([f"{k}/{p}/a.png" for k in ("images", "annotations") for p in ("training", "val")])
    assert [split for split, _ in other.values()] == ["train", "validation"]
    files = {f"{p}/{name}": c for p in ("train", "val") for name, c in folders(saved(halves(0, 255)), 5).items()}
    _, splits = loaded(packed(files))
    assert {name: len(split["image"]) for name, split in splits.items()} == {"train": 5, "validation": 5}


def test_what_has_no_partner_is_named() -> None:
    pairs, told = pair_masks(["images/a.png", "images/b.png", "masks/a.png", "masks/c.png", "film.mov"])
    assert list(pairs) == ["images/a.png"]
    assert sorted(told) == [
        "film.mov: it is not a kind of picture that is read, so it is left out.",
        "images/b.png: it has no mask, so it is left out.",
        "masks/c.png: there is no picture for this mask, so it is left out.",
    ]


# --- kinds of masks ----------------------------------------------------------------------------------

VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0]
RED_BLUE = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255), (0, 0, 0)], np.uint8)[halves(0, 1, 2, 3)]
TRANSPARENT = np.dstack([np.zeros((24, 32, 3), np.uint8), halves(0, 255)])

KINDS: dict[str, tuple[Any, tuple[str, ...], tuple[str, ...], list[int]]] = {
    "0 and 255": (saved(halves(0, 255)), ("background", "object"), ("0", "255"), [0, 1]),
    "one bit": (saved(halves(0, 255) > 0), ("background", "object"), ("0", "255"), [0, 1]),
    "0 and 1": (saved(halves(0, 1)), ("background", "object"), ("0", "1"), [0, 1]),
    "numbers": (saved(halves(0, 1, 2, 3)), ("background", "class 1", "class 2", "class 3"), ("0", "1", "2", "3"), [0, 1, 2, 3]),
    "shades": (saved(halves(0, 100, 200, 0)), ("background", "class 100", "class 200"), ("0", "100", "200"), [0, 1, 2, 0]),
    "a palette": (saved(halves(0, 1, 2, 0), palette=VOC), ("background", "class 1", "class 2"), ("0", "1", "2"), [0, 1, 2, 0]),
    "colours": (saved(RED_BLUE), ("background", "#0000ff", "#ff0000"), ("0", "#0000ff", "#ff0000"), [0, 2, 1, 0]),
    "grey as RGB": (saved(halves(0, 255)[..., None].repeat(3, 2)), ("background", "object"), ("0", "255"), [0, 1]),
    "transparency": (saved(TRANSPARENT), ("background", "object"), ("0", "255"), [0, 1]),
    "16 bits": (saved(halves(0, 2).astype(np.uint16) * 300), ("background", "object"), ("0", "600"), [0, 1]),
}  # fmt: skip


@pytest.mark.parametrize("case", KINDS)
def test_the_values_of_the_masks_are_the_classes(case: str) -> None:
    mask, classes, values, expected = KINDS[case]
    report = inspect_masks(packed(folders(mask)))
    assert (report.classes, report.values, report.reading, report.problems) == (classes, values, "values", ())
    dataset, splits = loaded(packed(folders(mask)), size=16)
    assert dataset.fields()["mask"].size == len(classes)
    row = splits["train"]["mask"][0, 8]
    assert row.tolist() == np.repeat(expected, 16 // len(expected)).tolist()
    batch = dataset.make_batch(splits["train"], torch.arange(2), dataset.to_settings())
    assert batch["mask"].dtype == torch.int64
    assert batch["image"].shape == (2, 3, 16, 16)
    assert batch["image"][0, :, 8, 12].min() > batch["image"][0, :, 8, 2].max()  # the light half is the right one


def test_indexed_masks_whose_palettes_disagree_go_by_their_colours() -> None:
    turned = VOC[3:6] + VOC[0:3]
    mask = lambda i: saved(halves(1, 0), palette=turned) if i % 2 else saved(halves(0, 1), palette=VOC)  # noqa: E731
    report = inspect_masks(packed(folders(mask)))
    assert (report.palette, report.values) == (True, ("0", "#800000"))
    _, splits = loaded(packed(folders(mask)), size=16)
    assert (splits["train"]["mask"] == torch.tensor([0] * 8 + [1] * 8)).all()


def test_soft_edges_are_cut_in_the_middle() -> None:
    soft = halves(0, 255).copy()
    soft[:, 15], soft[:, 16] = np.linspace(5, 120, 24), np.linspace(130, 250, 24)  # every row another blend
    for content, ending in ((saved(soft), "png"), (saved(np.roll(soft, 3, 0), "JPEG"), "jpg")):
        report = inspect_masks(packed(folders(content, ending=ending)))
        assert (report.reading, report.classes) == ("half", ("background", "object")), ending
        assert "shades of grey, as soft edges do" in report.problems[0]
        _, splits = loaded(packed(folders(content, ending=ending)), size=16)
        assert (splits["train"]["mask"] == torch.tensor([0] * 8 + [1] * 8)).all()


def test_numbered_things_are_one_class() -> None:
    def numbered(i: int) -> bytes:
        mask = np.zeros((24, 32), np.uint16)
        for thing in range(12 + i):
            mask[2 * (thing // 15) : 2 * (thing // 15) + 1, 2 * (thing % 15)] = thing + 1
        return saved(mask)

    report = inspect_masks(packed(folders(numbered)))
    assert (report.reading, report.classes) == ("any", ("background", "object"))
    assert report.problems == (
        "The masks have up to 19 values each, as single things that are numbered have; all that is not 0 is one class.",
    )


def test_rims_of_255_are_background() -> None:
    report = inspect_masks(packed(folders(saved(halves(0, 1, 255, 2)))))
    assert report.values == ("0", "1", "2")
    assert report.problems[0].startswith("The value 255 (25.0 % of all pixels) is what borders")


def test_without_0_the_most_frequent_value_is_the_background() -> None:
    report = inspect_masks(packed(folders(saved(halves(1, 2, 2, 3)))))
    assert (report.values, report.classes) == (("2", "1", "3"), ("background", "class 1", "class 3"))
    assert report.problems == ("No mask has the value 0; 2, the most frequent, is taken for the background.",)


@pytest.mark.parametrize(
    ("name", "text", "mask", "classes", "values"),
    [
        ("codes.txt", "nothing\nroad\ncar\n", halves(0, 1, 2, 0), ("nothing", "road", "car"), ("0", "1", "2")),
        ("classes.txt", "road\ncar\n", halves(0, 1, 2, 0), ("background", "road", "car"), ("0", "1", "2")),
        ("classes.txt", "nothing\nroad\n", halves(0, 255), ("nothing", "road"), ("0", "255")),
        (
            "labelmap.txt",
            "# label:color_rgb:parts:actions\ncar:255,0,0::\nbackground:0,0,0::\nsky:0,0,255::\n",
            RED_BLUE,
            ("background", "car", "sky"),
            ("0", "#ff0000", "#0000ff"),
        ),
    ],
)
def test_a_list_names_the_classes(name: str, text: str, mask: Array, classes: Any, values: Any) -> None:
    report = inspect_masks(packed({**folders(saved(mask)), name: text.encode()}))
    assert (report.classes, report.values, report.problems) == (classes, values, ())


def test_several_masks_of_a_picture_are_joined_and_small_ones_survive() -> None:
    files: dict[str, bytes] = {}
    for i in range(4):
        files |= {f"{i}/images/{i}.png": photo(i), f"{i}/masks/1.png": saved(halves(255, 0, 0, 0))}
        files[f"{i}/masks/2.png"] = saved(halves(0, 0, 255, 0))
    _, splits = loaded(packed(files), size=16)
    assert (splits["train"]["mask"] == torch.tensor([1] * 4 + [0] * 4 + [1] * 4 + [0] * 4)).all()


def test_a_smaller_mask_has_the_class_that_covers_most() -> None:
    classes = np.zeros((8, 8), np.uint8)
    classes[:, 3:] = 2  # a quarter of the second column from the left, at a quarter of the width
    assert shrink_mask(classes, 2).tolist() == [[0, 2], [0, 2]]
    assert set(np.unique(shrink_mask(halves(0, 7), 5)).tolist()) == {0, 7}  # never a value between


# --- faults ------------------------------------------------------------------------------------------


def test_each_fault_is_one_sentence_and_the_rest_is_used() -> None:
    files = folders(lambda i: saved(halves(0, 1, 2, 0)), count=16)
    files["masks/2.png"] = saved(halves(0, 1, height=12, width=16))
    files["masks/3.png"] = b"no picture"
    files["images/4.png"] = photo(4)[:60]
    del files["masks/5.png"], files["images/6.png"]
    strange = halves(0, 1, 2, 0).copy()
    strange[0, :3] = 9
    files["masks/7.png"] = saved(strange)
    report = inspect_masks(packed(files))
    assert report.values == ("0", "1", "2")
    assert report.counts == (11,)
    expected = [
        "masks/2.png: the mask has 16×12 pixels and its picture images/2.png 32×24, so both are left out.",
        "masks/3.png: it is no picture",
        "images/4.png: it is damaged or cut off",
        "images/5.png: it has no mask, so it is left out.",
        "masks/6.png: there is no picture for this mask",
        "masks/7.png: 3 of its pixels have the unknown value 9 (classes are 0, 1, 2); they are taken for the background.",
    ]
    assert len(report.problems) == len(expected)
    for part in expected:
        assert sum(problem.startswith(part) for problem in report.problems) == 1, part
    _, splits = loaded(packed(files))
    assert sum(len(split["image"]) for split in splits.values()) == 11
    assert max(int(split["mask"].max()) for split in splits.values()) == 2


def test_a_photograph_that_lies_on_its_side_fits_its_upright_mask() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    side = saved(np.zeros((32, 24, 3), np.uint8), "JPEG", exif=exif)
    files = folders(saved(halves(0, 255))) | {f"images/{i}.png": side for i in range(8)}
    assert inspect_masks(packed(files)).problems == ()


def enormous() -> bytes:
    """A small PNG file whose header claims 60,000 pixels each way."""
    import zlib

    content = bytearray(saved(halves(0, 255)))
    at = content.index(b"IHDR")
    content[at + 4 : at + 12] = (60_000).to_bytes(4, "big") * 2
    content[at + 17 : at + 21] = zlib.crc32(bytes(content[at : at + 17])).to_bytes(4, "big")
    return bytes(content)


def test_a_mask_with_too_many_pixels_is_named_before_it_is_unpacked() -> None:
    with pytest.raises(ValueError, match=r"too many pixels|50 million"):
        decode_mask(enormous(), False)
    report = inspect_masks(packed({**folders(saved(halves(0, 255))), "masks/0.png": enormous()}))
    assert report.problems[0].startswith("masks/0.png: it has")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no zip", "no zip file"),
        (packed({}), "0 usable pictures with masks, and at least 3"),
        (packed({"images/a.png": photo()}), r"a folder masks, .*images/a\.png: it has no mask"),
        (packed({"../a.png": photo()}), "outside itself"),
        (packed({**folders(saved(halves(0, 255))), "masks/zero.png": b"\0" * 80_000_000}), "grow from"),
        (packed(folders(saved(halves(0, 0)))), "only the value 0, so nothing is marked"),
        (packed(folders(saved(halves(0, 255, height=2)))), "0 usable pictures.*24, so both are left out"),
    ],
)
def test_a_zip_that_cannot_be_used_is_refused_in_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        inspect_masks(content)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"classes": ["a"], "values": ["0", "1"]}, "names 1 classes; the masks have 2 values"),
        ({"classes": ["a", "b"], "values": ["0", "x"]}, "it lists at most"),
        ({"mean": [0.5, 0.5], "std": [0.2, 0.2]}, "mean and std"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        data.find("own_masks").from_settings(settings)
    assert "folder masks" in (data.find("own_masks")().missing() or "")


# --- training and export -----------------------------------------------------------------------------


def small(content: bytes, **more: Any) -> Project:
    """The starter that is proposed for an upload, on small pictures."""
    settings, _ = data.find("own_masks").receive(content)
    start = builder.templates.load("mlp")
    project = edits.apply(start, proposals.for_data(start, "own_masks").edits)
    assert project.task.name == "segmentation"
    chosen = {**settings, "file": store(content, data.home()), "size": 32, **more}
    changed = edits.apply(project, proposals.for_upload(project, data.find("own_masks"), chosen).edits)
    assert changed.data == Choice("own_masks", data.find("own_masks").from_settings(chosen).to_settings())
    assert builder.check(changed).ok
    return changed


def test_it_trains_and_the_exported_script_reads_the_zip_with_equal_losses(home: Path, tmp_path: Path) -> None:
    content = packed(folders(lambda i: saved(halves(0, 1 + i % 2)), count=12))
    project = small(content)
    project = project.replace(training={**project.training, "epochs": 2, "batch_size": 4})
    lines: list[dict[str, Any]] = []
    builder.train(project, run_folder=tmp_path / "run", on_progress=lambda line: lines.append(dict(line)))
    folder = builder.export(project, tmp_path / "export")
    done = subprocess.run(
        [sys.executable, "train.py", "--json", "--data", str(home / "uploads")],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "LAYERLOOM_HOME": str(tmp_path / "nowhere")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    taken = [json.loads(line) for line in done.stdout.splitlines()]
    ours = [line["losses"] for line in lines if "losses" in line]
    theirs = [line["losses"] for line in taken if "losses" in line]
    assert len(theirs) >= 4
    assert ours == theirs


@pytest.mark.skipif(not PRESENT.is_dir(), reason="LAYERLOOM_DATA has no dsb2018_nuclei")
def test_the_nuclei_as_an_upload_are_the_nuclei() -> None:
    files = {}
    for part in ("train", "val"):
        for kind in ("images", "masks", "instances"):
            for path in sorted((PRESENT / part / kind).glob("*.png"))[:12]:
                files[f"nuclei/{part}/{kind}/{path.name}"] = path.read_bytes()
    report = inspect_masks(packed(files))
    assert (report.classes, report.counts, report.problems) == (("background", "object"), (12, 12, 0), ())
    _, ours = loaded(packed(files), size=64, colour="grey")
    theirs = data.load(data.find("nuclei").from_settings({"size": 64}))
    for name in ("train", "validation"):
        assert torch.equal(ours[name]["image"], theirs[name]["image"][:12])
        assert torch.equal(ours[name]["mask"], theirs[name]["mask"][:12])
    single = {name.replace("/masks/", "/old/").replace("/instances/", "/masks/"): c for name, c in files.items()}
    assert inspect_masks(packed({n: c for n, c in single.items() if "/old/" not in n})).reading == "any"
