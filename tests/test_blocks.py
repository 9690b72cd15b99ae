"""Every block against its hand-written examples, against PyTorch, and against its own declaration."""

from __future__ import annotations

import ast
import dataclasses
import json
import keyword
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import blocks
from blocks import modules
from blocks.base import Block, BlockError, Call, Example, Setting, SettingError, Shape
from builder.compile import instantiate, write
from builder.graph import Edge, Graph, Node
from builder.project import Choice, Project
from builder.shapes import infer
from builder.source import generate

torch.set_num_threads(1)

CATALOGUE = blocks.catalogue()
CASES = [
    pytest.param(cls, example, id=f"{name}-{i}")
    for name, cls in CATALOGUE.items()
    for i, example in enumerate(cls.examples)
]
LAYERS = [
    case for case in CASES if case.values[0]().source_shape() is None and case.values[0] is not CATALOGUE["Output"]
]
"""The cases that become modules: all but inputs and the output."""


# --- a small evaluator of its own, so that the tables do not lean on the engine ---------------------


def build(call: Call) -> nn.Module:
    def value(item: Any) -> Any:
        return build(item) if isinstance(item, Call) else item

    home, _, name = call.target.rpartition(".")
    cls = getattr({"nn": nn, "": modules}[home], name)
    made = cls(*map(value, call.args), **{k: value(v) for k, v in call.kwargs.items()})
    assert isinstance(made, nn.Module)
    return made


class Whole(nn.Module):
    """A block as a module: its layer, or the layers of its inside in the template's order."""

    def __init__(self, block: Block, shapes: tuple[Shape, ...]) -> None:
        super().__init__()
        self.ports = [port.name for port in block.ports()]
        self.template = block.template(*shapes)
        call = block.layer(*shapes)
        assert (call is None) != (self.template is None), "a block has a layer or a template"
        self.parts = nn.ModuleDict()
        if self.template is None:
            assert call is not None
            self.parts["layer"] = build(call)
            return
        known = dict(zip(self.ports, shapes, strict=True))
        for step in self.template.steps:
            received = tuple(known[source] for source in step.sources)
            step.block.check(*received)
            self.parts[step.id] = Whole(step.block, received)
            with torch.no_grad():
                sample = (torch.zeros(2, *shape, device=torch.get_default_device()) for shape in received)
                known[step.id] = tuple(self.parts[step.id].eval()(*sample).shape[1:])
        self.train()

    def forward(self, *inputs: Tensor) -> Tensor:
        if self.template is None:
            answer: Tensor = self.parts["layer"](*inputs)
            return answer
        known = dict(zip(self.ports, inputs, strict=True))
        for step in self.template.steps:
            known[step.id] = self.parts[step.id](*(known[source] for source in step.sources))
        return known[self.template.result]


def samples(block: Block, shapes: tuple[Shape, ...], batch: int) -> list[Tensor]:
    """Random inputs; tokens stay below every vocabulary of the examples."""
    return [
        torch.randint(0, 5, (batch, *shape)) if port.holds == "tokens" else torch.randn(batch, *shape)
        for port, shape in zip(block.ports(), shapes, strict=True)
    ]


# --- the catalogue ----------------------------------------------------------------------------------

CONTRACT = (
    "Image Vector Tokens Sequence Output Conv2d Conv1d ConvTranspose2d MaxPool2d "
    "AvgPool2d AdaptiveAvgPool2d AdaptiveMaxPool2d GlobalAvgPool2d MaxPool1d BatchNorm2d BatchNorm1d LayerNorm GroupNorm "
    "InstanceNorm2d LocalResponseNorm Dropout Dropout2d Linear Bilinear Flatten Reshape Permute "
    "Crop Pad Upsample PixelShuffle PixelUnshuffle ReLU Tanh Sigmoid LeakyReLU "
    "PReLU ELU GELU SiLU Softmax LogSoftmax Hardswish Add Concatenate "
    "Multiply Subtract Mean Embedding PositionalEncoding RNN LSTM GRU MultiheadAttention "
    "TransformerEncoder Noise Constant Residual Inception VGGStage DoubleConv DenseBlock SqueezeExcite "
    "DepthwiseSeparable AuxiliaryHead EncoderStage DecoderStage DarknetStage "
)
"""Names that project files carry."""


