"""ResNet-50: a network in PyTorch, drawn with Layerloom."""

from torch import Tensor, nn


class Add(nn.Module):
    """The sum of its inputs, which have equal shapes."""

    def forward(self, *inputs: Tensor) -> Tensor:
        total = inputs[0]
        for other in inputs[1:]:
            total = total + other
        return total


class BottleneckWithShortcut(nn.Module):
    """Convolutions of 1×1, 3×3 and 1×1 learn what to add to their input; the shortcut carries it on.

    He et al. 2016, Deep residual learning for image recognition, figures 2 and 5.
    """

    def __init__(self, in_channels: int, conv1_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, conv1_channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(conv1_channels)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(conv1_channels, conv1_channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(conv1_channels)
        self.act2 = nn.ReLU()
        self.conv3 = nn.Conv2d(conv1_channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.shortcut_conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
        self.shortcut_bn = nn.BatchNorm2d(out_channels)
        self.add = Add()
        self.act_out = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.act1(self.bn1(self.conv1(x)))
        out = self.act2(self.bn2(self.conv2(out)))
        bn3 = self.bn3(self.conv3(out))
        shortcut_bn = self.shortcut_bn(self.shortcut_conv(x))
        return self.act_out(self.add(bn3, shortcut_bn))


class Bottleneck(nn.Module):
    """Convolutions of 1×1, 3×3 and 1×1 learn what to add to their input; the shortcut carries it on.

    He et al. 2016, Deep residual learning for image recognition, figures 2 and 5.
    """

    def __init__(self, out_channels: int, conv1_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(out_channels, conv1_channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(conv1_channels)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(conv1_channels, conv1_channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(conv1_channels)
        self.act2 = nn.ReLU()
        self.conv3 = nn.Conv2d(conv1_channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.add = Add()
        self.act_out = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.act1(self.bn1(self.conv1(x)))
        out = self.act2(self.bn2(self.conv2(out)))
        bn3 = self.bn3(self.conv3(out))
        return self.act_out(self.add(bn3, x))


class ResNet50(nn.Module):
    """From image 3×224×224 to 1000; 25,557,032 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)  # 64×112×112
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)  # 64×56×56
        self.layer1 = nn.Sequential(
            BottleneckWithShortcut(64, 64, 256, stride=1),  # 256×56×56
            Bottleneck(256, 64),  # 256×56×56
            Bottleneck(256, 64),  # 256×56×56
        )
        self.layer2 = nn.Sequential(
            BottleneckWithShortcut(256, 128, 512, stride=2),  # 512×28×28
            *(Bottleneck(512, 128) for _ in range(3)),  # 512×28×28
        )
        self.layer3 = nn.Sequential(
            BottleneckWithShortcut(512, 256, 1024, stride=2),  # 1024×14×14
            *(Bottleneck(1024, 256) for _ in range(5)),  # 1024×14×14
        )
        self.layer4 = nn.Sequential(
            BottleneckWithShortcut(1024, 512, 2048, stride=2),  # 2048×7×7
            Bottleneck(2048, 512),  # 2048×7×7
            Bottleneck(2048, 512),  # 2048×7×7
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # 2048×1×1
        self.flatten = nn.Flatten()  # 2048
        self.fc = nn.Linear(2048, 1000)  # 1000

    def forward(self, image: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.flatten(self.avgpool(self.layer4(x)))
        return self.fc(x)
