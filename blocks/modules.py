"""Small modules that torch lacks. Their source is copied into exported code, so they use only torch.

Each class stands alone: it names nothing of this file but itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Add(nn.Module):
    """The sum of its inputs, which have equal shapes."""

    def forward(self, *inputs: Tensor) -> Tensor:
        total = inputs[0]
        for other in inputs[1:]:
            total = total + other
        return total


class Subtract(nn.Module):
    """The first input minus the second; both have equal shapes."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first - second


class Multiply(nn.Module):
    """The product of its inputs; lengths of 1 are stretched to fit."""

    def forward(self, *inputs: Tensor) -> Tensor:
        total = inputs[0]
        for other in inputs[1:]:
            total = total * other
        return total


class Mean(nn.Module):
    """The mean of its inputs, which have equal shapes."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.stack(inputs).mean(0)


class Concatenate(nn.Module):
    """Its inputs side by side along one dimension of the sample (0 is the channel)."""

    def __init__(self, dim: int = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, self.dim + 1 if self.dim >= 0 else self.dim)


class Reshape(nn.Module):
    """The same numbers in another shape (given without the batch)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)


class Permute(nn.Module):
    """The dimensions of the sample in another order (0 is the first after the batch)."""

    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, *(d + 1 for d in self.order))


class Crop(nn.Module):
    """The middle height × width of a picture."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height = height
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        top = (x.shape[-2] - self.height) // 2
        left = (x.shape[-1] - self.width) // 2
        return x[..., top : top + self.height, left : left + self.width]


class ShortcutA(nn.Module):
    """A shortcut without parameters: every second pixel, and zeros for the new channels.

    Option A of He et al. 2016, Deep residual learning for image recognition.
    """

    def __init__(self, stride: int, channels: int) -> None:
        super().__init__()
        self.stride = stride
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        missing = self.channels - x.shape[1]
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, missing // 2, missing - missing // 2))


class Recurrent(nn.Module):
    """A recurrent layer that returns one tensor: its whole output sequence, or the last step's.

    For both directions the last step joins the end of the forward pass and of the backward pass.
    """

    def __init__(self, layer: nn.RNN | nn.LSTM | nn.GRU, last: bool = False) -> None:
        super().__init__()
        self.layer = layer
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        sequence: Tensor = self.layer(x)[0]
        if not self.last:
            return sequence
        if not self.layer.bidirectional:
            return sequence[:, -1]
        size = self.layer.hidden_size
        return torch.cat((sequence[:, -1, :size], sequence[:, 0, size:]), 1)


class NormalEmbedding(nn.Embedding):
    """torch's embedding with first vectors from a normal distribution of another standard deviation than 1."""

    def __init__(self, num_embeddings: int, embedding_dim: int, std: float) -> None:
        super().__init__(num_embeddings, embedding_dim)
        nn.init.normal_(self.weight, std=std)


class HashedEmbedding(nn.Module):
    """A vector for every bucket; Knuth's multiplicative hash sends tokens to buckets."""

    def __init__(self, buckets: int, embedding_dim: int, std: float = 1.0) -> None:
        super().__init__()
        self.vectors = nn.Embedding(buckets, embedding_dim)
        nn.init.normal_(self.vectors.weight, std=std)

    def forward(self, tokens: Tensor) -> Tensor:
        bucket = ((tokens * 2654435761) % 2**32 * self.vectors.num_embeddings) >> 32
        vectors: Tensor = self.vectors(bucket)
        return vectors


class RandomProjection(nn.Module):
    """Fixed random vectors for tokens: one number of `sparsity` is ±√(sparsity / features), the others are 0.

    Achlioptas 2003, Database-friendly random projections.
    """

    vectors: Tensor

    def __init__(self, num_embeddings: int, features: int, sparsity: int = 3, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randint(2 * sparsity, (num_embeddings, features), generator=generator, device="cpu")
        signs = (drawn == 0).float() - (drawn == 1).float()
        self.register_buffer("vectors", signs * (sparsity / features) ** 0.5, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.embedding(tokens, self.vectors)


class PositionalEncoding(nn.Module):
    """Adds sines and cosines of the position to every vector of a sequence.

    Vaswani et al. 2017, Attention is all you need, section 3.5.
    """

    encoding: Tensor

    def __init__(self, length: int, features: int) -> None:
        super().__init__()
        position = torch.arange(length).unsqueeze(1)
        rate = 10000.0 ** (-torch.arange(0, features, 2) / features)
        encoding = torch.zeros(length, features)
        encoding[:, 0::2] = torch.sin(position * rate)
        encoding[:, 1::2] = torch.cos(position * rate)[:, : features // 2]
        self.register_buffer("encoding", encoding, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.encoding


class SelfAttention(nn.Module):
    """Multi-head attention in which every step of a sequence looks at all steps, or only at earlier ones."""

    def __init__(self, features: int, heads: int, dropout: float = 0.0, causal: bool = False) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(features, heads, dropout=dropout, batch_first=True)
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        mask = None
        if self.causal:
            mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        attended: Tensor = self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]
        return attended


class MeanOfSteps(nn.Module):
    """The mean of a sequence over its steps."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class GlobalAvgPool2d(nn.Module):
    """The mean of every channel of a picture, as a flat vector."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Constant(nn.Module):
    """The same numbers for every sample, whatever comes in; trainable if told so."""

    value: Tensor

    def __init__(self, *shape: int, value: float = 0.0, trainable: bool = False) -> None:
        super().__init__()
        numbers = torch.full(shape, value)
        if trainable:
            self.value = nn.Parameter(numbers)
        else:
            self.register_buffer("value", numbers, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.value.expand(x.shape[0], *self.value.shape)


class GaussianSample(nn.Module):
    """Draws from normal distributions while training, and gives their means afterwards.

    The input holds the means, then the logarithms of the variances.
    """

    def forward(self, x: Tensor) -> Tensor:
        mean, logvar = x.chunk(2, dim=1)
        return mean + (0.5 * logvar).exp() * torch.randn_like(mean) if self.training else mean


class Noise(nn.Module):
    """Adds Gaussian noise while training, and nothing afterwards."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x
