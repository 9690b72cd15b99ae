"""The figure of a network in a clean paper style: graphviz DOT, and SVG and PDF where graphviz's `dot` is installed."""

from __future__ import annotations

import html
import shutil
import subprocess
from collections.abc import Iterator, Mapping

import graphviz

from blocks.base import Block, Shape
from builder.graph import Graph, UnknownBlock
from builder.project import Project
from builder.shapes import Inner, leaves, size
from builder.structure import is_input, is_output, wiring
from builder.validate import Report, check

FORMATS = ("svg", "pdf")
SECONDS = 60
"""The most time `dot` may take."""
INSTALL = (
    "SVG and PDF need Graphviz's program dot; install it with: apt install graphviz (Debian, Ubuntu), "
    "brew install graphviz (macOS) or conda install graphviz."
)
_FILLS = {
    "input": "#ffffff",
    "convolution": "#dbe7f6",
    "pooling": "#f6e0d8",
    "normalization": "#ece8f5",
    "activation": "#fdf3d3",
    "dense": "#ddefdf",
    "recurrent": "#d9efee",
    "attention": "#f5dfee",
    "composite": "#e9edf2",
    "merge": "#ffffff",
}
"""Light fills by family, which stay apart in grey print; other families are white."""
_MERGES = {"+": "+", "-": "−", "*": "×"}
"""Signs of merging blocks, from the operators they stand for."""
_SILENT = ("padding", "dilation", "eps", "momentum")
"""Settings that a figure leaves to the code."""


class FigureError(ValueError):
    """A figure cannot be drawn; the message is one sentence."""


def drawable() -> bool:
    """Whether SVG and PDF can be made here."""
    return shutil.which("dot") is not None


def dot(project: Project, network: str, unfolded: bool = False, report: Report | None = None) -> str:
    """The figure as text in graphviz's language: blocks from top to bottom, shapes at the wires.

    Composites are one box each, or frames around their inside if `unfolded`.
    """
    report = report or check(project)
    graph = project.networks[network]
    drawing = graphviz.Digraph(
        graph_attr={"rankdir": "TB", "nodesep": "0.28", "ranksep": "0.3", "fontname": "Helvetica", "bgcolor": "white"},
        node_attr={
            "shape": "box",
            "style": "filled,rounded",
            "fontname": "Helvetica",
            "fontsize": "11",
            "color": "#3c4654",
            "penwidth": "0.8",
            "margin": "0.14,0.06",
            "height": "0.32",
        },
        edge_attr={
            "color": "#3c4654",
            "penwidth": "0.8",
            "arrowsize": "0.6",
            "fontname": "Helvetica",
            "fontsize": "9",
            "fontcolor": "#5c6773",
        },
    )
    _Drawing(graph, report.nodes[network], unfolded).fill(drawing)
    return str(drawing.source)


