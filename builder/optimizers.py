"""The optimizers one can choose, with the argument names and defaults of torch.optim."""

from __future__ import annotations

from typing import Any, ClassVar

from blocks.base import Call, Declared, Json, SettingError, setting


class Optimizer(Declared):
    """An optimizer, declared by its settings, which are those of the class in torch.optim it is named after."""

    name: ClassVar[str] = ""
    """Its class in torch.optim, and what the project file says."""
    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def arguments(self) -> dict[str, Json]:
        """What torch's constructor takes besides the parameters."""
        return {name: getattr(self, name) for name in (s.name for s in self.settings())}

    def call(self) -> Call:
        """torch's constructor call, without the parameters."""
        return Call(f"torch.optim.{self.name}", **self.arguments())


def _lr(default: float) -> Any:
    return setting(default, min=0, max=1000, label="learning rate", help="How far one step goes along the gradient.")


def _weight_decay(default: float = 0.0) -> Any:
    return setting(default, min=0, max=1000, label="weight decay", help="How strongly weights are pulled towards zero.")


def _eps() -> Any:
    return setting(1e-8, min=0, max=1, label="epsilon", help="A small number that keeps the division from exploding.")


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (torch.optim.SGD)."""

    name = "SGD"
    label = "SGD"
    help = "Steps straight down the gradient; with momentum it keeps some of its speed. Needs a tuned learning rate."
    formula = "v ← momentum · v + g;  w ← w − lr · v"
    source = "Sutskever et al. 2013, On the importance of initialization and momentum in deep learning"

    lr: float = _lr(0.001)
    momentum: float = setting(0.0, min=0, max=1, help="The part of the last step's speed that is kept; 0.9 is usual.")
    dampening: float = setting(0.0, min=0, max=1, help="The part of the new gradient that momentum leaves out.")
    weight_decay: float = _weight_decay()
    nesterov: bool = setting(False, label="Nesterov", help="Look ahead along the momentum before taking the gradient.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and (self.momentum <= 0 or self.dampening != 0):
            raise SettingError("nesterov is true, which needs momentum above 0 and dampening 0.")


class Adam(Optimizer):
    """Adam (torch.optim.Adam)."""

    name = "Adam"
    label = "Adam"
    help = "Gives every weight its own step from running means of its gradients. A good first choice."
    formula = "m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  w ← w − lr · m̂ / (√v̂ + ε)"
    source = "Kingma and Ba 2014, Adam: A Method for Stochastic Optimization, arXiv:1412.6980"

    lr: float = _lr(0.001)
    betas: tuple[float, ...] = setting(
        (0.9, 0.999), min=0, max=0.999999, help="How much of the running means of g and of g² is kept each step."
    )
    eps: float = _eps()
    weight_decay: float = _weight_decay()
    amsgrad: bool = setting(False, label="AMSGrad", help="Use the largest running mean of g² so far.")

    def __post_init__(self) -> None:
        super().__post_init__()
        _pair(self.betas)


class AdamW(Optimizer):
    """Adam with decoupled weight decay (torch.optim.AdamW)."""

    name = "AdamW"
    label = "AdamW"
    help = "Adam whose weight decay shrinks the weights directly, not through the gradient."
    formula = "w ← w − lr · λ · w;  then as Adam"
    source = "Loshchilov and Hutter 2017, Decoupled Weight Decay Regularization, arXiv:1711.05101"

    lr: float = _lr(0.001)
    betas: tuple[float, ...] = setting(
        (0.9, 0.999), min=0, max=0.999999, help="How much of the running means of g and of g² is kept each step."
    )
    eps: float = _eps()
    weight_decay: float = _weight_decay(0.01)
    amsgrad: bool = setting(False, label="AMSGrad", help="Use the largest running mean of g² so far.")

    def __post_init__(self) -> None:
        super().__post_init__()
        _pair(self.betas)


class RMSprop(Optimizer):
    """RMSprop (torch.optim.RMSprop)."""

    name = "RMSprop"
    label = "RMSprop"
    help = "Divides each step by the running size of the gradient; often used for recurrent networks."
    formula = "v ← αv + (1−α)g²;  w ← w − lr · g / (√v + ε)"
    source = "Tieleman and Hinton 2012, Neural Networks for Machine Learning, lecture 6"

    lr: float = _lr(0.01)
    alpha: float = setting(0.99, min=0, max=1, help="How much of the running mean of g² is kept each step.")
    eps: float = _eps()
    weight_decay: float = _weight_decay()
    momentum: float = setting(0.0, min=0, max=1, help="The part of the last step's speed that is kept.")
    centered: bool = setting(False, help="Subtract the running mean of the gradient before taking its size.")


def _pair(betas: tuple[float, ...]) -> None:
    if len(betas) != 2:
        raise SettingError(f"betas has {len(betas)} {'number' if len(betas) == 1 else 'numbers'}; it takes two.")


_known: dict[str, type[Optimizer]] = {cls.name: cls for cls in (SGD, Adam, AdamW, RMSprop)}


def names() -> tuple[str, ...]:
    """The names of all optimizers, in the order they are offered."""
    return tuple(_known)


def find(name: str) -> type[Optimizer]:
    """The optimizer called `name`. Raises KeyError with a sentence when there is none."""
    try:
        return _known[name]
    except KeyError:
        raise KeyError(f"There is no optimizer called {name!r}; there are {', '.join(_known)}.") from None


def register(optimizer: type[Optimizer]) -> type[Optimizer]:
    """Add an optimizer from outside: any other class of torch.optim. Can be used as a decorator."""
    known = _known.get(optimizer.name)
    if known is not None and known is not optimizer:
        raise ValueError(f"There is already an optimizer called {optimizer.name!r}.")
    _known[optimizer.name] = optimizer
    return optimizer