def test_the_catalogue_has_every_block_that_saved_projects_may_name() -> None:
    assert not set(CONTRACT.split()) - set(CATALOGUE)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_block_says_what_it_is(name: str) -> None:
    cls = CATALOGUE[name]
    assert cls.__name__ == name
    assert cls.stem.isidentifier(), "nodes are called after it, and so are attributes of the model"
    assert not keyword.iskeyword(cls.stem)
    assert not hasattr(nn.Module, cls.stem)
    assert cls.label
    assert cls.category in blocks.CATEGORIES
    assert cls.help.endswith(".")
    assert len(cls.help) <= 130, "one short explanation for a student"
    assert cls.formula
    assert cls.source
    assert cls.__doc__
    assert all(setting.help for setting in cls.settings())
    ports = [port.name for port in cls().ports()]
    assert len(set(ports)) == len(ports)
    assert len(cls.examples) >= (2 if cls.settings() else 1)


def test_labels_are_unique() -> None:
    labels = [cls.label for cls in CATALOGUE.values()]
    assert sorted(labels) == sorted(set(labels))


def test_blocks_import_no_page_and_no_engine_and_torch_in_one_file_only() -> None:
    for path in Path(blocks.__file__).parent.glob("*.py"):
        imported = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
        assert not imported & {"streamlit", "builder"}, path.name
        assert "torch" not in imported or path.name == "modules.py", path.name


def test_variadic_blocks_number_their_ports() -> None:
    assert [port.name for port in CATALOGUE["Add"](count=3).ports()] == ["in1", "in2", "in3"]


# --- the examples -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cls, example", CASES)
def test_settings_survive_json(cls: type[Block], example: Example) -> None:
    block = cls.from_settings(example.settings)
    again = cls.from_settings(json.loads(json.dumps(block.to_settings())))
    assert again == block
    assert hash(again) == hash(block)


@pytest.mark.parametrize("cls, example", CASES)
def test_ports_take_the_example(cls: type[Block], example: Example) -> None:
    block = cls.from_settings(example.settings)
    ports = block.ports() if block.source_shape() is None else ()
    assert len(ports) == len(example.inputs)
    assert all(port.accepts(shape) for port, shape in zip(ports, example.inputs, strict=True))


@pytest.mark.parametrize("cls, example", CASES)
def test_the_engine_finds_the_written_shape_and_parameters(cls: type[Block], example: Example) -> None:
    found = infer(cls.from_settings(example.settings), example.inputs)
    assert found.shape == example.output
    assert found.parameters == (example.parameters or 0)


@pytest.mark.parametrize("cls, example", LAYERS)
def test_meta_and_real_runs_give_the_written_shape_and_parameters(cls: type[Block], example: Example) -> None:
    block = cls.from_settings(example.settings)
    block.check(*example.inputs)
    with torch.device("meta"):
        symbolic = Whole(block, example.inputs).eval()
    inputs = [x.to("meta") for x in samples(block, example.inputs, 83)]
    assert tuple(symbolic(*inputs).shape) == (83, *example.output)
    real = Whole(block, example.inputs).eval()
    with torch.no_grad():
        assert tuple(real(*samples(block, example.inputs, 2)).shape) == (2, *example.output)
    assert example.parameters is not None, "an example of a layer says how many parameters it has"
    for whole in (symbolic, real):
        assert sum(p.numel() for p in whole.parameters()) == example.parameters


@pytest.mark.parametrize("cls, example", LAYERS)
def test_every_parameter_is_trained(cls: type[Block], example: Example) -> None:
    torch.manual_seed(1)
    block = cls.from_settings(example.settings)
    whole = Whole(block, example.inputs).train()
    output = whole(*samples(block, example.inputs, 2))
    if any(p.requires_grad for p in whole.parameters()):
        (output * torch.randn(output.shape)).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in whole.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), f"{name} gets no gradient"


