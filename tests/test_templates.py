"""Starter projects against the tables of their papers and of torchvision, with the numbers written by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import builder
from blocks.base import Shape
from builder import data, templates
from builder.compile import instantiate, write
from builder.graph import Graph
from builder.project import dumps, loads
from builder.shapes import Inner
from builder.source import generate
from builder.structure import wiring
from builder.training import job

torch.set_num_threads(1)

PARAMETERS: dict[str, int | dict[str, int]] = {
    "mlp": 3 * 32 + 33 * 32 + 33 * 2,
    "lenet": 260 + 5_020 + 16_050 + 510,
    "lenet5": 61_706,
    # He et al.'s widths 16, 16, 32, 32 on grey pictures, one projection:
    # 144 + 32; twice 2·2304 + 64; 4608 + 9216 + 128 + 512 + 64; 2·9216 + 128; 330.
    "resnet_digits": 176 + 2 * 4_672 + 14_528 + 18_560 + 330,
    "lstm_digits": 4 * (64 * 8 + 64 * 64 + 2 * 64) + 650,
    "alexnet": 61_100_840,
    "vgg11": 132_863_336,
    "vgg16": 138_357_544,
    "googlenet": 6_624_904,
    "googlenet_aux": 13_004_888,
    "inception_v1": 6_998_552,
    "inception_v1_aux": 13_378_280,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet20_cifar": 269_722,
    # Points: 2·64 + 64, 64·64 + 64, then 64·2 + 2 or 64 + 1; DCGAN: PyTorch's tutorial.
    "gan": {"generator": 192 + 4_160 + 130, "discriminator": 192 + 4_160 + 65},
    "dcgan": {"generator": 3_576_704, "discriminator": 2_765_568},
    # 3×3 convolutions 3, 16, 32, 64, 128, 128 with normalization, then 9 numbers a cell.
    "yolo_tiny": 27 * 16 + 9 * (16 * 32 + 32 * 64 + 64 * 128 + 128 * 128) + 2 * 368 + 129 * 9,
    "yolo_v1": 271_703_550,
    # Two vectors of 64 numbers for every word, or for every bucket, inner node and word.
    "skipgram": 2 * 377 * 64,
    "skipgram_hierarchical": (371 + 370) * 64,
    "skipgram_hashed": (192 + 377) * 64,
    "rnn_names": 57 * 32 + (128 * 32 + 128 * 128 + 2 * 128) + 129 * 18,
    "gru_forecast": 3 * (32 + 32 * 32 + 2 * 32) + 33,
    # 48 letters as 32 numbers; four gates of 128; back to the letters.
    "char_lstm": 48 * 32 + 4 * (128 * 32 + 128 * 128 + 2 * 128) + 129 * 48,
    # 3→32, 32→64→64 and 64→128→128 channels with normalization; scores of 5 classes from the three stages.
    "fcn": (864 + 64) + (18_432 + 36_864 + 256) + (73_728 + 147_456 + 512) + 645 + 325 + 165,
    # 3→16→16, 16→32→32, 32→64→64; up 64→32, 64→32→32; up 32→16, 32→16→16; 5 classes.
    "unet_shapes": 2_800 + 13_952 + 55_552 + (8_224 + 27_776) + (2_064 + 6_976) + 85,
    "unet": 31_030_658,
    "unet_pixelshuffle": 2_800 + 13_952 + 55_552 + (8_320 + 27_776) + (2_112 + 6_976) + 68,
    # 784, 128, 2, 128, 784; for the variational one two means and two variances.
    "autoencoder": 785 * 128 + 129 * 2 + 3 * 128 + 129 * 784,
    # 3×3 convolutions 1, 16, 32; 1568 to 16 or 32 numbers and back; 4×4 transposed convolutions 32, 16, 1.
    "conv_autoencoder": 160 + 4_640 + 1569 * 16 + 17 * 1568 + (16 * 512 + 16) + (16 * 16 + 1),
    "denoising_autoencoder": 160 + 4_640 + 1569 * 32 + 33 * 1568 + (16 * 512 + 16) + (16 * 16 + 1),
    "variational_autoencoder": 785 * 128 + 129 * 4 + 3 * 128 + 129 * 784,
    "mlp_regression": 11 * 32 + 33 * 16 + 17,
}
"""Of the only network, or of each by its name.

