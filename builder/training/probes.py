"""Looking into networks while they train, without changing what they become.

A probe sends one fixed sample through the networks in evaluation mode and keeps every block's output.
It leaves no trace: training mode of every module, random numbers, running averages and gradients are
as before, so the curve is the same to the last bit with and without it.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from builder import recurrence
from builder.training import snapshot
from builder.training.film import Film
from builder.training.snapshot import Array, Snapshot

INTERVAL = 0.25
SURFACE_INTERVAL = 0.5
LIVE_INTERVAL = 0.5
SHARE = 0.03
"""The part of the time that probes may take."""
CHANNELS = 64
PIXELS = 32
GRID = 60
VALUES = 4096
BINS = 32
WATCHED_ELEMENTS = 4_000_000
MAX_STEPS = 256
"""The most steps of a sequence whose gates are worked out."""

Modules = dict[str, dict[str, str]]
"""Network -> node path (``"layer1.conv1"`` for an inner node) -> module path."""


@contextlib.contextmanager
def untouched(networks: dict[str, nn.Module]) -> Iterator[None]:
    """Evaluation mode without gradients inside; every module's mode and the random numbers restored after."""
    modes = [(m, m.training) for network in networks.values() for m in network.modules()]
    # A custom layer may draw numbers even in evaluation mode.
    devices = sorted({p.device.index or 0 for n in networks.values() for p in n.parameters() if p.is_cuda})
    with torch.random.fork_rng(devices), torch.no_grad():
        try:
            for network in networks.values():
                network.eval()
            yield
        finally:
            for module, mode in modes:
                module.training = mode


