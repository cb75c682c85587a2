# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns of the collar bones."""

from __future__ import annotations

import numpy as np

from . import reference
from .frames import compose, inverse, partly, rotate, swing
from .reference import joint
from .rig import Array
from .slots import SIDES

# The collars of the motion's body were fitted to make its shoulders meet the markers; the full amount of
# their turn looks like shrugging on most rigs.
SHARE = 0.5


def collar_turns(positions: Array, chest: Array, hanging: tuple[float, float]) -> Array:
    """(2, T, 4) turns of the collar bones, left and right.

    positions: (T, 22, 3); chest: (T, 4) turn of the chest.
    hanging:   how far the rig's arms hang at rest, 0 (level, T-pose) to 1 (down): the shoulder of that pose
               is the one that the motion's is compared with.
    """
    share = np.array(hanging)[:, None, None]
    rest = (1.0 - share) * reference.COLLAR_LEVEL + share * reference.COLLAR_HANGING
    rest = rest * np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])[:, None]
    shoulders, collars = (
        np.stack([positions[:, joint(f"{side}_{name}")] for side in SIDES]) for name in ("shoulder", "collar")
    )
    bone = shoulders - collars
    return compose(chest, partly(swing(rest, rotate(inverse(chest), bone)), SHARE))
