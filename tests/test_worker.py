"""The training process: commands, kills, resuming, full disks. Real processes on a real project."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import builder
from builder.training import checkpoint, client, control, evaluate, run, session
from builder.training.client import Launcher
from builder.training.job import Job, prepare
from builder.training.run import Run, State

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 6


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    """Starts the next standby at once, since the next test wants it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "REPLACE_SECONDS", 0.0)
        patch.setenv("OMP_NUM_THREADS", "1")
        made = Launcher()
        made.ready()
        yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = fresh(tmp_path)
    yield made
    end(made)


def fresh(parent: Path, **changes: object) -> Path:
    """A prepared run of the starter on digits, small enough for a test."""
    project = builder.templates.load("lenet5")
    training = {**project.training, "epochs": EPOCHS, "threads": 1, "seed": 3, **changes}
    made = run.new_run_folder(parent)
    prepare(project.replace(training=training), made)
    return made


def end(folder: Path) -> None:
    state = run.read_state(folder)
    if state.status in run.LIVE and state.pid != os.getpid() and run.alive(state.pid):
        os.kill(state.pid, signal.SIGKILL)


def wait_for(folder: Path, wanted: Callable[[State], bool], seconds: float = 240) -> State:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        state = Run(folder).state
        if wanted(state):
            return state
        if state.status in ("failed", "lost"):
            break
        time.sleep(0.005)
    raise AssertionError(f"waited in vain: {state}\n{Run(folder).log()}")


def ended(state: State) -> bool:
    return state.status not in run.LIVE


def running_at(step: int) -> Callable[[State], bool]:
    return lambda state: state.status == "running" and state.step >= step


