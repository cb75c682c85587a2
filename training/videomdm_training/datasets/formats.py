# SPDX-License-Identifier: Apache-2.0
"""The data sets that can be prepared, how they are told apart, and their way into a pack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from videomdm.errors import UserError
from videomdm.progress import progress_bar

from . import amass, cmu, fit3d, footage, humanml3d, points2d
from .left_out import LeftOut
from .pack import FARTHEST, Pack
from .report import Report
from .takes import PAGE, Options, Take

Reader = Callable[[Path, Options, LeftOut], Iterator[Take]]
READERS: dict[str, tuple[Callable[[Path], bool], Reader, dict[str, str]]] = {
    "humanml3d": (humanml3d.found, humanml3d.read, humanml3d.NOTES),
    "fit3d": (fit3d.found, fit3d.read, fit3d.NOTES),
    "amass": (amass.found, amass.read, amass.NOTES),
}
# the options of `prepare` that each format heeds, beside -o, --format and --report
HEEDED = {
    "cmu": ("jobs",),
    "humanml3d": ("teacher_part",),
    "fit3d": ("caption", "teacher_part"),
    "amass": ("captions", "body_models", "caption", "teacher_part"),
    "points2d": ("captions", "caption"),
}
FORMATS = tuple(HEEDED)


def check_out(kind: str, out: Path) -> None:
    """UserError where what a set of format ``kind`` becomes cannot be written to ``out``."""
    if kind == "points2d":
        if out.exists():
            raise UserError(
                f"{out} exists already; a set of 2D points becomes a new folder of keypoint files.",
                "Remove it, or give another name with -o.",
            )
    elif out.is_dir():
        raise UserError(
            f"{out} is a folder; the pack is a file.", f"Give a file with -o, such as {out}.pack."
        )


def detect(source: Path) -> str:
    """The format of a folder; UserError where it is none that is known."""
    if (source / "segments.jsonl").is_file():
        return "cmu"
    for kind, (found, _, _) in READERS.items():
        if found(source):
            return kind
    if points2d.found(source):
        return "points2d"
    if footage.is_footage(source):
        raise UserError(
            f"{source} holds keypoints files with captions.",
            "They need no preparing: give them to train fit.",
        )
    if takes := cmu.takes_of(source):
        raise UserError(
            f"{source} holds {takes}, but no segments.jsonl, which says what the takes show and where.",
            "Put segments.jsonl beside them.",
        )
    raise UserError(
        f"{source} is no data set that is known.",
        f"Say with --format which of {', '.join(FORMATS)} it is; {PAGE} shows what each looks like.",
    )


def prepare_set(kind: str, source: Path, out: Path, options: Options) -> Report:
    """Prepare ``source`` of format ``kind`` into the pack, or for 2D points the folder, ``out``."""
    started = time.monotonic()
    left_out, report = LeftOut(), Report()
    if kind == "points2d":
        report.takes = points2d.convert(source, out, options, left_out)
        report.bytes = sum(file.stat().st_size for file in out.iterdir())
    else:
        _pack(kind, source, out, options, left_out, report)
    report.takes_left_out |= left_out
    report.seconds = time.monotonic() - started
    return report


def _pack(kind: str, source: Path, out: Path, options: Options, left_out: LeftOut, report: Report) -> None:
    _, read, notes = READERS[kind]
    positions, segments, cameras = {}, [], {}
    for take in progress_bar(read(source, options, left_out), unit="take", desc=kind):
        if not take.segments:
            left_out.add(take.name, "it has no captioned stretch of a second")
            continue
        if not float(np.abs(take.positions).max()) <= FARTHEST:
            left_out.add(take.name, f"it is more than {FARTHEST:g} m from the origin at times")
            continue
        positions[take.name] = take.positions
        segments += take.segments
        if take.cameras:
            cameras[take.name] = list(take.cameras)
    if not segments:
        reasons = "; ".join(sorted(set(left_out.values()))[:2]) or "no files were found"
        raise UserError(f"No clip of {source} could be used: {reasons}.", "See that the folder is complete.")
    more: dict[str, Any] = {"cameras": cameras} if cameras else {}
    Pack.save(out, positions, segments, {**notes, **more})
    report.count(segments)
    report.segments_suspect |= {segment.id: segment.suspect for segment in segments if segment.suspect}
    report.takes, report.frames = len(positions), sum(map(len, positions.values()))
    report.bytes = out.stat().st_size
