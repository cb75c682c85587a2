# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a take into a new Action: whole F-curves at once, the same way in Blender 4.5, 5.0 and 5.2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
import numpy.typing as npt
from bpy.utils import escape_identifier

from ..retarget.channels import channels
from ..retarget.rig import Mapping
from ..retarget.solve import Take

LINEAR = 1  # Keyframe.interpolation: there is a key on every frame, so nothing is lost between them


@dataclass(frozen=True)
class Curve:
    """Values (T,) of one channel; a single value holds for the whole take."""

    bone: str
    path: str
    index: int
    values: npt.NDArray[np.float64]


def write_action(
    armature: bpy.types.Object, take: Take, mapping: Mapping, name: str, start_frame: int
) -> bpy.types.Action:
    """Make an Action with a slot for ``armature`` and one curve for each channel; nothing else changes."""
    action = bpy.data.actions.new(name)
    try:
        slot = action.slots.new(id_type="OBJECT", name=armature.name)
        strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
        assert isinstance(strip, bpy.types.ActionKeyframeStrip)
        bag = strip.channelbag(slot, ensure=True)
        assert bag is not None
        frames = start_frame + np.arange(len(take.location), dtype=np.float32)
        groups: dict[str, bpy.types.ActionGroup] = {}
        for curve in _curves(armature, take, mapping):
            fcurve = bag.fcurves.new(curve.path, index=curve.index)
            if curve.bone not in groups:
                groups[curve.bone] = bag.groups.new(curve.bone)
            fcurve.group = groups[curve.bone]
            _fill(fcurve, frames[: len(curve.values)], curve.values)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    return action


def _fill(fcurve: bpy.types.FCurve, frames: npt.NDArray[np.float32], values: npt.NDArray[np.float64]) -> None:
    points = fcurve.keyframe_points
    points.add(len(values))
    points.foreach_set("co", np.stack([frames, values.astype(np.float32)], axis=-1).ravel())
    points.foreach_set("interpolation", np.full(len(values), LINEAR, dtype=np.int32))
    fcurve.update()


def _curves(armature: bpy.types.Object, take: Take, mapping: Mapping) -> Iterator[Curve]:
    bones = list(take.bones)
    if take.root not in bones:
        bones.insert(0, take.root)
    other, pose = _other_channels(armature), armature.pose
    assert pose is not None
    for bone in bones:
        base = f'pose.bones["{escape_identifier(bone)}"].'
        pose_bone = pose.bones[bone]
        if bone == take.root:
            for index in range(3):
                yield Curve(bone, base + "location", index, take.location[:, index])
        if bone in take.bones:
            rotation, values = channels(take.rotations[:, take.bones.index(bone)], pose_bone.rotation_mode)
            for index in range(values.shape[1]):
                yield Curve(bone, base + rotation, index, values[:, index])
        yield from _still(pose_bone, base, other, located=bone == take.root)
    for (bone, setting), value in mapping.switches.items():
        path = f'pose.bones["{escape_identifier(bone)}"]["{escape_identifier(setting)}"]'
        yield Curve(bone, path, 0, np.array([value]))


def _still(bone: bpy.types.PoseBone, base: str, other: set[str], located: bool) -> Iterator[Curve]:
    """One key for location and scale where something else moves them: the take must not depend on leftovers."""
    for channel, rest in (("location", 0.0), ("scale", 1.0)):
        if channel == "location" and located:
            continue
        value = getattr(bone, channel)
        if base + channel in other or any(abs(part - rest) > 1e-6 for part in value):
            for index in range(3):
                yield Curve(bone.name, base + channel, index, np.array([rest]))


def _other_channels(armature: bpy.types.Object) -> set[str]:
    """Data paths that the armature's present Action and its NLA strips move."""
    data = armature.animation_data
    if data is None:
        return set()
    used = [(data.action, data.action_slot)]
    for track in data.nla_tracks:
        used += [(strip.action, strip.action_slot) for strip in track.strips]
    return {
        fcurve.data_path
        for action, slot in used
        if action is not None and slot is not None
        for layer in action.layers
        for strip in layer.strips
        if isinstance(strip, bpy.types.ActionKeyframeStrip) and (bag := strip.channelbag(slot)) is not None
        for fcurve in bag.fcurves
    }
