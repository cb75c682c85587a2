# SPDX-License-Identifier: Apache-2.0
"""A packed data set: every take of motion and every captioned segment of it, in one file.

Layout, little endian::

    magic     8 bytes   b"VMDMPACK"
    version   uint32
    length    uint64    bytes of the index
    checksum  32 bytes  SHA-256 of index and motion
    index     xz        JSON: frame rate, units per metre, takes (name, frames), segments, notes
    motion    xz        prediction residuals of all takes

Motion is rounded to ``UNITS_PER_METRE``.  Each joint is taken relative to its parent and predicted to go on
with its last velocity; the first two frames of a take are predicted from zeros.  What the prediction
misses is small: it is folded to an unsigned number (zigzag), and stored one coordinate after the other
over all takes, low bytes first, then the middle bytes, then the high bytes.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import math
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import index as whole
from pathlib import Path
from typing import Any

import numpy as np

from videomdm.errors import UserError
from videomdm.motion.clip import FPS, write_atomically
from videomdm.motion.skeleton import JOINT_COUNT, PARENTS

MAGIC = b"VMDMPACK"
PACK_VERSION = 1
UNITS_PER_METRE = 2000
_HEADER = struct.Struct("<8sIQ32s")
_PLANES = 3  # bytes of a residual: 2**23 units, more than 4 km
FARTHEST = 500.0  # metres from the origin: a single frame astray makes residuals of at most eight times that
_MAX_INDEX = 1 << 28  # of an unpacked index, bytes
_MAX_FRAMES = 1 << 27  # of all takes together: 1,800 hours
_MAX_MEMORY = 1 << 28  # of the unpacker itself, bytes: it needs 65 MiB for what is written here


@dataclass(frozen=True)
class Segment:
    """A captioned stretch of a take.

    id:             its name in the source.
    take:           the take it lies in.
    start_frame:    first frame within the take.
    end_frame:      one past the last frame within the take.
    split:          "train", "val", "test" or "beside_test" (never train on it).
    role:           "teacher" or "prior".
    captions:       one or more sentences.
    caption_source: who wrote them: "project", "humanml3d", or "own", those that came with another set.  In the CMU
                    set HumanML3D's are for evaluation only, as its notes say; a HumanML3D directory trains on them.
    group:          takes that hold the same recording share this name.
    description:    the database's own words for the take.
    subject:        who was recorded.
    humanml3d:      the id of the same stretch in HumanML3D, or "".
    suspect:        why heights or speeds are not to be trusted, or "".
    """

    id: str
    take: str
    start_frame: int
    end_frame: int
    split: str
    role: str
    captions: tuple[str, ...]
    caption_source: str
    group: str
    description: str
    subject: str = ""
    humanml3d: str = ""
    suspect: str = ""

    def __len__(self) -> int:
        return self.end_frame - self.start_frame


@dataclass(frozen=True)
class Pack:
    """A packed data set in memory.

    positions: (N, 22, 3) float32, the takes one after the other; metres, Y up, floor at y = 0, each take
               facing +Z in its first frame with the pelvis over the origin.
    takes:     name of each take -> slice of its rows in ``positions``.
    segments:  all segments, in the source's order.
    fps:       frames per second.
    notes:     where the data comes from, its licence and credit.
    """

    positions: np.ndarray
    takes: Mapping[str, slice]
    segments: tuple[Segment, ...]
    fps: float = FPS
    notes: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, segment: Segment) -> slice:
        """The rows of ``positions`` that belong to a segment."""
        start = self.takes[segment.take].start
        return slice(start + segment.start_frame, start + segment.end_frame)

    def clip(self, segment: Segment) -> np.ndarray:
        """(T, 22, 3) view of a segment's positions, in the coordinates of its take."""
        return self.positions[self.rows(segment)]

    def select(
        self, split: str | None = None, role: str | None = None, suspect: bool = False
    ) -> list[Segment]:
        """Segments of a split and role (None: any); suspect ones only if asked for."""
        return [
            segment
            for segment in self.segments
            if (split is None or segment.split == split)
            and (role is None or segment.role == role)
            and (suspect or not segment.suspect)
        ]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Pack:
        """Read a pack; UserError where the file is missing, of another version or damaged."""
        path = Path(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"The packed data set {path} cannot be read ({error.strerror}).",
                "Make it with `videomdm train prepare`, or check the path.",
            ) from error
        index, motion = _open(data, str(path))
        try:
            lengths = [int(take["frames"]) for take in index["takes"]]
            units = float(index["units_per_metre"])
            if min(lengths, default=0) < 0 or sum(lengths) > _MAX_FRAMES or not 0 < units < math.inf:
                raise ValueError("no such takes")
            positions = _decode(_unpacked(motion, _PLANES * JOINT_COUNT * 3 * sum(lengths)), lengths, units)
            stops = np.cumsum(lengths).tolist()
            takes = {
                str(take["name"]): slice(stop - length, stop)
                for take, length, stop in zip(index["takes"], lengths, stops, strict=True)
            }
            segments = tuple(
                Segment(**{**segment, "captions": tuple(segment["captions"])})
                for segment in index["segments"]
            )
            for segment in segments:
                _check(segment, takes[segment.take].stop - takes[segment.take].start)
            return cls(positions, takes, segments, float(index["fps"]), dict(index["notes"]))
        except (KeyError, TypeError, ValueError, OverflowError, lzma.LZMAError) as error:
            raise _damaged(str(path)) from error

    @staticmethod
    def save(
        path: str | os.PathLike[str],
        takes: Mapping[str, np.ndarray],
        segments: Sequence[Segment],
        notes: Mapping[str, Any],
        fps: float = FPS,
    ) -> Path:
        """Write a pack of takes (name -> (T, 22, 3) metres) and their segments; whole or not at all."""
        for segment in segments:
            _check(segment, len(takes[segment.take]))
        index = {
            "fps": fps,
            "units_per_metre": UNITS_PER_METRE,
            "joints": "humanml3d-22",
            "takes": [{"name": name, "frames": len(positions)} for name, positions in takes.items()],
            "segments": [asdict(segment) for segment in segments],
            "notes": dict(notes),
        }
        packed_index = lzma.compress(json.dumps(index, separators=(",", ":")).encode(), preset=9)
        motion = lzma.compress(_encode(list(takes.values())), preset=6)
        digest = hashlib.sha256(packed_index + motion).digest()
        header = _HEADER.pack(MAGIC, PACK_VERSION, len(packed_index), digest)
        return write_atomically(path, header + packed_index + motion)


