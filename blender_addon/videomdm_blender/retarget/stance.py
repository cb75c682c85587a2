# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rig stands at rest, in the axes of the motion: which way it faces, its limbs, its size.

Lengths stay in the armature's own unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from videomdm.motion import rotations

from .frames import Y, Z, compose, cross, dot, rotate, unit
from .limbs import ARM, LEG, Limb, LimbKind, read_limb, stacked
from .rig import IDENTITY, Array, Mapping, RigRest
from .slots import SIDES

SNAP = np.cos(np.radians(6.0))  # a rig that faces nearly along an axis of its armature faces along it
WIDE, LONG, THICK = 0.12, 0.4, 0.02  # of the leg's length: half a foot, toes, and what is the sole of them
TWO_BONES = {"arm": ("upper_arm", "forearm", "hand"), "leg": ("thigh", "shin", "foot")}
LIMBS = tuple((limb, side) for limb in TWO_BONES for side in SIDES)


@cache
def limb_kinds() -> LimbKind:
    """The geometry of all limbs in the order of ``LIMBS``."""
    return stacked([ARM, ARM.mirrored(), LEG, LEG.mirrored()])


def axes(rest: RigRest, mapping: Mapping) -> Array:
    """(4,) the rotation from armature space to the motion's axes: Y up, facing +Z, left +X.

    Up is the axis of the armature that lies nearest to the way from feet to shoulders; however the armature
    object is turned in the scene, the motion turns with it.
    """
    feet, shoulders, thighs = (
        np.array([rest.head(mapping.first(f"{side}_{part}")) for side in SIDES])
        for part in ("foot", "upper_arm", "thigh")
    )
    up = nearest_axis(shoulders.mean(axis=0) - feet.mean(axis=0))
    across = shoulders[0] - shoulders[1] + thighs[0] - thighs[1]
    left = unit(across - dot(across, up) * up)
    if dot(nearest_axis(left), left) > SNAP:
        left = nearest_axis(left)
    result: Array = rotations.from_matrix(np.stack([left, up, cross(left, up)]))
    return result


def nearest_axis(direction: Array) -> Array:
    """(3,) the axis, positive or negative, that lies nearest to ``direction``."""
    strongest = int(np.argmax(np.abs(direction)))
    axis = np.zeros(3)
    axis[strongest] = 1.0 if direction[strongest] >= 0 else -1.0
    return axis


@dataclass(frozen=True)
class Stance:
    """A mapped rig at rest."""

    rest: RigRest
    mapping: Mapping

    @cached_property
    def axes(self) -> Array:
        """(4,) the rotation from armature space to the motion's axes."""
        return axes(self.rest, self.mapping)

    @cached_property
    def heads(self) -> Array:
        """(N, 3) where the bones begin."""
        return rotate(self.axes, self.rest.heads)

    @cached_property
    def tails(self) -> Array:
        """(N, 3) where the bones end."""
        return rotate(self.axes, self.rest.tails)

    @cached_property
    def rotations(self) -> Array:
        """(N, 4) orientation of the bones."""
        return compose(self.axes, self.rest.rotations)

    @cached_property
    def floor(self) -> float | None:
        """Height of the floor where the feet do not stand on it at rest, else None."""
        if self.rest.floor is None or dot(rotate(self.axes, self.rest.up), Y) < SNAP:
            return None
        return self.rest.floor

    def place(self, slot: str) -> Array:
        """(3,) where the slot's first bone begins."""
        place: Array = self.heads[self.rest.index(self.mapping.first(slot))]
        return place

    def end(self, slot: str, following: str) -> Array:
        """(3,) where the slot ends: where the ``following`` slot begins, or at its last bone's tail."""
        if self.mapping.chain(following):
            return self.place(following)
        tail: Array = self.tails[self.rest.index(self.mapping.chain(slot)[-1])]
        return tail

    def bone(self, slot: str, following: str) -> Array:
        """(3,) from the beginning of the slot to its end."""
        return self.end(slot, following) - self.place(slot)

    @cached_property
    def limbs(self) -> Limb:
        """The limbs at rest in the order of ``LIMBS``, T = 1."""
        slots = [[f"{side}_{part}" for part in TWO_BONES[limb]] for limb, side in LIMBS]
        toes = [np.zeros(3) if limb == "arm" else self.foot_forward(side) for limb, side in LIMBS]
        return read_limb(
            limb_kinds(),
            np.stack([self.bone(upper, lower) for upper, lower, _ in slots])[:, None],
            np.stack([self.bone(lower, tip) for _, lower, tip in slots])[:, None],
            np.array(IDENTITY),
            fps=1.0,
            toes=np.stack(toes)[:, None],
        )

    def foot_forward(self, side: str) -> Array:
        """(3,) level direction in which the foot points; straight ahead where the rig has no toe bone."""
        if not self.mapping.chain(f"{side}_toe"):
            return Z
        forward = self.bone(f"{side}_foot", f"{side}_toe") * (1.0, 0.0, 1.0)
        return unit(forward) if np.linalg.norm(forward) > 1e-3 * self.leg_length else Z

    @cached_property
    def feet_forward(self) -> Array:
        """(2, 3) the same for both feet."""
        return np.stack([self.foot_forward(side) for side in SIDES])

    @cached_property
    def toe_tips(self) -> Array:
        """(2, 2) how far in front of where the toes begin the sole ends, and how far below; zero where unknown."""
        tips = [self._toe_tip(side) for side in SIDES]
        return np.stack(tips)

    def _toe_tip(self, side: str) -> Array:
        """(2,) the same of one foot, from the skin in front of where the toes begin."""
        if not (len(self.rest.skin) and self.mapping.chain(f"{side}_toe")):
            return np.zeros(2)
        forward, leg = self.foot_forward(side), self.leg_length
        skin = rotate(self.axes, self.rest.skin) - self.place(f"{side}_toe")
        ahead, aside = skin @ forward, skin @ cross(Y, forward)
        toes = skin[(np.abs(aside) < WIDE * leg) & (ahead > 0.0) & (ahead < LONG * leg)]
        if not len(toes):
            return np.zeros(2)
        sole = toes[toes[:, 1] < np.min(toes[:, 1]) + THICK * leg]
        tip = sole[np.argmax(sole @ forward)]
        return np.array([tip @ forward, -tip[1]])

    def hanging(self, side: str) -> float:
        """How far the arm hangs, 0 (level or above) to 1 (straight down)."""
        bone = unit(self.bone(f"{side}_upper_arm", f"{side}_forearm"))
        return float(np.clip(np.arcsin(np.clip(-bone[1], -1.0, 1.0)) / (np.pi / 2), 0.0, 1.0))

    @cached_property
    def leg_length(self) -> float:
        """Thigh and shin together, mean of both sides."""
        return float(
            np.mean(
                [
                    np.linalg.norm(self.bone(f"{side}_thigh", f"{side}_shin"))
                    + np.linalg.norm(self.bone(f"{side}_shin", f"{side}_foot"))
                    for side in SIDES
                ]
            )
        )

    @cached_property
    def middle(self) -> Array:
        """(3,) the point between the hip joints."""
        middle: Array = np.mean([self.place(f"{side}_thigh") for side in SIDES], axis=0)
        return middle
