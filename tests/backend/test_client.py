# SPDX-License-Identifier: Apache-2.0
"""The client: light to import, and it loses no job, whatever happens to the server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from tests.support.tap import Tap

from videomdm import protocol
from videomdm.client import Client, State, StateChanged, link
from videomdm.connection import Connection, write_connection
from videomdm.errors import UserError

if TYPE_CHECKING:
    from tests.backend.conftest import Backend

WAIT = 30.0


def text(prompt: str, **fields: Any) -> protocol.TextJob:
    return protocol.TextJob(prompt, **{"seconds": 1.0, "steps": 4} | fields)


def events_until(client: Client, done: Callable[[Any], bool], seconds: float = WAIT) -> list[Any]:
    """Everything that the client tells until an event for which ``done``."""
    told: list[Any] = []
    deadline = time.monotonic() + seconds
    while not any(done(event) for event in told):
        assert time.monotonic() < deadline, told
        told += client.events(0.2)
    return told


def is_result(event: Any) -> bool:
    return isinstance(event, protocol.Result)


def is_progress(event: Any) -> bool:
    return isinstance(event, protocol.Progress)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that take a server for lost after one second, to make waiting for it shorter."""
    monkeypatch.setattr(link, "SILENCE_SECONDS", 1.0)


# --- importing --------------------------------------------------------------------------------------------


def test_importing_is_light() -> None:
    code = (
        "import sys, videomdm.client\n"
        "heavy = {'torch', 'bpy', 'scipy', 'asyncio', 'multiprocessing', 'sqlite3', 'videomdm.server'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# --- connecting -------------------------------------------------------------------------------------------


def test_hello_tells_what_the_server_can_do(client: Client) -> None:
    assert client.state is State.READY
    assert client.hello is not None
    assert client.hello.default == "walker"
    assert "text" in client.hello.capabilities


def test_by_address_and_token(backend: Backend) -> None:
    found = backend.connection
    with Client.connect(address=found.address, token=found.token) as client:
        assert client.generate(text("a man walks"), timeout=WAIT)


def test_a_wrong_token_is_refused(backend: Backend) -> None:
    with pytest.raises(UserError, match="token is wrong") as caught:
        Client.connect(address=backend.connection.address, token="wrong")
    assert caught.value.code == "wrong-token"


def test_nobody_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(UserError, match="No videomdm server answers") as caught:
        Client.connect(address=address, token="x", timeout=1.0)
    assert caught.value.code == "no-server"


def test_no_connection_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="videomdm serve") as caught:
        Client.connect(tmp_path / "connection.json")
    assert caught.value.code == "no-server"


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1", "udp://x:1"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(UserError, match="cannot be used") as caught:
        Client.connect(address=address, token="x")
    assert caught.value.code == "bad-address"


def test_a_dead_server_is_said_to_be_dead(start_backend: Callable[..., Backend], tmp_path: Path) -> None:
    backend = start_backend(tmp_path)
    backend.kill()
    assert backend.connection_file.exists()
    with pytest.raises(UserError, match="has died, perhaps of memory") as caught:
        backend.client()
    assert caught.value.code == "server-died"


@pytest.mark.parametrize("reply", [[b"videomdm/99", b"?"], [b"HTTP/1.1 400 Bad Request"]])
def test_another_program_or_version_at_the_address(reply: list[bytes]) -> None:
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    port = router.bind_to_random_port("tcp://127.0.0.1")

    def answer() -> None:
        peer, *_ = router.recv_multipart()
        router.send_multipart([peer, *reply])

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(UserError) as caught:
        Client.connect(address=f"tcp://127.0.0.1:{port}", token="x")
    assert caught.value.code in ("wrong-version", "malformed")
    thread.join()
    router.close(linger=0)
    context.term()


def test_garbage_from_a_server_is_told_and_outlived() -> None:
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    welcome = protocol.encode(protocol.Welcome("0" * 32, ["text"], [], "walker"))

    def answer() -> None:
        for reply in (welcome, [protocol.PREFIX, b"\xc1garbage"], protocol.encode(protocol.Pong())):
            peer, *_ = router.recv_multipart()
            router.send_multipart([peer, *reply])

    thread = threading.Thread(target=answer)
    thread.start()
    with Client.connect(address=f"tcp://127.0.0.1:{port}", token="x") as client:
        (told,) = events_until(client, lambda event: isinstance(event, protocol.Failed))
        assert (told.code, told.job, client.state) == ("malformed", "", State.READY)
        client.list_takes()
        client.events(1.0)
        thread.join()
    router.close(linger=0)
    context.term()


