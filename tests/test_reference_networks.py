"""Published networks against PyTorch written by hand: same parameters in the same order, same outputs."""

from __future__ import annotations

import dataclasses

import networks
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks.base import Shape
from builder import templates
from builder.compile import instantiate, write
from builder.graph import Graph
from builder.plan import plan
from builder.project import Project
from builder.source import generate
from builder.validate import inspect

torch.set_num_threads(1)


# --- written by hand, from the papers and torchvision's tables ------------------------------------------


class LeNet5(nn.Module):
    """LeCun et al. 1998, figure 2, as it is usually built today: ReLU, max pooling, every map of S2 read by C3."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5, padding=2)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c5 = nn.Linear(400, 120)
        self.f6 = nn.Linear(120, 84)
        self.out = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c3(x)), 2).flatten(1)
        return self.out(F.relu(self.f6(F.relu(self.c5(x)))))


class AlexNet(nn.Module):
    """Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
        )
        self.classifier = nn.Sequential(
            *(nn.Dropout(0.5), nn.Linear(9216, 4096), nn.ReLU()),
            *(nn.Dropout(0.5), nn.Linear(4096, 4096), nn.ReLU()),
            nn.Linear(4096, 1000),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 6).flatten(1))


class BasicBlock(nn.Module):
    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = (
            nn.Sequential(nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
            if stride > 1
            else nn.Sequential()
        )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.downsample(x))


