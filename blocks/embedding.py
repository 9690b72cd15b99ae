"""Tokens as vectors."""

from __future__ import annotations

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting


class Embedding(Block):
    """A trainable vector for every token."""

    label, category, stem, role = "Embedding", "embedding", "embed", "embed"
    help = "Looks up a trainable vector for every token: similar tokens get similar vectors."
    formula = "y[t] = W[x[t]]"
    source = "Bengio et al. 2003; torch.nn.Embedding"
    inputs = (Port("in", rank=1, holds="tokens"),)
    num_embeddings: int = setting(100, min=1, max=100_000_000, help="size of the vocabulary")
    embedding_dim: int = setting(32, min=1, max=100_000, help="numbers per vector")
    examples = (
        Example({}, ((16,),), (16, 32), 3200),
        Example({"num_embeddings": 7, "embedding_dim": 3}, ((5,),), (5, 3), 21),
    )

    def check_vocabulary(self, size: int) -> None:
        if size > self.num_embeddings:
            raise BlockError(
                f"It has num_embeddings {self.num_embeddings}, but the tokens it receives come from a vocabulary of "
                f"{size}. Set num_embeddings to {size}.",
                "vocabulary",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.Embedding", self.num_embeddings, self.embedding_dim)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{self.num_embeddings:,}·{self.embedding_dim} = {self.num_embeddings * self.embedding_dim:,}"


class PositionalEncoding(Block):
    """Adds sines and cosines that tell the position."""

    label, category, stem = "PositionalEncoding", "embedding", "position"
    help = "Adds waves of different lengths to a sequence, so that attention can tell the first word from the last."
    formula = "sin(t / 10000^(2i/d)), cos(t / 10000^(2i/d))"
    source = "Vaswani et al. 2017, Attention is all you need, section 3.5"
    inputs = (Port("in", rank=2),)
    examples = (Example({}, ((16, 32),), (16, 32), 0), Example({}, ((4, 7),), (4, 7), 0))

    def check(self, *shapes: Shape) -> None:
        if shapes[0][1] < 2:
            raise BlockError("It needs at least 2 features per step, for a sine and a cosine.", "features")

    def layer(self, *shapes: Shape) -> Call:
        return Call("PositionalEncoding", *shapes[0])
