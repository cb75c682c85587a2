# SPDX-License-Identifier: GPL-3.0-or-later
"""What a take has changed besides being there: it must be nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import Any

import bpy
import numpy as np

from ..armature.keys import curves_of

MOVED = re.compile(r'^pose\.bones\["(.+?)"\]\.(?:location|rotation_\w+|scale)$')
SCENE = ("frame_start", "frame_end", "frame_current", "frame_step")
RENDER = ("fps", "fps_base", "frame_map_old", "frame_map_new")
ANIMATED = "as the take has it"
COUNTED = ("actions", "objects", "armatures", "meshes", "collections", "scenes", "materials", "texts")

State = dict[str, Any]


def state(scene: bpy.types.Scene, but: bpy.types.Action | None = None) -> State:
    """The scene's settings, places, poses and rotation modes, constraints, drivers and Actions of the open file.

    but: an Action that does not count, and whose channels do not.
    """
    found: State = {f"the scene's {name}": getattr(scene, name) for name in SCENE}
    found |= {f"the scene's {name}": getattr(scene.render, name) for name in RENDER}
    for kind in COUNTED:
        found[f"the number of {kind}"] = len(getattr(bpy.data, kind)) - (
            kind == "actions" and but is not None
        )
    for action in bpy.data.actions:
        if action != but:
            found[f"the Action {action.name}"] = [_keys(curve) for curve in curves_of(action)]
    for thing in bpy.data.objects:
        found[f"the place of {thing.name}"] = np.array(thing.matrix_basis, float).tolist()
        found[f"the rotation mode of {thing.name}"] = thing.rotation_mode
        data = thing.animation_data
        paths = [curve.data_path for curve in data.drivers] if data else []
        found[f"the drivers of {thing.name}"] = Counter(paths)
        keyed = _keyed(but) if but is not None and data is not None and data.action == but else Counter()
        for bone in thing.pose.bones if thing.pose else ():
            name = f"{bone.name} of {thing.name}"
            taken = bpy.utils.escape_identifier(bone.name) in keyed
            found[f"the pose of {name}"] = (
                ANIMATED if taken else np.round(np.array(bone.matrix_basis, float), 5).tolist()
            )
            found[f"the rotation mode of {name}"] = bone.rotation_mode
            found[f"the locks of {name}"] = [
                np.array(lock).tolist() for lock in (bone.lock_location, bone.lock_rotation)
            ]
            ruled = f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"].constraints'
            driven = any(path.startswith(ruled) for path in paths)
            found[f"the constraints of {name}"] = [
                (c.name, c.type, () if driven else (c.mute, c.influence)) for c in bone.constraints
            ]
    return found


def changes(before: State, after: State) -> list[str]:
    """What is not as it was."""
    return sorted(
        key
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key) and after.get(key) != ANIMATED
    )


def strangers(action: bpy.types.Action, known: Collection[str]) -> list[str]:
    """Bones that an Action moves though they are not ``known``; one key, as relaxed fingers get, is no motion."""
    moved = {bone for bone, most in _keyed(action).items() if most > 1}
    return [f"keys of {bone}" for bone in sorted(moved - set(map(bpy.utils.escape_identifier, known)))]


def _keyed(action: bpy.types.Action) -> Counter[str]:
    """Bone, as paths write it -> the most keys of a channel that moves it."""
    found: Counter[str] = Counter()
    for curve in curves_of(action):
        if match := MOVED.match(curve.data_path):
            found[match[1]] = max(found[match[1]], len(curve.keyframe_points))
    return found


def _keys(curve: bpy.types.FCurve) -> tuple[str, int, bytes]:
    values = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", values)
    return curve.data_path, curve.array_index, values.tobytes()