class ResNet18(nn.Module):
    """He et al. 2016, table 1."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        blocks, before = [], 64
        for channels in (64, 128, 256, 512):
            blocks += [BasicBlock(before, channels, 2 if before != channels else 1), BasicBlock(channels, channels, 1)]
            before = channels
        self.layers = nn.Sequential(*blocks)
        self.fc = nn.Linear(512, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(self.layers(x).mean((2, 3)))


class ConvNormReLU(nn.Module):
    def __init__(self, before: int, channels: int, kernel: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, channels, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class InceptionBlock(nn.Module):
    def __init__(self, before: int, c1: int, r3: int, c3: int, r5: int, c5: int, pool: int) -> None:
        super().__init__()
        self.branch1 = ConvNormReLU(before, c1, 1)
        self.branch2 = nn.Sequential(ConvNormReLU(before, r3, 1), ConvNormReLU(r3, c3, 3, padding=1))
        self.branch3 = nn.Sequential(ConvNormReLU(before, r5, 1), ConvNormReLU(r5, c5, 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), ConvNormReLU(before, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionAux(nn.Module):
    def __init__(self, before: int) -> None:
        super().__init__()
        self.conv = ConvNormReLU(before, 128, 1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.adaptive_avg_pool2d(x, 4)).flatten(1)
        return self.fc2(F.dropout(F.relu(self.fc1(x)), 0.7, self.training))


class GoogLeNet(nn.Module):
    """Szegedy et al. 2015, table 1, with batch normalization and 3×3 in the third branch, as torchvision has it."""

    def __init__(self, auxiliaries: bool) -> None:
        super().__init__()
        self.conv1 = ConvNormReLU(3, 64, 7, 2, 3)
        self.conv2 = ConvNormReLU(64, 64, 1)
        self.conv3 = ConvNormReLU(64, 192, 3, padding=1)
        self.a3 = InceptionBlock(192, 64, 96, 128, 16, 32, 32)
        self.b3 = InceptionBlock(256, 128, 128, 192, 32, 96, 64)
        self.a4 = InceptionBlock(480, 192, 96, 208, 16, 48, 64)
        self.b4 = InceptionBlock(512, 160, 112, 224, 24, 64, 64)
        self.c4 = InceptionBlock(512, 128, 128, 256, 24, 64, 64)
        self.d4 = InceptionBlock(512, 112, 144, 288, 32, 64, 64)
        self.e4 = InceptionBlock(528, 256, 160, 320, 32, 128, 128)
        self.a5 = InceptionBlock(832, 256, 160, 320, 32, 128, 128)
        self.b5 = InceptionBlock(832, 384, 192, 384, 48, 128, 128)
        self.auxiliaries = auxiliaries
        if auxiliaries:
            self.aux1 = InceptionAux(512)
            self.aux2 = InceptionAux(528)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        x = F.max_pool2d(self.conv1(x), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.conv3(self.conv2(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.b3(self.a3(x)), 3, 2, ceil_mode=True)
        first = self.a4(x)
        second = self.d4(self.c4(self.b4(first)))
        x = self.b5(self.a5(F.max_pool2d(self.e4(second), 2, 2, ceil_mode=True)))
        heads = (self.aux1(first), self.aux2(second)) if self.auxiliaries else ()
        x = self.fc(F.dropout(x.mean((2, 3)), 0.2, self.training))
        return (x, *heads) if heads else x


class UNet(nn.Module):
    """Ronneberger et al. 2015, figure 1."""

    def __init__(self) -> None:
        super().__init__()
        widths = (64, 128, 256, 512, 1024)
        self.down = nn.ModuleList(self._convs(a, b) for a, b in zip((1, *widths), widths))
        self.up = nn.ModuleList()
        self.join = nn.ModuleList()
        for a, b in zip(widths[:0:-1], widths[-2::-1]):
            self.up.append(nn.ConvTranspose2d(a, b, 2, 2))
            self.join.append(self._convs(a, b))
        self.score = nn.Conv2d(64, 2, 1)

    @staticmethod
    def _convs(before: int, channels: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(before, channels, 3), nn.ReLU(), nn.Conv2d(channels, channels, 3), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for i, convs in enumerate(self.down):
            x = convs(F.max_pool2d(x, 2) if i else x)
            kept.append(x)
        kept.pop()
        for up, convs in zip(self.up, self.join):
            x = up(x)
            skip = kept.pop()
            edge = (skip.shape[-1] - x.shape[-1]) // 2
            x = convs(torch.cat([skip[..., edge : edge + x.shape[-2], edge : edge + x.shape[-1]], x], 1))
        return self.score(x)

    def in_order(self) -> list[Tensor]:
        """The tensors in the order in which they are used."""
        parts = [*self.down, *(part for pair in zip(self.up, self.join) for part in pair), self.score]
        return [tensor for part in parts for tensor in part.state_dict().values()]


# --- the comparison ------------------------------------------------------------------------------------------


def built(graph: Graph) -> nn.Module:
    """The network as compiling builds it, whatever its task."""
    generated = generate(Project(name="net", networks={"network": graph}))
    (network,) = instantiate(write(generated), generated.classes).values()
    return network


def agree(network: nn.Module, reference: nn.Module, tensors: list[Tensor], x: Tensor) -> None:
    """The reference's tensors fit by order, and both give the same outputs in both modes."""
    state = network.state_dict()
    assert [t.shape for t in state.values()] == [t.shape for t in tensors]
    network.load_state_dict(dict(zip(state, tensors, strict=True)))
    for training in (False, True):
        network.train(training)
        reference.train(training)
        outputs = []
        for each in (network, reference):
            torch.manual_seed(5)  # the same masks of dropout
            with torch.no_grad():
                outputs.append(each(x))
        torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-5, atol=1e-5)
    # Batch normalization has gathered the same statistics.
    for mine, theirs in zip(network.state_dict().values(), tensors, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


REFERENCES = {
    "lenet5": (LeNet5, (1, 28, 28)),
    "alexnet": (AlexNet, (3, 224, 224)),
    "resnet18": (ResNet18, (3, 224, 224)),
    "googlenet": (lambda: GoogLeNet(False), (3, 224, 224)),
    "googlenet_aux": (lambda: GoogLeNet(True), (3, 224, 224)),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_s_weights_load_by_order_and_give_its_outputs(name: str) -> None:
    make, shape = REFERENCES[name]
    torch.manual_seed(1)
    reference = make()
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):  # numbers a trained network would have
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    network = built(templates.load(name).networks["network"])
    agree(network, reference, list(reference.state_dict().values()), torch.randn(2, *shape))


def test_a_u_net_s_weights_load_by_order_and_give_its_outputs() -> None:
    torch.manual_seed(1)
    reference = UNet()
    graph = templates.load("unet").networks["network"]
    entry = graph.nodes[0]
    small = entry.block.replace(height=188, width=188)  # type: ignore[union-attr]
    graph = graph.with_node(dataclasses.replace(entry, block=small))
    agree(built(graph), reference, reference.in_order(), torch.randn(1, 1, 188, 188))


# --- networks whose tasks are others: published parameters and shapes ----------------------------------------


def squares(text: str) -> dict[str, Shape]:
    rows = (row.split() for row in text.replace("\n", " ").strip(" ,").split(","))
    return {id: tuple(map(int, shape.split("×"))) for id, shape in rows}


PUBLISHED: dict[str, tuple[int, dict[str, Shape]]] = {
    "unet": (
        31_030_658,
        squares("""
            enc1 64×568×568, enc2 128×280×280, enc3 256×136×136, enc4 512×64×64, enc5 1024×28×28,
            dec4 512×52×52, dec3 256×100×100, dec2 128×196×196, dec1 64×388×388, output 2×388×388
        """),
    ),
    "dcgan_generator": (
        3_576_704,
        squares("deconv1 512×4×4, deconv2 256×8×8, deconv3 128×16×16, deconv4 64×32×32, output 3×64×64"),
    ),
    "dcgan_discriminator": (
        2_765_568,
        squares("conv1 64×32×32, conv2 128×16×16, conv3 256×8×8, conv4 512×4×4, conv5 1×1×1, output 1"),
    ),
    "yolo_v1": (
        271_703_550,
        squares("""
            conv1 64×224×224, pool1 64×112×112, pool2 192×56×56, stage3b 512×28×28, stage4b 1024×14×14,
            conv3 1024×14×14, conv4 1024×7×7, conv6 1024×7×7, fc1 4096, output 30×7×7
        """),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameters_and_shapes(name: str) -> None:
    parameters, shapes = PUBLISHED[name]
    report = inspect(Project(name=name, networks={"network": getattr(networks, name)()}))
    assert report.parameters == {"network": parameters}
    assert {id: report.shapes["network"].get(id) for id in shapes} == shapes
    assert plan(Project(name=name, networks={"network": getattr(networks, name)()})).networks


@pytest.mark.parametrize("block, parameters", [("RNN", 640), ("LSTM", 2560), ("GRU", 1920)])
def test_recurrent_layers_of_ten_inputs_and_twenty_states(block: str, parameters: int) -> None:
    rows = (("x", "Sequence", {"length": 7, "features": 10}), ("layer", block, {"hidden_size": 20}))
    report = inspect(networks.project(block, *rows, ("output", "Output", {})))
    assert report.parameters == {"network": parameters}
    assert report.shapes["network"]["output"] == (20,)


def test_the_four_ways_up_a_u_net_give_the_same_sizes() -> None:
    for way in ("transposed", "pixel_shuffle", "nearest", "bilinear"):
        graph = networks.unet(size=188, upsampling=way)
        shapes = inspect(Project(networks={"network": graph})).shapes["network"]
        assert shapes["output"] == (2, 4, 4)
        padded = networks.unet(size=80, padding=1, upsampling=way)
        assert inspect(Project(networks={"network": padded})).shapes["network"]["output"] == (2, 80, 80)


def test_pixel_shuffling_can_be_what_a_transposed_convolution_is() -> None:
    """A 1×1 convolution to four times the channels, laid out as pixels, is a 2×2 transposed one at stride 2."""
    torch.manual_seed(0)
    x = torch.randn(2, 6, 5, 4)
    transposed = nn.ConvTranspose2d(6, 3, 2, 2)
    rows = (("image", "Image", {"channels": 6, "height": 5, "width": 4}), ("skip", "Conv2d", {"kernel_size": 1}))
    up = ("up", "DecoderStage", {"out_channels": 3, "upsampling": "pixel_shuffle"}, ["image", "up2"])
    double = ("up2", "Upsample", {}, ["skip"])
    network = built(networks.graph(*rows, double, up, ("output", "Output", {})))
    inner = network.get_submodule("up")
    with torch.no_grad():
        inner.up_conv.weight.copy_(transposed.weight.permute(1, 2, 3, 0).reshape(12, 6, 1, 1))
        inner.up_conv.bias.copy_(transposed.bias.repeat_interleave(4))
        torch.testing.assert_close(inner.up(inner.up_conv(x)), transposed(x))
