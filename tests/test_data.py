"""Data sets: what they declare is what they load, their source stands alone, and files are fetched safely."""

from __future__ import annotations

import builtins
import dis
import inspect
import io
import math
import os
import tarfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from blocks.base import SettingError
from builder import data
from builder.data import cifar, plain, view
from builder.data.base import Dataset, split_sizes

torch.set_num_threads(1)

PRESENT = os.environ.get("LAYERLOOM_DATA")
ON_DISK = {
    "mnist": "mnist",
    "fashion_mnist": "fashion_mnist",
    "blood_cells": "bccd_voc",
    "nuclei": "dsb2018_nuclei",
} | {
    "shakespeare": "tinyshakespeare",
    "war_and_peace": "russian_classics",
    "names": "names",
    "sunspots": "timeseries",
    "temperatures": "timeseries",
}
"""The folder of LAYERLOOM_DATA that each needs."""
DOWNLOADED = {"kmnist", "cifar10", "text8"}
UPLOADED = {"image_folder", "own_boxes", "own_masks", "own_table", "own_words", "own_characters"}
READY = [name for name in data.names() if name not in {*ON_DISK, *DOWNLOADED, *UPLOADED}]

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in READY),
    ("digits", {"size": 8, "layout": "rows", "normalization": "standard"}),
    ("digits", {"size": 32, "colour": "colour", "normalization": "standard", "test": 0.0}),
    ("spirals", {"classes": 5, "samples": 103, "noise": 0.0}),
    ("circles", {"classes": 3}),
    ("pictures", {"channels": 1, "height": 20, "width": 12, "classes": 40, "samples": 50}),
    ("pictures", {"channels": 5, "height": 8, "width": 8}),
    ("iris", {"normalization": "none", "validation": 0.1}),
    *((name, {"limit": 600, "size": 32, "colour": "colour"}) for name in ("fashion_mnist", "mnist")),
    ("blood_cells", {"size": 40}),
    ("small_world_text", {"language": "Russian", "length": 30}),
    ("shakespeare", {"length": 100}),
    ("war_and_peace", {}),
    ("names", {"max_length": 8, "test": 0.0}),
    ("sunspots", {}),
    ("temperatures", {"past": 10, "horizon": 3}),
    ("waves", {"horizon": 5}),
    ("shape_boxes", {"samples": 40, "height": 24, "width": 40, "colour": "grey", "kinds": ["star"], "test": 0.0}),
    ("shape_masks", {"samples": 40, "height": 24, "width": 40, "colour": "grey", "kinds": ["star"], "test": 0.0}),
    ("nuclei", {"size": 32}),
    ("nuclei", {"size": 48, "colour": "colour", "normalization": "standard"}),
]


def made(name: str, values: dict[str, Any]) -> Dataset:
    """A data set, or a skip where its files are not on this machine."""
    if name in ON_DISK and not (PRESENT and (Path(PRESENT) / ON_DISK[name]).is_dir()):
        pytest.skip(f"LAYERLOOM_DATA names no folder with {ON_DISK[name]}/")
    return data.find(name).from_settings(values)


def constants(function: Callable[..., Any]) -> dict[str, Any]:
    """The constants of a function's file, which an export copies with it."""
    return {name: value for name, value in function.__globals__.items() if name.isupper()}  # type: ignore[attr-defined]


def alone(function: Callable[..., Any], helpers: tuple[Callable[..., Any], ...]) -> Callable[..., Any]:
    """A plain function made anew from its source and its helpers' only, as the exported script has them."""
    space: dict[str, Any] = {"torch": torch, "np": np, "Path": Path, "F": F, "Any": Any, "Callable": Callable}
    space["math"] = math
    for part in (*helpers, function):
        space |= constants(part)
        exec(inspect.getsource(part), space)
    return space[function.__name__]


def global_names(code: types.CodeType) -> set[str]:
    """The names that code, and functions inside it, look up outside."""
    found = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= global_names(constant)
    return found


def equal(left: data.Splits, right: data.Splits) -> bool:
    return left.keys() == right.keys() and all(
        left[s].keys() == right[s].keys() and all(torch.equal(left[s][f], right[s][f]) for f in left[s]) for s in left
    )


# Declarations


