"""How the training stands, in words: what the task says of the latest validation's metrics."""

from __future__ import annotations

import streamlit as st

from builder.ui.views.scene import Scene


def draw(scene: Scene) -> None:
    """Draw it, with the metrics below."""
    scene.title()
    metrics = scene.run.state.validation.get("metrics") or {}
    said = scene.task.verdict(metrics, scene.settings) if metrics else None
    if said is None:
        st.info("It is told after the first validation.")
        return
    kind, text = said
    {"good": st.success, "bad": st.warning}.get(kind, st.info)(text)
    rows = []
    for metric in type(scene.task).metrics:
        if metric.name in metrics:
            value = metrics[metric.name]
            shown = f"{100 * value:.0f} %" if metric.unit == "%" else f"{value:.3f}"
            rows.append(f"<tr><td>{metric.label}</td><td><b>{shown}</b></td></tr>")
    st.html(f"<style>{_TABLE}</style><table class='verdict'>{''.join(rows)}</table>")


_TABLE = """
.verdict { font-size: 13px; font-variant-numeric: tabular-nums; border-collapse: collapse; }
.verdict td { padding: 1px 18px 1px 0; } .verdict td:last-child { text-align: right; padding-right: 0; }
"""
