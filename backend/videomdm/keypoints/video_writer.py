# SPDX-License-Identifier: Apache-2.0
"""Video files, written frame by frame."""

from __future__ import annotations

import os
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from ..motion.files import replacing
from .video import require_av


class VideoWriter:
    """Writes an MP4 (H.264) frame by frame; a context manager.

    The file appears under its name when the block ends without an error, and not at all otherwise.  Odd widths
    and heights lose one pixel.  UserError where the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float, width: int, height: int) -> None:
        self.path = Path(path)
        self._av = require_av()
        self._rate = Fraction(fps).limit_denominator(1001)
        self._width, self._height = width // 2 * 2, height // 2 * 2

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            self._container = stack.enter_context(self._av.open(str(temporary), "w", format="mp4"))
            self._stream = self._container.add_stream("libx264", rate=self._rate)
            self._stream.width, self._stream.height = self._width, self._height
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": "23", "preset": "veryfast"}
            stack.push(self._flush)
            self._leave = stack.pop_all()
        return self

    def write(self, image: np.ndarray) -> None:
        """Append one (height, width, 3) uint8 RGB frame."""
        even = np.ascontiguousarray(image[: self._height, : self._width])
        frame = self._av.VideoFrame.from_ndarray(even, format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave.__exit__(kind, error, traceback)

    def _flush(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what the encoder still holds, unless the block failed."""
        if kind is None:
            self._container.mux(self._stream.encode())
