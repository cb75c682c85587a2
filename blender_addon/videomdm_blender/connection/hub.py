# SPDX-License-Identifier: GPL-3.0-or-later
"""The one session of this Blender, and the timer that hands its events to Blender's main thread.

With a window the timer calls :func:`pump`; in ``--background`` nothing runs timers, and :func:`wait` pumps
instead.  Both run the same code.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from videomdm.connection import Connection
from videomdm.errors import UserError

from .backend import LocalBackend
from .session import Ended, Event, Phase, Session, Status

log = logging.getLogger(__name__)

BUDGET_SECONDS = 0.01  # for events in one tick of the timer
BUSY_SECONDS, IDLE_SECONDS = 0.1, 0.5  # between two ticks

Listener = Callable[[Event], None]


class Hub:
    """Who is connected, and who listens.

    listeners hear every event of the session on the main thread.  chores are called at every tick and say
    whether they still have something to do.
    """

    def __init__(self) -> None:
        self.session: Session | None = None
        self.listeners: list[Listener] = []
        self.chores: list[Callable[[], bool]] = []
        self.last_error: UserError | None = None  # why the last session ended
        self.heard = 0  # events so far
        self._shown: object = None

    @property
    def status(self) -> Status:
        """How the connection stands now; cheap enough for ``draw()``."""
        if self.session is not None:
            return self.session.status
        return Status(Phase.FAILED, self.last_error) if self.last_error else Status()


hub = Hub()


def connect(target: Path | Connection, *, curve_dir: Path | None = None) -> Session:
    """Connect to a backend that runs already; UserError where it may not be reached."""
    return _adopt(lambda: Session(target, curve_dir=curve_dir, may_leave=bool(bpy.app.online_access)))


def start_backend(command: list[str], connection_file: Path, log_file: Path) -> Session:
    """Start a backend on this computer and connect to it; UserError where that is impossible."""
    return _adopt(
        lambda: Session(
            connection_file,
            backend=LocalBackend(command, connection_file, log_file),
            may_leave=bool(bpy.app.online_access),
        )
    )


def disconnect(*, wait: bool = False) -> None:
    """Hang up; a backend that Blender started is stopped.  The Ended event follows."""
    hub.last_error = None
    if hub.session is not None:
        hub.session.stop(wait=wait)


def pump(budget: float = BUDGET_SECONDS) -> bool:
    """Hand waiting events to the listeners, for ``budget`` seconds at most; says whether work is left."""
    deadline = time.monotonic() + budget
    session = hub.session
    busy = False
    while session is not None and time.monotonic() < deadline:
        try:
            event = session.events.get_nowait()
        except queue.Empty:
            break
        if isinstance(event, Ended) and session is hub.session:
            hub.session, hub.last_error = None, event.error
        hub.heard += 1
        for listener in tuple(hub.listeners):
            listener(event)
    for chore in tuple(hub.chores):
        busy = chore() or busy
    return busy


def wait(until: Callable[[], bool], timeout: float) -> bool:
    """Pump until ``until()`` holds; False after ``timeout`` seconds.  For scripts and ``--background``."""
    deadline = time.monotonic() + timeout
    while not until():
        if time.monotonic() >= deadline:
            return False
        pump(BUDGET_SECONDS)
        time.sleep(0.01)
    return True


def install() -> None:
    """Start the timer (it does nothing in ``--background``)."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=IDLE_SECONDS, persistent=True)


def remove() -> None:
    """Stop the timer, hang up and wait until the thread, and a backend of ours, have ended."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    disconnect(wait=True)
    hub.session = None
    hub.listeners.clear()
    hub.chores.clear()


def redraw() -> None:
    """Let the sidebars of all 3D views draw themselves again."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def _tick() -> float:
    try:
        busy = pump()
    except Exception:  # a timer that raises is never called again
        log.exception("An event of the backend could not be handled")
        busy = True
    shown = (hub.status, hub.session is not None, busy, hub.heard)  # the end of the last job is shown, too
    if busy or shown != hub._shown:
        hub._shown = shown
        redraw()
    return BUSY_SECONDS if busy or (hub.session is not None and hub.status.live) else IDLE_SECONDS


def _adopt(make: Callable[[], Session]) -> Session:
    if hub.session is not None:
        advice = "Disconnect first." if hub.status.live else "It is about to end: try again in a moment."
        raise UserError("There is a connection already.", advice, "connected")
    hub.session, hub.last_error = make(), None
    return hub.session
