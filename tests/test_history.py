"""The run folder: history, control channel, checkpoints, state."""

import math
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from builder.training import checkpoint, control, history, run, snapshot
from builder.training.history import Reader, Writer

ROOT = Path(__file__).resolve().parents[1]


def record(step: int, loss: float, **metrics: float) -> dict:
    return {"step": step, "epoch": 1 + step // 10, "losses": {"loss": loss}, "metrics": metrics}


# --- history -----------------------------------------------------------------------------------


def test_floats_come_back_exactly(tmp_path: Path) -> None:
    draw = random.Random(0)
    values = [draw.uniform(-1, 1) * 10.0 ** draw.randint(-300, 300) for _ in range(500)] + [5e-324, math.inf]
    writer = Writer(tmp_path)
    for step, value in enumerate(values, 1):
        writer.add(record(step, value), 0.1)
    writer.close()
    steps = Reader(tmp_path).steps()
    assert [repr(v) for v in steps["loss/loss"].tolist()] == [repr(v) for v in values]
    assert steps["step"].tolist() == list(range(1, len(values) + 1))
    assert set(steps["lr"].tolist()) == {0.1}


def test_names_may_come_late_and_be_strange(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.add(record(1, math.nan), 0.1)
    writer.add(record(2, 2.0, **{'top "5"; DROP TABLE steps': 0.5}), 0.1)
    writer.close()
    steps = Reader(tmp_path).steps()
    assert np.isnan(steps["loss/loss"][0])
    late = steps['metric/top "5"; DROP TABLE steps']
    assert np.isnan(late[0])
    assert late[1] == 0.5


def test_after_gives_only_what_is_new(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for step in range(1, 21):
        writer.add(record(step, step / 7), 0.1)
    writer.add({**record(20, 3.0, accuracy=0.9), "split": "validation"})
    writer.flush()
    reader = Reader(tmp_path)
    assert reader.steps(after=17)["step"].tolist() == [18, 19, 20]
    assert reader.steps(after=20)["step"].tolist() == []
    validation = reader.evaluations()
    assert (validation["loss/loss"].tolist(), validation["metric/accuracy"].tolist()) == ([3.0], [0.9])
    writer.close()


def test_no_history_is_empty_history(tmp_path: Path) -> None:
    assert Reader(tmp_path).steps() == {}
    assert Reader(tmp_path).attempts() == []


def test_resuming_supersedes_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for step in range(1, 11):
        writer.add(record(step, 1.0), 0.1)
        writer.add({**record(step, 1.0), "split": "validation"})
    writer.close()
    writer = Writer(tmp_path, resumed_at=4)
    writer.add(record(5, 2.0), 0.1)
    writer.close()
    reader = Reader(tmp_path)
    assert reader.steps()["loss/loss"].tolist() == [1.0, 1.0, 1.0, 1.0, 2.0]
    assert reader.evaluations()["step"].tolist() == [1, 2, 3, 4]
    assert reader.attempts() == [0, 4]


def test_rows_are_written_ten_times_a_second(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.add(record(1, 1.0), 0.1)
    writer.flush_if_due()
    assert Reader(tmp_path).steps()["step"].tolist() == []
    time.sleep(history.FLUSH_SECONDS)
    writer.flush_if_due()
    assert Reader(tmp_path).steps()["step"].tolist() == [1]
    writer.close()


def test_a_kill_loses_at_most_the_last_moment(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from builder.training.history import Writer\n"
        "w = Writer(Path(sys.argv[1])); n = 0\n"
        "while True:\n"
        "    n += 1; w.add({'step': n, 'epoch': 1, 'losses': {'loss': time.time()}, 'metrics': {}}, 0.1)\n"
        "    time.sleep(0.001)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    reader = Reader(tmp_path)
    limit = time.monotonic() + 30
    while time.monotonic() < limit and not len(reader.steps(after=300).get("step", ())):
        time.sleep(0.02)
    process.kill()
    killed = time.time()
    process.wait()
    steps = reader.steps()
    assert steps["step"].tolist() == list(range(1, len(steps["step"]) + 1))
    assert len(steps["step"]) >= 300
    assert killed - steps["loss/loss"][-1] < 0.2


def test_readers_do_not_block_the_writer(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.add(record(1, 1.0), 0.1)
    writer.flush()
    db = sqlite3.connect(f"{(tmp_path / history.FILE).as_uri()}?mode=ro", uri=True)
    db.execute("BEGIN")
    db.execute("SELECT * FROM steps").fetchone()
    with pytest.raises(sqlite3.OperationalError):
        db.execute("DELETE FROM steps")
    began = time.monotonic()
    writer.add(record(2, 1.0), 0.1)
    writer.flush()
    assert time.monotonic() - began < 1.0
    assert writer.error is None
    db.close()
    writer.close()


def test_a_full_disk_keeps_rows_until_there_is_room(tmp_path: Path) -> None:
    """The file-size limit of a child process stands for a full disk."""
    script = (
        "import resource, signal, sys; from pathlib import Path; from builder.training.history import Writer\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "w = Writer(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))\n"
        "for n in range(1, 5001):\n"
        "    w.add({'step': n, 'epoch': 1, 'losses': {'loss': n / 3}, 'metrics': {}}, 0.1)\n"
        "w.flush(); print(w.error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "w.close(); print(w.error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert first in ("database or disk is full", "disk I/O error")
    assert second == "None"
    steps = Reader(tmp_path).steps()
    assert steps["loss/loss"].tolist() == [n / 3 for n in range(1, 5001)]


def test_a_folder_without_shared_memory_falls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect

    class NoWal(sqlite3.Connection):
        def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
            return super().execute(sql.replace("journal_mode=WAL", "journal_mode=TRUNCATE"), *arguments)

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "factory": NoWal}))
    writer = Writer(tmp_path)
    assert writer.db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    writer.add(record(1, 1.0), 0.1)
    writer.close()
    assert Reader(tmp_path).steps()["step"].tolist() == [1]


def test_a_place_that_becomes_writable_loses_nothing(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "later")
    writer.add(record(1, 1.0), 0.1)
    writer.flush()
    assert writer.error == "unable to open database file"
    (tmp_path / "later").mkdir()
    writer.add(record(2, 2.0), 0.1)
    writer.flush()
    assert writer.error is None
    writer.close()
    assert Reader(tmp_path / "later").steps()["loss/loss"].tolist() == [1.0, 2.0]


# --- control -----------------------------------------------------------------------------------


def test_commands_arrive_in_order_and_are_acknowledged(tmp_path: Path) -> None:
    control.create(tmp_path)
    receiver, sender = control.Receiver(tmp_path), control.Sender(tmp_path)
    assert not receiver.waiting()
    numbers = [sender.send({"op": "learning_rate", "value": v}) for v in (0.1, 0.2, 0.3)]
    assert receiver.waiting()
    assert [c["value"] for c in receiver.take()] == [0.1, 0.2, 0.3]
    assert not receiver.waiting()
    assert not sender.wait(numbers[-1], 0.02)
    receiver.done()
    assert sender.wait(numbers[-1], 0.02)


def test_many_senders_lose_nothing(tmp_path: Path) -> None:
    control.create(tmp_path)
    receiver = control.Receiver(tmp_path)
    got: list[int] = []

    def send(part: int) -> None:
        for i in range(100):
            control.send(tmp_path, {"op": "x", "n": part * 100 + i})

    threads = [threading.Thread(target=send, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    limit = time.monotonic() + 20
    while len(got) < 400 and time.monotonic() < limit:
        got += [c["n"] for c in receiver.take()]
        receiver.done()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(400))


def test_a_deaf_worker_is_said_so(tmp_path: Path) -> None:
    control.create(tmp_path)
    sender = control.Sender(tmp_path)
    for _ in range(control.SLOTS):
        sender.send({"op": "step"})
    with pytest.raises(control.ControlError, match="does not take commands"):
        sender.send({"op": "step"}, timeout=0.05)


def test_no_control_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(control.ControlError, match="cannot be commanded"):
        control.send(tmp_path, {"op": "pause"})
    (tmp_path / control.FILE).write_bytes(b"short")
    with pytest.raises(control.ControlError, match="no control file"):
        control.send(tmp_path, {"op": "pause"})


def test_the_board_shows_the_last_whole_text(tmp_path: Path) -> None:
    assert control.read_board(tmp_path) is None
    control.create(tmp_path)
    assert control.read_board(tmp_path) is None
    receiver = control.Receiver(tmp_path)
    receiver.post(b"one, the longer")
    receiver.post(b"two")
    assert control.read_board(tmp_path) == b"two"
    assert not receiver.post(bytes(control.BOARD_BYTES))
    receiver.map[control.BOARD + 16] = ord("X")  # half written
    assert control.read_board(tmp_path) is None


# --- checkpoints -------------------------------------------------------------------------------


def state() -> dict:
    tied = torch.randn(3, 3)
    return {
        "weights": {"a.weight": tied, "b.weight": tied},
        "image": torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"betas": (0.9, 0.999), "lr": 0.1}]},
        "rng": torch.get_rng_state(),
        "best": None,
        "score": -math.inf,
        "bf16": torch.randn(5).bfloat16(),
        "row": torch.arange(12.0).reshape(3, 4)[:, 1],
        "empty": torch.zeros(0, 3),
    }


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def test_a_state_comes_back_whole(tmp_path: Path) -> None:
    saved = state()
    checkpoint.save_checkpoint(tmp_path, 7, saved)
    step, loaded, message = checkpoint.load_latest(tmp_path)
    assert (step, message) == (7, "")
    assert loaded is not None
    assert same(saved, loaded)
    assert loaded["image"].is_contiguous(memory_format=torch.channels_last)
    assert loaded["weights"]["a.weight"].data_ptr() == loaded["weights"]["b.weight"].data_ptr()


def test_what_cannot_be_restored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="state/x"):
        checkpoint.save_checkpoint(tmp_path, 1, {"x": object()})


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "text"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, harm: str) -> None:
    checkpoint.save_checkpoint(tmp_path, 5, {"x": torch.ones(100)})
    path = checkpoint.save_checkpoint(tmp_path, 9, {"x": torch.zeros(100)})
    content = bytearray(path.read_bytes())
    if harm == "flip":
        content[-7] ^= 1
    path.write_bytes({"cut": content[:-9], "flip": content, "empty": b"", "text": b"hello, world " * 50}[harm])
    step, loaded, message = checkpoint.load_latest(tmp_path)
    assert step == 5
    assert loaded is not None
    assert loaded["x"].sum() == 100
    assert "checkpoint-000000009.safetensors is damaged" in message
    assert "step 5" in message


