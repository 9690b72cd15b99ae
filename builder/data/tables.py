"""The small tables of numbers that come with scikit-learn: no download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch

from blocks.base import setting
from builder.data.base import Dataset, Field, split_sizes
from builder.data.plain import rows_batch, stratified_split, table_splits, take_splits


def table_fields(found: Any) -> dict[str, torch.Tensor]:
    """The features and labels of a scikit-learn table."""
    return {"features": torch.from_numpy(found.data).to(torch.float32), "label": torch.from_numpy(found.target).long()}


def load_iris_table(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Fisher's iris flowers (1936): four lengths in cm, three species."""
    from sklearn.datasets import load_iris

    return table_splits(table_fields(load_iris()), settings)


def load_wine_table(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Chemical analyses of wines from three growers (UCI 1991): 13 values."""
    from sklearn.datasets import load_wine

    return table_splits(table_fields(load_wine()), settings)


def load_breast_cancer_table(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Breast cancer Wisconsin, diagnostic (UCI 1995): 30 measures of cell nuclei, malignant or benign."""
    from sklearn.datasets import load_breast_cancer

    return table_splits(table_fields(load_breast_cancer()), settings)


def load_diabetes_table(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """Diabetes (Efron et al. 2004, Least angle regression): ten measures, and how the disease went on."""
    from sklearn.datasets import load_diabetes

    found = load_diabetes()
    features, target = (torch.from_numpy(values).to(torch.float32) for values in (found.data, found.target))
    return table_splits({"features": features, "target": target.reshape(-1, 1)}, settings)


class Table(Dataset):
    """Base of the tables: how their columns are normalised and their samples divided."""

    kind = "table"
    make_batch = staticmethod(rows_batch)

    normalization: str = setting(
        "standard",
        choices=("none", "standard"),
        help="none leaves the values; standard subtracts each column's training mean and divides by its deviation",
    )
    validation: float = setting(
        0.2, min=0.01, max=0.4, label="validation part", help="part of the samples kept for validation"
    )
    test: float = setting(0.2, min=0, max=0.4, label="test part", help="part of the samples kept for the final test")
    split_seed: int = setting(0, min=0, max=2**31 - 1, help="another number gives another split")


class ClassTable(Table):
    """Base of the tables with a class for every sample."""

    requires = ("scikit-learn",)
    helpers = (stratified_split, take_splits, table_splits, table_fields)
    count: ClassVar[int] = 0
    columns: ClassVar[tuple[str, ...]] = ()
    """The name of each feature."""

    def fields(self) -> dict[str, Field]:
        return {
            "features": Field((len(self.columns),), "features"),
            "label": Field((), "class", len(self.class_names())),
        }

    def column_names(self) -> dict[str, tuple[str, ...]]:
        return {"features": self.columns}

    def size_hint(self) -> dict[str, int]:
        return split_sizes(self.count, self.validation, self.test)


class Iris(ClassTable):
    """150 flowers of three species."""

    name = "iris"
    label = "Iris"
    help = "150 iris flowers with four lengths in centimetres; three species."
    order = 30
    load_arrays = staticmethod(load_iris_table)
    count = 150
    columns = ("sepal length", "sepal width", "petal length", "petal width")

    def class_names(self) -> tuple[str, ...]:
        return ("setosa", "versicolor", "virginica")


class Wine(ClassTable):
    """178 wines of three growers."""

    name = "wine"
    label = "Wine"
    help = "178 wines with 13 values of their chemical analysis; three growers."
    order = 31
    load_arrays = staticmethod(load_wine_table)
    count = 178
    columns = (
        "alcohol",
        "malic acid",
        "ash",
        "alcalinity of ash",
        "magnesium",
        "total phenols",
        "flavanoids",
        "nonflavanoid phenols",
        "proanthocyanins",
        "color intensity",
        "hue",
        "od280/od315 of diluted wines",
        "proline",
    )

    def class_names(self) -> tuple[str, ...]:
        return ("grower 0", "grower 1", "grower 2")


class BreastCancer(ClassTable):
    """569 samples of cell nuclei."""

    name = "breast_cancer"
    label = "Breast cancer"
    help = "569 samples with 30 measures of their cell nuclei; malignant or benign."
    order = 32
    load_arrays = staticmethod(load_breast_cancer_table)
    count = 569
    columns = tuple(
        f"{kind} {measure}"
        for kind in ("mean", "error of", "worst")
        for measure in (
            "radius",
            "texture",
            "perimeter",
            "area",
            "smoothness",
            "compactness",
            "concavity",
            "concave points",
            "symmetry",
            "fractal dimension",
        )
    )

    def class_names(self) -> tuple[str, ...]:
        return ("malignant", "benign")


class Diabetes(Table):
    """442 patients."""

    name = "diabetes"
    label = "Diabetes"
    help = "442 patients with ten measures each; guess how far the disease went on within a year, from 25 to 346."
    order = 33
    tasks = ("regression",)
    requires = ("scikit-learn",)
    helpers = (stratified_split, take_splits, table_splits)
    load_arrays = staticmethod(load_diabetes_table)

    def fields(self) -> dict[str, Field]:
        return {"features": Field((10,), "features"), "target": Field((1,), "target")}

    def column_names(self) -> dict[str, tuple[str, ...]]:
        measures = ("age", "sex", "body mass index", "blood pressure", "total cholesterol", "LDL", "HDL")
        return {
            "features": (*measures, "total / HDL", "log triglycerides", "blood sugar"),
            "target": ("progression",),
        }

    def size_hint(self) -> dict[str, int]:
        return split_sizes(442, self.validation, self.test)
