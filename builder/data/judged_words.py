"""What people say of English words: analogies and similarities, for the words of a corpus."""

from __future__ import annotations

from pathlib import Path

import torch


def judged_words(number: dict[str, int], folder: Path | None) -> dict[str, dict[str, torch.Tensor]]:
    """The tables ``analogies`` and ``similarity`` for the words of a corpus, from files that are present.

    Google's questions-words.txt (Mikolov et al. 2013) and WordSim-353 (Finkelstein et al. 2002) in
    ``folder/word_analogy_similarity``; words in lower case. A table of fewer than 20 rows is left out.
    """
    place = None if folder is None else folder / "word_analogy_similarity"
    tables: dict[str, dict[str, torch.Tensor]] = {}
    if place is None or not place.is_dir():
        return tables
    path = place / "questions-words.txt"
    lines = path.read_text(encoding="utf-8").lower().splitlines() if path.is_file() else []
    questions = [line.split() for line in lines if not line.startswith(":")]
    known = [[number[word] for word in words] for words in questions if all(word in number for word in words)]
    if len(known) >= 20:
        tables["analogies"] = {"question": torch.tensor(known)}
    path = place / "wordsim353.tsv"
    lines = path.read_text(encoding="utf-8").lower().splitlines() if path.is_file() else []
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    pairs = [row for row in rows if len(row) == 3 and row[0] in number and row[1] in number]
    if len(pairs) >= 20:
        tables["similarity"] = {
            "pair": torch.tensor([[number[a], number[b]] for a, b, _ in pairs]),
            "score": torch.tensor([float(score) for _, _, score in pairs]),
        }
    return tables
