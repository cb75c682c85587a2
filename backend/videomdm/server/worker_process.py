# SPDX-License-Identifier: Apache-2.0
"""What runs inside the worker process: one job after the other, every step reported.

This is the only place of the server where torch is loaded.  Parent and worker exchange messages of
``videomdm.protocol`` over a pipe; nothing is pickled.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from .. import protocol
from ..errors import Cancelled, UserError
from ..motion.clip import Motion
from .engine import Engine, Ready

log = logging.getLogger(__name__)

PREVIEW_SECONDS = 0.4  # previews are sent no more often

Order = protocol.TextJob | protocol.LiftJob | protocol.Cancel
Report = Ready | protocol.Progress | protocol.Result | protocol.Failed | protocol.Cancelled


def pack(message: protocol.Message) -> bytes:
    """A message as one string of bytes, for a pipe."""
    return msgspec.msgpack.encode(protocol.encode(message))


def unpack(data: bytes, kinds: Any) -> Any:
    """The message that :func:`pack` made."""
    return protocol.decode(msgspec.msgpack.decode(data, type=list[bytes]), kinds)


def main(link: Connection, pipeline: str, model: str, device: str) -> None:
    """Entry point of the process.  Ends when the pipe closes or the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # the parent has closed the pipe
        try:
            engine = Engine(pipeline, model, device)
            ready = engine.ready()
        except Exception as error:
            link.send_bytes(pack(_failure(error, "")))
            return
        link.send_bytes(pack(ready))
        while True:
            order = unpack(link.recv_bytes(), Order)
            if not isinstance(order, protocol.Cancel):  # a Cancel here is late: its job is over
                link.send_bytes(_run(engine, order, link))


class _Reporter:
    """The pipeline's progress callback: tells the parent, and hears from it whether to stop."""

    def __init__(self, job: str, link: Connection) -> None:
        self._job = job
        self._link = link
        self._preview_due = time.monotonic() + PREVIEW_SECONDS

    def __call__(self, fraction: float, stage: str, preview: Motion | None = None) -> None:
        while self._link.poll():
            order = unpack(self._link.recv_bytes(), Order)
            if isinstance(order, protocol.Cancel) and order.job == self._job:
                raise Cancelled
        now = time.monotonic()
        if preview is not None and now < self._preview_due:
            preview = None
        if preview is not None:
            self._preview_due = now + PREVIEW_SECONDS
        fraction = min(max(float(fraction), 0.0), 1.0)
        self._link.send_bytes(pack(protocol.Progress(self._job, fraction, stage, preview)))


def _run(engine: Engine, job: protocol.Job, link: Connection) -> bytes:
    """Run one job; the packed message that ends it."""
    try:
        progress = _Reporter(job.job, link)
        progress(0.0, "starting")
        motions = engine.run(job, progress)
        if not motions:
            raise RuntimeError("it made no motion")
        return pack(protocol.Result(job.job, motions))
    except Cancelled:
        return pack(protocol.Cancelled(job.job))
    except Exception as error:
        return pack(_failure(error, job.job))


def _failure(error: Exception, job: str) -> protocol.Failed:
    """The message for what a pipeline raised."""
    if isinstance(error, UserError):
        return protocol.Failed.of(error, job)
    if isinstance(error, ImportError):
        return protocol.Failed(
            "not-installed",
            f"The model cannot run: {str(error)[:300]}.",
            "Install the backend: pip install 'videomdm[backend]'.",
            job,
        )
    log.error("The worker could not do its work", exc_info=error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return protocol.Failed(
            "out-of-memory",
            f"The memory was not enough ({str(error)[:300]}).",
            "Ask for a shorter clip, fewer samples, or close other programs.",
            job,
        )
    return protocol.Failed(
        "internal",
        f"The model failed: {type(error).__name__}: {str(error)[:1000]}.",
        "The server's log has the details; try again, or report it.",
        job,
    )


def _exit_with_parent() -> None:
    """Leave no orphan: when the server dies, however it dies, the worker goes at once."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
