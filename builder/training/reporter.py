"""How a worker tells where its run stands, from a thread of its own, so that a slow step silences nothing."""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from pathlib import Path

from builder.training import control, history, run
from builder.training.run import State


class Reporter:
    """Keeps the run's state where readers find it: on the board 10 times a second, in state.json once.

    Its thread also writes history that waits for a slow step, so that at most 0.2 s are ever lost.
    """

    def __init__(self, folder: Path, state: State, receiver: control.Receiver) -> None:
        self.folder, self.state, self.receiver = folder, state, receiver
        self.history: history.Writer | None = None
        self.troubles: dict[str, str] = {}
        self.meanwhile = "Training goes on."
        self.lock = threading.Lock()
        self.saved = 0.0
        self.gone = False
        """Whether the run's folder has been taken away: then nobody can see or command the training any more."""
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._beat, name="reporter", daemon=True)
        self.thread.start()

    def trouble(self, what: str, reason: str | None) -> None:
        """Note that something ("checkpoints") cannot be written and why; None when it can again."""
        if reason is None:
            self.troubles.pop(what, None)
        elif self.troubles.get(what) != reason:
            self.troubles[what] = reason
            print(f"{what} cannot be written: {reason}", file=sys.stderr, flush=True)

    def message(self) -> str:
        """The state's own message, and one sentence about everything that cannot be written."""
        troubles = dict(self.troubles)
        if not troubles:
            return self.state.message
        *most, last = troubles
        what = f"{', '.join(most)} and {last}" if most else last
        trouble = (
            f"{what[0].upper()}{what[1:]} cannot be written to {self.folder} ({next(iter(troubles.values()))}). "
            f"{self.meanwhile} Free some disk space or check the folder's permissions."
        )
        return f"{self.state.message} {trouble}".strip()

    def publish(self, save: bool = False) -> None:
        """Put the state on the board now, and into state.json when asked or when a second has passed."""
        with self.lock:
            now = time.time()
            state = self.state
            state.heartbeat = now
            shown = dataclasses.replace(state, message=self.message())
            self.receiver.post(shown.to_bytes())
            if save or now - self.saved >= 1.0:
                self.saved = now
                try:
                    run.write_state(self.folder, shown)
                    self.trouble("the state", None)
                except OSError as error:
                    self.trouble("the state", error.strerror or str(error))

    def _beat(self) -> None:
        tick = 0
        while not self.ended.wait(0.05):
            tick += 1
            if self.history is not None:
                self.history.flush_if_due()
                self.trouble("the history", self.history.error)
            if tick % 2 == 0:
                self.publish()
            if tick % 20 == 0:
                self.gone = not self.folder.is_dir()

    def end(self) -> None:
        """Stop the thread and leave the last state on disk."""
        self.ended.set()
        self.thread.join()
        self.publish(save=True)
