# SPDX-License-Identifier: GPL-3.0-or-later
"""How toes bend.

The heel rises as the foot rolls over the toes: first where they begin, and when that leaves the floor, too, about
their tips.  Feet of some rigs have the joint of the toes in their middle and do little else.
"""

from __future__ import annotations

import numpy as np

from .feet import TOE_BEND
from .frames import soft_step
from .rig import Array

NEAR, FAR = 0.02, 0.08  # of the leg's length: how high toes that are not known lie flat, and do not


def rolled(height: Array, tip: Array) -> Array:
    """(2, T) how far ahead the toes begin when they are raised by ``height`` (2, T) and their tips stay in place.

    tip: (2, 1, 2) as of ``Stance.toe_tips``; where it is unknown they stay where they are.
    """
    ahead, below = tip[..., 0], tip[..., 1]
    level = np.sqrt(np.maximum(ahead**2 + below**2 - (below + height) ** 2, 0.0))
    ahead_of_rest: Array = np.maximum(ahead - level, 0.0)
    return ahead_of_rest


def bent_toes(lifted: Array, height: Array, tip: Array, leg_length: float) -> Array:
    """(2, T) radians by which toes bend up against the foot.

    lifted: (2, T) radians by which the foot points down; height: (2, T) of where the toes begin, over where it is
    on flat feet; tip: (2, 2) as of ``Stance.toe_tips``.

    Toes lie flat, or point down as far as their tips stay on the floor.
    """
    lifted = np.maximum(lifted, 0.0)
    far = np.hypot(tip[:, 0], tip[:, 1])[:, None]
    known = far > 0.0
    rest = np.arctan2(tip[:, 1], tip[:, 0])[:, None]
    sine = (tip[:, 1:] + np.maximum(height, 0.0)) / np.where(known, far, 1.0)
    room = np.arcsin(np.clip(sine, -1.0, 1.0)) - rest
    flat = lifted * (1.0 - soft_step(height, NEAR * leg_length, FAR * leg_length))
    return np.clip(np.where(known, lifted - room, flat), 0.0, TOE_BEND)
