"""How well each class is found: bars of IoU and Dice from ``confusion`` (C, C), rows the true classes."""

from __future__ import annotations

import numpy as np
import streamlit as st

from builder.ui.views.scene import Scene

_STYLE = """
.scores { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
.scores td, .scores th { padding: 3px 6px 3px 0; text-align: left; white-space: nowrap; border: 0; font-weight: 400; }
.scores th { font-size: 11px; opacity: .7; }
.scores td.bar { width: 45%; }
.scores i { display: block; height: 9px; border-radius: 2px; background: #4a68e8; min-width: 1px; }
.scores tr.mean td { border-top: 1px solid rgba(140,150,170,.4); font-weight: 600; }
"""


def draw(scene: Scene) -> None:
    """Draw it."""
    matrix = scene.array("confusion")
    scene.title()
    if matrix is None:
        st.info("The classes are counted with the first validation.")
        return
    both, true, said = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    there = true + said > 0
    iou = both / np.maximum(true + said - both, 1)
    dice = 2 * both / np.maximum(true + said, 1)
    rows = "".join(
        _row(scene.class_name(i), float(iou[i]), float(dice[i])) if there[i] else _absent(scene.class_name(i))
        for i in range(len(matrix))
    )
    mean = _row("mean", float(iou[there].mean()), float(dice[there].mean()), "mean")
    st.html(
        f"<style>{_STYLE}</style><table class='scores'><tr><th></th><th>IoU</th><th></th><th>Dice</th></tr>"
        f"{rows}{mean}</table>"
    )
    st.caption(f"Over {int(matrix.sum()):,} pixels of {scene.split_name}.")


def _row(name: str, iou: float, dice: float, kind: str = "") -> str:
    return (
        f"<tr class='{kind}'><td>{name}</td><td class='bar'><i style='width: {100 * iou:.1f}%'></i></td>"
        f"<td>{100 * iou:.1f} %</td><td>{100 * dice:.1f} %</td></tr>"
    )


def _absent(name: str) -> str:
    return f"<tr><td>{name}</td><td colspan='3'>is nowhere, and nothing was taken for it</td></tr>"
