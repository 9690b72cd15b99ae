"""The panel of exports: everything one takes away, as a zip."""

from __future__ import annotations

import re

import streamlit as st

from builder.export import ExportError, export_zip
from builder.project import dumps
from builder.ui import state

CONTENT = (
    ("model.py", "the network in plain PyTorch: the file that trained"),
    ("train.py", "data, loss, optimizer and loop; prints the same losses as this page"),
    ("train.ipynb", "the same as a notebook"),
    ("requirements.txt", "the packages that train.py needs"),
    ("weights.safetensors", "the weights at the best validation score, once something has trained"),
)
_LIST = """
.files { display: grid; grid-template-columns: max-content 1fr; gap: 7px 18px; margin: 0; padding: 0; font-size: 13px; line-height: 1.4; }
.files dt { margin: 0; padding: 0; font-family: var(--st-code-font, "Source Code Pro", monospace); } .files dd { margin: 0; padding: 0; opacity: .8; }
"""


def panel() -> None:
    """Draw the panel."""
    document = state.document()
    left, middle, right = st.columns([1.7, 1.15, 1.15], gap="large")
    with left:
        st.markdown("##### What the zip holds")
        rows = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in CONTENT)
        st.html(f"<style>{_LIST}</style><dl class='files'>{rows}</dl>")
    with middle:
        st.markdown("##### Download")
        stem = re.sub(r"[^\w.-]+", "_", document.project.name).strip("._") or "project"
        errors = [p for p in document.report().problems if p.severity == "error"]
        if errors:
            st.info(f"The code can be exported once the project has no errors. First: {errors[0].message}")
        else:
            _zip(stem)
    with right:
        st.markdown("##### Project file")
        st.download_button(
            "Save the project (.json)",
            dumps(document.project),
            f"{stem}.json",
            key="download_project",
            icon=":material/draft:",
        )
        st.caption("It opens in any Layerloom, and trains with `python -m builder train FILE`.")
        _open()


def _zip(stem: str) -> None:
    run = state.run()
    weights = None if run is None else run.weights()
    if run is not None and run.project_json().get("networks") is None:
        weights = None
    onnx = bool(st.session_state.get("with_onnx"))
    left_out = "" if weights is not None else "Nothing has trained yet, so the zip holds no weights."
    try:
        try:
            content = export_zip(state.document().project, weights, onnx=onnx)
        except ExportError:
            if weights is None:
                raise
            content = export_zip(state.document().project, None, onnx=onnx)
            left_out = "The weights of the chosen run do not fit the network on the canvas, so they are left out."
    except (ExportError, ValueError, OSError) as error:
        st.error(str(error))
    else:
        st.download_button(
            "Code, notebook and weights (.zip)",
            content,
            f"{stem}.zip",
            "application/zip",
            key="download_zip",
            type="primary",
            icon=":material/download:",
        )
        if left_out:
            st.caption(left_out)
    st.toggle("Add an ONNX file", key="with_onnx", help="Needs the packages onnx and onnxscript.")


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
