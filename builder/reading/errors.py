"""What is said when a file cannot be read as a network."""

from __future__ import annotations


class ReadError(ValueError):
    """A file cannot be opened as a network; the message is one sentence, with the line where there is one."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"Line {line}: {message}" if line else message)
        self.line = line
