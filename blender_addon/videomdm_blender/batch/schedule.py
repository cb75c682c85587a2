# SPDX-License-Identifier: GPL-3.0-or-later
"""Who does what next, so that a rig is opened by as few workers as keep all of them busy.

To import a rig can take longer than a job.  If every worker took the next job in line, each of them would import
every rig, and the more workers there were, the more of their time would go into that.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """A job for a worker.

    key:   by which its answer is known.
    group: of jobs with the same rig: they share their fate when it brings Blender down again and again.
    """

    key: str
    group: str
    job: dict[str, Any]


class Schedule:
    """The tasks that are left; may be asked from several threads."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, deque[Task]] = {}
        self._at: dict[int, str] = {}
        for task in tasks:
            self._left.setdefault(task.group, deque()).append(task)

    def __bool__(self) -> bool:
        """Whether there is anything left to do."""
        return bool(self._left)

    def next(self, worker: int) -> Task | None:
        """A task for a worker, None where nothing is left.

        It stays with its rig; then it takes the first one that nobody is at, then the one at which most is left
        for each who is.
        """
        with self._lock:
            if not self._left:
                return None
            group = self._at.get(worker, "")
            if group not in self._left:
                self._at.pop(worker, None)
                group = max(self._left, key=self._share)
                self._at[worker] = group
            tasks = self._left[group]
            task = tasks.popleft()
            if not tasks:
                del self._left[group]
            return task

    def _share(self, group: str) -> float:
        """How much is left of a group for one more worker; all of it comes first where nobody is."""
        there = sum(at == group for at in self._at.values())
        return len(self._left[group]) / there if there else float("inf")
