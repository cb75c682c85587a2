# SPDX-License-Identifier: Apache-2.0
"""Takes of the CMU Graphics Lab motion capture database onto the 22 joints.

The takes are BVH files with the cgspeed / Daz joint names, Y up, facing +Z in a T-pose with all rotations
zero.  Every bone of the target has the length and, for torso, head and feet, the place that it has on the
body of HumanML3D, and turns with the joint of the take that moves the same part of the person.  Limbs keep
the directions of the take's limbs.  Legs keep, up to a scale of 0.998, the place of the ankle relative to the
hip joint, so that a planted foot stays planted although thigh and shin have other lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from . import rotations
from .body import BONE_LENGTHS, bend_leg
from .bvh import Bvh
from .inverse import REST_DIRECTIONS
from .resample import resample_positions, resample_rotations
from .skeleton import JOINT_COUNT, JOINT_NAMES, PARENTS

# For each bone of torso, head and feet: the joint whose rotation turns it from its rest direction.
# The target's neck joint lies above the take's, so it follows a little of the take's neck too.
_PLACED: dict[str, tuple[tuple[str, float], ...]] = {
    "left_hip": (("hip", 1.0),),
    "right_hip": (("hip", 1.0),),
    "spine1": (("hip", 1.0),),
    "spine2": (("abdomen", 1.0),),
    "spine3": (("chest", 1.0),),
    "left_collar": (("chest", 1.0),),
    "right_collar": (("chest", 1.0),),
    "left_shoulder": (("lCollar", 1.0),),
    "right_shoulder": (("rCollar", 1.0),),
    "neck": (("chest", 0.7), ("neck", 0.3)),
    "head": (("head", 1.0),),
    "left_foot": (("lFoot", 1.0),),
    "right_foot": (("rFoot", 1.0),),
}

# Bones that keep the direction of a bone of the take.
_LIMBS = {
    "left_elbow": ("lShldr", "lForeArm"),
    "right_elbow": ("rShldr", "rForeArm"),
    "left_wrist": ("lForeArm", "lHand"),
    "right_wrist": ("rForeArm", "rHand"),
}
_LEGS = {"left": ("lThigh", "lShin", "lFoot"), "right": ("rThigh", "rShin", "rFoot")}

# Joints of the take that the tables name.
_NEEDED = frozenset(
    {name for follows in _PLACED.values() for name, _ in follows}
    | {name for pair in _LIMBS.values() for name in pair}
    | {name for leg in _LEGS.values() for name in leg}
)


def from_cmu(take: Bvh, fps: float) -> np.ndarray:
    """(T, 22, 3) float64 joint positions of a take at ``fps``, metres, Y up, where the take has them.

    ``take`` must be in metres.  Bone lengths are ``BONE_LENGTHS``; the floor is not yet found.  UserError
    where the skeleton lacks a joint.
    """
    missing = sorted(_NEEDED - set(take.skeleton.names))
    if missing:
        raise UserError(
            f"The take's skeleton has no joint called {', '.join(missing)}.",
            "Use takes of the CMU database with the cgspeed joint names.",
            "not-cmu",
        )
    take = _at_rate(take, fps)
    points, world = take.world
    source = _Source(take, points, world)
    joint = {name: index for index, name in enumerate(JOINT_NAMES)}
    bones = np.zeros((len(take), JOINT_COUNT, 3))
    for name, follows in _PLACED.items():
        bones[:, joint[name]] = rotations.rotate(
            source.rotation(follows), np.broadcast_to(REST_DIRECTIONS[joint[name]], (len(take), 3))
        )
    for name, (start, end) in _LIMBS.items():
        bones[:, joint[name]] = source.position(end) - source.position(start)
    scale = 1.0
    for side, (thigh, shin, foot) in _LEGS.items():
        hip, knee, ankle = (source.position(part) for part in (thigh, shin, foot))
        lengths = BONE_LENGTHS[joint[f"{side}_knee"]], BONE_LENGTHS[joint[f"{side}_ankle"]]
        to_knee, to_ankle, scale = bend_leg(knee - hip, ankle - hip, *lengths)
        bones[:, joint[f"{side}_knee"]] = to_knee
        bones[:, joint[f"{side}_ankle"]] = to_ankle - to_knee
    bones[:, 1:] = rotations.normalise(bones[:, 1:]) * BONE_LENGTHS[1:, None]
    positions = np.zeros_like(bones)
    for index, parent in enumerate(PARENTS):
        if parent >= 0:
            positions[:, index] = positions[:, parent] + bones[:, index]
    # The point between the hip joints is where the take has it; the pelvis follows from there.
    middle = 0.5 * scale * (source.position("lThigh") + source.position("rThigh"))
    return positions + (middle - 0.5 * (positions[:, 1] + positions[:, 2]))[:, None]


@dataclass(frozen=True)
class _Source:
    """Points, rotations and bones of a take by joint name."""

    take: Bvh
    points: np.ndarray
    world: np.ndarray

    def position(self, name: str) -> np.ndarray:
        return self.points[:, self.take.skeleton.index(name)]

    def rotation(self, follows: tuple[tuple[str, float], ...]) -> np.ndarray:
        """(T, 4) the rotation of one joint, or of two in proportion to their weights."""
        quaternions = [self.world[:, self.take.skeleton.index(name)] for name, _ in follows]
        if len(follows) == 1:
            return quaternions[0]
        return rotations.slerp(quaternions[0], quaternions[1], np.full(len(self.points), follows[1][1]))


def _at_rate(take: Bvh, fps: float) -> Bvh:
    if fps == take.fps:
        return take
    return Bvh(
        skeleton=take.skeleton,
        end_sites=take.end_sites,
        rotations=resample_rotations(take.rotations, take.fps, fps),
        translations=resample_positions(take.translations, take.fps, fps),
        fps=fps,
    )
