"""Inside a recurrent block: its state and gates over time, and how far back a gradient reaches."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from builder.training.snapshot import Snapshot
from builder.ui.views import pictures, plots

_NAMES = {
    "hidden": "hidden state h",
    "memory": "memory c",
    "forget": "forget gate f",
    "input": "input gate i",
    "output": "output gate o",
    "reset": "reset gate r",
    "update": "update gate z",
    "candidate": "candidate",
}
_SIGNED = ("hidden", "memory", "candidate")
_STYLE = """
.gates { display: grid; grid-template-columns: repeat(auto-fit, minmax(122px, 1fr)); gap: 10px 12px; }
.gates figure { margin: 0; } .gates figcaption { font-size: 12px; padding-bottom: 2px; }
.gates img { width: 100%; height: 112px; image-rendering: pixelated; border-radius: 3px; display: block; }
"""


def draw(probe: Snapshot, network: str, node: str) -> None:
    """Draw it for a block the probe has watched; nothing for blocks that carry no state."""
    found = probe.part(f"gate/{network}/{node}")
    if not found:
        return
    left, right = st.columns([2.4, 1.2], gap="medium")
    with left:
        st.markdown(f"##### State and gates of {node} over time")
        cells = ""
        for name, title in _NAMES.items():
            if name in found:
                values = np.asarray(found[name], np.float32).T
                picture = (
                    pictures.diverging(values) if name in _SIGNED else pictures.coloured(values, "Viridis", 0.0, 1.0)
                )
                cells += f"<figure><figcaption>{title}</figcaption><img src='{pictures.url(picture)}' alt='{title}'/></figure>"
        st.html(f"<style>{_STYLE}</style><div class='gates'>{cells}</div>")
        st.caption(
            "Steps run from left to right, units from top to bottom. Gates: dark is closed (0), bright is open (1); "
            "states: blue is negative, red positive."
        )
    with right:
        st.markdown("##### How far back it learns")
        if f"reach/{network}/{node}" not in probe.arrays:
            return
        reach = np.asarray(probe.arrays[f"reach/{network}/{node}"])
        back = np.arange(len(reach))[::-1]
        figure = go.Figure(
            go.Scatter(x=back, y=np.maximum(reach, 1e-12), mode="lines", line={"color": plots.ORANGE, "width": 2})
        )
        plots.layout(figure, 132)
        figure.update_xaxes(title="steps back")
        decades = -np.log10(max(1e-12, float(reach.min())))
        figure.update_yaxes(type="log", exponentformat="power", dtick=max(1, round(decades / 4)))
        st.plotly_chart(figure, key="reach", config=plots.CONFIG)
        half = int(back[reach >= 0.01].max())
        st.caption(
            f"The size of the gradient that comes back from the last step, 1 there. It stays above a hundredth for "
            f"{half} of {len(reach) - 1} steps: what lies further back hardly changes the weights."
        )
