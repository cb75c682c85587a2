# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping: ports, signals, orphans, models that cannot be loaded."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from videomdm import protocol
from videomdm.connection import read_connection
from videomdm.errors import UserError
from videomdm.server import Settings, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.backend.conftest import Backend

PATIENCE = 20.0


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # a zombie has ended


def await_end(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.02)


def worker_of(backend: Backend) -> int:
    with backend.client() as client:
        client.generate(protocol.TextJob("who works here", 1.0, steps=1), timeout=PATIENCE)
    return int(backend.runs("who works here")[-1]["pid"])


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_cleanly(
    start_backend: Callable[..., Backend], tmp_path: Path, number: signal.Signals
) -> None:
    backend = start_backend(tmp_path)
    worker = worker_of(backend)
    with backend.client() as client:  # in the middle of a job
        job = protocol.TextJob("he walks slowly", steps=1000)
        client.submit(job)
        while not any(isinstance(event, protocol.Progress) for event in client.events(1.0)):
            pass
        backend.process.send_signal(number)
        ends: list[protocol.Failed] = []
        while not ends:
            ends = [event for event in client.events(1.0) if isinstance(event, protocol.Failed)]
    assert [(end.job, end.code) for end in ends] == [(job.job, "server-stopped")]
    output, _ = backend.process.communicate(timeout=PATIENCE)
    assert backend.process.returncode == 0
    assert "Traceback" not in output
    assert not backend.connection_file.exists()
    await_end(worker)


@needs_proc
def test_a_killed_server_leaves_no_worker(start_backend: Callable[..., Backend], tmp_path: Path) -> None:
    backend = start_backend(tmp_path)
    worker = worker_of(backend)
    backend.kill()
    await_end(worker)


@needs_proc
def test_a_server_ends_with_the_program_that_started_it(
    walker_environment: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    serve = [sys.executable, "-m", "videomdm.cli", "serve", "--model", "walker", "--with-parent"]
    code = f"import subprocess, time; c = subprocess.Popen({serve}, stdin=-1); print(c.pid, flush=True)"
    parent = subprocess.Popen(
        [sys.executable, "-c", code + "; time.sleep(300)"],
        env=walker_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "connection.json").exists():
        assert time.monotonic() < deadline and is_running(server)
        time.sleep(0.02)
    parent.kill()
    await_end(server)
    assert not (tmp_path / "connection.json").exists()  # it ended by itself, not by force
    parent.communicate()


def test_a_signal_while_the_model_loads(launch: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    process = launch(tmp_path)
    library = tmp_path / "library" / "index.sqlite"  # made just before the worker is started
    deadline = time.monotonic() + PATIENCE
    while not library.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert not (tmp_path / "connection.json").exists()


def run_serve(launch: Callable[..., subprocess.Popen[str]], folder: Path, *options: str) -> str:
    """Run a `serve` that cannot start; returns the one line that it says."""
    process = launch(folder, *options)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2, output
    lines = [line for line in output.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1, output
    assert "Traceback" not in output
    return lines[0]


def test_port_in_use(launch: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = run_serve(launch, tmp_path, "--port", str(port))
    assert f"Port {port} of 127.0.0.1 is already in use." in line
    assert "--port" in line
    assert not (tmp_path / "connection.json").exists()


def test_a_second_server_is_refused(
    backend: Backend, launch: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    line = run_serve(launch, tmp_path, "--connection-file", str(backend.connection_file))
    assert "runs already" in line
    assert backend.connection.pid == backend.process.pid


def test_of_two_servers_started_at_once_one_runs(
    launch: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    processes = [launch(tmp_path, "--library", str(tmp_path / name)) for name in ("one", "other")]
    deadline = time.monotonic() + PATIENCE
    while all(process.poll() is None for process in processes):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    refused, runs = sorted(processes, key=lambda process: process.poll() is None)
    output, _ = refused.communicate(timeout=PATIENCE)
    assert refused.returncode == 2 and "runs already" in output
    while not (tmp_path / "connection.json").exists():
        assert time.monotonic() < deadline and runs.poll() is None
        time.sleep(0.02)
    assert read_connection(tmp_path / "connection.json").pid == runs.pid
    runs.terminate()
    runs.communicate(timeout=PATIENCE)


def test_what_a_killed_server_leaves_is_not_in_the_way_of_the_next(
    start_backend: Callable[..., Backend], launch: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    start_backend(tmp_path).kill()
    stale = read_connection(tmp_path / "connection.json")
    process = launch(tmp_path)
    deadline = time.monotonic() + PATIENCE
    while read_connection(tmp_path / "connection.json") == stale:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.terminate()
    process.communicate(timeout=PATIENCE)


def test_other_interfaces_are_refused_without_keys(
    launch: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    line = run_serve(launch, tmp_path, "--host", "0.0.0.0")
    assert "unencrypted" in line
    assert "--curve-dir" in line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "broken"), "The model broken is damaged. Download it again."),
        (
            ("--model", "heavy"),
            "died while it loaded the model: it was killed by SIGKILL, probably of memory",
        ),
        (("--pipeline", "no_such_module:Pipeline"), "no_such_module"),
    ],
)
def test_what_cannot_start_says_why(
    launch: Callable[..., subprocess.Popen[str]], tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    assert words in run_serve(launch, tmp_path, *options)
    assert not (tmp_path / "connection.json").exists()


def test_a_library_that_cannot_be_made(launch: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot be opened" in run_serve(launch, tmp_path, "--library", str(tmp_path / "file" / "library"))


def test_a_fixed_port_is_taken(start_backend: Callable[..., Backend], tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    backend = start_backend(tmp_path, "--port", str(port), "--host", "localhost")
    assert backend.connection.address == f"tcp://127.0.0.1:{port}"
    output = backend.stop()
    assert "Model: walker, on two legs" in output
    assert f"Listening on tcp://127.0.0.1:{port}" in output
    assert str(backend.connection_file) in output


def test_a_server_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, walker_environment: Callable[[Path], dict[str, str]]
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setenv("WALKER_LOG", walker_environment(tmp_path)["WALKER_LOG"])
    settings = Settings(
        model="walker",
        pipeline="walker:Walker",
        library=tmp_path / "library",
        connection_file=tmp_path / "connection.json",
    )
    from videomdm.client import Client

    with running(settings) as server, Client.connect(settings.connection_file) as client:
        assert client.hello is not None
        assert client.hello.server == server.server_id
        assert client.generate(protocol.TextJob("a man walks", 1.0, steps=1), timeout=PATIENCE)
    assert not settings.connection_file.exists()
    with pytest.raises(UserError, match="damaged"), running(Settings(model="broken", **_same(settings))):
        pass


def _same(settings: Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in ("pipeline", "library", "connection_file")}


def test_importing_the_server_loads_no_torch() -> None:
    code = "import sys, videomdm.server; print(*sorted({'torch', 'scipy', 'bpy'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stdout.strip() == ""
