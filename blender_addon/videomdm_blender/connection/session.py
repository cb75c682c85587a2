# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread that keeps the line to one backend, so that Blender never waits for a socket.

Nothing here touches bpy.  Blender's side submits and cancels from the main thread, reads ``status``, which is
replaced as a whole, and takes what happened from ``events``.
"""

from __future__ import annotations

import ipaddress
import logging
import queue
import threading
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from videomdm import client as wire
from videomdm import protocol
from videomdm.connection import Connection, read_connection
from videomdm.errors import UserError

from .backend import LocalBackend

log = logging.getLogger(__name__)

TURN_SECONDS = 0.2
JOIN_SECONDS = 3.0


class Phase(Enum):
    """How Blender stands with the backend; the values are what the panel says."""

    OFF = "Not connected"
    STARTING = "The backend is starting"
    CONNECTING = "Connecting"
    READY = "Connected"
    LOST = "Connection lost, trying again"
    REFUSED = "The backend refused the connection"
    STOPPING = "The backend is stopping"
    FAILED = "No backend"


@dataclass(frozen=True)
class Status:
    """What the panel shows of the connection.

    error:   why the phase is what it is, for LOST, REFUSED and FAILED.
    welcome: what the backend said of itself, once it has answered.
    local:   whether Blender started the backend and may stop it.
    """

    phase: Phase = Phase.OFF
    error: UserError | None = None
    welcome: protocol.Welcome | None = None
    local: bool = False

    @property
    def live(self) -> bool:
        """Whether there is, or may soon be, somebody to talk to."""
        return self.phase not in (Phase.OFF, Phase.FAILED, Phase.STOPPING)


@dataclass(frozen=True)
class Ended:
    """The session is over: by :meth:`Session.stop` (no error), or because the backend died."""

    error: UserError | None = None


Event = wire.Event | Ended


class Session:
    """One connection, from the start of its thread until :meth:`stop` or the death of the local backend.

    target:     connection file, or address and token.
    backend:    the backend that Blender started, if it did; the session owns it and stops it.
    may_leave:  whether addresses outside this computer are allowed (Blender's online access).
    """

    def __init__(
        self,
        target: Path | Connection,
        *,
        backend: LocalBackend | None = None,
        curve_dir: Path | None = None,
        may_leave: bool = True,
    ) -> None:
        self._target = target
        self.backend = backend
        self._may_leave = may_leave
        if backend is None:
            self._check_address()
        phase = Phase.CONNECTING if backend is None else Phase.STARTING
        self.status = Status(phase, local=backend is not None)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._client = wire.Client(target, curve_dir)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="videomdm-session", daemon=True)
        self._thread.start()

    def submit(self, job: protocol.Job) -> str:
        """Ask for a job; returns its id.  UserError where its values cannot be used."""
        return self._client.submit(job)

    def cancel(self, job_id: str) -> None:
        """Stop a job before its next denoising step."""
        self._client.cancel(job_id)

    def fetch(self, job_id: str) -> None:
        """Ask for the takes of a job in the backend's library; they come as the job's Result."""
        self._client.fetch(job_id)

    def list_takes(self, limit: int) -> str:
        """Ask for the newest takes of the library; they come as Takes with the id that is returned."""
        return self._client.list_takes(limit)

    def stop(self, *, wait: bool = True) -> None:
        """Hang up, and stop the backend that Blender started.  ``wait`` for both, or let the thread do it."""
        self.status = replace(self.status, phase=Phase.STOPPING if self.backend else Phase.OFF, error=None)
        self._stop.set()
        if wait and self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS if self.backend is None else None)

    # --- in the thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        error: UserError | None = None
        try:
            while not self._stop.is_set():
                self._turn()
        except UserError as caught:
            error = caught
        except Exception as caught:
            log.exception("The connection to the backend broke")
            error = UserError(f"The connection broke: {caught}.", "Connect again.", "internal")
        finally:
            self._client.close()
            if self.backend is not None:
                self.backend.stop()
            phase = Phase.OFF if error is None else Phase.FAILED
            self.status = Status(phase, error)
            self.events.put(Ended(error))

    def _turn(self) -> None:
        for event in self._client.events(TURN_SECONDS):
            if isinstance(event, wire.StateChanged):
                self._note(event)
            self.events.put(event)
        if self.backend is not None and (death := self.backend.death()) is not None:
            raise death

    def _note(self, change: wire.StateChanged) -> None:
        if change.state is wire.State.READY:
            self._check_address()
            phase = Phase.READY
        elif change.state is wire.State.CONNECTING and self.backend is not None:
            return  # it has not written its connection file yet
        else:
            phase = {
                wire.State.CONNECTING: Phase.CONNECTING,
                wire.State.LOST: Phase.LOST,
                wire.State.REFUSED: Phase.REFUSED,
            }.get(change.state, self.status.phase)
        if not self._stop.is_set():
            self.status = replace(self.status, phase=phase, error=change.error, welcome=self._client.hello)

    def _check_address(self) -> None:
        """UserError where the backend is on another computer and Blender is told to stay offline."""
        if self._may_leave:
            return
        found = self._target if isinstance(self._target, Connection) else read_connection(self._target)
        if not is_loopback(found.address):
            raise UserError(
                f"The backend {found.address} is on another computer, and Blender is offline.",
                'Switch "Allow Online Access" on in Preferences > System, or use a backend on this computer.',
                "offline",
            )


def is_loopback(address: str) -> bool:
    """Whether a ZeroMQ address stays on this computer."""
    scheme, _, rest = address.partition("://")
    if scheme in ("ipc", "inproc"):
        return True
    host = rest.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