def _check(segment: Segment, frames: int) -> None:
    """ValueError unless a segment lies within its take of ``frames``; TypeError unless it counts in whole frames."""
    if not 0 <= whole(segment.start_frame) < whole(segment.end_frame) <= frames:
        raise ValueError(f"segment {segment.id} lies outside its take")


def _unpacked(data: bytes, size: int) -> bytes:
    """``size`` bytes out of xz; ValueError where it holds more or fewer, of which no more than these are unpacked."""
    unpacker = lzma.LZMADecompressor(memlimit=_MAX_MEMORY)
    unpacked = unpacker.decompress(data, max_length=size + 1)  # the one more lets it see the end
    if len(unpacked) != size or not unpacker.eof:
        raise ValueError("the motion is not as long as its takes")
    return unpacked


def _damaged(name: str) -> UserError:
    return UserError(
        f"The packed data set {name} is damaged or incomplete.",
        "Make it again with `videomdm train prepare`.",
    )


def _open(data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    """The index, and the packed motion, of a file that has the right version and checksum."""
    if len(data) < _HEADER.size or not data.startswith(MAGIC):
        raise UserError(
            f"{name} is not a packed data set.", "Give a file that `videomdm train prepare` wrote."
        )
    _, version, length, digest = _HEADER.unpack_from(data)
    if version != PACK_VERSION:
        raise UserError(
            f"{name} is a packed data set of version {version}, this program reads version {PACK_VERSION}.",
            "Make it again with `videomdm train prepare`.",
        )
    body = memoryview(data)[_HEADER.size :]
    if length > len(body) or hashlib.sha256(body).digest() != digest:
        raise _damaged(name)
    try:
        text = lzma.LZMADecompressor(memlimit=_MAX_MEMORY).decompress(
            bytes(body[:length]), max_length=_MAX_INDEX
        )
        index = json.loads(text)
    except (lzma.LZMAError, EOFError, ValueError, RecursionError) as error:
        raise _damaged(name) from error
    if not isinstance(index, dict):
        raise _damaged(name)
    return index, bytes(body[length:])


def _encode(takes: list[np.ndarray]) -> bytes:
    """Residuals of takes (T, 22, 3), as byte planes."""
    parents = np.maximum(np.array(PARENTS), 0)
    residuals = []
    for positions in takes:
        units = np.rint(np.asarray(positions, np.float64) * UNITS_PER_METRE).astype(np.int64)
        relative = units.copy()
        relative[:, 1:] -= units[:, parents[1:]]
        flat = relative.reshape(len(units), -1)
        padded = np.concatenate([np.zeros((2, flat.shape[1]), np.int64), flat])
        residuals.append(np.diff(padded, n=2, axis=0))
    signed = np.concatenate(residuals).T
    folded = (signed << 1) ^ (signed >> 63)
    if folded.size and np.max(folded) >= 1 << (8 * _PLANES):
        raise ValueError("positions are too far from the origin to be packed")
    return b"".join(((folded >> (8 * plane)) & 255).astype(np.uint8).tobytes() for plane in range(_PLANES))


def _decode(data: bytes, lengths: list[int], units_per_metre: float) -> np.ndarray:
    """(N, 22, 3) float32 positions of takes of ``lengths`` frames; ValueError where the sizes disagree."""
    N, width = sum(lengths), JOINT_COUNT * 3
    planes = np.frombuffer(data, np.uint8).reshape(_PLANES, width, N)
    positions = np.empty((N, JOINT_COUNT, 3), np.float32)
    units = np.empty((JOINT_COUNT, 3, N), np.int32)
    stops = np.cumsum(lengths)
    for joint, parent in enumerate(PARENTS):
        rows = slice(3 * joint, 3 * joint + 3)
        folded = np.zeros((3, N), np.int32)
        for plane in range(_PLANES):
            folded |= planes[plane, rows].astype(np.int32) << (8 * plane)
        residual = (folded >> 1) ^ -(folded & 1)
        for stop, length in zip(stops, lengths, strict=True):
            part = residual[:, stop - length : stop]
            units[joint, :, stop - length : stop] = part.cumsum(axis=1).cumsum(axis=1)
        if parent >= 0:
            units[joint] += units[parent]
        positions[:, joint] = units[joint].T * np.float32(1.0 / units_per_metre)
    return positions
