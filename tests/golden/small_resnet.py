"""small resnet: a network in PyTorch, drawn with Layerloom."""

from torch import Tensor, nn


class Add(nn.Module):
    """The sum of its inputs, which have equal shapes."""

    def forward(self, *inputs: Tensor) -> Tensor:
        total = inputs[0]
        for other in inputs[1:]:
            total = total + other
        return total


class Residual(nn.Module):
    """Two 3×3 convolutions learn what to add to their input; the shortcut carries it on.

    He et al. 2016, Deep residual learning for image recognition, figures 2 and 5.
    """

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.add = Add()
        self.act_out = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.act1(self.bn1(self.conv1(x)))
        bn2 = self.bn2(self.conv2(out))
        return self.act_out(self.add(bn2, x))


class ResidualWithShortcut(nn.Module):
    """Two 3×3 convolutions learn what to add to their input; the shortcut carries it on.

    He et al. 2016, Deep residual learning for image recognition, figures 2 and 5.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut_conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=2, bias=False)
        self.shortcut_bn = nn.BatchNorm2d(out_channels)
        self.add = Add()
        self.act_out = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.act1(self.bn1(self.conv1(x)))
        bn2 = self.bn2(self.conv2(out))
        shortcut_bn = self.shortcut_bn(self.shortcut_conv(x))
        return self.act_out(self.add(bn2, shortcut_bn))


class SmallResnet(nn.Module):
    """From image 1×28×28 to 10; 96,314 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1, bias=False)  # 16×28×28
        self.bn1 = nn.BatchNorm2d(16)
        self.relu1 = nn.ReLU()
        self.layer1 = Residual(16)  # 16×28×28
        self.layer2 = ResidualWithShortcut(16, 32)  # 32×14×14
        self.layer3 = Residual(32)  # 32×14×14
        self.layer4 = ResidualWithShortcut(32, 64)  # 64×7×7
        self.pool = nn.AdaptiveAvgPool2d(1)  # 64×1×1
        self.flatten = nn.Flatten()  # 64
        self.fc = nn.Linear(64, 10)  # 10

    def forward(self, image: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(image)))
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.flatten(self.pool(self.layer4(x)))
        return self.fc(x)
