"""The panel of exports: everything one takes away, as a zip."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from builder import reading
from builder.export import ExportError, export_zip, programs
from builder.project import Project, ProjectError, dumps, to_json
from builder.training.run import Run
from builder.training.weights import Beginning
from builder.ui import paper, state, weights
from builder.workspace import WorkspaceError

CONTENT = (
    ("model.py", "the network in plain PyTorch: the file that trained"),
    ("train.py", "data, loss, optimizer and loop; prints the same losses as this page"),
    ("train.ipynb", "the same as a notebook"),
    ("requirements.txt", "the packages that train.py needs"),
    ("weights.safetensors", "the weights at the best validation score, once something has trained"),
)
_LIST = """
.files { display: grid; grid-template-columns: max-content 1fr; gap: 7px 18px; margin: 0 !important; padding: 0 !important; font-size: 13px; line-height: 1.4; }
.files dt { margin: 0 !important; padding: 0 !important; font-family: var(--st-code-font, "Source Code Pro", monospace); } .files dd { margin: 0 !important; padding: 0 !important; opacity: .8; }
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
    paper.panel(stem)


def _zip(stem: str) -> None:
    run = state.run()
    trained = None if run is None else run.weights()
    if run is not None and run.project_json().get("networks") is None:
        trained = None
    left_out = [] if trained is not None else ["Nothing has trained yet, so the zip holds no trained weights."]
    onnx, pt2 = bool(st.session_state.get("with_onnx")), bool(st.session_state.get("with_pt2"))
    project = state.document().project
    begin = None
    try:
        begin = weights.chosen()
        if begin is not None:
            weights.usable(begin)
            told = "train.py draws all weights anew; told `--weights initial.safetensors`, it begins with those of"
            left_out.append(f"{told} {begin.name}, as the next run here does.")
    except ValueError as error:
        begin = None
        left_out.append(f"What the next run begins with is left out. {error}")
    try:
        try:
            content = _content(dumps(project), (_stamp(trained), _stamp(begin)), project, trained, onnx, pt2, begin)
        except ExportError:
            if trained is None:
                raise
            content = _content(dumps(project), (0, _stamp(begin)), project, None, onnx, pt2, begin)
            left_out.append("The weights of the chosen run do not fit the network on the canvas, so they are left out.")
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
        for sentence in left_out:
            st.caption(sentence)
    missing = programs.missing_for_onnx()
    st.toggle(
        "Add an ONNX file",
        key="with_onnx",
        disabled=bool(missing),
        help=f"Install what it needs with: pip install {' '.join(missing)}" if missing else "Takes a few seconds.",
    )
    st.toggle("Add an exported program (.pt2)", key="with_pt2", help="torch.export.load opens it without the code.")


def _stamp(weights: Path | Beginning | None) -> int:
    """When a file of weights was written; 0 for none."""
    if isinstance(weights, Beginning):
        weights = weights.source.weights() if isinstance(weights.source, Run) else weights.source
    return weights.stat().st_mtime_ns if weights is not None else 0


@st.cache_data(max_entries=4, show_spinner="Writing the files …")
def _content(
    text: str,
    stamps: tuple[int, int],
    _project: Project,
    trained: Path | None,
    onnx: bool,
    pt2: bool,
    _begin: Beginning | None,
) -> bytes:
    """The zip of a project, known again by its file's `text` and the `stamps` of its weights."""
    return export_zip(_project, trained, onnx=onnx, pt2=pt2, begin=_begin)


def _open() -> None:
    forms = [form.removeprefix(".") for form in reading.FORMS]
    file = st.file_uploader("Open a project, a model.py or ONNX", type=forms, key="open_file")
    if file is None:
        return
    if st.session_state.get("opened_file") != file.file_id:
        try:
            read = reading.read(file.name, file.getvalue())
        except (reading.ReadError, ProjectError) as error:
            st.error(f"{file.name}: {error}")
            return
        st.session_state["opened_file"] = file.file_id
        project, notes = read.project, list(read.notes)
        if reading.networks_alone(file.name):
            project = reading.placed(project, state.document().project)
        try:
            if read.weights is not None:
                project = project.replace(weights=weights.keep(file.name, read.weights))
                notes.append("The next run begins with the weights of the file; Loss & optimizer has the choice.")
        except (OSError, WorkspaceError) as error:
            st.error(f"The weights of {file.name} cannot be kept: {error}")
            return
        if project.weights is not None and not weights.at_hand(project.weights):
            notes.append(
                f"The project was to begin with the weights of {project.weights.name}, which its file does not hold. "
                "They are drawn anew, unless you hand them in under Loss & optimizer, First weights."
            )
            project = project.replace(weights=None)
        st.session_state["opened_notes"] = tuple(notes)
        state.change(f"Open {file.name}", [{"op": "replace_project", "value": to_json(project)}])
        st.rerun()
    for note in st.session_state.get("opened_notes", ()):
        st.info(note, icon=":material/info:")
