# SPDX-License-Identifier: Apache-2.0
"""Segments that have words: of some sets, held-out segments have none and measure the lifter only."""

from __future__ import annotations

from collections.abc import Sequence

from ..datasets.pack import Segment
from ..sources import usable


def captioned(segments: Sequence[Segment]) -> list[Segment]:
    """Segments of at least a second that have a caption."""
    return [segment for segment in usable(segments) if segment.captions]
