# SPDX-License-Identifier: Apache-2.0
"""The server's loop: one thread in which the clients' messages and the worker's reports meet.

Every message that cannot be understood or done is answered with Failed; none ends the loop.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue as thread_queue
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from .. import connection, protocol
from ..errors import UserError
from . import security
from .engine import Ready
from .jobs import Client, Jobs
from .library import Library
from .listening import listen
from .sole import sole_server
from .workers import Worker

log = logging.getLogger(__name__)

SESSION_SECONDS = 60.0  # a client that has been silent for so long says Hello again
MAX_SESSIONS = 256
MESSAGES_PER_TURN = 100  # so that one busy client does not keep the worker's reports waiting


@dataclass(frozen=True)
class Settings:
    """How a server runs.

    port:     0 takes any free one.
    model:    the default model, loaded at start; device: "auto", "cpu", "cuda", "mps".
    pipeline: "module:class" of the pipeline that the worker loads.
    curve:    folder of CURVE keys (``security.CurveKeys``), None for the loopback interface only.
    waiting:  how many jobs may wait.
    """

    host: str = "127.0.0.1"
    port: int = 0
    model: str = "base"
    device: str = "auto"
    pipeline: str = "videomdm.pipeline:Pipeline"
    library: Path = field(default_factory=lambda: connection.data_folder() / "library")
    connection_file: Path = field(default_factory=connection.default_connection_file)
    curve: Path | None = None
    waiting: int = 64


class Server:
    """``start()``, then ``run()`` until ``stop()`` is called from anywhere, then ``close()``.

    As a context it is started and closed.  All but ``stop()`` belong to one thread.  ``start()`` raises
    UserError where another server has the connection file, the port is taken, the interface is refused, the
    library cannot be opened or the model cannot be loaded.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.server_id = protocol.new_job_id()
        self.connection = connection.Connection("", "")
        self._sessions: dict[Client, float] = {}  # when each was last heard
        self._stopping = threading.Event()
        self._wake_here, self._wake_there = socket.socketpair()
        self._wake_here.setblocking(False)
        self._wake_there.setblocking(False)
        self._close = contextlib.ExitStack()
        self._close.callback(self._wake_there.close)
        self._close.callback(self._wake_here.close)

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, load the model in the worker, write the connection file."""
        settings = self.settings
        self._close.enter_context(sole_server(settings.connection_file))
        listening = listen(settings.host, settings.port, settings.curve, self._close)
        self._router = listening.router
        library = Library(settings.library)
        self._close.callback(library.close)
        self._poller = zmq.Poller()
        self._poller.register(self._router, zmq.POLLIN)
        self._poller.register(self._wake_here, zmq.POLLIN)
        self._jobs = Jobs(
            library,
            settings.waiting,
            lambda hear: Worker(settings.pipeline, settings.model, settings.device, hear),
            self._tell,
            self._wake,
        )
        self._close.callback(self._jobs.close)
        self._jobs.start(self._stopping)
        if self._stopping.is_set():
            return
        self.connection = connection.Connection(
            address=listening.address,
            token=listening.token,
            pid=os.getpid(),
            server=self.server_id,
            curve=listening.curve,
        )
        connection.write_connection(settings.connection_file, self.connection)
        self._close.callback(connection.remove_connection, settings.connection_file, self.server_id)

    @property
    def ready(self) -> Ready:
        """Its models and what they run on; once it has started."""
        return self._jobs.ready

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        while not self._stopping.is_set():
            for source, _ in self._poller.poll(1000):
                if source is self._router:
                    self._hear_clients()
            with contextlib.suppress(BlockingIOError):
                self._wake_here.recv(4096)
            self._jobs.turn()
            self._forget_silent_clients()
        self._jobs.fail_unfinished("server-stopped", "The server was stopped.", "Start it again.")

    def stop(self) -> None:
        """Make :meth:`run` (or a start under way) return soon.  For any thread, and for signal handlers."""
        self._stopping.set()
        self._wake()

    def close(self) -> None:
        """End the worker, close the socket, remove the connection file."""
        self._close.close()

    def _wake(self) -> None:
        """End the loop's waiting; for any thread."""
        with contextlib.suppress(OSError):  # full: the loop is woken already; closed: it has ended
            self._wake_there.send(b"!")

    # --- the clients --------------------------------------------------------------------------------------

    def _hear_clients(self) -> None:
        for _ in range(MESSAGES_PER_TURN):
            try:
                client, *frames = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._answer(client, protocol.decode(frames, protocol.Request))
            except protocol.ProtocolError as error:
                self._send(client, protocol.Failed.of(error, error.job))

    def _answer(self, client: Client, request: protocol.Request) -> None:
        job = getattr(request, "job", "")
        try:
            if isinstance(request, protocol.Hello):
                self._welcome(client, request)
                return
            if client not in self._sessions:
                raise UserError("The conversation begins with Hello.", "Connect again.", "no-session")
            self._sessions[client] = time.monotonic()
            self._do(client, request)
        except UserError as error:
            self._send(client, protocol.Failed.of(error, job))
        except Exception:  # the server outlives its own faults too; the client hears of them
            log.exception("A %s message could not be answered", type(request).__name__)
            self._send(
                client,
                protocol.Failed("internal", "The server made a mistake.", "Its log has the details.", job),
            )

    def _welcome(self, client: Client, hello: protocol.Hello) -> None:
        if not security.same_token(hello.token, self.connection.token):
            raise UserError(
                "The token is wrong.", "Use the connection file of the server that runs now.", "wrong-token"
            )
        if hello.version != protocol.PROTOCOL_VERSION:
            raise UserError(
                f"The client speaks protocol version {hello.version}, "
                f"the server {protocol.PROTOCOL_VERSION}.",
                "Install the same version of videomdm on both sides.",
                "wrong-version",
            )
        if len(self._sessions) >= MAX_SESSIONS and client not in self._sessions:
            raise UserError("Too many clients are connected.", "Close some of them.", "too-many-clients")
        self._sessions[client] = time.monotonic()
        ready = self._jobs.ready
        self._send(
            client,
            protocol.Welcome(
                server=self.server_id,
                capabilities=ready.capabilities,
                models=ready.models,
                default=ready.default,
                device=ready.device,
            ),
        )

    def _do(self, client: Client, request: protocol.Request) -> None:
        if isinstance(request, protocol.Ping):
            self._send(client, protocol.Pong())
        elif isinstance(request, protocol.Cancel):
            self._jobs.cancel(client, request.job)
        elif isinstance(request, protocol.FetchTake):
            self._jobs.fetch(client, request.job)
        elif isinstance(request, protocol.ListTakes):
            self._jobs.list_takes(client, request)
        elif isinstance(request, protocol.TextJob | protocol.LiftJob):
            self._jobs.submit(client, request)

    def _tell(self, clients: set[Client], message: protocol.Event) -> None:
        for client in clients & self._sessions.keys():
            self._send(client, message)

    def _send(self, client: Client, message: protocol.Event) -> None:
        """Send without waiting.  Who is gone or does not read is forgotten: on return it says Hello again,
        asks for its jobs again, and misses nothing."""
        try:
            self._router.send_multipart([client, *protocol.encode(message)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.debug("A client is gone: %s", error)
            self._sessions.pop(client, None)

    def _forget_silent_clients(self) -> None:
        oldest = time.monotonic() - SESSION_SECONDS
        for client in [client for client, heard in self._sessions.items() if heard < oldest]:
            del self._sessions[client]


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Server]:
    """A server in a thread of this process while the context lasts; UserError where it cannot start."""
    server = Server(settings)
    started: thread_queue.SimpleQueue[BaseException | None] = thread_queue.SimpleQueue()

    def serve() -> None:
        try:
            server.start()
        except BaseException as error:
            server.close()
            started.put(error)
            return
        started.put(None)
        try:
            server.run()
        finally:
            server.close()

    thread = threading.Thread(target=serve, name="videomdm-server")
    thread.start()
    try:
        error = started.get()
        if error is not None:
            raise error
        yield server
    finally:
        server.stop()
        thread.join()
