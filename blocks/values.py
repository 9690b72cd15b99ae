"""Numbers that do not come from the data: noise and constants."""

from __future__ import annotations

import math

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting
from blocks.geometry import text


class Noise(Block):
    """Gaussian noise added while training."""

    label, category, stem = "Noise", "dense", "noise"
    help = "While training, adds random numbers to its input, so that the network does not rely on small details."
    formula = "y = x + std · ε, ε normal"
    source = "Bishop 1995, Training with noise is equivalent to Tikhonov regularization"
    inputs = (Port("in"),)
    stochastic = True
    std: float = setting(0.1, min=0.0, max=1000.0, help="standard deviation of the noise")
    examples = (Example({}, ((12,),), (12,), 0), Example({"std": 1.0}, ((3, 4, 4),), (3, 4, 4), 0))

    def layer(self, *shapes: Shape) -> Call:
        return Call("Noise", self.std)


class GaussianSample(Block):
    """A draw from a normal distribution whose mean and variance the layer before it gives."""

    label, category, stem = "GaussianSample", "dense", "sample"
    help = "Half of the numbers are means, half logarithms of variances: while training it draws, later it gives the means."
    formula = "z = μ + e^(½·log σ²) · ε, ε normal"
    source = "Kingma and Welling 2014, Auto-encoding variational Bayes"
    inputs = (Port("in", rank=1),)
    stochastic = True
    examples = (Example({}, ((4,),), (2,), 0), Example({}, ((32,),), (16,), 0))

    def check(self, *shapes: Shape) -> None:
        if shapes[0][0] % 2:
            raise BlockError(
                f"It receives {shapes[0][0]} numbers, but takes as many means as logarithms of variances. "
                "Let the layer before it give an even number.",
                "even",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("GaussianSample")

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return f"{output[0]} means and {output[0]} variances → {output[0]} numbers"


class Constant(Block):
    """The same numbers for every sample; its input only says how many samples there are."""

    label, category, stem = "Constant", "merge", "constant"
    independent = True
    help = "Gives the same numbers for every sample, fixed or trained; what comes in only tells the size of the batch."
    formula = "y = c"
    source = "trained, it is the class token of Dosovitskiy et al. 2020, An image is worth 16×16 words"
    inputs = (Port("in"),)
    shape: tuple[int, ...] = setting((1,), min=1, max=1_000_000, help="lengths without the batch")
    value: float = setting(0.0, min=-1e6, max=1e6, help="the number it holds, or begins with")
    trainable: bool = setting(False, help="learns the numbers")
    examples = (
        Example({"value": 1.0}, ((6, 8, 8),), (1,), 0),
        Example({"shape": [1, 32], "trainable": True}, ((10, 32),), (1, 32), 32),
    )

    def check(self, *shapes: Shape) -> None:
        if not 1 <= len(self.shape) <= 8:
            raise BlockError(f"shape has {len(self.shape)} lengths; give 1 to 8.", "reshape")
        if math.prod(self.shape) > 2**31:
            raise BlockError(
                f"shape {text(self.shape)} holds {math.prod(self.shape):,} numbers; use fewer.", "too-large"
            )

    def layer(self, *shapes: Shape) -> Call:
        options = {
            k: v for k, v, usual in (("value", self.value, 0.0), ("trainable", self.trainable, False)) if v != usual
        }
        return Call("Constant", *self.shape, **options)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return (
            f"{'·'.join(map(str, self.shape))} = {math.prod(self.shape):,} {'trained' if self.trainable else 'fixed'}"
        )
