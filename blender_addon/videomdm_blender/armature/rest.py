# SPDX-License-Identifier: GPL-3.0-or-later
"""The rest pose of an armature object, as the solver wants it."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from videomdm.errors import UserError

from ..retarget.rig import Array, RigRest
from ..retarget.stance import nearest_axis
from .skin import low_skin

HIPS_ON_FLOOR = 0.1  # of the rig's height: a rig whose rest pose hangs from the origin, as BVH files have it


def read_rest(armature: bpy.types.Object) -> RigRest:
    """Read the bones of an armature object at rest, and the pose in which they are now.

    UserError where the object is no armature with bones, or is in edit mode.
    """
    data = armature.data
    if not isinstance(data, bpy.types.Armature):
        raise UserError(
            f"{armature.name} is not an armature.", "Select the rig's armature object.", "no-armature"
        )
    if data.is_editmode:
        raise UserError(f"{armature.name} is in edit mode.", "Leave edit mode first.", "edit-mode")
    if not data.bones:
        raise UserError(
            f"The armature {armature.name} has no bones.", "Select another armature.", "no-armature"
        )
    assert armature.pose is not None
    bones = list(_parents_first(data))
    index = {bone.name: number for number, bone in enumerate(bones)}
    pose = [armature.pose.bones[bone.name] for bone in bones]
    into_armature = np.array(armature.matrix_world.to_3x3().transposed(), float)
    up = nearest_axis(into_armature @ (0.0, 0.0, 1.0))
    heads = np.array([bone.head_local for bone in bones], float)
    tails = np.array([bone.tail_local for bone in bones], float)
    return RigRest(
        names=tuple(index),
        parents=tuple(index[bone.parent.name] if bone.parent else -1 for bone in bones),
        heads=heads,
        tails=tails,
        rotations=np.array([bone.matrix_local.to_quaternion() for bone in bones], float),
        pose=np.array([bone.matrix_basis.to_quaternion() for bone in pose], float),
        inherits=np.array([bone.use_inherit_rotation for bone in bones]),
        local_location=np.array([bone.use_local_location for bone in bones]),
        connected=np.array([bone.use_connect and bone.parent is not None for bone in bones]),
        up=up,
        front=nearest_axis(into_armature @ (0.0, -1.0, 0.0)),
        floor=_floor(armature, up, heads),
        copies={bone.name: copies for bone in pose if (copies := tuple(_copies(armature, bone)))},
        settings={bone.name: numbers for bone in pose if (numbers := _numbers(bone))},
        skin=low_skin(armature, up),
    )


def _parents_first(data: bpy.types.Armature) -> Iterator[bpy.types.Bone]:
    waiting = [bone for bone in reversed(data.bones) if bone.parent is None]
    while waiting:
        bone = waiting.pop()
        yield bone
        waiting.extend(reversed(bone.children))


def _floor(armature: bpy.types.Object, up: Array, heads: Array) -> float | None:
    """The height of the scene's floor where the rest pose hangs below it, else None."""
    heights = heads @ up
    root = float(heights[0])
    below, above = root - float(np.min(heights)), float(np.max(heights)) - root
    world = armature.matrix_world
    ground = float(np.array(world.inverted_safe().translation) @ up)
    hangs = below > 0.3 * (below + above) and abs(root - ground) < HIPS_ON_FLOOR * (below + above)
    return ground if hangs else None


def _copies(armature: bpy.types.Object, bone: bpy.types.PoseBone) -> Iterator[tuple[str, float]]:
    """Bones of the same armature whose rotation this one copies, and how much of it."""
    for constraint in bone.constraints:
        if (
            isinstance(constraint, bpy.types.CopyRotationConstraint)
            and constraint.target == armature
            and constraint.enabled
        ):
            yield constraint.subtarget, float(constraint.influence)


def _numbers(bone: bpy.types.PoseBone) -> dict[str, float]:
    return {key: float(value) for key, value in bone.items() if isinstance(value, (int, float))}
