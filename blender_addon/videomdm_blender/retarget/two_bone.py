# SPDX-License-Identifier: GPL-3.0-or-later
"""Two-bone inverse kinematics in closed form: puts the end of an arm or a leg where it should be.

The bone between start and joint and the one after it keep their lengths, and the limb its own plane: the joint
bends about the axis about which it is bent already, then the whole limb swings to the target by the shortest way.
Where the target is where the end is, nothing turns at all.
"""

from __future__ import annotations

import numpy as np

from .frames import about, compose, cross, dot, rotate, soft_step, swing, unit
from .rig import Array

UNKNOWN, KNOWN = (
    0.03,
    0.12,
)  # sine of the bend below which the bones do not tell their axis, above which they do
BACKWARD = np.radians(
    3.0
)  # a limb bent backwards, which is noise of a straight one, is set right by such changes
SOFT = 0.02  # share of the limb's length over which it stretches out ever more slowly


def reach(upper: Array, lower: Array, hinge: Array, target: Array) -> tuple[Array, Array]:
    """Rotations (..., 4) of the upper and of the lower bone that bring the limb's end to ``target``.

    upper, lower: (..., 3) the two bones.
    hinge:        (..., 3) unit axis about which the joint bends, where the bones are too straight to tell.
    target:       (..., 3) where the end should be, from the start of the limb.  What lies out of reach is reached
                  for; nothing is stretched.
    """
    normal = cross(unit(upper), unit(lower))
    clear = soft_step(dot(normal, hinge), UNKNOWN, KNOWN)[..., None]
    axis = unit(clear * unit(normal) + (1.0 - clear) * hinge)
    # upper . (lower turned by angle about axis) = fixed + cosine * cos(angle) + sine * sin(angle)
    fixed = dot(upper, axis) * dot(lower, axis)
    cosine, sine = dot(upper, lower) - fixed, dot(upper, cross(axis, lower))
    wanted = (dot(target, target) - dot(upper, upper) - dot(lower, lower)) / 2.0
    bent = -np.arctan2(sine, cosine)
    bend = np.arccos(np.clip((wanted - fixed) / np.maximum(np.hypot(cosine, sine), 1e-12), -1.0, 1.0))
    backward = np.abs(bent) - bent
    bend = bend - backward * np.exp(-(((bend - np.abs(bent)) / BACKWARD) ** 2))
    turn = about(axis, bend - bent)
    whole = swing(upper + rotate(turn, lower), target)
    return whole, compose(whole, turn)


def softened(distance: Array, length: Array, kept: Array) -> Array:
    """Distances (...) from start to end that a limb of ``length`` (...) reaches without snapping straight.

    Up to ``kept`` (...), what the limb stretches to anyway, or 1 - SOFT of its length, nothing changes; beyond,
    the limb comes ever nearer to its length, with no corner in between.
    """
    start = np.clip(kept, (1.0 - SOFT) * length, (1.0 - 1e-4) * length)
    room = length - start
    over = np.maximum(distance - start, 0.0)
    return np.where(distance > start, start + room * (1.0 - np.exp(-over / room)), distance)
