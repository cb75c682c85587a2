# SPDX-License-Identifier: GPL-3.0-or-later
"""``videomdm batch``: clips x rigs, from files to files."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from pathlib import Path

import click
from tqdm import tqdm

from ..controls.limb import Controls
from ..edit.settings import TakeSettings
from ..headless import TIME_LIMIT, no_blender
from ..take_options import take_options
from . import pool
from .jobs import FORMATS, BatchJob, collect, parse_formats
from .ledger import Ledger
from .pool import Engine
from .run import Ended, Planned, execute, plan
from .shard import Shard

SOME_FAILED = 1


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="JOBS.jsonl|FOLDERS..."
)
@click.option(
    "-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of results."
)
@click.option("--format", "formats", default="glb", show_default=True, help=f"Some of {','.join(FORMATS)}.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes.  [default: the cores]")
@click.option("--shard", default="1/1", show_default=True, help="Part i of n of the jobs, for farms.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Who runs the workers.",
)
@click.option(
    "--limit", type=click.FloatRange(1), default=TIME_LIMIT, show_default=True, help="Seconds for one job."
)
@click.option("--mapping", type=click.Path(dir_okay=False, path_type=Path), help="Mapping file for all rigs.")
@click.option("--fps", type=click.FloatRange(1, 240), help="Frame rate.  [default: the rig file's]")
@click.option("--start-frame", type=int, default=1, show_default=True, help="Frame of the first key.")
@click.option("--controls", type=click.Choice([choice.value for choice in Controls]), default=Controls.FK.value,
              show_default=True, help="Controls of arms and legs to key, on rigs that have both.")  # fmt: skip
@click.option(
    "--contact/--no-contact",
    default=None,
    help="Keep standing feet in place, always or never.  [default: where that makes the take better]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@take_options
def batch(
    sources: tuple[Path, ...],
    out: Path,
    formats: str,
    jobs: int | None,
    shard: str,
    engine: str,
    limit: float,
    mapping: Path | None,
    fps: float | None,
    start_frame: int,
    controls: str,
    contact: bool | None,
    dry_run: bool,
    settings: TakeSettings,
) -> None:
    """Put clips onto rigs: all that a list (JOBS.jsonl) names, or every clip of FOLDERS onto every rig.

    What an earlier run has done with the same contents and settings is skipped.  Each job ends as a line of
    report.jsonl in the folder of results.  Status 0: all is done; 1: some jobs failed.
    """
    part = Shard.parse(shard)
    defaults = BatchJob(
        clip=Path(),
        rig=Path(),
        formats=parse_formats(formats),
        mapping=mapping,
        fps=fps,
        start_frame=start_frame,
        controls=controls,
        contact="auto" if contact is None else contact,
        settings=settings,
    )
    planned = plan(collect(sources, defaults, out), out, part)
    if dry_run:
        _tell(planned, out)
        return
    run = _engine(engine)
    progress = _Progress(planned)
    if progress.left:
        execute(planned, out, part, engine=run, count=jobs, limit=limit, ended=progress.ended)
    progress.close(Ledger(out, part).path)
    if progress.failures:
        raise click.exceptions.Exit(SOME_FAILED)


def _engine(name: str) -> Engine:
    if name == "ray":
        from .ray_engine import require_ray, run

        require_ray()
        return run
    if find_spec("bpy") is None:
        raise no_blender()
    return pool.run


def _tell(planned: list[Planned], out: Path) -> None:
    for entry in planned:
        files = ", ".join(str(path) for path in entry.job.outs(out))
        click.echo(f"{'done' if entry.done else 'to do'}: {entry.job.clip} on {entry.job.rig} -> {files}")
    left = sum(not entry.done for entry in planned)
    click.echo(f"{left} of {len(planned)} jobs to do.")


class _Progress:
    """Tells a person how far the batch is: a bar with the time left on a terminal, else a line a job."""

    def __init__(self, planned: list[Planned]) -> None:
        self.left = sum(not entry.done for entry in planned)
        self.skipped = len(planned) - self.left
        self.failures: list[Ended] = []
        self._count, self._started = 0, time.monotonic()
        self._bar = tqdm(total=self.left, unit="job", file=sys.stderr, disable=not sys.stderr.isatty())
        if self.skipped:
            click.echo(f"{self.skipped} jobs are done already.")

    def ended(self, ended: Ended) -> None:
        """A job has ended."""
        self._count += 1
        if ended.failed:
            self.failures.append(ended)
        if self._bar.disable:
            rest = (time.monotonic() - self._started) / self._count * (self.left - self._count)
            click.echo(f"[{self._count}/{self.left}, {tqdm.format_interval(rest)} left] {_line(ended)}")
        else:
            if ended.failed:
                self._bar.write(_line(ended), file=sys.stderr)
            self._bar.set_postfix(failed=len(self.failures), refresh=False)
            self._bar.update()

    def close(self, report: Path) -> None:
        """The summary."""
        self._bar.close()
        done = self._count - len(self.failures)
        click.echo(f"{done} done, {self.skipped} skipped, {len(self.failures)} failed; see {report}.")
        if self.failures and not self._bar.disable:
            for ended in self.failures:
                click.echo(_line(ended), err=True)


def _line(ended: Ended) -> str:
    entry = ended.entry
    what = f"{entry['clip']} on {entry['rig']}"
    if ended.failed:
        return f"FAILED {what}: {entry['message']} {entry['advice']}".rstrip()
    return f"{what}: {entry['frames']} frames in {entry['seconds']:.1f} s"
