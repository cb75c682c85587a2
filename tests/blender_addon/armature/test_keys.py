# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written: rotation modes, frames, scene rates, leftovers, and what must stay as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.stage_rigs import curves, keyed_bones, limb_errors
from tests.support.actor import joint, perform

from videomdm.errors import UserError
from videomdm.motion.resample import resample

MODES = ("QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


@pytest.fixture
def rig(mannequin: Any) -> Any:
    return mannequin


def truth_of(armature: Any) -> Any:
    from videomdm_blender.armature.apply import mapping_of

    return dict(mapping_of(armature).slots)


def test_every_rotation_mode_shows_the_same_take(scene: Any, rig: Any) -> None:
    from videomdm_blender.armature.apply import apply_take

    for number, bone in enumerate(rig.pose.bones):
        bone.rotation_mode = MODES[number % len(MODES)]
    modes = {bone.name: bone.rotation_mode for bone in rig.pose.bones}
    motion = perform(3.0, turns=1.0).motion
    applied = apply_take(scene, rig, motion, name="take", start_frame=1)
    assert {bone.name: bone.rotation_mode for bone in rig.pose.bones} == modes
    errors = limb_errors(rig, truth_of(rig), motion, range(1, applied.end_frame + 1), 24.0)
    assert errors.max() < 0.1
    paths = {path.rsplit(".", 1)[1] for path, _ in curves(applied.action)}
    assert paths == {"location", "rotation_quaternion", "rotation_axis_angle", "rotation_euler"}
    for (path, _), data in curves(applied.action).items():
        if path.endswith("rotation_euler"):
            assert np.abs(np.diff(np.frombuffer(data, np.float32)[1::2])).max() < np.pi / 2, path


@pytest.mark.parametrize(
    ("fps", "base"), [(24, 1.0), (30, 1.0), (30, 1.001), (60, 1.0), (12, 1.0), (20, 1.0)]
)
def test_the_clip_keeps_its_seconds(scene: Any, rig: Any, fps: int, base: float) -> None:
    from videomdm_blender.armature.apply import apply_take

    scene.render.fps, scene.render.fps_base = fps, base
    motion = perform(2.0).motion
    applied = apply_take(scene, rig, motion, name="take", start_frame=101)
    seconds = (applied.end_frame - applied.start_frame) * base / fps
    last = (len(motion) - 1) / motion.fps
    assert last - base / fps < seconds <= last + 1e-3
    assert tuple(applied.action.frame_range) == (101.0, float(applied.end_frame))
    assert (scene.render.fps, scene.render.fps_base) == (fps, pytest.approx(base))
    errors = limb_errors(rig, truth_of(rig), motion, range(101, applied.end_frame + 1), fps / base)
    assert errors.max() < 0.1


def test_a_take_begins_at_the_current_frame(scene: Any, rig: Any) -> None:
    from videomdm_blender.armature.apply import apply_motion

    scene.frame_set(37)
    action = apply_motion(scene, rig, perform(1.0).motion, name="take")
    assert action.frame_range[0] == 37
    assert scene.frame_current == 37


def test_the_old_action_is_kept_and_untouched(scene: Any, rig: Any) -> None:
    from videomdm_blender.armature.apply import apply_motion

    motion = perform(1.0).motion
    first = apply_motion(scene, rig, motion, name="first", start_frame=1)
    keys = curves(first)
    second = apply_motion(scene, rig, perform(1.0, turns=0.2).motion, name="second", start_frame=1)
    assert curves(first) == keys and first.users > 0
    assert rig.animation_data.action == second
    third = apply_motion(scene, rig, motion, name="first", start_frame=1)
    assert third.name != "first" and third.name.startswith("first")


def test_a_take_is_a_slotted_action_with_a_group_for_each_bone(scene: Any, rig: Any) -> None:
    from videomdm_blender.armature.apply import apply_motion

    action = apply_motion(scene, rig, perform(1.0).motion, name="take", start_frame=1)
    assert [slot.target_id_type for slot in action.slots] == ["OBJECT"]
    assert rig.animation_data.action_slot == action.slots[0]
    bag = action.layers[0].strips[0].channelbag(action.slots[0])
    assert {fcurve.group.name for fcurve in bag.fcurves} == keyed_bones(action)
    assert {point.interpolation for fcurve in bag.fcurves for point in fcurve.keyframe_points} == {"LINEAR"}


def test_leftovers_of_an_earlier_pose_are_undone_by_the_take(scene: Any, rig: Any) -> None:
    from videomdm_blender.armature.apply import apply_take

    rig.pose.bones["LeftForeArm"].location = (0.0, 0.2, 0.1)
    rig.pose.bones["RightLeg"].scale = (1.0, 1.5, 1.0)
    rig.pose.bones["LeftHandThumb1"].rotation_quaternion = (0.8, 0.6, 0.0, 0.0)
    motion = perform(1.0).motion
    applied = apply_take(scene, rig, motion, name="take", start_frame=1)
    errors = limb_errors(rig, truth_of(rig), motion, range(1, applied.end_frame + 1), 24.0)
    assert errors.max() < 0.1
    assert tuple(rig.pose.bones["LeftHandThumb1"].rotation_quaternion) == pytest.approx((0.8, 0.6, 0.0, 0.0))
    assert "LeftHandThumb1" not in keyed_bones(applied.action)


def test_the_character_stays_where_its_object_was_put(scene: Any, rig: Any) -> None:
    """Moved, turned and scaled, also through a parent: the take happens there, in proportion."""
    import bpy

    from videomdm_blender.armature.apply import apply_take

    parent = bpy.data.objects.new("place", None)
    scene.collection.objects.link(parent)
    parent.location, parent.rotation_euler = (3.0, -1.0, 0.5), (0.0, 0.0, np.pi / 2)
    rig.parent = parent
    rig.scale = (2.0, 2.0, 2.0)
    scene.view_layers[0].update()
    motion = perform(2.0, turns=0.0).motion
    applied = apply_take(scene, rig, motion, name="take", start_frame=1)
    hips = []
    for frame in (1, applied.end_frame):
        scene.frame_set(frame)
        hips.append(np.array(rig.matrix_world @ rig.pose.bones["Hips"].head))
    travel = hips[1] - hips[0]
    source = joint(motion, "pelvis")
    # It faces -Y, a quarter turn makes that +X.
    wanted = (source[-1] - source[0])[2] * applied.take.scale * 2.0
    assert travel[0] == pytest.approx(wanted, rel=0.02) and abs(travel[1]) < 0.1
    assert hips[0][:2] == pytest.approx((3.0, -1.0), abs=0.1)


def test_a_mapping_can_be_given(scene: Any, rig: Any) -> None:
    from dataclasses import replace

    from videomdm_blender.armature.apply import apply_take, mapping_of

    mapping = mapping_of(rig)
    legs = {s: c for s, c in mapping.slots.items() if s not in ("neck", "head", "left_hand", "right_hand")}
    applied = apply_take(
        scene, rig, perform(1.0).motion, name="take", start_frame=1, mapping=replace(mapping, slots=legs)
    )
    assert keyed_bones(applied.action) == {bone for chain in legs.values() for bone in chain}
    wrong = replace(mapping, slots=dict(mapping.slots) | {"head": ("Tail",)})
    with pytest.raises(UserError, match="no bone called 'Tail'"):
        apply_take(scene, rig, perform(1.0).motion, name="bad", start_frame=1, mapping=wrong)


def test_what_cannot_take_a_motion_is_refused_and_left_alone(scene: Any, rig: Any) -> None:
    import bpy

    from videomdm_blender.armature.apply import apply_motion

    motion = perform(1.0).motion
    mesh = rig.children[0]
    with pytest.raises(UserError, match="is not an armature"):
        apply_motion(scene, mesh, motion, name="take")
    empty = bpy.data.objects.new("empty", bpy.data.armatures.new("empty"))
    scene.collection.objects.link(empty)
    with pytest.raises(UserError, match="has no bones"):
        apply_motion(scene, empty, motion, name="take")
    scene.view_layers[0].objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(UserError, match="is in edit mode"):
        apply_motion(scene, rig, motion, name="take")
    bpy.ops.object.mode_set(mode="OBJECT")
    assert len(bpy.data.actions) == 0 and rig.animation_data is None


def test_linked_rigs_are_refused_and_their_overrides_animated(scene: Any, rig: Any, tmp_path: Any) -> None:
    import bpy

    from videomdm_blender.armature.apply import apply_take

    library = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(library), copy=True)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (source, target):
        target.objects = source.objects
    scene = bpy.context.scene
    linked = next(thing for thing in target.objects if thing.type == "ARMATURE")
    scene.collection.objects.link(linked)
    motion = perform(1.0).motion
    with pytest.raises(UserError, match="linked from another file"):
        apply_take(scene, linked, motion, name="take", start_frame=1)
    override = linked.override_create()
    scene.collection.objects.link(override)
    scene.collection.objects.unlink(linked)
    scene.view_layers[0].update()
    applied = apply_take(scene, override, motion, name="take", start_frame=1)
    truth = dict(applied.mapping.slots)
    assert limb_errors(override, truth, motion, range(1, applied.end_frame + 1), 24.0).max() < 0.1


def test_constraints_and_uneven_scale_are_told(scene: Any, rig: Any) -> None:
    from videomdm_blender.armature.apply import apply_take

    rig.pose.bones["LeftForeArm"].constraints.new("IK")
    rig.scale = (1.0, 1.0, 1.3)
    scene.view_layers[0].update()
    applied = apply_take(scene, rig, perform(1.0).motion, name="take", start_frame=1)
    notes = " ".join(applied.notes)
    assert "Constraints also move LeftForeArm" in notes and "scaled unevenly" in notes
    assert len(rig.pose.bones["LeftForeArm"].constraints) == 1


def test_the_take_matches_the_clip_at_its_own_frames(scene: Any, rig: Any) -> None:
    """At 20 fps on 60 every third key is a frame of the clip."""
    from videomdm_blender.armature.apply import apply_take

    scene.render.fps = 60
    motion = perform(1.0).motion
    applied = apply_take(scene, rig, motion, name="take", start_frame=0)
    direct = resample(motion, 60.0).positions[::3]
    np.testing.assert_allclose(direct, motion.positions, atol=1e-6)
    assert limb_errors(rig, truth_of(rig), motion, range(0, applied.end_frame + 1, 3), 20.0).max() < 0.1
