# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns of feet and toes, and the heights that tell when they stand.

What counts on the floor is the sole, so feet are matched by the slope of the sole, not of the line from ankle
to toe, which differs from rig to rig.  Joint positions do not say how a foot rolls about its length: near the
floor it lies flat, in the air it follows the shin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from videomdm.motion import Motion

from . import reference
from .frames import Y, about, compose, cross, dot, frame, inverse, rotate, soft_step, unit
from .reference import joint
from .rig import Array
from .slots import SIDES

FLAT_PITCH_RANGE = np.radians(12.0)  # how far a clip's own flat foot may differ from the reference
TOE_BEND = np.radians(60.0)


@dataclass(frozen=True)
class Standing:
    """How the motion's body stands flat: estimated from the clip, held near the reference body.

    pitch: radians by which the line from ankle to toe falls.
    ankle, toe: heights of the joints above the floor, metres.
    """

    pitch: float
    ankle: float
    toe: float


def standing(motion: Motion) -> Standing:
    """See how flat feet stand in this clip; what a clip does not show is taken from the reference body."""
    positions = motion.positions.astype(float)
    pitches, ankles, toes = [], [], []
    contacts = np.asarray(motion.contacts, bool)
    for number, side in enumerate(SIDES):
        ankle, toe = positions[:, joint(f"{side}_ankle")], positions[:, joint(f"{side}_foot")]
        planted = contacts[:, 2 * number] & contacts[:, 2 * number + 1] & (toe[:, 1] < 0.08)
        fall = (ankle - toe)[planted, 1] / np.linalg.norm(ankle - toe, axis=-1)[planted]
        pitches.append(np.arcsin(np.clip(fall, -1.0, 1.0)))
        # who lies or rolls shows no standing height; the lowest one that is seen would sink the body
        stands = contacts[:, 2 * number : 2 * number + 2].any()
        ankles.append(np.percentile(ankle[:, 1], 5) if stands else reference.FLAT_FOOT_ANKLE)
        toes.append(np.percentile(toe[:, 1], 5) if stands else reference.FLAT_FOOT_TOE)
    seen = np.concatenate(pitches)
    pitch = float(np.median(seen)) if len(seen) >= motion.fps / 4 else reference.FLAT_FOOT_PITCH
    low, high = reference.FLAT_FOOT_PITCH - FLAT_PITCH_RANGE, reference.FLAT_FOOT_PITCH + FLAT_PITCH_RANGE
    return Standing(
        pitch=float(np.clip(pitch, low, high)),
        ankle=float(np.clip(np.mean(ankles), 0.02, 0.12)),
        toe=float(np.clip(np.mean(toes), 0.0, 0.06)),
    )


@dataclass(frozen=True)
class Foot:
    """Feet over time, F of them.

    forward: (F, T, 3) where the sole points, level when the foot stands flat.
    side:    (F, T, 3) its axis to the character's left, square to ``forward``.
    near:    (F, T) 1 with the toe on the floor, 0 well above it.
    """

    forward: Array
    side: Array
    near: Array


def read_foot(ankle: Array, toe: Array, knee: Array, flat: Standing) -> Foot:
    """The feet between joints ``ankle`` and ``toe``, under shins that bend about ``knee``: all (F, T, 3)."""
    bone = unit(toe - ankle)
    height = toe[..., 1] - flat.toe
    level = soft_step(np.hypot(bone[..., 0], bone[..., 2]), 0.2, 0.5)
    on_floor = (1.0 - soft_step(height, 0.06, 0.25)) * level
    in_air = unit(knee - dot(knee, bone)[..., None] * bone)
    side = unit(on_floor[..., None] * unit(cross(Y, bone)) + (1.0 - on_floor)[..., None] * in_air)
    forward = rotate(about(side, np.array(-flat.pitch)), bone)
    return Foot(forward, side, 1.0 - soft_step(height, 0.02, 0.08))


def foot_turn(foot: Foot, forward_at_rest: Array) -> Array:
    """(F, T, 4) turn of feet whose sole, flat at rest, points to the level ``forward_at_rest`` (F, 1, 3)."""
    return compose(frame(foot.forward, foot.side), inverse(frame(forward_at_rest, cross(Y, forward_at_rest))))


def toe_turn(foot: Foot, turn: Array) -> Array:
    """(F, T, 4) turn of the toes: with the foot, but flat on the floor while the heel is lifted."""
    lifted = np.arcsin(np.clip(-foot.forward[..., 1], -1.0, 1.0))
    bend = np.clip(lifted, 0.0, TOE_BEND) * foot.near
    return compose(about(foot.side, -bend), turn)
