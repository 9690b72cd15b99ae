"""Remedies for problems, tried before they are offered.

For each kind of problem a few candidate lists of project edits are made. One is offered only if, once
applied, the problem is gone and the project has no more errors than before. Blocks are found by the
`role` they declare, so that no block is named here.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import blocks
from blocks.base import Block, SettingError, Shape
from builder import data, edits, names, optimizers, tasks
from builder.data.base import Field
from builder.graph import Edge, Graph, Node, UnknownBlock
from builder.problems import Edit, Fix, Problem
from builder.project import Project, node_to_json
from builder.shapes import size
from builder.structure import RESERVED, is_input, is_output, wiring
from builder.training.settings import TrainingSettings

if TYPE_CHECKING:
    from builder.validate import Report

Candidate = tuple[str, list[Edit]]
MAX_TRIED = 24
"""Candidates tried for one problem, and problems of one project that get fixes."""
STEP = 180.0
"""Canvas pixels from one block to the next."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """A problem with all that a remedy may need to look at."""

    project: Project
    report: Report
    problem: Problem

    @functools.cached_property
    def graph(self) -> Graph:
        """The network the problem is in."""
        return self.project.networks[self.problem.network]

    @functools.cached_property
    def node(self) -> Node:
        """The node the problem is at."""
        assert self.problem.node is not None
        return self.graph.node(self.problem.node)

    @functools.cached_property
    def sources(self) -> dict[str, dict[str, str]]:
        """What each node reads, by port."""
        return wiring(self.graph.ids(), self.graph.edges).sources

    def shape(self, id: str) -> Shape | None:
        """The output shape of a node, if known."""
        return self.report.shapes[self.problem.network].get(id)

    def edit(self, op: str, **values: Any) -> Edit:
        """An edit in the problem's network."""
        return {"op": op, "network": self.problem.network, **values}


def with_fix(project: Project, problem: Problem, report: Report, inspect: Callable[[Project], Report]) -> Problem:
    """The problem with the first remedy that works, or as it was."""
    make = _REMEDIES.get(problem.code)
    if make is None or report.problems.index(problem) >= MAX_TRIED:
        return problem
    scene = Scene(project, report, problem)
    if problem.network and problem.node is None and problem.network not in project.networks:
        return problem
    for tried, (label, changes) in enumerate(make(scene)):
        if tried >= MAX_TRIED:
            break
        try:
            after = inspect(edits.apply(project, changes))
        except edits.EditError:
            continue
        if _better(problem, report, after):
            return dataclasses.replace(problem, fix=Fix(label, tuple(changes)))
    return problem


def _better(problem: Problem, before: Report, after: Report) -> bool:
    if any(
        (p.network, p.node, p.code, p.port) == (problem.network, problem.node, problem.code, problem.port)
        for p in after.problems
    ):
        return False
    return _weight(after) < _weight(before)


def _weight(report: Report) -> tuple[int, int, int]:
    """How bad a project is: errors, then nodes without a shape, then warnings."""
    errors = sum(p.severity == "error" for p in report.problems)
    unknown = sum(n.shape is None for known in report.nodes.values() for n in known.values())
    return (errors + unknown, errors, len(report.problems))


# --- building blocks of remedies -----------------------------------------------------------------


def _role(role: str) -> type[Block] | None:
    return next((cls for cls in blocks.catalogue().values() if cls.role == role), None)


def _fresh(scene: Scene, block: Block, position: tuple[float, float]) -> Node:
    name = type(block).stem or type(block).__name__.lower()
    graph = scene.graph
    id = name if name not in graph.ids() else graph.free_id(name)
    return Node(id, block, position)


