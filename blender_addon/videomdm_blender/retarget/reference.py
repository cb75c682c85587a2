# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of the motions, standing upright: what a rig's rest pose is compared with.

Of the torso only how much it turns against this pose goes to the rig, because the curves of spines differ
between rigs; limbs are matched by direction and need no reference.  Pelvis, chest and head have theirs in
``videomdm.motion.inverse``; here are collars and feet.
"""

from __future__ import annotations

import numpy as np

from videomdm.motion import skeleton

from .frames import unit


def joint(name: str) -> int:
    """The index of a joint among the 22."""
    return skeleton.JOINT_NAMES.index(name)


# From the left collar joint to the shoulder, arms level and arms hanging.  Bodies disagree on the first: the
# models of SMPL raise the shoulder with the arm, motion capture hardly does; this lies between.
COLLAR_LEVEL = unit(np.array([0.107, -0.010, -0.012]))
COLLAR_HANGING = unit(np.array([0.116, -0.048, -0.015]))

FLAT_FOOT_ANKLE, FLAT_FOOT_TOE = 0.055, 0.015  # metres of the joints above the floor when the sole is flat
FLAT_FOOT_PITCH = np.radians(16.0)  # how far the line from ankle to toe joint falls when the sole is flat
