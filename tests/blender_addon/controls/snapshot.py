# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about the open file that a take must leave as it is, in a form that can be compared."""

from __future__ import annotations

from typing import Any

from tests.blender_addon.support.stage_rigs import curves, settings

SIMPLE = ("BOOLEAN", "INT", "FLOAT", "STRING", "ENUM")
POSE = (
    "rotation_mode",
    "lock_location",
    "lock_rotation",
    "lock_scale",
    "ik_stretch",
    "lock_ik_x",
    "lock_ik_y",
)


def snapshot(but: Any = None) -> dict[str, Any]:
    """Constraints, drivers, properties, modes, other Actions, scenes and how many things there are.

    but: an Action to leave out.
    """
    import bpy

    driven = {
        (thing.name, curve.data_path)
        for thing in bpy.data.objects
        if thing.animation_data
        for curve in thing.animation_data.drivers
    }
    rigs = [thing for thing in bpy.data.objects if thing.pose]
    return {
        "settings": settings(),
        "constraints": {
            (rig.name, bone.name, constraint.name): _values(
                constraint,
                driven,
                rig.name,
                f'pose.bones["{bone.name}"].constraints["{constraint.name}"].',
            )
            for rig in rigs
            for bone in rig.pose.bones
            for constraint in bone.constraints
        },
        "bones": {
            (rig.name, bone.name): [_plain(getattr(bone, name)) for name in POSE]
            for rig in rigs
            for bone in rig.pose.bones
        },
        "properties": {
            (rig.name, bone.name, key): _plain(value)
            for rig in rigs
            for bone in rig.pose.bones
            for key, value in bone.items()
            if isinstance(value, (bool, int, float, str))
        },
        "drivers": {
            (thing.name, curve.data_path, curve.array_index): (
                curve.driver.type,
                curve.driver.expression,
                [(v.name, v.type, [t.data_path for t in v.targets]) for v in curve.driver.variables],
            )
            for thing in bpy.data.objects
            if thing.animation_data
            for curve in thing.animation_data.drivers
        },
        "actions": {action.name: curves(action) for action in bpy.data.actions if action != but},
        "selected": [(thing.name, thing.mode) for thing in bpy.context.selected_objects],
        "scenes": [scene.name for scene in bpy.data.scenes],
        "objects": [(thing.name, thing.users) for thing in bpy.data.objects],
        "data": [
            (data.name, data.users) for kind in ("armatures", "meshes") for data in getattr(bpy.data, kind)
        ],
    }


def _values(thing: Any, driven: set[tuple[str, str]], rig: str, path: str) -> dict[str, Any]:
    return {
        name: _plain(getattr(thing, name))
        for name, kind in ((p.identifier, p.type) for p in thing.bl_rna.properties)
        if kind in SIMPLE and not name.startswith(("error_", "is_")) and (rig, path + name) not in driven
    }


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, int, float, str)):
        return value
    try:
        return [_plain(part) for part in value]
    except TypeError:
        return str(value)