def insert(scene: Scene, edge: Edge, block: Block) -> list[Edit]:
    """Edits that put a block of one input into a wire; what lies to the right makes room."""
    source, target = scene.graph.node(edge.source), scene.graph.node(edge.target)
    room = target.position[0] - source.position[0] >= 2 * STEP * 0.8 or target.position[0] < source.position[0]
    x = (source.position[0] + target.position[0]) / 2 if room else target.position[0]
    node = _fresh(scene, block, (x, target.position[1]))
    found = [scene.edit("add_node", node=node_to_json(node)), scene.edit("remove_edge", edge=dataclasses.asdict(edge))]
    found += [
        scene.edit("add_edge", edge=_edge(edge.source, node.id, node.block.ports()[0].name)),
        scene.edit("add_edge", edge=_edge(node.id, edge.target, edge.target_port)),
    ]
    if not room:
        for other in scene.graph.nodes:
            if other.position[0] >= target.position[0] and abs(other.position[1] - target.position[1]) < 120:
                moved = [other.position[0] + STEP, other.position[1]]
                found.append(scene.edit("move_node", id=other.id, position=moved))
    return found


def bypass(scene: Scene, id: str) -> list[Edit]:
    """Edits that remove a node and join what was before it to what was after it."""
    source = next(iter(scene.sources[id].values()), None)
    found = [scene.edit("remove_node", id=id)]
    if source is not None:
        found += [scene.edit("add_edge", edge=_edge(source, e.target, e.target_port)) for e in scene.graph.outgoing(id)]
    return found


def _edge(source: str, target: str, port: str) -> dict[str, str]:
    return {"source": source, "source_port": "out", "target": target, "target_port": port}


def _wire(scene: Scene, port: str | None = None) -> Edge | None:
    found = [e for e in scene.graph.incoming(scene.node.id) if port is None or e.target_port == port]
    return found[0] if found else None


def _set(scene: Scene, setting: str, value: Any, id: str | None = None) -> list[Edit]:
    return [scene.edit("set", id=id or scene.node.id, setting=setting, value=value)]


# --- shapes --------------------------------------------------------------------------------------


def _rank(scene: Scene) -> Iterator[Candidate]:
    edge, flatten = _wire(scene, scene.problem.port), _role("flatten")
    if edge is not None and flatten is not None:
        shape = scene.shape(edge.source) or ()
        yield f"Insert {flatten.label} → {math.prod(shape):,}", insert(scene, edge, flatten())


def _tokens(scene: Scene) -> Iterator[Candidate]:
    edge, embed = _wire(scene, scene.problem.port), _role("embed")
    if edge is not None and embed is not None:
        block = scene.graph.node(edge.source).block
        vocabulary = getattr(block, "vocabulary", None)
        if isinstance(vocabulary, int):
            yield f"Insert {embed.label}", insert(scene, edge, embed.from_settings({"num_embeddings": vocabulary}))
        yield from bypass_candidate(scene)


def _equal(scene: Scene) -> Iterator[Candidate]:
    """Make one input of a merge like another: project channels, crop, pad, or map a vector."""
    merge = scene.report.nodes[scene.problem.network][scene.node.id].inputs
    project, readout, crop, pad = (_role(r) for r in ("project", "readout", "crop", "pad"))
    wires = {e.target_port: e for e in scene.graph.incoming(scene.node.id)}
    pairs = [(a, b) for b in merge for a in reversed(merge) if a != b and merge[a] != merge[b]]
    same_channels = scene.problem.code == "add-mismatch"
    for port, like in pairs:
        have, want, edge = merge[port], merge[like], wires[port]
        if len(have) == len(want) == 3:
            if same_channels and have[0] != want[0] and project is not None:
                stride = max(1, round(have[1] / want[1]))
                block = project.from_settings(
                    {"out_channels": want[0], "kernel_size": 1, "stride": stride, "bias": False}
                )
                yield f"Project {edge.source} to {want[0]} channels", insert(scene, edge, block)
            if crop is not None and have[1] >= want[1] and have[2] >= want[2]:
                block = crop.from_settings({"height": want[1], "width": want[2]})
                yield f"Crop {edge.source} to {want[1]}×{want[2]}", insert(scene, edge, block)
            if pad is not None and have[1] <= want[1] and have[2] <= want[2]:
                top, left = (want[1] - have[1]) // 2, (want[2] - have[2]) // 2
                sides = {"top": top, "left": left, "bottom": want[1] - have[1] - top, "right": want[2] - have[2] - left}
                yield f"Pad {edge.source} to {want[1]}×{want[2]}", insert(scene, edge, pad.from_settings(sides))
        elif len(have) == len(want) == 1 and same_channels and readout is not None:
            block = readout.from_settings({"out_features": want[0]})
            yield f"Map {edge.source} to {want[0]} numbers", insert(scene, edge, block)
    flatten = _role("flatten")
    for port, shape in merge.items():
        if len(shape) > 1 and flatten is not None and any(len(other) == 1 for other in merge.values()):
            yield f"Insert {flatten.label} after {wires[port].source}", insert(scene, wires[port], flatten())


