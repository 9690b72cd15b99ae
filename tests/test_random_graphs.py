"""Random networks of all blocks: what `check` calls ok compiles, trains and exports; what it refuses has problems.

Networks are built forward, each block on results that are already there. A careful builder keeps only
blocks that take what they receive; a careless one draws blocks, settings, wires and names at random.
"""

from __future__ import annotations

import random
import runpy
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, event, given, settings, strategies
from torch import Tensor, nn

import blocks
import builder
from blocks.base import Block, BlockError, Declared, Setting, SettingError, Shape, setting
from builder import edits
from builder.data.base import Dataset, Field
from builder.graph import Edge, Graph, Node
from builder.project import Choice, Project, from_json, to_json
from builder.shapes import Inner, build, infer
from builder.source import generate
from builder.training import job
from builder.training.loop import Loop
from builder.validate import check

EXAMPLES = 300
CLASSES = 5
SAMPLES = 6
LARGEST = 3_000
"""Values a drawn block may give out, and parameters it may have times ten: small networks, quick tests."""


class Anything(Dataset):
    """Random samples of a shape of one's choice."""

    name = "random_samples"
    label = "Random samples"
    shape: tuple[int, ...] = setting((1, 8, 8), min=1)
    vocabulary: int = setting(0, min=0)

    def fields(self) -> dict[str, Field]:
        tokens = self.vocabulary > 0
        entering = Field(self.shape, "tokens" if tokens else "features", self.vocabulary if tokens else None)
        return {"x": entering, "label": Field((), "class", CLASSES)}

    def class_names(self) -> tuple[str, ...]:
        return tuple("abcde")

    @staticmethod
    def load_arrays(
        settings: dict[str, Any], folder: Path | None, progress: Any = None
    ) -> dict[str, dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(0)
        size = (SAMPLES, *settings["shape"])
        x = torch.randn(size, generator=generator)
        if settings["vocabulary"]:
            x = torch.randint(0, settings["vocabulary"], size, generator=generator)
        return {"train": {"x": x, "label": torch.arange(SAMPLES) % CLASSES}}

    @staticmethod
    def make_batch(
        split: dict[str, Tensor], index: Tensor, settings: dict[str, Any], generator: Any = None
    ) -> dict[str, Tensor]:
        return {name: values[index] for name, values in split.items()}


@pytest.fixture(autouse=True)
def surroundings() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    builder.data.register(Anything)
    yield
    builder.data._registered.pop(Anything.name)
    torch.set_num_threads(before)


# --- drawing -------------------------------------------------------------------------------------


def value(spec: Setting, dice: random.Random) -> Any:
    """A value for a setting, within its bounds and small."""
    if spec.optional and dice.random() < 0.3:
        return None
    if spec.choices is not None:
        return dice.choice(spec.choices)
    low = int(spec.min) if spec.min is not None else 0
    high = low + 7 if spec.max is None else min(low + 7, int(spec.max))
    match spec.kind:
        case "bool":
            return dice.random() < 0.5
        case "text":
            return dice.choice(("", "a", "long text"))
        case "int":
            return dice.randint(low, high) if dice.random() < 0.8 else spec.default
        case "size":
            one = dice.randint(low, min(high, low + 3))
            return one if dice.random() < 0.7 else (one, dice.randint(low, min(high, low + 3)))
        case "ints":
            return (
                tuple(dice.randint(low, high) for _ in range(dice.randint(1, 3)))
                if dice.random() < 0.7
                else spec.default
            )
        case "float":
            return dice.choice((spec.default, spec.min if spec.min is not None else 0.0, 0.5))
        case _:
            return spec.default


def drawn(cls: type[Declared], dice: random.Random) -> Any:
    """An instance with some settings at their defaults and some drawn."""
    values = {s.name: value(s, dice) for s in cls.settings() if dice.random() < 0.6}
    try:
        return cls(**values)
    except SettingError:
        return cls()


def entering(dice: random.Random) -> tuple[Block, Choice]:
    """An input block and data of its shape."""
    kinds = [cls for cls in blocks.catalogue().values() if cls().source_shape() is not None]
    block = dice.choice(kinds)
    low = {s.name: int(s.min or 1) for s in block.settings()}
    block = block(**{name: least + dice.randint(1, 9) for name, least in low.items()})
    shape = block.source_shape()
    assert shape is not None
    vocabulary = block.to_settings()["vocabulary"] if block.holds == "tokens" else 0
    return block, Choice(Anything.name, {"shape": list(shape), "vocabulary": vocabulary})


def fits(block: Block, known: dict[str, tuple[Shape, Block]], dice: random.Random) -> tuple[list[str], Shape] | None:
    """Sources this block can read, and the shape it then gives; None when it finds none."""
    sources = []
    for port in block.ports():
        suitable = [id for id, (shape, b) in known.items() if port.accepts(shape) and port.holds == b.holds]
        if not suitable:
            return None
        sources.append(dice.choice(suitable[-4:]))
    try:
        found = infer(block, tuple(known[s][0] for s in sources))
    except BlockError:
        return None
    if found.elements > LARGEST or found.parameters > 10 * LARGEST or found.flops > 10**7 or 0 in found.shape:
        return None
    return sources, found.shape


def careful(dice: random.Random, length: int, own: Sequence[type[Block]] = (), heads: int = 0) -> Project:
    """A network in which every block takes what it receives, and whose end has one number per class.

    Every second block is one of `own`, if there are any; `heads` more outputs are auxiliary.
    """
    first, data = entering(dice)
    shape = first.source_shape()
    assert shape is not None
    nodes, edges = [Node("input", first)], []
    known: dict[str, tuple[Shape, Block]] = {"input": (shape, first)}
    catalogue = [cls for cls in blocks.catalogue().values() if cls.category != "input"]

    def put(id: str, block: Block, sources: list[str], shape: Shape) -> None:
        nodes.append(Node(id, block))
        edges.extend(Edge(s, "out", id, p.name) for s, p in zip(sources, block.ports(), strict=True))
        known[id] = (shape, block)

    def end(role: str, id: str, **values: Any) -> None:
        block = next(cls for cls in blocks.catalogue().values() if cls.role == role)(**values)
        last = list(known)[-1]
        put(id, block, [last], infer(block, (known[last][0],)).shape)

    if first.holds == "tokens":
        end("embed", "embed", num_embeddings=first.to_settings()["vocabulary"], embedding_dim=dice.randint(1, 6))
    for i in range(length):
        for _ in range(12):
            block = drawn(dice.choice(own if own and dice.random() < 0.5 else catalogue), dice)
            if (found := fits(block, known, dice)) is not None:
                put(f"{block.stem or 'block'}_{i}", block, *found)
                break
    begin = [id for id, (_, b) in known.items() if b.holds == "features"]
    for number, start in enumerate([list(known)[-1], *(dice.choice(begin) for _ in range(heads))]):
        known[start] = known.pop(start)  # the last one is where a head begins
        mark = f"_of_head{number}" if number else ""
        if len(known[start][0]) > 1:
            end("flatten", f"flatten{mark}")
        end("readout", f"scores{mark}", out_features=CLASSES)
        end("output", f"output{mark}")
    return finished(Graph(tuple(nodes), tuple(edges)), data, dice)


def careless(dice: random.Random, length: int) -> Project:
    """A network of anything joined to anything."""
    first, data = entering(dice)
    catalogue = list(blocks.catalogue().values())
    nodes, edges = [Node("input", first)], []
    for i in range(length + 1):
        block = drawn(dice.choice(catalogue), dice)
        id = dice.choice(("train", "class", "a b", "x\ny", "é")) if dice.random() < 0.03 else f"node_{i}"
        if id in {n.id for n in nodes}:
            continue
        nodes.append(Node(id, block))
        for port in block.ports():
            if dice.random() < 0.95:
                edges.append(Edge(dice.choice(nodes).id, "out", id, port.name))
    if dice.random() < 0.2:
        edges.append(Edge(dice.choice(nodes).id, "out", dice.choice((*nodes, Node("ghost", first))).id, "in"))
    output = next(cls for cls in blocks.catalogue().values() if cls.role == "output")
    if dice.random() < 0.8:
        edges.append(Edge(nodes[-1].id, "out", "output", "in"))
        nodes.append(Node("output", output()))
    return finished(Graph(tuple(nodes), tuple(dict.fromkeys(edges))), data, dice)


def finished(graph: Graph, data: Choice, dice: random.Random) -> Project:
    return Project(
        name=dice.choice(("random", "Netz №7", '"quoted"\n')),
        networks={"network": graph},
        data=data,
        training={"epochs": 1, "batch_size": SAMPLES, "threads": 1, "seed": dice.randint(0, 99), "device": "cpu"},
    )


# --- an interpreter as the oracle ----------------------------------------------------------------


class Leaf:
    """A network as the graph says, without generated source: modules made and called one after the other."""

    def __init__(self, project: Project) -> None:
        self.graph = project.networks["network"]
        report = check(project)
        self.order = self.graph.order()
        self.modules: dict[str, Any] = {}
        for id in self.order:
            node = self.graph.node(id)
            received = tuple(report.nodes["network"][id].inputs.values())
            self.modules[id] = self.make(node.block, received)

    def make(self, block: Block, received: tuple[Shape, ...]) -> Any:
        found = infer(block, received)
        if found.call is not None:
            return build(found.call)
        return [
            (step, self.make(step.block, self.received(step, found.inner, block, received))) for step in found.inner
        ]

    @staticmethod
    def received(step: Inner, inner: tuple[Inner, ...], block: Block, outer: tuple[Shape, ...]) -> tuple[Shape, ...]:
        known = dict(zip((p.name for p in block.ports()), outer, strict=False))
        known |= {i.id: i.inferred.shape for i in inner}
        return tuple(known[s] for s in step.sources)

    def parameters(self, module: Any = None) -> Iterator[Tensor]:
        for made in self.modules.values() if module is None else [m for _, m in module]:
            yield from self.parameters(made) if isinstance(made, list) else made.parameters()

    def call(self, block: Block, module: Any, inputs: list[Tensor], training: bool) -> Tensor:
        if isinstance(module, nn.Module):
            return module.train(training)(*inputs)
        if not module:
            return inputs[0]
        values = dict(zip((p.name for p in block.ports()), inputs, strict=True))
        template = block.template(*(tuple(x.shape[1:]) for x in inputs))
        assert template is not None
        for step, made in module:
            values[step.id] = self.call(step.block, made, [values[s] for s in step.sources], training)
        return values[template.result]

    def __call__(self, x: Tensor, training: bool) -> Tensor | tuple[Tensor, ...]:
        values: dict[str, Tensor] = {}
        results: list[Tensor] = []
        for id in self.order:
            node = self.graph.node(id)
            if node.block.source_shape() is not None:
                values[id] = x
                continue
            sources = {e.target_port: e.source for e in self.graph.incoming(id)}
            inputs = [values[sources[p.name]] for p in node.block.ports()]
            values[id] = self.call(node.block, self.modules[id], inputs, training)
            if node.block.role == "output":
                results.append(values[id])
        return tuple(results) if len(results) > 1 else results[0]


# --- the property --------------------------------------------------------------------------------


def same(a: Tensor | tuple[Tensor, ...], b: Tensor | tuple[Tensor, ...]) -> bool:
    """Bitwise, with NaN equal to NaN."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a.shape == b.shape and torch.equal(torch.nan_to_num(a, 7.0), torch.nan_to_num(b, 7.0))


def accepted(project: Project, folder: Path) -> None:
    """What is called ok compiles, agrees with the interpreter, trains one step and exports the same network."""
    seed = project.training["seed"]
    torch.manual_seed(seed)
    networks = builder.compile(project, folder)
    torch.manual_seed(seed)
    oracle = Leaf(project)
    data = Anything.from_settings(project.data.settings)
    splits = data.load_arrays(data.to_settings(), None)
    x = splits["train"]["x"]
    network = networks["network"]
    ours, theirs = list(network.parameters()), list(oracle.parameters())
    assert len(ours) == len(theirs)
    assert all(same(a, b) for a, b in zip(ours, theirs, strict=True)), "weights are drawn in another order"
    for training in (False, True):
        torch.manual_seed(1)
        got = network.train(training)(x)
        torch.manual_seed(1)
        assert same(got, oracle(x, training))
    assert sum(p.numel() for p in ours) == check(project).parameters["network"]

    task = job.parts(project).task
    prepared = task.prepare(splits, job.settings(project))
    loop = Loop(networks, splits, data.make_batch, task.train_step, task.evaluate, prepared)
    record = next(loop.run())
    assert record["step"] == 1
    assert set(record["losses"]) == {"loss"}

    path = folder / "exported.py"
    path.write_text(builder.source(project))
    exported = runpy.run_path(str(path))[generate(project).classes["network"]]()
    exported.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert same(exported.eval()(x), network.eval()(x))
    assert from_json(to_json(project)) == project


def exported_whole(project: Project, folder: Path) -> None:
    """The folder that is exported holds the very text that was compared. (Gathering train.py takes its time.)"""
    builder.export(project, folder)
    assert (folder / "model.py").read_text() == builder.source(project)


def refused(project: Project) -> None:
    """What is refused says why, cannot be compiled, and its fixes can be applied."""
    report = check(project)
    errors = [p for p in report.problems if p.severity == "error"]
    assert errors
    assert all(p.message.strip() for p in errors)
    with pytest.raises(ValueError, match="cannot be compiled"):
        builder.compile(project)
    for problem in report.problems:
        if problem.fix is not None:
            check(edits.apply(project, problem.fix.edits))


@pytest.mark.slow
def test_whatever_check_says_holds(tmp_path: Path) -> None:
    counted: Counter[str] = Counter()
    used: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategies.booleans(), strategies.integers(1, 8), strategies.integers(0, 2**32))
    def holds(is_careful: bool, length: int, seed: int) -> None:
        dice = random.Random(seed)
        project = careful(dice, length) if is_careful or dice.random() < 0.4 else careless(dice, length)
        ok = check(project).ok
        event("ok" if ok else "refused")
        counted["ok" if ok else "refused"] += 1
        if ok:
            with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
                accepted(project, Path(folder))
                if counted["ok"] % 25 == 1:
                    exported_whole(project, Path(folder) / "export")
            used.update(type(n.block).__name__ for n in project.networks["network"].nodes)
        else:
            refused(project)

    holds()
    assert counted["ok"] + counted["refused"] >= EXAMPLES
    assert counted["ok"] >= EXAMPLES // 2, counted
    assert counted["refused"] >= EXAMPLES // 10, counted
    missing = set(blocks.catalogue()) - set(used)
    assert len(missing) <= len(blocks.catalogue()) // 5, f"never drawn into a valid network: {missing}"
