"""Optimizers and learning-rate schedules, with torch as the oracle."""

import inspect
import warnings

import pytest
import torch

from blocks.base import SettingError, setting
from builder import optimizers
from builder.schedules import SCHEDULES, learning_rate_factor
from builder.training.settings import TrainingSettings

STEPS, EPOCHS = 120, 12


def settings(**changes: object) -> dict[str, object]:
    return TrainingSettings(epochs=EPOCHS).replace(**changes).to_settings()


def curve(**changes: object) -> list[float]:
    return [learning_rate_factor(step, STEPS, settings(**changes)) for step in range(STEPS)]


def torchs(make: object, by_epoch: bool) -> list[float]:
    """The learning rates of one of torch's schedulers for a rate of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(optimizer)
        rates = []
        for step in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            if step + 1 < STEPS and (not by_epoch or (step + 1) % (STEPS // EPOCHS) == 0):
                optimizer.step()
                scheduler.step()
    return rates


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_arguments_and_defaults_are_torchs(name: str) -> None:
    parameters = inspect.signature(getattr(torch.optim, name)).parameters
    arguments = optimizers.find(name)().arguments()
    for argument, value in arguments.items():
        default = parameters[argument].default
        assert value == pytest.approx(default), argument
    made = eval(f"{optimizers.find(name)().call()}".replace("(", "([torch.nn.Parameter(torch.zeros(1))], ", 1))
    assert isinstance(made, getattr(torch.optim, name))


def test_call_is_source() -> None:
    call = repr(optimizers.SGD(lr=0.1, momentum=0.9, nesterov=True).call())
    assert call == "torch.optim.SGD(lr=0.1, momentum=0.9, dampening=0.0, weight_decay=0.0, nesterov=True)"


def test_what_torch_would_refuse_is_a_sentence() -> None:
    with pytest.raises(SettingError, match="momentum above 0"):
        optimizers.SGD(nesterov=True)
    with pytest.raises(SettingError, match="takes two"):
        optimizers.Adam(betas=(0.9,))
    with pytest.raises(KeyError, match="no optimizer called 'Sgd'"):
        optimizers.find("Sgd")


@pytest.mark.parametrize(("betas", "told"), [((0.9,), "1 number;"), ((0.9, 0.99, 0.999), "3 numbers;")])
def test_betas_are_two_and_counted_in_english(betas: tuple[float, ...], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        optimizers.find("Adam").from_settings({"betas": betas})


def test_every_optimizer_explains_itself() -> None:
    for name in optimizers.names():
        cls = optimizers.find(name)
        assert cls.label
        assert cls.help
        assert cls.formula
        assert all(s.help for s in cls.settings())


def test_register() -> None:
    class Adagrad(optimizers.Optimizer):
        name = "Adagrad"
        lr: float = setting(0.01, min=0)

    try:
        optimizers.register(Adagrad)
        assert optimizers.find("Adagrad") is Adagrad
        with pytest.raises(ValueError, match="already"):
            optimizers.register(type("Other", (optimizers.Optimizer,), {"name": "Adagrad"}))
    finally:
        optimizers._known.pop("Adagrad", None)


# --- schedules ---------------------------------------------------------------------------------


def test_constant() -> None:
    assert curve() == [1.0] * STEPS


def test_step() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.StepLR(o, 5, 0.5), by_epoch=True)
    assert curve(schedule="step", step_epochs=5, gamma=0.5) == pytest.approx(expected, rel=1e-12)


def test_exponential() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.8), by_epoch=True)
    assert curve(schedule="exponential", gamma=0.8) == pytest.approx(expected, rel=1e-12)


def test_cosine() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS), by_epoch=False)
    assert curve(schedule="cosine") == pytest.approx(expected, rel=1e-9)


def test_one_cycle() -> None:
    expected = torchs(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=STEPS, cycle_momentum=False), by_epoch=False
    )
    assert curve(schedule="one_cycle") == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_warm_up() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.LinearLR(o, 1 / 20, total_iters=19), by_epoch=False)
    assert curve(warmup=20) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_short_trainings_have_finite_rates(schedule: str, steps: int) -> None:
    values = [learning_rate_factor(s, steps, settings(schedule=schedule, warmup=2)) for s in range(steps)]
    assert all(0 <= value <= 1.0000001 for value in values)