# --- jobs -------------------------------------------------------------------------------------------------


def test_generate_tells_its_events(client: Client) -> None:
    told: list[Any] = []
    (motion,) = client.generate(text("a man walks", seed=5), on_event=told.append, timeout=WAIT)
    assert motion.provenance["seed"] == 5
    kinds = [type(event) for event in told]
    assert kinds[0] is protocol.Accepted
    assert kinds[-1] is protocol.Result
    assert kinds.count(protocol.Progress) == 5


def test_a_bad_job_is_refused_before_it_is_sent(client: Client) -> None:
    for job in (text(""), text("walk", seconds=float("nan")), text("walk", seed=-1)):
        with pytest.raises(UserError):
            client.submit(job)
    assert client.events(0.1) == []


def test_a_late_result_of_a_cancelled_job_is_dropped(client: Client, backend: Backend) -> None:
    job = text("overtaken by its own result")
    client.submit(job)
    while not backend.runs("overtaken"):
        client.events(0.0)
    time.sleep(0.5)  # the result lies in the socket by now
    client.cancel(job.job)
    after = text("the next one walks")
    client.submit(after)
    told = events_until(client, is_result)
    assert [event for event in told if event.job == job.job] == [protocol.Cancelled(job.job)]
    assert [event.job for event in told if is_result(event)] == [after.job]
    assert client.events(0.3) == []


def test_events_of_other_jobs_are_kept(client: Client) -> None:
    other = client.submit(text("the other one walks"))
    client.generate(text("this one walks"), timeout=WAIT)
    told = events_until(client, is_result)
    assert {event.job for event in told} == {other}


