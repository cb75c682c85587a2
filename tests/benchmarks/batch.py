# SPDX-License-Identifier: GPL-3.0-or-later
"""Does batch work get faster with its workers?  ``python -m tests.benchmarks.batch --help``.

The same jobs are done with 1, 2, 4 ... workers, each time anew.  Printed are, also as multiples (x) of the first:

* all: jobs by the time from the beginning of the run to its end, with Blender's start in every worker;
* busy: the same between the moment when the last worker was ready and the moment when the last job was begun, so
  that every worker has work all the time; jobs that reach over these moments count in part;
* processor: seconds of processor time a job, of all workers.  Where it grows with the number of workers the
  machine's cores get in each other's way (threads that share a core, memory); where only the time by the clock
  does, something makes workers wait.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import click
from tests.blender_addon.support.walker import walk

from videomdm.errors import UserError
from videomdm_blender.batch import pool
from videomdm_blender.batch.jobs import BatchJob, collect
from videomdm_blender.batch.run import Ended, execute, plan
from videomdm_blender.batch.shard import Shard
from videomdm_blender.cli import RIG_SUFFIXES

SECONDS = 4.0  # of a clip that is made here
COLUMNS = {
    "workers": 7, "clock s": 8, "all, jobs/s": 11, "x all": 6, "busy, jobs/s": 12, "x busy": 6, "start s": 8,
    "processor s/job": 15,
}  # fmt: skip


@dataclass(frozen=True)
class Span:
    """When a job was done, seconds from the beginning of the run."""

    begun: float
    ended: float
    start_seconds: float


@dataclass(frozen=True)
class Run:
    """What was measured with a number of workers."""

    workers: int
    jobs: int
    clock: float
    processor: float
    spans: tuple[Span, ...]

    @property
    def rate(self) -> float:
        """Jobs a second, Blender's start included."""
        return self.jobs / self.clock

    @property
    def busy_rate(self) -> float | None:
        """Jobs a second while all workers work; None where they never all did."""
        first = max(span.begun for span in self.spans if span.start_seconds > 0.0)
        last = max(span.begun for span in self.spans)
        if last <= first:
            return None
        done = sum(
            max(min(span.ended, last) - max(span.begun, first), 0.0) / max(span.ended - span.begun, 1e-9)
            for span in self.spans
        )
        return done / (last - first)


def measured(jobs: list[BatchJob], workers: int, limit: float) -> Run:
    """Do the jobs once, into a folder that is removed."""
    spans: list[Span] = []
    with tempfile.TemporaryDirectory(prefix="videomdm-batch-") as folder:
        out = Path(folder) / "out"
        used, started = os.times(), monotonic()

        def ended(end: Ended) -> None:
            if end.failed:
                raise UserError(
                    f"{end.job.clip} on {end.job.rig} failed: {end.entry['message']}", "", "failed"
                )
            now = monotonic() - started
            spans.append(Span(now - end.entry["seconds"], now, end.entry["start_seconds"]))

        planned = plan(jobs, out, Shard())
        execute(planned, out, Shard(), engine=pool.run, count=workers, limit=limit, ended=ended)
        clock, after = monotonic() - started, os.times()
    processor = sum(after[:4]) - sum(used[:4])
    return Run(workers, len(jobs), clock, processor, tuple(spans))


def clips_of(folder: Path, count: int) -> list[Path]:
    """So many clips, no two alike."""
    folder.mkdir()
    return [
        walk(SECONDS, 30.0, slide=0.01 * number).motion.save(folder / f"walk{number}.npz")
        for number in range(count)
    ]


@click.command()
@click.argument("rigs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--clips", "count", type=click.IntRange(1), default=12, show_default=True, help="On each rig.")
@click.option("--workers", default="", help="Such as 1,2,4.  [default: powers of two up to the cores]")
@click.option("--format", "suffix", default="glb", show_default=True)
@click.option("--limit", type=float, default=600.0, show_default=True, help="Seconds for one job.")
def main(rigs: tuple[Path, ...], count: int, workers: str, suffix: str, limit: float) -> None:
    """Measure `videomdm batch` on RIGS (files, folders) with more and more workers."""
    cores = pool.cores()
    numbers = [int(word) for word in workers.split(",") if word] or [
        number for number in (2**k for k in range(10)) if number < cores
    ] + [cores]
    files = [
        path
        for rig in rigs
        for path in (sorted(rig.iterdir()) if rig.is_dir() else [rig])
        if path.suffix.lower() in RIG_SUFFIXES
    ]
    with tempfile.TemporaryDirectory(prefix="videomdm-clips-") as folder:
        clips = clips_of(Path(folder) / "clips", count)
        jobs = collect(
            [*clips, *files], BatchJob(clip=Path(), rig=Path(), formats=(suffix,)), Path(folder) / "out"
        )
        click.echo(
            f"{len(files)} rigs x {count} clips = {len(jobs)} jobs; this process may use {cores} cores"
        )
        click.echo(" ".join(f"{title:>{width}}" for title, width in COLUMNS.items()))
        runs: list[Run] = []
        for number in numbers:
            runs.append(measured(jobs, number, limit))
            click.echo(_row(runs[-1], runs[0]))


def _row(run: Run, one: Run) -> str:
    busy, alone = run.busy_rate, one.busy_rate
    start = max(span.start_seconds for span in run.spans)
    cells = [
        str(run.workers),
        f"{run.clock:.1f}",
        f"{run.rate:.2f}",
        f"{run.rate / one.rate:.2f}",
        f"{busy:.2f}" if busy else "-",
        f"{busy / alone:.2f}" if busy and alone else "-",
        f"{start:.1f}",
        f"{run.processor / run.jobs:.2f}",
    ]
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, COLUMNS.values(), strict=True))


if __name__ == "__main__":
    main(standalone_mode=False)
