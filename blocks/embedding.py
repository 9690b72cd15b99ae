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
    std: float = setting(
        1.0,
        min=0,
        max=100,
        label="initial spread",
        help="standard deviation of the first vectors; small ones let word vectors take shape sooner",
    )
    examples = (
        Example({}, ((16,),), (16, 32), 3200),
        Example({"num_embeddings": 7, "embedding_dim": 3, "std": 0.1}, ((5,),), (5, 3), 21),
    )

    def check_vocabulary(self, size: int) -> None:
        if size > self.num_embeddings:
            raise BlockError(
                f"It has num_embeddings {self.num_embeddings}, but the tokens it receives come from a vocabulary of "
                f"{size}. Set num_embeddings to {size}.",
                "vocabulary",
            )

    def layer(self, *shapes: Shape) -> Call:
        if self.std != 1.0:
            return Call("NormalEmbedding", self.num_embeddings, self.embedding_dim, std=self.std)
        return Call("nn.Embedding", self.num_embeddings, self.embedding_dim)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{self.num_embeddings:,}·{self.embedding_dim} = {self.num_embeddings * self.embedding_dim:,}"


class HashedEmbedding(Block):
    """The hashing trick: a trainable vector for every bucket, and a bucket for every token."""

    label, category, stem = "Hashed embedding", "embedding", "hashed"
    help = "Sends every token to one of few buckets and looks up the bucket's vector; tokens that collide share it."
    formula = "y[t] = W[h(x[t])],  h(x) = ⌊buckets · frac(x · 2654435761 / 2³²)⌋"
    source = "Weinberger et al. 2009, Feature hashing for large scale multitask learning; Knuth's multiplicative hash"
    inputs = (Port("in", rank=1, holds="tokens"),)
    buckets: int = setting(64, min=1, max=100_000_000, help="how many vectors there are for all tokens together")
    embedding_dim: int = setting(32, min=1, max=100_000, help="numbers per vector")
    std: float = setting(0.1, min=0, max=100, label="initial spread", help="standard deviation of the first vectors")
    examples = (
        Example({}, ((16,),), (16, 32), 2048),
        Example({"buckets": 5, "embedding_dim": 3}, ((1,),), (1, 3), 15),
    )

    def layer(self, *shapes: Shape) -> Call:
        return Call("HashedEmbedding", self.buckets, self.embedding_dim, std=self.std)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{self.buckets:,}·{self.embedding_dim} = {self.buckets * self.embedding_dim:,}"


class RandomProjection(Block):
    """Fixed sparse vectors of ±1 in place of one-hot vectors."""

    label, category, stem = "Random projection", "embedding", "project"
    help = "Gives every token a fixed random vector of few ±1; distances are kept nearly, and nothing is learned here."
    formula = "y[t] = R[x[t]],  R = ±√(s/d) with chance 1/(2s) each, else 0"
    source = "Achlioptas 2003, Database-friendly random projections; Johnson and Lindenstrauss 1984"
    inputs = (Port("in", rank=1, holds="tokens"),)
    num_embeddings: int = setting(100, min=1, max=10_000_000, help="size of the vocabulary")
    features: int = setting(64, min=1, max=100_000, help="numbers per vector")
    sparsity: int = setting(3, min=1, max=1000, help="one number of so many is not zero")
    seed: int = setting(0, min=0, max=2**31 - 1, help="another number gives other vectors")
    examples = (
        Example({}, ((16,),), (16, 64), 0),
        Example({"num_embeddings": 7, "features": 3}, ((1,),), (1, 3), 0),
    )

    def check_vocabulary(self, size: int) -> None:
        if size > self.num_embeddings:
            raise BlockError(
                f"It has num_embeddings {self.num_embeddings}, but the tokens it receives come from a vocabulary of "
                f"{size}. Set num_embeddings to {size}.",
                "vocabulary",
            )

    def check(self, *shapes: Shape) -> None:
        numbers = self.num_embeddings * self.features
        if numbers > 50_000_000:
            raise BlockError(
                f"It would hold {self.num_embeddings:,}·{self.features:,} = {numbers:,} fixed numbers; at most "
                "50,000,000 are kept. Use fewer features.",
                "too-large",
            )

    def layer(self, *shapes: Shape) -> Call:
        more = {} if self.seed == 0 else {"seed": self.seed}
        return Call("RandomProjection", self.num_embeddings, self.features, sparsity=self.sparsity, **more)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return (
            f"about {self.features}/{self.sparsity} = {self.features / self.sparsity:.3g} of {self.features} are not 0"
        )


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
