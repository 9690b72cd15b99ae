"""Attention: every step of a sequence looks at the others."""

from __future__ import annotations

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting


def _check_heads(features: int, heads: int) -> None:
    if features % heads:
        raise BlockError(
            f"num_heads {heads} does not divide the {features} features it receives. Choose a divisor.", "heads"
        )


def _explain_attention(features: int, heads: int) -> str:
    total = 4 * features * (features + 1)
    return (
        f"{heads} heads of {features}/{heads} = {features // heads} features\n"
        f"queries, keys, values, output: 4·({features}·{features} + {features}) = {total:,}"
    )


class MultiheadAttention(Block):
    """Self-attention over a sequence of vectors."""

    label, category, stem = "MultiheadAttention", "attention", "attention"
    help = (
        "Every step gathers what it needs from all steps, weighted by how well they match; several heads in parallel."
    )
    formula = "softmax(Q·Kᵀ / √d)·V"
    source = "Vaswani et al. 2017, Attention is all you need; torch.nn.MultiheadAttention"
    inputs = (Port("in", rank=2),)
    stochastic = True  # with dropout
    num_heads: int = setting(4, min=1, max=1024, help="number of heads; it must divide the features")
    dropout: float = setting(0.0, min=0.0, max=1.0, help="share of attention weights dropped while training")
    causal: bool = setting(False, help="each step sees only earlier steps")
    examples = (
        Example({}, ((10, 32),), (10, 32), 4224),
        Example({"num_heads": 2, "causal": True}, ((5, 6),), (5, 6), 168),
    )

    def check(self, *shapes: Shape) -> None:
        _check_heads(shapes[0][1], self.num_heads)

    def layer(self, *shapes: Shape) -> Call:
        options: dict[str, object] = {} if self.dropout == 0 else {"dropout": self.dropout}
        if self.causal:
            options["causal"] = True
        return Call("SelfAttention", shapes[0][1], self.num_heads, **options)

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        length, features = shapes[0]
        return 4 * length * features * features + 2 * length * length * features

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_attention(shapes[0][1], self.num_heads)


class TransformerEncoder(Block):
    """Attention and a small network per step, each with a residual connection and LayerNorm."""

    label, category, stem = "TransformerEncoder", "attention", "encoder"
    help = "One layer of a transformer: attention over the sequence, then a small network at every step."
    formula = "h = norm(x + attention(x));  y = norm(h + W2·relu(W1·h))"
    source = "Vaswani et al. 2017, section 3.1; torch.nn.TransformerEncoderLayer"
    inputs = (Port("in", rank=2),)
    stochastic = True  # with dropout
    num_heads: int = setting(4, min=1, max=1024, help="number of heads; it must divide the features")
    dim_feedforward: int = setting(128, min=1, max=1_000_000, help="width of the small network")
    dropout: float = setting(0.1, min=0.0, max=1.0, help="share of numbers dropped while training")
    activation: str = setting("relu", choices=("relu", "gelu"), help="activation of the small network")
    norm_first: bool = setting(False, help="normalizes before each part instead of after it")
    examples = (
        Example({}, ((10, 32),), (10, 32), 12_704),
        Example({"num_heads": 1, "dim_feedforward": 3, "norm_first": True}, ((4, 6),), (4, 6), 237),
    )

    def check(self, *shapes: Shape) -> None:
        _check_heads(shapes[0][1], self.num_heads)

    def layer(self, *shapes: Shape) -> Call:
        options: dict[str, object] = {"dim_feedforward": self.dim_feedforward}
        if self.dropout != 0.1:
            options["dropout"] = self.dropout
        if self.activation != "relu":
            options["activation"] = self.activation
        if self.norm_first:
            options["norm_first"] = True
        return Call("nn.TransformerEncoderLayer", shapes[0][1], self.num_heads, **options, batch_first=True)

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        length, features = shapes[0]
        attention = 4 * length * features * features + 2 * length * length * features
        return attention + 2 * length * features * self.dim_feedforward

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        d, h = shapes[0][1], self.dim_feedforward
        return (
            f"{_explain_attention(d, self.num_heads)}\nsmall network: {d}·{h} + {h} + {h}·{d} + {d} = {2 * d * h + h + d:,}"
            f"\ntwo norms: 2·2·{d} = {4 * d:,}\nin all: {4 * d * (d + 1) + 2 * d * h + h + 5 * d:,}"
        )
