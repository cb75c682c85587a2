# SPDX-License-Identifier: Apache-2.0
"""Video files, frame by frame, upright and evenly spaced in time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import UserError

USUAL_FPS = 25.0  # where a file does not say


@dataclass(frozen=True)
class VideoInfo:
    """What a video is, known before its frames are read.

    fps:    frames per second at which it will be read.
    width, height: pixels of the upright image.
    frames: about how many frames will come; None where the file does not say how long it is.
    start:  seconds into the video of the first frame.
    """

    fps: float
    width: int
    height: int
    frames: int | None
    start: float


def require_av() -> ModuleType:
    """The module ``av`` (PyAV); UserError with the way to install it where it is missing."""
    try:
        import av
    except ImportError as error:
        raise UserError(
            "Reading and writing video needs PyAV, which is not installed.",
            "Install it with: pip install 'videomdm[video]'",
            code="missing-package",
        ) from error
    return av


class Video:
    """A video file as upright RGB frames at a constant rate.

    Frames are placed by their timestamps: each moment of an even grid gets the frame nearest to it, so files
    with a variable frame rate keep their speed.  A rotation that the file asks for is applied.

    start, end: seconds; None for the whole video.
    fps:        frames per second to read at; None for the file's own average rate.

    UserError where the file is missing, is no video or has nothing in that range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        start: float | None = None,
        end: float | None = None,
        fps: float | None = None,
    ) -> None:
        self.path = Path(path)
        self._av = require_av()
        if not self.path.is_file():
            raise UserError(f"There is no video file {self.path}.", "Check the path.")
        if fps is not None and not 1 <= fps <= 240:
            raise UserError(f"A frame rate of {fps:g} cannot be used.", "Choose one from 1 to 240.")
        begin = max(0.0, start or 0.0)
        if end is not None and end <= begin:
            raise UserError(
                f"The end ({end:g} s) does not come after the start ({begin:g} s).", "Change one."
            )
        self._end = np.inf if end is None else end
        with self._open() as container:
            stream = container.streams.video[0]
            self._own_fps, seconds = _timing(container, stream)
        with self._open() as container:
            first = next((image for _, image in self._timed(container)), None)
        if first is None:
            raise self._unreadable("it has no pictures")
        if begin >= seconds:
            raise UserError(
                f"{self.path} is {seconds:.2f} s long; nothing is left from {begin:g} s on.",
                "Choose an earlier start.",
            )
        fps = fps or self._own_fps
        if not 1 <= fps < 1000:
            raise UserError(
                f"{self.path} has {fps:g} frames a second.", "Choose a rate to read it at (--fps)."
            )
        until = min(self._end, seconds)
        self.info = VideoInfo(
            fps=fps,
            width=first.shape[1],
            height=first.shape[0],
            frames=int(np.ceil((until - begin) * fps - 1e-3)) if np.isfinite(until) else None,
            start=begin,
        )

    def __iter__(self) -> Iterator[np.ndarray]:
        """The frames, each (height, width, 3) uint8 RGB."""
        begin, step = self.info.start, 1.0 / self.info.fps
        given = 0
        before: tuple[float, np.ndarray] | None = None
        with self._open() as container:
            for at, image in self._timed(container, begin):
                if before is not None:
                    middle = (before[0] + at) / 2
                    while begin + given * step < min(middle, self._end - 1e-3 * step):
                        yield before[1]
                        given += 1
                    if middle >= self._end:
                        return
                before = (at, image)
        if before is not None:
            over = min(before[0] + 1 / self._own_fps, self._end) - 1e-3 * step
            while begin + given * step < over:
                yield before[1]
                given += 1

    def _open(self) -> Any:
        try:
            container = self._av.open(str(self.path))
        except self._av.FFmpegError as error:
            raise self._unreadable(error.strerror) from error
        if not container.streams.video:
            container.close()
            raise self._unreadable("it has no video stream")
        return container

    def _timed(self, container: Any, begin: float = 0.0) -> Iterator[tuple[float, np.ndarray]]:
        """Pairs of seconds since the video's start and upright image, from the key frame before ``begin``."""
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        zero = (stream.start_time or 0) * stream.time_base if stream.time_base else Fraction(0)
        count = 0
        try:
            if begin > 0 and stream.time_base:
                container.seek(int((Fraction(begin) + zero) / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                known = frame.pts is not None and stream.time_base
                at = float(frame.pts * stream.time_base - zero) if known else count / self._own_fps
                count += 1
                # Nothing but the frame just before the beginning can be nearest to a moment after it.
                if at >= begin - 2.0 / self._own_fps:
                    yield at, _upright(frame)
        except self._av.FFmpegError as error:
            raise self._unreadable(error.strerror) from error

    def _unreadable(self, reason: str) -> UserError:
        return UserError(
            f"{self.path} cannot be read as a video: {reason}.",
            "Convert it to MP4 (H.264), or give another file.",
            code="unreadable-video",
        )


def _timing(container: Any, stream: Any) -> tuple[float, float]:
    """Mean frames per second and seconds of a video, from its packets' timestamps.

    Where it has none, what its header says; the length is then infinite if the header does not tell.
    """
    times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
    if len(times) > 1 and stream.time_base and max(times) > min(times):
        span = float((max(times) - min(times)) * stream.time_base)
        rate = (len(times) - 1) / span
        # Timestamps are rounded, whole rates are common.
        rate = round(rate) if abs(rate - round(rate)) < 0.005 else rate
        return rate, span + 1 / rate
    rate = float(stream.average_rate or stream.guessed_rate or USUAL_FPS)
    if stream.duration and stream.time_base:
        return rate, float(stream.duration * stream.time_base)
    return rate, container.duration / 1e6 if container.duration else float("inf")


def _upright(frame: Any) -> np.ndarray:
    """A decoded frame as contiguous RGB, turned as its display matrix asks (a multiple of 90 degrees)."""
    image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90) % 4))
