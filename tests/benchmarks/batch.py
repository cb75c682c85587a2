# SPDX-License-Identifier: GPL-3.0-or-later
"""Does batch work get faster with its workers?  ``python -m tests.benchmarks.batch --help``.

The same jobs are done with 1, 2, 4 ... workers, each time anew.  Printed are, also as multiples (x) of the first:

* all: jobs by the time from the beginning of the run to its end, with Blender's start in every worker;
* busy: the same between the moment when the last worker was ready and the moment when the last job was begun, so
  that every worker has work all the time; jobs that reach over these moments count in part;
* processor: seconds of processor time a job, of all workers.  Where it grows with the number of workers the
  machine's cores get in each other's way (threads that share a core, memory); where only the time by the clock
  does, something makes workers wait;
* at work: the share of the time, from the beginning of the run to its end, in which a worker does jobs, of the
  laziest and of the busiest one; start: in which their Blenders start, of all; the rest they wait;
* serial: of all processor time that of the supervisor, which only one core can do (G. Amdahl, 1967): before the first
  worker is started and after the last answer, and in between, although that goes on beside the workers: handing out
  jobs, moving files to their places, writing the report.

At the end stands how many times faster that lets many workers be: these jobs, and so many that beginning and end do
not count.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import monotonic, process_time
from typing import Any

import click
from tests.blender_addon.support.walker import walk

from videomdm.errors import UserError
from videomdm_blender.batch import pool
from videomdm_blender.batch.jobs import BatchJob, collect
from videomdm_blender.batch.run import Ended, execute, plan
from videomdm_blender.batch.schedule import Task
from videomdm_blender.batch.shard import Shard
from videomdm_blender.cli import RIG_SUFFIXES

SECONDS = 4.0  # of a clip that is made here
COLUMNS = {
    "workers": 7, "clock s": 8, "all, jobs/s": 11, "x all": 6, "busy, jobs/s": 12, "x busy": 6, "start s": 8,
    "processor s/job": 15, "at work %": 9, "start %": 7, "serial %": 8,
}  # fmt: skip
MANY = (2, 4, 8, 16, 64, 256)


@dataclass(frozen=True)
class Span:
    """When a job was done and by whom, seconds from the beginning of the run."""

    worker: int
    begun: float
    ended: float
    start_seconds: float


@dataclass(frozen=True)
class Both:
    """Seconds of processor time and by the clock; the clock counts waits, for the disk and for the processor."""

    processor: float
    clock: float


@dataclass(frozen=True)
class Run:
    """What was measured with a number of workers.

    processor: seconds of this process and of the workers.
    around:    seconds of this process before the first worker is started and after the last answer: of processor
               time, and by the clock.
    between:   the same in between; by the clock where it handles answers.
    """

    workers: int
    jobs: int
    clock: float
    processor: float
    around: Both
    between: Both
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

    @property
    def at_work(self) -> list[float]:
        """Of each worker the share of the time in which it does jobs, the laziest first."""
        busy = dict.fromkeys((span.worker for span in self.spans), 0.0)
        for span in self.spans:
            busy[span.worker] += (span.ended - span.begun) / self.clock
        return sorted(busy.values())

    @property
    def starting(self) -> float:
        """The share of the workers' time in which their Blenders start."""
        return sum(span.start_seconds for span in self.spans) / (self.workers * self.clock)

    @property
    def serial(self) -> float:
        """The share of all work that only one core can do."""
        return (self.around.processor + self.between.processor) / self.processor

    @property
    def serial_of_many(self) -> float:
        """The same of so many jobs that the beginning and the end do not count."""
        return self.between.processor / (self.processor - self.around.processor)


def most(serial: float, workers: int) -> float:
    """How many times faster than one worker so many can be at most: Amdahl's law."""
    return 1.0 / (serial + (1.0 - serial) / workers)


def measured(jobs: list[BatchJob], workers: int, limit: float) -> Run:
    """Do the jobs once, into a folder that is removed."""
    spans: list[Span] = []
    handling = 0.0
    marks: list[tuple[float, float]] = []  # of beginning, start, last answer, end: processor time and clock

    def mark() -> tuple[float, float]:
        return process_time(), monotonic()

    def engine(*arguments: Any) -> Iterator[tuple[Task, dict[str, Any]]]:
        nonlocal handling
        marks.append(mark())
        for answer in pool.run(*arguments):
            at = mark()
            spans.append(_span(answer[1], at[1] - marks[0][1]))
            yield answer
            handling += monotonic() - at[1]
            marks[2:] = [mark()]

    def ended(end: Ended) -> None:
        if end.failed:
            raise UserError(
                f"{end.job.clip} on {end.job.rig} failed: {end.entry['message']}", "Leave the rig out."
            )

    with tempfile.TemporaryDirectory(prefix="videomdm-batch-") as folder:
        out = Path(folder) / "out"
        used = os.times()
        marks.append(mark())
        planned = plan(jobs, out, Shard())
        execute(planned, out, Shard(), engine=engine, count=workers, limit=limit, ended=ended)
        marks.append(mark())
        after = os.times()
    processor = sum(after[:4]) - sum(used[:4])
    before, _, behind = (Both(*(b - a for a, b in zip(*pair, strict=True))) for pair in pairwise(marks))
    clock = marks[-1][1] - marks[0][1]
    between = Both(marks[2][0] - marks[1][0], handling)
    around = Both(before.processor + behind.processor, before.clock + behind.clock)
    return Run(workers, len(jobs), clock, processor, around, between, tuple(spans))


def _span(answer: dict[str, Any], now: float) -> Span:
    return Span(answer["worker"], now - answer["seconds"], now, answer["start_seconds"])


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
    one = runs[0]
    around, between = one.around, one.between
    click.echo(
        f"\nserial with {one.workers} workers: {around.processor:.2f} s before and after and "
        f"{1000 * between.processor / one.jobs:.2f} ms a job of {one.processor:.1f} s of processor time; by the "
        f"clock, with waits for disk and processor, {around.clock:.2f} s and {1000 * between.clock / one.jobs:.2f} ms"
    )
    for what, serial in (("these jobs", one.serial), ("many more", one.serial_of_many)):
        bounds = ", ".join(f"{most(serial, number):.3g} x with {number}" for number in MANY)
        click.echo(f"{what}, at most: {bounds}")


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
        "-".join(f"{100 * share:.0f}" for share in dict.fromkeys((run.at_work[0], run.at_work[-1]))),
        f"{100 * run.starting:.0f}",
        f"{100 * run.serial:.2f}",
    ]
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, COLUMNS.values(), strict=True))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