def test_it_may_be_told_from_other_threads(client: Client) -> None:
    jobs = [text(f"walker {number}", steps=2) for number in range(8)]
    threads = [threading.Thread(target=client.submit, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    results: set[str] = set()
    deadline = time.monotonic() + WAIT
    while len(results) < len(jobs) and time.monotonic() < deadline:
        results |= {event.job for event in client.events(0.2) if is_result(event)}
    for thread in threads:
        thread.join()
    assert results == {job.job for job in jobs}


@pytest.mark.usefixtures("impatient")
def test_a_long_pause_does_no_harm(client: Client) -> None:
    job = text("a man walks slowly", steps=10)
    client.submit(job)
    client.events(0.0)
    time.sleep(link.SILENCE_SECONDS + 0.5)  # as when Blender renders in the foreground
    told = events_until(client, is_result)
    assert not any(isinstance(event, StateChanged) for event in told)


@pytest.mark.usefixtures("impatient")
def test_an_idle_client_stays_connected(client: Client) -> None:
    deadline = time.monotonic() + link.SILENCE_SECONDS + 1.5
    while time.monotonic() < deadline:
        assert client.events(0.2) == []
    assert client.state is State.READY


def test_a_closed_client_says_so(backend: Backend) -> None:
    client = backend.client()
    client.close()
    with pytest.raises(UserError, match="closed"):
        client.events()


def test_what_is_left_of_a_job_is_in_the_library(backend: Backend) -> None:
    with backend.client() as client:  # as when Blender crashes in the middle of a job
        job = text("a take for later walks slowly", steps=8)
        client.submit(job)
        events_until(client, is_progress)
    with backend.client() as client:
        deadline = time.monotonic() + WAIT
        told: list[Any] = [None]
        while not is_result(told[-1]):
            assert time.monotonic() < deadline
            client.fetch(job.job)
            told = events_until(client, lambda event: event.job == job.job)
        assert told[-1].motions[0].caption == job.prompt
    assert len(backend.runs("a take for later")) == 1


# --- losing the server ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_a_killed_and_restarted_server_is_recognised_and_the_job_runs_again(
    start_backend: Callable[..., Backend], tmp_path: Path
) -> None:
    first = start_backend(tmp_path)
    with first.client() as client:
        assert client.hello is not None
        old = client.hello.server
        finished = text("finished before")
        client.generate(finished, timeout=WAIT)
        job = text("interrupted he walks slowly", steps=20)
        client.submit(job)
        told = events_until(client, is_progress)
        first.kill()
        second = start_backend(tmp_path)
        told += events_until(client, is_result)
        changes = [event for event in told if isinstance(event, StateChanged)]
        assert changes[-1].state is State.READY
        assert changes[-1].restarted
        assert changes[-1].resumed == (job.job,)
        assert client.hello.server != old
        assert client.hello.server == second.connection.server
        assert told[-1].job == job.job
        assert len(second.runs("interrupted")) == 2
        # The library outlives the server: what was finished is not run again.
        client.generate(finished, timeout=WAIT)
        assert len(second.runs("finished before")) == 1


@pytest.mark.usefixtures("impatient")
def test_a_dead_server_is_noticed_and_named(start_backend: Callable[..., Backend], tmp_path: Path) -> None:
    backend = start_backend(tmp_path)
    with backend.client() as client:
        backend.kill()
        told = events_until(client, lambda event: isinstance(event, StateChanged))
        assert told[-1].state is State.LOST
        assert told[-1].error.code == "server-died"
        assert "memory" in told[-1].error.message
        job = text("asked for in vain")
        client.submit(job)  # not lost: it waits for a server
        client.cancel(job.job)
        assert client.events(0.2) == []


@pytest.mark.usefixtures("impatient")
def test_a_cut_wire_loses_no_job(backend: Backend) -> None:
    found = backend.connection
    tap = Tap(int(found.address.rpartition(":")[2]))
    with Client.connect(address=tap.address, token=found.token, timeout=WAIT) as client:
        job = text("over a cut wire he walks slowly", steps=30)
        client.submit(job)
        events_until(client, is_progress)
        tap.cut()
        told = events_until(client, is_result)
        assert told[-1].job == job.job
    tap.close()
    assert len(backend.runs("over a cut wire")) == 1


@pytest.mark.skipif(os.name != "posix", reason="freezes a process")
def test_a_frozen_server_is_left_and_found_again(
    start_backend: Callable[..., Backend], tmp_path: Path
) -> None:
    backend = start_backend(tmp_path)
    with backend.client() as client:
        job = text("through the ice he walks slowly", steps=45)
        client.submit(job)
        events_until(client, is_progress)
        backend.process.send_signal(signal.SIGSTOP)
        told = events_until(client, lambda event: isinstance(event, StateChanged))
        assert told[-1].state is State.LOST
        assert told[-1].error.code == "no-server"
        backend.process.send_signal(signal.SIGCONT)
        told = events_until(client, is_result)
        (ready,) = [event for event in told if isinstance(event, StateChanged)]
        assert (ready.state, ready.restarted, ready.resumed) == (State.READY, False, (job.job,))
        assert len(backend.runs("through the ice")) == 1


def test_a_forgotten_client_says_hello_again(client: Client, backend: Backend) -> None:
    # What a server says that was restarted at the same address, or was not asked for a minute.
    client._link._handle(protocol.Failed("no-session", "The conversation begins with Hello."))
    told = events_until(client, lambda event: isinstance(event, StateChanged))
    assert (told[-1].state, told[-1].restarted) == (State.READY, False)
    assert client.generate(text("a man walks"), timeout=WAIT)


def test_delays_double_up_to_32_seconds_and_a_new_file_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    monkeypatch.setattr(link, "SILENCE_SECONDS", 0.0)  # every silence is long enough
    file = tmp_path / "connection.json"
    write_connection(file, Connection("tcp://127.0.0.1:9", "x"))
    client = Client(file)
    delays = []
    for _ in range(7):
        client._link._retry_at = 0.0
        while client._link._socket is None or client._link._asked_at is not None:
            client.events(0.01)
            if client._link._retry_at:
                break
        delays.append(round(client._link._retry_at - time.monotonic()))
    assert delays == [1, 2, 4, 8, 16, 32, 32]
    monkeypatch.undo()
    assert client.state is State.CONNECTING
    write_connection(file, backend.connection)  # a server has started: long before the 32 seconds are over
    events_until(client, lambda event: isinstance(event, StateChanged) and event.state is State.READY, 16.0)
    client.close()
