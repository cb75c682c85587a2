# SPDX-License-Identifier: Apache-2.0
"""What the readers of 3D data sets give: takes of motion with their captioned segments.

A reader is one small module with ``found(folder)``, which says whether a folder looks like its data set, with
``NOTES`` on licence and credit, and with ``read(folder, options, left_out)``, which yields takes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from videomdm.motion.clip import FPS

from .cmu import implausible
from .pack import Segment

SHORTEST, LONGEST = 20, 200  # frames of a segment
PAGE = '"Data sets and teachers" (docs/datasets.md)'  # where people read what each set looks like
LATEST = 1e6  # seconds: no take is longer


@dataclass(frozen=True)
class Options:
    """What a reader may need beside the folder.

    captions:     a file captions.csv, or for AMASS a HumanML3D directory.
    body_models:  folder or file of SMPL-H models (.npz).
    caption:      the words for clips that have none of their own.
    teacher_part: the part of the subjects (of the clips, where subjects are not known) whose 3D the lifter may see.
    """

    captions: Path | None = None
    body_models: Path | None = None
    caption: str = ""
    teacher_part: float = 0.2

    def role(self, subject: str, split: str) -> str:
        """ "teacher" or "prior"; the same for one subject always.  Held-out segments are never the teacher's."""
        draw = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:4], "big") / 2**32
        return "teacher" if split == "train" and draw < self.teacher_part else "prior"


@dataclass(frozen=True)
class Words:
    """A captioned stretch of a take: seconds (``end`` 0: to its end) and captions, which may be none."""

    captions: tuple[str, ...]
    start: float = 0.0
    end: float = 0.0
    split: str = "train"
    id: str = ""
    humanml3d: str = ""


def is_stretch(start: float, end: float) -> bool:
    """Whether these are seconds of a stretch; NaN and infinity are not, and ``end`` may be 0, the take's end."""
    return 0 <= start < LATEST and (end == 0 or start < end < LATEST)


@dataclass(frozen=True)
class Take:
    """One recording, ready to be packed.

    positions: (T, 22, 3) metres at 20 fps on the standard body, floor at 0, facing +Z from the origin.
    cameras:   real cameras in these coordinates, each {"R": 3 x 3, "t": 3} as lists.
    """

    name: str
    positions: np.ndarray
    segments: tuple[Segment, ...]
    cameras: tuple[dict[str, list], ...] = field(default=())


def segments_of(
    name: str,
    positions: np.ndarray,
    words: list[Words],
    options: Options,
    *,
    subject: str,
    source: str,
    group: str = "",
    description: str = "",
) -> Iterator[Segment]:
    """Segments of at most ten seconds; stretches shorter than a second are not worth a segment."""
    number = 0
    for stretch in words:
        first, end = (math.floor(seconds * FPS + 1e-3) for seconds in (stretch.start, stretch.end))
        end = min(end or len(positions), len(positions))
        for start in range(first, end - SHORTEST + 1, LONGEST):
            stop = min(start + LONGEST, end)
            role = options.role(subject or group or name, stretch.split)
            yield Segment(
                id=(stretch.id or f"{name}_{number}") + (f"_{number}" if stretch.id and number else ""),
                take=name,
                start_frame=start,
                end_frame=stop,
                split=stretch.split,
                role="teacher" if not stretch.captions and stretch.split == "train" else role,
                captions=stretch.captions,
                caption_source=source,
                group=group or name,
                description=description or (stretch.captions[0] if stretch.captions else ""),
                subject=subject,
                humanml3d=stretch.humanml3d,
                suspect=implausible(positions[start:stop], FPS),
            )
            number += 1