def test_all_damaged_starts_anew_and_says_so(tmp_path: Path) -> None:
    checkpoint.save_checkpoint(tmp_path, 5, {"x": torch.ones(3)}).write_bytes(b"")
    step, loaded, message = checkpoint.load_latest(tmp_path)
    assert (step, loaded) == (0, None)
    assert "from the beginning" in message


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 30, 400):
        checkpoint.save_checkpoint(tmp_path, step, {"x": torch.ones(3)})
    assert [p.name for p in checkpoint.found(tmp_path)] == [
        "checkpoint-000000400.safetensors",
        "checkpoint-000000030.safetensors",
    ]


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save_checkpoint(tmp_path, 5, {"x": torch.ones(3)})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save_checkpoint(tmp_path, 6, {"x": torch.ones(3)})
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-000000005.safetensors"]


def test_a_kill_while_writing_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    script = (
        "import sys, torch; from pathlib import Path; from builder.training import checkpoint\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1; checkpoint.save_checkpoint(Path(sys.argv[1]), n, {'x': torch.full((300_000,), float(n))})\n"
    )
    draw = random.Random(1)
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
        limit = time.monotonic() + 30
        while time.monotonic() < limit and len(checkpoint.found(tmp_path)) < 2:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.05))
        process.kill()
        process.wait()
        step, loaded, _ = checkpoint.load_latest(tmp_path)
        assert step > 0
        assert loaded is not None
        assert (loaded["x"] == step).all()
        for path in checkpoint.found(tmp_path):
            path.unlink()


