"""The training loop, in plain PyTorch. Exported scripts contain this very text."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from builder.schedules import learning_rate_factor


class Diverged(ArithmeticError):  # noqa: N818 - what happened, rather than what to catch
    """A loss is no longer a finite number, so training cannot go on."""

    def __init__(self, step: int, epoch: int, name: str, value: float) -> None:
        super().__init__(
            f"The {name} became {value} at step {step} in epoch {epoch}, so training stopped there. "
            "A smaller learning rate usually helps."
        )
        self.step, self.epoch, self.name, self.value = step, epoch, name, value


def choose_device(name: str) -> torch.device:
    """The device called `name`; "auto" takes a graphics card if there is one. Raises ValueError."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    if not available[name]:
        raise ValueError(f'The device "{name}" is not available on this machine; choose "auto" or "cpu".')
    return torch.device(name)


def processes() -> tuple[int, int]:
    """This process's number and how many train together, under torchrun; (0, 1) for one alone."""
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if together else (0, 1)


class Loop:
    """Trains networks on data that lies in memory.

    Several processes of one torch.distributed group train together: each takes its part of every batch, so
    that the batch stays what the settings say, and gradients are averaged.

    `splits` holds tensors of all samples by split ("train", "validation", "test") and field.
    `settings` has "training", "optimizer" (by slot), "rates" (by slot, the modules with a factor of the learning
    rate, a module before those inside it; 0 freezes), "loss", "task", "data" and "best" (which validation number
    decides the weights to keep). `renew` draws the samples to train on anew before each epoch, from all splits as
    they were given. `run` yields a record after each step and each evaluation; between two records the
    loop may be saved, and goes on bitwise the same when loaded.
    """

    def __init__(
        self,
        networks: dict[str, nn.Module],
        splits: dict[str, dict[str, Tensor]],
        make_batch: Callable[..., dict[str, Tensor]],
        train_step: Callable[..., tuple[dict[str, float], dict[str, float]]],
        evaluate: Callable[..., tuple[dict[str, Tensor], dict[str, Tensor], int]],
        settings: dict[str, Any],
        score: Callable[[dict[str, Tensor], dict[str, Any]], dict[str, float]] | None = None,
        measure: Callable[[dict[str, nn.Module], dict[str, Any]], dict[str, float]] | None = None,
        renew: Callable[[dict[str, dict[str, Tensor]], dict[str, Any], torch.Generator], dict[str, Tensor]]
        | None = None,
    ) -> None:
        training = settings["training"]
        self.settings, self.training = settings, training
        self.make_batch, self.train_step, self.evaluate, self.score = make_batch, train_step, evaluate, score
        self.measure, self.renew = measure, renew
        self.device = choose_device(training["device"])
        layout = torch.channels_last if training["channels_last"] else torch.preserve_format
        self.networks = {slot: net.to(self.device) for slot, net in networks.items()}
        for network in self.networks.values():
            network.to(memory_format=layout)  # type: ignore[call-overload]
        self.splits = {name: {f: t.to(self.device) for f, t in split.items()} for name, split in splits.items()}
        self.frozen: list[nn.Module] = []
        self.optimizers = {slot: self._optimizer(slot, settings["optimizer"][slot]) for slot in networks}
        self.rates = {slot: optimizer.param_groups[0]["lr"] for slot, optimizer in self.optimizers.items()}

        self.epochs: int = training["epochs"]
        self.samples = len(next(iter(splits["train"].values())))
        self.batch_size = min(training["batch_size"], self.samples)
        self.batches = math.ceil(self.samples / self.batch_size)
        self.rank, self.world = processes()
        if 0 < self.samples % self.batch_size < max(2, self.world) and self.batches > 1:
            self.batches -= 1  # batch normalization cannot learn from a single sample, nor a process from none
        self.share = 1.0  # how large this process's part of the batch is, over an equal part
        self.trained = dict(self.networks)
        if self.world > 1:
            self.trained = {slot: self._shared(network) for slot, network in self.networks.items()}
            torch.manual_seed(training["seed"] + self.rank)  # dropout differs between the parts of a batch
        self.total_steps = self.epochs * self.batches

        # The order of the samples and their augmentation have random numbers of their own, so that
        # neither depends on how many the networks draw.
        self.order = torch.Generator().manual_seed(training["seed"])
        self.augmentation = torch.Generator().manual_seed(training["seed"] + 1)
        self.step = self.epoch = self.position = 0
        self.best_score = -math.inf
        self.best_epoch: int | None = None
        self.best: dict[str, dict[str, Tensor]] | None = None
        self.tested = False
        self.only: str | None = None  # the one network that learns from the next step; None for all
        self._shuffle()

    def _optimizer(self, slot: str, settings: dict[str, Any]) -> torch.optim.Optimizer:
        arguments = dict(settings)
        kind = getattr(torch.optim, arguments.pop("name"))
        if "fused" in inspect.signature(kind).parameters and self.device.type in ("cpu", "cuda"):
            arguments["fused"] = True  # one kernel for all parameters
        optimizer: torch.optim.Optimizer = kind(self._groups(slot), **arguments)
        return optimizer

    def _groups(self, slot: str) -> list[dict[str, Any]]:
        """The network's parameters by the factor of their rate; frozen modules are left out and told so."""
        factors: dict[Tensor, float] = {}
        for path, factor in self.settings.get("rates", {}).get(slot, {}).items():
            module = self.networks[slot].get_submodule(path)
            if factor == 0:
                module.requires_grad_(False)
                self.frozen.append(module)
            factors |= dict.fromkeys(module.parameters(), factor)
        groups: dict[float, list[Tensor]] = {}
        for parameter in self.networks[slot].parameters():
            if parameter.requires_grad:
                groups.setdefault(factors.get(parameter, 1.0), []).append(parameter)
        return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]

    def _shared(self, network: nn.Module) -> nn.Module:
        """The network with its gradients averaged over the processes."""
        if not any(p.requires_grad for p in network.parameters()):
            return network
        return DistributedDataParallel(network, forward_sync_buffers=False, find_unused_parameters=True)

    def _shuffle(self) -> None:
        self.order_state = self.order.get_state()
        self.train_split = self.splits["train"]
        if self.renew is not None and self.epoch < self.epochs:
            # Of the seed and the epoch alone, so that a training that goes on later draws the same.
            generator = torch.Generator().manual_seed((self.training["seed"] << 20) + self.epoch)
            self.train_split = self.renew(self.splits, self.settings["data"], generator)
        count = len(next(iter(self.train_split.values())))
        permutation = torch.randperm(count, generator=self.order).to(self.device)
        if count == self.samples:
            self.batch_indices = torch.split(permutation, self.batch_size)
        else:
            # Samples drawn anew may be some more or less; an epoch has as many batches as the first all the same.
            ends = [place * count // self.batches for place in range(1, self.batches)]
            self.batch_indices = torch.tensor_split(permutation, ends)
        self.position = 0

    # --- training --------------------------------------------------------------------------

    def run(self) -> Iterator[dict[str, Any]]:
        """Train from where it stands to the end, yielding a record after each step and evaluation.

        Raises Diverged after the record of a step whose loss is not finite (the step is not made).
        """
        while self.epoch < self.epochs and not self._out_of_patience():
            self._mode(True)
            while self.position < self.batches:
                record = self._train_batch()
                yield record
                for name, value in record["losses"].items():
                    if not math.isfinite(value):
                        raise Diverged(self.step, self.epoch + 1, name, value)
            self.epoch += 1
            self._shuffle()
            if "validation" in self.splits:
                yield self._validate()
        if not self.tested:
            self.tested = True
            if self.best is not None:
                for slot, weights in self.best.items():
                    self.networks[slot].load_state_dict(weights)
            if "test" in self.splits:
                yield self._evaluate("test")

    def _train_batch(self) -> dict[str, Any]:
        factor = learning_rate_factor(self.step, self.total_steps, self.training)
        for slot, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.rates[slot] * factor * group["factor"]
        index = self.batch_indices[self.position]
        batch = self._part(self._batch(self.train_split, index, self.augmentation), len(index))
        with self._autocast():
            losses, metrics = self.train_step(self.trained, batch, self.settings, self._optimize)
        losses, metrics = self._together(losses), self._together(metrics)
        self.step += 1
        self.position += 1
        return {"step": self.step, "epoch": self.epoch + 1, "losses": losses, "metrics": metrics}

    def _optimize(self, loss: Tensor, slot: str) -> None:
        """One step of the slot's optimizer down this loss; none when the loss is not finite or another learns alone."""
        if self.only not in (None, slot) or not math.isfinite(self._together({"loss": loss.item()})["loss"]):
            return
        optimizer = self.optimizers[slot]
        for group in optimizer.param_groups:  # what zero_grad does, without its entry for a profiler
            for parameter in group["params"]:
                parameter.grad = None
        (loss if self.world == 1 else loss * self.share).backward()  # type: ignore[no-untyped-call]
        if self.training["clip_norm"] > 0:
            nn.utils.clip_grad_norm_(self.networks[slot].parameters(), self.training["clip_norm"])
        optimizer.step()

    def _part(self, batch: dict[str, Tensor], count: int) -> dict[str, Tensor]:
        """This process's part of a batch of so many samples."""
        if self.world == 1:
            return batch
        place = torch.arange(count).tensor_split(self.world)[self.rank]
        self.share = len(place) * self.world / count
        start, end = int(place[0]), int(place[-1]) + 1
        return {name: value[start:end] if len(value) == count else value for name, value in batch.items()}

    def _together(self, values: dict[str, float]) -> dict[str, float]:
        """Numbers of the whole batch: the mean over the processes, each by the size of its part."""
        if self.world == 1:
            return values
        sums = torch.tensor([v * self.share for v in values.values()], dtype=torch.float32, device=self.device)
        torch.distributed.all_reduce(sums)
        return dict(zip(values, (sums / self.world).tolist()))

    def _batch(
        self, split: dict[str, Tensor], index: Tensor, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        batch = self.make_batch(split, index, self.settings["data"], generator)
        batch = {name: v if v.device == self.device else v.to(self.device) for name, v in batch.items()}
        if self.training["channels_last"]:
            for name, value in batch.items():
                if value.dim() == 4:
                    batch[name] = value.contiguous(memory_format=torch.channels_last)
        return batch

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.training["precision"] != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _mode(self, training: bool) -> None:
        for network in self.networks.values():
            network.train(training)
        for module in self.frozen:
            module.eval()  # the statistics of a frozen normalization stay, too

    # --- evaluation ------------------------------------------------------------------------

    def _evaluate(self, split: str) -> dict[str, Any]:
        """The mean losses and metrics over a split."""
        for buffer in (b for network in self.networks.values() for b in network.buffers() if self.world > 1):
            torch.distributed.broadcast(buffer, 0)  # the first process's statistics, so that all judge alike
        self._mode(False)
        sums: dict[str, dict[str, float]] = {"losses": {}, "metrics": {}}
        rows: dict[str, list[Tensor]] = {}
        total = 0
        samples = len(next(iter(self.splits[split].values())))
        size = self.training["evaluation_batch"] or self.batch_size
        with torch.no_grad(), self._autocast():
            for index in torch.split(torch.arange(samples, device=self.device), size):
                losses, metrics, count = self.evaluate(
                    self.networks, self._batch(self.splits[split], index), self.settings
                )
                total += count
                for kind, values in (("losses", losses), ("metrics", metrics)):
                    for name, value in values.items():
                        if value.dim():
                            rows.setdefault(name, []).append(value)
                        else:
                            sums[kind][name] = sums[kind].get(name, 0.0) + value.item()
            measured = {} if self.measure is None else self.measure(self.networks, self.settings)
        means = {kind: {name: s / max(1, total) for name, s in values.items()} for kind, values in sums.items()}
        if self.score is not None:
            means["metrics"] |= self.score({name: torch.cat(parts) for name, parts in rows.items()}, self.settings)
        means["metrics"] |= measured
        return {"step": self.step, "epoch": self.epoch, "split": split, **means}

    def _validate(self) -> dict[str, Any]:
        """Evaluate after an epoch, and keep the weights if they are the best so far."""
        record = self._evaluate("validation")
        best = self.settings["best"]
        score = record[best["kind"]][best["name"]]
        score = score if best["higher_is_better"] else -score
        if score > self.best_score or self.best is None:
            self.best_score, self.best_epoch = score, self.epoch
            self.best = {
                slot: {key: value.detach().clone() for key, value in weights.items()}
                for slot, weights in self.weights().items()
            }
        return record

    def _out_of_patience(self) -> bool:
        patience = self.training["patience"]
        return patience > 0 and self.best_epoch is not None and self.epoch - self.best_epoch >= patience

    # --- what others ask and set -----------------------------------------------------------

    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Each network's state dict as it stands."""
        return {slot: network.state_dict() for slot, network in self.networks.items()}

    def best_weights(self) -> dict[str, dict[str, Tensor]] | None:
        """The weights at the best validation so far, or None before the first."""
        return self.best

    def learning_rate(self, slot: str | None = None) -> float:
        """The learning rate of the next step (of the first network, unless told)."""
        slot = slot or next(iter(self.rates))
        return float(self.rates[slot] * learning_rate_factor(self.step, self.total_steps, self.training))

    def set_learning_rate(self, slot: str | None, value: float) -> None:
        """Go on with this learning rate (of all networks, if no slot is named); a schedule goes on from it."""
        factor = learning_rate_factor(self.step, self.total_steps, self.training)
        for name in self.rates if slot is None else (slot,):
            self.rates[name] = value / factor if factor > 0 else value

    def state_dict(self) -> dict[str, Any]:
        """All that decides how training goes on."""
        on_cuda = self.device.type == "cuda"
        return {
            "networks": self.weights(),
            "optimizers": {slot: optimizer.state_dict() for slot, optimizer in self.optimizers.items()},
            "rates": dict(self.rates),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state() if on_cuda else None,
            "order": self.order_state,
            "augmentation": self.augmentation.get_state(),
            "progress": {"step": self.step, "epoch": self.epoch, "position": self.position, "tested": self.tested},
            "best": {"score": self.best_score, "epoch": self.best_epoch, "weights": self.best},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state, as if there had been no interruption."""
        for slot, weights in state["networks"].items():
            self.networks[slot].load_state_dict(weights)
        for slot, inner in state["optimizers"].items():
            self.optimizers[slot].load_state_dict(inner)
        self.rates = dict(state["rates"])
        self.order.set_state(state["order"])
        self.epoch = state["progress"]["epoch"]
        self._shuffle()
        self.augmentation.set_state(state["augmentation"])
        for name, value in state["progress"].items():
            setattr(self, name, value)
        best = state["best"]
        self.best_score, self.best_epoch, self.best = best["score"], best["epoch"], best["weights"]
        if state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"])
        torch.set_rng_state(state["random"])
