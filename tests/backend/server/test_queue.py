# SPDX-License-Identifier: Apache-2.0
"""The queue by itself."""

from __future__ import annotations

import pytest

from videomdm import protocol
from videomdm.errors import UserError
from videomdm.server import queue
from videomdm.server.queue import Queue


def fill(waiting: Queue, count: int) -> list[str]:
    jobs = [protocol.TextJob("a man walks") for _ in range(count)]
    for job in jobs:
        waiting.add(job, b"client")
    return [job.job for job in jobs]


def test_first_come_first_served() -> None:
    waiting = Queue()
    jobs = fill(waiting, 3)
    order = []
    while (entry := waiting.start_next()) is not None:
        assert waiting.start_next() is None, "one job runs at a time"
        assert [waiting.ahead_of(job) for job in waiting.unfinished()] == list(
            range(len(waiting.unfinished()))
        )
        order.append(entry.job.job)
        waiting.end(protocol.Cancelled(entry.job.job))
    assert order == jobs
    assert waiting.unfinished() == []


def test_it_is_bounded() -> None:
    waiting = Queue(capacity=2)
    fill(waiting, 2)
    with pytest.raises(UserError) as caught:
        fill(waiting, 1)
    assert caught.value.code == "queue-full"


def test_put_back_comes_first() -> None:
    waiting = Queue()
    jobs = fill(waiting, 2)
    waiting.start_next()
    waiting.put_back()
    assert waiting.unfinished() == jobs
    entry = waiting.start_next()
    assert entry is not None
    assert (entry.job.job, entry.returned) == (jobs[0], True)


def test_ends_are_remembered_but_not_for_ever() -> None:
    waiting = Queue()
    (first,) = fill(waiting, 1)
    failed = protocol.Failed("code", "message", job=first)
    waiting.end(failed)
    assert waiting.end_of(first) == failed
    assert waiting.end(failed) is None, "it has ended already"
    for _ in range(queue.REMEMBERED):
        waiting.end(protocol.Cancelled(*fill(waiting, 1)))
    assert waiting.end_of(first) is None


def test_only_results_that_are_not_stored_are_kept() -> None:
    waiting = Queue()
    stored, *lost = fill(waiting, queue.REMEMBERED_RESULTS + 2)
    waiting.end(protocol.Result(stored, []))
    for job in lost:
        waiting.end(protocol.Result(job, [], stored=False))
    assert waiting.end_of(stored) is None
    assert waiting.end_of(lost[0]) is None
    assert waiting.end_of(lost[-1]) is not None
