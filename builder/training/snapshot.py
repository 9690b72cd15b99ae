"""Named arrays with a JSON description in one file: feature maps of a moment, results of a validation.

The file is in safetensors format, which holds no code; the description stands in its metadata. It is
replaced by a rename, so a reader sees a whole one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import load, save

from builder.training.checkpoint import write_file

Array = np.ndarray[Any, Any]

PROBE_FILE = "probe.safetensors"
RESULTS_FILE = "results.safetensors"


@dataclass(frozen=True)
class Snapshot:
    """Arrays by name, and what is known about them as JSON.

    A probe's arrays are ``map/NETWORK/NODE`` (the node's output for the sample, float16, without the
    batch), ``weight/NETWORK/NODE/NAME`` (of the watched node), for a watched recurrent one
    ``gate/NETWORK/NODE/NAME`` (T, hidden_size) and ``reach/NETWORK/NODE`` (T,) as `builder.recurrence` makes them, ``sample/FIELD``, ``prediction/NAME``,
    ``live/NAME`` (the task's results for the first validation samples) and, for points, ``surface/NAME`` (one row per point of the grid). Its `info` has step, epoch, sample,
    time, watched, ``nodes`` ({network: {node: {shape, mean, std, zeros, low, high, histogram,
    gradient}}}) and ``surface`` ({low, high, size}).
    """

    info: dict[str, Any]
    arrays: dict[str, Array] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Array]:
        """The arrays whose names begin with ``prefix/``, without it."""
        start = prefix + "/"
        return {name[len(start) :]: array for name, array in self.arrays.items() if name.startswith(start)}

    def maps(self, network: str = "network") -> dict[str, Array]:
        """The feature maps of one network by node path."""
        return self.part(f"map/{network}")


def write(path: Path, snapshot: Snapshot) -> None:
    """Replace the file. Raises OSError."""
    arrays = {name: np.ascontiguousarray(a) for name, a in snapshot.arrays.items()}
    # No sync to the disk: the next one comes in a moment, and a lost one is no loss.
    write_file(path, save(arrays, {"info": json.dumps(snapshot.info)}), sync=False)


def read(path: Path) -> Snapshot | None:
    """The snapshot in this file; None when there is none or it cannot be read."""
    try:
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        info = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["info"])
        return Snapshot(info, load(content))
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
        return None