@pytest.mark.parametrize("cls, example", LAYERS)
def test_only_blocks_that_say_so_are_random(cls: type[Block], example: Example) -> None:
    block = cls.from_settings(example.settings)
    whole, inputs = Whole(block, example.inputs), samples(block, example.inputs, 2)
    with torch.no_grad():
        whole.eval()
        assert torch.equal(whole(*inputs), whole(*inputs))
        whole.train()
        if not cls.stochastic:
            assert torch.equal(whole(*inputs), whole(*inputs))


RANDOM: dict[str, tuple[dict[str, Any], Shape]] = {
    "Dropout": ({"p": 0.5}, (50,)),
    "Dropout2d": ({"p": 0.5}, (50, 2, 2)),
    "Noise": ({"std": 0.5}, (50,)),
    "RNN": ({"num_layers": 2, "dropout": 0.5}, (4, 6)),
    "LSTM": ({"num_layers": 2, "dropout": 0.5}, (4, 6)),
    "GRU": ({"num_layers": 2, "dropout": 0.5}, (4, 6)),
    "MultiheadAttention": ({"dropout": 0.5}, (8, 8)),
    "TransformerEncoder": ({"dropout": 0.5}, (8, 8)),
    "AuxiliaryHead": ({}, (4, 6, 6)),
    "GaussianSample": ({}, (4,)),
}


def test_blocks_that_say_they_are_random_are_so_while_training_only() -> None:
    assert set(RANDOM) == {name for name, cls in CATALOGUE.items() if cls.stochastic}
    for name, (values, shape) in RANDOM.items():
        whole, x = Whole(CATALOGUE[name](**values), (shape,)), torch.randn(3, *shape)
        with torch.no_grad():
            assert not torch.equal(whole.train()(x), whole(x)), name
            assert torch.equal(whole.eval()(x), whole(x)), name


# --- what a block says about itself ------------------------------------------------------------------

UNCOUNTED = {
    # PyTorch's counter leaves out its fused kernels; these are counted by hand.
    ("Bilinear", 0): 3 * 5 * 4,
    ("Bilinear", 1): 1 * 6 * 2,
    ("LSTM", 0): 5 * 4 * 20 * (10 + 20),
    ("LSTM", 1): 5 * 2 * 4 * 20 * (10 + 20),
    ("LSTM", 2): 5 * 4 * 8 * (3 + 8) + 5 * 4 * 8 * (8 + 8),
    ("MultiheadAttention", 0): 4 * 10 * 32 * 32 + 2 * 10 * 10 * 32,
    ("MultiheadAttention", 1): 4 * 5 * 6 * 6 + 2 * 5 * 5 * 6,
    ("TransformerEncoder", 0): 4 * 10 * 32 * 32 + 2 * 10 * 10 * 32 + 2 * 10 * 32 * 128,
    ("TransformerEncoder", 1): 4 * 4 * 6 * 6 + 2 * 4 * 4 * 6 + 2 * 4 * 6 * 3,
}


