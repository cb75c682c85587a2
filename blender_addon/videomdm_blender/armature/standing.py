# SPDX-License-Identifier: GPL-3.0-or-later
"""How an armature was before it got a take, so that another take can be put in its place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import bpy

OBJECT_CHANNELS = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle")
BONE_CHANNELS = (*OBJECT_CHANNELS, "scale")


@dataclass(frozen=True)
class Standing:
    """What an armature's Action was, and what the object's and the bones' channels held.

    action: Blender's session id of it, 0 for none; slot: the handle of its slot.
    """

    action: int
    slot: int
    place: dict[str, tuple[float, ...]]
    bones: dict[str, dict[str, tuple[float, ...]]]

    @classmethod
    def of(cls, armature: bpy.types.Object) -> Standing:
        """How the armature is now."""
        data, pose = armature.animation_data, armature.pose
        assert pose is not None
        action = data.action if data is not None else None
        slot = data.action_slot if data is not None else None
        return cls(
            action.session_uid if action is not None else 0,
            slot.handle if slot is not None else 0,
            _values(armature, OBJECT_CHANNELS),
            {bone.name: _values(bone, BONE_CHANNELS) for bone in pose.bones},
        )

    def restore(self, armature: bpy.types.Object, bones: Collection[str]) -> None:
        """Put the armature back, and those of its bones that are named; the Action that it has stays in the file."""
        data, pose = armature.animation_data, armature.pose
        assert data is not None and pose is not None
        keep(data.action)
        action = next((a for a in bpy.data.actions if a.session_uid == self.action), None)
        data.action = action
        if action is not None:
            data.action_slot = next((slot for slot in action.slots if slot.handle == self.slot), None)
        _set(armature, self.place)
        for bone in pose.bones:
            if bone.name in bones and bone.name in self.bones:
                _set(bone, self.bones[bone.name])


def keep(action: bpy.types.Action | None) -> None:
    """See that an Action that is about to be replaced is not lost when the file is saved."""
    if action is not None and action.users == 1 and not action.use_fake_user:
        action.use_fake_user = True


def _values(thing: Any, channels: Collection[str]) -> dict[str, tuple[float, ...]]:
    return {channel: tuple(getattr(thing, channel)) for channel in channels}


def _set(thing: Any, values: dict[str, tuple[float, ...]]) -> None:
    for channel, value in values.items():
        if tuple(getattr(thing, channel)) != value:
            setattr(thing, channel, value)
