"""A confusion matrix: ``matrix`` (C, C), rows the true classes."""

from __future__ import annotations

import numpy as np
import streamlit as st

from builder.ui.views import plots
from builder.ui.views.scene import Scene


def draw(scene: Scene) -> None:
    """Draw it."""
    matrix = scene.array("matrix")
    if matrix is None:
        scene.title()
        st.info("The confusion matrix comes with the first validation.")
        return
    right, total = int(np.trace(matrix)), int(matrix.sum())
    scene.title(f"{scene.split_name}: {right:,} of {total:,} right")
    names = scene.dataset.class_names()
    shown = names if len(names) == len(matrix) else tuple(map(str, range(len(matrix))))
    height = 212 if len(matrix) <= 10 else 330  # ten classes are seen without scrolling on a small screen
    st.plotly_chart(plots.matrix(matrix, shown, height, scene.dark), key=scene.key("matrix"), config=plots.CONFIG)
    st.caption("Rows are the true classes, columns what the network said.")