@contextlib.contextmanager
def hooked(network: nn.Module, modules: dict[str, str], keep: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call ``keep(node path, output)`` for the first call of each node's module, right after it.

    An in-place layer downstream may overwrite the output, so `keep` must copy what it wants.
    """
    seen: set[str] = set()
    handles = []

    def hook(node: str) -> Callable[[nn.Module, Any, Any], None]:
        def observe(module: nn.Module, arguments: Any, output: Any) -> None:
            first = output[0] if isinstance(output, (tuple, list)) else output
            if node not in seen and isinstance(first, Tensor):
                seen.add(node)
                keep(node, first)

        return observe

    try:
        for node, path in modules.items():
            handles.append(network.get_submodule(path).register_forward_hook(hook(node)))
        yield
    finally:
        for handle in handles:
            handle.remove()


# --- measuring one output ----------------------------------------------------------------------


def thumbnail(output: Tensor) -> Tensor:
    """One sample's output, small: at most 64 channels of 32×32, 4096 values of a vector, 128×128 of a sequence."""
    output = output.detach().float()
    if output.dim() >= 3:
        output = output.reshape(-1, *output.shape[-2:])[:CHANNELS]
        height, width = output.shape[-2:]
        if height > PIXELS or width > PIXELS:
            scale = PIXELS / max(height, width)
            size = (max(1, round(height * scale)), max(1, round(width * scale)))
            output = F.adaptive_avg_pool2d(output[None], size)[0]
    elif output.dim() == 2:
        output = output[:128, :128]
    else:
        output = output.reshape(-1)[:VALUES]
    return output


def as_float16(output: Tensor) -> Array:
    """Half precision, values beyond its range cut to it; always a copy."""
    array: Array = output.clamp(-65504.0, 65504.0).to("cpu", torch.float16, copy=True).numpy()
    return array


def describe(output: Tensor) -> dict[str, Any]:
    """Shape, mean, spread, share of zeros and a 32-bin histogram of all values (of 16,384 where there are more)."""
    flat = output.detach().float().reshape(-1)
    if flat.numel() > 16_384:
        flat = flat[:: math.ceil(flat.numel() / 16_384)]
    found: dict[str, Any] = {"shape": list(output.shape)}
    if not flat.numel():
        return found
    low, high = torch.stack(torch.aminmax(flat)).tolist()
    spread, mean = (t.item() for t in torch.std_mean(flat, correction=0))
    for name, value in (("mean", mean), ("std", spread), ("low", low), ("high", high)):
        found[name] = value if math.isfinite(value) else None  # a browser's JSON knows no NaN
    found["zeros"] = 1.0 - torch.count_nonzero(flat).item() / flat.numel()
    if math.isfinite(low) and math.isfinite(high):
        top = high if high > low else low + 1.0
        found["histogram"] = [int(c) for c in torch.histc(flat.cpu(), BINS, low, top).tolist()]
    return found


def gradient_norms(network: nn.Module, modules: dict[str, str]) -> dict[str, float | None]:
    """The norm of each node's last gradient, where its module has parameters that got one."""
    parameters = [(name, p.grad) for name, p in network.named_parameters() if p.grad is not None]
    if not parameters:
        return {}
    norms = dict(zip((n for n, _ in parameters), torch.stack(torch._foreach_norm([g for _, g in parameters])).tolist()))
    found: dict[str, float | None] = {}
    for node, path in modules.items():
        own = [v for name, v in norms.items() if name.startswith(path + ".")]
        if own:
            norm = math.sqrt(sum(v * v for v in own))
            found[node] = norm if math.isfinite(norm) else None
    return found


# --- the sample --------------------------------------------------------------------------------


class Sources:
    """What a probe needs to know besides the networks.

    `inputs` names each slot's input fields, in order; `make_batch(index)` gives samples of the
    validation split as the networks take them; `outputs(networks, batch)` is what the networks give, and
    `results(outputs, batch)` the task's view of it, followed while training for the first `live` samples;
    `film` names those that are kept as they were at several moments. `complete(batch)` adds what the task makes itself.
    """

    def __init__(
        self,
        inputs: dict[str, tuple[str, ...]],
        modules: Modules,
        make_batch: Callable[[Tensor], dict[str, Tensor]],
        count: int,
        results: Callable[[dict[str, Any], dict[str, Tensor]], dict[str, Tensor]],
        outputs: Callable[[dict[str, nn.Module], dict[str, Tensor]], dict[str, Any]],
        complete: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict,
        live: int = 0,
        film: tuple[str, ...] = (),
        grid: dict[str, Tensor] | None = None,
        grid_range: tuple[list[float], list[float]] | None = None,
    ) -> None:
        self.inputs, self.modules, self.make_batch, self.count = inputs, modules, make_batch, count
        self.results, self.outputs, self.complete = results, outputs, complete
        self.live, self.film = live, film
        self.grid, self.grid_range = grid, grid_range


def observe(
    networks: dict[str, nn.Module], sources: Sources, batch: dict[str, Tensor], watched: tuple[str, str] | None = None
) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
    """Feature maps of a batch of one sample: arrays as `Snapshot` names them, and the nodes' numbers.

    `watched` is (network, node path) of the one whose output is kept in full, with its weights.
    Fields that a slot needs but the batch lacks leave that slot out (a GAN's discriminator).
    """
    arrays: dict[str, Array] = {}
    nodes: dict[str, dict[str, Any]] = {}
    outputs: dict[str, Any] = {}
    entered: list[tuple[nn.RNNBase, Tensor]] = []
    batch = sources.complete(batch)
    with untouched(networks), contextlib.ExitStack() as stack:
        for slot, network in networks.items():

            def keep(node: str, output: Tensor, slot: str = slot) -> None:
                one = output[0]
                full = (slot, node) == watched and one.numel() <= WATCHED_ELEMENTS
                arrays[f"map/{slot}/{node}"] = as_float16(one.detach().float() if full else thumbnail(one))
                nodes.setdefault(slot, {})[node] = describe(one)

            stack.enter_context(hooked(network, sources.modules.get(slot, {}), keep))
        if watched is not None and watched[1] in sources.modules.get(watched[0], {}):
            stack.enter_context(
                _entering(networks[watched[0]].get_submodule(sources.modules[watched[0]][watched[1]]), entered)
            )
        outputs = sources.outputs(networks, batch)
        for name, value in sources.results(outputs, batch).items():
            arrays[f"prediction/{name}"] = value[0].float().cpu().numpy().copy()
    for slot in (s for s in outputs if s in networks):
        network, modules = networks[slot], sources.modules.get(slot, {})
        for node, norm in gradient_norms(network, modules).items():
            nodes.setdefault(slot, {}).setdefault(node, {})["gradient"] = norm
        if watched is not None and watched[0] == slot and watched[1] in modules:
            for name, weight in network.get_submodule(modules[watched[1]]).named_parameters():
                if weight.numel() <= WATCHED_ELEMENTS:
                    arrays[f"weight/{slot}/{watched[1]}/{name}"] = weight.detach().float().cpu().numpy().copy()
    if watched is not None and entered:
        place, (layer, sequence) = f"{watched[0]}/{watched[1]}", entered[0]
        for name, value in recurrence.gates(layer, sequence).items():
            arrays[f"gate/{place}/{name}"] = value.float().cpu().numpy().copy()
        arrays[f"reach/{place}"] = recurrence.reach(layer, sequence).float().cpu().numpy().copy()
    for name, value in batch.items():
        arrays[f"sample/{name}"] = value[0].cpu().numpy().copy()
    return arrays, nodes


@contextlib.contextmanager
def _entering(module: nn.Module, kept: list[tuple[nn.RNNBase, Tensor]]) -> Iterator[None]:
    """Keep the first recurrent layer in a module and the sequence (T, features) of the first sample that enters it."""
    layer = next((m for m in module.modules() if isinstance(m, nn.RNNBase)), None)
    if layer is None:
        yield
        return

    def note(_: nn.Module, arguments: Any) -> None:
        kept.append((layer, arguments[0][0].detach()[:MAX_STEPS]))

    handle = layer.register_forward_pre_hook(note)
    try:
        yield
    finally:
        handle.remove()


class Prober:
    """Probes at most 4 times a second, and less often where that would cost over 3% of the time.

    `sample` is an index into the validation split and `watched` a (network, node path); both may be
    changed at any time. The latest snapshot lies in the run folder as probe.safetensors.
    """

    def __init__(self, folder: Path, networks: dict[str, nn.Module], sources: Sources) -> None:
        self.path = folder / snapshot.PROBE_FILE
        self.networks, self.sources = networks, sources
        self.on = True
        self.sample = 0
        self.watched: tuple[str, str] | None = None
        # Each waits for a moment of the clock, and until the thread has worked so long that the last time was at most
        # its share; 0 for at once. On a busy machine the clock runs on while others have the processor.
        self.due = self.surface_due = self.live_due = 0.0
        self.earned = self.surface_earned = self.live_earned = 0.0
        self.error: str | None = None
        self._batch: tuple[int, dict[str, Tensor]] | None = None
        self._surface: dict[str, Array] = {}
        self._live_batch: dict[str, Tensor] | None = None
        self._live: dict[str, Array] = {}
        self._film = Film(folder) if sources.film else None

    def maybe(self, step: int, epoch: int) -> bool:
        """Probe if it is time; whether it did."""
        if not self.on or _early(self.due, self.earned):
            return False
        self.probe(step, epoch)
        return True

    def pick(self, sample: int) -> None:
        """Choose another sample; the next `maybe` probes at once. An index too large wraps round."""
        self.sample = sample % self.sources.count if self.sources.count else 0
        self.due = 0.0

    def at_once(self, step: int, epoch: int) -> None:
        """Probe now, with everything that is followed at longer intervals, unless it is off."""
        if self.on:
            self.due = self.surface_due = self.live_due = 0.0
            self.probe(step, epoch)

    def probe(self, step: int, epoch: int) -> None:
        """Probe now and write the snapshot. A full disk is noted in `error`, not raised."""
        if not self.sources.count:
            self.due = math.inf
            return
        started, worked = time.monotonic(), time.thread_time()
        if self._batch is None or self._batch[0] != self.sample:
            with torch.random.fork_rng([]):
                self._batch = (self.sample, self.sources.make_batch(torch.tensor([self.sample])))
        arrays, nodes = observe(self.networks, self.sources, self._batch[1], self.watched)
        surface = self._surface_info()
        self._follow(step)
        arrays |= self._surface | self._live
        info = {
            "step": step,
            "epoch": epoch,
            "sample": self.sample,
            "time": time.time(),
            "watched": list(self.watched) if self.watched else None,
            "nodes": nodes,
            "surface": surface,
        }
        try:
            snapshot.write(self.path, Snapshot(info, arrays))
            self.error = None
        except OSError as error:
            self.error = error.strerror or str(error)
        self.due = started + INTERVAL
        self.earned = _earned(worked, SHARE)

    def _follow(self, step: int) -> None:
        """The task's view of the first validation samples, as ``live/NAME``."""
        count = min(self.sources.live, self.sources.count)
        if not count or _early(self.live_due, self.live_earned):
            return
        started = time.thread_time()
        if self._live_batch is None:
            with torch.random.fork_rng([]):
                self._live_batch = self.sources.make_batch(torch.arange(count))
        with untouched(self.networks):
            found = self.sources.results(self.sources.outputs(self.networks, self._live_batch), self._live_batch)
            self._live = {f"live/{name}": value.float().cpu().numpy().copy() for name, value in found.items()}
            if self._film is not None and self._film.wants(step):
                self.error = self._film.add(step, {name: found[name] for name in self.sources.film if name in found})
        self.live_due = time.monotonic() + LIVE_INTERVAL
        self.live_earned = _earned(started, SHARE / 2)  # the other half is for the maps of the sample

    def _surface_info(self) -> dict[str, Any] | None:
        grid, bounds = self.sources.grid, self.sources.grid_range
        if grid is None or bounds is None:
            return None
        if not _early(self.surface_due, self.surface_earned):
            started = time.thread_time()
            with untouched(self.networks):
                found = self.sources.results(self.sources.outputs(self.networks, grid), grid)
                self._surface = {f"surface/{k}": v.float().cpu().numpy().copy() for k, v in found.items()}
            self.surface_due = time.monotonic() + SURFACE_INTERVAL
            self.surface_earned = _earned(started, SHARE / 2)
        return {"low": bounds[0], "high": bounds[1], "size": GRID}


def _early(due: float, earned: float) -> bool:
    """Whether it is before a moment of the clock, or the thread has not yet worked so long; never where `due` is 0."""
    return due > 0 and (time.monotonic() < due or time.thread_time() < earned)


def _earned(started: float, share: float) -> float:
    """The thread's time at which what it has done since `started`, in its time, was a `share` of the whole."""
    now = time.thread_time()
    return now + (now - started) * (1 - share) / share


def point_grid(points: Tensor, size: int = GRID) -> tuple[Tensor, tuple[list[float], list[float]]]:
    """A regular size×size grid over the range of 2-D points, with a margin: (size², 2), row by row from the lowest
    second coordinate, and (low, high) of both coordinates."""
    low, high = points.float().amin(0), points.float().amax(0)
    margin = (high - low).clamp_min(1e-6) * 0.1
    low, high = low - margin, high + margin
    across = torch.linspace(low[0].item(), high[0].item(), size)
    up = torch.linspace(low[1].item(), high[1].item(), size)
    second, first = torch.meshgrid(up, across, indexing="ij")
    return torch.stack([first.reshape(-1), second.reshape(-1)], dim=1), (low.tolist(), high.tolist())
