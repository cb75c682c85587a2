# SPDX-License-Identifier: Apache-2.0
"""Jobs as a client sees them: asked for, heard of, cancelled, and asked for again when the connection was lost.

A :class:`Client` opens no thread of its own: everything happens inside :meth:`Client.events`, which one thread
calls in a loop.  ``submit``, ``cancel``, ``fetch`` and ``list_takes`` may be called from any thread; they take
effect at the next ``events``.

A client that has found its server again asks again for every job that has not ended.  The server runs a job id
once, so this is safe: it tells how the job stands, sends its stored result, or, when it is another run of the
server that has never heard of the job, runs it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import protocol
from ..connection import Connection, default_connection_file, is_gone, read_connection
from ..errors import Cancelled, UserError
from ..motion.clip import Motion
from .link import Link, State, why_silent

SLICE_SECONDS = 0.05  # how late a call from another thread may take effect


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
        self._link = Link(
            target if isinstance(target, Connection) else Path(target or default_connection_file()),
            None if curve_dir is None else Path(curve_dir),
            self._changed,
            self._heard,
        )
        self._lock = threading.Lock()  # guards _in_flight and _outbox
        self._in_flight: dict[str, _InFlight] = {}
        self._outbox: deque[list[bytes]] = deque()
        self._inbox: deque[Event] = deque()

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
            raise why_silent(found)
        client = cls(target, curve_dir)
        try:
            deadline = time.monotonic() + timeout
            while client.state is not State.READY:
                if client.error is not None and client.error.code != "no-server":
                    raise client.error  # waiting does not help
                if time.monotonic() >= deadline:
                    raise client.error or why_silent(found)
                client._turn(SLICE_SECONDS)
            client._inbox.clear()
        except BaseException:
            client.close()
            raise
        return client

    @property
    def state(self) -> State:
        """How the client stands with its server."""
        return self._link.state

    @property
    def error(self) -> UserError | None:
        """Why the server is not there, None where it is."""
        return self._link.error

    @property
    def hello(self) -> protocol.Welcome | None:
        """What the server said of itself when it last answered, None before."""
        return self._link.hello

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up.  Jobs that were submitted go on; their takes stay in the server's library."""
        self._link.close()

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
        """Send what waits, and let the link receive for ``wait`` seconds at most."""
        if self.state is State.CLOSED:
            raise UserError("The client is closed.", "Connect again.", "closed")
        if self.state is State.READY:
            with self._lock:
                waiting, self._outbox = self._outbox, deque()
            for frames in waiting:
                self._link.send(frames)
        self._link.turn(wait)

    def _changed(self, state: State, error: UserError | None, restarted: bool) -> None:
        if state is not State.READY:
            self._inbox.append(StateChanged(state, error))
            return
        with self._lock:
            fresh = {id(frames) for frames in self._outbox}
            in_flight = dict(self._in_flight)
            self._outbox.clear()
        resumed = tuple(job for job, waiting in in_flight.items() if id(waiting.frames) not in fresh)
        self._inbox.append(StateChanged(State.READY, restarted=restarted, resumed=resumed))
        for job, waiting in in_flight.items():
            again = protocol.encode(protocol.Cancel(job)) if waiting.cancelling else waiting.frames
            self._link.send(again)

    def _heard(self, event: protocol.Event) -> None:
        """Pass on what belongs to a job that is waited for, or to none.  Anything else is late, and dropped."""
        assert isinstance(event, JobEvent), event  # the link keeps the others
        if not event.job:
            self._inbox.append(event)
            return
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