def test_weights_of_several_networks(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 3)
    path = tmp_path / "best.safetensors"
    checkpoint.save_weights(path, {"generator": layer.state_dict(), "critic": {"a.b": torch.ones(2)}}, {"epoch": "1"})
    loaded = checkpoint.load_weights(path)
    assert same(loaded["generator"], dict(sorted(layer.state_dict().items())))
    assert loaded["critic"]["a.b"].tolist() == [1.0, 1.0]


# --- the run folder ----------------------------------------------------------------------------


def test_run_folders_sort_by_age_and_never_collide(tmp_path: Path) -> None:
    folders = [run.new_run_folder(tmp_path / "runs") for _ in range(3)]
    assert len(set(folders)) == 3
    for folder in folders:
        (folder / run.PROJECT_FILE).write_text("{}")
    assert [r.folder for r in run.list_runs(tmp_path / "runs")] == folders
    assert [r.name for r in run.list_runs(tmp_path / "runs")] == ["Run 1", "Run 2", "Run 3"]


def test_name_and_note_are_kept(tmp_path: Path) -> None:
    first = run.Run(run.new_run_folder(tmp_path))
    first.name, first.note = "wide <b>\n", "twice the channels"
    again = run.Run(first.folder)
    assert (again.name, again.note) == ("wide <b>\n", "twice the channels")


