"""What `infer` says of blocks, against PyTorch and counts by hand."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

import blocks
from blocks import modules
from blocks.base import Block, BlockError, Call, Port, Shape, setting
from builder import shapes
from builder.shapes import build, infer, module_class


def block(name: str, **settings: object) -> Block:
    return blocks.catalogue()[name](**settings)


@pytest.mark.parametrize(
    "name, settings, received, shape, parameters",
    [
        ("Conv2d", {"out_channels": 6, "kernel_size": 5, "padding": 2}, ((1, 28, 28),), (6, 28, 28), 6 * (25 + 1)),
        ("Conv2d", {"out_channels": 64, "kernel_size": 7, "stride": 2, "padding": 3}, ((3, 224, 224),), (64, 112, 112), 9472),
        ("MaxPool2d", {"kernel_size": 3, "stride": 2, "ceil_mode": True}, ((64, 56, 56),), (64, 28, 28), 0),
        ("Linear", {"out_features": 120}, ((400,),), (120,), 400 * 120 + 120),
        ("Flatten", {}, ((16, 5, 5),), (400,), 0),
        ("Embedding", {"num_embeddings": 10, "embedding_dim": 4}, ((7,),), (7, 4), 40),
        ("LSTM", {"hidden_size": 20}, ((5, 10),), (20,), 4 * (20 * 10 + 20 * 20 + 2 * 20)),
        ("Add", {}, ((8, 4, 4), (8, 4, 4)), (8, 4, 4), 0),
        ("Concatenate", {"count": 3}, ((8, 4, 4), (3, 4, 4), (1, 4, 4)), (12, 4, 4), 0),
    ],
)  # fmt: skip
def test_shape_and_parameters(
    name: str, settings: dict[str, object], received: tuple[Shape, ...], shape: Shape, parameters: int
) -> None:
    found = infer(block(name, **settings), received)
    assert found.shape == shape
    assert found.parameters == parameters


def test_work_is_counted_in_multiply_adds() -> None:
    assert infer(block("Conv2d", out_channels=16, kernel_size=5), ((6, 14, 14),)).flops == 10 * 10 * 16 * 6 * 25
    assert infer(block("Linear", out_features=84), ((120,),)).flops == 120 * 84
    assert infer(block("ReLU"), ((120,),)).flops == 0


def test_an_input_gives_its_shape() -> None:
    found = infer(block("Image", channels=3, height=32, width=48), ())
    assert (found.shape, found.parameters, found.elements) == ((3, 32, 48), 0, 3 * 32 * 48)


def test_the_output_passes_on_and_is_no_module() -> None:
    found = infer(block("Output"), ((10,),))
    assert (found.shape, found.call, found.elements) == ((10,), None, 0)


def test_a_composite_is_the_sum_of_its_inside() -> None:
    """A residual block of 64 to 128 channels with stride 2, as in torchvision's ResNet-18: 230,144 parameters."""
    found = infer(block("Residual", out_channels=128, stride=2), ((64, 56, 56),))
    assert found.shape == (128, 28, 28)
    assert found.parameters == 64 * 128 * 9 + 128 * 128 * 9 + 64 * 128 + 3 * 2 * 128
    assert found.call is None
    assert found.parameters == sum(i.inferred.parameters for i in found.inner)
    assert found.flops == sum(i.inferred.flops for i in found.inner)
    assert found.elements == sum(i.inferred.elements for i in found.inner)
    known = {"in"}
    for step in found.inner:
        assert set(step.sources) <= known
        known.add(step.id)


def test_a_mistake_inside_a_composite_names_the_inner_block() -> None:
    with pytest.raises(BlockError, match=r"Inside it, \w+"):
        infer(block("DenseBlock"), ((3, 4),))


@pytest.mark.parametrize("name", sorted(blocks.catalogue()))
def test_the_same_question_is_answered_once(name: str) -> None:
    made = blocks.catalogue()[name]
    for example in made.examples[:1]:
        first = infer(made.from_settings(example.settings), example.inputs)
        assert infer(made.from_settings(example.settings), example.inputs) is first


# --- guards --------------------------------------------------------------------------------------


class _Odd(Block):
    """A block whose module does not keep the batch apart. It is in no file of `blocks`, so in no catalogue."""

    label, category = "Odd", "reshape"
    inputs = (Port("in"),)
    target: str = setting("nn.Flatten")
    argument: int = setting(0)

    def layer(self, *shapes: Shape) -> Call:
        return Call(self.target, self.argument)


def test_a_module_that_swallows_the_batch_is_found() -> None:
    with pytest.raises(BlockError, match="mixes the samples") as caught:
        infer(_Odd(), ((4, 5),))
    assert caught.value.code == "batch"


def test_an_output_of_several_tensors_is_found() -> None:
    with pytest.raises(BlockError, match="mixes the samples"):
        infer(_Tuple(), ((4, 5),))


