# SPDX-License-Identifier: Apache-2.0
"""Everybody that a detector saw, frame by frame, before one person is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .layout import COUNT


@dataclass(frozen=True)
class People:
    """The people of an image sequence, in the canonical layout.

    frames: for each of T frames an array (P, 27, 3) of its P people: x, y in pixels, confidence.  The order
            within a frame means nothing.
    fps, width, height, source, provenance: as in ``Keypoints``.
    notes:  what had to be assumed, in sentences for the user.
    """

    frames: list[np.ndarray]
    fps: float
    width: int
    height: int
    source: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for frame in self.frames:
            if frame.ndim != 3 or frame.shape[1:] != (COUNT, 3):
                raise ValueError(f"each frame must be (P, {COUNT}, 3), not {frame.shape}")

    def __len__(self) -> int:
        return len(self.frames)
