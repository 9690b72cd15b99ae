"""The channel on which commands reach a training process: a small file that both sides map.

Looking for a command costs the training loop one read of memory, so it can be done at every step.
The file is a header of 64-bit numbers (magic, commands sent, commands done), a ring of slots, each
a length and a JSON object such as ``{"op": "pause"}``, and a board on which the worker keeps the
run's state. The board needs no disk space, so a run can still say that the disk is full.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import time
import zlib
from pathlib import Path
from typing import Any

FILE = "control"
MAGIC = 0x31_6D_6F_6F_6C  # "loom1"
SLOTS = 64
SLOT_BYTES = 512
HEADER_BYTES = 64
BOARD = HEADER_BYTES + SLOTS * SLOT_BYTES
BOARD_BYTES = 16_384
SIZE = BOARD + BOARD_BYTES
SENT, DONE = 1, 2  # positions among the header's numbers

Command = dict[str, Any]


class ControlError(RuntimeError):
    """A command could not be given; the message is one sentence."""


def create(folder: Path) -> None:
    """Make the folder's control file anew, with no command waiting. Raises OSError."""
    path = folder / FILE
    temporary = folder / (FILE + ".part")
    # Zeros are written, not just reserved: a hole in the file would crash the process that touches
    # it on a full disk, where a write gives an error one can report.
    temporary.write_bytes(MAGIC.to_bytes(8, "little") + bytes(SIZE - 8))
    os.replace(temporary, path)


class _Mapped:
    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        self.file = open(path, "r+b")  # noqa: SIM115 - stays open for as long as the map does
        if os.fstat(self.file.fileno()).st_size != SIZE:
            self.file.close()
            raise ControlError(f"{path} is no control file of this version.")
        self.map = mmap.mmap(self.file.fileno(), SIZE)
        self.numbers = memoryview(self.map)[:HEADER_BYTES].cast("Q")
        if self.numbers[0] != MAGIC:
            self.close()
            raise ControlError(f"{path} is no control file of this version.")

    def close(self) -> None:
        self.numbers.release()
        self.map.close()
        self.file.close()


class Receiver(_Mapped):
    """The training side: looks for commands and says which are done."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seen: int = self.numbers[DONE]

    def waiting(self) -> bool:
        """Whether a command has come. Cheap enough for every step."""
        return self.numbers[SENT] != self.seen

    def take(self) -> list[Command]:
        """The commands that came since the last call, oldest first."""
        found = []
        sent = self.numbers[SENT]
        while self.seen < sent:
            start = HEADER_BYTES + self.seen % SLOTS * SLOT_BYTES
            length = int.from_bytes(self.map[start : start + 8], "little")
            try:
                command = json.loads(self.map[start + 8 : start + 8 + min(length, SLOT_BYTES - 8)])
            except ValueError:
                command = None  # a slot that another program scribbled on is skipped, not obeyed
            if isinstance(command, dict):
                found.append(command)
            self.seen += 1
        return found

    def post(self, text: bytes) -> bool:
        """Put a text on the board for readers; False when it is too long for it."""
        if len(text) > BOARD_BYTES - 16:
            return False
        head = zlib.crc32(text).to_bytes(8, "little") + len(text).to_bytes(8, "little")
        self.map[BOARD : BOARD + 16 + len(text)] = head + text
        return True

    def done(self) -> None:
        """Tell the senders that everything taken has had its effect."""
        self.numbers[DONE] = self.seen


class Sender(_Mapped):
    """The commanding side; several may be at work at once, in threads and processes."""

    def send(self, command: Command, timeout: float = 2.0) -> int:
        """Give a command; returns its number, for `wait`.

        Raises ControlError when the worker has left 64 commands undone for `timeout` seconds.
        """
        text = json.dumps(command).encode()
        if len(text) > SLOT_BYTES - 8:
            raise ControlError("The command is too long to be sent.")
        limit = time.monotonic() + timeout
        while True:
            fcntl.flock(self.file, fcntl.LOCK_EX)
            try:
                sent: int = self.numbers[SENT]
                if sent - self.numbers[DONE] < SLOTS:
                    start = HEADER_BYTES + sent % SLOTS * SLOT_BYTES
                    self.map[start : start + 8 + len(text)] = len(text).to_bytes(8, "little") + text
                    self.numbers[SENT] = sent + 1  # last, so that the slot is whole when it is seen
                    return sent + 1
            finally:
                fcntl.flock(self.file, fcntl.LOCK_UN)
            if time.monotonic() > limit:
                raise ControlError("The training process does not take commands at the moment. Please try again.")
            time.sleep(0.01)

    def wait(self, number: int, timeout: float = 5.0) -> bool:
        """Wait until the command of this number has had its effect; False when `timeout` seconds pass."""
        limit = time.monotonic() + timeout
        while self.numbers[DONE] < number:
            if time.monotonic() > limit:
                return False
            time.sleep(0.002)
        return True


def send(folder: Path, command: Command, wait: float = 0.0) -> bool:
    """Give the run in `folder` a command. With `wait`, returns whether it took effect in so many seconds.

    Raises ControlError with a sentence, also where the folder has no control file.
    """
    try:
        sender = Sender(folder)
    except OSError as error:
        raise ControlError(f"The run in {folder} cannot be commanded: {error.strerror or error}.") from None
    try:
        number = sender.send(command)
        return sender.wait(number, wait) if wait else True
    finally:
        sender.close()


def read_board(folder: Path) -> bytes | None:
    """What the worker last put on the board; None when there is nothing to be read."""
    try:
        with open(folder / FILE, "rb", buffering=0) as file:
            for _ in range(5):  # the worker may be writing: the checksum tells
                file.seek(BOARD)
                content = file.read(BOARD_BYTES)
                length = int.from_bytes(content[8:16], "little")
                text = content[16 : 16 + length]
                if length and zlib.crc32(text) == int.from_bytes(content[:8], "little"):
                    return text
                time.sleep(0.0005)
    except OSError:
        pass
    return None
