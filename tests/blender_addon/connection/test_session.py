# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread with the socket, against a real backend.  No Blender needed."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from videomdm import client, protocol
from videomdm.connection import Connection, read_connection, write_connection
from videomdm.errors import UserError
from videomdm_blender.connection.session import Ended, Phase, Session, is_loopback

PATIENCE = 60.0  # of a busy machine


@pytest.fixture
def session(puppet: Path) -> Iterator[Session]:
    made = Session(puppet)
    yield made
    made.stop()


def next_of(session: Session, kind: type) -> Any:
    """The next event of a kind."""
    deadline = time.monotonic() + PATIENCE
    while True:
        event = session.events.get(timeout=max(0.01, deadline - time.monotonic()))
        if isinstance(event, kind):
            return event


def reach(session: Session, phase: Phase) -> None:
    deadline = time.monotonic() + PATIENCE
    while session.status.phase is not phase:
        assert time.monotonic() < deadline, session.status
        time.sleep(0.01)


def test_a_job_comes_back(session: Session) -> None:
    job = protocol.TextJob(prompt="a person walks", seconds=1.0, steps=3)
    session.submit(job)  # before the connection stands
    result = next_of(session, protocol.Result)
    assert result.job == job.job and len(result.motions[0]) == 20
    assert session.status.phase is Phase.READY
    assert session.status.welcome is not None and session.status.welcome.default == "base"


def test_unusable_requests_are_refused_at_once(session: Session) -> None:
    with pytest.raises(UserError, match="empty"):
        session.submit(protocol.TextJob(prompt=" "))


def test_cancel(session: Session) -> None:
    job = protocol.TextJob(prompt="slow", seconds=1.0)
    session.submit(job)
    next_of(session, protocol.Progress)
    session.cancel(job.job)
    assert next_of(session, protocol.Cancelled).job == job.job


def test_the_thread_ends(puppet: Path) -> None:
    before = threading.active_count()
    session = Session(puppet)
    reach(session, Phase.READY)
    session.stop()
    assert threading.active_count() == before
    assert next_of(session, Ended).error is None
    assert session.status.phase is Phase.OFF


def test_nobody_there(tmp_path: Path) -> None:
    session = Session(tmp_path / "connection.json")
    change = next_of(session, client.StateChanged)
    assert change.error is not None and change.error.code == "no-server"
    assert session.status.phase is Phase.CONNECTING and session.status.live
    session.stop()


def test_a_wrong_token_is_refused(puppet: Path, tmp_path: Path) -> None:
    found = read_connection(puppet)
    write_connection(tmp_path / "c.json", Connection(found.address, "wrong", found.pid, found.server))
    session = Session(tmp_path / "c.json")
    reach(session, Phase.REFUSED)
    assert session.status.error is not None and session.status.error.code == "wrong-token"
    session.stop()


def test_a_lost_backend_is_found_again(
    start_puppet: Callable[[Path], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    process = start_puppet(tmp_path)
    session = Session(tmp_path / "connection.json")
    reach(session, Phase.READY)
    process.kill()
    process.wait()
    reach(session, Phase.LOST)
    start_puppet(tmp_path)
    reach(session, Phase.READY)
    session.stop()


def test_other_computers_need_online_access() -> None:
    far = Connection("tcp://192.0.2.7:4000", "token")
    with pytest.raises(UserError, match="another computer") as caught:
        Session(far, may_leave=False)
    assert caught.value.code == "offline"
    Session(far, may_leave=True).stop()


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("tcp://127.0.0.1:5000", True),
        ("tcp://[::1]:5000", True),
        ("tcp://localhost:5000", True),
        ("ipc:///tmp/socket", True),
        ("tcp://10.0.0.1:5000", False),
        ("tcp://[2001:db8::1]:5000", False),
        ("tcp://example.org:5000", False),
        ("nonsense", False),
    ],
)
def test_loopback(address: str, local: bool) -> None:
    assert is_loopback(address) is local


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys, videomdm_blender, videomdm_blender.connection.session; "
        "print([name for name in ('bpy', 'torch', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_events_wait_in_order(session: Session) -> None:
    jobs = [protocol.TextJob(prompt="walk", seconds=0.5, steps=1) for _ in range(3)]
    for job in jobs:
        session.submit(job)
    assert [next_of(session, protocol.Result).job for _ in jobs] == [job.job for job in jobs]
    with pytest.raises(queue.Empty):
        session.events.get(timeout=0.5)