@pytest.mark.parametrize("cls, example", LAYERS)
def test_work_is_what_pytorch_counts(cls: type[Block], example: Example) -> None:
    block = cls.from_settings(example.settings)
    whole, inputs = Whole(block, example.inputs).eval().requires_grad_(False), samples(block, example.inputs, 1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        whole(*inputs)
    by_hand = UNCOUNTED.get((cls.__name__, cls.examples.index(example)))
    counted = counter.get_total_flops() // 2  # it counts a multiply and an add as two
    assert infer(block, example.inputs).flops == (counted if by_hand is None else by_hand)


@pytest.mark.parametrize("cls, example", LAYERS)
def test_a_layer_with_parameters_explains_their_number(cls: type[Block], example: Example) -> None:
    block = cls.from_settings(example.settings)
    if example.parameters and block.layer(*example.inputs) is not None:
        told = block.explain(example.inputs, example.output)
        assert f"{example.parameters:,}" in told.replace("\n", " ").split(" "), told


@pytest.mark.parametrize(
    "name, values, shape, text",
    [
        ("Conv2d", {"kernel_size": 5}, (6, 14, 14), "out = ⌊(14 + 2·0 − 5) / 1⌋ + 1 = 10\n16·(6·5·5) + 16 = 2,416"),
        (
            "Conv2d",
            {"kernel_size": (1, 3), "bias": False},
            (2, 9, 9),
            "out = ⌊(9 + 2·0 − 1) / 1⌋ + 1 = 9\nout = ⌊(9 + 2·0 − 3) / 1⌋ + 1 = 7\n16·(2·1·3) = 96",
        ),
        ("Conv1d", {}, (2, 10), "out = ⌊(10 + 2·0 − 3) / 1⌋ + 1 = 8\n16·(2·3) + 16 = 112"),
        (
            "MaxPool2d",
            {"kernel_size": 3, "stride": 2, "ceil_mode": True},
            (4, 6, 6),
            "out = ⌈(6 + 2·0 − 3) / 2⌉ + 1 = 3",
        ),
        (
            "ConvTranspose2d",
            {"out_channels": 8},
            (16, 7, 7),
            "out = (7 − 1)·2 − 2·0 + 1·(2 − 1) + 0 + 1 = 14\n16·(8·2·2) + 8 = 520",
        ),
        ("Linear", {"out_features": 120}, (400,), "400·120 + 120 = 48,120"),
        ("Flatten", {}, (16, 5, 5), "16·5·5 = 400"),
        ("LSTM", {"hidden_size": 20}, (5, 10), "4·(20·10 + 20·20 + 2·20) = 2,560"),
        ("Embedding", {"num_embeddings": 1000, "embedding_dim": 32}, (16,), "1,000·32 = 32,000"),
        ("Inception", {}, (192, 28, 28), "64 + 128 + 32 + 32 = 256 channels"),
        ("DenseBlock", {}, (16, 8, 8), "16 + 4·12 = 64 channels"),
    ],
)
def test_explanations_read_as_on_the_blackboard(name: str, values: dict[str, Any], shape: Shape, text: str) -> None:
    block = CATALOGUE[name](**values)
    assert block.explain((shape,), infer(block, (shape,)).shape) == text


@given(
    length=st.integers(1, 40),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3),
    ceil=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_written_formula_gives_pytorch_s_length(
    length: int, kernel: int, stride: int, padding: int, ceil: bool
) -> None:
    block = CATALOGUE["MaxPool2d"](kernel_size=kernel, stride=stride, padding=min(padding, kernel // 2), ceil_mode=ceil)
    if length + 2 * min(padding, kernel // 2) < kernel:
        with pytest.raises(BlockError) as refused:
            infer(block, ((1, length, length),))
        assert refused.value.code == "kernel-too-large"
        return
    output = infer(block, ((1, length, length),)).shape
    assert block.explain(((1, length, length),), output).endswith(f" = {output[1]}")


# --- settings over their range ------------------------------------------------------------------------


def variations(spec: Setting) -> Iterator[Any]:
    """Values a person may try: every choice, both ends of the range, a few in between, pairs."""
    if spec.optional:
        yield None
    if spec.kind == "choice":
        yield from spec.choices or ()
    elif spec.kind == "bool":
        yield from (False, True)
    elif spec.kind in ("int", "size"):
        low, high = spec.min if spec.min is not None else 1, spec.max if spec.max is not None else 10**9
        yield from sorted({int(n) for n in (low, low + 1, 2, 3, 5, 8, high) if low <= n <= high})
        if spec.kind == "size":
            yield from (pair for pair in ((2, 1), (1, 3), (3, 2)) if low <= min(pair))
    elif spec.kind == "float":
        low, high = spec.min if spec.min is not None else -1e3, spec.max if spec.max is not None else 1e3
        yield from (low, (low + high) / 2, high)
    elif spec.kind == "ints":
        yield from ((), (1,), (2, 3), (1, 0), (3, -1), (-1, -1), (0, 1, 2), (2, 0, 1), (1,) * 9)
    else:
        raise AssertionError(f"no values are known for settings of the kind {spec.kind}")


@pytest.mark.parametrize("cls, example", [case for case in LAYERS if str(case.id).endswith("-0")])
def test_every_setting_builds_or_is_refused_in_the_block_s_own_words(cls: type[Block], example: Example) -> None:
    outcomes = []
    for spec in cls.settings():
        for value in (*variations(spec), example.settings.get(spec.name, spec.default)):
            if spec.kind == "ints" and spec.min is not None and any(item < spec.min for item in value):
                continue
            block = cls.from_settings({**example.settings, spec.name: value})
            count = len(block.ports())
            outcomes.append((spec.name, value, outcome(block, (example.inputs * count)[:count])))
    assert not [told for told in outcomes if told[2].startswith("torch")]
    built = {name for name, _, told in outcomes if told == "built"}
    assert built == {spec.name for spec in cls.settings()}, "every setting has a value that builds"


def outcome(block: Block, shapes: tuple[Shape, ...]) -> str:
    """``"built"``, or the code and message with which the block refused."""
    try:
        found = infer(block, shapes)
    except BlockError as error:
        return f"{error.code}: {error}"
    block.explain(shapes, found.shape)
    return "built"


@pytest.mark.parametrize("name", CATALOGUE)
def test_values_out_of_range_are_refused_with_the_bound(name: str) -> None:
    cls = CATALOGUE[name]
    for spec in cls.settings():
        wrong: list[Any] = [object()]
        if spec.kind not in ("text",) and spec.choices is None:
            wrong.append("many")
        for bound, step in ((spec.min, -1), (spec.max, 1)):
            if bound is not None and spec.choices is None:
                value = type(spec.default if isinstance(spec.default, (int, float)) else 0)(bound) + step
                wrong.append([value] if spec.kind == "ints" else value)
        if spec.kind == "size":
            wrong.append([1, 2, 3])
        for value in wrong:
            with pytest.raises(SettingError, match=spec.name):
                cls.from_settings({spec.name: value})


window = st.one_of(st.integers(1, 5), st.tuples(st.integers(1, 5), st.integers(1, 5)))
border = st.one_of(st.integers(0, 4), st.tuples(st.integers(0, 4), st.integers(0, 4)))


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 7)),
    values=st.fixed_dictionaries(
        {
            "out_channels": st.integers(1, 6),
            "kernel_size": window,
            "stride": window,
            "padding": border,
            "dilation": window,
            "groups": st.integers(1, 3),
            "padding_mode": st.sampled_from(("zeros", "reflect", "replicate", "circular")),
        }
    ),
)
@settings(max_examples=150, deadline=None)
def test_a_convolution_refuses_just_what_pytorch_refuses(shape: Shape, values: dict[str, Any]) -> None:
    block = CATALOGUE["Conv2d"](**values)
    try:
        real = nn.Conv2d(shape[0], **values)(torch.zeros(2, *shape))
    except (RuntimeError, ValueError):
        with pytest.raises(BlockError) as refused:
            infer(block, (shape,))
        assert refused.value.code != "torch"
    else:
        assert infer(block, (shape,)).shape == tuple(real.shape[1:])


# --- messages -----------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, dict[str, Any], tuple[Shape, ...], str, tuple[str, ...]]] = [
    ("Conv2d", {"kernel_size": 5}, ((1, 3, 3),), "kernel-too-large", ("kernel_size 5", "1×3×3", "at most 3")),
    ("Conv2d", {"dilation": 4}, ((1, 7, 7),), "kernel-too-large", ("reaches over 9×9", "1×7×7", "at most 2")),
    ("Conv2d", {"groups": 4}, ((6, 8, 8),), "groups", ("groups 4", "6 channels", "16", "such as 2")),
    ("Conv2d", {"padding": 3, "padding_mode": "reflect"}, ((1, 3, 3),), "padding", ("padding 3", "1×3×3", "at most 2")),
    ("Conv1d", {"kernel_size": 9}, ((1, 4),), "kernel-too-large", ("kernel_size 9", "1×4", "at most 4")),
    ("ConvTranspose2d", {"output_padding": 2}, ((1, 4, 4),), "padding", ("output_padding 2", "stride 2")),
    ("ConvTranspose2d", {"padding": 9}, ((1, 4, 4),), "kernel-too-large", ("padding 9×9", "1×4×4")),
    ("MaxPool2d", {}, ((16, 1, 1),), "kernel-too-large", ("kernel_size 2", "16×1×1", "at most 1")),
    ("MaxPool2d", {"padding": 2}, ((1, 8, 8),), "padding", ("padding 2", "kernel_size 2", "at most 1")),
    ("AvgPool2d", {"kernel_size": [2, 4]}, ((1, 3, 3),), "kernel-too-large", ("2×4", "1×3×3", "at most 3")),
    ("Add", {}, ((64, 8, 8), (32, 8, 8)), "add-mismatch", ("64×8×8", "32×8×8")),
    ("Subtract", {}, ((4,), (5,)), "subtract-mismatch", ("4", "5")),
    ("Mean", {"count": 3}, ((4,), (4,), (1,)), "mean-mismatch", ("4 and 4 and 1",)),
    ("Multiply", {}, ((4, 2, 2), (3, 1, 1)), "multiply-mismatch", ("4×2×2", "3×1×1")),
    ("Concatenate", {}, ((8, 4, 4), (8, 5, 4)), "concat-mismatch", ("8×4×4", "8×5×4", "height and width")),
    ("Concatenate", {}, ((8, 4, 4), (8,)), "concat-mismatch", ("8×4×4", "number of dimensions")),
    ("Concatenate", {"dim": 2}, ((8,), (8,)), "dim", ("dim 2", "at most 0")),
    ("GroupNorm", {"num_groups": 4}, ((6, 2, 2),), "groups", ("num_groups 4", "6 channels")),
    ("InstanceNorm2d", {}, ((6, 1, 1),), "one-value", ("at least 2",)),
    ("PixelShuffle", {}, ((6, 2, 2),), "channels", ("6 channels", "2² = 4", "multiple of 4")),
    ("PixelUnshuffle", {}, ((6, 3, 2),), "size", ("downscale_factor 2", "3×2")),
    ("Crop", {}, ((1, 20, 30),), "crop", ("24×24", "20×30")),
    ("Pad", {"left": 9, "mode": "reflect"}, ((1, 8, 8),), "padding", ("8×8",)),
    ("Reshape", {"shape": [3, 3]}, ((10,),), "reshape", ("10 numbers", "9")),
    ("Permute", {"order": [0, 1]}, ((1, 2, 3),), "permute", ("0, 1, 2", "1×2×3")),
    ("MultiheadAttention", {"num_heads": 3}, ((4, 8),), "heads", ("num_heads 3", "8 features")),
    ("Softmax", {}, ((1,),), "one-value", ("single number",)),
    ("ZeroPadShortcut", {"out_channels": 4}, ((8, 2, 2),), "channels", ("8 channels", "4")),
    ("Residual", {"kind": "bottleneck", "out_channels": 6}, ((6, 4, 4),), "channels", ("6", "4 divides")),
    ("Residual", {"shortcut": "zeros", "out_channels": 4}, ((8, 4, 4),), "channels", ("8", "projection")),
    ("Residual", {"shortcut": "identity", "stride": 2}, ((64, 4, 4),), "shortcut", ("stride 2", "projection")),
    ("SqueezeExcite", {}, ((8, 4, 4),), "channels", ("reduction 16", "8 channels", "at most 8")),
    ("DecoderStage", {}, ((8, 5, 5), (4, 9, 12)), "skip", ("8×5×5", "10×10", "9×12", "before that pooling")),
    ("Constant", {"shape": [1_000_000, 1_000_000]}, ((4,),), "too-large", ("1,000,000,000,000",)),
]


