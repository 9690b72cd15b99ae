"""The figure and the summary table of a network, to look at and to take away."""

from __future__ import annotations

import functools

import streamlit as st

from builder.export import figure, summary
from builder.ui import state

HEIGHT = 420


def panel(stem: str) -> None:
    """Draw both; `stem` is what downloads are called."""
    document = state.document()
    names = list(document.project.networks)
    st.markdown("##### Figure and summary")
    left, middle, right = st.columns([1.2, 1, 2.2], vertical_alignment="center")
    view = left.segmented_control(
        "View", ("Figure", "Summary"), default="Figure", key="paper_view", label_visibility="collapsed"
    )
    network = names[0]
    if len(names) > 1:
        network = middle.selectbox("Network", names, key="paper_network", label_visibility="collapsed") or names[0]
    if view == "Summary":
        _summary(network, stem, right)
    else:
        _figure(network, stem, right)


def _figure(network: str, stem: str, place: st.delta_generator.DeltaGenerator) -> None:
    document = state.document()
    report = document.report()
    opens = any(known.inner for known in report.nodes.get(network, {}).values())
    with place.container(horizontal=True, vertical_alignment="center"):
        unfolded = opens and st.toggle("Unfold composites", key="paper_unfolded")
        source = figure.dot(document.project, network, unfolded, report)
        name = f"{stem}_{network}{'_unfolded' if unfolded else ''}"
        st.download_button("DOT", source, f"{name}.dot", key="figure_dot", on_click="ignore")
        for form in figure.FORMATS if figure.drawable() else ():
            st.download_button(
                form.upper(),
                functools.partial(figure.render, source, form),  # drawn when it is asked for
                f"{name}.{form}",
                key=f"figure_{form}",
                on_click="ignore",
            )
    if not figure.drawable():
        st.caption(figure.INSTALL)
    with st.container(height=HEIGHT, key="figure"):
        st.graphviz_chart(source, width="content")


def _summary(network: str, stem: str, place: st.delta_generator.DeltaGenerator) -> None:
    document = state.document()
    report = document.report()
    rows = summary.rows(document.project, network, report)
    with place.container(horizontal=True, vertical_alignment="center"):
        inside = any(row.depth for row in rows) and st.toggle("Unfold composites", key="paper_unfolded")
        st.download_button(
            "CSV",
            summary.csv_text(document.project, report),
            f"{stem}_summary.csv",
            key="summary_csv",
            on_click="ignore",
        )
    shown = [row for row in rows if inside or not row.depth]
    st.dataframe(
        {
            "layer": [row.layer for row in shown],
            "block": [row.block for row in shown],
            "shape": [row.shape for row in shown],
            "parameters": [row.parameters for row in shown],
            "multiply-adds": [row.flops for row in shown],
            "memory (kB)": [row.memory / 1000 for row in shown],
        },
        height=HEIGHT,
        hide_index=True,
        column_config={
            "parameters": st.column_config.NumberColumn(format="localized"),
            "multiply-adds": st.column_config.NumberColumn(format="localized"),
            "memory (kB)": st.column_config.NumberColumn(
                format="%.1f", help="Weights and one sample's output, float32."
            ),
        },
        key="summary",
    )
