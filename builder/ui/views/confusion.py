"""A confusion matrix: ``matrix`` (C, C), rows the true classes."""

from __future__ import annotations

import numpy as np
import streamlit as st

from builder.ui.views import drawn
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
    st.html(drawn.matrix(matrix, scene.dataset.class_names(), scene.dark))
    st.caption("Rows are the true classes, columns what the network said.")
