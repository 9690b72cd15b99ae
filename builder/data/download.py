"""Plain functions that fetch a data set's files and read them; copied into the exported ``train.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch


def file_hash(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    import hashlib

    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fetch(
    name: str,
    label: str,
    files: dict[str, str],
    mirrors: tuple[str, ...],
    folder: Path | None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Path]:
    """The files (name -> sha256) of a data set on this machine, downloaded if need be.

    Looked for in ``folder/name`` first, then in ``data/name`` of the folder LAYERLOOM_HOME names
    (``~/.layerloom`` unless set), then at each mirror in turn, twice. A download that broke off goes
    on where it stopped. Raises ValueError with a sentence when a file cannot be had.
    """
    import os
    import time

    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # progress is told by the caller's own means

    cache = Path(os.environ.get("LAYERLOOM_HOME") or "~/.layerloom").expanduser() / "data" / name
    found: dict[str, Path] = {}
    spoiled = ""
    for file, checksum in files.items():
        for place in ([folder / name] if folder is not None else []) + [cache]:
            path = place / file
            if path.is_file():
                if file_hash(path) == checksum:
                    found[file] = path
                    break
                spoiled = f" {path} is there but is not the original file (its checksum differs)."
    missing = [file for file in files if file not in found]
    for number, file in enumerate(missing):
        part = cache / f"{file}.part"

        def download(url: str, output_file: str, _: object, part: Path = part, number: int = number) -> None:
            """Append what is still missing to the part file, then put it where pooch checks it."""
            have = part.stat().st_size if part.exists() else 0
            headers = {"Range": f"bytes={have}-"} if have else {}
            with requests.get(url, headers=headers, stream=True, timeout=(10, 60)) as answer:
                if answer.status_code == 416:  # nothing is missing, or the part is of another file
                    have, headers = 0, {}
                    part.unlink()
                answer.raise_for_status()
                resumed = answer.status_code == 206
                done = have if resumed else 0
                total = done + int(answer.headers.get("Content-Length") or 0)
                with open(part, "ab" if resumed else "wb") as output:
                    for block in answer.iter_content(1 << 16):
                        output.write(block)
                        done += len(block)
                        if progress is not None:
                            fraction = min(1.0, done / total) if total else 0.0
                            message = f"Downloading {label}: {done / 1e6:.1f} of {total / 1e6:.1f} MB"
                            progress(message, (number + fraction) / len(missing))
                if total and done < total:
                    raise requests.ConnectionError(f"the answer broke off at {done} of {total} bytes")
            os.replace(part, output_file)

        reasons: list[str] = []
        for mirror in mirrors * 2:
            host = mirror.split("/")[2]
            try:
                cache.mkdir(parents=True, exist_ok=True)
                pooch.retrieve(mirror + file, f"sha256:{files[file]}", fname=file, path=cache, downloader=download)
                found[file] = cache / file
                break
            except requests.RequestException as error:
                status = getattr(error.response, "status_code", None)
                reasons.append(f"{host} answers {status}" if status else f"{host} cannot be reached")
                time.sleep(0.2)
            except ValueError:  # pooch's word for a checksum that differs; it has removed the file
                reasons.append(f"{host} gives another file than the original (its checksum differs)")
            except OSError as error:
                raise ValueError(
                    f"{label} cannot be saved in {cache} ({error.strerror or error}). Free some space there, "
                    f"or name another folder in LAYERLOOM_HOME."
                ) from error
        if file not in found:
            where = folder / name if folder is not None else cache
            raise ValueError(
                f"{label} is not on this machine and {file} cannot be downloaded ({'; '.join(dict.fromkeys(reasons))})."
                f"{spoiled} Put {', '.join(files)} into {where}, or set LAYERLOOM_DATA to the folder that holds "
                f"{name}/."
            )
    return found


def read_idx(path: Path) -> torch.Tensor:
    """The uint8 array of a gzipped idx file, the format of MNIST. Raises ValueError when it is none."""
    import gzip
    import zlib

    try:
        with gzip.open(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read ({error}). Delete it, so that it is fetched again.") from error
    rank = content[3] if len(content) > 4 else 0
    shape = np.frombuffer(content, ">u4", rank, 4).tolist() if len(content) >= 4 + 4 * rank else []
    if content[:3] != b"\0\0\x08" or len(content) != 4 + 4 * rank + np.prod(shape, dtype=np.int64):
        raise ValueError(f"{path} is no idx file of bytes. Delete it, so that it is fetched again.")
    array = np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
    return torch.from_numpy(array.copy())