@pytest.mark.parametrize(("name", "values"), VARIANTS, ids=lambda value: str(value))
def test_what_is_declared_is_what_is_loaded(name: str, values: dict[str, Any]) -> None:
    dataset = made(name, values)
    splits = data.load(dataset)
    settings, fields = dataset.to_settings(), dataset.fields()
    first = next(iter(fields))
    parts = {key: split for key, split in splits.items() if key in ("train", "validation", "test")}
    assert dataset.size_hint() in (None, {key: len(split[first]) for key, split in parts.items()})
    for field in fields.values():
        assert field.holds not in ("class", "mask", "box_classes") or len(dataset.class_names()) == field.size
    for split in parts.values():
        assert set(split) <= set(fields)
        batch = dataset.make_batch(split, torch.arange(len(split[first])), settings)
        for key, field in fields.items():
            assert tuple(batch[key].shape[1:]) == field.shape
            assert len(batch[key]) == len(split[first])
            if field.holds == "tokens":
                assert batch[key].dtype == torch.int64
                assert int(batch[key].min()) >= -1  # none, around a word at the edge of a sentence
                assert int(batch[key].max()) < (field.size or 0)
                continue
            assert split[key].dim() == batch[key].dim()
            if field.holds in ("class", "mask"):
                assert batch[key].dtype == torch.int64
                assert int(batch[key].min()) >= 0
                assert int(batch[key].max()) < (field.size or 0)
            elif field.holds == "box_classes":
                assert batch[key].dtype == torch.int64
                assert set(batch[key].unique().tolist()) <= set(range(-1, field.size or 0))
            else:
                assert batch[key].dtype == torch.float32
                assert batch[key].isfinite().all()
    pictures = [splits["train"][key] for key, field in fields.items() if field.holds == "image"]
    assert all(tensor.dtype == torch.uint8 for tensor in pictures)


def turned(cls: type[Dataset]) -> dict[str, Any]:
    """Settings that move training pictures as far as the data set allows it."""
    wanted = {"flip": True, "shift": 0.1, "rotate": 10.0}
    limits = {s.name: s.max for s in cls.settings()}
    return {
        name: value for name, value in wanted.items() if name in limits and (limits[name] is None or limits[name] > 0)
    }


@pytest.mark.parametrize(("name", "values"), VARIANTS, ids=lambda value: str(value))
def test_the_source_alone_gives_the_same(name: str, values: dict[str, Any]) -> None:
    """load_arrays, make_batch and helpers need nothing but what an exported script has."""
    dataset = made(name, {**values, **turned(data.find(name))})
    settings = dataset.to_settings()
    splits = dataset.load_arrays(settings, data.folder())
    again = alone(dataset.load_arrays, dataset.helpers)(settings, data.folder())
    assert equal(splits, again)
    index = torch.tensor([5, 0, 3])
    make_batch = alone(dataset.make_batch, dataset.helpers)
    for seed in (None, 7):
        draws = [None if seed is None else torch.Generator().manual_seed(seed) for _ in range(2)]
        one = dataset.make_batch(splits["train"], index, settings, draws[0])
        two = make_batch(splits["train"], index, settings, draws[1])
        assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("name", data.names())
def test_plain_functions_name_nothing_but_what_an_export_has(name: str) -> None:
    dataset = data.find(name)
    functions = (*dataset.helpers, dataset.load_arrays, dataset.make_batch)
    allowed = {f.__name__ for f in dataset.helpers} | {"torch", "np", "Path", "F", "Any", "Callable", "math"}
    for function in functions:
        allowed |= set(constants(function))
        assert inspect.getsource(function).startswith("def ")
        assert not function.__closure__
        unknown = global_names(function.__code__) - allowed - set(dir(builtins))
        assert not unknown, f"{function.__name__} uses {unknown}"
    names = [function.__name__ for function in functions]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", data.names())
def test_settings_survive_json_and_have_help(name: str) -> None:
    dataset = data.find(name)()
    assert data.find(name).from_settings(dataset.to_settings()) == dataset
    assert dataset.label
    assert dataset.help.endswith(".")
    assert all(setting.help for setting in dataset.settings())


