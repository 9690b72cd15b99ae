"""Word vectors in the formats that other programs read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from safetensors.numpy import save

Array = np.ndarray[Any, Any]


def word2vec_text(words: tuple[str, ...], vectors: Array) -> str:
    """word2vec's text format: a line with both counts, then a word and its numbers a line.

    Spaces within a token become underscores, since a space ends it. Numbers are written so that the same
    float32 is read back.
    """
    lines = [f"{len(vectors)} {vectors.shape[1]}"]
    for word, row in zip(words, vectors.astype(np.float32), strict=True):
        lines.append(" ".join(["_".join(word.split()) or "_", *map(str, row)]))
    return "\n".join(lines) + "\n"


def safetensors_bytes(words: tuple[str, ...], vectors: Array) -> bytes:
    """A safetensors file with the tensor ``vectors`` (V, D); its metadata's ``words`` is their JSON list."""
    listed = json.dumps(list(words), ensure_ascii=False)
    content: bytes = save({"vectors": np.ascontiguousarray(vectors, np.float32)}, {"words": listed})
    return content
