# SPDX-License-Identifier: Apache-2.0
"""What a preparation did, for people and for a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from videomdm.motion.clip import FPS

from .pack import Segment


@dataclass
class Report:
    """What a preparation did, and what it left out and why."""

    seconds: float = 0.0
    takes: int = 0
    reused: int = 0  # takes that an interrupted run had converted
    frames: int = 0
    bytes: int = 0
    segments: dict[str, int] = field(default_factory=dict)
    hours: dict[str, float] = field(default_factory=dict)
    takes_left_out: dict[str, str] = field(default_factory=dict)
    segments_left_out: dict[str, str] = field(default_factory=dict)
    segments_suspect: dict[str, str] = field(default_factory=dict)

    def summary(self) -> str:
        """A few lines for the terminal."""
        rows = [f"{self.takes} takes, {self.frames / FPS / 3600:.2f} h, {self.bytes / 2**20:.1f} MiB"]
        rows += [
            f"  {key}: {n} segments, {self.hours[key]:.2f} h" for key, n in sorted(self.segments.items())
        ]
        for what, left in (
            ("takes left out", self.takes_left_out),
            ("segments left out", self.segments_left_out),
            ("segments kept but marked suspect", self.segments_suspect),
        ):
            rows.append(f"{what}: {len(left)}")
            # "joint speed 29.1 m/s is over ..." counts as "joint speed"
            kinds = Counter(re.split(r"[;:]| -?\d", reason)[0] for reason in left.values())
            rows += [f"  {count} x {kind}" for kind, count in kinds.most_common(8)]
        return "\n".join(rows)

    def count(self, segments: Iterable[Segment]) -> None:
        """Add the segments that were packed."""
        for segment in segments:
            key = f"{segment.split}/{segment.role}"
            self.segments[key] = self.segments.get(key, 0) + 1
            self.hours[key] = self.hours.get(key, 0.0) + len(segment) / FPS / 3600