def _kernel(scene: Scene) -> Iterator[Candidate]:
    settings = node_to_json(scene.node)["settings"]
    shapes = scene.report.nodes[scene.problem.network][scene.node.id].inputs.values()
    largest = min((n for shape in shapes for n in shape[1:]), default=1)
    now = settings.get("kernel_size")
    if isinstance(now, (int, list)):
        whole = max(now) if isinstance(now, list) else now
        for kernel in dict.fromkeys((*(k for k in (7, 5, 3) if k < whole and k <= largest), largest, 2, 1)):
            if kernel < whole:
                yield f"Set kernel_size to {kernel}", _set(scene, "kernel_size", kernel)
        yield f"Set padding to {whole // 2}", _set(scene, "padding", whole // 2)
    yield from bypass_candidate(scene)


def _divisor(scene: Scene) -> Iterator[Candidate]:
    settings = node_to_json(scene.node)["settings"]
    shape = next(iter(scene.report.nodes[scene.problem.network][scene.node.id].inputs.values()), (1,))
    counts = [shape[0], shape[-1], settings.get("out_channels", 0)]
    for name in ("groups", "num_groups", "num_heads"):
        if name in settings:
            for count in counts:
                yield (
                    f"Set {name} to {math.gcd(settings[name], count)}",
                    _set(scene, name, math.gcd(settings[name], count)),
                )
            yield f"Set {name} to 1", _set(scene, name, 1)


def _smaller(scene: Scene) -> Iterator[Candidate]:
    """Settings that reach beyond the input are brought back to it."""
    settings = node_to_json(scene.node)["settings"]
    shape = next(iter(scene.report.nodes[scene.problem.network][scene.node.id].inputs.values()), ())
    if "padding" in settings:
        kernel = settings.get("kernel_size", 1)
        half = (min(kernel) if isinstance(kernel, list) else kernel) // 2
        for padding in dict.fromkeys((half, 0)):
            yield f"Set padding to {padding}", _set(scene, "padding", padding)
    if "height" in settings and len(shape) == 3:
        height, width = min(settings["height"], shape[1]), min(settings["width"], shape[2])
        yield f"Crop to {height}×{width}", _set(scene, "height", height) + _set(scene, "width", width)
    if "dim" in settings:
        yield "Set dim to 0", _set(scene, "dim", 0)
    if "shape" in settings:
        yield "Keep the first length, open the rest", _set(scene, "shape", [shape[0] if len(shape) > 1 else 1, -1])
    yield from bypass_candidate(scene)


def _vocabulary(scene: Scene) -> Iterator[Candidate]:
    source = next(iter(scene.sources[scene.node.id].values()))
    vocabulary = getattr(scene.graph.node(source).block, "vocabulary", 0)
    yield f"Set num_embeddings to {vocabulary}", _set(scene, "num_embeddings", vocabulary)


# --- ends ----------------------------------------------------------------------------------------


def input_for(given: Field) -> Block | None:
    """The input block whose settings can take this field's shape."""
    for cls in blocks.catalogue().values():
        if (
            cls.category != "input"
            or cls.role == "output"
            or cls.holds != ("tokens" if given.holds == "tokens" else "features")
        ):
            continue
        values = (*given.shape, given.size) if given.holds == "tokens" else given.shape
        if len(values) != len(cls.settings()):
            continue
        try:
            block = cls.from_settings({s.name: v for s, v in zip(cls.settings(), values, strict=True)})
        except SettingError:
            continue
        if block.source_shape() == given.shape:
            return block
    return None


def _wanted_inputs(scene: Scene) -> tuple[tuple[str, Field], ...]:
    try:
        dataset = data.find(scene.project.data.name).from_settings(scene.project.data.settings)
        task = tasks.find(scene.project.task.name).from_settings(scene.project.task.settings)
    except (KeyError, SettingError):
        return ()
    return task.inputs(dataset, scene.problem.network) if scene.problem.network in task.slots else ()


def _input(scene: Scene) -> Iterator[Candidate]:
    inputs = [n for n in scene.graph.nodes if is_input(n)]
    for node, (_, given) in zip(inputs, _wanted_inputs(scene), strict=False):
        block = input_for(given)
        if node.id == scene.node.id and block is not None:
            new = dataclasses.replace(node, block=block)
            yield (
                f"Set the input to {size(given.shape)}",
                [scene.edit("replace_node", id=node.id, node=node_to_json(new))],
            )


def _no_input(scene: Scene) -> Iterator[Candidate]:
    for _, given in _wanted_inputs(scene)[:1]:
        block = input_for(given)
        if block is None:
            continue
        left = min((n.position[0] for n in scene.graph.nodes), default=STEP)
        top = min((n.position[1] for n in scene.graph.nodes), default=0.0)
        node = _fresh(scene, block, (left - STEP, top))
        added = scene.edit("add_node", node=node_to_json(node))
        label = f"Add {type(block).label} {size(given.shape)}"
        for other in scene.graph.nodes:
            for port in other.block.ports():
                if port.name not in scene.sources[other.id]:
                    yield label, [added, scene.edit("add_edge", edge=_edge(node.id, other.id, port.name))]
        yield label, [added]


def _no_output(scene: Scene) -> Iterator[Candidate]:
    cls = _role("output")
    users = wiring(scene.graph.ids(), scene.graph.edges).users
    if cls is None:
        return
    for last in reversed(scene.graph.nodes):
        if not users[last.id] and not isinstance(last.block, UnknownBlock):
            node = _fresh(scene, cls(), (last.position[0] + STEP, last.position[1]))
            yield (
                f"Add {cls.label} after {last.id}",
                [
                    scene.edit("add_node", node=node_to_json(node)),
                    scene.edit("add_edge", edge=_edge(last.id, node.id, cls.inputs[0].name)),
                ],
            )


def _output_shape(scene: Scene) -> Iterator[Candidate]:
    """Give the last layer as many outputs as wanted, or add such a layer."""
    match = re.search(r"need (\d+)\.", scene.problem.message)
    edge = _wire(scene)
    if match is None or edge is None:
        return
    wanted = int(match.group(1))
    at: str | None = edge.source
    for _ in range(4):  # activations and the like may stand between the last layer and the output
        if at is None:
            break
        block = scene.graph.node(at).block
        if isinstance(block, Block):
            for name in ("out_features", "out_channels"):
                if any(s.name == name for s in block.settings()):
                    yield f"Set {name} of {at} to {wanted}", _set(scene, name, wanted, id=at)
        at = next(iter(scene.sources[at].values()), None)
    readout, flatten = _role("readout"), _role("flatten")
    shape = scene.shape(edge.source) or ()
    if readout is None or flatten is None:
        return
    layer = readout.from_settings({"out_features": wanted})
    if len(shape) == 1:
        yield f"Insert {readout.label} → {wanted}", insert(scene, edge, layer)
    else:
        first = insert(scene, edge, flatten())
        middle = edits.apply(scene.project, first)
        graph = middle.networks[scene.problem.network]
        second = Scene(middle, scene.report, scene.problem)
        yield (
            f"Insert {flatten.label} and {readout.label} → {wanted}",
            first + insert(second, graph.incoming(scene.node.id)[0], layer),
        )


def _extra_end(scene: Scene) -> Iterator[Candidate]:
    ends = [n for n in scene.graph.nodes if (is_output(n) if scene.problem.code == "outputs" else is_input(n))]
    for node in reversed(ends):
        chain = [node.id]
        if is_output(node):
            chain += _only_for(scene, node.id)
        yield f"Remove {node.id}", [scene.edit("remove_node", id=id) for id in chain]


# --- wires and names -----------------------------------------------------------------------------


def _loop(scene: Scene) -> Iterator[Candidate]:
    loop = next(lp for lp in wiring(scene.graph.ids(), scene.graph.edges).loops if lp[0] == scene.node.id)
    for source, target in reversed([*zip(loop, (*loop[1:], loop[0]), strict=True)]):
        for edge in scene.graph.edges:
            if (edge.source, edge.target) == (source, target):
                removed = scene.edit("remove_edge", edge=dataclasses.asdict(edge))
                yield f"Remove the wire {source} → {target}", [removed]


def _bad_wire(scene: Scene) -> Iterator[Candidate]:
    ids = scene.graph.ids()
    seen: set[tuple[str, str]] = set()
    for edge in scene.graph.edges:
        ports = [p.name for p in scene.graph.node(edge.target).block.ports()] if edge.target in ids else []
        loose = edge.source not in ids or edge.target not in ids or edge.target_port not in ports
        double = (edge.target, edge.target_port) in seen
        seen.add((edge.target, edge.target_port))
        if loose or double:
            removed = scene.edit("remove_edge", edge=dataclasses.asdict(edge))
            yield f"Remove the wire {edge.source} → {edge.target}", [removed]


def _after_output(scene: Scene) -> Iterator[Candidate]:
    source = next(iter(scene.sources[scene.node.id].values()), None)
    changes = []
    for edge in scene.graph.outgoing(scene.node.id):
        changes.append(scene.edit("remove_edge", edge=dataclasses.asdict(edge)))
        if source is not None:
            changes.append(scene.edit("add_edge", edge=_edge(source, edge.target, edge.target_port)))
    yield f"Take the wire from {source}" if source else "Remove the wire", changes


def _missing(scene: Scene) -> Iterator[Candidate]:
    """Connect the block that leads nowhere, or one that fits; else take the block out."""
    users = wiring(scene.graph.ids(), scene.graph.edges).users
    others = [n for n in scene.graph.nodes if n.id != scene.node.id and not is_output(n)]
    x = scene.node.position[0]
    for other in sorted(others, key=lambda n: (bool(users[n.id]), n.position[0] > x, abs(n.position[0] - x))):
        if not users[other.id] or len(scene.node.block.ports()) > 1:
            edge = _edge(other.id, scene.node.id, scene.problem.port or "in")
            yield f"Connect {other.id}", [scene.edit("add_edge", edge=edge)]
    if not users[scene.node.id]:
        yield f"Remove {scene.node.id}", [scene.edit("remove_node", id=scene.node.id)]


def _only_for(scene: Scene, id: str) -> list[str]:
    """The nodes before `id` whose results are used for it alone."""
    users = wiring(scene.graph.ids(), scene.graph.edges).users
    gone, queue = [id], [id]
    while queue:
        for source in scene.sources[queue.pop()].values():
            if source not in gone and set(users[source]) <= set(gone) and not is_input(scene.graph.node(source)):
                gone.append(source)
                queue.append(source)
    return gone[1:]


def _dangling(scene: Scene) -> Iterator[Candidate]:
    gone = [scene.node.id, *_only_for(scene, scene.node.id)]
    yield f"Remove {', '.join(gone)}", [scene.edit("remove_node", id=id) for id in gone]


def _name(scene: Scene) -> Iterator[Candidate]:
    plain = re.sub(r"\W", "_", scene.node.id, flags=re.ASCII).strip("_") or "block"
    for wanted in (plain, f"{plain}_", f"block_{plain}", f"{plain}1"):
        try:
            names.identifier(wanted)
        except ValueError:
            continue
        if wanted not in RESERVED and wanted not in scene.graph.ids():
            yield f"Rename it {wanted}", [scene.edit("rename_node", id=scene.node.id, to=wanted)]


def _unknown(scene: Scene) -> Iterator[Candidate]:
    block = scene.node.block
    assert isinstance(block, UnknownBlock)
    cls = blocks.catalogue().get(block.name)
    if cls is not None:
        node = dataclasses.replace(scene.node, block=cls.from_settings(_valid(cls, block.settings)))
        changes = [scene.edit("replace_node", id=node.id, node=node_to_json(node))]
        yield "Use the usual value", changes
    yield from bypass_candidate(scene)


def bypass_candidate(scene: Scene) -> Iterator[Candidate]:
    """Take the block out and join its neighbours."""
    yield f"Remove {scene.node.id}", bypass(scene, scene.node.id)


def _valid(cls: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that the settings take."""
    kept = {}
    for spec in cls.settings():
        if spec.name in values:
            try:
                kept[spec.name] = spec.check(values[spec.name])
            except SettingError:
                continue
    return {k: list(v) if isinstance(v, tuple) else v for k, v in kept.items()}


# --- the other parts -----------------------------------------------------------------------------


def _training(scene: Scene) -> Iterator[Candidate]:
    kept = _valid(TrainingSettings, scene.project.training)
    values = TrainingSettings.from_settings(kept).to_settings()
    yield "Use the usual value", [edits.set_part("training", values)]


def _batch_size(scene: Scene) -> Iterator[Candidate]:
    now = int(scene.project.training.get("batch_size", 32))
    sizes: Iterable[int] = (32,) if scene.problem.code == "one-value" else (now // 2**i for i in range(1, 12))
    for wanted in sizes:
        if wanted >= 1:
            changes = [edits.set_part("training", {**scene.project.training, "batch_size": wanted})]
            yield f"Use a batch size of {wanted}", changes


def _part(scene: Scene) -> Iterator[Candidate]:
    """The usual data set, task, loss or optimizer in place of one that is unknown or wrongly set."""
    kind = scene.problem.code.removeprefix("unknown-").removesuffix("-setting")
    project = scene.project
    if kind == "data":
        known: Any = data
        current = project.data
    elif kind == "task":
        known, current = tasks, project.task
    elif kind == "loss":
        current = project.loss
        losses = {cls.name: cls for cls in tasks.find(project.task.name).losses}
        cls = losses.get(current.name) or next(iter(losses.values()))
        yield f"Use {cls.label}", [edits.set_part("loss", _choice(cls, current.name, current.settings))]
        return
    else:
        slots = {}
        for slot, choice in project.optimizer.items():
            chosen = optimizers.find(choice.name if choice.name in optimizers.names() else "Adam")
            slots[slot] = _choice(chosen, choice.name, choice.settings)
        yield "Use the usual optimizer", [edits.set_part("optimizer", slots)]
        return
    for name in (current.name, *known.names()):
        if name in known.names():
            cls = known.find(name)
            yield f"Use {cls.label}", [edits.set_part(kind, _choice(cls, current.name, current.settings))]


def _choice(cls: Any, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    kept = _valid(cls, settings) if cls.name == name else {}
    return {"name": cls.name, "settings": cls.from_settings(kept).to_settings()}


def _optimizer(scene: Scene) -> Iterator[Candidate]:
    slots = {slot: {"name": c.name, "settings": c.settings} for slot, c in scene.project.optimizer.items()}
    slots[scene.problem.network] = _choice(optimizers.find("Adam"), "", {})
    yield "Use Adam", [edits.set_part("optimizer", slots)]


_REMEDIES: dict[str, Callable[[Scene], Iterator[Candidate]]] = {
    "rank": _rank,
    "tokens": _tokens,
    "add-mismatch": _equal,
    "subtract-mismatch": _equal,
    "mean-mismatch": _equal,
    "concat-mismatch": _equal,
    "kernel-too-large": _kernel,
    "groups": _divisor,
    "heads": _divisor,
    "padding": _smaller,
    "crop": _smaller,
    "dim": _smaller,
    "reshape": _smaller,
    "channels": bypass_candidate,
    "vocabulary": _vocabulary,
    "input-mismatch": _input,
    "no-input": _no_input,
    "empty": _no_input,
    "no-output": _no_output,
    "output-mismatch": _output_shape,
    "outputs": _extra_end,
    "inputs": _extra_end,
    "cycle": _loop,
    "loose-wire": _bad_wire,
    "unknown-port": _bad_wire,
    "two-wires": _bad_wire,
    "after-output": _after_output,
    "missing-input": _missing,
    "dangling": _dangling,
    "name": _name,
    "unknown-block": _unknown,
    "probabilities": bypass_candidate,
    "training-setting": _training,
    "memory": _batch_size,
    "one-value": _batch_size,
    "unknown-data": _part,
    "data-setting": _part,
    "unknown-task": _part,
    "task-setting": _part,
    "unknown-loss": _part,
    "loss-setting": _part,
    "unknown-optimizer": _part,
    "optimizer-setting": _part,
    "missing-optimizer": _optimizer,
}
