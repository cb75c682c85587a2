# SPDX-License-Identifier: Apache-2.0
"""Jobs from their acceptance to their end: the queue, the worker that runs them, the library that keeps them.

Who listens to a job hears of it through ``tell``; who that is, is the business of ``server.Server``.
"""

from __future__ import annotations

import contextlib
import logging
import queue as thread_queue
import threading
from collections.abc import Callable

from .. import protocol
from ..errors import UserError
from .library import Library
from .queue import Entry, Final, Queue
from .worker_process import Ready, Report
from .workers import Worker

log = logging.getLogger(__name__)

WORKER_LOST_ADVICE = "Ask for a shorter clip or fewer samples, or close other programs, and try again."

Client = bytes  # a ZeroMQ routing id


class Jobs:
    """What one worker does, one job after the other.

    new_worker: starts a worker that reports to the function it is given.
    tell:       sends a message to those of the clients that are still there.
    wake:       makes the server's loop call :meth:`hear_worker` soon; called from the worker's thread.

    Everything but ``wake`` happens in the server's thread.
    """

    def __init__(
        self,
        library: Library,
        waiting: int,
        new_worker: Callable[[Callable[[Worker, Report | None], None]], Worker],
        tell: Callable[[set[Client], protocol.Event], None],
        wake: Callable[[], None],
    ) -> None:
        self._library = library
        self._queue = Queue(waiting)
        self._new_worker = new_worker
        self._tell = tell
        self._wake = wake
        self._reports: thread_queue.SimpleQueue[tuple[Worker, Report | None]] = thread_queue.SimpleQueue()
        self._worker: Worker | None = None
        self._worker_idle = False
        self._ready: Ready | None = None

    @property
    def ready(self) -> Ready:
        """What the worker can do: the last one's word while it is replaced."""
        assert self._ready is not None, "start() has not returned"
        return self._ready

    # --- life ---------------------------------------------------------------------------------------------

    def start(self, stopping: threading.Event) -> None:
        """Start the worker and wait until it has loaded its model, or until ``stopping``.

        UserError where the model cannot be loaded.
        """
        self._start_worker()
        while not stopping.is_set():
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

    def turn(self) -> None:
        """Hear what the worker has to say, and give it what it can do next."""
        self._hear_worker()
        self._dispatch()

    def fail_unfinished(self, code: str, message: str, advice: str) -> None:
        """End all jobs that run or wait."""
        for job in self._queue.unfinished():
            self._end(protocol.Failed(code, message, advice, job))

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    # --- what clients ask for -----------------------------------------------------------------------------

    def submit(self, client: Client, job: protocol.Job) -> None:
        """Take a job in; where its id is known already, tell how it stands instead.

        UserError where this server cannot do it, or too many wait.
        """
        entry = self._queue.find(job.job)
        if entry is None:
            end = self._queue.end_of(job.job) or self._stored(job.job)
            if end is not None:
                self._tell({client}, end)
                return
            self._check(job)
            entry = self._queue.add(job, client)
        entry.listeners.add(client)
        self._tell({client}, protocol.Accepted(job.job, self._queue.ahead_of(job.job)))
        if entry.progress is not None:
            self._tell({client}, entry.progress)

    def cancel(self, client: Client, job: str) -> None:
        """Stop a job.  One that is not known any more has nothing to stop; one that ended says how."""
        entry = self._queue.find(job)
        if entry is None:
            end = self._queue.end_of(job) or self._stored(job) or protocol.Cancelled(job)
            self._tell({client}, end)
            return
        entry.listeners.add(client)
        if entry is not self._queue.running:
            self._end(protocol.Cancelled(job))
        elif not entry.cancelling and self._worker is not None:
            entry.cancelling = True
            self._worker.order(protocol.Cancel(job))

    def fetch(self, client: Client, job: str) -> None:
        """Send a take of the library; UserError where there is none or it is damaged."""
        motions = self._library.get(job)
        if motions is None:
            raise UserError("The library has no such take.", "List the takes again.", "no-take")
        self._tell({client}, protocol.Result(job, motions))

    def list_takes(self, client: Client, asked: protocol.ListTakes) -> None:
        """Send the newest takes of the library."""
        self._tell({client}, protocol.Takes(asked.job, self._library.newest(asked.limit, asked.before)))

    def _check(self, job: protocol.Job) -> None:
        """Refuse by name what this server cannot do."""
        protocol.check_job(job)
        if isinstance(job, protocol.LiftJob) and "lift" not in self.ready.capabilities:
            raise UserError("This server cannot lift keypoints.", "Choose another pipeline.", "unsupported")
        name = job.model or self.ready.default
        models = {model.name: model for model in self.ready.models}
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

    def _stored(self, job: str) -> protocol.Result | None:
        try:
            motions = self._library.get(job)
        except UserError as error:
            log.warning("A stored take cannot be read, its job runs again: %s", error)
            return None
        return None if motions is None else protocol.Result(job, motions)

    # --- what the worker reports --------------------------------------------------------------------------

    def _start_worker(self) -> None:
        self._worker_idle = False
        self._worker = self._new_worker(self._report)

    def _report(self, worker: Worker, report: Report | None) -> None:
        """Called from the worker's thread."""
        self._reports.put((worker, report))
        self._wake()

    def _hear_worker(self) -> None:
        with contextlib.suppress(thread_queue.Empty):
            while True:
                worker, report = self._reports.get_nowait()
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
            self.close()  # a worker that was started anew could not load its model
            self.fail_unfinished(report.code, report.message, report.advice)
        else:
            self._worker_idle = True
            if running is not None and running.job.job == report.job:
                self._finish(running, report)

    def _finish(self, entry: Entry, final: Final) -> None:
        if entry.cancelling:
            final = protocol.Cancelled(final.job)  # it finished before the cancel reached it
        if isinstance(final, protocol.Result):
            final = self._store(entry, final)
        self._end(final)

    def _store(self, entry: Entry, result: protocol.Result) -> protocol.Result:
        try:
            self._library.add(result.job, result.motions, entry.job.model or self.ready.default)
        except Exception as error:  # whatever the disk or the index says, the take is delivered
            log.error("The library could not keep job %s: %s", result.job, error)
            return protocol.Result(result.job, result.motions, stored=False)
        return result

    def _bury(self, worker: Worker) -> None:
        """The worker is dead: fail its job with the reason, and start another worker.

        A job that it had not begun is not to blame for its death, and goes to the next worker; once only.
        """
        reason = worker.epitaph()
        self.close()
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
            self.fail_unfinished("worker-died", message, WORKER_LOST_ADVICE)

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

    def _end(self, final: Final) -> None:
        entry = self._queue.end(final)
        if entry is not None:
            self._tell(entry.listeners, final)
