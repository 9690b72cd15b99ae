"""How networks begin: the ways to draw their first weights. Exported scripts contain this very text."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

INITIALIZATIONS = (
    *("default", "kaiming", "xavier", "orthogonal", "normal"),
    *("torchvision_vgg", "torchvision_resnet", "torchvision_googlenet", "dcgan"),
)
"""PyTorch's own; He et al. 2015; Glorot and Bengio 2010; Saxe et al. 2014; N(0, std), as in AlexNet's paper; then what
torchvision does for VGG, ResNet and GoogLeNet, and Radford et al. 2016 for DCGAN."""


def initialize(networks: dict[str, nn.Module], training: dict[str, Any]) -> None:
    """Draw the weights of all networks anew, as ``training["initialization"]`` says; leave them for "default".

    Convolutions, dense, recurrent and attention layers are drawn and their biases set to 0. Normalizations,
    embeddings and single constants stay as they are (but for DCGAN, which draws those of normalizations).
    """
    kind, std = training["initialization"], training["initialization_std"]
    if kind == "default":
        return
    convolutions = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
    for network in networks.values():
        for module in network.modules():
            if isinstance(module, (*convolutions, nn.Linear)):
                if kind == "torchvision_resnet" and isinstance(module, nn.Linear):
                    continue  # stays as PyTorch draws it
                draw_weight(module.weight, kind, std, isinstance(module, nn.Linear))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, (nn.RNNBase, nn.MultiheadAttention, nn.Bilinear)):
                draw_parts(module, kind, std)
            elif kind == "dcgan" and isinstance(module, nn.BatchNorm2d) and module.affine:
                nn.init.normal_(module.weight, 1.0, 0.02)
                nn.init.zeros_(module.bias)


def draw_weight(weight: Tensor, kind: str, std: float, dense: bool) -> None:
    """Fill one matrix or bank of filters in place."""
    match kind:
        case "kaiming":
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
        case "xavier":
            nn.init.xavier_uniform_(weight)
        case "orthogonal":
            nn.init.orthogonal_(weight)
        case "torchvision_vgg" if dense:
            nn.init.normal_(weight, 0.0, 0.01)
        case "torchvision_vgg" | "torchvision_resnet":
            nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
        case "torchvision_googlenet":
            nn.init.trunc_normal_(weight, 0.0, 0.01, -2.0, 2.0)
        case _:
            nn.init.normal_(weight, 0.0, 0.02 if kind == "dcgan" else std)


def draw_parts(module: nn.Module, kind: str, std: float) -> None:
    """Fill a recurrent, attention or bilinear layer: each gate's, or each projection's, matrix for itself."""
    for name, parameter in module.named_parameters(recurse=False):
        if parameter.dim() < 2:
            nn.init.zeros_(parameter)
            continue
        if isinstance(module, nn.RNNBase):
            pieces = torch.split(parameter.detach(), module.hidden_size)
        elif name == "in_proj_weight":
            pieces = parameter.detach().chunk(3)
        else:
            pieces = (parameter.detach(),)
        for piece in pieces:
            draw_weight(piece, kind, std, True)
