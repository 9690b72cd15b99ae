"""ONNX opens as an editable network with its weights; what has no block stays visible; hostile files are refused."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import blocks
import builder
from builder import templates
from builder.compile import generate, instantiate, write
from builder.export import programs
from builder.graph import Edge, Graph, Node, UnknownBlock
from builder.project import Project, dumps, loads
from builder.reading import Read, ReadError, read
from builder.reading import onnx_file as onnx_file_module
from builder.shapes import infer, leaves
from builder.structure import is_input

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

torch.set_num_threads(1)


def built(found: Read) -> torch.nn.Module:
    """The network that was read, with the weights of the file."""
    generated = generate(found.project)
    network = instantiate(write(generated), generated.classes)["network"]
    assert found.weights is not None
    network.load_state_dict(found.weights["network"])
    return network.eval()


def model(nodes: list[Any], constants: dict[str, Any], shape: list[Any], out: str = "y", **more: Any) -> bytes:
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", more.pop("kind", TensorProto.FLOAT), shape)],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()],
    )
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", more.pop("opset", 20))]
    ).SerializeToString()
    return content


def node(kind: str, *inputs: str, out: str = "y", **attributes: Any) -> Any:
    return helper.make_node(kind, list(inputs), [out], **attributes)


def agrees(content: bytes, x: np.ndarray) -> Read:
    """What was read, after its output was compared with ONNX's own runtime."""
    runtime = pytest.importorskip("onnxruntime")
    found = read("file.onnx", content)
    assert found.project.networks["network"].ids().count("y") == 1
    (wanted,) = runtime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    with torch.no_grad():
        got = built(found)(torch.from_numpy(x)).numpy()
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() < 1e-5
    return found


# --- there and back ------------------------------------------------------------------------------


