# SPDX-License-Identifier: Apache-2.0
"""The keypoints of one person through a clip, and their file.

A keypoints file is one JSON object: ``format`` ("videomdm-keypoints"), ``version``, ``layout``, ``fps``,
``width``, ``height``, ``source``, ``provenance``, and for every frame ``points`` (27 pairs, pixels) and
``confidence`` (27 numbers).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..errors import UserError
from ..limits import MAX_IMAGE_SIDE
from ..motion.files import read_bytes, write_atomically
from . import layout

FILE_FORMAT = "videomdm-keypoints"
FILE_VERSION = 1


@dataclass(frozen=True)
class Keypoints:
    """One person in an image sequence, in the canonical layout.

    points:     (T, 27, 2) float32 pixels of the upright image, origin at its top left corner.
    confidence: (T, 27) float32 from 0 (not seen; the point is then 0, 0) to 1.
    fps:        frames per second.
    width, height: image size, pixels.
    source:     the file the points came from.
    provenance: how they were made: detector, steps, notes... (JSON values only).
    """

    points: np.ndarray
    confidence: np.ndarray
    fps: float
    width: int
    height: int
    source: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        points = np.array(self.points, dtype=np.float32)
        confidence = np.ascontiguousarray(self.confidence, dtype=np.float32)
        if points.ndim != 3 or points.shape[1:] != (layout.COUNT, 2) or len(points) == 0:
            raise ValueError(f"points must be (T, {layout.COUNT}, 2) with T > 0, not {points.shape}")
        if confidence.shape != points.shape[:2]:
            raise ValueError(f"confidence must be {points.shape[:2]}, not {confidence.shape}")
        if not (np.isfinite(points).all() and np.isfinite(confidence).all()):
            raise ValueError("points or confidence hold NaN or infinite values")
        if (confidence < 0).any() or (confidence > 1).any():
            raise ValueError("confidence must lie between 0 and 1")
        if not 1 <= self.fps < 1000:
            raise ValueError(f"fps must lie between 1 and 1000, not {self.fps}")
        if not (1 <= self.width <= MAX_IMAGE_SIDE and 1 <= self.height <= MAX_IMAGE_SIDE):
            raise ValueError(f"width and height must lie between 1 and {MAX_IMAGE_SIDE} pixels")
        points[confidence == 0] = 0
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "confidence", confidence)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self) / self.fps

    @property
    def seen(self) -> np.ndarray:
        """(T,) bool: frames in which at least one point was seen."""
        return np.any(self.confidence > 0, axis=1)

    @property
    def coverage(self) -> float:
        """The part of the frames in which the person was seen, 0 to 1."""
        return float(self.seen.mean())

    def noted(self, **provenance: Any) -> Keypoints:
        """A copy with further entries in ``provenance``."""
        return replace(self, provenance={**self.provenance, **provenance})

    def part(self, start: int, stop: int) -> Keypoints:
        """Frames ``start`` to ``stop`` (exclusive); ``provenance["start"]`` moves on by as many seconds."""
        begin = self.provenance.get("start")
        if not isinstance(begin, int | float) or abs(begin) > 1e9:
            begin = 0.0  # none, or from a file that says anything
        begin += start / self.fps
        part = replace(self, points=self.points[start:stop], confidence=self.confidence[start:stop])
        return part.noted(start=round(begin, 6))

    def trimmed(self) -> Keypoints:
        """The frames from the first to the last in which the person was seen."""
        frames = np.flatnonzero(self.seen)
        if len(frames) == 0:
            raise UserError(
                f"No person was seen in {self.source or 'these keypoints'}.", "Choose other footage."
            )
        return self.part(int(frames[0]), int(frames[-1]) + 1)

    def resampled(self, fps: float) -> Keypoints:
        """The same clip at another frame rate, by linear interpolation.

        A new frame between two frames has the lower of their confidences, 0 where either was not seen.
        Smooth before going to a lower rate (``clean.smooth``), or motion above half the new rate folds over.
        """
        count = max(1, int(np.floor((len(self) - 1) / self.fps * fps + 1e-6)) + 1)
        position = np.minimum(np.arange(count) * (self.fps / fps), len(self) - 1)
        before = np.floor(position + 1e-6).astype(int)
        after = np.minimum(before + 1, len(self) - 1)
        fraction = np.clip(position - before, 0.0, 1.0)[:, None]
        fraction[fraction < 1e-5] = 0.0
        points = (1 - fraction[..., None]) * self.points[before] + fraction[..., None] * self.points[after]
        lower = np.minimum(self.confidence[before], self.confidence[after])
        confidence = np.where(fraction == 0, self.confidence[before], lower)
        return replace(self, points=points, confidence=confidence, fps=float(fps))

    def to_bytes(self) -> bytes:
        """The bytes of a keypoints file; coordinates to 1/100 pixel, confidence to 1/1000."""
        file = _File(
            format=FILE_FORMAT,
            version=FILE_VERSION,
            layout=layout.LAYOUT,
            fps=self.fps,
            width=self.width,
            height=self.height,
            source=self.source,
            provenance=dict(self.provenance),
            points=np.round(self.points.astype(np.float64), 2).tolist(),
            confidence=np.round(self.confidence.astype(np.float64), 3).tolist(),
        )
        return msgspec.json.encode(file)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a keypoints file.  It appears under its name only when it is complete."""
        return write_atomically(path, self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the keypoints") -> Keypoints:
        """Read a keypoints file from bytes; UserError where they are none."""
        advice = "Make the keypoints again with `videomdm keypoints`."
        try:
            file = msgspec.json.decode(data, type=_File)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UserError(f"{name} is not a readable keypoints file ({error}).", advice) from error
        if file.format != FILE_FORMAT or file.version != FILE_VERSION or file.layout != layout.LAYOUT:
            raise UserError(
                f"{name} is a keypoints file of another kind or version than {FILE_VERSION}.",
                f"Update videomdm. {advice}",
            )
        try:
            return cls(
                points=np.array(file.points, dtype=np.float32),
                confidence=np.array(file.confidence, dtype=np.float32),
                fps=file.fps,
                width=file.width,
                height=file.height,
                source=file.source,
                provenance=file.provenance,
            )
        except ValueError as error:
            raise UserError(f"{name} is a damaged keypoints file ({error}).", advice) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Keypoints:
        """Read a keypoints file; UserError where it is missing or unreadable."""
        return cls.from_bytes(read_bytes(path), str(path))


class _File(msgspec.Struct):
    """What a keypoints file holds; decoding checks every type."""

    format: str
    version: int
    layout: str
    fps: float
    width: int
    height: int
    source: str
    provenance: dict[str, Any]
    points: list[list[tuple[float, float]]]
    confidence: list[list[float]]