LeCun et al. 1998; torchvision's tables of weights; He et al. 2016 (0.27 M with shortcuts of option A)."""

GIGA_MULTIPLY_ADDS = {
    "lenet5": 0.00042,
    "alexnet": 0.71,
    "vgg11": 7.61,
    "vgg16": 15.47,
    "googlenet": 1.50,
    "resnet18": 1.81,
    "resnet34": 3.66,
    "resnet50": 4.09,
    "resnet20_cifar": 0.041,
}
"""The column GFLOPS of torchvision's tables; LeNet-5 and ResNet-20 as they are usually given (0.42 M and 41 M)."""


def published(name: str) -> dict[str, int]:
    """The parameters of each network of a template."""
    found = PARAMETERS[name]
    return {"network": found} if isinstance(found, int) else found


CLASSIFYING = [name for name in templates.names() if templates.load(name).task.name == "classification"]


def table(text: str) -> dict[str, Shape]:
    """Shapes from a table such as ``"conv1 6×28×28, fc1 120"``."""
    rows = (row.split() for row in text.replace("\n", " ").strip(" ,").split(","))
    return {id: tuple(map(int, shape.split("×"))) for id, shape in rows}


def stages(counts: str, sides: tuple[int, ...], channels: int) -> dict[str, Shape]:
    """The blocks layer1_0, layer1_1, ... of a ResNet whose channels double from stage to stage."""
    return {
        f"layer{stage + 1}_{i}": (channels * 2**stage, sides[stage], sides[stage])
        for stage, count in enumerate(counts)
        for i in range(int(count))
    }


GOOGLENET = table("""
    conv1 64×112×112, pool1 64×56×56, conv3 192×56×56, pool2 192×28×28,
    inception3a 256×28×28, inception3b 480×28×28, pool3 480×14×14,
    inception4a 512×14×14, inception4b 512×14×14, inception4c 512×14×14, inception4d 528×14×14,
    inception4e 832×14×14, pool4 832×7×7, inception5a 832×7×7, inception5b 1024×7×7, avgpool 1024×1×1, fc 1000
""")
"""Szegedy et al. 2015, table 1."""
VGG = table("""
    stage1 64×112×112, stage2 128×56×56, stage3 256×28×28, stage4 512×14×14, stage5 512×7×7,
    flatten 25088, fc1 4096, fc2 4096, fc3 1000
""")
"""Simonyan and Zisserman 2015, table 1."""
RESNET = table("conv1 64×112×112, maxpool 64×56×56, fc 1000")

SHAPES: dict[str, dict[str, Shape]] = {
    "lenet": table("conv1 10×24×24, pool1 10×12×12, conv2 20×8×8, pool2 20×4×4, flatten 320, fc1 50, fc2 10"),
    # LeCun et al. 1998, figure 2: C1, S2, C3, S4, C5, F6, output.
    "lenet5": table("conv1 6×28×28, pool1 6×14×14, conv2 16×10×10, pool2 16×5×5, fc1 120, fc2 84, fc3 10"),
    "lstm_digits": table("rows 8×8, lstm 64, fc 10"),
    "resnet_digits": table("block1 16×28×28, block2 16×28×28, block3 32×14×14, block4 32×14×14, fc 10"),
    # Krizhevsky 2014, One weird trick, as torchvision has it.
    "alexnet": table("""
        conv1 64×55×55, pool1 64×27×27, conv2 192×27×27, pool2 192×13×13, conv3 384×13×13, conv4 256×13×13,
        conv5 256×13×13, pool5 256×6×6, flatten 9216, fc1 4096, fc2 4096, fc3 1000
    """),
    "vgg11": VGG,
    "vgg16": VGG,
    "googlenet": GOOGLENET,
    "inception_v1": GOOGLENET,
    "googlenet_aux": GOOGLENET | table("aux1 1000, aux2 1000, output 1000, aux1_output 1000, aux2_output 1000"),
    "inception_v1_aux": GOOGLENET | table("aux1 1000, aux2 1000, output 1000, aux1_output 1000, aux2_output 1000"),
    # He et al. 2016, table 1 and section 4.2.
    "resnet18": RESNET | stages("2222", (56, 28, 14, 7), 64),
    "resnet34": RESNET | stages("3463", (56, 28, 14, 7), 64),
    "resnet50": RESNET | stages("3463", (56, 28, 14, 7), 256),
    "resnet20_cifar": {"fc": (10,)} | stages("333", (32, 16, 8), 16),
}