def test_settings_that_differ(tmp_path: Path) -> None:
    import json

    base = {
        "format": 1,
        "name": "a",
        "networks": {"network": {"nodes": [{"id": "conv1", "settings": {"kernel_size": 3}, "position": [0, 0]}]}},
        "training": {"epochs": 3, "batch_size": 32},
    }
    other = json.loads(json.dumps(base))
    other["name"], other["training"]["batch_size"] = "b", 64
    other["networks"]["network"]["nodes"][0] |= {"settings": {"kernel_size": 5}, "position": [9, 9]}
    runs = []
    for data in (base, other):
        folder = run.new_run_folder(tmp_path)
        (folder / run.PROJECT_FILE).write_text(json.dumps(data))
        runs.append(run.Run(folder))
    assert runs[0].settings_diff(runs[1]) == {
        "networks.network.nodes.conv1.settings.kernel_size": (3, 5),
        "training.batch_size": (32, 64),
    }
    assert runs[0].settings_diff(runs[0]) == {}


def test_a_live_state_without_a_process_is_lost(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    now = time.time()
    run.write_state(tmp_path, run.State(status="running", step=12, pid=gone.pid, heartbeat=now))
    found = run.Run(tmp_path).state
    assert found.status == "lost"
    assert "after step 12" in found.message
    run.write_state(tmp_path, run.State(status="running", pid=os.getpid(), heartbeat=now))
    assert run.Run(tmp_path).state.status == "running"
    run.write_state(tmp_path, run.State(status="running", pid=os.getpid(), heartbeat=now - 60))
    assert run.Run(tmp_path).state.status == "lost"
    run.write_state(tmp_path, run.State(status="done", pid=gone.pid, heartbeat=now - 60))
    assert run.Run(tmp_path).state.status == "done"


def test_the_newer_of_board_and_file_counts(tmp_path: Path) -> None:
    control.create(tmp_path)
    now = time.time()
    run.write_state(tmp_path, run.State(status="running", step=1, pid=os.getpid(), heartbeat=now - 1))
    control.Receiver(tmp_path).post(run.State(status="paused", step=2, pid=os.getpid(), heartbeat=now).to_bytes())
    assert run.Run(tmp_path).state.step == 2
    (tmp_path / run.STATE_FILE).write_text('{"status": "run')
    assert run.Run(tmp_path).state.status == "paused"


def test_a_state_for_the_browser_has_no_nan() -> None:
    state = run.State(losses={"loss": math.nan}, expected_loss=math.inf)
    assert state.to_json()["losses"] == {"loss": None}
    assert state.to_json()["expected_loss"] is None


def test_snapshots_come_back(tmp_path: Path) -> None:
    path = tmp_path / "probe.safetensors"
    assert snapshot.read(path) is None
    arrays = {"map/network/layer1.conv1": np.arange(6, dtype=np.float16).reshape(1, 2, 3), "prediction/p": np.ones(3)}
    snapshot.write(path, snapshot.Snapshot({"step": 3, "names": ["ü"]}, arrays))
    found = snapshot.read(path)
    assert found is not None
    assert found.info == {"step": 3, "names": ["ü"]}
    assert found.maps()["layer1.conv1"].tolist() == [[[0, 1, 2], [3, 4, 5]]]
    path.write_bytes(path.read_bytes()[:-3])
    assert snapshot.read(path) is None
