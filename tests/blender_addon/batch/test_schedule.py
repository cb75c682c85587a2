# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs are opened by as few workers as keep all of them busy."""

from __future__ import annotations

from collections import Counter

import pytest

from videomdm_blender.batch.schedule import Schedule, Task


def tasks(**counts: int) -> list[Task]:
    """So many tasks of each rig, mixed."""
    most = max(counts.values())
    return [Task(f"{rig}{k}", rig, {}) for k in range(most) for rig, count in counts.items() if k < count]


def worked(schedule: Schedule, workers: int) -> list[list[Task]]:
    """What each worker does when all take as long for a task."""
    done: list[list[Task]] = [[] for _ in range(workers)]
    while schedule:
        for worker in range(workers):
            if (task := schedule.next(worker)) is not None:
                done[worker].append(task)
    return done


@pytest.mark.parametrize(
    ("counts", "workers", "opened"),
    [
        ({"a": 6, "b": 6, "c": 6}, 1, 3),
        ({"a": 6, "b": 6, "c": 6}, 3, 3),  # one each
        ({"a": 6, "b": 6, "c": 6, "d": 6}, 2, 4),  # two each
        ({"a": 6, "b": 6, "c": 6}, 2, 4),  # the last one is shared
        ({"a": 9}, 3, 3),
        ({"a": 9, "b": 1}, 2, 3),  # who is done with b helps
    ],
)
def test_workers_stay_with_their_rigs(counts: dict[str, int], workers: int, opened: int) -> None:
    every = tasks(**counts)
    done = worked(Schedule(every), workers)
    assert sorted(task.key for own in done for task in own) == sorted(task.key for task in every)
    assert max(map(len, done)) - min(map(len, done)) <= 1, "nobody is idle"
    assert sum(len({task.group for task in own}) for own in done) == opened


def test_the_last_rig_is_shared_evenly() -> None:
    schedule = Schedule(tasks(a=2, b=30, c=30))
    first = [schedule.next(worker) for worker in range(6)]
    at = Counter(task.group for task in first if task is not None)
    assert at == {"a": 1, "b": 3, "c": 2} or at == {"a": 1, "b": 2, "c": 3}


def test_one_worker_goes_rig_by_rig_in_order() -> None:
    (own,) = worked(Schedule(tasks(a=2, b=3)), 1)
    assert [task.key for task in own] == ["a0", "a1", "b0", "b1", "b2"]
    assert not Schedule([]) and Schedule([]).next(0) is None