class _Tuple(Block):
    label, category = "Tuple", "recurrent"

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.LSTM", shapes[0][1], 3, batch_first=True)


@pytest.mark.parametrize(
    "target",
    ["os.system", "nn.init", "nn.functional.relu", "nn.Module.__init__", "torch", "Tensor", "math", "nn.", "", "nn.modules", "__import__", "nn.parallel.DataParallel", "nn.Parameter"],
)  # fmt: skip
def test_only_modules_of_torch_and_of_blocks_can_be_called(target: str) -> None:
    with pytest.raises(ValueError, match="names no module"):
        module_class(target)


def test_calls_nest() -> None:
    built = build(Call("Recurrent", Call("nn.GRU", 3, 4, batch_first=True), last=True))
    assert isinstance(built, modules.Recurrent)
    assert isinstance(built.layer, nn.GRU)
    assert module_class("nn.Conv2d") is nn.Conv2d


def test_torch_is_quoted_with_its_first_line_only() -> None:
    with pytest.raises(BlockError) as caught:
        infer(_Odd(target="nn.Linear", argument=7), ((4, 5),))
    assert caught.value.code == "torch"
    assert "4×5" in str(caught.value)
    assert "\n" not in str(caught.value)


# --- size ----------------------------------------------------------------------------------------


def test_a_layer_of_10_to_the_10_parameters_is_counted_without_memory() -> None:
    found = infer(block("Linear", out_features=100_000), ((100_000,),))
    assert found.parameters == 10**10 + 10**5


def test_an_output_no_machine_holds_is_refused() -> None:
    with pytest.raises(BlockError, match="no machine holds that") as caught:
        infer(block("Image", channels=65536, height=65536, width=65536), ())
    assert caught.value.code == "too-large"


def test_a_sequence_too_long_to_be_run_is_refused_before_it_is_made() -> None:
    with pytest.raises(BlockError, match="shorter") as caught:
        infer(block("LSTM", hidden_size=4), ((10**9, 8),))
    assert caught.value.code == "too-large"


def test_recurrent_layers_are_run_for_real_and_stay_small() -> None:
    found = infer(block("GRU", hidden_size=16, output="sequence", bidirectional=True), ((500, 8),))
    assert found.shape == (500, 32)


# --- no traces -----------------------------------------------------------------------------------


def test_random_numbers_do_not_move() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    infer.cache_clear()
    infer(block("LSTM", hidden_size=21), ((9, 3),))
    infer(block("Conv2d", out_channels=21), ((9, 30, 30),))
    assert torch.equal(before, torch.get_rng_state())


def test_networks_built_in_another_thread_meanwhile_get_their_weights() -> None:
    """Leaving out initialization must not leak into threads that build real networks."""
    infer.cache_clear()
    wrong: list[float] = []
    done = threading.Event()

    def build_real() -> None:
        while not done.is_set():
            weight = nn.Linear(64, 64).weight
            bound = 1 / 8  # kaiming_uniform with a = √5: ±1/√64
            spread = weight.abs().max().item()
            if not 0.9 * bound < spread <= bound:
                wrong.append(spread)

    thread = threading.Thread(target=build_real)
    thread.start()
    try:
        for width in range(200):
            infer(block("Conv2d", out_channels=300 + width), ((5, 9, 9),))
    finally:
        done.set()
        thread.join()
    assert not wrong
    assert nn.init.uniform_.__module__ == "torch.nn.init"


def test_initialization_is_left_out_only_where_it_is_asked() -> None:
    infer(block("Linear", out_features=11), ((7,),))
    torch.manual_seed(0)
    first = nn.Linear(7, 11).weight
    torch.manual_seed(0)
    assert torch.equal(first, nn.Linear(7, 11).weight)
    assert first.std() > 0


def test_a_size_is_written_as_people_write_it() -> None:
    assert shapes.size((6, 28, 28)) == "6×28×28"
    assert shapes.size((10,)) == "10"


def test_a_composite_opens_down_to_single_layers() -> None:
    inner = infer(block("Inception"), ((192, 28, 28),)).inner
    found = {leaf.id: leaf for leaf in shapes.leaves(inner)}
    assert not any(leaf.inferred.inner for leaf in found.values())
    assert found["branch1.conv"].sources == found["branch3_0.conv"].sources == found["branch4_0"].sources == ("in",)
    assert found["branch2_1.conv"].sources == ("branch2_0.relu",)
    assert found["branch4_1.bn"].sources == ("branch4_1.conv",)
    assert found["concat"].sources == ("branch1.relu", "branch2_1.relu", "branch3_1.relu", "branch4_1.relu")
    assert sum(leaf.inferred.parameters for leaf in found.values()) == sum(i.inferred.parameters for i in inner)
