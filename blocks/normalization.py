"""Normalization: numbers are brought to mean 0 and deviation 1, then scaled by what is learned."""

from __future__ import annotations

from blocks.base import Block, BlockError, Call, Example, Port, Shape, setting


def _options(eps: float, affine: bool) -> dict[str, object]:
    options: dict[str, object] = {} if eps == 1e-5 else {"eps": eps}
    return options | ({} if affine else {"affine": False})


def _explain_affine(count: int, affine: bool) -> str:
    return f"2·{count} = {2 * count:,}" if affine else "nothing is learned"


class BatchNorm2d(Block):
    """Every channel normalized over the batch and the picture."""

    label, category, stem = "BatchNorm2d", "normalization", "bn"
    help = "Brings each channel to mean 0 and deviation 1 over the batch, so that deep networks train faster."
    formula = "y = γ · (x − mean) / √(var + ε) + β, per channel over batch and pixels"
    source = "Ioffe and Szegedy 2015, Batch normalization; torch.nn.BatchNorm2d"
    inputs = (Port("in", rank=3),)
    per_batch = True
    eps: float = setting(1e-5, min=1e-12, max=1.0, help="keeps the division from zero")
    momentum: float = setting(0.1, min=0.0, max=1.0, help="weight of the newest batch in the running mean")
    affine: bool = setting(True, help="learns a scale γ and a shift β per channel")
    examples = (Example({}, ((6, 8, 8),), (6, 8, 8), 12), Example({"affine": False}, ((6, 8, 8),), (6, 8, 8), 0))

    def layer(self, *shapes: Shape) -> Call:
        more: dict[str, object] = {} if self.momentum == 0.1 else {"momentum": self.momentum}
        return Call("nn.BatchNorm2d", shapes[0][0], **_options(self.eps, self.affine), **more)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_affine(shapes[0][0], self.affine)


class BatchNorm1d(Block):
    """Every feature normalized over the batch (and along a signal)."""

    label, category, stem = "BatchNorm1d", "normalization", "bn"
    help = "Brings each feature to mean 0 and deviation 1 over the batch."
    formula = "y = γ · (x − mean) / √(var + ε) + β, per feature over the batch"
    source = "Ioffe and Szegedy 2015, Batch normalization; torch.nn.BatchNorm1d"
    inputs = (Port("in", rank=(1, 2)),)
    per_batch = True
    eps: float = setting(1e-5, min=1e-12, max=1.0, help="keeps the division from zero")
    momentum: float = setting(0.1, min=0.0, max=1.0, help="weight of the newest batch in the running mean")
    affine: bool = setting(True, help="learns a scale γ and a shift β per feature")
    examples = (Example({}, ((20,),), (20,), 40), Example({}, ((4, 9),), (4, 9), 8))

    def layer(self, *shapes: Shape) -> Call:
        more: dict[str, object] = {} if self.momentum == 0.1 else {"momentum": self.momentum}
        return Call("nn.BatchNorm1d", shapes[0][0], **_options(self.eps, self.affine), **more)

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_affine(shapes[0][0], self.affine)


class LayerNorm(Block):
    """The last dimension normalized, sample by sample."""

    label, category, stem = "LayerNorm", "normalization", "norm"
    help = "Brings the features of each single sample (or time step) to mean 0 and deviation 1; no batch needed."
    formula = "y = γ · (x − mean) / √(var + ε) + β, over the last dimension"
    source = "Ba, Kiros and Hinton 2016, Layer normalization; torch.nn.LayerNorm"
    inputs = (Port("in"),)
    eps: float = setting(1e-5, min=1e-12, max=1.0, help="keeps the division from zero")
    affine: bool = setting(True, help="learns a scale γ and a shift β per feature")
    examples = (Example({}, ((5, 12),), (5, 12), 24), Example({"affine": False}, ((12,),), (12,), 0))

    def layer(self, *shapes: Shape) -> Call:
        options = _options(self.eps, True)
        return Call("nn.LayerNorm", shapes[0][-1], **options | ({} if self.affine else {"elementwise_affine": False}))

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_affine(shapes[0][-1], self.affine)