@pytest.mark.parametrize("name, values, shapes, code, parts", REFUSALS, ids=[f"{r[0]}-{r[3]}" for r in REFUSALS])
def test_a_refusal_names_the_numbers_and_the_remedy(
    name: str, values: dict[str, Any], shapes: tuple[Shape, ...], code: str, parts: tuple[str, ...]
) -> None:
    block = CATALOGUE[name].from_settings(values)
    with pytest.raises(BlockError) as refused:
        block.check(*shapes)
    message = str(refused.value)
    assert refused.value.code == code
    assert all(part in message for part in parts), message
    assert message.endswith(".")


def test_a_remedy_for_a_large_kernel_works() -> None:
    for dilation, most in ((1, 7), (2, 4), (3, 3), (4, 2)):
        shape = (1, 7, 7)
        assert infer(CATALOGUE["Conv2d"](kernel_size=most, dilation=dilation), (shape,))
        with pytest.raises(BlockError, match=f"at most {most},"):
            infer(CATALOGUE["Conv2d"](kernel_size=most + 1, dilation=dilation), (shape,))


def test_a_linear_layer_takes_flat_vectors_only() -> None:
    (port,) = CATALOGUE["Linear"]().ports()
    assert port.accepts((400,))
    assert not port.accepts((16, 5, 5))


