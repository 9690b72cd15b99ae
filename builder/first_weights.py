"""What a project's next training begins with, where its weights are not drawn: a file's, or an earlier run's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from builder.graph_file import ProjectError, name_of, object_of, short

FILE, RUN = "file", "run"
_KEY = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True)
class FirstWeights:
    """The choice as it stands in the project's file; the weights themselves lie beside it in the workspace.

    `source` is "file" or "run", `key` what the file is kept as there, or the run's id; `name` is what people call it.
    `partial` takes of a file what fits; of a run that is so anyway.
    """

    source: str
    key: str
    name: str
    partial: bool = False

    def to_json(self) -> dict[str, Any]:
        """As in the file."""
        return {"source": self.source, "key": self.key, "name": self.name, "partial": self.partial}

    @classmethod
    def from_json(cls, data: Any) -> FirstWeights:
        """From the file; raises ProjectError with a sentence when it does not fit."""
        found = object_of(data, "weights")
        source, key, partial = found.get("source"), found.get("key"), found.get("partial", False)
        if source not in (FILE, RUN):
            raise ProjectError(f"weights.source is {short(source)}; it must be {FILE!r} or {RUN!r}.")
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise ProjectError(f"weights.key is {short(key)}; it must be the name under which Layerloom keeps weights.")
        if not isinstance(partial, bool):
            raise ProjectError(f"weights.partial is {short(partial)}; it must be true or false.")
        return cls(source, key, name_of(found.get("name"), "weights.name"), partial)
