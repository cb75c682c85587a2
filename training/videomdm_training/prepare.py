# SPDX-License-Identifier: Apache-2.0
"""``videomdm train prepare``: takes and segments become one packed data set and a report."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import click
import numpy as np
from click.core import ParameterSource

from videomdm.errors import UserError
from videomdm.motion import body, bvh, resample, rotations
from videomdm.motion import cmu as skeleton_map
from videomdm.motion.clip import FPS, write_atomically
from videomdm.progress import progress_bar

from .datasets import cmu
from .datasets.formats import FORMATS, HEEDED, check_out, detect, prepare_set
from .datasets.pack import Pack, Segment
from .datasets.report import Report
from .datasets.takes import Options

_AHEAD = 8  # takes read ahead for each worker
_MOST_JOBS = 61 if sys.platform == "win32" else 256  # so many processes Windows can wait for


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The pack; of a 2D set, a folder of keypoint files.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="What SOURCE is.",
)
@click.option(
    "--captions",
    type=click.Path(exists=True, path_type=Path),
    help="captions.csv; for AMASS also a HumanML3D directory with index.csv and texts.",
)
@click.option(
    "--body-models",
    type=click.Path(exists=True, path_type=Path),
    help="For AMASS: SMPL-H models (.npz), a folder or one file.",
)
@click.option("--caption", default="", help="The words for clips that have none of their own.")
@click.option(
    "--teacher-part",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Part of the subjects whose 3D a lifter may see; the CMU set says this itself.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=None, help="Processes; one for each core if not given."
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Where to write what was left out and why (JSON); beside the pack if not given.",
)
@click.pass_context
def prepare(
    context: click.Context,
    source: Path,
    out: Path,
    kind: str,
    captions: Path | None,
    body_models: Path | None,
    caption: str,
    teacher_part: float,
    jobs: int | None,
    report: Path | None,
) -> None:
    """Pack the takes and captions in the folder SOURCE into one file.

    SOURCE is a HumanML3D directory, AMASS, Fit3D, a set of 2D points (which becomes a folder of keypoint files), or
    holds segments.jsonl and the takes of the CMU set: bvh.tar.xz, or .bvh files.  When packing the CMU set is
    interrupted, the same command goes on where it stopped.
    """
    if not source.is_dir():
        raise UserError(f"{source} is no folder.", "Give the folder that holds the data set.")
    kind = detect(source) if kind == "auto" else kind
    _refuse_unheeded(context, kind)
    check_out(kind, out)
    try:
        if kind == "cmu":
            result = prepare_pack(source, out, min(jobs or os.cpu_count() or 1, _MOST_JOBS))
        else:
            result = prepare_set(kind, source, out, Options(captions, body_models, caption, teacher_part))
    except KeyboardInterrupt:
        kept = "goes on where this one stopped" if kind == "cmu" else "begins anew: nothing was written"
        click.echo(f"Interrupted.  The same command {kept}.", err=True)
        raise
    report = report or out.with_name(f"{out.stem}.report.json")
    write_atomically(report, (json.dumps(vars(result), indent=1, sort_keys=True) + "\n").encode())
    click.echo(result.summary())
    click.echo(f"{out} and {report} written in {result.seconds:.0f} s.")


def _refuse_unheeded(context: click.Context, kind: str) -> None:
    """UserError where an option was given that says nothing to the data set."""
    heeded = {name for names in HEEDED.values() for name in names}
    given = {name for name in heeded if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if unheeded := sorted(given - set(HEEDED[kind])):
        options = ", ".join("--" + name.replace("_", "-") for name in unheeded)
        raise UserError(f"A data set of the format {kind} does not heed {options}.", "Leave that out.")


def prepare_pack(source: Path, out: Path, jobs: int = 1) -> Report:
    """Pack the CMU set in the folder ``source`` into ``out`` with ``jobs`` processes."""
    started = time.monotonic()
    if not source.is_dir():
        raise UserError(f"{source} is no folder.", "Give the folder that holds segments.jsonl and the takes.")
    raw = cmu.read_segments(source / "segments.jsonl")
    work = out.with_name(f".{out.name}.work")
    report = Report()
    takes = _convert_all(source, {segment.take for segment in raw}, work, jobs, report)
    segments = _cut(raw, takes, report)
    used = {segment.take for segment in segments}
    for name in sorted(takes.keys() - used):
        report.takes_left_out[name] = "none of its segments could be used"
    if not segments:
        raise UserError(
            f"No segment of {source} could be used.", "See that the takes belong to segments.jsonl."
        )
    takes = {name: takes[name] for name in sorted(used)}
    Pack.save(out, takes, segments, cmu.NOTES)
    shutil.rmtree(work, ignore_errors=True)
    report.count(segments)
    report.takes, report.frames = len(takes), sum(map(len, takes.values()))
    report.bytes, report.seconds = out.stat().st_size, time.monotonic() - started
    return report


def _convert_all(
    source: Path, wanted: set[str], work: Path, jobs: int, report: Report
) -> dict[str, np.ndarray]:
    """Positions of every wanted take that can be read, converted now or in an earlier run."""
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(work, error) from error
    edition = _edition()
    takes: dict[str, np.ndarray] = {}
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_leave_interrupts_to_the_parent)
    pending: set[Future[tuple[str, str, bool]]] = set()
    try:
        with progress_bar(total=len(wanted), unit="take", desc="Converting") as bar:
            for name, text in _read_checked(source, wanted, report):
                pending.add(pool.submit(_convert_one, name, text, work, edition))
                if len(pending) >= jobs * _AHEAD:
                    pending = _collect(pending, work, takes, report, bar)
            while pending:
                pending = _collect(pending, work, takes, report, bar)
    except BrokenProcessPool as error:
        raise UserError(
            "A process that converted takes was killed, most likely for want of memory.",
            "Run the same command again, with --jobs 1: finished takes are kept.",
        ) from error
    except OSError as error:
        raise _unwritable(work, error) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    for name in sorted(wanted - takes.keys() - report.takes_left_out.keys()):
        report.takes_left_out[name] = "the source has no such take"
    return takes


def _read_checked(source: Path, wanted: set[str], report: Report) -> Iterator[tuple[str, bytes]]:
    for name, text in cmu.read_takes(source, wanted):
        if text is None:
            report.takes_left_out[name] = "no segment names it"
        else:
            yield name, text


def _collect(
    pending: set[Future[tuple[str, str, bool]]],
    work: Path,
    takes: dict[str, np.ndarray],
    report: Report,
    bar: Any,
) -> set[Future[tuple[str, str, bool]]]:
    done, rest = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        name, problem, reused = future.result()
        report.reused += reused
        if problem:
            report.takes_left_out[name] = problem
        else:
            takes[name] = _load_result(work / f"{name}.npz")[1]
        bar.update()
    return rest


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _unwritable(work: Path, error: OSError) -> UserError:
    return UserError(
        f"Results cannot be kept in {work} ({error.strerror}).",
        "Choose a place for the pack that is writable and has 300 MB free.",
    )


def _convert_one(name: str, text: bytes, work: Path, edition: str) -> tuple[str, str, bool]:
    """Convert one take into the work folder; returns its name, what is wrong, and whether it was there."""
    path = work / f"{name}.npz"
    fingerprint = hashlib.sha256(edition.encode() + text).hexdigest()
    try:
        if _load_result(path)[0] == fingerprint:
            return name, "", True
    except (OSError, ValueError, KeyError, BadZipFile):
        pass  # not there yet, or damaged
    try:
        positions = cmu.convert(text, name)
    except UserError as error:
        return name, f"broken: {error.message}", False
    if not np.isfinite(positions).all():
        return name, "holds NaN or infinite positions", False
    _save_result(path, fingerprint, positions)
    return name, "", False


def _save_result(path: Path, fingerprint: str, positions: np.ndarray) -> None:
    temporary = path.with_suffix(".partial.npz")
    np.savez(temporary, fingerprint=np.array(fingerprint), positions=positions.astype(np.float32))
    os.replace(temporary, path)


def _load_result(path: Path) -> tuple[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return str(archive["fingerprint"]), archive["positions"]


def _edition() -> str:
    """A digest of the code that converts: results of other code are not reused."""
    modules = (body, bvh, resample, rotations, skeleton_map, cmu)
    return hashlib.sha256("".join(map(inspect.getsource, modules)).encode()).hexdigest()


def _cut(raw: list[cmu.RawSegment], takes: dict[str, np.ndarray], report: Report) -> list[Segment]:
    """Segments in frames, without those that cannot be used."""
    group = cmu.groups(raw)
    segments = []
    for item in raw:
        if item.take not in takes:
            report.segments_left_out[item.id] = f"its take is left out: {report.takes_left_out[item.take]}"
            continue
        start = max(0, round(item.start * FPS))
        end = min(len(takes[item.take]), round(item.end * FPS))
        if end - start < cmu.MIN_SECONDS * FPS:
            report.segments_left_out[item.id] = f"shorter than {cmu.MIN_SECONDS:g} s"
            continue
        suspect = cmu.implausible(takes[item.take][start:end])
        if item.suspect:
            suspect = "; ".join(filter(None, ["marked suspect in the source", suspect]))
        if suspect:
            report.segments_suspect[item.id] = suspect
        segments.append(
            Segment(
                id=item.id,
                take=item.take,
                start_frame=start,
                end_frame=end,
                split=item.split,
                role=item.role,
                captions=item.captions,
                caption_source=item.caption_source,
                group=group[item.take],
                description=item.description,
                subject=item.subject,
                humanml3d=item.humanml3d,
                suspect=suspect,
            )
        )
    return segments
