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
        self.lock = threading.Lock()
        self.saved = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._beat, name="reporter", daemon=True)
        self.thread.start()

    def trouble(self, kind: str, message: str | None) -> None:
        """Note a sentence that the state's message shows until it is taken back with None."""
        if message:
            if self.troubles.get(kind) != message:
                print(message, file=sys.stderr, flush=True)
            self.troubles[kind] = message
        else:
            self.troubles.pop(kind, None)

    def publish(self, save: bool = False) -> None:
        """Put the state on the board now, and into state.json when asked or when a second has passed."""
        with self.lock:
            now = time.time()
            state = self.state
            state.heartbeat = now
            message = " ".join([state.message, *self.troubles.values()]).strip()
            shown = dataclasses.replace(state, message=message)
            self.receiver.post(shown.to_bytes())
            if save or now - self.saved >= 1.0:
                self.saved = now
                try:
                    run.write_state(self.folder, shown)
                    self.trouble("state", None)
                except OSError as error:
                    reason = error.strerror or error
                    self.trouble(
                        "state",
                        f"The run folder {self.folder} cannot be written ({reason}); training goes on, but checkpoints "
                        "may be missing. Free some disk space or check the folder's permissions.",
                    )

    def _beat(self) -> None:
        tick = 0
        while not self.ended.wait(0.05):
            tick += 1
            if self.history is not None:
                self.history.flush_if_due()
                self.trouble("history", self.history.error)
            if tick % 2 == 0:
                self.publish()

    def end(self) -> None:
        """Stop the thread and leave the last state on disk."""
        self.ended.set()
        self.thread.join()
        self.publish(save=True)
