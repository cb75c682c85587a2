# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of the battery: from a script of trunk, hands and feet to 22 joints with constant bone lengths."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from videomdm.motion import Motion, kinematics, rotations
from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.inverse import REST_DIRECTIONS
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS

from ..retarget.frames import compose, cross, dot, rotate, unit
from ..retarget.rig import Array
from ..retarget.slots import SIDES
from .tracks import Foot

FPS = 20.0
X, Y, Z = np.eye(3)
OFFSETS = REST_DIRECTIONS * BONE_LENGTHS[:, None]
HANGING = (0.06, -0.505, 0.02)  # from the shoulder to the wrist of an arm that hangs, in the chest's axes
ELBOW_BACK = (0.25, -0.1, -1.0)
REACH = 0.999  # of a limb's length: beyond it there is no bend whose axis could be told


@dataclass
class Script:
    """What the parts of the body do; everything is (T, 3) but the turns, which are (T, 4).

    pelvis:      place of the pelvis joint in the world, metres.
    facing:      turn of the pelvis in the world.
    bend:        turn of each of the three joints of the spine against the one below.
    neck:        turn of the neck against the chest.
    hands:       of both sides: from the shoulder to the wrist, in the chest's axes, metres.
    elbows:      of both sides: where the elbow points, in the chest's axes.
    feet:        of both sides.
    knees:       of both sides: where the knee points, in the world.
    """

    time: Array
    pelvis: Array
    facing: Array
    feet: tuple[Foot, Foot]
    bend: Array = field(init=False)
    neck: Array = field(init=False)
    hands: list[Array] = field(init=False)
    elbows: list[Array] = field(init=False)
    knees: list[Array] = field(init=False)

    def __post_init__(self) -> None:
        still = np.zeros((len(self.time), 4))
        still[:, 0] = 1.0
        self.bend, self.neck = still, still
        self.hands = [self.of_side(HANGING, side) for side in range(2)]
        self.elbows = [self.of_side(ELBOW_BACK, side) for side in range(2)]
        self.knees = [foot.forward for foot in self.feet]

    def of_side(self, left: object, side: int) -> Array:
        """(T, 3) a vector or track given for the left side, mirrored for side 1."""
        track = np.broadcast_to(np.asarray(left, float), (len(self.time), 3))
        return track * ((1.0, 1.0, 1.0) if side == 0 else (-1.0, 1.0, 1.0))


def turn(time: Array, *turns: tuple[Array, Array | float]) -> Array:
    """(T, 4) the product of turns (axis (3,), degrees), the last applied first."""
    return compose(
        *(
            rotations.from_axis_angle(
                np.broadcast_to(axis, (len(time), 3)), np.radians(np.broadcast_to(angle, time.shape))
            )
            for axis, angle in turns
        )
    )


def act(script: Script, name: str, caption: str) -> Motion:
    """The motion of a script; ValueError where a hand or a foot is out of reach."""
    frames = len(script.time)
    local = np.zeros((frames, len(PARENTS), 4))
    local[..., 0] = 1.0
    local[:, _joint("pelvis")] = script.facing
    for joint in ("spine1", "spine2", "spine3"):
        local[:, _joint(joint)] = script.bend
    local[:, _joint("neck")] = script.neck
    translations = np.broadcast_to(OFFSETS, (frames, len(PARENTS), 3)).copy()
    translations[:, 0] = script.pelvis
    positions, world = kinematics.forward(PARENTS, local, translations)
    chest = world[:, _joint("spine3")]
    for number, side in enumerate(SIDES):
        shoulder, elbow, wrist = (_joint(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
        target = positions[:, shoulder] + rotate(chest, script.hands[number])
        pole = rotate(chest, script.elbows[number])
        positions[:, elbow], positions[:, wrist] = _two_bones(
            positions[:, shoulder], target, pole, elbow, wrist
        )
        hip, knee, ankle = (_joint(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        foot = script.feet[number]
        positions[:, knee], positions[:, ankle] = _two_bones(
            positions[:, hip], foot.ankle, script.knees[number], knee, ankle
        )
        positions[:, _joint(f"{side}_foot")] = foot.toe
    contacts = np.concatenate([foot.planted for foot in script.feet], axis=-1)
    return Motion(positions, FPS, contacts, caption=caption, provenance={"source": f"battery: {name}"})


def _joint(name: str) -> int:
    return JOINT_NAMES.index(name)


def _two_bones(start: Array, target: Array, pole: Array, middle: int, end: int) -> tuple[Array, Array]:
    """(T, 3) middle and end of a limb from ``start`` to ``target`` that bends towards ``pole``."""
    upper, lower = BONE_LENGTHS[middle], BONE_LENGTHS[end]
    reach = target - start
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    if np.any(distance > REACH * (upper + lower)) or np.any(distance < abs(upper - lower) + 1e-3):
        worst = float(np.max(distance)) / (upper + lower)
        raise ValueError(f"{JOINT_NAMES[end]} is out of reach ({worst:.3f} of the limb's length)")
    along = unit(reach)
    out = unit(cross(cross(along, pole), along))
    near = (upper**2 - lower**2 + distance**2) / (2 * distance)
    bent = start + near * along + np.sqrt(upper**2 - near**2) * out
    assert np.allclose(dot(out, along), 0.0, atol=1e-9)
    return bent, target
