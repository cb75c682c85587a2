# SPDX-License-Identifier: Apache-2.0
"""The worker process as the server sees it: start it, give it orders, hear its reports, notice its death."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable

import msgspec

from .. import protocol
from . import worker_process
from .worker_process import Report, pack, unpack

STOP_SECONDS = 5.0


class Worker:
    """One worker process.

    ``hear(worker, report)`` is called from a thread of the worker's own for each report, and once with None
    when the process has ended.
    """

    def __init__(
        self, pipeline: str, model: str, device: str, hear: Callable[[Worker, Report | None], None]
    ) -> None:
        self._hear = hear
        context = multiprocessing.get_context("spawn")  # a fork of a process with ZeroMQ threads is unsafe
        self._link, theirs = context.Pipe()
        self._process = context.Process(
            target=worker_process.main,
            args=(theirs, pipeline, model, device),
            name="videomdm-worker",
            daemon=True,
        )
        self._process.start()
        theirs.close()  # so that the pipe ends when the worker does
        self._listener = threading.Thread(target=self._listen, name="videomdm-worker-link", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid or 0

    def order(self, message: worker_process.Order) -> None:
        """Send a job or a Cancel.  A dead worker takes no orders; its death is reported."""
        try:
            self._link.send_bytes(pack(message))
        except OSError:
            return

    def stop(self) -> None:
        """End the process, at the latest after ``2 * STOP_SECONDS``."""
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(STOP_SECONDS)
        self._listener.join(STOP_SECONDS)
        self._link.close()

    def epitaph(self) -> str:
        """Why the process ended, in words."""
        self._process.join(STOP_SECONDS)
        code = self._process.exitcode
        if code is None:
            return "it closed its pipe"
        if code >= 0:
            return f"it ended with exit status {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"it was killed by {name}"

    def _listen(self) -> None:
        while True:
            try:
                report = unpack(self._link.recv_bytes(), Report)
            except (EOFError, OSError):
                break
            except (protocol.ProtocolError, msgspec.MsgspecError):
                self._process.kill()  # a worker that stammers cannot be trusted with the next job
                break
            self._hear(self, report)
        self._hear(self, None)
