"""What is wrong with a project, as values: a sentence at a node and port, and where possible a fix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Edit = dict[str, Any]
"""One project edit as JSON; see builder.edits for the vocabulary."""


@dataclass(frozen=True)
class Fix:
    """A remedy that was tried and removes its problem: a short label for the button, and the edits."""

    label: str
    edits: tuple[Edit, ...] = field(hash=False)


@dataclass(frozen=True)
class Problem:
    """One mistake of the user's, placed where it can be seen.

    `message` names the block, the numbers received and the remedy. `details` holds torch's own text
    where there is one. `part` is the part of the project that it is in ("data", "task", "loss", "optimizer" or
    "training"), empty for the networks. A project is ok when no problem has the severity "error".
    """

    network: str
    node: str | None
    port: str | None
    code: str
    severity: Literal["error", "warning"]
    message: str
    fix: Fix | None = None
    details: str = ""
    part: str = ""

    def to_json(self) -> dict[str, Any]:
        """The form of `check --json` (fix: null or {"label", "edits"})."""
        return {
            "network": self.network,
            "node": self.node,
            "port": self.port,
            "code": self.code,
            "part": self.part,
            "severity": self.severity,
            "message": self.message,
            "details": self.details,
            "fix": None if self.fix is None else {"label": self.fix.label, "edits": list(self.fix.edits)},
        }