class GroupNorm(Block):
    """Groups of channels normalized, sample by sample."""

    label, category, stem = "GroupNorm", "normalization", "norm"
    help = "Brings groups of channels of each sample to mean 0 and deviation 1; works with small batches."
    formula = "y = γ · (x − mean) / √(var + ε) + β, per group of channels"
    source = "Wu and He 2018, Group normalization; torch.nn.GroupNorm"
    inputs = (Port("in", rank=(1, 2, 3)),)
    num_groups: int = setting(4, min=1, max=65536, help="number of groups; it must divide the channels")
    eps: float = setting(1e-5, min=1e-12, max=1.0, help="keeps the division from zero")
    affine: bool = setting(True, help="learns a scale γ and a shift β per channel")
    examples = (
        Example({}, ((8, 5, 5),), (8, 5, 5), 16),
        Example({"num_groups": 2, "affine": False}, ((6, 5, 5),), (6, 5, 5), 0),
    )

    def check(self, *shapes: Shape) -> None:
        if shapes[0][0] % self.num_groups:
            raise BlockError(
                f"num_groups {self.num_groups} does not divide the {shapes[0][0]} channels it receives. "
                "Choose a divisor of the channels.",
                "groups",
            )

    def layer(self, *shapes: Shape) -> Call:
        return Call("nn.GroupNorm", self.num_groups, shapes[0][0], **_options(self.eps, self.affine))

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_affine(shapes[0][0], self.affine)


class InstanceNorm2d(Block):
    """Every channel of every picture normalized by itself."""

    label, category, stem = "InstanceNorm2d", "normalization", "norm"
    help = "Brings each channel of each picture to mean 0 and deviation 1; it removes contrast."
    formula = "y = (x − mean) / √(var + ε), per channel and sample"
    source = "Ulyanov et al. 2016, Instance normalization; torch.nn.InstanceNorm2d"
    inputs = (Port("in", rank=3),)
    eps: float = setting(1e-5, min=1e-12, max=1.0, help="keeps the division from zero")
    affine: bool = setting(False, help="learns a scale γ and a shift β per channel")
    examples = (Example({}, ((6, 8, 8),), (6, 8, 8), 0), Example({"affine": True}, ((6, 8, 8),), (6, 8, 8), 12))

    def check(self, *shapes: Shape) -> None:
        if shapes[0][1] * shapes[0][2] < 2:
            raise BlockError("A channel of one pixel has no deviation; it needs at least 2 pixels.", "one-value")

    def layer(self, *shapes: Shape) -> Call:
        options: dict[str, object] = {} if self.eps == 1e-5 else {"eps": self.eps}
        return Call("nn.InstanceNorm2d", shapes[0][0], **options | ({"affine": True} if self.affine else {}))

    def explain(self, shapes: tuple[Shape, ...], output: Shape) -> str:
        return _explain_affine(shapes[0][0], self.affine)


class LocalResponseNorm(Block):
    """Every value damped by its neighbours in the channel direction, as in AlexNet's paper."""

    label, category, stem = "LocalResponseNorm", "normalization", "lrn"
    help = "Damps a value when neighbouring channels answer strongly too; used in AlexNet and GoogLeNet."
    formula = "y[c] = x[c] / (k + α/n · Σ x[c']²)^β over n neighbouring channels"
    source = "Krizhevsky, Sutskever and Hinton 2012, section 3.3; torch.nn.LocalResponseNorm"
    inputs = (Port("in", rank=(2, 3)),)
    size: int = setting(5, min=1, max=65536, help="number of neighbouring channels")
    alpha: float = setting(1e-4, min=0.0, max=1000.0, help="strength")
    beta: float = setting(0.75, min=0.0, max=10.0, help="exponent")
    k: float = setting(1.0, min=1e-6, max=1000.0, help="constant that is added")
    examples = (
        Example({}, ((6, 8, 8),), (6, 8, 8), 0),
        Example({"size": 3, "alpha": 1.0, "beta": 0.5, "k": 2.0}, ((4, 9),), (4, 9), 0),
    )

    def layer(self, *shapes: Shape) -> Call:
        given = (("alpha", self.alpha, 1e-4), ("beta", self.beta, 0.75), ("k", self.k, 1.0))
        return Call("nn.LocalResponseNorm", self.size, **{name: v for name, v, usual in given if v != usual})
