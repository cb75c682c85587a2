# SPDX-License-Identifier: Apache-2.0
"""Talk to a videomdm server: submit jobs, hear of their progress, fetch takes.

Importing this module loads neither torch nor bpy.  A :class:`Client` opens no thread of its own: everything
happens inside :meth:`Client.events`, which one thread calls in a loop.  ``submit``, ``cancel``, ``fetch`` and
``list_takes`` may be called from any thread; they take effect at the next ``events``.

A client that loses its server (three heartbeats of one second without an answer) connects again after 1, 2,
4 ... 32 seconds, or as soon as a server writes a new connection file, and asks again for every job that has
not ended.  The server runs a job id once, so this is safe: it tells how the job stands, sends its stored
result, or, when it is another run of the server that has never heard of the job, runs it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import zmq

from . import protocol
from .connection import Connection, default_connection_file, is_gone, read_connection
from .errors import Cancelled, UserError
from .motion.clip import Motion

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 32.0
SILENCE_SECONDS = protocol.HEARTBEAT_SECONDS * protocol.LIVENESS
SLICE_SECONDS = 0.05  # how late a call from another thread may take effect
FILE_CHECK_SECONDS = 0.25


class State(Enum):
    """How a client stands with its server."""

    CONNECTING = "connecting"  # no answer yet since the start
    READY = "ready"
    LOST = "lost"  # it was there; trying again
    REFUSED = "refused"  # it answers, but not to us: token or version; trying again
    CLOSED = "closed"


@dataclass(frozen=True)
class StateChanged:
    """The client's state is another one.

    error:     why, for LOST and REFUSED.
    restarted: READY with another run of the server than before.
    resumed:   ids of the jobs that were in flight and have been asked for again.
    """

    state: State
    error: UserError | None = None
    restarted: bool = False
    resumed: tuple[str, ...] = ()


JobEvent = (
    protocol.Accepted
    | protocol.Progress
    | protocol.Result
    | protocol.Failed
    | protocol.Cancelled
    | protocol.Takes
)
Event = JobEvent | StateChanged
Final = protocol.Result | protocol.Failed | protocol.Cancelled | protocol.Takes


@dataclass
class _InFlight:
    """A request that has not been answered to the end."""

    frames: list[bytes]
    cancelling: bool = False


class Client:
    """One connection to a server, kept up until :meth:`close`.

    target:     a connection file, which is read again at each attempt to connect, or a :class:`Connection`.
    curve_dir:  folder with ``server.key`` and ``client.key_secret``, for a server that wants encryption.

    The constructor returns at once; :meth:`connect` waits until the server has answered.
    """

    def __init__(
        self, target: Path | str | Connection | None = None, curve_dir: Path | str | None = None
    ) -> None:
        self._target = target if isinstance(target, Connection) else Path(target or default_connection_file())
        self._curve_dir = None if curve_dir is None else Path(curve_dir)
        self.state = State.CONNECTING
        self.error: UserError | None = None
        self.hello: protocol.Welcome | None = None
        self._context = zmq.Context()
        self._socket: zmq.Socket | None = None
        self._lock = threading.Lock()  # guards _in_flight and _outbox
        self._in_flight: dict[str, _InFlight] = {}
        self._outbox: deque[list[bytes]] = deque()
        self._inbox: deque[Event] = deque()
        self._delay = FIRST_DELAY_SECONDS
        self._retry_at = 0.0
        self._sent_at = 0.0
        self._asked_at: float | None = None  # when the oldest message without an answer since was sent
        self._file_seen: tuple[int, int] | None = None
        self._file_due = 0.0

    @classmethod
    def connect(
        cls,
        connection_file: Path | str | None = None,
        *,
        address: str = "",
        token: str = "",
        curve_dir: Path | str | None = None,
        timeout: float = 10.0,
    ) -> Client:
        """A client whose server has answered.

        By default the server of this user's connection file; else that of ``connection_file``, or of
        ``address`` ("tcp://127.0.0.1:43127") and ``token``.  UserError where there is none (code "no-server",
        "server-died") or it refuses ("wrong-token", "wrong-version", "needs-curve", "too-many-clients").
        """
        target = Connection(address, token) if address else Path(connection_file or default_connection_file())
        found = target if isinstance(target, Connection) else read_connection(target)
        if is_gone(found):
            raise _died(found)
        client = cls(target, curve_dir)
        try:
            deadline = time.monotonic() + timeout
            while client.state is not State.READY:
                if client.error is not None and client.error.code != "no-server":
                    raise client.error  # waiting does not help
                if time.monotonic() >= deadline:
                    raise client.error or _silent(found)
                client._turn(SLICE_SECONDS)
            client._inbox.clear()
        except BaseException:
            client.close()
            raise
        return client

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up.  Jobs that were submitted go on; their takes stay in the server's library."""
        self._hang_up()
        self._context.term()
        self.state = State.CLOSED

    # --- requests -----------------------------------------------------------------------------------------

    def submit(self, job: protocol.Job) -> str:
        """Ask for a job; returns its id.  UserError at once where its values cannot be used."""
        protocol.check_job(job)
        return self._ask(job)

    def fetch(self, job_id: str) -> str:
        """Ask for a take of the server's library; it comes as Result (or Failed) with this id."""
        return self._ask(protocol.FetchTake(job_id))

    def list_takes(self, limit: int = 100, before: float | None = None) -> str:
        """Ask for the newest takes; they come as Takes with the id that is returned."""
        return self._ask(protocol.ListTakes(limit, before))

    def cancel(self, job_id: str) -> None:
        """Stop a job.  It ends with Cancelled, whatever may still arrive, or Failed if that came first."""
        with self._lock:
            waiting = self._in_flight.get(job_id)
            if waiting is None:
                return
            waiting.cancelling = True
            self._outbox.append(protocol.encode(protocol.Cancel(job_id)))

    def _ask(self, request: protocol.Job | protocol.FetchTake | protocol.ListTakes) -> str:
        frames = protocol.encode(request)
        with self._lock:
            if request.job not in self._in_flight:
                self._in_flight[request.job] = _InFlight(frames)
                self._outbox.append(frames)
        return request.job

    def generate(
        self,
        job: protocol.Job,
        on_event: Callable[[Event], None] | None = None,
        timeout: float | None = None,
    ) -> list[Motion]:
        """Submit a job and wait for its takes.

        ``on_event`` hears of everything that happens meanwhile to this job and to the connection.  Raises
        UserError where the job fails or ``timeout`` seconds pass, ``errors.Cancelled`` where it is cancelled.
        The job is cancelled when the wait ends early: by a timeout, an exception from ``on_event``, Ctrl-C.
        Events of other jobs are kept for :meth:`events`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        self.submit(job)
        try:
            while True:
                if deadline is not None and time.monotonic() >= deadline:
                    raise UserError(
                        f"The job did not end within {timeout:g} seconds.",
                        "Give it more time, or ask for less.",
                        "timeout",
                    )
                for event in self._events_of(job.job):
                    if on_event is not None:
                        on_event(event)
                    if isinstance(event, protocol.Result):
                        return event.motions
                    if isinstance(event, protocol.Failed):
                        raise event.error()
                    if isinstance(event, protocol.Cancelled):
                        raise Cancelled
        finally:
            self._abandon(job.job)

    def _events_of(self, job_id: str) -> list[Event]:
        """One turn; the new events of this job and of the connection.  The others stay in the inbox."""
        self._turn(SLICE_SECONDS)
        events, self._inbox = self._inbox, deque()
        mine = []
        for event in events:
            if isinstance(event, StateChanged) or event.job in (job_id, ""):
                mine.append(event)
            else:
                self._inbox.append(event)
        return mine

    def _abandon(self, job_id: str) -> None:
        """Cancel a job if it has not ended, and let the Cancel leave; nobody waits for its end."""
        with self._lock:
            ended = job_id not in self._in_flight
        if not ended:
            self.cancel(job_id)
            self._turn(0.0)
            with self._lock:
                self._in_flight.pop(job_id, None)

    # --- events -------------------------------------------------------------------------------------------

    def events(self, timeout: float = 0.0) -> list[Event]:
        """What has happened since the last call; waits up to ``timeout`` seconds for the first event.

        Call it at least once a second: this is where messages are sent and received, where heartbeats and
        reconnecting happen.  A longer pause does no harm, but nothing moves meanwhile.
        """
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            self._turn(min(max(left, 0.0), SLICE_SECONDS))
            if self._inbox or left <= 0:
                events, self._inbox = self._inbox, deque()
                return list(events)

    def _turn(self, wait: float) -> None:
        """Connect if need be, send what waits, receive for ``wait`` seconds at most, notice silence."""
        if self.state is State.CLOSED:
            raise UserError("The client is closed.", "Connect again.", "closed")
        if self._socket is None and not self._connect_again():
            time.sleep(wait)
            return
        if self.state is State.READY:
            self._send_waiting()
        self._receive(wait)
        if self._asked_at is not None and time.monotonic() - self._asked_at > SILENCE_SECONDS:
            self._lose(State.LOST if self.hello else State.CONNECTING, self._why_silent())

    def _send_waiting(self) -> None:
        with self._lock:
            waiting, self._outbox = self._outbox, deque()
        for frames in waiting:
            self._send(frames)
        if time.monotonic() - self._sent_at >= protocol.HEARTBEAT_SECONDS:
            self._send(protocol.encode(protocol.Ping()))

    def _send(self, frames: list[bytes]) -> None:
        """Send without waiting.  What does not leave is asked for again after the next Welcome."""
        if self._socket is None:
            return
        now = time.monotonic()
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            self._lose(State.LOST, self._why_silent())
            return
        self._sent_at = now
        if self._asked_at is None:
            self._asked_at = now

    def _receive(self, wait: float) -> None:
        if self._socket is None or not self._socket.poll(int(wait * 1000)):
            return
        while self._socket is not None:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._asked_at = None  # any traffic counts
            try:
                self._handle(protocol.decode(frames, protocol.Event))
            except protocol.ProtocolError as error:
                self._handle_unreadable(error)

    def _handle(self, message: protocol.Event) -> None:
        if isinstance(message, protocol.Welcome):
            self._welcome(message)
        elif isinstance(message, protocol.Failed) and not message.job:
            self._handle_refusal(message)
        elif not isinstance(message, protocol.Pong):
            self._handle_job_event(message)

    def _handle_job_event(self, event: JobEvent) -> None:
        """Pass on what belongs to a job that is waited for.  Anything else is late, and dropped."""
        final = isinstance(event, Final)
        with self._lock:
            waiting = self._in_flight.get(event.job)
            if waiting is None:
                return
            if final:
                del self._in_flight[event.job]
        if waiting.cancelling:
            if isinstance(event, protocol.Result):
                event = protocol.Cancelled(event.job)  # it was faster than the cancel
            elif not final:
                return
        self._inbox.append(event)

    def _handle_refusal(self, failed: protocol.Failed) -> None:
        if failed.code == "no-session":  # the server was restarted at this address, or has forgotten us
            self._hang_up()
            self.state, self._retry_at = State.CONNECTING, 0.0
        elif failed.code in ("wrong-token", "wrong-version", "too-many-clients"):
            self._lose(State.REFUSED, failed.error())
        else:
            self._inbox.append(failed)

    def _handle_unreadable(self, error: protocol.ProtocolError) -> None:
        if self.state is not State.READY:
            self._lose(State.REFUSED, error)
            return
        failed = protocol.Failed.of(error, error.job)
        if error.job:
            self._handle_job_event(failed)
        else:
            self._inbox.append(failed)

    # --- connection ---------------------------------------------------------------------------------------

    def _connect_again(self) -> bool:
        """Open a socket and say Hello, if it is time; False where it is not."""
        now = time.monotonic()
        if now < self._retry_at and not self._file_is_new(now):
            return False
        try:
            found = self._target if isinstance(self._target, Connection) else self._read_file()
            self._socket = self._open(found)
        except UserError as error:
            self._lose(self.state, error)
            return False
        self._send(protocol.encode(protocol.Hello(found.token)))
        return True

    def _read_file(self) -> Connection:
        assert isinstance(self._target, Path)
        self._file_seen = _stamp(self._target)
        return read_connection(self._target)

    def _file_is_new(self, now: float) -> bool:
        """Whether a server has written the connection file since it was read: no need to wait then."""
        if isinstance(self._target, Connection) or now < self._file_due:
            return False
        self._file_due = now + FILE_CHECK_SECONDS
        stamp = _stamp(self._target)
        if stamp is None or stamp == self._file_seen:
            return False
        self._delay = FIRST_DELAY_SECONDS
        return True

    def _open(self, found: Connection) -> zmq.Socket:
        dealer = self._context.socket(zmq.DEALER)
        dealer.linger = 0
        dealer.set(zmq.MAXMSGSIZE, protocol.MAX_FRAME_BYTES)
        if "[" in found.address:
            dealer.set(zmq.IPV6, 1)
        try:
            if self._curve_dir is not None:
                _encrypt(dealer, self._curve_dir)
            elif found.curve:
                raise UserError(
                    "The server accepts encrypted connections only.",
                    "Name the folder with server.key and client.key_secret (--curve-dir).",
                    "needs-curve",
                )
            dealer.connect(found.address)
        except zmq.ZMQError as error:
            dealer.close()
            raise UserError(
                f"The address {found.address!r} cannot be used ({error}).",
                'An address reads like "tcp://127.0.0.1:43127".',
                "bad-address",
            ) from error
        except UserError:
            dealer.close()
            raise
        return dealer

    def _welcome(self, welcome: protocol.Welcome) -> None:
        restarted = self.hello is not None and self.hello.server != welcome.server
        self.hello, self.error = welcome, None
        self._delay = FIRST_DELAY_SECONDS
        self.state = State.READY
        with self._lock:
            fresh = {id(frames) for frames in self._outbox}
            in_flight = dict(self._in_flight)
            self._outbox.clear()
        resumed = tuple(job for job, waiting in in_flight.items() if id(waiting.frames) not in fresh)
        self._inbox.append(StateChanged(State.READY, restarted=restarted, resumed=resumed))
        for job, waiting in in_flight.items():
            self._send(protocol.encode(protocol.Cancel(job)) if waiting.cancelling else waiting.frames)

    def _lose(self, state: State, error: UserError) -> None:
        """Hang up, and try again later."""
        self._hang_up()
        self._retry_at = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)
        changed = state is not self.state or self.error is None
        self.state, self.error = state, error
        if changed:
            self._inbox.append(StateChanged(state, error))

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._asked_at = None

    def _why_silent(self) -> UserError:
        try:
            found = self._target if isinstance(self._target, Connection) else read_connection(self._target)
        except UserError as error:
            return error
        return _died(found) if is_gone(found) else _silent(found)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _encrypt(dealer: zmq.Socket, folder: Path) -> None:
    """Set up CURVE with the keys in ``folder``."""
    from zmq.auth import load_certificate  # loads asyncio: only those who encrypt wait for it

    try:
        dealer.curve_serverkey, _ = load_certificate(folder / "server.key")
        dealer.curve_publickey, secret = load_certificate(folder / "client.key_secret")
    except (OSError, ValueError) as error:
        raise UserError(
            f"The CURVE keys in {folder} cannot be read ({error}).",
            "It needs server.key and client.key_secret, as `videomdm serve --curve-dir` makes them.",
            "bad-keys",
        ) from error
    dealer.curve_secretkey = secret


def _died(found: Connection) -> UserError:
    return UserError(
        f"The videomdm server (process {found.pid}) has died, perhaps of memory.",
        "Start it again with `videomdm serve`; its log tells more.",
        "server-died",
    )


def _silent(found: Connection) -> UserError:
    return UserError(
        f"No videomdm server answers at {found.address}.",
        "Start one with `videomdm serve`, or wait until it has loaded its model.",
        "no-server",
    )
