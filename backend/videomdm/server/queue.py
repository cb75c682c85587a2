# SPDX-License-Identifier: Apache-2.0
"""The jobs that a server knows: those that wait, the one that runs, and how the last ones ended."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from .. import protocol
from ..errors import UserError

Final = protocol.Result | protocol.Failed | protocol.Cancelled

REMEMBERED = 1000  # ends of jobs, a few hundred bytes each
REMEMBERED_RESULTS = 8  # results that the library could not keep: whole motions


@dataclass
class Entry:
    """A job that waits or runs, and the clients (ZeroMQ routing ids) that want to hear of it.

    ``progress`` is what was told last, None before the job has begun; ``returned``: it was put back once.
    """

    job: protocol.Job
    listeners: set[bytes] = field(default_factory=set)
    cancelling: bool = False
    progress: protocol.Progress | None = None
    returned: bool = False


class Queue:
    """First come, first served; one job runs at a time; at most ``capacity`` wait."""

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self.running: Entry | None = None
        self._waiting: OrderedDict[str, Entry] = OrderedDict()
        self._ends: OrderedDict[str, Final] = OrderedDict()
        self._results: OrderedDict[str, Final] = OrderedDict()

    def add(self, job: protocol.Job, listener: bytes) -> Entry:
        """Let a new job wait; UserError (code "queue-full") where too many do."""
        if len(self._waiting) >= self.capacity:
            raise UserError(
                f"{self.capacity} jobs are waiting already.",
                "Wait for some of them, or cancel them.",
                "queue-full",
            )
        entry = self._waiting[job.job] = Entry(job, {listener})
        return entry

    def find(self, job_id: str) -> Entry | None:
        """The waiting or running job with this id."""
        if self.running is not None and self.running.job.job == job_id:
            return self.running
        return self._waiting.get(job_id)

    def end_of(self, job_id: str) -> Final | None:
        """How a job ended, where that is remembered."""
        return self._ends.get(job_id) or self._results.get(job_id)

    def ahead_of(self, job_id: str) -> int:
        """How many jobs run before this one."""
        if self.running is not None and self.running.job.job == job_id:
            return 0
        return list(self._waiting).index(job_id) + (self.running is not None)

    def start_next(self) -> Entry | None:
        """The oldest waiting job, which now runs; None where one runs already or none waits."""
        if self.running is not None or not self._waiting:
            return None
        _, self.running = self._waiting.popitem(last=False)
        return self.running

    def put_back(self) -> None:
        """Let the running job wait again, before all others: it had not begun."""
        assert self.running is not None
        entry, self.running = self.running, None
        entry.returned = True
        self._waiting[entry.job.job] = entry
        self._waiting.move_to_end(entry.job.job, last=False)

    def end(self, final: Final) -> Entry | None:
        """Take a job out because it ended.  A stored result is not remembered: the library has it."""
        entry = self.find(final.job)
        if entry is None:
            return None
        if entry is self.running:
            self.running = None
        else:
            del self._waiting[final.job]
        if not isinstance(final, protocol.Result):
            _remember(self._ends, final, REMEMBERED)
        elif not final.stored:
            _remember(self._results, final, REMEMBERED_RESULTS)
        return entry

    def unfinished(self) -> list[str]:
        """Ids of the jobs that run or wait."""
        running = [self.running.job.job] if self.running is not None else []
        return running + list(self._waiting)


def _remember(ends: OrderedDict[str, Final], final: Final, most: int) -> None:
    ends[final.job] = final
    while len(ends) > most:
        ends.popitem(last=False)
