# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage on its way to a take, on the main thread: looked at every tick, applied as generated takes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videomdm import protocol
from videomdm.errors import UserError
from videomdm.motion import Motion

from ..generate import jobs
from .verb import Step, Verbs

CLIP = "take.npz"
POINTS = "keypoints.json"


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
        lift = Step("Lifting", 0.6, ["lift", str(points), "-o", str(folder / CLIP), *self.options])
        if not self.video:
            return [lift]
        part = ["--start", f"{self.start:g}", "--end", f"{self.start + self.length:g}"]
        words = ["keypoints", str(self.file), "-o", str(points), "--person", str(self.person), *part]
        return [Step("Looking at the footage", 0.1, words), lift]


running: dict[str, Verbs] = {}  # by the id of the job


def begin(footage: Footage, command: Sequence[str], target: jobs.Target | None) -> jobs.Job:
    """Start; UserError where that is impossible."""
    verbs = Verbs(command)
    try:
        verbs.start(footage.steps(verbs.folder))
    except BaseException:
        verbs.close()
        raise
    job = jobs.Job(protocol.new_job_id(), jobs.take_name(footage.file.stem), target)
    job.stop = lambda: close(job.id)
    running[job.id] = verbs
    jobs.begin(job)
    _show(job, verbs)
    return job


def look() -> bool:
    """Go on with everything that runs; whether work is left.  A chore of the hub."""
    for job_id, verbs in list(running.items()):
        job = jobs.desk.jobs.get(job_id)
        if job is None:  # forgotten
            close(job_id)
            continue
        try:
            if not verbs.turn():
                _show(job, verbs)
                continue
            motion = Motion.load(verbs.folder / CLIP)
        except UserError as error:
            close(job_id)
            jobs.fail(job, error)
            continue
        close(job_id)
        job.stop = None
        jobs.receive(job, [motion])
    return bool(running)


def close(job_id: str) -> None:
    """End one."""
    verbs = running.pop(job_id, None)
    if verbs is not None:
        verbs.close()


def close_all() -> None:
    """End all."""
    for job_id in list(running):
        close(job_id)


def _show(job: jobs.Job, verbs: Verbs) -> None:
    assert verbs.step is not None
    job.state, job.stage, job.fraction = jobs.State.RUNNING, verbs.step.stage, verbs.step.fraction
