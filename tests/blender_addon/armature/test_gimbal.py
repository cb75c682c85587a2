# SPDX-License-Identifier: GPL-3.0-or-later
"""FBX files hold what was made also where Euler angles lock, and nothing else of them is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.support.actor import perform

from videomdm.motion import rotations

NEAR_LOCK = np.radians([-90.0131, -89.9688, -90.0, -89.6452, -89.0, 90.002, -70.0])


def lying(mannequin: Any) -> Any:
    """A take whose hips are a hair's breadth from a lock: on the side, with a little of everything else."""
    import bpy

    from videomdm_blender.armature.apply import apply_take

    applied = apply_take(bpy.context.scene, mannequin, perform(0.3).motion, name="lying", start_frame=3)
    rng, path = np.random.default_rng(2), 'pose.bones["Hips"].rotation_quaternion'
    bag = applied.action.layers[0].strips[0].channelbag(applied.action.slots[0])
    rest = rotations.from_matrix(np.array(mannequin.data.bones["Hips"].matrix_local.to_3x3(), float))
    count = len(bag.fcurves.find(path, index=0).keyframe_points)
    for frame in range(count):
        angles = np.array([0.3 * rng.normal(), NEAR_LOCK[frame % 2], np.pi / 2 + 0.3 * rng.normal()])
        pose = rotations.multiply(rotations.conjugate(rest), rotations.from_euler(angles, "ZYX"))
        for index, value in enumerate(pose):
            bag.fcurves.find(path, index=index).keyframe_points[frame].co[1] = value
    return applied


def test_the_second_and_third_angle_make_up_for_the_first() -> None:
    from videomdm_blender.armature.gimbal import LOCKED, solve

    rng = np.random.default_rng(5)
    true = np.stack([rng.normal(size=7), NEAR_LOCK, 4.0 * rng.normal(size=7)], axis=-1)
    turns = rotations.to_matrix(rotations.from_euler(true[:, ::-1], "ZYX"))
    # What rounding does to each angle by itself, with full turns added as in a curve that winds on.
    locked = np.abs(np.cos(true[:, 1])) < LOCKED
    written = true + np.where(locked[:, None], 1e-3, 0.0) * rng.normal(size=(7, 3)) * (1.0, 0.01, 1.0)
    written[:, 2] += 2.0 * np.pi
    solved, where = solve(written, turns)
    assert where.tolist() == locked.tolist()
    shown = rotations.to_matrix(rotations.from_euler(solved[:, ::-1], "ZYX"))
    assert np.abs(shown - turns)[locked].max() < 1e-4 and np.abs(solved - written).max() < 0.1
    np.testing.assert_array_equal(solved[:, 0], written[:, 0])


def test_a_bone_at_the_lock_comes_back_as_it_was(mannequin: Any) -> None:
    from videomdm_blender.certify.round_trip import round_trip

    found = round_trip(".fbx", mannequin, lying(mannequin), [b.name for b in mannequin.data.bones], 1.0)
    assert found.angle_deg < 0.002 and found.distance_mm < 0.02


def test_only_the_angles_of_the_locked_bone_are_changed(mannequin: Any, tmp_path: Path) -> None:
    import bpy
    from io_scene_fbx import parse_fbx

    from videomdm_blender.armature.exporting import export_rig
    from videomdm_blender.armature.gimbal import sharpen

    def leaves(element: Any) -> list[Any]:
        own = [
            (
                element.id,
                bytes(element.props_type),
                [bytes(p) if hasattr(p, "tobytes") else p for p in element.props],
            )
        ]
        return own + [leaf for child in element.elems for leaf in leaves(child)]

    applied, scene = lying(mannequin), bpy.context.scene
    frames = range(applied.start_frame, applied.end_frame + 1)
    path = export_rig(tmp_path / "out.fbx", scene, mannequin, applied)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.fbx"]
    first = leaves(parse_fbx.parse(str(path))[0])
    # Turned a little more, the hips want other angles; everything else is written as it was read.
    bag = applied.action.layers[0].strips[0].channelbag(applied.action.slots[0])
    bag.fcurves.find('pose.bones["Hips"].rotation_quaternion', index=1).keyframe_points[0].co[1] += 1e-3
    assert sharpen(path, scene, mannequin, frames) == len(frames)
    second = leaves(parse_fbx.parse(str(path))[0])
    changed = [a[0] for a, b in zip(first, second, strict=True) if a != b]
    assert 1 <= len(changed) <= 3 and set(changed) == {b"KeyValueFloat"}


def test_a_file_without_locks_is_left_as_it_is(mannequin: Any, tmp_path: Path) -> None:
    import bpy

    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.armature.exporting import export_rig
    from videomdm_blender.armature.gimbal import sharpen

    applied = apply_take(bpy.context.scene, mannequin, perform(0.3).motion, name="up", start_frame=1)
    path = export_rig(tmp_path / "out.fbx", bpy.context.scene, mannequin, applied)
    before = path.read_bytes()
    assert sharpen(path, bpy.context.scene, mannequin, range(1, applied.end_frame + 1)) == 0
    assert path.read_bytes() == before


def test_a_biped_at_the_lock_comes_back_as_it_was(bpy: Any, shared_data: Path) -> None:
    """Its pelvis stands at the lock at rest."""
    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.armature.importing import open_rig
    from videomdm_blender.certify.battery import BATTERY
    from videomdm_blender.certify.round_trip import round_trip

    armature = open_rig(shared_data / "rigs" / "Female_Adult_01.fbx").armature
    bpy.context.scene.render.fps = 24
    applied = apply_take(bpy.context.scene, armature, BATTERY["jump"](), name="jump", start_frame=1)
    bones = [bone.name for bone in armature.data.bones if bone.use_deform]
    found = round_trip(
        ".fbx", armature, applied, bones, applied.take.scale * armature.matrix_world.median_scale
    )
    assert found.angle_deg < 0.005 and found.distance_mm < 0.01
