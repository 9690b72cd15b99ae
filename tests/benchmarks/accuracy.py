"""What the networks reach on real data, as a table against published figures: a row for each.

    python tests/benchmarks/accuracy.py [--only NAME ...] [--list]

A row is a function that trains and gives its line; they stand in the files accuracy_*.py beside this one (their
ROWS). Each is a project that anyone can set up in the app. One thread; LAYERLOOM_DATA names the data. The exit
status says whether every goal was reached.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from figures import HEADER, Rows, line

HERE = Path(__file__).resolve().parent


def rows() -> Rows:
    """The rows of all files accuracy_*.py."""
    found: Rows = {}
    for path in sorted(HERE.glob("accuracy_*.py")):
        found |= importlib.import_module(path.stem).ROWS
    return found


def main() -> int:
    """Fill the rows that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows to fill; all unless told")
    parser.add_argument("--list", action="store_true", help="name the rows and do nothing")
    options = parser.parse_args()
    known = rows()
    if strangers := [name for name in options.only if name not in known]:
        parser.error(f"There is no row {', '.join(strangers)}; there are {', '.join(known)}.")
    chosen = options.only or list(known)
    if options.list:
        print("\n".join(chosen))
        return 0
    print(line(HEADER))
    print(line(("---",) * len(HEADER)), flush=True)
    missed = 0
    for name in chosen:
        row = known[name]()
        print(line(row.cells()), flush=True)
        missed += not row.reached
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
