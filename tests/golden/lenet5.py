"""LeNet-5: a network in PyTorch, drawn with Layerloom."""

from torch import Tensor, nn


class LeNet5(nn.Module):
    """From image 1×28×28 to 10; 61,706 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)  # 6×28×28
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)  # 6×14×14
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)  # 16×10×10
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)  # 16×5×5
        self.flatten = nn.Flatten()  # 400
        self.fc1 = nn.Linear(400, 120)  # 120
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(120, 84)  # 84
        self.relu4 = nn.ReLU()
        self.fc3 = nn.Linear(84, 10)  # 10

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(image)))
        x = self.flatten(self.pool2(self.relu2(self.conv2(x))))
        x = self.relu3(self.fc1(x))
        x = self.relu4(self.fc2(x))
        return self.fc3(x)