def test_an_embedding_refuses_a_larger_vocabulary() -> None:
    block = CATALOGUE["Embedding"](num_embeddings=50)
    block.check_vocabulary(50)
    with pytest.raises(BlockError, match="vocabulary of 51") as refused:
        block.check_vocabulary(51)
    assert refused.value.code == "vocabulary"


# --- numbers, where shape alone would not show a mistake -------------------------------------------------


def run(name: str, values: dict[str, Any], *inputs: Tensor) -> Tensor:
    block = CATALOGUE[name].from_settings(values)
    with torch.no_grad():
        answer: Tensor = Whole(block, tuple(tuple(x.shape[1:]) for x in inputs)).eval()(*inputs)
    return answer


def test_merges_compute_what_they_say() -> None:
    a, b, c = torch.tensor([[1.0, 2.0]]), torch.tensor([[10.0, 20.0]]), torch.tensor([[4.0, 8.0]])
    assert run("Add", {"count": 3}, a, b, c).tolist() == [[15.0, 30.0]]
    assert run("Multiply", {}, a, b).tolist() == [[10.0, 40.0]]
    assert run("Subtract", {}, a, b).tolist() == [[-9.0, -18.0]]
    assert run("Mean", {"count": 3}, a, b, c).tolist() == [[5.0, 10.0]]
    assert run("Concatenate", {}, a, b).tolist() == [[1.0, 2.0, 10.0, 20.0]]


