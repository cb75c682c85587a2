# SPDX-License-Identifier: GPL-3.0-or-later
"""The mannequin's skeleton: 26 bones of a 1.75 m body in a T-pose.

Blender's axes: metres, Z up, the body faces -Y, its left is +X.  The names are the common ones of game
characters (Hips, Spine, LeftArm...), so that other tools recognise the rig too.
"""

from __future__ import annotations

from typing import NamedTuple

Point = tuple[float, float, float]


class BoneSpec(NamedTuple):
    """A bone: where it starts and ends, whose child it is and where its Z axis points."""

    name: str
    parent: str
    head: Point
    tail: Point
    z_axis: Point


FRONT: Point = (0.0, -1.0, 0.0)
UP: Point = (0.0, 0.0, 1.0)

SPINE = (
    BoneSpec("Hips", "", (0.0, 0.0, 0.955), (0.0, 0.0, 1.055), FRONT),
    BoneSpec("Spine", "Hips", (0.0, 0.0, 1.055), (0.0, 0.004, 1.155), FRONT),
    BoneSpec("Spine1", "Spine", (0.0, 0.004, 1.155), (0.0, 0.01, 1.265), FRONT),
    BoneSpec("Spine2", "Spine1", (0.0, 0.01, 1.265), (0.0, 0.01, 1.47), FRONT),
    BoneSpec("Neck", "Spine2", (0.0, 0.01, 1.47), (0.0, -0.008, 1.555), FRONT),
    BoneSpec("Head", "Neck", (0.0, -0.008, 1.555), (0.0, -0.008, 1.75), FRONT),
)

LEFT_LIMBS = (
    BoneSpec("LeftShoulder", "Spine2", (0.035, 0.0, 1.425), (0.175, 0.01, 1.43), FRONT),
    BoneSpec("LeftArm", "LeftShoulder", (0.175, 0.01, 1.43), (0.455, 0.012, 1.43), FRONT),
    BoneSpec("LeftForeArm", "LeftArm", (0.455, 0.012, 1.43), (0.7, 0.01, 1.43), FRONT),
    BoneSpec("LeftHand", "LeftForeArm", (0.7, 0.01, 1.43), (0.79, 0.008, 1.43), FRONT),
    BoneSpec("LeftHandIndex1", "LeftHand", (0.79, 0.008, 1.43), (0.88, 0.006, 1.428), FRONT),
    BoneSpec("LeftHandThumb1", "LeftHand", (0.722, -0.018, 1.426), (0.785, -0.068, 1.42), UP),
    BoneSpec("LeftUpLeg", "Hips", (0.093, 0.0, 0.925), (0.096, 0.0, 0.505), FRONT),
    BoneSpec("LeftLeg", "LeftUpLeg", (0.096, 0.0, 0.505), (0.098, 0.014, 0.088), FRONT),
    BoneSpec("LeftFoot", "LeftLeg", (0.098, 0.014, 0.088), (0.1, -0.125, 0.026), UP),
    BoneSpec("LeftToeBase", "LeftFoot", (0.1, -0.125, 0.026), (0.1, -0.2, 0.022), UP),
)


def mirrored_point(point: Point) -> Point:
    """The point on the other side of the body."""
    return (-point[0], point[1], point[2])


def mirrored_name(name: str) -> str:
    """The bone's name on the right side; names without a side stay."""
    return name.replace("Left", "Right")


def _mirrored(bone: BoneSpec) -> BoneSpec:
    return BoneSpec(
        mirrored_name(bone.name),
        mirrored_name(bone.parent),
        mirrored_point(bone.head),
        mirrored_point(bone.tail),
        bone.z_axis,
    )


BONES: tuple[BoneSpec, ...] = SPINE + LEFT_LIMBS + tuple(_mirrored(bone) for bone in LEFT_LIMBS)
