"""small GoogLeNet: a network in PyTorch, drawn with Layerloom."""

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
            BasicConv2d(ch5x5_reduce, ch5x5, kernel_size=5, padding=2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),
            BasicConv2d(in_channels, pool_proj, kernel_size=1, padding=0),
        )
        self.concat = Concatenate()

    def forward(self, x: Tensor) -> Tensor:
        return self.concat(self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x))


class SmallGoogLeNet(nn.Module):
    """From image 1×28×28 to 10; 55,114 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3, padding=1, bias=False)  # 32×28×28
        self.bn1 = nn.BatchNorm2d(32)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # 32×14×14
        self.inception1 = Inception(32, 16, 16, 24, 4, 8, 8)  # 56×14×14
        self.inception2 = Inception(56, 32, 32, 48, 8, 24, 16)  # 120×14×14
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # 120×7×7
        self.inception3 = Inception(120, 48, 24, 52, 4, 12, 16)  # 128×7×7
        self.pool = nn.AdaptiveAvgPool2d(1)  # 128×1×1
        self.flatten = nn.Flatten()  # 128
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(128, 10)  # 10

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.bn1(self.conv1(image))))
        x = self.inception1(x)
        x = self.pool2(self.inception2(x))
        x = self.dropout(self.flatten(self.pool(self.inception3(x))))
        return self.fc(x)
