# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage on its way to a take, or to keypoints in a scene, on the main thread: looked at every tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from videomdm import protocol
from videomdm.errors import UserError
from videomdm.keypoints import Keypoints
from videomdm.motion import Motion

from ..generate import jobs
from .verb import Step, Verbs

CLIP = "take.npz"
POINTS = "keypoints.json"
LOOKING, LIFTING = "Looking at the footage", "Lifting"


@dataclass(frozen=True)
class Footage:
    """What is asked for.

    file:    a video, or a keypoints file; video: which of the two it is.
    start, length: the part of a video, seconds; person: whom of those seen in it, from 1.
    options: further words for ``videomdm lift``.
    """

    file: Path
    video: bool
    start: float = 0.0
    length: float = 10.0
    person: int = 1
    options: tuple[str, ...] = ()

    def steps(self, folder: Path) -> list[Step]:
        """The verbs that make :data:`CLIP` in a folder."""
        points = folder / POINTS if self.video else self.file
        lift = lifting(points, folder, self.options)
        return [self.looking(folder), lift] if self.video else [lift]

    def looking(self, folder: Path) -> Step:
        """The verb that makes :data:`POINTS` in a folder: those that :meth:`steps` would lift."""
        words = ["keypoints", str(self.file), "-o", str(folder / POINTS)]
        if self.video:
            words += ["--person", str(self.person)]
            words += ["--start", f"{self.start:g}", "--end", f"{self.start + self.length:g}"]
        else:
            words += ["--no-clean"]
        return Step(LOOKING, 0.1, words)


def lifting(points: Path, folder: Path, options: Sequence[str]) -> Step:
    """The verb that makes :data:`CLIP` in a folder of a keypoints file."""
    return Step(LIFTING, 0.6, ["lift", str(points), "-o", str(folder / CLIP), *options])


class Work(Verbs):
    """Verbs, and what is done with what they have made in their folder; it may raise UserError."""

    def __init__(self, command: Sequence[str], finish: Callable[[jobs.Job, Path], None]) -> None:
        super().__init__(command)
        self.finish = finish


running: dict[str, Work] = {}  # by the id of the job
edited: set[str] = set()  # ids of the jobs whose keypoints came from this Blender


def begin(footage: Footage, command: Sequence[str], target: jobs.Target | None) -> jobs.Job:
    """Start to make a take of footage; UserError where that is impossible."""
    return _start(Work(command, _take), footage.steps, footage.file.stem, target)


def show(footage: Footage, command: Sequence[str], deliver: Callable[[Keypoints], str]) -> jobs.Job:
    """Start to look for keypoints; ``deliver`` puts them into the file and names what it made."""

    def finish(job: jobs.Job, folder: Path) -> None:
        keypoints = Keypoints.load(folder / POINTS)
        job.stop, job.deliver = None, lambda: deliver(keypoints)
        job.state, job.fraction, job.stage = jobs.State.ARRIVED, 1.0, ""

    return _start(Work(command, finish), lambda folder: [footage.looking(folder)], footage.file.stem, None)


def lift(
    keypoints: Keypoints,
    name: str,
    options: Sequence[str],
    command: Sequence[str],
    target: jobs.Target | None,
) -> jobs.Job:
    """Start to make a take of keypoints; UserError where that is impossible."""

    def steps(folder: Path) -> list[Step]:
        return [lifting(keypoints.save(folder / POINTS), folder, options)]

    job = _start(Work(command, _take), steps, name, target)
    edited.add(job.id)
    return job


def look() -> bool:
    """Go on with everything that runs; whether work is left.  A chore of the hub."""
    for job_id, work in list(running.items()):
        job = jobs.desk.jobs.get(job_id)
        if job is None:  # forgotten
            close(job_id)
            continue
        try:
            if not work.turn():
                _show(job, work)
                continue
            work.finish(job, work.folder)
        except UserError as error:
            jobs.fail(job, error)
        close(job_id)
    return bool(running)


def close(job_id: str) -> None:
    """End one."""
    work = running.pop(job_id, None)
    if work is not None:
        work.close()


def close_all() -> None:
    """End all."""
    for job_id in list(running):
        close(job_id)


def _start(
    work: Work, steps: Callable[[Path], Sequence[Step]], name: str, target: jobs.Target | None
) -> jobs.Job:
    try:
        work.start(steps(work.folder))
    except BaseException:
        work.close()
        raise
    job = jobs.Job(protocol.new_job_id(), jobs.take_name(name), target)
    job.stop = lambda: close(job.id)
    running[job.id] = work
    jobs.begin(job)
    _show(job, work)
    return job


def _take(job: jobs.Job, folder: Path) -> None:
    motion = Motion.load(folder / CLIP)
    job.stop = None
    jobs.receive(job, [motion])


def _show(job: jobs.Job, work: Work) -> None:
    assert work.step is not None
    job.state, job.stage, job.fraction = jobs.State.RUNNING, work.step.stage, work.step.fraction