def test_every_starter_project_is_named_once_in_the_order_of_a_course() -> None:
    assert templates.names() == tuple(PARAMETERS)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(KeyError, match="lenet5"):
        templates.load("../project")


@pytest.mark.parametrize("name", templates.names())
def test_its_card_says_what_it_is(name: str) -> None:
    about = templates.about(name)
    assert about.name == name
    assert about.title
    assert about.text.endswith(".")
    assert "\n" not in about.text
    assert about.family
    assert sum(templates.about(other).title == about.title for other in templates.names()) == 1


@pytest.mark.parametrize("name", templates.names())
def test_it_checks_without_a_word_and_has_the_published_parameters(name: str) -> None:
    report = builder.check(templates.load(name))
    assert report.problems == ()
    assert report.parameters == published(name)


@pytest.mark.parametrize("name", GIGA_MULTIPLY_ADDS)
def test_its_work_is_the_published_one(name: str) -> None:
    published = GIGA_MULTIPLY_ADDS[name]
    places = 2 if published > 0.1 else 1 - math.floor(math.log10(published))  # two digits of the small ones
    assert round(builder.check(templates.load(name)).flops["network"] / 1e9, places) == published


@pytest.mark.parametrize("name", SHAPES)
def test_its_shapes_are_the_published_ones(name: str) -> None:
    shapes = builder.check(templates.load(name)).shapes["network"]
    assert {id: shapes.get(id) for id in SHAPES[name]} == SHAPES[name]


def inside(name: str) -> dict[str, Shape]:
    """The shape of every layer of a template by its path, composites opened: layer1_0.conv2."""
    found: dict[str, Shape] = {}

    def open_up(path: str, inner: tuple[Inner, ...]) -> None:
        for part in inner:
            found[f"{path}.{part.id}"] = part.inferred.shape
            open_up(f"{path}.{part.id}", part.inferred.inner)

    for id, node in builder.check(templates.load(name)).nodes["network"].items():
        assert node.shape is not None
        found[id] = node.shape
        open_up(id, node.inner)
    return found


def convolutions(name: str) -> list[Shape]:
    """The shapes of all convolutions of a template in their order, projections of shortcuts left out."""
    return [s for path, s in inside(name).items() if "conv" in path.split(".")[-1] and "shortcut" not in path]


def repeated(rows: str) -> list[Shape]:
    """Shapes from rows such as ``"2 64×224"``: twice 64 channels of 224 by 224."""
    found = []
    for row in rows.split(","):
        count, size = row.split()
        channels, side = map(int, size.split("×"))
        found += [(channels, side, side)] * int(count)
    return found


