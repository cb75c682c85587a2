# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes with settings, on every rig: what Blender shows is what was asked for, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.stage_rigs import (
    ALL_RIGS,
    OpenedRig,
    deforming,
    playback,
    settings,
)
from tests.support.actor import perform

from videomdm.errors import UserError
from videomdm.motion import rotations
from videomdm.motion.resample import resample
from videomdm_blender.edit.settings import TakeSettings

# Rigify's large rig takes half a minute to make and has the same kinds of bones as the small one.
RIGS = [name for name in ALL_RIGS if name.startswith("rigify human") is False]
DEGREES, MILLIMETRES = 1.0, 5.0
MOTION = perform(2.5, turns=0.3).motion


def every_byte(action: Any) -> dict[tuple[str, int], bytes]:
    """All keys of an Action with their handles, interpolation and types."""
    found = {}
    for fcurve in action.layers[0].strips[0].channelbag(action.slots[0]).fcurves:
        count = len(fcurve.keyframe_points)
        data = b""
        for name, size, kind in (
            ("co", 2, np.float32),
            ("handle_left", 2, np.float32),
            ("handle_right", 2, np.float32),
            ("interpolation", 1, np.int32),
            ("handle_left_type", 1, np.int32),
            ("handle_right_type", 1, np.int32),
        ):
            values = np.empty(size * count, kind)
            fcurve.keyframe_points.foreach_get(name, values)
            data += values.tobytes()
        found[fcurve.data_path, fcurve.array_index] = data
    return found


def all_actions() -> dict[str, dict[tuple[str, int], bytes]]:
    import bpy

    return {action.name: every_byte(action) for action in bpy.data.actions if action.slots}


def everything() -> dict[str, Any]:
    """The scene as a take must leave it: its settings, all data, all Actions, and how objects are animated."""
    import bpy

    return {
        "settings": settings(),
        "data": {
            kind: sorted(thing.name for thing in getattr(bpy.data, kind))
            for kind in ("objects", "scenes", "armatures", "meshes", "collections", "materials", "actions")
        },
        "actions": all_actions(),
        "nla": {
            o.name: [[s.name for s in track.strips] for track in o.animation_data.nla_tracks]
            for o in bpy.data.objects
            if o.animation_data
        },
        "selected": sorted(o.name for o in bpy.context.scene.objects if o.select_get()),
        "properties": {
            (o.name, b.name): {key: str(value) for key, value in b.items()}
            for o in bpy.data.objects
            if o.pose
            for b in o.pose.bones
        },
    }


def channels_of(armature: Any, bones: list[str], frames: range) -> tuple[np.ndarray, np.ndarray]:
    """Pose rotations (T, B, 4) and locations (T, B, 3) as Blender evaluates them."""
    import bpy

    scene = bpy.context.scene
    before = scene.frame_current
    turned, moved = np.empty((len(frames), len(bones), 4)), np.empty((len(frames), len(bones), 3))
    for t, frame in enumerate(frames):
        scene.frame_set(frame)
        pose = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose
        for b, bone in enumerate(bones):
            turned[t, b] = pose.bones[bone].matrix_basis.to_quaternion()
            moved[t, b] = pose.bones[bone].location
    scene.frame_set(before)
    return turned, moved


def take(rig: OpenedRig, **chosen: Any) -> Any:
    """Apply the motion at frame 11 with some settings."""
    import bpy

    from videomdm_blender.armature.apply import apply_take, mapping_of

    return apply_take(
        bpy.context.scene,
        rig.armature,
        MOTION,
        name="take",
        start_frame=11,
        mapping=mapping_of(rig.armature, rig.humanoid),
        settings=TakeSettings(**chosen),
    )


