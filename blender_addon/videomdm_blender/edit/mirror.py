# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right change places."""

from __future__ import annotations

import re
from dataclasses import replace

from videomdm.motion import Motion
from videomdm.motion.skeleton import mirror_positions

OPPOSITES = {
    "left": "right",
    "right": "left",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
}
SIDED = re.compile(rf"\b({'|'.join(OPPOSITES)})\b", re.IGNORECASE)


def mirrored(motion: Motion) -> Motion:
    """``motion`` seen in a mirror that stands in the plane of its first forward direction and the vertical.

    Joints, contacts and the words "left" and "right" of the caption change sides.  Features are dropped:
    encode the positions again.
    """
    assert motion.contacts is not None
    return replace(
        motion,
        positions=mirror_positions(motion.positions),
        contacts=motion.contacts[:, [2, 3, 0, 1]],
        features=None,
        caption=SIDED.sub(_opposite, motion.caption),
    )


def _opposite(match: re.Match[str]) -> str:
    word = match.group()
    other = OPPOSITES[word.lower()]
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other