CONVOLUTIONS = {
    "alexnet": repeated("1 64×55, 1 192×27, 1 384×13, 2 256×13"),
    # Simonyan and Zisserman 2015, table 1, columns A and D.
    "vgg11": repeated("1 64×224, 1 128×112, 2 256×56, 2 512×28, 2 512×14"),
    "vgg16": repeated("2 64×224, 2 128×112, 3 256×56, 3 512×28, 3 512×14"),
    # He et al. 2016, table 1: the first convolution, then blocks of two or three.
    "resnet18": repeated("1 64×112, 4 64×56, 4 128×28, 4 256×14, 4 512×7"),
    "resnet34": repeated("1 64×112, 6 64×56, 8 128×28, 12 256×14, 6 512×7"),
    # torchvision strides in the 3×3 convolution, so a stage's first 1×1 still sees the larger picture.
    "resnet50": repeated("1 64×112")
    + repeated("2 64×56, 1 256×56") * 3
    + repeated("1 128×56, 1 128×28, 1 512×28")
    + repeated("2 128×28, 1 512×28") * 3
    + repeated("1 256×28, 1 256×14, 1 1024×14")
    + repeated("2 256×14, 1 1024×14") * 5
    + repeated("1 512×14, 1 512×7, 1 2048×7")
    + repeated("2 512×7, 1 2048×7") * 2,
    # Section 4.2: 2n layers for each of the sizes 32, 16, 8, with n = 3.
    "resnet20_cifar": repeated("7 16×32, 6 32×16, 6 64×8"),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_every_convolution_has_the_published_shape(name: str) -> None:
    assert convolutions(name) == CONVOLUTIONS[name]


@pytest.mark.parametrize("name", ["googlenet", "inception_v1", "googlenet_aux", "inception_v1_aux"])
def test_every_branch_of_every_inception_block_has_the_paper_s_channels(name: str) -> None:
    shapes = inside(name)
    for row in INCEPTIONS.strip().splitlines():
        block, before, one, reduce3, three, reduce5, five, pool = row.split()
        side = {"3": 28, "4": 14, "5": 7}[block[0]]
        branches = {"branch1": one, "branch2_0": reduce3, "branch2_1": three, "branch3_0": reduce5, "branch3_1": five}
        for branch, channels in {**branches, "branch4_1": pool}.items():
            assert shapes[f"inception{block}.{branch}.conv"] == (int(channels), side, side), (block, branch)
        assert shapes[f"inception{block}.branch4_0"] == (int(before), side, side)
    if name.endswith("_aux"):
        for head, channels in (("aux1", 512), ("aux2", 528)):
            assert shapes[f"{head}.pool"] == (channels, 4, 4)
            assert (shapes[f"{head}.conv"], shapes[f"{head}.fc1"]) == ((128, 4, 4), (1024,))


def test_resnets_have_no_other_blocks_than_the_table() -> None:
    for name in ("resnet18", "resnet34", "resnet50", "resnet20_cifar"):
        nodes = {n.id for n in templates.load(name).networks["network"].nodes if n.id.startswith("layer")}
        assert nodes == {id for id in SHAPES[name] if id.startswith("layer")}


INCEPTIONS = """
    3a 192 64 96 128 16 32 32
    3b 256 128 128 192 32 96 64
    4a 480 192 96 208 16 48 64
    4b 512 160 112 224 24 64 64
    4c 512 128 128 256 24 64 64
    4d 512 112 144 288 32 64 64
    4e 528 256 160 320 32 128 128
    5a 832 256 160 320 32 128 128
    5b 832 384 192 384 48 128 128
"""
"""Szegedy et al. 2015, table 1: channels in, 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection."""


def test_inception_blocks_have_the_weights_of_the_paper_s_channels() -> None:
    nodes = builder.check(templates.load("inception_v1")).nodes["network"]
    for row in INCEPTIONS.strip().splitlines():
        name, *channels = row.split()
        before, one, reduce3, three, reduce5, five, pool = map(int, channels)
        weights = before * (one + reduce3 + reduce5 + pool) + 9 * reduce3 * three + 25 * reduce5 * five
        biases = one + reduce3 + three + reduce5 + five + pool
        assert nodes[f"inception{name}"].parameters == weights + biases, name


@pytest.mark.parametrize("name", templates.names())
def test_its_file_is_written_back_as_it_was_read(name: str) -> None:
    project = templates.load(name)
    assert loads(dumps(project)) == project


@pytest.mark.parametrize("name", templates.names())
def test_its_drawing_reads_from_left_to_right_and_row_by_row(name: str) -> None:
    for graph in templates.load(name).networks.values():
        reads_from_left_to_right(graph)


def reads_from_left_to_right(graph: Graph) -> None:
    at = {node.id: node.position for node in graph.nodes}
    tiles = {n.id for n in graph.nodes if n.block.category in ("activation", "merge")}
    width = max(x + (44 if id in tiles else 104) for id, (x, _) in at.items())
    height = max(y + (44 if id in tiles else 118) for id, (_, y) in at.items())
    assert min(918 / width, 325 / height) >= 0.56, "as a whole it can be read above a lesson in a window of 1366×768"
    places = list(at.items())
    for i, (one, (x, y)) in enumerate(places):
        for other, (x2, y2) in places[i + 1 :]:
            upper, lower = (one, other) if y <= y2 else (other, one)
            below = at[lower][1] - at[upper][1] >= (44 if upper in tiles else 118)
            assert below or abs(x - x2) >= 44, f"{one} and {other} overlap"
    order = wiring(graph.ids(), graph.edges).order
    assert len(order) == len(graph.nodes)
    for edge in graph.edges:
        (x, y), (x2, y2) = at[edge.source], at[edge.target]
        assert x < x2 or y2 - y >= (44 if edge.source in tiles else 118), f"{edge.source} stands right of {edge.target}"


@pytest.mark.parametrize("name", templates.names())
def test_its_source_builds_what_the_check_counts(name: str) -> None:
    generated = generate(templates.load(name))
    with torch.device("meta"):
        made = instantiate(write(generated), generated.classes)
    assert {slot: sum(p.numel() for p in net.parameters()) for slot, net in made.items()} == published(name)


def heads(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The answer, and those of auxiliary heads."""
    return (outputs,) if isinstance(outputs, Tensor) else outputs


SMALL = ("rnn_names", "mlp", "lenet", "lenet5", "resnet_digits", "lstm_digits", "resnet20_cifar")


OTHERS = [name for name in templates.names() if name not in CLASSIFYING]


def light(name: str) -> bool:
    """Whether a few steps of it are quick."""
    return sum(published(name).values()) < 2e6


@pytest.mark.parametrize("name", [n if light(n) else pytest.param(n, marks=pytest.mark.slow) for n in OTHERS])
def test_it_gets_better_at_its_own_task_on_a_few_samples(name: str) -> None:
    """Every network's own loss goes down on one batch of the template's own data."""
    project = templates.load(name)
    parts, settings = job.parts(project), job.settings(project)
    try:
        splits = data.load(parts.dataset)
    except data.DataError as error:
        pytest.skip(str(error))
    settings = parts.task.prepare(splits, settings)
    torch.manual_seed(0)
    networks = builder.compile(project)
    batch = parts.dataset.make_batch(splits["train"], torch.arange(4 if light(name) else 1), settings["data"])
    # Adam moves every weight by about the rate, too far for sums over the 50,176 inputs of a large network's layers.
    rate = 1e-3 if light(name) else 1e-5
    optimizers = {slot: torch.optim.Adam(network.parameters(), lr=rate) for slot, network in networks.items()}

    def optimize(loss: Tensor, slot: str) -> None:
        optimizers[slot].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizers[slot].step()

    before, *_, after = [
        parts.task.train_step(networks, batch, settings, optimize)[0] for _ in range(12 if light(name) else 3)
    ]
    assert set(before) == set(after)
    if len(networks) == 1:  # of two that play against each other, one may get worse
        assert sum(after.values()) < sum(before.values())


@pytest.mark.parametrize("name", [n if n in SMALL else pytest.param(n, marks=pytest.mark.slow) for n in CLASSIFYING])
def test_it_learns_to_tell_two_samples_apart(name: str) -> None:
    """A few steps on one batch bring the loss down: gradients reach the weights through the whole network."""
    project = templates.load(name)
    torch.manual_seed(0)
    network = builder.compile(project)["network"].train()
    shape = builder.check(project).shapes["network"][project.networks["network"].nodes[0].id]
    if len(shape) == 3 and name != "inception_v1_aux":  # its heads pool by 5×5 windows
        # Pooling to a fixed size lets the same weights read a smaller picture, in a tenth of the time.
        shape = (shape[0], min(shape[1], 64), min(shape[2], 64))
    x, y = torch.randn(2, *shape), torch.tensor([0, 1])
    if project.networks["network"].nodes[0].block.holds == "tokens":
        x = torch.arange(2 * shape[0]).reshape(2, *shape)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # a lucky mask is not what is asked for
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02)
    losses = []
    for _ in range(3 if name in SMALL else 2):
        loss = torch.stack([nn.functional.cross_entropy(scores, y) for scores in heads(network(x))]).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert losses[0] == pytest.approx(math.log(heads(network(x))[0].shape[1]), abs=1.5), "it begins knowing nothing"


def test_lessons_are_short_and_say_what_to_look_at_to_try_and_to_break() -> None:
    told = {name: templates.about(name).lesson for name in templates.names()}
    assert {"mlp", "lenet", "lenet5"} <= {name for name, lesson in told.items() if lesson}
    for name, lesson in told.items():
        assert set(lesson) <= {"look", "try", "break", "formula"}, name
        assert all(0 < len(lesson[part]) <= 140 for part in ("look", "try", "break") if lesson), name
