# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch from beginning to end: what is left to do is done, published and noted."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .jobs import BatchJob, Hashes
from .ledger import Ledger, is_done
from .pool import Engine
from .schedule import Task
from .shard import Shard

MODULE = "videomdm_blender.batch.retargeting"
SYNC = 1.0  # seconds from one time that the report is seen to the disk to the next


@dataclass(frozen=True)
class Planned:
    """A job of this run, and whether an earlier run has done it; ``rig`` is the hash of its rig."""

    job: BatchJob
    key: str
    done: bool
    rig: str


@dataclass(frozen=True)
class Ended:
    """How a job ended; ``entry`` is its line in the report."""

    job: BatchJob
    entry: dict[str, Any]

    @property
    def failed(self) -> bool:
        """Whether it has no result."""
        return bool(self.entry["status"] != "done")


def plan(jobs: Sequence[BatchJob], out: Path, shard: Shard) -> list[Planned]:
    """The jobs of a shard, those with the same rig together, and which of them are done."""
    hashes, done = Hashes(), Ledger(out, shard).done()
    mine = shard.part(jobs)
    hashes.read(path for job in mine for path in (job.clip, job.rig, job.mapping) if path is not None)
    keys = [hashes.key(job) for job in mine]
    return [
        Planned(job, key, is_done(job, key, done, out), hashes.of(job.rig))
        for job, key in zip(mine, keys, strict=True)
    ]


def execute(
    planned: Sequence[Planned],
    out: Path,
    shard: Shard,
    *,
    engine: Engine,
    count: int | None,
    limit: float,
    ended: Callable[[Ended], None],
) -> None:
    """Do what is not done yet; ``ended`` hears of each job as it ends.

    Files are made in a folder beside their places and moved there by this process alone, all files of a job
    once all are complete.  So a worker that outlives a killed supervisor cannot publish anything.
    """
    out.mkdir(parents=True, exist_ok=True)
    staging = out / f".staging{shard.suffix}"
    shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
    ledger = Ledger(out, shard)
    by_key = {entry.key: entry.job for entry in planned if not entry.done}
    rigs = {entry.key: entry.rig for entry in planned}
    tasks = [_task(key, job, staging, rigs[key]) for key, job in by_key.items()]
    synced, left = time.monotonic(), set(by_key)
    try:
        for task, answer in engine(MODULE, tasks, count, limit, staging / "workers"):
            job = by_key[task.key]
            entry = _entry(task, job, answer, out)
            due = time.monotonic() - synced >= SYNC or len(left) == 1
            ledger.note(entry, to_disk=due)
            synced = time.monotonic() if due else synced
            left.discard(task.key)
            ended(Ended(job, entry))
    finally:
        _remove(staging)


def _task(key: str, job: BatchJob, staging: Path, rig: str) -> Task:
    folder = (staging / key).resolve()
    settings = {
        "clip": str(job.clip.resolve()),
        "rig": str(job.rig.resolve()),
        "armature": job.armature,
        "mapping": str(job.mapping.resolve()) if job.mapping else "",
        "fps": job.fps,
        "start_frame": job.start_frame,
        "controls": job.controls,
        "contact": job.contact,
        "settings": asdict(job.settings),
    }
    outs = [str(folder / f"{Path(job.name).name}.{suffix}") for suffix in job.formats]
    request = {"job": settings, "outs": outs, "rig_hash": rig}
    return Task(key, str(job.rig), request)


def _entry(task: Task, job: BatchJob, answer: dict[str, Any], out: Path) -> dict[str, Any]:
    """The line of the report; publishes the files of a job that is done."""
    entry = {
        "key": task.key,
        "status": "failed",
        "clip": str(job.clip),
        "rig": str(job.rig),
        "name": job.name,
        "seconds": answer["seconds"],
        "start_seconds": answer["start_seconds"],
        "worker": answer["worker"],
        "memory_mb": answer.get("memory_mb"),
        "ended": round(time.time(), 3),
    }
    if "error" in answer:
        message, advice, code = answer["error"]
        return entry | {"message": message, "advice": advice, "code": code}
    files: dict[str, int] = {}
    try:
        for made, place in zip(task.job["outs"], job.outs(out), strict=True):
            place.parent.mkdir(parents=True, exist_ok=True)
            size = Path(made).stat().st_size
            os.replace(made, place)
            files[place.relative_to(out).as_posix()] = size
    except OSError as error:
        return entry | {
            "message": f"A file could not be moved into {out} ({error.strerror}).",
            "advice": "See that the disk has room and nobody holds the file open.",
            "code": "no-write",
        }
    done = answer["done"]
    told = {name: done[name] for name in ("family", "bones", "frames", "fps", "notes")}
    return entry | {"status": "done", "files": files} | told


def _remove(staging: Path) -> None:
    """Remove the folder; on some systems a process that was just ended still holds its log for a moment."""
    for _ in range(20):
        shutil.rmtree(staging, ignore_errors=True)
        if not staging.exists():
            return
        time.sleep(0.05)
