# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns of arms and legs: directions from the joints, twist from the axis about which elbow and knee bend.

The bending axis is exact while a limb is bent and means nothing when it is straight.  So the twist of the
upper bone is written as an angle against a *natural* twist (that of a limb swung from its resting direction
by the shortest way), each frame's angle is weighed by how well it is known, and all frames are fitted
together: bent frames rule, straight ones follow their neighbours in time and, far from any, the natural
twist.  An angle on a line, not on a circle, cannot flip by half a turn.

A rig at rest and the motion's body must be read in the same way, down to the natural twist of a straight limb:
hence this, and not the rotations of ``videomdm.motion.inverse``, whose rest pose is always a T-pose.

All limbs are read in one batch: shapes are (L, T, ...) for L limbs, and one limb alone has no L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .frames import X, Y, Z, about, compose, cross, dot, frame, inverse, norm, rotate, soft_step, swing, unit
from .rig import Array
from .smoothing import fit

STIFFNESS = 0.08  # of the fit: cost of a change of the twist between frames at 20 fps
STIFFNESS_RATE = 20.0
UNKNOWN, KNOWN = 0.03, 0.12  # sine of the bend below which the axis means nothing, above which it rules
TOES_OUT, TOES_REACH = np.radians(15.0), np.radians(70.0)


@dataclass(frozen=True)
class LimbKind:
    """The geometry of arms or legs, for the left side, in axes of the chest or pelvis.

    rest:      direction of the upper bone in the pose (T-pose) in which ``hinge`` is the bending axis.
    hinge:     the axis about which elbow or knee bends there, cross(upper, lower bone).
    centre:    the middle of all directions that the upper bone can take; opposite to it, where the natural
               twist is undefined, it cannot go.
    trust:     weight of the natural twist against that of a limb bent by 90 degrees.
    reach:     radians of twist to either side up to which an axis is believed, and where it is not any more:
               there the limb would bend backwards, which is the noise of a straight one.
    outward:   sign of the twist that turns toes outwards.

    Of several limbs (:func:`stacked`) each field is an array that broadcasts over frames.
    """

    rest: Array
    hinge: Array
    centre: Array
    trust: float | Array
    reach: tuple[float | Array, float | Array]
    outward: float | Array = -1.0

    def mirrored(self) -> LimbKind:
        """The same for the right side."""
        flip = np.array([-1.0, 1.0, 1.0])
        # An axis of rotation mirrors as the cross product of two mirrored directions.
        return replace(
            self,
            rest=self.rest * flip,
            hinge=-self.hinge * flip,
            centre=self.centre * flip,
            outward=-self.outward,
        )


ARM = LimbKind(X, -Y, centre=unit(X - 0.6 * Y), trust=0.0005, reach=(2.3, 2.9))
LEG = LimbKind(-Y, X, centre=unit(-Y + 0.4 * Z), trust=0.02, reach=(1.5, 2.4))


def stacked(kinds: Sequence[LimbKind]) -> LimbKind:
    """The geometry of L limbs at once: directions (L, 1, 3), numbers (L, 1)."""

    def column(values: Sequence[float | Array]) -> Array:
        return np.array(values, float)[:, None]

    return LimbKind(
        rest=column([kind.rest for kind in kinds]),
        hinge=column([kind.hinge for kind in kinds]),
        centre=column([kind.centre for kind in kinds]),
        trust=column([kind.trust for kind in kinds]),
        reach=(column([kind.reach[0] for kind in kinds]), column([kind.reach[1] for kind in kinds])),
        outward=column([kind.outward for kind in kinds]),
    )


@dataclass(frozen=True)
class Limb:
    """A limb over time, or at rest with T = 1; or several.

    upper, lower: (L, T, 3) unit directions of upper arm and forearm, or thigh and shin.
    natural:      (L, T, 3) bending axis at natural twist, square to ``upper``.
    twist:        (L, T) radians by which the limb is twisted about ``upper`` from there.
    """

    upper: Array
    lower: Array
    natural: Array
    twist: Array

    def __getitem__(self, which: int | slice | npt.NDArray[np.intp]) -> Limb:
        """Some of the limbs."""
        return Limb(self.upper[which], self.lower[which], self.natural[which], self.twist[which])

    def hinge(self, twist: Array | None = None) -> Array:
        """(L, T, 3) bending axis at the given twist, or at the limb's own."""
        return rotate(about(self.upper, self.twist if twist is None else twist), self.natural)

    def lower_hinge(self) -> Array:
        """(L, T, 3) the bending axis carried over to the lower bone, without twist between the two."""
        return rotate(swing(self.upper, self.lower), self.hinge())


def read_limb(
    kind: LimbKind, upper: Array, lower: Array, trunk: Array, fps: float, toes: Array | None = None
) -> Limb:
    """Find the twist of a limb.

    upper, lower: (L, T, 3) vectors along the two bones.
    trunk:        (L, T, 4) turn of chest or pelvis.
    toes:         (L, T, 3) direction of the foot; a straight knee looks where they point, and a limb with
                  zeros has none.
    """
    upper, lower = unit(upper), unit(lower)
    natural = rotate(trunk, _natural_hinge(kind, rotate(inverse(trunk), upper)))
    hinge = cross(upper, lower)
    bend = norm(hinge)
    angle = _angle_about(upper, natural, hinge)
    weight = bend**2 * soft_step(bend, UNKNOWN, KNOWN) * (1.0 - soft_step(np.abs(angle), *kind.reach))
    measured, weights = [angle, np.zeros_like(angle)], [weight, np.broadcast_to(kind.trust, angle.shape)]
    if toes is not None:
        knee = cross(unit(toes), upper)
        clear = norm(knee)  # toes that point along the thigh say nothing
        out = kind.outward * _angle_about(upper, natural, knee)
        # Toes that point a little outwards go with a knee that looks straight ahead, on people and on rigs.
        measured.append(kind.outward * np.clip(out - np.clip(out, 0.0, TOES_OUT), -TOES_REACH, TOES_REACH))
        weights.append(kind.trust * soft_step(clear, 0.2, 0.6))
    twist = fit(np.stack(measured), np.stack(weights), STIFFNESS * (fps / STIFFNESS_RATE) ** 2)
    return Limb(upper, lower, natural, twist)


def upper_turn(limb: Limb, rest: Limb, share: float | Array = 1.0) -> Array:
    """(L, T, 4) turn of a bone of the upper limb that has a ``share`` (L, 1) of the limb's twist."""
    hinge = limb.hinge(rest.twist + (limb.twist - rest.twist) * share)
    return compose(frame(limb.upper, hinge), inverse(frame(rest.upper, rest.hinge())))


def lower_turn(limb: Limb, rest: Limb) -> Array:
    """(L, T, 4) turn of forearm or shin."""
    return compose(frame(limb.lower, limb.lower_hinge()), inverse(frame(rest.lower, rest.lower_hinge())))


def _natural_hinge(kind: LimbKind, upper: Array) -> Array:
    """(L, T, 3) bending axis of limbs swung from rest to the centre of their reach and on to ``upper``."""
    return rotate(compose(swing(kind.centre, upper), swing(kind.rest, kind.centre)), kind.hinge)


def _angle_about(axis: Array, start: Array, end: Array) -> Array:
    """(L, T) angles about ``axis`` from ``start`` to ``end``, -pi to pi."""
    result: Array = np.arctan2(dot(cross(start, end), axis), dot(start, end))
    return result
