"""Steps per second while one looks on (feature maps and the task's own view, live) against none, in turns.

    python tests/benchmarks/live_maps.py [TEMPLATE ...] [PAIRS]

Without templates: LeNet-5, and the starter projects of segmentation, detection, generation, reconstruction, word
vectors and language modelling. A reader polls the run as the page does (4 times a second) in both halves of each
pair. The goal is a ratio of at least 0.95. The time is the worker's own where the system tells it (Linux), so that others
on the machine do not count; elsewhere that of the clock.
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

HALF = 2.0
TEMPLATES = ("lenet5", "unet_shapes", "yolo_tiny", "gan", "dcgan", "conv_autoencoder", "skipgram", "char_lstm")


def worked(state: run.State) -> float:
    """Seconds of the processor that a run's worker has had, or of its training by the clock."""
    try:
        fields = Path(f"/proc/{state.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return state.seconds
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(launcher: client.Launcher, template: str, pairs: int) -> None:
    """Print the median ratio of `pairs` interleaved pairs, the rates, and how often maps and the view were new."""
    project = builder.templates.load(template)
    project = project.replace(training={**project.training, "threads": 1, "epochs": 100_000})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        folder = run.new_run_folder(parent)
        prepare(project, folder)
        view = launcher.start(folder)
        while view.state.step < 20:
            time.sleep(0.05)
        rates: dict[bool, list[float]] = {True: [], False: []}
        probed = live = 0
        for pair in range(pairs):
            for on in (True, False) if pair % 2 else (False, True):
                client.show_maps(folder, on, wait=10)
                before, began = view.state, worked(view.state)
                last = view.probe()
                while worked(after := view.state) - began < HALF and after.status == "running":
                    time.sleep(0.25)
                    now = view.probe()
                    probed += on and now is not None and (last is None or now.info["time"] != last.info["time"])
                    live += on and now is not None and any(name.startswith("live/") for name in now.arrays)
                    last = now
                    view.steps(after=before.step)
                if after.status != "running":
                    raise SystemExit(f"the run ended too early: {after.message or after.status}")
                rates[on].append((after.step - before.step) / (worked(after) - began))
        client.command(folder, "stop", wait=30)
    ratio = statistics.median(a / b for a, b in zip(rates[True], rates[False]))
    print(
        f"{template:18} ratio {ratio:.3f} (goal 0.95), median of {pairs} pairs; steps/s looked on "
        f"{statistics.median(rates[True]):.1f}, alone {statistics.median(rates[False]):.1f}; "
        f"new maps a second {probed / (pairs * HALF):.1f}" + ("" if live else "; no view of the task's own"),
        flush=True,
    )


def main(templates: list[str], pairs: int = 30) -> None:
    """Measure one after the other."""
    launcher = client.Launcher()
    for template in templates:
        measure(launcher, template, pairs)
    launcher.close()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main([word for word in sys.argv[1:] if not word.isdigit()] or list(TEMPLATES), *numbers[:1])