def test_find_and_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_registered", {})  # what this test adds is gone after it
    assert data.find("digits").name == "digits"
    with pytest.raises(KeyError, match=r"no data set called 'digts'.*digits"):
        data.find("digts")

    class Mine(Dataset):
        name = "mine_of_this_test"

    assert data.register(Mine) is Mine
    assert data.find("mine_of_this_test") is Mine
    assert data.register(Mine) is Mine  # again is no mistake

    class Other(Dataset):
        name = "mine_of_this_test"

    class Same(Dataset):
        name = "digits"

    for wrong in (Other, Same):
        with pytest.raises(ValueError, match="two data sets are called"):
            data.register(wrong)


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAYERLOOM_DATA", str(tmp_path))
    assert data.folder() == tmp_path
    monkeypatch.setenv("LAYERLOOM_DATA", "here")
    monkeypatch.chdir(tmp_path)
    found = data.folder()
    assert found is not None
    assert found.is_absolute()
    assert found.parent != tmp_path  # relative to where the program started
    monkeypatch.delenv("LAYERLOOM_DATA")
    assert data.folder() is None


def test_rows_of_coloured_digits_are_refused() -> None:
    with pytest.raises(SettingError, match="layout is 'rows'"):
        data.find("digits")(layout="rows", colour="colour")


# Splits


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=20, max_size=200),
    validation=st.sampled_from([0.01, 0.1, 0.25]),
    test=st.sampled_from([0.0, 0.1, 0.4]),
    seed=st.integers(0, 5),
)
def test_a_split_is_whole_stratified_and_repeatable(
    labels: list[int], validation: float, test: float, seed: int
) -> None:
    tensor = torch.tensor(labels)
    parts = plain.stratified_split(tensor, {"validation": validation, "test": test}, seed)
    again = plain.stratified_split(tensor, {"validation": validation, "test": test}, seed)
    assert {name: len(index) for name, index in parts.items()} == split_sizes(len(labels), validation, test)
    assert sorted(torch.cat(list(parts.values())).tolist()) == list(range(len(labels)))
    assert all(torch.equal(parts[name], again[name]) for name in parts)
    for name, index in parts.items():
        for value in set(labels):
            share = labels.count(value) * len(index) / len(labels)
            assert abs(int((tensor[index] == value).sum()) - share) < 2, (name, value)


def test_another_seed_gives_another_split_and_too_few_samples_a_sentence() -> None:
    labels = torch.arange(100) % 4
    one, two = (plain.stratified_split(labels, {"validation": 0.2}, seed)["validation"] for seed in (0, 1))
    assert not torch.equal(one, two)
    with pytest.raises(ValueError, match="only 2 samples"):
        plain.stratified_split(labels[:2], {"validation": 0.1, "test": 0.1}, 0)


# Contents


def test_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    splits = data.load(data.find("digits")(size=8))
    images = torch.cat([split["image"] for split in splits.values()]).flatten(1).double() / 255 * 16
    assert sorted(images.round().sum(1).tolist()) == sorted(load_digits().data.sum(1).tolist())


def test_points_lie_where_their_formula_says() -> None:
    circles = data.load(data.find("circles")(noise=0.0, classes=4))["train"]
    assert torch.allclose(circles["point"].norm(dim=1), (circles["label"] + 1) / 4, atol=1e-6)
    spirals = data.load(data.find("spirals")(noise=0.0, classes=3, turns=2.0))["train"]
    radius = spirals["point"].norm(dim=1)
    angle = torch.atan2(spirals["point"][:, 1], spirals["point"][:, 0])
    turned = angle - 2 * torch.pi * (2.0 * radius + spirals["label"] / 3)
    assert torch.allclose(torch.cos(turned), torch.ones_like(turned), atol=1e-4)
    moons = data.load(data.find("moons")(noise=0.0))["train"]
    middle = torch.where(moons["label"].unsqueeze(1) == 0, torch.tensor([-0.5, -0.25]), torch.tensor([0.5, 0.25]))
    assert torch.allclose((moons["point"] - middle).norm(dim=1), torch.ones(len(middle)), atol=1e-5)


def test_generated_pictures_can_be_told_apart() -> None:
    """The nearest class mean of the training pictures names nearly every test picture."""
    splits = data.load(data.find("pictures")(classes=5, samples=200, height=16, width=16))
    train, test = splits["train"], splits["test"]
    means = torch.stack([train["image"][train["label"] == c].double().mean(0).flatten() for c in range(5)])
    distance = torch.cdist(test["image"].double().flatten(1), means)
    assert (distance.argmin(1) == test["label"]).double().mean() > 0.9


