"""The panel of exports: everything one takes away, as a zip."""

from __future__ import annotations

import re

import streamlit as st

from builder.export import ExportError, export_zip
from builder.project import dumps
from builder.ui import state

CONTENT = """
| file | what it is |
|---|---|
| `model.py` | the network, in plain PyTorch: the file that trained |
| `train.py` | data, loss, optimizer and loop; prints the same losses as this page |
| `train.ipynb` | the same as a notebook |
| `requirements.txt` | what `train.py` needs |
| `weights.safetensors` | the weights at the best validation score, once something has trained |
"""


def panel() -> None:
    """Draw the panel."""
    document = state.document()
    left, right = st.columns([1.6, 1.2], gap="large")
    with left:
        st.markdown("##### Take it with you")
        st.markdown(CONTENT)
    with right:
        st.markdown("##### Download")
        stem = re.sub(r"[^\w.-]+", "_", document.project.name).strip("._") or "project"
        errors = [p for p in document.report().problems if p.severity == "error"]
        if errors:
            st.info(f"The code can be exported once the project has no errors. First: {errors[0].message}")
        else:
            _zip(stem)
        st.download_button(
            "Project file (.json)",
            dumps(document.project),
            f"{stem}.json",
            key="download_project",
            icon=":material/draft:",
        )
        st.caption("The project file opens in any Layerloom, and with `python -m builder train FILE`.")
        _open()


def _zip(stem: str) -> None:
    run = state.run()
    weights = None if run is None else run.weights()
    if run is not None and run.project_json().get("networks") is None:
        weights = None
    onnx = st.toggle("Add an ONNX file", key="with_onnx", help="Needs the packages onnx and onnxscript.")

    def make() -> bytes:
        try:
            return export_zip(state.document().project, weights, onnx=onnx)
        except ExportError:
            # weights of an older network do not fit the one on the canvas
            return export_zip(state.document().project, None, onnx=onnx)

    try:
        content = make()
    except (ExportError, ValueError, OSError) as error:
        st.error(str(error))
        return
    st.download_button(
        "Code, notebook and weights (.zip)",
        content,
        f"{stem}.zip",
        "application/zip",
        key="download_zip",
        type="primary",
        icon=":material/download:",
    )


def _open() -> None:
    from builder import project as files

    file = st.file_uploader("Open a project file", type="json", key="open_file")
    if file is None or st.session_state.get("opened_file") == file.file_id:
        return
    try:
        opened = files.loads(file.getvalue())
    except files.ProjectError as error:
        st.error(f"{file.name}: {error}")
        return
    st.session_state["opened_file"] = file.file_id
    state.change(f"Open {file.name}", [{"op": "replace_project", "value": files.to_json(opened)}])
    st.rerun()
