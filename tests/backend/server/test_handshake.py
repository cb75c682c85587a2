# SPDX-License-Identifier: Apache-2.0
"""Who is let in, and that no bytes on the socket end the server."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from videomdm import protocol
from videomdm.client import Client
from videomdm.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.backend.conftest import Backend, RawPeer


def test_welcome_tells_everything(peer: RawPeer, backend: Backend) -> None:
    welcome = peer.greet()
    assert welcome.version == protocol.PROTOCOL_VERSION
    assert welcome.server == backend.connection.server
    assert set(welcome.capabilities) == {"text", "lift", "preview", "library"}
    assert [model.name for model in welcome.models] == ["walker", "stroller", "broken"]
    assert welcome.models[1] == protocol.Model("stroller", 20.0, "humanml3d-22", "Apache-2.0", 4.0, True)
    assert welcome.default == "walker"
    assert welcome.device == "two legs"


def test_connection_file_is_private(backend: Backend) -> None:
    assert stat.S_IMODE(backend.connection_file.stat().st_mode) == 0o600
    assert backend.connection.pid == backend.process.pid
    assert len(backend.connection.token) == 64


@pytest.mark.parametrize("token", ["", "wrong", "\N{SNOWMAN}" * 64])
def test_wrong_token(peer: RawPeer, token: str) -> None:
    failed = peer.ask(protocol.Hello(token))
    assert (failed.code, failed.job) == ("wrong-token", "")
    refused = peer.ask(protocol.TextJob("a man walks"))
    assert refused.code == "no-session"


def test_nothing_is_done_before_hello(peer: RawPeer, backend: Backend) -> None:
    job = protocol.TextJob("an unknown man walks")
    for message in (job, protocol.Ping(), protocol.Cancel(job.job), protocol.ListTakes()):
        assert peer.ask(message).code == "no-session"
    assert not backend.runs("an unknown man")


def test_wrong_version_in_hello_and_in_frames(peer: RawPeer, backend: Backend) -> None:
    failed = peer.ask(protocol.Hello(backend.connection.token, version=99))
    assert failed.code == "wrong-version"
    assert "99" in failed.message
    peer.send([b"videomdm/99", b"something newer", b"", b"x"])
    failed = peer.hear()
    assert failed.code == "wrong-version"
    assert "99" in failed.message


MALFORMED = {
    "nothing": [b""],
    "an http request": [b"GET / HTTP/1.1\r\n\r\n"],
    "a pickle": [b"\x80\x04\x95", b"cposix\nsystem\n"],
    "no header": [protocol.PREFIX],
    "garbage": [protocol.PREFIX, b"\xc1\xff\x00"],
    "a list": [protocol.PREFIX, msgspec.msgpack.encode([1, 2])],
    "an event": protocol.encode(protocol.Pong()),
    "surplus arrays": [*protocol.encode(protocol.Ping()), b"1234"],
    "too many frames": [*protocol.encode(protocol.Ping()), *[b"x"] * 100],
    "a long header": [protocol.PREFIX, b"\xc0" * (protocol.MAX_HEADER_BYTES + 1)],
    "deep nesting": [protocol.PREFIX, b"\x81\xa4type" + b"\x91" * 100_000],
    "many bytes": [*protocol.encode(protocol.Ping()), *[bytes(protocol.MAX_FRAME_BYTES)] * 3],
}


@pytest.mark.parametrize("frames", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_messages_are_answered(peer: RawPeer, frames: list[bytes]) -> None:
    peer.greet()
    peer.send(frames)
    failed = peer.hear()
    assert isinstance(failed, protocol.Failed)
    assert failed.code in ("malformed", "unknown-message", "too-large")
    assert failed.message
    assert isinstance(peer.ask(protocol.Ping()), protocol.Pong)


def test_an_unknown_message_is_refused_by_name(peer: RawPeer) -> None:
    peer.greet()
    job = protocol.new_job_id()
    peer.send([protocol.PREFIX, msgspec.msgpack.encode({"type": "EditJob", "job": job})])
    failed = peer.hear()
    assert (failed.code, failed.job) == ("unknown-message", job)
    assert "EditJob" in failed.message
    assert "TextJob" in failed.advice


def test_an_oversize_frame_ends_its_connection_only(
    backend: Backend, new_peer: Callable[[Connection], RawPeer]
) -> None:
    rude, polite = new_peer(backend.connection), new_peer(backend.connection)
    rude.greet()
    polite.greet()
    rude.send([*protocol.encode(protocol.Ping()), bytes(protocol.MAX_FRAME_BYTES + 1)])
    assert isinstance(polite.ask(protocol.Ping()), protocol.Pong)
    # ZeroMQ drops the connection before it allocates, and the peer comes back as somebody new.
    assert isinstance(rude.ask(protocol.Hello(backend.connection.token)), protocol.Welcome)


@pytest.mark.parametrize(
    ("job", "code", "words"),
    [
        (protocol.TextJob(""), "bad-prompt", "empty"),
        (protocol.TextJob("x" * 10_000), "bad-prompt", "10000"),
        (protocol.TextJob("walk", seconds=float("nan")), "bad-seconds", "nan"),
        (protocol.TextJob("walk", seconds=9.0), "bad-seconds", "at most 8 seconds"),
        (protocol.TextJob("walk", seconds=5.0, model="stroller"), "bad-seconds", "at most 4 seconds"),
        (protocol.TextJob("walk", seed=2**31), "bad-seed", "2147483648"),
        (protocol.TextJob("walk", model="runner"), "unknown-model", "'runner'"),
        (
            protocol.LiftJob(
                np.full((5, 27, 2), np.inf, np.float32), np.ones((5, 27), np.float32), 25.0, 64, 64
            ),
            "bad-keypoints",
            "infinite",
        ),
    ],
)
def test_jobs_that_cannot_be_done_are_refused(
    peer: RawPeer, job: protocol.Job, code: str, words: str
) -> None:
    peer.greet()
    failed = peer.ask(job)
    assert (failed.code, failed.job) == (code, job.job)
    assert words in failed.message
    assert failed.advice


def test_a_broken_model_is_named_and_the_default_still_works(client: Client) -> None:
    from videomdm.errors import UserError

    with pytest.raises(UserError, match="damaged") as caught:
        client.generate(protocol.TextJob("a man walks", model="broken"), timeout=30)
    assert caught.value.code == "bad-model"
    assert len(client.generate(protocol.TextJob("a man walks", 1.0, steps=2), timeout=30)) == 1


def test_the_server_never_loads_torch(backend: Backend) -> None:
    maps = f"/proc/{backend.process.pid}/maps"
    if not os.path.exists(maps):
        pytest.skip("this system does not tell which libraries a process has loaded")
    with open(maps) as file:
        assert "libtorch" not in file.read()
