# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig in motion, before its turns become keys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .frames import Y, rotate
from .legs import Legs, posed_legs
from .rig import Array
from .slots import SIDES
from .stance import Stance

HEEL = 0.3  # of the way from ankle to toes the heel lies behind the ankle


@dataclass(frozen=True)
class Pose:
    """T frames of a rig, in the motion's axes and the rig's unit.

    turns: bone -> (T, 4).
    path:  (T, 3) the point between the hip joints.
    """

    turns: dict[str, Array]
    path: Array


@dataclass(frozen=True)
class Ground:
    """Where a rig's feet stand flat.

    floor: height of the floor.
    ankle, ball: (2,) heights above it of the ankles and of where the toes begin.
    heel:  (2, 3) from the ankle to the back of the heel on the floor, the foot flat as at rest.
    scale: the rig's units in a metre of the motion.
    """

    floor: float
    ankle: Array
    ball: Array
    heel: Array
    scale: float

    @staticmethod
    def under(stance: Stance, shift: float, sole: float, scale: float) -> Ground:
        """The ground under a rig whose soles, at height ``sole`` at rest, stand ``shift`` higher in the motion."""
        ankles = np.stack([stance.place(f"{side}_foot") for side in SIDES])
        soles = np.stack([stance.bone(f"{side}_foot", f"{side}_toe") for side in SIDES])
        back = -HEEL * soles * (1.0, 0.0, 1.0)
        ankle = np.maximum(ankles[:, 1] - sole, 0.0)
        return Ground(
            floor=sole + shift,
            ankle=ankle,
            ball=np.maximum(ankles[:, 1] + soles[:, 1] - sole, 0.0),
            heel=back - ankle[:, None] * Y,
            scale=scale,
        )


@dataclass(frozen=True)
class Feet:
    """The feet of a rig in motion, left and right.

    turn:        (2, T, 4).
    hip:         (2, T, 3) where the legs begin.
    ankle, ball: (2, T, 3).
    tip:         (2, T, 3) of the toes' sole; the same as ``ball`` where it is unknown.
    legs:        the bones' vectors.
    """

    turn: Array
    hip: Array
    ankle: Array
    ball: Array
    tip: Array
    legs: Legs

    @staticmethod
    def of(stance: Stance, pose: Pose) -> Feet:
        """Where a pose has the feet."""
        legs = posed_legs(stance, pose.turns)
        hip = pose.path + legs.hip
        ankle = hip + legs.thigh + legs.shin
        turn = np.stack([pose.turns[stance.mapping.first(f"{side}_foot")] for side in SIDES])
        ball = ankle + legs.sole
        return Feet(turn, hip, ankle, ball, ball + _toes(stance, pose), legs)

    def moved(self, by: Array) -> Feet:
        """The same feet of a body that is moved by (T, 3)."""
        return Feet(self.turn, self.hip + by, self.ankle + by, self.ball + by, self.tip + by, self.legs)

    def clearance(self, ground: Ground) -> Array:
        """(2, T, 2) heights above the floor of heel and ball."""
        heel = self.ankle[..., 1] + rotate(self.turn, ground.heel[:, None])[..., 1] - ground.floor
        ball = self.ball[..., 1] - ground.ball[:, None] - ground.floor
        return np.stack([heel, ball], axis=-1)


def _toes(stance: Stance, pose: Pose) -> Array:
    """(2, T, 3) from where the toes begin to their tips."""
    ahead, below = stance.toe_tips.T[..., None]
    turns = [
        pose.turns[(stance.mapping.chain(f"{side}_toe") or stance.mapping.chain(f"{side}_foot"))[0]]
        for side in SIDES
    ]
    return rotate(np.stack(turns), (ahead * stance.feet_forward - below * Y)[:, None])


def leg_hinges(stance: Stance, pose: Pose) -> Array:
    """(2, T, 3) unit axes about which the knees bend."""
    turns = np.stack([pose.turns[stance.mapping.chain(f"{side}_thigh")[-1]] for side in SIDES])
    return rotate(turns, stance.limbs[2:].hinge())