def render(source: str, form: str) -> bytes:
    """A DOT text as SVG or PDF. Raises FigureError with a sentence when `dot` is missing or fails."""
    if form not in FORMATS:
        raise FigureError(f"A figure can be one of {', '.join(FORMATS)}, not {form!r}.")
    if not drawable():
        raise FigureError(INSTALL)
    try:
        done = subprocess.run(
            ["dot", f"-T{form}"], input=source.encode(), capture_output=True, timeout=SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        raise FigureError(f"dot took more than {SECONDS} seconds; draw the network folded.") from None
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        raise FigureError(f"dot could not draw it: {said.decode(errors='replace').strip()[:200]}") from None
    return done.stdout


class _Drawing:
    """Nodes and edges of one network; drawn nodes are called n0, n1, ..., so that no name of a file is code here."""

    def __init__(self, graph: Graph, known: Mapping[str, object], unfolded: bool) -> None:
        self.graph = graph
        self.known = known
        self.unfolded = unfolded
        self.names: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        """The drawn node whose output is the node's."""
        self.changes: dict[str, bool] = {}
        """Whether a block gives another shape than it receives; only then it stands at the wire."""

    def fill(self, drawing: graphviz.Digraph) -> None:
        wires = wiring(self.graph.ids(), self.graph.edges)
        nodes = {n.id: n for n in self.graph.nodes}
        order = [*wires.order, *(id for id in nodes if id not in wires.order)]
        shapes: dict[str, Shape | None] = {id: getattr(self.known.get(id), "shape", None) for id in nodes}
        for id in order:
            block = nodes[id].block
            inner: tuple[Inner, ...] = getattr(self.known.get(id), "inner", ())
            sources = list(wires.sources[id].items())
            if self.unfolded and inner and not isinstance(block, UnknownBlock):
                self.frame(drawing, id, block, inner, dict(sources), shapes)
                continue
            if is_input(nodes[id]) or is_output(nodes[id]):
                self.names[id] = self.ends[id] = f"n{len(self.names)}"
                drawing.node(
                    self.names[id], label=f"<<b>{_escaped(id)}</b>>", shape="plaintext", style="", height="0.2"
                )
            else:
                self.box(drawing, id, id, block, getattr(self.known.get(id), "parameters", 0), shapes[id])
            received = [shapes.get(source) for _, source in sources]
            self.changes[id] = shapes[id] not in received
            for i, (_, source) in enumerate(sources):
                self.wire(drawing, source, id, shapes.get(source), main=i == 0 and len(sources) < 3)

    def frame(
        self,
        drawing: graphviz.Digraph,
        id: str,
        block: Block,
        inner: tuple[Inner, ...],
        sources: dict[str, str],
        shapes: dict[str, Shape | None],
    ) -> None:
        """A composite as a frame around its single layers."""
        parts = leaves(inner)
        known = dict(shapes)
        with drawing.subgraph(name=f"cluster_{len(self.names)}") as frame:
            frame.attr(
                label=f"<{_escaped(id)}>", labeljust="l", fontsize="10", fontcolor="#5c6773",
                color="#b6bfca", style="rounded", margin="8",
            )  # fmt: skip
            for part in parts:
                path = f"{id}.{part.id}"
                self.box(frame, path, part.id, part.block, part.inferred.parameters, part.inferred.shape)
                known[path] = part.inferred.shape
        used: set[str] = set()
        for part in parts:
            starts = [sources.get(source, f"{id}.{source}") for source in part.sources]
            self.changes[f"{id}.{part.id}"] = part.inferred.shape not in [known.get(start) for start in starts]
            used.update(starts)
            for i, start in enumerate(starts):
                self.wire(drawing, start, f"{id}.{part.id}", known.get(start), main=i == 0 and len(starts) < 3)
        last = [p for p in parts if f"{id}.{p.id}" not in used] or list(parts[-1:])
        self.ends[id] = self.names[f"{id}.{last[-1].id}"]
        self.changes[id] = self.changes[f"{id}.{last[-1].id}"]

    def box(
        self,
        drawing: graphviz.Digraph,
        path: str,
        name: str,
        block: Block | UnknownBlock,
        parameters: int,
        output: Shape | None,
    ) -> None:
        drawn = self.names[path] = self.ends[path] = f"n{len(self.names)}"
        if isinstance(block, UnknownBlock):
            label = f"<<b>{_escaped(name)}</b><br/><font point-size='9'>{_escaped(block.name)}</font>>"
            drawing.node(drawn, label=label, style="dashed,rounded")
            return
        sign = next((_MERGES[f] for f in block.functions if f in _MERGES), None)
        if block.category == "merge" and sign:
            drawing.node(
                drawn,
                label=sign,
                shape="circle",
                width="0.3",
                height="0.3",
                margin="0",
                fixedsize="true",
                fillcolor="white",
            )
            return
        fill = _FILLS.get(block.category, "#ffffff")
        if block.category == "activation":
            drawing.node(drawn, label=f"<{_escaped(block.label)}>", fillcolor=fill, margin="0.1,0.03", height="0.24")
            return
        detail = ", ".join(_details(block, output))
        count = f"<br/><font point-size='8' color='#5c6773'>{parameters:,} parameters</font>" if parameters else ""
        second = f"<br/><font point-size='9'>{_escaped(block.label)}{_escaped(' ' + detail) if detail else ''}</font>"
        drawing.node(drawn, label=f"<<b>{_escaped(name)}</b>{second}{count}>", fillcolor=fill)

    def wire(self, drawing: graphviz.Digraph, source: str, target: str, shape: Shape | None, main: bool) -> None:
        """A wire; those into first inputs are drawn straight, so that a chain is a line and skips go round it."""
        if source in self.ends and target in self.names:
            told = shape is not None and self.changes.get(source, True)
            label = f"  {size(shape)}" if told and shape is not None else ""
            drawing.edge(self.ends[source], self.names[target], label=label, weight="8" if main else "1")


def _details(block: Block, output: Shape | None) -> Iterator[str]:
    """What a figure tells of a layer besides its shape: 7×7, stride 2."""
    for setting in block.settings():
        value = getattr(block, setting.name)
        if setting.name == "kernel_size":
            yield size(value if isinstance(value, tuple) else (value, value))
        elif setting.name == "stride" and value not in (setting.default, None):
            yield f"stride {size(value) if isinstance(value, tuple) else value}"
        elif setting.kind in ("int", "float") and type(block).template is Block.template:
            told = setting.name in _SILENT or value in (setting.default, *(output or ()))
            if not told and setting.name != block.variadic:
                yield f"{setting.label.replace('_', ' ')} {value:g}"


def _escaped(text: str) -> str:
    """Text inside a label, which is markup; control characters would end the file."""
    return html.escape("".join(c if c.isprintable() else " " for c in text)) or " "
