"""Ways in: networks that were written elsewhere, as projects. What is read is data; nothing of it is ever run."""

from __future__ import annotations

import os
from pathlib import Path

from builder import project as files
from builder.project import ProjectError
from builder.reading.errors import ReadError
from builder.reading.fitting import placed
from builder.reading.onnx_file import MAX_BYTES
from builder.reading.onnx_graph import read_onnx
from builder.reading.python import Read, read_code

__all__ = ["FORMS", "Read", "ReadError", "networks_alone", "open_file", "placed", "read", "read_code", "read_onnx"]

FORMS = (".json", ".py", ".onnx")
"""Endings of files that can be opened."""


def networks_alone(name: str) -> bool:
    """Whether files of this name hold networks, and nothing of data, task or training."""
    return Path(name).suffix.lower() in FORMS[1:]


def open_file(path: str | os.PathLike[str]) -> Read:
    """The project in a file of any of the FORMS. Raises ReadError or ProjectError with one sentence."""
    path = Path(path)
    if not networks_alone(path.name):
        return Read(files.load(path))
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ReadError(f"The file is larger than {MAX_BYTES / 2**30:.0f} GB, the most Layerloom opens.")
        return read(path.name, path.read_bytes())
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ReadError as error:
        raise ReadError(f"{path}: {error}") from None


def read(name: str, content: bytes) -> Read:
    """The project in a file of this name; the ending tells its form. Raises ReadError or ProjectError."""
    match Path(name).suffix.lower():
        case ".py":
            try:
                return read_code(content.decode())
            except UnicodeDecodeError:
                raise ReadError("The file is no text, so it is no Python.") from None
        case ".onnx":
            return read_onnx(content, Path(name).stem)
        case _:
            return Read(files.loads(content))