def test_standard_tables_have_mean_0_and_deviation_1() -> None:
    train = data.load(data.find("wine")())["train"]["features"]
    assert torch.allclose(train.mean(0), torch.zeros(13), atol=1e-5)
    assert torch.allclose(train.std(0), torch.ones(13), atol=1e-5)


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "pictures"])
def test_standard_pictures_have_nearly_mean_0_and_deviation_1(name: str) -> None:
    numbers = data.statistics(made(name, {"normalization": "standard"}))
    assert abs(numbers.mean) < 0.1
    assert abs(numbers.std - 1) < 0.1


def test_mnist_is_the_published_one() -> None:
    splits = data.load(made("mnist", {}))
    assert torch.bincount(splits["test"]["label"]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    whole = torch.cat([splits["train"]["image"], splits["validation"]["image"]]).double()
    assert float(whole.mean() / 255) == pytest.approx(0.1307, abs=5e-5)


def test_cifar_is_read_from_its_binary_version(tmp_path: Path) -> None:
    records = np.zeros((10_000, 3073), np.uint8)
    records[:, 0] = np.arange(10_000) % 10
    records[:, 1] = 200  # the first red value
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name in [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]:
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = records.nbytes
            archive.addfile(info, io.BytesIO(records.tobytes()))
    found = cifar.read_cifar(path)
    assert tuple(found["image"].shape) == (60_000, 3, 32, 32)
    assert found["image"][5, :, 0, 0].tolist() == [200, 0, 0]
    assert found["label"][:12].tolist() == [*range(10), 0, 1]
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="Delete it"):
        cifar.read_cifar(path)


# Pictures


def test_resizing_keeps_the_mean_and_flat_pictures_flat() -> None:
    images = torch.randint(0, 256, (3, 1, 32, 32), dtype=torch.uint8)
    small = plain.resize(images, 8, 8)
    assert small.dtype == torch.uint8
    assert torch.allclose(small.double().mean((1, 2, 3)), images.double().mean((1, 2, 3)), atol=3)
    flat = torch.full((2, 3, 10, 10), 77, dtype=torch.uint8)
    assert (plain.resize(flat, 23, 17) == 77).all()
    assert plain.resize(images, 32, 32) is images


def test_recolouring_follows_pillow() -> None:
    from PIL import Image

    pixels = torch.randint(0, 256, (1, 3, 9, 9), dtype=torch.uint8)
    theirs = np.asarray(Image.fromarray(pixels[0].permute(1, 2, 0).numpy()).convert("L")).astype(int)
    ours = plain.recolour(pixels, "grey")[0, 0].numpy().astype(int)
    assert np.abs(theirs - ours).max() <= 1
    assert torch.equal(plain.recolour(pixels[:, :1], "colour")[0, 2], pixels[0, 0])


def test_more_pictures_than_memory_are_refused() -> None:
    with pytest.raises(ValueError, match=r"100,000,000 pictures of 3×224×224 take 15052\.8 GB"):
        plain.check_memory(100_000_000, 3, 224, 224)


OFF = {"flip": False, "shift": 0.0, "zoom": 0.0, "rotate": 0.0}


def augmented(images: torch.Tensor, seed: int = 0, **settings: Any) -> torch.Tensor:
    return plain.augment(images, {**OFF, **settings}, torch.Generator().manual_seed(seed))


def test_a_flip_is_a_mirror_image() -> None:
    images = torch.rand(64, 2, 5, 7)
    found = augmented(images, flip=True)
    mirrored = [bool(torch.equal(new, old.flip(2))) for new, old in zip(found, images, strict=True)]
    assert all(m or torch.equal(new, old) for m, new, old in zip(mirrored, found, images, strict=True))
    assert 15 < sum(mirrored) < 49
    # Together with others it draws the same mirror images.
    both = augmented(images, flip=True, shift=1e-9)
    assert torch.allclose(both, found, atol=1e-5)


