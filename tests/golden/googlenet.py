"""GoogLeNet: a network in PyTorch, drawn with Layerloom."""

import torch
from torch import Tensor, nn


class Concatenate(nn.Module):
    """Its inputs side by side along one dimension of the sample (0 is the channel)."""

    def __init__(self, dim: int = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, self.dim + 1 if self.dim >= 0 else self.dim)


class BasicConv2d(nn.Module):
    """A convolution, normalized over the batch, then ReLU: the brick that most convolutional networks are made of.

    Ioffe and Szegedy 2015, Batch normalization, section 3.2; BasicConv2d of torchvision's GoogLeNet.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=kernel_size, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Looks with several filter sizes at once and puts all answers side by side; 1×1 convolutions keep it cheap.

    Szegedy et al. 2015, Going deeper with convolutions, figure 2b and table 1.
    """

    def __init__(
        self, in_channels: int, ch1x1: int, ch3x3_reduce: int, ch3x3: int, ch5x5_reduce: int, ch5x5: int, pool_proj: int
    ) -> None:
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, ch1x1, kernel_size=1, padding=0)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, ch3x3_reduce, kernel_size=1, padding=0),
            BasicConv2d(ch3x3_reduce, ch3x3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, ch5x5_reduce, kernel_size=1, padding=0),
            BasicConv2d(ch5x5_reduce, ch5x5, kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),
            BasicConv2d(in_channels, pool_proj, kernel_size=1, padding=0),
        )
        self.concat = Concatenate()

    def forward(self, x: Tensor) -> Tensor:
        return self.concat(self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x))


class GoogLeNet(nn.Module):
    """From image 3×224×224 to 1000; 6,624,904 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)  # 64×112×112
        self.bn1 = nn.BatchNorm2d(64, eps=0.001)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # 64×56×56
        self.conv2 = nn.Conv2d(64, 64, kernel_size=1, bias=False)  # 64×56×56
        self.bn2 = nn.BatchNorm2d(64, eps=0.001)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(64, 192, kernel_size=3, padding=1, bias=False)  # 192×56×56
        self.bn3 = nn.BatchNorm2d(192, eps=0.001)
        self.relu3 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # 192×28×28
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)  # 256×28×28
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)  # 480×28×28
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # 480×14×14
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)  # 512×14×14
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)  # 512×14×14
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)  # 512×14×14
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)  # 528×14×14
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)  # 832×14×14
        self.pool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)  # 832×7×7
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)  # 832×7×7
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)  # 1024×7×7
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # 1024×1×1
        self.flatten = nn.Flatten()  # 1024
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(1024, 1000)  # 1000

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.bn1(self.conv1(image))))
        x = self.relu2(self.bn2(self.conv2(x)))
        x = self.pool2(self.relu3(self.bn3(self.conv3(x))))
        x = self.inception3a(x)
        x = self.pool3(self.inception3b(x))
        x = self.inception4a(x)
        x = self.inception4b(x)
        x = self.inception4c(x)
        x = self.inception4d(x)
        x = self.pool4(self.inception4e(x))
        x = self.inception5a(x)
        x = self.dropout(self.flatten(self.avgpool(self.inception5b(x))))
        return self.fc(x)
