# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns of the collar bones."""

from __future__ import annotations

from . import reference
from .frames import compose, inverse, partly, rotate, swing
from .reference import joint
from .rig import Array

# The collars of the motion's body were fitted to make its shoulders meet the markers; the full amount of
# their turn looks like shrugging on most rigs.
SHARE = 0.5


def collar_turn(positions: Array, chest: Array, side: str, hanging: float) -> Array:
    """(T, 4) turn of a collar bone.

    positions: (T, 22, 3); chest: (T, 4) turn of the chest.
    hanging:   how far the rig's arm hangs at rest, 0 (level, T-pose) to 1 (down): the shoulder of that pose
               is the one that the motion's is compared with.
    """
    rest = (1.0 - hanging) * reference.COLLAR_LEVEL + hanging * reference.COLLAR_HANGING
    if side == "right":
        rest = rest * (-1.0, 1.0, 1.0)
    bone = positions[:, joint(f"{side}_shoulder")] - positions[:, joint(f"{side}_collar")]
    return compose(chest, partly(swing(rest, rotate(inverse(chest), bone)), SHARE))
