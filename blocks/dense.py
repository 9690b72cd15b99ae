"""Dense layers, and dropout."""

from __future__ import annotations

from blocks.base import Block, Call, Example, Port, Shape, setting


def _explain_weights(inputs: str, count: int, out: int, bias: bool) -> str:
    """The number of weights with its numbers: 400·120 + 120 = 48,120."""
    return f"{inputs}·{out}{f' + {out}' if bias else ''} = {out * (count + bias):,}"


class Linear(Block):
    """A fully connected layer on a flat vector."""

    label, category, stem, role = "Linear", "dense", "fc", "readout"
    help = "Every output is a weighted sum of all inputs: a fully connected layer."
    formula = "y = x·Wᵀ + b"
    source = "torch.nn.Linear"
    inputs = (Port("in", rank=1),)
    out_features: int = setting(10, min=1, max=10_000_000, help="how many numbers come out")
    bias: bool = setting(True, help="adds a trainable number to every output")
    examples = (
        Example({"out_features": 120}, ((400,),), (120,), 48_120),
        Example({"out_features": 10, "bias": False}, ((84,),), (10,), 840),
    )

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.Linear", shapes[0][0], self.out_features, **({} if self.bias else {"bias": False}))

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        return shapes[0][0] * self.out_features

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_weights(str(shapes[0][0]), shapes[0][0], self.out_features, self.bias)


class StepwiseLinear(Block):
    """The same fully connected layer at every step of a sequence."""

    label, category, stem = "StepwiseLinear", "dense", "fc"
    help = "One fully connected layer, applied to every time step of a sequence alike."
    formula = "y[t] = x[t]·Wᵀ + b"
    source = "torch.nn.Linear, which maps the last dimension"
    inputs = (Port("in", rank=2),)
    out_features: int = setting(10, min=1, max=10_000_000, help="how many numbers come out at every step")
    bias: bool = setting(True, help="adds a trainable number to every output")
    examples = (
        Example({"out_features": 5}, ((7, 3),), (7, 5), 20),
        Example({"bias": False}, ((1, 4),), (1, 10), 40),
    )

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.Linear", shapes[0][1], self.out_features, **({} if self.bias else {"bias": False}))

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        return shapes[0][0] * shapes[0][1] * self.out_features

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_weights(str(shapes[0][1]), shapes[0][1], self.out_features, self.bias)


class Bilinear(Block):
    """A bilinear form of two vectors."""

    label, category, stem = "Bilinear", "dense", "bilinear"
    help = "Every output is a weighted sum of all products of a number of the first input and one of the second."
    formula = "y[k] = aᵀ·W[k]·b + c[k]"
    source = "torch.nn.Bilinear"
    inputs = (Port("first", rank=1), Port("second", rank=1))
    probe_real = True  # on the meta device torch works through its outputs one by one
    out_features: int = setting(10, min=1, max=4096, help="how many numbers come out")
    bias: bool = setting(True, help="adds a trainable number to every output")
    examples = (
        Example({"out_features": 4}, ((3,), (5,)), (4,), 64),
        Example({"out_features": 2, "bias": False}, ((1,), (6,)), (2,), 12),
    )

    def layer(self, *shapes: Shape) -> Call:
        options = {} if self.bias else {"bias": False}
        return Call("nn.Bilinear", shapes[0][0], shapes[1][0], self.out_features, **options)

    def flops(self, shapes: tuple[Shape, ...], output: Shape) -> int:
        return shapes[0][0] * shapes[1][0] * self.out_features

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        n, m = shapes[0][0], shapes[1][0]
        return _explain_weights(f"{n}·{m}", n * m, self.out_features, self.bias)


class Dropout(Block):
    """Numbers dropped at random while training."""

    label, category, stem = "Dropout", "dense", "dropout"
    help = "While training, sets a random share of the numbers to zero, so that no unit relies on another."
    formula = "y = x · m / (1 − p), m = 0 with probability p"
    source = "Srivastava et al. 2014; torch.nn.Dropout"
    inputs = (Port("in"),)
    stochastic = True
    p: float = setting(0.5, min=0.0, max=1.0, help="share of the numbers that is dropped")
    examples = (Example({}, ((120,),), (120,), 0), Example({"p": 0.2}, ((6, 4, 4),), (6, 4, 4), 0))

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.Dropout", self.p)


class Dropout2d(Block):
    """Whole channels dropped at random while training."""

    label, category, stem = "Dropout2d", "dense", "dropout"
    help = "While training, sets a random share of whole channels to zero."
    formula = "y[c] = x[c] · m[c] / (1 − p), m[c] = 0 with probability p"
    source = "Tompson et al. 2015; torch.nn.Dropout2d"
    inputs = (Port("in", rank=3),)
    stochastic = True
    p: float = setting(0.5, min=0.0, max=1.0, help="share of the channels that is dropped")
    examples = (Example({}, ((6, 4, 4),), (6, 4, 4), 0), Example({"p": 0.1}, ((1, 2, 5),), (1, 2, 5), 0))

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.Dropout2d", self.p)
