# SPDX-License-Identifier: Apache-2.0
"""The server's loop: one thread, one ROUTER socket, one worker process.

Who is connected, what was asked, and what the worker reports meet here.  Every message that cannot be
understood or done is answered with Failed; none ends the loop.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import queue as thread_queue
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from .. import connection, protocol
from ..errors import UserError
from . import security
from .library import Library
from .queue import Entry, Queue
from .worker_process import Ready, Report
from .workers import Worker

log = logging.getLogger(__name__)

SESSION_SECONDS = 60.0  # a client that has been silent for so long says Hello again
MAX_SESSIONS = 256
MESSAGES_PER_TURN = 100  # so that one busy client does not keep the worker's reports waiting
WORKER_LOST_ADVICE = "Ask for a shorter clip or fewer samples, or close other programs, and try again."


@dataclass(frozen=True)
class Settings:
    """How a server runs.

    port:     0 takes any free one.
    model:    the default model, loaded at start; device: "auto", "cpu", "cuda".
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
    UserError where the port is taken, the interface is refused, the library cannot be opened or the model
    cannot be loaded.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.server_id = protocol.new_job_id()
        self.connection = connection.Connection("", "")
        self._stopping = threading.Event()
        self._wake_here, self._wake_there = socket.socketpair()
        self._wake_here.setblocking(False)
        self._wake_there.setblocking(False)
        self._reports: thread_queue.SimpleQueue[tuple[Worker, Report | None]] = thread_queue.SimpleQueue()
        self._queue = Queue(settings.waiting)
        self._sessions: dict[bytes, float] = {}  # routing id -> when it was last heard
        self._worker: Worker | None = None
        self._ready: Ready | None = None  # what the worker told; kept while it is restarted
        self._worker_idle = False
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
        keys = self._make_keys()
        address = security.interface_address(self.settings.host, encrypted=keys is not None)
        context = zmq.Context()
        self._close.callback(context.term)
        if keys is not None:
            self._authenticate(context, keys)
        self._router = context.socket(zmq.ROUTER)
        self._close.callback(self._router.close, linger=500)
        self._router.set(zmq.ROUTER_MANDATORY, 1)  # tell when a client is gone or does not read
        self._router.set(zmq.MAXMSGSIZE, protocol.MAX_FRAME_BYTES)
        if keys is not None:
            keys.protect_server(self._router)
        port = self._bind(address)
        self._library = Library(self.settings.library)
        self._close.callback(self._library.close)
        self._poller = zmq.Poller()
        self._poller.register(self._router, zmq.POLLIN)
        self._poller.register(self._wake_here, zmq.POLLIN)
        self._start_worker()
        self._close.callback(self._stop_worker)
        self._await_worker()
        if not self._stopping.is_set():
            self._publish(address, port, keys)

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        while not self._stopping.is_set():
            for source, _ in self._poller.poll(1000):
                if source is self._router:
                    self._hear_clients()
            self._hear_worker()
            self._dispatch()
            self._forget_silent_clients()
        for job in self._queue.unfinished():
            self._end(protocol.Failed("server-stopped", "The server was stopped.", "Start it again.", job))

    def stop(self) -> None:
        """Make :meth:`run` (or a start under way) return soon.  For any thread, and for signal handlers."""
        self._stopping.set()
        self._wake()

    def close(self) -> None:
        """End the worker, close the socket, remove the connection file."""
        self._close.close()

    def _make_keys(self) -> security.CurveKeys | None:
        if self.settings.curve is None:
            return None
        if not zmq.has("curve"):
            raise UserError("This ZeroMQ was built without CURVE.", "Install pyzmq from its wheel.")
        keys = security.CurveKeys(self.settings.curve)
        keys.make_missing()
        return keys

    def _authenticate(self, context: zmq.Context, keys: security.CurveKeys) -> None:
        from zmq.auth.thread import ThreadAuthenticator

        authenticator = ThreadAuthenticator(context)
        authenticator.start()
        self._close.callback(authenticator.stop)
        authenticator.configure_curve(domain="*", location=keys.clients)

    def _bind(self, address: str) -> int:
        """Listen; returns the port."""
        if ":" in address:
            self._router.set(zmq.IPV6, 1)
            address = f"[{address}]"
        port = self.settings.port
        try:
            self._router.bind(f"tcp://{address}:{port or '*'}")
        except zmq.ZMQError as error:
            reason = "is already in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
            raise UserError(
                f"Port {port} of {address} {reason}.",
                "Stop the other program, or choose another port with --port (0 takes any free one).",
                "port-in-use" if error.errno == errno.EADDRINUSE else "bad-address",
            ) from error
        endpoint = self._router.getsockopt_string(zmq.LAST_ENDPOINT)
        return int(endpoint.rpartition(":")[2])

    def _publish(self, address: str, port: int, keys: security.CurveKeys | None) -> None:
        """Write the connection file, for the clients on this machine."""
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
        local = f"[{local}]" if ":" in local else local
        self.connection = connection.Connection(
            address=f"tcp://{local}:{port}",
            token=security.new_token() if keys is None else keys.token(),
            pid=os.getpid(),
            server=self.server_id,
            curve=keys is not None,
        )
        connection.write_connection(self.settings.connection_file, self.connection)
        self._close.callback(connection.remove_connection, self.settings.connection_file, self.server_id)

    # --- the worker ---------------------------------------------------------------------------------------

    def _start_worker(self) -> None:
        settings = self.settings
        self._worker_idle = False
        self._worker = Worker(settings.pipeline, settings.model, settings.device, self._report)

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _await_worker(self) -> None:
        """Wait until the model is loaded; UserError where it cannot be."""
        while not self._stopping.is_set():
            with contextlib.suppress(thread_queue.Empty):
                worker, report = self._reports.get(timeout=0.2)
                if isinstance(report, Ready):
                    self._ready, self._worker_idle = report, True
                    return
                if isinstance(report, protocol.Failed):
                    raise report.error()
                raise UserError(
                    f"The worker died while it loaded the model: {worker.epitaph()}, probably of memory.",
                    "Close other programs or choose a smaller model; the lines above may tell more.",
                    "worker-died",
                )

    def _report(self, worker: Worker, report: Report | None) -> None:
        """Called from the worker's thread."""
        self._reports.put((worker, report))
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: the loop is woken already; closed: it has ended
            self._wake_there.send(b"!")

    def _hear_worker(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_here.recv(4096)
        while True:
            try:
                worker, report = self._reports.get_nowait()
            except thread_queue.Empty:
                return
            if worker is self._worker:
                self._handle_report(worker, report)

    def _handle_report(self, worker: Worker, report: Report | None) -> None:
        running = self._queue.running
        if report is None:
            self._bury(worker)
        elif isinstance(report, Ready):
            self._ready, self._worker_idle = report, True
        elif isinstance(report, protocol.Progress):
            if running is not None and running.job.job == report.job and not running.cancelling:
                running.progress = report
                self._tell(running.listeners, report)
        elif isinstance(report, protocol.Failed) and not report.job:
            self._worker_failed(report)
        else:
            self._worker_idle = True
            if running is not None and running.job.job == report.job:
                self._finish(running, report)

    def _finish(self, entry: Entry, final: protocol.Result | protocol.Failed | protocol.Cancelled) -> None:
        if entry.cancelling:
            final = protocol.Cancelled(final.job)  # it finished before the cancel reached it
        if isinstance(final, protocol.Result):
            final = self._store(entry, final)
        self._end(final)

    def _store(self, entry: Entry, result: protocol.Result) -> protocol.Result:
        try:
            model = entry.job.model or (self._ready.default if self._ready else "")
            self._library.add(result.job, result.motions, model)
        except (OSError, sqlite3.Error, UserError) as error:
            log.error("The library could not keep job %s: %s", result.job, error)
            return protocol.Result(result.job, result.motions, stored=False)
        return result

    def _bury(self, worker: Worker) -> None:
        """The worker is dead: fail its job with the reason, and start another worker.

        A job that it had not begun is not to blame for its death, and goes to the next worker; once only.
        """
        reason = worker.epitaph()
        worker.stop()
        self._worker = None
        log.error("The worker died: %s", reason)
        running = self._queue.running
        message = f"The worker died, probably of memory: {reason}."
        if running is not None:
            if running.progress is None and not running.returned and not running.cancelling:
                self._queue.put_back()
            else:
                failed = protocol.Failed("worker-died", message, WORKER_LOST_ADVICE, running.job.job)
                self._end(protocol.Cancelled(failed.job) if running.cancelling else failed)
            self._start_worker()
        elif self._worker_idle:  # between two jobs: nobody's fault
            self._start_worker()
        else:  # it never got ready: another one would die too, so the next job shall ask for it
            self._fail_waiting("worker-died", message, WORKER_LOST_ADVICE)

    def _worker_failed(self, report: protocol.Failed) -> None:
        """A restarted worker could not load its model."""
        self._stop_worker()
        self._fail_waiting(report.code, report.message, report.advice)

    def _fail_waiting(self, code: str, message: str, advice: str) -> None:
        for job in self._queue.unfinished():
            self._end(protocol.Failed(code, message, advice, job))

    def _dispatch(self) -> None:
        """Give the next job to an idle worker, or make a worker where none is left."""
        if self._worker is None and self._queue.unfinished():
            self._start_worker()
        if self._worker is None or not self._worker_idle:
            return
        entry = self._queue.start_next()
        if entry is not None:
            self._worker_idle = False
            self._worker.order(entry.job)

    def _end(self, final: protocol.Result | protocol.Failed | protocol.Cancelled) -> None:
        entry = self._queue.end(final)
        if entry is not None:
            self._tell(entry.listeners, final)

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

    def _answer(self, client: bytes, request: protocol.Request) -> None:
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

    def _welcome(self, client: bytes, hello: protocol.Hello) -> None:
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
        assert self._ready is not None  # start() waited for it
        self._sessions[client] = time.monotonic()
        self._send(
            client,
            protocol.Welcome(
                server=self.server_id,
                capabilities=self._ready.capabilities,
                models=self._ready.models,
                default=self._ready.default,
                device=self._ready.device,
            ),
        )

    def _do(self, client: bytes, request: protocol.Request) -> None:
        if isinstance(request, protocol.Ping):
            self._send(client, protocol.Pong())
        elif isinstance(request, protocol.Cancel):
            self._cancel(client, request.job)
        elif isinstance(request, protocol.FetchTake):
            self._fetch(client, request.job)
        elif isinstance(request, protocol.ListTakes):
            takes = self._library.newest(request.limit, request.before)
            self._send(client, protocol.Takes(request.job, takes))
        elif isinstance(request, protocol.TextJob | protocol.LiftJob):
            self._submit(client, request)

    def _submit(self, client: bytes, job: protocol.Job) -> None:
        """Take a job in; where its id is known already, tell how it stands instead."""
        entry = self._queue.find(job.job)
        if entry is None:
            end = self._queue.end_of(job.job) or self._stored(job.job)
            if end is not None:
                self._send(client, end)
                return
            self._check(job)
            entry = self._queue.add(job, client)
        entry.listeners.add(client)
        self._send(client, protocol.Accepted(job.job, self._queue.ahead_of(job.job)))
        if entry.progress is not None:
            self._send(client, entry.progress)

    def _check(self, job: protocol.Job) -> None:
        """Refuse by name what this server cannot do."""
        assert self._ready is not None
        protocol.check_job(job)
        if isinstance(job, protocol.LiftJob) and "lift" not in self._ready.capabilities:
            raise UserError("This server cannot lift keypoints.", "Choose another pipeline.", "unsupported")
        name = job.model or self._ready.default
        models = {model.name: model for model in self._ready.models}
        if name not in models:
            raise UserError(
                f"This server has no model named {name!r}.",
                f"It has: {', '.join(sorted(models))}.",
                "unknown-model",
            )
        if isinstance(job, protocol.TextJob) and job.seconds > models[name].max_seconds:
            raise UserError(
                f"The model {name} makes clips of at most {models[name].max_seconds:g} seconds, "
                f"not {job.seconds:g}.",
                "Ask for a shorter clip.",
                "bad-seconds",
            )

    def _cancel(self, client: bytes, job: str) -> None:
        """Stop a job.  One that is not known any more has nothing to stop; one that ended says how."""
        entry = self._queue.find(job)
        if entry is None:
            self._send(client, self._queue.end_of(job) or self._stored(job) or protocol.Cancelled(job))
            return
        entry.listeners.add(client)
        if entry is not self._queue.running:
            self._end(protocol.Cancelled(job))
        elif not entry.cancelling and self._worker is not None:
            entry.cancelling = True
            self._worker.order(protocol.Cancel(job))

    def _fetch(self, client: bytes, job: str) -> None:
        motions = self._library.get(job)
        if motions is None:
            raise UserError("The library has no such take.", "List the takes again.", "no-take")
        self._send(client, protocol.Result(job, motions))

    def _stored(self, job: str) -> protocol.Result | None:
        try:
            motions = self._library.get(job)
        except UserError as error:
            log.warning("A stored take cannot be read, its job runs again: %s", error)
            return None
        return None if motions is None else protocol.Result(job, motions)

    def _tell(self, clients: set[bytes], message: protocol.Event) -> None:
        for client in clients & self._sessions.keys():
            self._send(client, message)

    def _send(self, client: bytes, message: protocol.Event) -> None:
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
