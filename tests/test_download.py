"""Fetching files: mirrors, checksums, broken connections, full disks; and reading what was fetched."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from builder import data
from builder.data import download
from builder.data.base import DataError


class Server:
    """An http server on this machine: `files` maps a path to its answer, `asked` lists (path, Range)."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | int] = {}
        self.cut: dict[str, int] = {}
        """Path -> how many bytes are sent before the connection breaks, once."""
        self.asked: list[tuple[str, str | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                server.asked.append((self.path, asked))
                answer = server.files.get(self.path, 404)
                if isinstance(answer, int):
                    self.send_error(answer)
                    return
                start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
                if start >= len(answer):
                    self.send_error(416)
                    return
                body = answer[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: server.cut.pop(self.path, len(body))])

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("LAYERLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "*")
    found = Server()
    yield found
    found.http.shutdown()
    found.http.server_close()


BODY = bytes(range(256)) * 2000
FILES = {"a.bin": hashlib.sha256(BODY).hexdigest()}


def fetched(server: Server, folder: Path | None = None, mirrors: tuple[str, ...] = ("one/",), **more: Any) -> Path:
    places = tuple(server.address + mirror for mirror in mirrors)
    return download.fetch("set", "Set", FILES, places, folder, **more)["a.bin"]


def test_a_file_is_fetched_once_with_progress(server: Server, tmp_path: Path) -> None:
    server.files["/one/a.bin"] = BODY
    told: list[tuple[str, float]] = []
    path = fetched(server, progress=lambda text, part: told.append((text, part)))
    assert path == tmp_path / "home/data/set/a.bin"
    assert path.read_bytes() == BODY
    parts = [part for _, part in told]
    assert len(parts) > 3
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    assert told[-1][0] == "Downloading Set: 0.5 of 0.5 MB"
    assert fetched(server) == path
    assert len(server.asked) == 1
    assert sorted(file.name for file in path.parent.iterdir()) == ["a.bin"]


def test_a_file_that_is_present_is_used_if_it_is_the_original(server: Server, tmp_path: Path) -> None:
    server.files["/one/a.bin"] = BODY
    present = tmp_path / "present"
    (present / "set").mkdir(parents=True)
    (present / "set/a.bin").write_bytes(BODY)
    assert fetched(server, present) == present / "set/a.bin"
    assert not server.asked
    (present / "set/a.bin").write_bytes(BODY[:-1])
    assert fetched(server, present) == tmp_path / "home/data/set/a.bin"
    assert (present / "set/a.bin").read_bytes() == BODY[:-1]  # never written to


@pytest.mark.parametrize("first", [404, 500, BODY[:-1] + b"x", b"<html>moved</html>"], ids=str)
def test_the_next_mirror_is_asked_when_one_fails(server: Server, first: bytes | int) -> None:
    server.files |= {"/one/a.bin": first, "/two/a.bin": BODY}
    assert fetched(server, mirrors=("one/", "two/")).read_bytes() == BODY


def test_a_download_that_broke_off_goes_on_where_it_stopped(server: Server) -> None:
    server.files["/one/a.bin"] = BODY
    server.cut["/one/a.bin"] = 300_000
    assert fetched(server).read_bytes() == BODY
    assert [path for path, _ in server.asked] == ["/one/a.bin"] * 2
    assert server.asked[0][1] is None
    start = int((server.asked[1][1] or "").removeprefix("bytes=").rstrip("-"))
    assert 200_000 < start <= 300_000


def test_a_cancelled_download_goes_on_later(server: Server) -> None:
    server.files["/one/a.bin"] = BODY

    class CancelledError(Exception):
        pass

    def cancel(text: str, part: float) -> None:
        if part > 0.5:
            raise CancelledError

    with pytest.raises(CancelledError):
        fetched(server, progress=cancel)
    assert fetched(server).read_bytes() == BODY
    assert server.asked[1][1] is not None


def test_what_cannot_be_had_is_said_in_a_sentence(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Set is not on this machine and a\.bin cannot be downloaded") as error:
        fetched(server, tmp_path / "present")
    assert "answers 404" in str(error.value)
    assert f"Put a.bin into {tmp_path / 'present/set'}" in str(error.value)
    server.files["/one/a.bin"] = b"something else"
    with pytest.raises(ValueError, match="checksum differs"):
        fetched(server)
    assert not (tmp_path / "home/data/set/a.bin").exists()
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:\d+ cannot be reached"):
        fetched(server)


def test_a_full_disk_is_said_in_a_sentence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["/one/a.bin"] = BODY
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    cache = data.home() / "data/set"
    cache.mkdir(parents=True)
    (cache / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(ValueError, match=r"Set cannot be saved in .*No space left.*LAYERLOOM_HOME"):
        fetched(server)


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    file = data.home()
    file.write_text("in the way")
    with pytest.raises(ValueError, match=r"Set cannot be saved in"):
        fetched(server)


def test_a_missing_data_set_raises_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain functions know only ValueError; `data.load` gives the engine's own kind."""

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("MNIST is not on this machine.")

    monkeypatch.setattr("builder.data.mnist.fetch", refuse)
    with pytest.raises(DataError, match="MNIST is not on this machine"):
        data.load(data.find("mnist")())


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        gzip.compress(b"\0\0\x08\x01\0\0\0\x05abc"),
        gzip.compress(b"\0\0\x0d\x01\0\0\0\x01abcd"),
        gzip.compress(b"\0\0\x08\xff"),
        gzip.compress(b"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffabc"),
        gzip.compress(b"\0\0\x08\x01\0\0\0\x05abcde")[:-9],
        b"",
    ],
)
def test_a_spoiled_idx_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.gz .*Delete it"):
        download.read_idx(path)


def test_a_good_idx_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x02\0\0\0\x02\0\0\0\x03abcdef"))
    assert download.read_idx(path).tolist() == [[97, 98, 99], [100, 101, 102]]
