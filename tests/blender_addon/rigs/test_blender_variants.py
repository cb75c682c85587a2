# SPDX-License-Identifier: GPL-3.0-or-later
"""Variants of rigs made in Blender as people make them, mapped without help and right."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.blender_addon.rigs.conftest import HIERARCHIES
from tests.blender_addon.support.true_mappings import RIGIFY
from tests.blender_addon.support.variants import Case, Table

from videomdm_blender.retarget.slots import SLOTS


@pytest.fixture
def edited(bpy: Any, case_of: Callable[[str], Case], scene: Any) -> Callable[[str], tuple[Any, Table]]:
    """An armature object in an empty scene with the bones of a known rig, and its true mapping."""

    def build(name: str) -> tuple[Any, Table]:
        case = case_of(name)
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        data = bpy.data.armatures.new(name)
        armature = bpy.data.objects.new(name, data)
        bpy.context.scene.collection.objects.link(armature)
        bpy.context.view_layer.objects.active = armature
        armature.select_set(True)
        bpy.ops.object.mode_set(mode="EDIT")
        size = float(abs(case.rest.heads).max())
        for bone, parent, head, tail in zip(
            case.rest.names, case.rest.parents, case.rest.heads, case.rest.tails, strict=True
        ):
            new = data.edit_bones.new(bone)
            assert new.name == bone
            new.head, new.tail = head / size, tail / size
            if parent >= 0:
                new.parent = data.edit_bones[case.rest.names[parent]]
        bpy.ops.object.mode_set(mode="OBJECT")
        assert len(data.bones) == len(case.rest.names)
        return armature, dict(case.truth)

    return build


def assert_right(armature: Any, truth: Table) -> None:
    from videomdm_blender.armature.apply import mapping_of

    found = mapping_of(armature)
    assert {slot: found.chain(slot) for slot in SLOTS} == {slot: truth.get(slot, ()) for slot in SLOTS}


Edited = Callable[[str], tuple[Any, Table]]


@pytest.mark.parametrize("name", HIERARCHIES)
def test_the_same_bones_made_anew(edited: Edited, name: str) -> None:
    assert_right(*edited(name))


@pytest.mark.parametrize("name", ["mannequin", "human-male.glb", "rigify human"])
def test_bones_renamed_in_blender(edited: Edited, name: str) -> None:
    armature, truth = edited(name)
    names = {bone.name: f"Bone.{number:03}" for number, bone in enumerate(armature.data.bones)}
    for old, new in names.items():
        armature.data.bones[old].name = f"?{new}"
    for new in names.values():
        armature.data.bones[f"?{new}"].name = new
    assert_right(armature, {slot: tuple(names[bone] for bone in chain) for slot, chain in truth.items()})


@pytest.mark.parametrize("rename", [False, True], ids=["names", "no names"])
@pytest.mark.parametrize("name", ["mannequin", "Female_Adult_01.fbx", "Geno.fbx", "rigify basic"])
def test_a_pose_applied_as_the_rest_pose(bpy: Any, edited: Edited, name: str, rename: bool) -> None:
    """Arms to the front, a step, a twist: as long as the rig has limbs, its rest pose does not matter."""
    armature, truth = edited(name)
    bpy.ops.object.mode_set(mode="POSE")
    for slot, axis, degrees in (
        ("left_upper_arm", "X", 50.0),
        ("right_upper_arm", "Z", -35.0),
        ("left_forearm", "X", 30.0),
        ("left_thigh", "X", 25.0),
        ("right_thigh", "X", -20.0),
        ("right_shin", "X", 30.0),
    ):
        bone = armature.pose.bones[truth[slot][0]]
        bone.rotation_mode = "XYZ"
        bone.rotation_euler["XYZ".index(axis)] = math.radians(degrees)
    bpy.ops.pose.armature_apply(selected=False)
    bpy.ops.object.mode_set(mode="OBJECT")
    if rename:
        for number, bone in enumerate(list(armature.data.bones)):
            truth = {s: tuple(f"b{number}" if b == bone.name else b for b in c) for s, c in truth.items()}
            bone.name = f"b{number}"
    assert_right(armature, truth)


@pytest.mark.parametrize("applied", [False, True], ids=["object", "applied"])
@pytest.mark.parametrize("name", ["mannequin", "Neo.fbx", "rigify basic"])
def test_an_object_that_is_turned_moved_and_scaled(
    bpy: Any, edited: Edited, name: str, applied: bool
) -> None:
    armature, truth = edited(name)
    armature.rotation_euler = (math.radians(90), 0.3, math.radians(130))
    armature.location, armature.scale = (3.0, -2.0, 1.0), (0.01, 0.01, 0.01)
    if applied:
        bpy.ops.object.transform_apply(location=True, rotation=True, scale=True)
    bpy.context.view_layer.update()
    assert_right(armature, truth)


def test_bones_subdivided_and_dissolved_in_edit_mode(bpy: Any, edited: Edited) -> None:
    armature, truth = edited("mannequin")
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for bone in bones:
        bone.select = bone.select_head = bone.select_tail = bone.name == "Spine2"
    bpy.ops.armature.subdivide(number_cuts=1)
    for side in ("Left", "Right"):
        bones.remove(bones[f"{side}ToeBase"])
    bpy.ops.object.mode_set(mode="OBJECT")
    names = [bone.name for bone in armature.data.bones]
    assert "Spine2.001" in names and len(names) == 25
    parts = ["Spine2", "Spine2.001"]
    parts.sort(key=lambda bone: armature.data.bones[bone].head_local.z)
    truth["spine"] = ("Spine", "Spine1", *parts)
    for side in ("left", "right"):
        del truth[f"{side}_toe"]
    # What hung on Spine2 may hang on either half now: the neck and collars must be at the upper one.
    carrier = armature.data.bones["LeftShoulder"].parent.name
    assert carrier == parts[-1] or carrier == parts[0]
    if carrier == parts[0]:
        bpy.ops.object.mode_set(mode="EDIT")
        for name in ("LeftShoulder", "RightShoulder", "Neck"):
            bones = armature.data.edit_bones
            bones[name].parent = bones[parts[-1]]
        bpy.ops.object.mode_set(mode="OBJECT")
    assert_right(armature, truth)


def test_a_generated_rig_whose_metarig_was_posed_and_scaled(bpy: Any, scene: Any) -> None:
    import addon_utils

    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable("rigify", default_set=True)
    bpy.ops.object.armature_basic_human_metarig_add()
    metarig = bpy.context.object
    bpy.ops.object.mode_set(mode="POSE")
    for side, sign in (("L", 1.0), ("R", -1.0)):
        bone = metarig.pose.bones[f"upper_arm.{side}"]
        bone.rotation_mode = "XYZ"
        bone.rotation_euler = (0.0, 0.0, sign * -0.5)
    bpy.ops.pose.armature_apply(selected=False)
    bpy.ops.object.mode_set(mode="OBJECT")
    metarig.scale = (0.5, 0.5, 0.5)
    bpy.ops.object.transform_apply(scale=True)
    bpy.ops.pose.rigify_generate()
    addon_utils.disable("rigify", default_set=True)
    assert_right(bpy.data.objects["rig"], RIGIFY)