ARITHMETIC = ("skipgram_hashed",)
"""Its hash is arithmetic with tokens, which no operator of the file tells to be one block."""
LARGE = ("vgg11", "vgg16", "yolo_v1", "unet", "inception_v1", "resnet34", "resnet50")
"""Networks of hundreds of megabytes, and those of which a smaller one of the same blocks is tested: only where
LAYERLOOM_HUGE is set, one by one (LAYERLOOM_HUGE=1 pytest tests/test_reading_onnx.py -k "there_and_back and unet")."""
SMALL = ("lenet5", "mlp", "resnet_digits", "lstm_digits", "rnn_names", "resnet20_cifar")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in SMALL else pytest.mark.slow)
        for name in templates.names()
        if name not in ARITHMETIC
    ],
)
def test_a_network_goes_there_and_back(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    if name in LARGE and not os.environ.get("LAYERLOOM_HUGE"):
        pytest.skip("it takes gigabytes; set LAYERLOOM_HUGE=1 for it")
    project = templates.load(name)
    torch.manual_seed(0)
    networks = builder.compile(project)
    for slot, network in networks.items():
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.momentum = None  # statistics of these samples, so that numbers stay of usual size
            network.train()(*samples(project.networks[slot], 4))
        network.eval()
    builder.export(project, tmp_path, weights={k: n.state_dict() for k, n in networks.items()}, onnx=True)
    for slot, network in networks.items():
        found = read(f"{slot}.onnx", (tmp_path / f"{slot}.onnx").read_bytes())
        assert found.notes == ()
        again = built(found)
        assert sum(p.numel() for p in again.parameters()) == sum(p.numel() for p in network.parameters())
        for count in (1, 3):
            x = samples(project.networks[slot], count)
            with torch.no_grad():
                wanted, got = outputs(network(*x)), outputs(again(*x))
            assert len(wanted) == len(got)
            for one, other in zip(wanted, got, strict=True):
                assert one.abs().max() > 1e-4
                assert (one - other).abs().max() < 1e-5 * max(1.0, float(one.abs().max()))
        assert loads(dumps(found.project)) == found.project
        same_blocks(project.networks[slot], found.project.networks["network"])
        if set(networks) == {"network"}:
            assert builder.check(found.project).ok


def same_blocks(made: Graph, read: Graph) -> None:
    """All blocks are there, composites too; but what does nothing after training is not in the file."""
    shapes: dict[str, Any] = {}
    gone = set()
    for node in made.nodes:
        arriving = {e.target_port: shapes[e.source] for e in made.incoming(node.id)}
        sources = tuple(arriving[port.name] for port in node.block.ports() if port.name in arriving)
        inferred = infer(node.block, sources)
        shapes[node.id] = inferred.shape
        inner = [part.block for part in leaves(inferred.inner)]
        pooled_as_it_is = sources == (inferred.shape,) and type(node.block).__name__ == "AdaptiveAvgPool2d"
        if pooled_as_it_is or (node.block.stochastic and not inferred.parameters) or any(b.stochastic for b in inner):
            gone.add(node.id)  # of a composite its single layers are there
    before, after = {n.id: type(n.block) for n in made.nodes}, {n.id: type(n.block) for n in read.nodes}
    assert {id: kind for id, kind in before.items() if id not in gone} == {
        id: kind for id, kind in after.items() if id in before and id not in gone
    }
    assert gone or set(after) == set(before)


def samples(graph: Graph, count: int) -> list[torch.Tensor]:
    """Random samples for every input of a network."""
    found = []
    for block in (n.block for n in graph.nodes if is_input(n)):
        shape = (count, *block.source_shape())
        tokens = block.holds == "tokens"
        found.append(torch.randint(block.vocabulary, shape) if tokens else torch.randn(shape))
    return found


def outputs(given: Any) -> tuple[torch.Tensor, ...]:
    return given if isinstance(given, tuple) else (given,)


class Block(torch.nn.Module):
    """A residual block with names of its own."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.a = torch.nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.b = torch.nn.BatchNorm2d(after)
        self.c = torch.nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.d = torch.nn.BatchNorm2d(after)
        self.down = torch.nn.Identity()
        if stride != 1 or before != after:
            self.down = torch.nn.Sequential(
                torch.nn.Conv2d(before, after, 1, stride, bias=False), torch.nn.BatchNorm2d(after)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.d(self.c(torch.relu(self.b(self.a(x)))))
        return torch.relu(y + self.down(x))


@pytest.mark.parametrize("stride", [1, 2])
def test_blocks_of_other_names_are_folded_too(stride: int, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    network = torch.nn.Sequential(Block(3, 8, stride), Block(8, 8, 1), torch.nn.Flatten()).eval()
    for name, tensor in network.state_dict().items():
        if "running_var" in name:
            tensor.uniform_(0.5, 2)
        elif "running_mean" in name:
            tensor.normal_()
    torch.onnx.export(
        network,
        (torch.zeros(2, 3, 8, 8),),
        tmp_path / "it.onnx",
        dynamo=True,
        verbose=False,
        optimize=False,
        input_names=["x"],
        output_names=["y"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        external_data=False,
    )
    found = agrees((tmp_path / "it.onnx").read_bytes(), torch.randn(4, 3, 8, 8).numpy())
    kinds = [(type(n.block).__name__, n.id) for n in found.project.networks["network"].nodes[1:-2]]
    assert kinds == [("Residual", "n_0"), ("Residual", "n_1")]
    assert [n.block.stride for n in found.project.networks["network"].nodes[1:3]] == [stride, 1]


RECURRENT: dict[str, dict[str, Any]] = {
    "LSTM": {"bidirectional": True, "output": "sequence"},
    "GRU": {"bidirectional": True, "output": "last"},
    "RNN": {"nonlinearity": "relu", "num_layers": 2},
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_layers_go_there_and_back(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    known = blocks.catalogue()
    graph = Graph(
        (
            Node("x", known["Sequence"](length=6, features=3)),
            Node("layer", known[kind](hidden_size=5, **RECURRENT[kind])),
            Node("y", known["Output"]()),
        ),
        (Edge("x", "out", "layer", "in"), Edge("layer", "out", "y", "in")),
    )
    generated = generate(Project(name="one", networks={"network": graph}))
    network = instantiate(write(generated), generated.classes)["network"].eval()
    programs.write_onnx(network, graph, tmp_path / "one.onnx")
    content = (tmp_path / "one.onnx").read_bytes()
    found = agrees(content, torch.randn(4, 6, 3).numpy())
    kinds = [type(n.block).__name__ for n in found.project.networks["network"].nodes]
    layers = RECURRENT[kind].get("num_layers", 1)
    assert kinds == ["Sequence", *[kind] * layers, "Output"]
    x = torch.randn(2, 6, 3)
    with torch.no_grad():
        assert (built(found)(x) - network(x)).abs().max() < 1e-5


def test_a_state_that_is_not_zero_keeps_the_operator() -> None:
    nodes = [
        node("Transpose", "x", out="t", perm=[1, 0, 2]),
        helper.make_node("RNN", ["t", "w", "r", "", "", "h"], ["", "y"], hidden_size=2),
    ]
    constants = {"w": numbers(1, 2, 3), "r": numbers(1, 2, 2), "h": np.ones((1, 1, 2), np.float32)}
    found = read("file.onnx", model(nodes, constants, [1, 5, 3]))
    told = {n.id: n.note for n in found.project.networks["network"].nodes if n.note}
    assert "ONNX operator RNN: its first state is not zero" in told.values()


# --- single operators ----------------------------------------------------------------------------

RANDOM = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


CASES: dict[str, tuple[list[Any], dict[str, Any], tuple[int, ...]]] = {
    "grouped convolution": (
        [node("Conv", "x", "w", strides=[2, 1], pads=[1, 0, 1, 0], dilations=[1, 2], group=2, kernel_shape=[3, 3])],
        {"w": numbers(6, 2, 3, 3)},
        (2, 4, 9, 9),
    ),
    "one-dimensional convolution": ([node("Conv", "x", "w", "b")], {"w": numbers(3, 4, 3), "b": numbers(3)}, (2, 4, 9)),
    "transposed convolution": (
        [node("ConvTranspose", "x", "w", "b", strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
        {"w": numbers(4, 3, 3, 3), "b": numbers(3)},
        (2, 4, 5, 5),
    ),
    "matrix, then its bias": (
        [node("MatMul", "x", "w", out="h"), node("Add", "h", "b")],
        {"w": numbers(5, 3), "b": numbers(3)},
        (2, 5),
    ),
    "matrix at every step": (
        [node("MatMul", "x", "w", out="h"), node("Add", "b", "h")],
        {"w": numbers(5, 3), "b": numbers(3)},
        (2, 4, 5),
    ),
    "untransposed Gemm": ([node("Gemm", "x", "w")], {"w": numbers(5, 3)}, (2, 5)),
    "batch normalization": (
        [node("BatchNormalization", "x", "a", "b", "m", "v", epsilon=1e-3)],
        {"a": numbers(3), "b": numbers(3), "m": numbers(3), "v": np.abs(numbers(3))},
        (2, 3, 4, 4),
    ),
    "pooling": (
        [node("MaxPool", "x", out="h", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
         node("AveragePool", "h", kernel_shape=[2, 2], strides=[1, 1])],
        {},
        (2, 3, 10, 10),
    ),
    "average with padding": (
        [node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])],
        {},
        (2, 3, 9, 9),
    ),
    "global pooling": ([node("GlobalAveragePool", "x", out="h"), node("Flatten", "h")], {}, (2, 3, 4, 5)),
    "mean without its dimensions": (
        [node("ReduceMean", "x", "axes", keepdims=0)],
        {"axes": np.array([-1, -2])},
        (2, 3, 4, 5),
    ),
    "reshape by the batch": (
        [node("Shape", "x", out="s"), node("Gather", "s", "i", out="n"), node("Unsqueeze", "n", "o", out="u"),
         node("Concat", "u", "r", out="t", axis=0), node("Reshape", "x", "t")],
        {"i": np.array(0), "o": np.array([0]), "r": np.array([-1])},
        (2, 3, 4, 5),
    ),
    "reshape to a picture": ([node("Reshape", "x", "t")], {"t": np.array([0, 3, -1, 2])}, (2, 12)),
    "order of dimensions": ([node("Transpose", "x", perm=[0, 2, 3, 1])], {}, (2, 3, 4, 5)),
    "activations": (
        [node("LeakyRelu", "x", out="a", alpha=0.2), node("Elu", "a", out="b", alpha=0.5), node("Tanh", "b", out="c"),
         node("Sigmoid", "c", out="d"), node("HardSwish", "d", out="e"), node("Gelu", "e", out="f"),
         node("PRelu", "f", "s", out="g"), node("Clip", "g", "lo", "hi", out="h"), node("Softmax", "h", axis=1)],
        {"s": np.full((3, 1, 1), 0.3, np.float32), "lo": np.float32(0), "hi": np.float32(6)},
        (2, 3, 4, 5),
    ),
    "branches": (
        [node("Relu", "x", out="a"), node("Tanh", "x", out="b"), node("Add", "a", "b", out="c"),
         node("Mul", "c", "a", out="d"), node("Sub", "d", "x", out="e"), node("Concat", "e", "x", axis=1)],
        {},
        (2, 3, 4, 4),
    ),
    "enlarged": (
        [node("Resize", "x", "", "s", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")],
        {"s": np.array([1, 1, 2, 2], np.float32)},
        (2, 3, 4, 4),
    ),
    "enlarged by blending": (
        [node("Resize", "x", "", "s", mode="linear", coordinate_transformation_mode="half_pixel")],
        {"s": np.array([1, 1, 3, 3], np.float32)},
        (2, 3, 4, 4),
    ),
    "padded": ([node("Pad", "x", "p", mode="reflect")], {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1])}, (2, 3, 4, 4)),
    "channels as pixels": ([node("DepthToSpace", "x", blocksize=2, mode="CRD")], {}, (2, 8, 3, 3)),
    "local response": ([node("LRN", "x", size=5, alpha=2e-4, beta=0.6, bias=2.0)], {}, (2, 8, 3, 3)),
    "largest of every channel": (
        [node("ReduceMax", "x", "axes", out="h"), node("Flatten", "h")],
        {"axes": np.array([2, 3])},
        (2, 3, 4, 5),
    ),
    "every second pixel, and channels of zeros": (
        [node("Slice", "x", "o", "n", "h", "t", out="s"), node("Pad", "s", "p")],
        {"o": np.array([0, 0]), "n": np.array([99, 99]), "h": np.array([2, 3]), "t": np.array([2, 2]),
         "p": np.array([0, 2, 0, 0, 0, 2, 0, 0])},
        (2, 4, 6, 6),
    ),
    "the middle of a picture, and once more of its columns": (
        [node("Slice", "x", "1", "4", "2", out="a"), node("Slice", "a", "2", "5", "3", out="b"),
         node("Slice", "b", "1", "2", "3")],
        {n: np.array([int(n)]) for n in "12345"},
        (2, 3, 6, 8),
    ),
    "time first and back": (
        [node("Transpose", "x", out="a", perm=[1, 0, 2]), node("Tanh", "x", out="b"),
         node("Transpose", "a", out="c", perm=[1, 2, 0]), node("Transpose", "c", out="d", perm=[0, 2, 1]),
         node("Add", "d", "b")],
        {},
        (2, 3, 5),
    ),
    "layer normalization": (
        [node("LayerNormalization", "x", "a", "b", axis=-1)],
        {"a": numbers(6), "b": numbers(6)},
        (2, 4, 6),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_operator_becomes_a_block_that_computes_the_same(name: str) -> None:
    nodes, constants, shape = CASES[name]
    found = agrees(model(nodes, constants, ["batch", *shape[1:]]), numbers(*shape))
    assert found.notes == ()


def test_slices_that_keep_the_middle_are_one_crop_and_others_none() -> None:
    def slices(rows: tuple[int, int]) -> Read:
        start, end = map(np.array, ([rows[0]], [rows[1]]))
        nodes = [node("Slice", "x", "s", "e", "a", out="m"), node("Slice", "m", "t", "f", "b")]
        more = {"a": np.array([2]), "t": np.array([1]), "f": np.array([4]), "b": np.array([-1])}
        return read("file.onnx", model(nodes, {"s": start, "e": end, **more}, ["batch", 3, 7, 6]))

    crop = blocks.catalogue()["Crop"]
    (kept,) = [n.block for n in slices((1, 5)).project.networks["network"].nodes if type(n.block) is crop]
    assert kept == crop.from_settings({"height": 4, "width": 3})
    off_centre = slices((2, 6))
    assert off_centre.notes != ()
    assert "ONNX Slice" in [getattr(n.block, "name", "") for n in off_centre.project.networks["network"].nodes]


def test_tokens_and_their_vectors() -> None:
    content = model([node("Gather", "w", "x", axis=0)], {"w": numbers(7, 3)}, ["batch", 5], kind=TensorProto.INT64)
    found = agrees(content, np.array([[0, 6, 2, 1, 1]]))
    assert type(found.project.networks["network"].node("x").block).__name__ == "Tokens"


# --- what has no block ---------------------------------------------------------------------------


def test_what_has_no_block_stays_visible_and_the_rest_editable() -> None:
    nodes = [
        *(node("Conv", "x", "w", out="a"), node("Erf", "a", out="b"), node("Conv", "b", "w2", out="c")),
        *(node("Round", "c", out="d"), node("Relu", "d")),
    ]
    found = read("odd.onnx", model(nodes, {"w": numbers(4, 3, 3, 3), "w2": numbers(5, 4, 1, 1)}, [None, 3, 8, 8]))
    graph = found.project.networks["network"]
    kinds = {n.id: n.block.name if isinstance(n.block, UnknownBlock) else type(n.block).__name__ for n in graph.nodes}
    assert list(kinds.values()) == ["Image", "Conv2d", "ONNX Erf", "Conv2d", "ONNX Round", "ReLU", "Output"]
    assert len(graph.edges) == 6
    opaque = graph.node("erf1")
    assert opaque.note == "ONNX operator Erf: there is no block for the operator Erf"
    assert found.notes[-1].startswith("2 operators have no block and stand as in the file, marked: Erf, Round.")
    problems = [p for p in builder.check(found.project).problems if p.code == "unknown-block"]
    assert {p.node for p in problems} == {"erf1", "round1"}
    again = loads(dumps(found.project))
    assert isinstance(again.networks["network"].node("erf1").block, UnknownBlock)
    assert again.networks["network"].edges == graph.edges
    told = {p.node: p.message for p in builder.check(again).problems if p.code == "unknown-block"}
    assert "It is ONNX’s Erf, which no block stands for" in told["erf1"]
    assert found.weights is not None
    assert set(found.weights["network"]) == {"conv1.weight", "conv2.weight"}


def test_a_layer_torch_pads_otherwise_is_opaque() -> None:
    content = model([node("Conv", "x", "w", pads=[0, 0, 1, 1])], {"w": numbers(4, 3, 2, 2)}, [1, 3, 8, 8])
    found = read("file.onnx", content)
    (opaque,) = [n for n in found.project.networks["network"].nodes if isinstance(n.block, UnknownBlock)]
    assert "pads unevenly by 0, 0, 1, 1" in opaque.note
    assert opaque.block.settings["pads"] == (0, 0, 1, 1)


def test_an_open_size_is_said() -> None:
    found = read("file.onnx", model([node("Relu", "x")], {}, [None, 3, "height", "width"]))
    assert "leaves the size of x open; 224 is taken" in found.notes[0]


# --- hostile files -------------------------------------------------------------------------------


def small() -> Any:
    return onnx.load_model_from_string(model([node("Conv", "x", "w")], {"w": numbers(4, 3, 3, 3)}, [1, 3, 8, 8]))


def outside(made: Any) -> None:
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def outside_in_an_attribute(made: Any) -> None:
    tensor = TensorProto(name="c", dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    made.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))


def huge(made: Any) -> None:
    del made.graph.initializer[0].dims[:]
    made.graph.initializer[0].dims.extend([2**31, 2**31, 2**31])


def negative(made: Any) -> None:
    made.graph.initializer[0].dims[0] = -4


def odd_numbers(made: Any) -> None:
    made.graph.initializer[0].data_type = 999


def text(made: Any) -> None:
    made.graph.initializer[0].data_type = TensorProto.STRING


def short(made: Any) -> None:
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-4]


def nowhere(made: Any) -> None:
    made.graph.node[0].input[0] = "missing"


def round_about(made: Any) -> None:
    made.graph.node.extend([node("Add", "y", "b", out="a"), node("Relu", "a", out="b")])


def itself(made: Any) -> None:
    made.graph.node.append(node("Relu", "z", out="z"))


def far_index(made: Any) -> None:
    made.graph.node[0].input[1] = "\0x"


def no_output(made: Any) -> None:
    made.graph.output[0].name = "missing"


def no_input(made: Any) -> None:
    del made.graph.input[:]


def vast_input(made: Any) -> None:
    made.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2**40


def many(made: Any) -> None:
    for i in range(20_001):
        made.graph.node.append(helper.make_node("Relu", ["x"], [f"r{i}"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (outside, "lie in another file, which Layerloom does not open"),
        (outside_in_an_attribute, "lie in another file"),
        (huge, "should have .* numbers, but 108 are there"),
        (negative, "no lengths that a tensor can have"),
        (odd_numbers, "unknown kind"),
        (text, "not numbers|unknown kind"),
        (short, "should have 108 numbers, but 107 are there"),
        (nowhere, "reads 'missing', which nothing gives"),
        (round_about, "Add reads 'b', which nothing gives"),
        (itself, "Relu reads 'z', which nothing gives"),
        (far_index, "which nothing gives"),
        (no_output, "output 'missing' comes from nowhere"),
        (no_input, "has no input"),
        (vast_input, "which no sample has"),
        (many, "20,002 operators; Layerloom opens at most 20,000"),
    ],
)
def test_a_hostile_file_is_refused_with_a_sentence(change: Any, message: str) -> None:
    made = small()
    change(made)
    began = time.monotonic()
    with pytest.raises(ReadError, match=message):
        read("file.onnx", made.SerializeToString())
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not a network", b"\xff" * 1000, b'{"format": 1}'])
def test_what_is_no_onnx_is_said(content: bytes) -> None:
    with pytest.raises(ReadError, match="no ONNX"):
        read("file.onnx", content)


def said(content: bytes) -> str:
    """The sentence with which a file is refused; empty when it opens."""
    try:
        read("file.onnx", content)
    except ReadError as error:
        return str(error)
    return ""


def test_every_cut_gives_a_sentence_or_a_network() -> None:
    whole = model(
        [node("Conv", "x", "w", "b", out="h"), node("Relu", "h")],
        {"w": numbers(4, 3, 3, 3), "b": numbers(4)},
        [1, 3, 8, 8],
    )
    for length in range(0, len(whole), 7):
        assert "\n" not in said(whole[:length])


def test_damaged_bytes_give_a_sentence_or_a_network() -> None:
    whole = model([node("Conv", "x", "w", out="h"), node("Relu", "h")], {"w": numbers(2, 3, 3, 3)}, [1, 3, 8, 8])
    random = np.random.default_rng(3)
    for _ in range(400):
        damaged = bytearray(whole)
        for at in random.integers(0, len(damaged), 3):
            damaged[at] = random.integers(256)
        assert len(said(bytes(damaged))) < 1000


def test_a_loop_of_names_and_a_bomb_of_constants() -> None:
    nodes = [node("Concat", "c0", "c0", out="c1", axis=0)]
    nodes += [node("Concat", f"c{i}", f"c{i}", out=f"c{i + 1}", axis=0) for i in range(1, 60)]
    content = model([*nodes, node("Relu", "x")], {"c0": np.zeros(64, np.float32)}, [1, 3])
    found = read("file.onnx", content)  # constants are worked out up to a bound, then stand as blocks
    assert len(found.project.networks["network"].nodes) < 100


BOMB = {
    "padding": ([node("Pad", "x", "p", out="h"), node("Round", "h")], {"p": np.array([0, 2**40, 0, 2**40])}),
    "rows picked": (
        [node("Gather", "c", "i", out="h"), node("Round", "x")],
        {"c": numbers(3, 999), "i": np.zeros(10**5, int)},
    ),
    "repeated": (
        [node("Expand", "c", "s", out="h"), node("Round", "x")],
        {"c": numbers(1), "s": np.array([2**31, 2**31])},
    ),
    "recurrent": ([node("RNN", "x", "w", "r", hidden_size=2**40)], {"w": numbers(1, 2, 3), "r": numbers(1, 2, 2)}),
}


@pytest.mark.parametrize("name", BOMB)
def test_small_operators_that_ask_for_much_stay_as_they_are(name: str) -> None:
    nodes, constants = BOMB[name]
    began = time.monotonic()
    found = read("file.onnx", model(nodes, constants, [1, 3]))
    assert any(isinstance(n.block, UnknownBlock) for n in found.project.networks["network"].nodes)
    assert time.monotonic() - began < 20


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file_module, "find_spec", lambda name: None)
    with pytest.raises(ReadError, match="pip install onnx"):
        read("file.onnx", b"")
