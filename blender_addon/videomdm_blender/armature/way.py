# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's way over the floor as channels of a root bone or of the armature object."""

from __future__ import annotations

import bpy
from bpy.utils import escape_identifier

from videomdm.errors import UserError

from ..edit.in_place import Way, armature_keys, bone_keys, root_bone
from ..edit.make import Made
from ..edit.posed import location_axes
from ..edit.settings import TakeSettings
from ..retarget.frames import compose, inverse, rotate
from ..retarget.stance import Stance
from .existing import place_of, watch
from .tracks import RootTrack

OBJECT_GROUP = "Object Transforms"  # as Blender calls it


def root_track(
    armature: bpy.types.Object, stance: Stance, made: Made, settings: TakeSettings, start_frame: int
) -> RootTrack | None:
    """The channels that go the way, from where bone or object are on the first frame; None where the hips go it."""
    if made.way is None:
        return None
    if settings.root == "object":
        return _of_object(armature, stance, made.way, settings.heading, start_frame)
    return _of_bone(armature, stance, made, made.way, settings.heading, start_frame)


def _of_bone(
    armature: bpy.types.Object, stance: Stance, made: Made, way: Way, heading: bool, start_frame: int
) -> RootTrack:
    bone = root_bone(stance, made.take)
    if not bone:
        raise UserError(
            f"The rig has no root bone: {made.take.root} carries the body and nothing is above it.",
            "Let the armature object take over the travel, or leave it with the hips.",
            "no-root-bone",
        )
    rotation, location = bone_keys(stance, way, bone)
    seen = watch(armature, [bone], [start_frame])
    posed, scale = seen.rotations[bone][0], seen.scales[bone][0].mean()
    at_rest = stance.rest.rotations[stance.rest.index(bone)]
    into_armature = location_axes(stance, bone)
    turn = compose(at_rest, posed, inverse(at_rest))
    travel = rotate(inverse(into_armature), rotate(turn, rotate(into_armature, location)))
    assert armature.pose is not None
    return RootTrack(
        group=bone,
        base=f'pose.bones["{escape_identifier(bone)}"].',
        mode=armature.pose.bones[bone].rotation_mode,
        rotations=compose(posed, rotation) if heading else None,
        location=seen.locations[bone][0] + scale * travel,
    )


def _of_object(
    armature: bpy.types.Object, stance: Stance, way: Way, heading: bool, start_frame: int
) -> RootTrack:
    rotation, shift = armature_keys(stance, way)
    there = place_of(armature, start_frame)
    return RootTrack(
        group=OBJECT_GROUP,
        base="",
        mode=armature.rotation_mode,
        rotations=compose(there.rotation, rotation) if heading else None,
        location=there.location + shift @ there.linear.T,
    )
