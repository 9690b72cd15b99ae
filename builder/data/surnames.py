"""Surnames of 18 languages, to be told apart letter by letter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blocks.base import setting
from builder.data.base import Dataset, Field, Split, split_sizes
from builder.data.download import fetch, file_hash
from builder.data.plain import stratified_split, take_splits

NAME_LETTERS = "␣ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz '-."
"""The first one fills the space before a name."""
NAMES_ADDRESS = (
    "https://raw.githubusercontent.com/spro/practical-pytorch/c520c52e68e945d88fff563dba1c028b6ec0197b/data/names/"
)
NAME_FILES = {
    "Arabic.txt": "6f424a8dbe51cbbbabab7a57d38b617210125e4e3991f3c657cb79b8f104bafc",
    "Chinese.txt": "09ba8f1f7e38dbc99372d461b26ad4433b811fc6bfa6a3ecca6fe11a9a777465",
    "Czech.txt": "e17ab0ec47616a72c39cb85c783f70c3663ab64488721e5d8378f146d2226be7",
    "Dutch.txt": "924f32b635170eae561f84538632138fc07d4c8bbd70ba3fb980de1ecc4d2af3",
    "English.txt": "9cca037066d3d5989e24bc01801416162de506b5e28e15b7c092a47905d29bf2",
    "French.txt": "81e65b36c60ed5b89a17422f6edcadbb89546f38ad69e960e64e7ba682012a95",
    "German.txt": "7449cd590b97a733e18d613a4155decd77ec35dc5f8aadd7a82204dce4f051db",
    "Greek.txt": "3555b5186de7f401e6d991b088e9e644ca3099116477818c25ab5793801389e6",
    "Irish.txt": "cf8c7013256252a88d2503127b87282a11f21b2ff6db1bded68834c19a1ec058",
    "Italian.txt": "f88414c27d0606a11a678b4859277828c2565d6cc4d9ee932deef6e94f3b35e4",
    "Japanese.txt": "e0e717e114fec3e7eade4d9dabe0067c475f43147e36a22b47902ee76ad9e67f",
    "Korean.txt": "cd54221ccb362a6cba4c78828838cf3268a0e59744767a37cf6ec4b74036b136",
    "Polish.txt": "45bab898af2f60ed3a728bbf6980e28821011a7caa53227553b5785903a40826",
    "Portuguese.txt": "50a8735f41f4f73757c8ce5b16cb0275cd86b2b214bcbc8c9805f508cb131c53",
    "Russian.txt": "0cfe53ac18041e8f63666aa77313e0a3ff378facb132abee052d8ebdc8c3d62c",
    "Scottish.txt": "78d0252711d87d948ea86fe34826c51d2d794a8e52d15b5d6f7b6244d45d62dd",
    "Spanish.txt": "1bcb462ed3316756a85781d68232bddae04498fdddd5d9219c53fd1fbdeba7a7",
    "Vietnamese.txt": "f3f9e4164ab47601178a6e45b216464a64122f49d05541f24bf18a757253281d",
}


def name_numbers(name: str, length: int) -> list[int]:
    """A name as numbers of letters, with accents taken off, its end at the end of `length` places."""
    import unicodedata

    plain = (c for c in unicodedata.normalize("NFD", name) if c in NAME_LETTERS[1:])
    numbers = [NAME_LETTERS.index(c) for c in plain][-length:]
    return [0] * (length - len(numbers)) + numbers


def load_names(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """20,050 surnames, the language from the name of their file, in the order of the files."""
    files = fetch("names", "The names", NAME_FILES, (NAMES_ADDRESS,), folder, progress)
    rows, labels = [], []
    for label, file in enumerate(NAME_FILES):
        for line in files[file].read_text(encoding="utf-8").splitlines():
            if line.strip():
                rows.append(name_numbers(line.strip(), settings["max_length"]))
                labels.append(label)
    return take_splits({"name": torch.tensor(rows, dtype=torch.uint8), "label": torch.tensor(labels)}, settings)


def names_batch(
    split: dict[str, torch.Tensor],
    index: torch.Tensor,
    settings: dict[str, Any],
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Letters (N, max_length), 0 before a short name, and languages."""
    index = index.to(split["name"].device)
    return {"name": split["name"].index_select(0, index).long(), "label": split["label"].index_select(0, index)}


class Names(Dataset):
    """Surnames by language (S. Robertson, Classifying names with a character-level RNN), MIT licence."""

    name = "names"
    label = "Names of 18 languages"
    help = "20,050 surnames, very unevenly spread: nearly half are Russian; 0.2 MB, downloaded once."
    order = 65
    kind = "text"
    requires = ("pooch", "requests")
    helpers = (stratified_split, take_splits, file_hash, fetch, name_numbers)
    load_arrays = staticmethod(load_names)
    make_batch = staticmethod(names_batch)

    max_length: int = setting(
        20, min=2, max=40, label="places", help="letters a name may have; shorter ones are filled up at the left"
    )
    validation: float = setting(
        0.1, min=0.01, max=0.4, label="validation part", help="part of the names kept for validation"
    )
    test: float = setting(0.1, min=0, max=0.4, label="test part", help="part of the names kept for the final test")
    split_seed: int = setting(0, min=0, max=2**31 - 1, help="another number gives another split")

    def fields(self) -> dict[str, Field]:
        return {
            "name": Field((self.max_length,), "tokens", len(NAME_LETTERS)),
            "label": Field((), "class", len(NAME_FILES)),
        }

    def class_names(self) -> tuple[str, ...]:
        return tuple(file.removesuffix(".txt") for file in NAME_FILES)

    def token_names(self) -> tuple[str, ...]:
        return tuple(NAME_LETTERS)

    def sample_text(self, sample: Split) -> str:
        return "".join(NAME_LETTERS[int(number)] for number in sample["name"] if number)

    def size_hint(self) -> dict[str, int]:
        return split_sizes(20_050, self.validation, self.test)