@pytest.fixture(scope="module")
def curve(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The history of a run that nothing disturbed."""
    made = fresh(tmp_path_factory.mktemp("undisturbed"))
    launcher.start(made)
    assert wait_for(made, ended).status == "done"
    return Run(made).steps()


def same_curve(folder: Path, curve: dict[str, np.ndarray]) -> bool:
    steps = Run(folder).steps()
    names = [n for n in curve if n != "time"]
    return set(steps) == set(curve) and all(np.array_equal(steps[n], curve[n]) for n in names)


# --- the usual course --------------------------------------------------------------------------


def test_a_run_leaves_everything_behind(curve: dict[str, np.ndarray], launcher: Launcher, folder: Path) -> None:
    launcher.start(folder)
    state = wait_for(folder, ended)
    assert (state.status, state.message) == ("done", "")
    assert state.step == state.steps == len(curve["step"])
    assert state.epoch == state.epochs == EPOCHS
    assert same_curve(folder, curve)
    found = Run(folder)
    assert found.validation()["epoch"].tolist() == list(range(1, EPOCHS + 1))
    best = int(np.argmax(found.validation()["metric/accuracy"])) + 1
    assert state.best_epoch == best
    weights = found.weights()
    assert weights is not None
    assert weights.name == "best.safetensors"
    networks = builder.compile(builder.load(folder / "project.json"))
    for slot, values in checkpoint.load_weights(weights).items():
        networks[slot].load_state_dict(values)
    probe = found.probe()
    assert probe is not None
    assert probe.maps()
    counted = found.results()
    assert counted is not None
    matrix = counted.arrays["total/confusion"]
    right = counted.arrays["sample/label"] == counted.arrays["sample/prediction"]
    assert matrix.trace() == right.sum()
    assert matrix.sum() == len(right)
    pictures = np.zeros((2, 1, 28, 28), dtype=np.uint8)
    said = evaluate.predict(folder, {"image": pictures})
    assert said["probability"].shape == (2, 10)
    np.testing.assert_allclose(said["probability"].sum(1), 1, rtol=1e-5)
    maps = evaluate.maps(folder, {"image": pictures}, ("network", "conv1"))
    assert maps.maps()["conv1"].shape == (6, 28, 28)
    with pytest.raises(ValueError, match="field"):
        evaluate.predict(folder, {"picture": pictures})
    assert state.expected_loss == pytest.approx(np.log(10))
    assert state.first_loss == curve["loss/loss"][0]
    wait_for_exit(folder)
    assert not (folder / "history.sqlite-wal").exists()  # the history stands alone


def wait_for_exit(folder: Path, seconds: float = 10) -> None:
    pid = run.read_state(folder).pid
    limit = time.monotonic() + seconds
    while run.alive(pid):
        assert time.monotonic() < limit, "the worker did not exit"
        time.sleep(0.01)


# --- commands ----------------------------------------------------------------------------------


def test_pause_step_resume_stop(launcher: Launcher, folder: Path, curve: dict[str, np.ndarray]) -> None:
    launcher.start(folder)
    wait_for(folder, running_at(3))
    assert client.command(folder, "pause", wait=5)
    state = wait_for(folder, lambda s: s.status == "paused")
    time.sleep(0.2)
    at = Run(folder).state.step
    assert at == state.step
    for more in (1, 2):
        assert client.command(folder, "step", wait=5)
        wait_for(folder, lambda s, wanted=at + more: s.status == "paused" and s.step == wanted)
    time.sleep(0.1)
    assert Run(folder).state.step == at + 2
    assert Run(folder).steps()["step"].tolist() == list(range(1, at + 3))
    client.command(folder, "resume")
    wait_for(folder, running_at(at + 4))
    assert client.command(folder, "stop", wait=5)
    state = wait_for(folder, ended)
    assert state.status == "stopped"
    assert state.message == f"Stopped after step {state.step}."
    steps = Run(folder).steps()
    assert steps["step"][-1] == state.step < len(curve["step"])
    np.testing.assert_array_equal(steps["loss/loss"], curve["loss/loss"][: state.step])
    wait_for_exit(folder)
    launcher.resume(folder)
    assert wait_for(folder, ended).status == "done"
    assert same_curve(folder, curve)


def test_a_command_takes_effect_within_one_step(launcher: Launcher, folder: Path) -> None:
    launcher.start(folder)
    wait_for(folder, running_at(2))
    sender = control.Sender(folder)
    number = sender.send({"op": "pause"})
    assert sender.wait(number)
    seen = Run(folder).state.step  # the state is published before the command counts as done
    time.sleep(0.15)
    assert Run(folder).state.step == seen
    kind = [(step, what) for step, _, what, _ in Run(folder).events()]
    assert kind == [(seen, "pause")]
    sender.close()


def test_the_learning_rate_changes_from_the_next_step_on(launcher: Launcher, folder: Path) -> None:
    launcher.start(folder)
    wait_for(folder, running_at(2))
    client.command(folder, "pause", wait=5)
    at = wait_for(folder, lambda s: s.status == "paused").step
    before = Run(folder).state.lr
    assert client.set_learning_rate(folder, 1e-4, wait=5)
    assert Run(folder).state.lr == 1e-4
    client.command(folder, "resume")
    wait_for(folder, running_at(at + 2))
    client.command(folder, "stop", wait=5)
    wait_for(folder, ended)
    lr = Run(folder).steps()["lr"]
    assert set(lr[:at]) == {before}
    assert set(lr[at:]) == {1e-4}
    with pytest.raises(control.ControlError, match="finite"):
        client.set_learning_rate(folder, float("nan"))


def test_a_paused_worker_sleeps_and_still_shows_a_picked_sample(launcher: Launcher, folder: Path) -> None:
    launcher.start(folder)
    wait_for(folder, running_at(1))
    client.command(folder, "pause", wait=5)
    state = wait_for(folder, lambda s: s.status == "paused")
    before = cpu_seconds(state.pid)
    time.sleep(1.0)
    assert cpu_seconds(state.pid) - before < 0.15
    assert client.pick_sample(folder, 5, wait=5)
    found = Run(folder)
    limit = time.monotonic() + 5
    while (probe := found.probe()) is None or probe.info["sample"] != 5:
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert probe.info["step"] == state.step


def cpu_seconds(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


# --- death -------------------------------------------------------------------------------------


def test_kill_and_resume_give_the_undisturbed_curve(
    launcher: Launcher, folder: Path, curve: dict[str, np.ndarray]
) -> None:
    launcher.start(folder)
    state = wait_for(folder, lambda s: s.epoch == 2 and bool(checkpoint.found(folder)))
    time.sleep(0.1)
    os.kill(state.pid, signal.SIGKILL)
    killed = time.time()
    found = wait_dead(folder)
    assert found.status == "lost"
    assert "Continue" in found.message
    steps = Run(folder).steps()
    assert steps["step"].tolist() == list(range(1, len(steps["step"]) + 1))
    assert killed - steps["time"][-1] < 0.2
    np.testing.assert_array_equal(steps["loss/loss"], curve["loss/loss"][: len(steps["step"])])
    launcher.resume(folder)
    assert wait_for(folder, ended).status == "done"
    assert same_curve(folder, curve)
    attempts = Run(folder).attempts()
    assert attempts[0] == 0
    assert 0 < attempts[1] <= len(steps["step"])


def test_a_checkpoint_never_knows_a_step_that_the_history_lacks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[tuple[int, int]] = []

    def save(place: Path, step: int, saved: dict[str, object]) -> None:
        known.append((step, len(Run(place).steps()["step"])))  # what a kill at this moment would leave

    monkeypatch.setattr(checkpoint, "save_checkpoint", save)
    monkeypatch.setattr(session, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(session, "CHECKPOINT_SHARE", 1.0)
    assert session.Session(folder, Job).work() == 0
    assert len(known) > 2
    assert all(step == written for step, written in known), known


def wait_dead(folder: Path) -> State:
    limit = time.monotonic() + 5
    while (state := Run(folder).state).status in run.LIVE:
        assert time.monotonic() < limit
        time.sleep(0.01)
    return state


def test_a_damaged_checkpoint_falls_back_and_says_so(
    launcher: Launcher, folder: Path, curve: dict[str, np.ndarray]
) -> None:
    launcher.start(folder)
    for _ in range(2):
        wait_for(folder, running_at(2))
        client.command(folder, "pause", wait=5)
        at = wait_for(folder, lambda s: s.status == "paused").step
        client.command(folder, "step", wait=5)
        wait_for(folder, lambda s, at=at: s.status == "paused" and s.step == at + 1)
        client.command(folder, "resume", wait=5)
    client.command(folder, "stop", wait=5)
    wait_for(folder, ended)
    wait_for_exit(folder)
    newest, older = checkpoint.found(folder)
    newest.write_bytes(newest.read_bytes()[:-100])
    launcher.resume(folder)
    state = wait_for(folder, lambda s: s.status != "starting")
    assert f"{newest.name} is damaged" in state.message
    assert wait_for(folder, ended).status == "done"
    assert same_curve(folder, curve)
    assert Run(folder).attempts()[1] == int(older.stem.rpartition("-")[2])


def test_sigterm_saves_and_stops(launcher: Launcher, folder: Path, curve: dict[str, np.ndarray]) -> None:
    launcher.start(folder)
    state = wait_for(folder, running_at(5))
    os.kill(state.pid, signal.SIGTERM)
    state = wait_for(folder, ended)
    assert state.status == "stopped"
    assert checkpoint.load_latest(folder)[0] == state.step
    wait_for_exit(folder)
    launcher.resume(folder)
    wait_for(folder, ended)
    assert same_curve(folder, curve)


def test_a_worker_whose_folder_is_taken_away_ends(launcher: Launcher, folder: Path, tmp_path: Path) -> None:
    launcher.start(folder)
    pid = wait_for(folder, running_at(5)).pid
    control.send(folder, {"op": "pause"})
    wait_for(folder, lambda s: s.status == "paused")
    folder.rename(tmp_path / "elsewhere")  # at once, whatever the worker is writing
    limit = time.monotonic() + 60
    while run.alive(pid):
        assert time.monotonic() < limit, "it trains on, and nobody can stop it"
        time.sleep(0.05)


def test_the_worker_survives_its_server(folder: Path, curve: dict[str, np.ndarray]) -> None:
    script = (
        "import sys, time; from builder.training.client import Launcher\n"
        "launcher = Launcher(); launcher.ready(); launcher.start(sys.argv[1]); time.sleep(600)\n"
    )
    server = subprocess.Popen([sys.executable, "-c", script, str(folder)], cwd=ROOT, start_new_session=True)
    wait_for(folder, running_at(1))
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    assert wait_for(folder, ended).status == "done"
    assert same_curve(folder, curve)


def test_a_standby_ends_with_its_server() -> None:
    script = (
        "import time; from builder.training.client import Launcher\n"
        "launcher = Launcher(); launcher.ready(); print(launcher._standby.pid, flush=True); time.sleep(600)\n"
    )
    server = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    assert run.alive(pid)
    server.kill()
    server.wait()
    limit = time.monotonic() + 240
    while run.alive(pid):
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_standby_that_dies_is_replaced(folder: Path) -> None:
    """It may be killed while the order to train already lies in its pipe."""
    launcher = Launcher()
    launcher.ready()
    standby = launcher._standby
    assert standby is not None
    os.kill(standby.pid, signal.SIGSTOP)
    launcher.start(folder)
    os.kill(standby.pid, signal.SIGKILL)
    assert wait_for_start(folder).pid != standby.pid
    launcher.close()


def wait_for_start(folder: Path) -> State:
    limit = time.monotonic() + 240
    while (state := Run(folder).state).step < 1:
        assert time.monotonic() < limit, state
        time.sleep(0.02)
    return state


def test_one_worker_per_run(launcher: Launcher, folder: Path) -> None:
    launcher.start(folder)
    wait_for(folder, running_at(1))
    client.command(folder, "pause", wait=5)
    with pytest.raises(client.StartError, match="still training"):
        launcher.resume(folder)
    second = subprocess.run(
        [sys.executable, "-m", "builder.training.worker", "--run", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert second.returncode == 3
    assert "already training" in second.stderr
    assert Run(folder).state.status == "paused"


# --- failures ----------------------------------------------------------------------------------


def test_a_diverging_run_stops_and_offers_a_smaller_rate(launcher: Launcher, tmp_path: Path) -> None:
    project = builder.templates.load("lenet5")
    optimizer = {"network": builder.project.Choice("SGD", {"lr": 1000.0, "weight_decay": 1.0})}
    made = run.new_run_folder(tmp_path)
    prepare(project.replace(training={**project.training, "threads": 1}, optimizer=optimizer), made)
    launcher.start(made)
    state = failed(made)
    assert f"at step {state.step} in epoch {state.epoch}" in state.message
    assert state.suggestion == {"lr": pytest.approx(100.0)}
    assert not np.isfinite(Run(made).steps()["loss/loss"][-1])
    assert Run(made).steps()["step"][-1] == state.step


def failed(folder: Path) -> State:
    limit = time.monotonic() + 240
    while (state := Run(folder).state).status != "failed":
        assert time.monotonic() < limit, state
        time.sleep(0.01)
    return state


def test_a_broken_run_folder_fails_with_a_sentence(launcher: Launcher, folder: Path) -> None:
    (folder / "project.json").write_text('{"format": 1, "networks": ')
    launcher.start(folder)
    state = failed(folder)
    assert "no complete JSON" in state.message
    assert "Traceback" not in state.message


def test_no_folder_is_said_so(launcher: Launcher, tmp_path: Path) -> None:
    with pytest.raises(client.StartError, match=r"project\.json"):
        launcher.start(tmp_path)


def test_a_full_disk_stops_nothing(folder: Path, curve: dict[str, np.ndarray]) -> None:
    """A limit on the size of files stands for the full disk; taking it away for the space that was freed."""
    control.create(folder)
    script = (
        "import resource, signal, sys; from pathlib import Path; from builder.training import job, worker\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))\n"
        "sys.exit(worker.work(Path(sys.argv[1]), job.Job))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)], cwd=ROOT, stderr=subprocess.DEVNULL)
    state = wait_for(folder, lambda s: s.status == "paused")
    assert state.step == len(curve["step"])
    assert "cannot be written" in state.message
    assert "Free some disk space" in state.message
    assert not [p for p in folder.glob("*.part") if not p.name.startswith(run.STATE_FILE)]  # that one is being written
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    state = wait_for(folder, ended)
    assert process.wait() == 0
    assert (state.status, state.message) == ("done", "")
    assert same_curve(folder, curve)
    assert Run(folder).weights() is not None
    assert not list(folder.glob("*.part"))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_really_full_disk(tmp_path: Path, curve: dict[str, np.ndarray]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        made = fresh(disk)
        control.create(made)
        space = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(space.f_bavail * space.f_frsize - 100_000))
        command = [sys.executable, "-m", "builder.training.worker", "--run", str(made)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        state = wait_for(made, lambda s: s.status == "paused")
        assert state.step == len(curve["step"])
        assert "waits until it can be saved" in state.message
        (disk / "filler").unlink()
        assert wait_for(made, ended).status == "done"
        process.wait()
        assert same_curve(made, curve)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
