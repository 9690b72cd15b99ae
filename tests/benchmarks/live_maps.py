"""Steps per second with live feature maps on against off, in one running worker, in turns.

    python tests/benchmarks/live_maps.py [TEMPLATE] [PAIRS]

A reader polls the run as the page does (4 times a second) in both halves of each pair. The goal is a
ratio of at least 0.95.
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

HALF = 1.0


def main(template: str = "lenet5", pairs: int = 30) -> None:
    """Print the median ratio of `pairs` interleaved pairs and the rates."""
    project = builder.templates.load(template)
    project = project.replace(training={**project.training, "threads": 1, "epochs": 1000})
    launcher = client.Launcher()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        folder = run.new_run_folder(parent)
        prepare(project, folder)
        view = launcher.start(folder)
        while view.state.step < 20:
            time.sleep(0.05)
        rates: dict[bool, list[float]] = {True: [], False: []}
        probed = 0
        for pair in range(pairs):
            for on in (True, False) if pair % 2 else (False, True):
                client.show_maps(folder, on, wait=10)
                before = view.state
                last = view.probe()
                while time.time() - before.heartbeat < HALF:
                    time.sleep(0.25)
                    now = view.probe()
                    probed += on and now is not None and (last is None or now.info["time"] != last.info["time"])
                    last = now
                    view.steps(after=before.step)
                after = view.state
                if after.status != "running":
                    raise SystemExit(f"the run ended too early: {after.message or after.status}")
                rates[on].append((after.step - before.step) / (after.seconds - before.seconds))
        client.command(folder, "stop", wait=30)
    launcher.close()
    ratio = statistics.median(a / b for a, b in zip(rates[True], rates[False]))
    print(f"{template}: ratio {ratio:.3f} (goal 0.95), median of {pairs} pairs")
    print(f"steps/s with maps {statistics.median(rates[True]):.1f}, without {statistics.median(rates[False]):.1f}")
    print(f"new maps per second {probed / (pairs * HALF):.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
