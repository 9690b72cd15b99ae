"""One run from its folder to its end: the loop, and between two steps everything else."""

from __future__ import annotations

import json
import math
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from builder.training import checkpoint, control, history, run, snapshot
from builder.training.reporter import Reporter
from builder.training.run import State

CHECKPOINT_SECONDS = 5.0
CHECKPOINT_SHARE = 0.03
"""The part of the time that checkpoints may take."""
RESULTS_SHARE = 0.01
INSIST_SECONDS = 3600.0
PAUSE_POLL = 0.02


class Stop(Exception):  # noqa: N818 - it ends the loop, it is no error
    """Training is to end here, with everything saved."""


class Failure(Exception):  # noqa: N818 - it is the run that failed
    """Training cannot go on; carries the sentence and settings that may help."""

    def __init__(self, message: str, suggestion: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion or {}


class Session:
    """One run, from its folder to its end."""

    def __init__(self, folder: Path, make_job: Callable[[Path], Any]) -> None:
        self.folder, self.make_job = folder, make_job
        self.state = State(pid=os.getpid(), heartbeat=time.time())
        if not (folder / control.FILE).exists():
            control.create(folder)
        self.receiver = control.Receiver(folder)
        self.reporter = Reporter(folder, self.state, self.receiver)
        self.terminated = False
        self.paused = False
        self.allowed: list[str | None] = []
        """The steps to make before pausing, each of all networks (None) or of one; empty for no limit."""
        self.unshown: snapshot.Snapshot | None = None
        self.results_due = 0.0
        self.checkpoint_due = 0.0
        self.checkpoint_earliest = 0.0
        self.records = 0
        self.records_saved = 0
        self.best_saved: int | None = None
        self.resting = 0.0
        self.seconds_before = 0.0

    # --- the whole run ---------------------------------------------------------------------

    def work(self) -> int:
        """Train to the end; returns the process's exit status. The outcome stands in the state."""
        state = self.state
        try:
            self.reporter.publish(save=True)
            try:
                self._prepare()
                self._train()
                state.message, outcome = "", "done"
            except Stop:
                state.message, outcome = f"Stopped after step {state.step}.", "stopped"
            self._look_last()
            self.save()
            self._insist()
            state.status = outcome
        except Failure as failure:
            state.status, state.message, state.suggestion = "failed", str(failure), failure.suggestion
        except Exception as error:  # whatever went wrong must reach the person, not vanish with the process
            traceback.print_exc()
            state.status = "failed"
            state.message, state.suggestion = self._explain(error)
        state.seconds_left = None
        if self.reporter.history is not None:
            self.reporter.history.close()
            self.reporter.trouble("the history", self.reporter.history.error)
        self.receiver.done()
        self.reporter.end()
        return 0 if state.status in ("done", "stopped") else 1

    def _explain(self, error: Exception) -> tuple[str, dict[str, Any]]:
        where = f"in step {self.state.step + 1}" if self.state.step else "before the first step"
        said = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        text = said.strip().splitlines()[0] if said.strip() else type(error).__name__
        memory = isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text
        if memory:
            size = self._batch_size()
            advice = {"batch_size": max(1, size // 2)} if size else {}
            smaller = f" Try a batch size of {advice['batch_size']}" if advice else " Try a smaller batch"
            return f"The memory ran out {where}.{smaller} or a smaller network.", advice
        if isinstance(error, ValueError) and type(error).__module__.startswith("builder."):
            return str(error), {}  # one of our own sentences
        return f"Training failed {where}: {text} The details are in {self.folder / run.LOG_FILE}.", {}

    def _batch_size(self) -> int:
        try:
            size = json.loads((self.folder / run.PROJECT_FILE).read_bytes())["training"]["batch_size"]
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        return size if isinstance(size, int) else 0

    def _prepare(self) -> None:
        state = self.state
        self.job = self.make_job(self.folder)
        self.loop = self.job.loop
        step, saved, message = checkpoint.load_latest(self.folder)
        if saved is not None:
            self.loop.load_state_dict(saved["loop"])
            self.seconds_before = saved["seconds"]
            state.epoch = saved["epoch"]
            state.first_loss = saved["first_loss"]
            state.validation = saved["validation"]
        state.step, state.message = step, message
        state.steps, state.epochs = self.loop.total_steps, self.loop.epochs
        state.expected_loss = self.job.expected_loss
        state.lr = self.loop.learning_rate()
        self.reporter.history = history.Writer(self.folder, step)
        self.prober = self.job.prober(self.folder)
        self.results = self.job.collector()
        self.started = time.monotonic()
        self.start_step = step
        self.checkpoint_due = self.started + CHECKPOINT_SECONDS
        state.status = "running"
        if self.receiver.waiting():
            self._obey()

    def _look_last(self) -> None:
        """Leave the feature maps of the final weights."""
        if self.prober is not None and self.state.step:
            self.prober.probe(self.state.step, self.state.epoch)
            self.reporter.trouble("feature maps", self.prober.error)

    def _insist(self) -> None:
        """Keep what was trained in memory while it cannot be written, for an hour or until told to stop."""
        limit = time.monotonic() + INSIST_SECONDS
        self.terminated = False
        while self._unsaved() and time.monotonic() < limit:
            self.state.status = "paused"
            self.reporter.meanwhile = (
                "Training has ended and waits until it can be saved; Stop gives up what is unsaved."
            )
            self.reporter.publish()
            for _ in range(100):
                time.sleep(PAUSE_POLL)
                commands = self.receiver.take() if self.receiver.waiting() else []
                self.receiver.done()
                if self._cut_off() or any(c.get("op") == "stop" for c in commands):
                    self.reporter.meanwhile = "It was not saved."
                    return
            self._look_last()
            self.save()
        self.reporter.meanwhile = "The run has ended."

    def _unsaved(self) -> bool:
        if self.reporter.history is not None:
            self.reporter.history.flush()
            self.reporter.trouble("the history", self.reporter.history.error)
        return self.records != self.records_saved or "the history" in self.reporter.troubles

    # --- the steps -------------------------------------------------------------------------

    def _train(self) -> None:
        state, receiver, prober = self.state, self.receiver, self.prober
        for record in self.loop.run():
            self.records += 1
            if "split" in record:
                self._evaluated(record)
            else:
                self._stepped(record)
                if self.allowed:
                    self._allow(self.allowed[1:])
                    self.paused = not self.allowed
            if receiver.waiting() or self._cut_off():
                self._obey()
            if prober is not None and prober.maybe(state.step, state.epoch):
                self.reporter.trouble("feature maps", prober.error)
            now = time.monotonic()
            if self.unshown is not None and now >= self.results_due:
                self._show_results()
            if now >= self.checkpoint_due:
                self.save()
            if self.paused:
                self._rest()

    def _allow(self, steps: list[str | None]) -> None:
        """Make only these steps before pausing."""
        self.allowed = steps
        self.loop.only = steps[0] if steps else None

    def _stepped(self, record: dict[str, Any]) -> None:
        state = self.state
        state.step, state.epoch = record["step"], record["epoch"]
        state.losses, state.metrics = record["losses"], record["metrics"]
        if self.reporter.history is not None:
            self.reporter.history.add(record, state.lr)
        if state.first_loss is None:
            state.first_loss = next(iter(state.losses.values()), None)
            self.reporter.publish()
        for name, value in state.losses.items():
            if not math.isfinite(value):
                self._diverged(name, value)
        state.lr = self.loop.learning_rate()  # that of the next step
        self._clock()

    def _diverged(self, name: str, value: float) -> None:
        state = self.state
        lr = (state.lr or 0.01) / 10
        raise Failure(
            f"The {name} became {value} at step {state.step} in epoch {state.epoch}, so training stopped there. "
            f"The learning rate was {state.lr:g}; try a smaller one, such as {lr:g}.",
            {"lr": lr},
        )

    def _clock(self) -> None:
        state = self.state
        active = time.monotonic() - self.started - self.resting
        state.seconds = self.seconds_before + active
        made = state.step - self.start_step
        state.seconds_left = active / made * max(0, state.steps - state.step) if made else None

    def _evaluated(self, record: dict[str, Any]) -> None:
        found = {"losses": record["losses"], "metrics": record["metrics"]}
        if self.reporter.history is not None:
            self.reporter.history.add(record)
        for name, value in record["losses"].items():
            # An infinite loss may be one odd sample; weights that are no numbers are the end.
            if not math.isfinite(value) and not self._healthy():
                self._diverged(f"{record['split']} {name}", value)
        if record["split"] == "validation":
            self.state.validation = found
            self.state.best_epoch = self.loop.best_epoch
            # An epoch's end is a good place, if the last checkpoint is not too recent.
            self.checkpoint_due = min(self.checkpoint_due, self.checkpoint_earliest)
        else:
            self.state.test = found
        taken = self.results.take()
        if taken is not None:
            info = {"step": record["step"], "epoch": record["epoch"], "split": record["split"], "time": time.time()}
            self.unshown = snapshot.Snapshot(info, taken)

    def _show_results(self) -> None:
        """Write what the latest validation left to be looked at, if that is not yet done."""
        if self.unshown is None:
            return
        began = time.monotonic()
        try:
            snapshot.write(self.folder / snapshot.RESULTS_FILE, self.unshown)
            self.reporter.trouble("results", None)
        except OSError as error:
            self.reporter.trouble("results", error.strerror or str(error))
        self.unshown = None
        ended = time.monotonic()
        self.results_due = ended + max(0.5, (ended - began) / RESULTS_SHARE)

    # --- commands --------------------------------------------------------------------------

    def _cut_off(self) -> bool:
        """Whether to end without having been commanded: the system asked for it, or the run's folder is gone."""
        return self.terminated or self.reporter.gone

    def _obey(self) -> None:
        """Carry out what was asked, then say so."""
        stop = self._cut_off()
        for command in self.receiver.take():
            stop = self._apply(command) or stop
        if not stop:
            self.reporter.publish()
        self.receiver.done()
        if stop:
            raise Stop

    def _apply(self, command: control.Command) -> bool:
        """Carry out one command; whether it ends the run."""
        op, note = command.get("op"), ""
        match op:
            case "pause":
                self.paused = True
                self._allow([])
            case "resume":
                self.paused = False
                self._allow([])
            case "step":
                slot = command.get("slot")
                if slot is not None and slot not in self.loop.optimizers:
                    return False
                self.paused = False
                self._allow([*self.allowed, slot])
                note = slot or ""
            case "stop":
                pass
            case "learning_rate":
                value, slot = command.get("value"), command.get("slot")
                if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                    return False
                self.loop.set_learning_rate(slot, float(value))
                self.state.lr = self.loop.learning_rate()
                self.checkpoint_due = min(self.checkpoint_due, self.checkpoint_earliest)
                note = repr(float(value))
            case "sample":
                if self.prober is not None and isinstance(command.get("index"), int):
                    self.prober.pick(command["index"])
                return False
            case "watch":
                if self.prober is not None:
                    self.prober.watched = (str(command.get("network")), str(command.get("node")))
                    self.prober.due = 0.0
                return False
            case "maps":
                if self.prober is not None:
                    self.prober.on = bool(command.get("on"))
                return False
            case _:
                return False
        if self.reporter.history is not None:
            self.reporter.history.event(self.state.step, str(op), note)
        return bool(op == "stop")

    def _rest(self) -> None:
        """Wait while paused, still obeying commands and probing newly picked samples."""
        state = self.state
        began = time.monotonic()
        state.status, state.seconds_left = "paused", None
        self.save()
        if self.reporter.history is not None:
            self.reporter.history.flush()
        self.reporter.publish(save=True)
        if self.prober is not None:  # what the last step made of the network, however soon it came after the one before
            self.prober.at_once(state.step, state.epoch)
        try:
            while self.paused:
                time.sleep(PAUSE_POLL)
                if self.receiver.waiting() or self._cut_off():
                    self._obey()
                    if self.prober is not None and not self.prober.due:
                        self.prober.probe(state.step, state.epoch)
        finally:
            self.resting += time.monotonic() - began
        state.status = "running"
        self.reporter.publish(save=True)

    # --- what must not be lost --------------------------------------------------------------

    def _healthy(self) -> bool:
        """Whether all weights are numbers: one step can spoil them before any loss shows it."""
        weights = [w for state in self.loop.weights().values() for w in state.values() if w.is_floating_point()]
        return not weights or all(bool(torch.isfinite(w).all()) for w in weights)

    def save(self) -> None:
        """Write the results, a checkpoint and the best and last weights, unless nothing happened since."""
        state = self.state
        self._show_results()
        if self.records == self.records_saved:
            return
        if not self._healthy():
            self.records_saved = self.records  # nothing worth keeping; the checkpoint before is
            return
        began = time.monotonic()
        if self.reporter.history is not None:
            # First: steps that a checkpoint knows and the history does not would be missing for ever after a kill.
            self.reporter.history.flush()
        try:
            saved = {
                "loop": self.loop.state_dict(),
                "seconds": state.seconds,
                "epoch": state.epoch,
                "first_loss": state.first_loss,
                "validation": state.validation,
            }
            checkpoint.save_checkpoint(self.folder, state.step, saved)
            information = {"step": str(state.step), "epoch": str(state.epoch)}
            checkpoint.save_weights(self.folder / run.LAST_FILE, self.loop.weights(), information)
            best = self.loop.best_weights()
            if best is not None and self.loop.best_epoch != self.best_saved:
                checkpoint.save_weights(self.folder / run.BEST_FILE, best, {"epoch": str(self.loop.best_epoch)})
                self.best_saved = self.loop.best_epoch
            self.records_saved = self.records
            self.reporter.trouble("checkpoints", None)
        except OSError as error:
            # The one before is kept.
            self.reporter.trouble("checkpoints", error.strerror or str(error))
        ended = time.monotonic()
        bound = (ended - began) * (1 - CHECKPOINT_SHARE) / CHECKPOINT_SHARE
        self.checkpoint_earliest = ended + max(0.5, bound)
        self.checkpoint_due = ended + max(CHECKPOINT_SECONDS, bound)