def test_reshaping_keeps_or_picks_the_right_numbers() -> None:
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert run("Permute", {"order": [1, 2, 0]}, x)[0, 1, 2].tolist() == [6.0, 18.0]
    assert run("Reshape", {"shape": [4, 6]}, x)[0, 1].tolist() == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    assert run("Crop", {"height": 1, "width": 2}, x)[0, 1, 0].tolist() == [17.0, 18.0]
    assert run("GlobalAvgPool2d", {}, x).tolist() == [[5.5, 17.5]]
    assert run("MeanOfSteps", {}, x[:, 0]).tolist() == [[4.0, 5.0, 6.0, 7.0]]
    shortcut = run("ZeroPadShortcut", {"out_channels": 4, "stride": 2}, x)[0]
    assert shortcut[:, 0].tolist() == [[0.0, 0.0], [0.0, 2.0], [12.0, 14.0], [0.0, 0.0]]


def test_softmax_sums_to_one_along_its_dimension() -> None:
    x = torch.randn(2, 3, 5)
    assert torch.allclose(run("Softmax", {"dim": 1}, x).sum(2), torch.ones(2, 3))
    assert torch.allclose(run("LogSoftmax", {}, x).exp().sum(1), torch.ones(2, 5))


def test_positions_are_the_paper_s_waves() -> None:
    waves = run("PositionalEncoding", {}, torch.zeros(1, 3, 4))[0]
    for t in range(3):
        expected = [math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)]
        assert waves[t].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_the_last_step_joins_both_directions_where_each_has_read_everything(name: str) -> None:
    x = torch.randn(2, 7, 3)
    torch.manual_seed(0)
    last = run(name, {"hidden_size": 4, "bidirectional": True}, x)
    torch.manual_seed(0)
    state = getattr(nn, name)(3, 4, bidirectional=True, batch_first=True)(x)[1]
    state = state[0] if isinstance(state, tuple) else state
    torch.testing.assert_close(last, torch.cat((state[0], state[1]), 1))  # its kernels round otherwise without autograd