def test_a_shift_moves_whole_pixels_and_fills_with_black() -> None:
    images = torch.zeros(40, 1, 11, 11)
    images[:, 0, 5, 5] = 1
    found = augmented(images, shift=0.3)
    assert found.sum((1, 2, 3)).allclose(torch.ones(40), atol=1e-4)
    places = {tuple(torch.nonzero(one[0] > 0.99)[0].tolist()) for one in found}
    assert len(places) > 10
    assert all(2 <= row <= 8 and 2 <= column <= 8 for row, column in places)
    edge = augmented(torch.ones(8, 1, 10, 10), shift=0.5, seed=1)
    assert set(edge.round(decimals=3).unique().tolist()) == {0.0, 1.0}


def test_a_rotation_turns_an_oblong_picture_rigidly() -> None:
    images = torch.zeros(30, 1, 21, 41)
    images[:, 0, 10, 28] = 1  # eight pixels right of the middle
    found = augmented(images, rotate=90.0)
    rows, columns = torch.meshgrid(torch.arange(21.0) - 10, torch.arange(41.0) - 20, indexing="ij")
    weight = found[:, 0] / found[:, 0].sum((1, 2), keepdim=True)
    distance = ((weight * rows).sum((1, 2)) ** 2 + (weight * columns).sum((1, 2)) ** 2).sqrt()
    assert distance.allclose(torch.full((30,), 8.0), atol=0.3)
    angles = torch.atan2((weight * rows).sum((1, 2)), (weight * columns).sum((1, 2)))
    assert float(angles.max() - angles.min()) > 1.5


def test_a_zoom_changes_size_both_ways() -> None:
    images = torch.zeros(60, 1, 33, 33)
    images[:, 0, 12:21, 12:21] = 1
    area = augmented(images, zoom=0.4).sum((1, 2, 3))
    assert float(area.min()) < 81 * 0.6
    assert float(area.max()) > 81 * 1.5
    assert float(area.max()) < 81 * 1.4**2 * 1.05


def test_augmentation_needs_a_generator_and_follows_it() -> None:
    dataset = data.find("digits")(rotate=20.0, shift=0.1)
    train, settings, index = data.load(dataset)["train"], dataset.to_settings(), torch.arange(16)
    plainly = dataset.make_batch(train, index, settings)["image"]
    assert torch.equal(plainly, dataset.make_batch(train, index, settings)["image"])
    one, two, three = (
        dataset.make_batch(train, index, settings, torch.Generator().manual_seed(seed))["image"] for seed in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    assert not torch.equal(one, plainly)


# What a page shows


def test_what_fills_short_samples_is_not_counted_among_their_tokens() -> None:
    names = data.find("names")()
    tokens = torch.tensor([[0, 0, 3, 1], [0, 0, 0, 1], [2, 0, 0, 1]])  # 0 within a sample is a token like others
    letters = names.token_names()
    assert dict(view._frequent(names, tokens)) == {letters[1]: 3, letters[0]: 2, letters[3]: 1, letters[2]: 1}
    assert dict(view._frequent(names, torch.tensor([[0], [0], [1]]))) == {letters[0]: 2, letters[1]: 1}


def test_samples_and_statistics_agree_with_the_data() -> None:
    dataset = data.find("digits")(size=12)
    shown = data.samples(dataset, 3)
    assert shown.inputs.shape == (30, 12, 12, 1)
    assert shown.inputs.dtype == np.uint8
    assert shown.labels is not None
    assert shown.labels.tolist() == [digit for digit in range(10) for _ in range(3)]
    numbers, splits = data.statistics(dataset), data.load(dataset)
    assert numbers.sizes == dataset.size_hint()
    assert numbers.counts["test"] == tuple(torch.bincount(splits["test"]["label"]).tolist())
    assert numbers.mean == pytest.approx(float(splits["train"]["image"].double().mean() / 255), abs=1e-6)
    assert numbers.shapes == {"image": (1, 12, 12), "label": ()}
    assert (numbers.minimum, numbers.maximum) == (0.0, 1.0)
    assert data.statistics(dataset) is numbers  # kept
    cloud = data.samples(data.find("moons")(), 1)
    assert (cloud.kind, cloud.inputs.shape) == ("points", (600, 2))
    rows = data.samples(data.find("digits")(size=8, layout="rows"), 1)
    assert rows.inputs.shape == (10, 8, 8, 1)
