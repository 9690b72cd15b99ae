"""From Train pressed to the first step: prepare the run folder, hand it to the warm worker, wait for step 1.

    python tests/benchmarks/start_latency.py [TEMPLATE] [REPEATS]

The goal is at most 400 ms with the data cached.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import builder
from builder.training import client, run
from builder.training.job import prepare


def main(template: str = "lenet5", repeats: int = 5) -> None:
    """Print the seconds of each start, their median and the best."""
    project = builder.templates.load(template)
    project = project.replace(training={**project.training, "threads": 1})
    builder.check(project)  # the page has checked it long before Train is pressed
    launcher = client.Launcher()
    found = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        for _ in range(repeats):
            launcher.ready({"name": project.data.name, "settings": project.data.settings})
            launcher.wait_ready(120)  # it warms up while a person looks at the page
            pressed = time.perf_counter()
            folder = run.new_run_folder(parent)
            prepare(project, folder)
            prepared = time.perf_counter()
            launcher.start(folder)
            while run.read_state(folder).step < 1:
                time.sleep(0.001)
            first = time.perf_counter()
            found.append(first - pressed)
            print(f"prepare {prepared - pressed:.3f} s, start {first - prepared:.3f} s, together {found[-1]:.3f} s")
            client.command(folder, "stop", wait=30)
    launcher.close()
    print(f"median {statistics.median(found) * 1000:.0f} ms, best {min(found) * 1000:.0f} ms (goal 400 ms)")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
