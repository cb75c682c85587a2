# SPDX-License-Identifier: Apache-2.0
"""A backend in a process of its own, running the small pipeline of ``server/walker.py``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq

from videomdm import protocol
from videomdm.client import Client
from videomdm.connection import Connection, read_connection

HERE = Path(__file__).resolve().parent
PATIENCE = 30.0


@dataclass
class Backend:
    """A running `videomdm serve` and the folder that it keeps its files in."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def connection_file(self) -> Path:
        return self.folder / "connection.json"

    @property
    def connection(self) -> Connection:
        return read_connection(self.connection_file)

    def client(self, **settings: Any) -> Client:
        return Client.connect(self.connection_file, timeout=PATIENCE, **settings)

    def runs(self, prompt: str = "") -> list[dict[str, Any]]:
        """What the pipeline has run so far: prompt, process id, model, device."""
        log = self.folder / "runs.jsonl"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [line for line in lines if prompt in line["prompt"]]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> str:
        """End it as an operating system does; returns what it wrote."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=PATIENCE)
        return output


class RawPeer:
    """A DEALER socket that sends whatever bytes it is told to."""

    def __init__(self, connection: Connection) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.connect(connection.address)
        self._token = connection.token

    def send(self, frames: list[bytes]) -> None:
        self._socket.send_multipart(frames)

    def say(self, message: protocol.Message) -> None:
        self.send(protocol.encode(message))

    def hear(self, seconds: float = PATIENCE) -> Any:
        """The next message; None where none comes."""
        if not self._socket.poll(int(seconds * 1000)):
            return None
        return protocol.decode(self._socket.recv_multipart(), protocol.Event)

    def ask(self, message: protocol.Message) -> Any:
        self.say(message)
        return self.hear()

    def greet(self) -> protocol.Welcome:
        welcome = self.ask(protocol.Hello(self._token))
        assert isinstance(welcome, protocol.Welcome), welcome
        return welcome

    def close(self) -> None:
        self._socket.close()
        self._context.term()


def _walker_environment(folder: Path) -> dict[str, str]:
    paths = [str(HERE / "server"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",  # the tests share the processors
        "VIDEOMDM_DATA": str(folder),
        "VIDEOMDM_PIPELINE": "walker:Walker",
        "WALKER_LOG": str(folder / "runs.jsonl"),
        "WALKER_TOO_HEAVY": str(folder / "too-heavy"),
    }


def _launch(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start `videomdm serve` with the walker, without waiting."""
    return subprocess.Popen(
        [sys.executable, "-m", "videomdm.cli", "serve", "--model", "walker", *options],
        env=_walker_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _await_file(process: subprocess.Popen[str], path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def start_backend() -> Iterator[Callable[..., Backend]]:
    """Starts backends: ``start_backend(folder, *options of serve)``; all end with the session."""
    backends: list[Backend] = []

    def start(folder: Path, *options: str) -> Backend:
        (folder / "connection.json").unlink(missing_ok=True)
        backend = Backend(_launch(folder, *options), folder)
        backends.append(backend)
        _await_file(backend.process, backend.connection_file)
        return backend

    yield start
    for backend in backends:
        if backend.process.poll() is None:
            backend.stop()


@pytest.fixture(scope="session")
def backend(start_backend: Callable[..., Backend], tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """One backend for all tests that leave it as they found it."""
    return start_backend(tmp_path_factory.mktemp("backend"))


@pytest.fixture
def client(backend: Backend) -> Iterator[Client]:
    with backend.client() as client:
        yield client


@pytest.fixture
def new_peer() -> Iterator[Callable[[Connection], RawPeer]]:
    """Opens raw peers of a server."""
    peers: list[RawPeer] = []

    def connect(connection: Connection) -> RawPeer:
        peers.append(RawPeer(connection))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.close()


@pytest.fixture
def peer(backend: Backend, new_peer: Callable[[Connection], RawPeer]) -> RawPeer:
    return new_peer(backend.connection)


@pytest.fixture(scope="session")
def walker_environment() -> Callable[[Path], dict[str, str]]:
    """The environment in which ``videomdm`` runs the walker and keeps all its files in a folder."""
    return _walker_environment


@pytest.fixture(scope="session")
def launch() -> Callable[..., subprocess.Popen[str]]:
    """Starts `videomdm serve` with the walker, without waiting for it: ``launch(folder, *options)``."""
    return _launch
