# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps several workers busy on this machine."""

from __future__ import annotations

import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .process import Seat
from .schedule import Schedule, Task

INTERRUPTIBLE = 0.5  # seconds: on Windows Ctrl-C does not end a longer wait
MOST_CRASHES = 3  # of workers by one rig, until its other jobs are not tried any more


@dataclass
class Fates:
    """Which groups have brought Blender down how often."""

    crashes: Counter[str] = field(default_factory=Counter)

    def refusal(self, task: Task) -> dict[str, Any] | None:
        """The answer for a task that need not be tried."""
        if self.crashes[task.group] < MOST_CRASHES:
            return None
        return {
            "error": [
                f"Not tried: {task.group} has brought Blender down {MOST_CRASHES} times.",
                "Open the rig in Blender to see whether the file is sound.",
                "not-tried",
            ],
            "seconds": 0.0,
            "start_seconds": 0.0,
        }

    def note(self, task: Task, answer: dict[str, Any]) -> None:
        """Count a crash; a job that is done forgives."""
        if "done" in answer:
            self.crashes[task.group] = 0
        elif answer["error"][2] == "crashed":
            self.crashes[task.group] += 1


Engine = Callable[[str, Sequence[Task], int | None, float, Path], Iterator[tuple[Task, dict[str, Any]]]]
"""What does tasks: (module, tasks, number of workers, seconds a job, folder) -> tasks with their answers.

An answer is that of ``Seat.perform`` with the number of its ``worker``.
"""


def cores() -> int:
    """Cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def run(
    module: str, tasks: Sequence[Task], count: int | None, limit: float, folder: Path
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Do ``tasks`` in worker processes; yields each task with its answer as it is done.

    count:  of workers; None: one for each core.
    limit:  seconds for one job.
    folder: for logs.

    An error that no worker could avoid (no Blender) is raised as UserError.  When the iteration ends early, the
    workers are ended too.
    """
    schedule, fates = Schedule(tasks), Fates()
    answers: queue.SimpleQueue[tuple[Task, dict[str, Any]] | BaseException | None] = queue.SimpleQueue()
    seats = [Seat(module, folder / f"worker-{number}") for number in range(min(count or cores(), len(tasks)))]
    stop = threading.Event()

    def sit(number: int, seat: Seat) -> None:
        try:
            while not stop.is_set() and (task := schedule.next(number)) is not None:
                answer = fates.refusal(task) or seat.perform(task.job, limit)
                if not stop.is_set():
                    fates.note(task, answer)
                    answers.put((task, answer | {"worker": number}))
        except BaseException as error:
            answers.put(error)
        finally:
            seat.close()
            answers.put(None)

    threads = [threading.Thread(target=sit, args=entry, daemon=True) for entry in enumerate(seats)]
    for thread in threads:
        thread.start()
    try:
        working = len(threads)
        while working:
            try:
                answer = answers.get(timeout=INTERRUPTIBLE)
            except queue.Empty:
                continue
            if answer is None:
                working -= 1
            elif isinstance(answer, BaseException):
                raise answer
            else:
                yield answer
    finally:
        stop.set()
        for seat in seats:
            seat.close()
        for thread in threads:
            thread.join()