def test_causal_attention_does_not_look_ahead() -> None:
    block = CATALOGUE["MultiheadAttention"](num_heads=2, causal=True)
    whole, x = Whole(block, ((5, 6),)).eval(), torch.randn(1, 5, 6)
    changed = x.clone()
    changed[0, 3:] += 1.0
    with torch.no_grad():
        before, after = whole(x), whole(changed)
    assert torch.equal(before[0, :3], after[0, :3])
    assert not torch.equal(before[0, 3:], after[0, 3:])


@pytest.mark.parametrize(
    "values, shape, parameters",
    [
        # 2 convolutions 3×3 of 8 channels and 2 normalizations; the identity shortcut has nothing.
        ({"out_channels": 8, "shortcut": "identity"}, (8, 6, 6), 2 * 8 * 8 * 9 + 2 * 16),
        ({"out_channels": 8, "shortcut": "none"}, (4, 6, 6), 8 * 4 * 9 + 8 * 8 * 9 + 2 * 16),
        ({"out_channels": 8}, (4, 6, 6), 8 * 4 * 9 + 8 * 8 * 9 + 2 * 16 + 8 * 4 + 16),
        # before-activation: the first normalization sees the 4 channels that enter, the projection has none.
        ({"out_channels": 8, "order": "preactivation"}, (4, 6, 6), 8 * 4 * 9 + 8 * 8 * 9 + 8 + 16 + 8 * 4),
        ({"out_channels": 8, "kind": "bottleneck", "activation": "GELU"}, (8, 6, 6), 16 + 2 * 2 * 9 + 16 + 4 + 4 + 16),
    ],
)
def test_residual_blocks_have_the_paper_s_parameters(values: dict[str, Any], shape: Shape, parameters: int) -> None:
    assert infer(CATALOGUE["Residual"](**values), (shape,)).parameters == parameters


def test_a_residual_block_is_the_sum_of_its_path_and_its_input() -> None:
    block = CATALOGUE["Residual"](out_channels=3)
    whole, x = Whole(block, ((3, 5, 5),)).eval(), torch.randn(2, 3, 5, 5)
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            if "bn2" in name:
                parameter.zero_()  # the path gives zero, so relu(x) is left
        assert torch.equal(whole(x), x.relu())


# --- alone in a network -----------------------------------------------------------------------------------


def alone(block: Block, shapes: tuple[Shape, ...]) -> Project:
    """A network of inputs, this block and the output."""
    nodes, edges = [], []
    for i, (port, shape) in enumerate(zip(block.ports(), shapes, strict=True)):
        entering: Block
        if port.holds == "tokens":
            entering = CATALOGUE["Tokens"](length=shape[0], vocabulary=5)
        elif len(shape) == 3:
            entering = CATALOGUE["Image"](channels=shape[0], height=shape[1], width=shape[2])
        elif len(shape) == 2:
            entering = CATALOGUE["Sequence"](length=shape[0], features=shape[1])
        else:
            entering = CATALOGUE["Vector"](features=shape[0])
        nodes.append(Node(f"source{i}", entering))
        edges.append(Edge(f"source{i}", "out", "it", port.name))
    nodes += [Node("it", block), Node("output", CATALOGUE["Output"]())]
    edges.append(Edge("it", "out", "output", "in"))
    graph = Graph(tuple(nodes), tuple(edges))
    return Project(name="alone", networks={"network": graph}, data=Choice("digits"))


@pytest.mark.parametrize("cls, example", LAYERS)
def test_a_block_alone_is_exported_and_computes_the_same_bits(
    cls: type[Block], example: Example, tmp_path: Path
) -> None:
    block = cls.from_settings(example.settings)
    generated = generate(alone(block, example.inputs))
    torch.manual_seed(3)
    direct = Whole(block, example.inputs).eval()
    torch.manual_seed(3)
    (exported,) = instantiate(write(generated, tmp_path), generated.classes).values()
    exported.eval()
    assert [p.shape for p in exported.parameters()] == [p.shape for p in direct.parameters()]
    inputs = samples(block, example.inputs, 2)
    with torch.no_grad():
        assert torch.equal(exported(*inputs), direct(*inputs))


def test_examples_are_frozen_declarations() -> None:
    block = CATALOGUE["Conv2d"]()
    with pytest.raises(dataclasses.FrozenInstanceError):
        block.out_channels = 3  # type: ignore[attr-defined]
