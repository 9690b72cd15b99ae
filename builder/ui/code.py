"""The panel of code: the very files that train, with the selected block's lines marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, get_lexer_by_name

from builder import lines
from builder.export import folder, script
from builder.source import generate
from builder.ui import state

FILES = ("model.py", "train.py", "requirements.txt")
HEIGHT = 420


def panel() -> None:
    """Draw the panel."""
    document = state.document()
    errors = [p for p in document.report().problems if p.severity == "error"]
    if errors:
        st.info(f"The code appears once the project has no errors. First: {errors[0].message}", icon=":material/code:")
        return
    try:
        source = generate(document.project)
    except ValueError as error:
        st.error(str(error))
        return
    left, middle, right = st.columns([1.6, 3, 1], vertical_alignment="center")
    name = (
        left.segmented_control("File", FILES, default=FILES[0], key="code_file", label_visibility="collapsed")
        or FILES[0]
    )
    network, nodes = str(document.selection.get("network")), document.selection.get("nodes", [])
    marked = lines.marked(document.project, source, network, nodes) if name == "model.py" else ()
    selected = ", ".join(nodes)
    if name == "model.py":
        middle.caption(
            f"Lines of **{selected}** are marked. This file is the one that trains."
            if marked
            else "Select a block on the canvas to mark its lines, or click a line. This file is the one that trains."
        )
    text = {
        "model.py": lambda: source.text,
        "train.py": lambda: script.text(document.project),
        "requirements.txt": lambda: folder.requirements(document.project),
    }[name]()
    right.download_button("Download", text, name, key="download_code", icon=":material/download:", width="stretch")
    with st.container(height=HEIGHT, key="code"):
        _lines(_html(text, name, marked), lines.blocks_at(document.project, source) if name == "model.py" else {})


@st.cache_resource(show_spinner=False)
def _component(script: str) -> Any:
    return st.components.v2.component("layerloom_code", html="<div></div>", js=script)


def _lines(html: str, blocks: dict[int, tuple[str, tuple[str, ...]]]) -> None:
    """Draw the text; `blocks` are what a click on a line selects."""
    script = (Path(__file__).parent / "code.js").read_text(encoding="utf-8")
    targets = {str(number): [network, list(ids)] for number, (network, ids) in blocks.items()}
    _component(script)(key="code_lines", data={"html": html, "blocks": targets}, height="content")


def _html(text: str, name: str, marked: tuple[int, ...]) -> str:
    dark = st.context.theme.type == "dark"
    formatter = HtmlFormatter(
        style="github-dark" if dark else "default",
        noclasses=True,
        linenos="inline",
        linespans="line",
        hl_lines=marked,
        nobackground=True,
    )
    formatter.style.highlight_color = "#27314f" if dark else "#e3e8fb"
    lexer = PythonLexer() if name.endswith(".py") else get_lexer_by_name("text")
    return f"<div style='font-size:12.5px;line-height:1.45'>{highlight(text, lexer, formatter)}</div>"
