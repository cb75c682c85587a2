# SPDX-License-Identifier: Apache-2.0
"""Jobs from Accepted to their end: progress, cancelling, the same id twice, workers that die."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from videomdm import protocol
from videomdm.client import Client
from videomdm.connection import Connection
from videomdm.errors import Cancelled, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.backend.conftest import Backend, RawPeer

WAIT = 30.0


def text(prompt: str, **fields: Any) -> protocol.TextJob:
    return protocol.TextJob(prompt, **{"seconds": 1.0, "steps": 4} | fields)


def hear_until_end(peer: RawPeer) -> list[Any]:
    events = [peer.hear()]
    while not isinstance(events[-1], protocol.Result | protocol.Failed | protocol.Cancelled):
        events.append(peer.hear())
        assert events[-1] is not None
    return events


def test_a_job_from_accepted_to_result(peer: RawPeer) -> None:
    peer.greet()
    job = text("a man walks slowly", steps=10, seed=7, samples=2)
    peer.say(job)
    accepted, *progress, result = hear_until_end(peer)
    assert accepted == protocol.Accepted(job.job, 0)
    assert all(event.job == job.job for event in [*progress, result])
    stages = [event.stage for event in progress]
    assert stages == ["starting", *[f"denoising {step}/10" for step in range(1, 11)]]
    fractions = [event.fraction for event in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    previews = [event.preview for event in progress if event.preview is not None]
    assert 1 <= len(previews) <= 3  # 10 steps of 0.1 s, a preview each 0.4 s at most
    assert previews[0].positions.shape == (20, 22, 3)
    assert result.stored
    assert [motion.provenance["seed"] for motion in result.motions] == [7, 8]
    assert result.motions[0].features.shape == (20, 263)
    assert result.motions[0].caption == "a man walks slowly"
    assert result.motions[0].fps == 20.0


def test_a_lift(client: Client) -> None:
    points = np.random.default_rng(0).random((15, 27, 2), np.float32) * 100
    job = protocol.LiftJob(points, np.ones((15, 27), np.float32), 25.0, 640, 480, "jump.mp4", steps=3)
    (motion,) = client.generate(job, timeout=WAIT)
    assert len(motion) == 15
    assert motion.caption == "15 frames of jump.mp4"


def test_a_lift_of_another_layout_is_refused(client: Client) -> None:
    job = protocol.LiftJob(np.ones((5, 9, 2), np.float32), np.ones((5, 9), np.float32), 25.0, 64, 48)
    with pytest.raises(UserError) as caught:
        client.generate(job, timeout=WAIT)
    assert caught.value.code == "bad-keypoints"
    assert "(5, 9, 2)" in caught.value.message


@pytest.mark.parametrize(
    ("prompt", "code", "words"),
    [
        ("he refuses", "no-walk", "I do not walk."),
        ("he fails", "internal", "RuntimeError: a leg is missing"),
        ("he is hungry", "out-of-memory", "8 GiB"),
    ],
)
def test_a_failure_is_told_and_the_next_job_works(client: Client, prompt: str, code: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        client.generate(text(prompt), timeout=WAIT)
    assert caught.value.code == code
    assert words in caught.value.message
    assert client.generate(text("a man walks"), timeout=WAIT)


@pytest.mark.parametrize("stage", ["waiting", "starting", "denoising 1/", "denoising 12/", "denoising 20/"])
def test_cancel_at_each_stage_and_the_next_job_works(peer: RawPeer, backend: Backend, stage: str) -> None:
    peer.greet()
    before = text("somebody walks slowly before")
    if stage == "waiting":
        peer.say(before)
    job = text(f"cancelled at {stage}: walks slowly", steps=20)
    peer.say(job)
    event = peer.hear()
    while stage != "waiting" and not (isinstance(event, protocol.Progress) and event.stage.startswith(stage)):
        event = peer.hear()
    peer.say(protocol.Cancel(job.job))
    while not (isinstance(event, protocol.Cancelled | protocol.Result) and event.job == job.job):
        event = peer.hear()
    too_late = stage == "denoising 20/" and isinstance(event, protocol.Result)  # it was the last step
    assert too_late or event == protocol.Cancelled(job.job)
    after = text("the next one walks")
    peer.say(after)
    event = peer.hear()
    while not isinstance(event, protocol.Result) or event.job != after.job:
        event = peer.hear()
        assert event.job != job.job or too_late, "a cancelled job is heard of no more"
    assert event.motions[0].caption == "the next one walks"
    assert bool(backend.runs(job.prompt)) == (stage != "waiting")
    if not too_late:
        assert peer.ask(protocol.FetchTake(job.job)).code == "no-take"


def test_cancel_of_what_is_over_or_unknown(peer: RawPeer) -> None:
    peer.greet()
    unknown = protocol.new_job_id()
    assert peer.ask(protocol.Cancel(unknown)) == protocol.Cancelled(unknown)
    job = text("a man walks")
    peer.say(job)
    assert isinstance(hear_until_end(peer)[-1], protocol.Result)
    assert isinstance(peer.ask(protocol.Cancel(job.job)), protocol.Result)
    cancelled = text("a man walks")
    peer.say(text("somebody walks slowly"))
    peer.say(cancelled)
    peer.say(protocol.Cancel(cancelled.job))
    while peer.hear() != protocol.Cancelled(cancelled.job):
        pass
    peer.say(cancelled)  # it was cancelled: it does not run after all
    event = peer.hear()
    while event.job != cancelled.job:
        event = peer.hear()
    assert event == protocol.Cancelled(cancelled.job)


def test_the_same_id_twice_runs_once(backend: Backend, new_peer: Callable[[Connection], RawPeer]) -> None:
    first, second = new_peer(backend.connection), new_peer(backend.connection)
    first.greet()
    second.greet()
    job = text("only once he walks slowly", steps=10)
    first.say(job)
    first.say(job)
    while not isinstance(first.hear(), protocol.Progress):
        pass
    time.sleep(0.15)
    accepted = second.ask(job)
    assert accepted == protocol.Accepted(job.job, 0)
    assert isinstance(second.hear(), protocol.Progress)  # where it stands, at once
    one, other = hear_until_end(first)[-1], hear_until_end(second)[-1]
    again = second.ask(job)  # after its end: the result again, from the library
    for result in (one, other, again):
        assert isinstance(result, protocol.Result)
        np.testing.assert_array_equal(result.motions[0].positions, one.motions[0].positions)
    assert len(backend.runs("only once")) == 1


def test_jobs_run_in_order_and_tell_how_many_are_ahead(peer: RawPeer) -> None:
    peer.greet()
    jobs = [text(f"number {number} walks slowly", steps=2) for number in range(3)]
    for job in jobs:
        peer.say(job)
    events = []
    while sum(isinstance(event, protocol.Result) for event in events) < 3:
        events.append(peer.hear())
    ahead = {event.job: event.ahead for event in events if isinstance(event, protocol.Accepted)}
    assert [ahead[job.job] for job in jobs] == [0, 1, 2]
    assert [event.job for event in events if isinstance(event, protocol.Result)] == [job.job for job in jobs]


def test_too_many_jobs_are_refused(peer: RawPeer) -> None:
    peer.greet()
    jobs = [text("a crowd walks slowly", steps=100) for _ in range(66)]
    for job in jobs:
        peer.say(job)
    ends: dict[str, Any] = {}
    while jobs[-1].job not in ends:
        event = peer.hear()
        if isinstance(event, protocol.Failed):
            ends[event.job] = event
    assert ends[jobs[-1].job].code == "queue-full"
    for job in reversed(jobs):
        peer.say(protocol.Cancel(job.job))
    while len(ends) < len(jobs):
        event = peer.hear()
        if isinstance(event, protocol.Failed | protocol.Cancelled):
            ends[event.job] = event


def test_models_are_switched_by_name(client: Client, backend: Backend) -> None:
    client.generate(text("he strolls", model="stroller"), timeout=WAIT)
    client.generate(text("he walks as before"), timeout=WAIT)
    assert backend.runs("he strolls")[0]["model"] == "stroller"
    assert backend.runs("he walks as before")[0]["model"] == "walker"
    assert backend.runs("he strolls")[0]["device"] == "auto"


@pytest.mark.parametrize("how", ["by itself", "from outside", "between two jobs"])
def test_a_dead_worker_is_told_and_replaced(client: Client, backend: Backend, how: str) -> None:
    client.generate(text("a man walks before the accident"), timeout=WAIT)
    victim = backend.runs("before the accident")[-1]["pid"]
    if how == "between two jobs":
        os.kill(victim, signal.SIGKILL)
    else:
        prompt = "he dies" if how == "by itself" else "he walks slowly to his end"
        waiting = client.submit(text("the next in line walks"))  # so that a job waits when the worker dies

        def shoot(event: Any) -> None:
            if how == "from outside" and isinstance(event, protocol.Progress) and "3/" in event.stage:
                os.kill(victim, signal.SIGKILL)

        with pytest.raises(UserError) as caught:
            client.generate(text(prompt, steps=50), on_event=shoot, timeout=WAIT)
        assert caught.value.code == "worker-died"
        assert "SIGKILL" in caught.value.message
        assert "memory" in caught.value.message
        assert "shorter clip" in caught.value.advice
        assert any(event.job == waiting for event in client.events())
    (motion,) = client.generate(text("a man walks after the accident"), timeout=WAIT)
    assert motion.caption == "a man walks after the accident"
    assert backend.runs("after the accident")[-1]["pid"] != victim


def test_a_job_that_waits_outlives_the_worker(client: Client) -> None:
    dying, waiting = text("he dies slowly"), text("the heir walks")
    client.submit(dying)
    client.submit(waiting)
    ends: dict[str, Any] = {}
    deadline = time.monotonic() + WAIT
    while len(ends) < 2 and time.monotonic() < deadline:
        for event in client.events(1.0):
            if isinstance(event, protocol.Failed | protocol.Result):
                ends[event.job] = event
    assert ends[dying.job].code == "worker-died"
    assert ends[waiting.job].motions[0].caption == "the heir walks"


def test_a_worker_that_cannot_start_again_fails_its_jobs_and_may_try_later(
    start_backend: Callable[..., Backend], tmp_path: Path
) -> None:
    backend = start_backend(tmp_path)
    with backend.client() as client:
        (tmp_path / "too-heavy").touch()  # from now on, loading the model kills the worker
        for prompt in ("he dies", "he walks"):
            with pytest.raises(UserError) as caught:
                client.generate(text(prompt), timeout=WAIT)
            assert caught.value.code == "worker-died"
        (tmp_path / "too-heavy").unlink()
        assert client.generate(text("he walks again"), timeout=WAIT)


def test_a_timeout_cancels(client: Client, backend: Backend) -> None:
    with pytest.raises(UserError) as caught:
        client.generate(text("an endless one walks slowly", steps=1000), timeout=1.0)
    assert caught.value.code == "timeout"
    client.generate(text("a man walks"), timeout=WAIT)  # the endless one would take 100 s


def test_cancelled_is_raised_by_generate(client: Client) -> None:
    job = text("he walks slowly", steps=100)

    def stop(event: Any) -> None:
        if isinstance(event, protocol.Progress):
            client.cancel(job.job)

    with pytest.raises(Cancelled):
        client.generate(job, on_event=stop, timeout=WAIT)


def test_takes_are_listed_and_fetched(client: Client) -> None:
    job = text("a take to remember", samples=3)
    motions = client.generate(job, timeout=WAIT)
    asked = client.list_takes(limit=5)
    (listed,) = client.events(WAIT)
    assert isinstance(listed, protocol.Takes)
    assert listed.job == asked
    newest = listed.takes[0]
    assert (newest.job, newest.caption, newest.samples, newest.frames) == (job.job, job.prompt, 3, 20)
    assert newest.model == "walker"
    client.fetch(job.job)
    (fetched,) = client.events(WAIT)
    assert isinstance(fetched, protocol.Result)
    np.testing.assert_array_equal(fetched.motions[2].positions, motions[2].positions)
    missing = client.fetch(protocol.new_job_id())
    (failed,) = client.events(WAIT)
    assert (failed.code, failed.job) == ("no-take", missing)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits another process's files")
def test_a_take_that_the_disk_has_no_room_for_is_delivered_all_the_same(
    start_backend: Callable[..., Backend], tmp_path: Path
) -> None:
    import resource

    backend = start_backend(tmp_path)
    job = text("a take for a full disk")
    with backend.client() as client:
        limits = resource.prlimit(backend.process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        client.submit(job)
        ends: list[protocol.Result] = []
        while not ends:
            ends = [event for event in client.events(WAIT) if isinstance(event, protocol.Result)]
        assert not ends[0].stored and ends[0].motions[0].caption == job.prompt
        resource.prlimit(backend.process.pid, resource.RLIMIT_FSIZE, limits)
        assert list((tmp_path / "library" / "takes").iterdir()) == []
        client.generate(text("a take with room again"), timeout=WAIT)
        client.list_takes()
        (listed,) = client.events(WAIT)
        assert isinstance(listed, protocol.Takes)
        assert [take.caption for take in listed.takes] == ["a take with room again"]
    assert "could not keep job" in backend.stop()
