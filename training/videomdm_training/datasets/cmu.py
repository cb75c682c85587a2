# SPDX-License-Identifier: Apache-2.0
"""The CMU set as it is delivered: a list of captioned segments, and BVH takes in an archive or a folder."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.body import first_frame_to_origin, floor_height
from videomdm.motion.bvh import parse_bvh
from videomdm.motion.clip import FPS
from videomdm.motion.cmu import from_cmu

NOTES = {
    "name": "CMU Graphics Lab motion capture database",
    "licence": "may be used in commercial products, but may not be resold directly, even in converted form",
    "credit": "mocap.cs.cmu.edu, created with funding from NSF EIA-0196217",
    "captions": "caption_source says whose: project may be used freely, humanml3d for evaluation only",
}
ARCHIVES = ("bvh.tar.xz", "bvh.tar.gz", "bvh.tar")
MIN_SECONDS = 1.0
_SPLITS = ("train", "val", "test", "beside_test")
_ROLES = ("teacher", "prior")

# Limits of what a person can do, on the packed body, metres and seconds.  See ``implausible``.
MAX_ROOT_SPEED = 10.0
MAX_JOINT_SPEED = 25.0
MAX_PELVIS_HEIGHT = 2.0
MAX_BELOW_FLOOR = 0.25
MAX_FLOATING = 0.5


@dataclass(frozen=True)
class RawSegment:
    """A line of segments.jsonl: times in seconds, words, and where it may be used."""

    id: str
    take: str
    start: float
    end: float
    split: str
    role: str
    captions: tuple[str, ...]
    caption_source: str
    description: str
    subject: str
    humanml3d: str
    same_motion_as: str
    suspect: bool


def takes_of(folder: Path) -> str:
    """What of the CMU set's takes lies in ``folder``: the archive, or "BVH files"; "" where nothing does."""
    for name in ARCHIVES:
        if (folder / name).is_file():
            return name
    return "BVH files" if any((*folder.glob("*.bvh"), *folder.glob("bvh/*.bvh"))) else ""


def read_segments(path: Path) -> list[RawSegment]:
    """All segments of a segments.jsonl file; UserError names the line that is wrong."""
    advice = "Restore segments.jsonl from the source of the data."
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The list of segments {path} cannot be read ({error}).", advice) from error
    segments = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                segments.append(_segment(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UserError(f"Line {number} of {path} is no segment ({error!r}).", advice) from error
    if not segments:
        raise UserError(f"{path} lists no segments.", advice)
    return segments


def _segment(values: dict[str, Any]) -> RawSegment:
    captions = tuple(str(caption).strip() for caption in values["captions"])
    if not captions or not all(captions):
        raise ValueError("a segment needs at least one caption")
    if values["split"] not in _SPLITS or values["role"] not in _ROLES:
        raise ValueError(f"unknown split or role {values['split']!r}, {values['role']!r}")
    return RawSegment(
        id=str(values["segment"]),
        take=str(values["clip"]),
        start=float(values["start"]),
        end=float(values["end"]),
        split=values["split"],
        role=values["role"],
        captions=captions,
        caption_source=str(values["caption_source"]),
        description=str(values.get("description") or ""),
        subject=str(values.get("subject") or ""),
        humanml3d=str(values.get("humanml3d") or ""),
        same_motion_as=str(values.get("same_motion_as") or ""),
        suspect=bool(values.get("suspect")),
    )


def groups(segments: list[RawSegment]) -> dict[str, str]:
    """Take -> group: takes that hold the same recording get one name, the first of them in sort order."""
    leader: dict[str, str] = {}

    def find(take: str) -> str:
        while leader.setdefault(take, take) != take:
            take = leader[take]
        return take

    for segment in segments:
        one, other = find(segment.take), find(segment.same_motion_as or segment.take)
        leader[max(one, other)] = min(one, other)
    return {take: find(take) for take in list(leader)}


def read_takes(source: Path, wanted: set[str]) -> Iterator[tuple[str, bytes | None]]:
    """(name, BVH text) of the wanted takes in ``source``, and (name, None) of takes that nobody wants.

    Takes come from the tar archive, read as a stream, or from the ``.bvh`` files of the folder or of its
    subfolder ``bvh``.  UserError where there are neither, or where the archive is damaged.
    """
    archive = next((source / name for name in ARCHIVES if (source / name).is_file()), None)
    if archive is None:
        files = sorted(source.glob("*.bvh")) or sorted((source / "bvh").glob("*.bvh"))
        if not files:
            raise UserError(
                f"{source} holds neither {ARCHIVES[0]} nor .bvh files.",
                "Give the folder that holds the takes and segments.jsonl.",
            )
        for file in files:
            yield file.stem, _read(file) if file.stem in wanted else None
        return
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if member.isfile() and name.suffix.lower() == ".bvh":
                    content = tar.extractfile(member) if name.stem in wanted else None
                    yield name.stem, None if content is None else content.read()
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise _bad_archive(archive, error) from error
    except Exception as error:  # lzma.LZMAError and zlib.error have no common base below Exception
        if type(error).__module__ not in ("_lzma", "zlib"):
            raise
        raise _bad_archive(archive, error) from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(
            f"The take {file} cannot be read ({error.strerror}).", "Check its permissions."
        ) from error


def _bad_archive(archive: Path, error: Exception) -> UserError:
    return UserError(
        f"The archive {archive} is damaged or incomplete ({error}).",
        "Copy it again from its source; takes that were already converted are kept.",
    )


def convert(text: bytes, name: str) -> np.ndarray:
    """(T, 22, 3) positions at 20 frames per second of one BVH take in centimetres, ready to be packed.

    The floor is at y = 0, the first frame faces +Z with the pelvis over the origin.
    """
    take = parse_bvh(text.decode("utf-8-sig", errors="replace"), f"{name}.bvh", scale=0.01)
    positions = first_frame_to_origin(from_cmu(take, FPS))
    positions[..., 1] -= floor_height(positions, FPS)
    return positions


def implausible(positions: np.ndarray, fps: float = FPS) -> str:
    """Why a clip (T, 22, 3) cannot be a person on a floor at y = 0; "" where it can.

    Heights and speeds are measured joint by joint; the limits lie beyond the fastest sprint, punch and kick.
    """
    if not np.isfinite(positions).all():
        return "holds NaN or infinite positions"
    speeds = np.linalg.norm(np.diff(positions, axis=0), axis=-1) * fps
    lowest = positions[..., 1].min(axis=-1)
    measures = (
        ("root speed", "m/s", float(np.max(speeds[:, 0], initial=0.0)), MAX_ROOT_SPEED),
        ("joint speed", "m/s", float(np.max(speeds, initial=0.0)), MAX_JOINT_SPEED),
        ("pelvis height", "m", float(positions[:, 0, 1].max()), MAX_PELVIS_HEIGHT),
        ("depth below the floor", "m", float(-lowest.min()), MAX_BELOW_FLOOR),
        ("smallest height above the floor", "m", float(lowest.min()), MAX_FLOATING),
    )
    return "; ".join(
        f"{what} {value:.2f} {unit} is over {limit:g} {unit}"
        for what, unit, value, limit in measures
        if value > limit
    )