@pytest.mark.parametrize("name", RIGS)
def test_fewer_keys_show_the_same_take(open_any: Callable[[str], OpenedRig], name: str) -> None:
    """Within the tolerance on each frame, standing feet too; rebaked, it has the same bytes."""
    rig = open_any(name)
    dense = take(rig)
    bones = list(dense.take.bones)
    frames = range(dense.start_frame, dense.end_frame + 1)
    truth, places = channels_of(rig.armature, [*bones, dense.take.root], frames)
    feet = [deforming(rig.truth[f"{side}_foot"][0]) for side in ("left", "right")]
    standing = playback(rig.armature, frames, feet)
    for interpolation in ("linear", "bezier"):
        before = everything()
        chosen = {
            "reduce_degrees": DEGREES,
            "reduce_millimetres": MILLIMETRES,
            "interpolation": interpolation,
        }
        applied = take(rig, **chosen)
        sparse, moved = channels_of(rig.armature, [*bones, dense.take.root], frames)
        apart = np.degrees(rotations.angle_between(sparse, truth))
        assert apart.max() < DEGREES
        scale = 1000.0 * rig.armature.matrix_world.median_scale
        assert np.linalg.norm(moved[:, -1] - places[:, -1], axis=-1).max() * scale < MILLIMETRES
        contacts = resample(MOTION, dense.take.fps).contacts
        shown = playback(rig.armature, frames, feet)
        for side, foot in enumerate(feet):
            stands = contacts[:, 2 * side : 2 * side + 2].any(axis=-1)
            miss = np.linalg.norm(shown[foot][:, 0] - standing[foot][:, 0], axis=-1)
            assert miss[stands].max(initial=0.0) * 1000.0 < MILLIMETRES + 0.5
        keys = {curve: len(data) for curve, data in every_byte(applied.action).items()}
        assert sum(keys.values()) < 0.7 * sum(len(data) for data in every_byte(dense.action).values())

        once = every_byte(applied.action)
        after = everything()
        for part in ("settings", "nla", "selected", "properties"):
            assert after[part] == before[part]
        assert {n: a for n, a in after["actions"].items() if n != applied.action.name} == before["actions"]
        again = take(rig, **chosen)
        assert again.action != applied.action and every_byte(again.action) == once


@pytest.mark.parametrize("name", RIGS)
def test_root_motion_leaves_the_body_where_it_was(open_any: Callable[[str], OpenedRig], name: str) -> None:
    """Whoever goes the way, hips, root bone or object: every bone is in the same place on every frame."""
    rig = open_any(name)
    rig.armature.location.x += 0.7
    whole = take(rig)
    frames = range(whole.start_frame, whole.end_frame + 1)
    bones = list(dict.fromkeys(deforming(chain[0]) for chain in rig.truth.values()))
    wanted = playback(rig.armature, frames, bones)
    size = max(np.ptp(np.stack([wanted[bone][0, 0] for bone in bones]), axis=0))
    hips_way = np.ptp(whole.take.location, axis=0).max()
    for root in ("object", "bone"):
        before = everything()
        try:
            applied = take(rig, root=root)
        except UserError as error:
            assert root == "bone" and "no root bone" in str(error)
            assert everything() == before
            continue
        found = playback(rig.armature, frames, bones)
        for bone in bones:
            np.testing.assert_allclose(found[bone][:, 0], wanted[bone][:, 0], atol=1e-3 * size)
        assert np.ptp(applied.take.location, axis=0).max() < 0.3 * hips_way
        after = everything()
        assert after["settings"]["modes"] == before["settings"]["modes"]
        assert {n: a for n, a in after["actions"].items() if n != applied.action.name} == before["actions"]
        paths = every_byte(applied.action)
        keyed, keyed_before = (
            {path.split('"')[1] for path, _ in keys if '"' in path}
            for keys in (paths, every_byte(whole.action))
        )
        extra = keyed - keyed_before
        assert len(extra) <= (1 if root == "bone" else 0)
        assert every_byte(take(rig, root=root).action) == paths
        # What the take has moved goes back to where the user had put it.
        rig.armature.animation_data.action = whole.action
        rig.armature.animation_data.action_slot = whole.action.slots[0]
