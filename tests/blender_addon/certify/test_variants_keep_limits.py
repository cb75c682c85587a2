# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variant of a rig, renamed, rescaled, posed or rebuilt, takes a walk in Blender, and nothing else changes.

The variants are those whose mapping ``rigs/test_variants`` checks; here each is an armature with animation of its
own, in a scene with settings of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.known_rigs import KINDS, known_rig
from tests.blender_addon.support.rigs import A_POSE, T_POSE, body
from tests.blender_addon.support.variants import VARIANTS, Case, mannequin
from tests.blender_addon.support.walker import walk

from videomdm.motion import Motion, rotations
from videomdm_blender.certify.limits import broken
from videomdm_blender.certify.measures import measure
from videomdm_blender.retarget.slots import SLOTS

FRAMES, FPS = 9, 25
KEPT = {
    "limb_median_deg",
    "limb_direction_deg",
    "stretch_percent",
    "twist_beyond_deg",
    "twist_jump_deg",
    "jitter_ratio",
}
MODES = ("QUATERNION", "XYZ", "ZXY", "AXIS_ANGLE")
RIGS: dict[str, Callable[[], Case]] = {
    "mannequin": mannequin,
    **{
        f"{name} of numbers": (lambda pose=pose: _numbers(pose))
        for name, pose in (("T-pose", T_POSE), ("A-pose", A_POSE))
    },
    **{name: (lambda name=name: known_rig(name)) for name in KINDS},
}
# Each variant of one rig, the rigs taking turns.
PAIRS = [(list(RIGS)[number % len(RIGS)], variant) for number, variant in enumerate(VARIANTS)]


def _numbers(pose: Any) -> Case:
    rest, mapping = body(pose)
    return Case(rest, dict(mapping.slots))


rig_of = cache(lambda name: RIGS[name]())


@pytest.fixture(scope="module")
def motion() -> Motion:
    """A part of a walk in which a foot leaves the floor and one lands."""
    whole = walk(1.2, float(FPS)).motion
    assert whole.contacts is not None
    part = slice(10, 10 + FRAMES)
    return Motion(whole.positions[part], whole.fps, whole.contacts[part])


def built(bpy: Any, case: Case) -> Any:
    """The rig as an armature object in an empty file, with animation, modes and settings that must stay."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene, rest = bpy.context.scene, case.rest
    scene.render.fps, scene.frame_start, scene.frame_end = FPS, 7, 90
    data = bpy.data.armatures.new("bones")
    armature = bpy.data.objects.new("rig", data)
    scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for index, (name, parent) in enumerate(zip(rest.names, rest.parents, strict=True)):
        bone = data.edit_bones.new(name)
        assert bone.name == name
        bone.head, bone.tail = rest.heads[index], rest.tails[index]
        bone.align_roll(rotations.rotate(rest.rotations[index], np.array([0.0, 0.0, 1.0])))
        bone.parent = data.edit_bones[rest.names[parent]] if parent >= 0 else None
    bpy.ops.object.mode_set(mode="OBJECT")
    assert len(data.bones) == len(rest.names)
    world = np.eye(4)
    world[:3, :3] = np.array([np.cross(-rest.front, rest.up), -rest.front, rest.up])
    armature.matrix_world = world.tolist()
    for number, bone in enumerate(armature.pose.bones):
        bone.rotation_mode = MODES[number % len(MODES)]
        bone.keyframe_insert("location", frame=3)
    bpy.context.view_layer.update()
    return armature


def test_there_are_enough_variants_and_every_kind_of_rig() -> None:
    assert len(PAIRS) >= 40 and {rig for rig, _ in PAIRS} == set(RIGS)


@pytest.mark.parametrize(("rig", "variant"), PAIRS, ids=[" - ".join(pair) for pair in PAIRS])
def test_a_walk_on_every_variant(bpy: Any, motion: Motion, rig: str, variant: str) -> None:
    from videomdm_blender.armature.apply import apply_take, mapping_of
    from videomdm_blender.armature.rest import read_rest
    from videomdm_blender.certify.played import play, watch
    from videomdm_blender.certify.untouched import changes, state, strangers

    case = VARIANTS[variant](rig_of(rig))
    armature = built(bpy, case)
    scene, mapping = bpy.context.scene, mapping_of(armature)
    for slot in SLOTS:  # without names another bone of a foot is as good a toe as the one that was taken away
        assert mapping.chain(slot) == case.truth.get(slot, ()) or slot.endswith("toe")

    before = state(scene)
    applied = apply_take(scene, armature, motion, name="walk", start_frame=11, mapping=mapping)
    assert changes(before, state(scene, but=applied.action)) == []
    assert strangers(applied.action, mapping.bones) == []
    assert len(before) > 2 * len(case.rest.names) and "the Action rigAction" in before

    watched = watch(armature, read_rest(armature), mapping, motion.positions.astype(float))
    played = play(scene, armature, watched, range(11, applied.end_frame + 1), FPS)
    assert len(played.stretch) == FRAMES
    found = measure(motion, played)
    assert not {limit.key for limit in broken(found)} & KEPT, found
    assert found["limb_direction_deg"] < 0.1 and found["root_path_mm"] < 1.0
