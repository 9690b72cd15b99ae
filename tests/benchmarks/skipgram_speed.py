"""Words per second of skip-gram with negative sampling, beside gensim's Word2Vec where that is installed.

    python tests/benchmarks/skipgram_speed.py [SENTENCES]

Both read the same sentences of the small world with the same settings: 64 numbers a word, a window of 5 that
shrinks at random, 5 noise words to the power of 0.75, no thinning, one thread, one epoch.
"""

from __future__ import annotations

import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile

from builder import templates
from builder.data.small_world import ENGLISH, world_sentences
from builder.project import Choice
from builder.training import job


def ours(count: int) -> float:
    """Words of the training part per second, in steps alone."""
    project = templates.load("skipgram")
    choice = Choice(project.data.name, {**project.data.settings, "sentences": count})
    project = project.replace(data=choice, training={**project.training, "epochs": 1})
    with tempfile.TemporaryDirectory() as folder:
        job.prepare(project, Path(folder) / "run")
        loop = job.Job(Path(folder) / "run").loop
        steps = loop.run()
        next(steps)  # torch loads its optimizer with the first step
        began, words = time.perf_counter(), 0
        for record in steps:
            if "split" in record:
                break
            words += loop.batch_size
    return words / (time.perf_counter() - began)


def gensims(count: int) -> float:
    """gensim's words per second on the same sentences."""
    from gensim.models import Word2Vec

    sentences = world_sentences(ENGLISH, count, 0)
    sentences = sentences[: round(0.9 * len(sentences))]
    model = Word2Vec(
        vector_size=64, window=5, sg=1, hs=0, negative=5, ns_exponent=0.75, sample=0, min_count=1, workers=1
    )
    model.build_vocab(sentences)
    words = sum(map(len, sentences))
    began = time.perf_counter()
    model.train(sentences, total_examples=len(sentences), epochs=1)
    return words / (time.perf_counter() - began)


def main() -> None:
    """Print both and their ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    mine = ours(count)
    print(f"Layerloom {mine:,.0f} words a second")
    if find_spec("gensim") is None:
        print("gensim is not installed: pip install gensim to compare")
        return
    theirs = gensims(count)
    print(f"gensim    {theirs:,.0f} words a second; ratio {mine / theirs:.2f}")


if __name__ == "__main__":
    main()
