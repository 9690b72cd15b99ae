"""Finding what a person has uploaded: a plain function, copied into the exported ``train.py``."""

from __future__ import annotations

from pathlib import Path

from builder.data.download import file_hash


def find_upload(file: str, folder: Path | None) -> Path:
    """Where an upload lies: in `folder`, its part ``uploads``, or ``uploads`` of the workspace.

    `file` is the sha256 of the content and an ending; a file with another content is not accepted.
    """
    import os
    import re

    if not file:
        raise ValueError("Nothing has been chosen yet. Upload a file.")
    if not re.fullmatch(r"[0-9a-f]{64}\.[a-z0-9]{1,5}", file):
        raise ValueError(f"{file[:80]!r} is not the name of an upload. Upload the file again.")
    home = Path(os.environ.get("LAYERLOOM_HOME") or "~/.layerloom").expanduser()
    places = [home / "uploads"] if folder is None else [folder, folder / "uploads", home / "uploads"]
    for place in places:
        path = place / file
        if path.is_file():
            if file_hash(path) != file.partition(".")[0]:
                raise ValueError(f"{path} has changed since it was uploaded. Upload the file again.")
            return path
    where = " or ".join(str(place) for place in places)
    raise ValueError(f"The uploaded file is not on this machine. Put {file} into {where}, or upload it again.")
