"""What a validation leaves to be looked at: the task's arrays of single samples and its totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from builder.training.snapshot import Array

Outputs = dict[str, Any]
View = Callable[[Outputs, dict[str, Tensor]], dict[str, Tensor]]
Evaluate = Callable[[dict[str, nn.Module], dict[str, Tensor], dict[str, Any]], Any]

MAX_ELEMENTS = 1_000_000
"""The most numbers kept of one array of single samples; the first samples are kept."""


class Collector:
    """Listens to the loop's own evaluation, so that nothing is computed twice.

    `results` and `totals` are the task's views of the networks' outputs for a batch: arrays with the
    sample first, which are strung together, and arrays which are added up.
    """

    def __init__(self, results: View, totals: View) -> None:
        self.results, self.totals = results, totals
        self._samples: dict[str, list[Tensor]] = {}
        self._kept: dict[str, int] = {}
        self._sums: dict[str, Tensor] = {}

    def listening(self, evaluate: Evaluate) -> Evaluate:
        """The same evaluation, which also tells this collector what each network's output was."""

        def evaluate_and_tell(
            networks: dict[str, nn.Module], batch: dict[str, Tensor], settings: dict[str, Any]
        ) -> Any:
            outputs: Outputs = {}
            handles = []
            for slot, network in networks.items():

                def note(module: nn.Module, arguments: Any, output: Any, slot: str = slot) -> None:
                    outputs[slot] = output

                handles.append(network.register_forward_hook(note))
            try:
                found = evaluate(networks, batch, settings)
            finally:
                for handle in handles:
                    handle.remove()
            self._add(outputs, batch)
            return found

        return evaluate_and_tell

    def _add(self, outputs: Outputs, batch: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in self.results(outputs, batch).items():
                room = MAX_ELEMENTS // max(1, value[0].numel()) - self._kept.get(name, 0) if len(value) else 0
                if room > 0:
                    part = value[:room].detach().to("cpu", copy=True)
                    self._samples.setdefault(name, []).append(part)
                    self._kept[name] = self._kept.get(name, 0) + len(part)
            for name, value in self.totals(outputs, batch).items():
                known = self._sums.get(name)
                self._sums[name] = value.detach().clone() if known is None else known + value

    def take(self) -> dict[str, Array] | None:
        """``sample/NAME`` and ``total/NAME`` since the last call; None when there is nothing."""
        arrays = {f"sample/{name}": torch.cat(parts).float().numpy() for name, parts in self._samples.items()}
        arrays |= {f"total/{name}": value.cpu().numpy() for name, value in self._sums.items()}
        self._samples, self._kept, self._sums = {}, {}, {}
        return arrays or None
