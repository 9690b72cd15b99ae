"""Activations: one function applied to every number, which makes a network more than a matrix product."""

from __future__ import annotations

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting
from blocks.geometry import text


class _Activation(Block):
    """A function without settings, applied number by number."""

    category = "activation"
    inputs = (Port("in"),)
    examples = (Example({}, ((6, 8, 8),), (6, 8, 8), 0), Example({}, ((12,),), (12,), 0))

    def layer(self, *shapes: Shape) -> Call:
        return Call(f"nn.{type(self).__name__}")


class ReLU(_Activation):
    """max(0, x)."""

    label, stem = "ReLU", "relu"
    help = "Keeps positive numbers and turns negative ones to zero. The usual choice."
    formula = "y = max(0, x);  y' = 1 for x > 0, else 0"
    source = "Nair and Hinton 2010; torch.nn.ReLU"


class ReLU6(_Activation):
    """min(max(0, x), 6)."""

    label, stem = "ReLU6", "relu"
    help = "ReLU that stops at 6; used in small networks for phones."
    formula = "y = min(max(0, x), 6)"
    source = "Howard et al. 2017, MobileNets; torch.nn.ReLU6"


class Sigmoid(_Activation):
    """1 / (1 + e^−x)."""

    label, stem = "Sigmoid", "sigmoid"
    help = "Squeezes every number between 0 and 1, like a probability. Far from zero its slope vanishes."
    formula = "σ(x) = 1 / (1 + e^−x);  σ' = σ(1 − σ)"
    source = "torch.nn.Sigmoid"


class Tanh(_Activation):
    """The hyperbolic tangent."""

    label, stem = "Tanh", "tanh"
    help = "Squeezes every number between −1 and 1. Far from zero its slope vanishes."
    formula = "y = tanh x;  tanh' = (1 − tanh)(1 + tanh)"
    source = "LeCun et al. 1998, Efficient backprop; torch.nn.Tanh"


class GELU(_Activation):
    """x · Φ(x)."""

    label, stem = "GELU", "gelu"
    help = "A smooth ReLU: each number is weighted by how large it is among normal numbers. Used in transformers."
    formula = "y = x · Φ(x), Φ the normal distribution"
    source = "Hendrycks and Gimpel 2016; torch.nn.GELU"


class SiLU(_Activation):
    """x · σ(x), also called swish."""

    label, stem = "SiLU", "silu"
    help = "A smooth ReLU that dips a little below zero; also called swish."
    formula = "y = x · σ(x)"
    source = "Elfwing et al. 2017; Ramachandran et al. 2017; torch.nn.SiLU"


class Hardswish(_Activation):
    """x · min(max(0, x + 3), 6) / 6."""

    label, stem = "Hardswish", "hardswish"
    help = "Swish made of straight pieces, cheaper to compute."
    formula = "y = x · min(max(0, x + 3), 6) / 6"
    source = "Howard et al. 2019, Searching for MobileNetV3; torch.nn.Hardswish"


class LeakyReLU(Block):
    """ReLU with a small slope on the negative side."""

    label, category, stem = "LeakyReLU", "activation", "relu"
    help = "ReLU that lets a little of the negative side through, so that no unit dies."
    formula = "y = x for x > 0, else negative_slope · x"
    source = "Maas, Hannun and Ng 2013; torch.nn.LeakyReLU"
    inputs = (Port("in"),)
    negative_slope: float = setting(0.01, min=0.0, max=10.0, help="slope for negative numbers")
    examples = (Example({"negative_slope": 0.2}, ((6, 8, 8),), (6, 8, 8), 0), Example({}, ((12,),), (12,), 0))

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.LeakyReLU", *(() if self.negative_slope == 0.01 else (self.negative_slope,)))


class PReLU(Block):
    """ReLU whose negative slope is learned."""

    label, category, stem = "PReLU", "activation", "prelu"
    help = "ReLU whose slope on the negative side is learned, one for all or one per channel."
    formula = "y = x for x > 0, else a · x with a learned"
    source = "He et al. 2015, Delving deep into rectifiers; torch.nn.PReLU"
    inputs = (Port("in"),)
    per_channel: bool = setting(False, help="learns one slope per channel instead of one for all")
    init: float = setting(0.25, min=-10.0, max=10.0, help="slope at the start")
    examples = (
        Example({}, ((6, 8, 8),), (6, 8, 8), 1),
        Example({"per_channel": True}, ((6, 8, 8),), (6, 8, 8), 6),
    )

    def layer(self, *shapes: Shape) -> Call:
        count = (shapes[0][0],) if self.per_channel else ()
        return Call("nn.PReLU", *count, **({} if self.init == 0.25 else {"init": self.init}))

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{shapes[0][0]} slopes, one per channel" if self.per_channel else "1 slope for all"


class ELU(Block):
    """Exponential on the negative side."""

    label, category, stem = "ELU", "activation", "elu"
    help = "Like ReLU, but bends smoothly to −alpha on the negative side."
    formula = "y = x for x > 0, else α · (e^x − 1)"
    source = "Clevert, Unterthiner and Hochreiter 2015; torch.nn.ELU"
    inputs = (Port("in"),)
    alpha: float = setting(1.0, min=0.0, max=100.0, help="how far below zero it goes")
    examples = (Example({}, ((6, 8, 8),), (6, 8, 8), 0), Example({"alpha": 0.5}, ((12,),), (12,), 0))

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.ELU", *(() if self.alpha == 1.0 else (self.alpha,)))


class _OverClasses(Block):
    """A function over one dimension of the sample: the classes, or the channels of a picture."""

    category = "activation"
    inputs = (Port("in"),)
    probabilities = True
    dim: int = setting(0, min=0, max=7, help="dimension that sums to 1; 0 is the classes or channels")

    def check(self, *shapes: Shape) -> None:
        (x,) = shapes
        if self.dim >= len(x):
            raise BlockError(f"dim {self.dim} is too large for {text(x)}; use at most {len(x) - 1}.", "dim")
        if x[self.dim] < 2:
            raise BlockError(
                f"Dimension {self.dim} of {text(x)} holds a single number, so it would always give the same. "
                "Send 2 or more, or choose another dim.",
                "one-value",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call(f"nn.{type(self).__name__}", dim=self.dim + 1)


class Softmax(_OverClasses):
    """Probabilities from scores."""

    label, stem = "Softmax", "softmax"
    help = "Turns scores into probabilities that sum to 1. Cross-entropy does this by itself."
    formula = "y[c] = e^x[c] / Σ e^x[k]"
    source = "torch.nn.Softmax"
    examples = (Example({}, ((10,),), (10,), 0), Example({"dim": 1}, ((5, 4),), (5, 4), 0))


class LogSoftmax(_OverClasses):
    """Logarithms of probabilities from scores."""

    label, stem = "LogSoftmax", "softmax"
    help = "Logarithms of the probabilities; used before a negative log-likelihood loss."
    formula = "y[c] = x[c] − ln Σ e^x[k]"
    source = "torch.nn.LogSoftmax"
    examples = (Example({}, ((10,),), (10,), 0), Example({}, ((3, 4, 4),), (3, 4, 4), 0))
