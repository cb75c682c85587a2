# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rig: mapped right, limbs point where the motion's do, and nothing else is changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.stage_rigs import (
    ALL_RIGS,
    OpenedRig,
    curves,
    keyed_bones,
    limb_errors,
    playback,
    settings,
)
from tests.support.actor import joint, perform

from videomdm.motion import Motion

MEDIAN, P99 = 0.5, 2.0  # degrees
FINGER = re.compile(r"thumb|index|mid|ring|pink|little|finger\d", re.IGNORECASE)


@pytest.mark.parametrize("name", ALL_RIGS)
def test_a_take_on_every_rig(open_any: Callable[[str], OpenedRig], name: str) -> None:
    import bpy

    from videomdm_blender.armature.apply import apply_take, mapping_of

    rig = open_any(name)
    scene = bpy.context.scene
    fps = scene.render.fps / scene.render.fps_base
    motion = perform(2.5, turns=0.5).motion
    actions = {action.name: curves(action) for action in bpy.data.actions}
    before = settings()

    mapping = mapping_of(rig.armature, rig.humanoid)
    assert dict(mapping.slots) == rig.truth

    applied = apply_take(scene, rig.armature, motion, name="take", start_frame=11, mapping=mapping)
    assert settings() == before
    assert {action.name: curves(action) for action in bpy.data.actions if action != applied.action} == actions
    assert all(bpy.data.actions[old].users > 0 for old in actions)
    assert rig.armature.animation_data.action == applied.action
    allowed = set(mapping.bones) | {bone for bone, _ in mapping.switches}
    keyed = keyed_bones(applied.action)
    assert keyed >= allowed and all(FINGER.search(bone) for bone in keyed - allowed)

    frames = range(applied.start_frame, applied.end_frame + 1)
    assert len(frames) == int((len(motion) - 1) * fps / motion.fps + 1e-4) + 1
    errors = limb_errors(rig.armature, rig.truth, motion, frames, fps)
    assert np.median(errors) < MEDIAN and np.percentile(errors, 99) < P99

    metres = applied.take.scale * rig.armature.matrix_world.median_scale
    thighs = [chain[0].replace("thigh_fk", "ORG-thigh").replace("_fk", "") for slot, chain in rig.truth.items()
              if slot.endswith("thigh")]  # fmt: skip
    places = playback(rig.armature, frames, thighs)
    middle = np.mean([places[bone][:, 0] for bone in thighs], axis=0)
    source = (joint(motion, "left_hip") + joint(motion, "right_hip")) / 2
    travel = (source[-1] - source[0])[[0, 2]] * (1.0, -1.0) * metres
    end = (len(frames) - 1) / fps * motion.fps
    if abs(end - (len(motion) - 1)) < 1e-3:
        np.testing.assert_allclose((middle[-1] - middle[0])[:2], travel, atol=2e-3 * metres)
    assert np.linalg.norm((middle[-1] - middle[0])[:2]) == pytest.approx(np.linalg.norm(travel), rel=0.05)


@pytest.mark.parametrize("name", ["CesiumMan.glb", "Geno.fbx", "rigify basic_human meta"])
def test_baking_again_gives_the_same_bytes(open_any: Callable[[str], OpenedRig], name: str) -> None:
    import bpy

    from videomdm_blender.armature.apply import apply_motion

    rig = open_any(name)
    motion = perform(1.0).motion
    one = apply_motion(bpy.context.scene, rig.armature, motion, name="take", start_frame=1)
    bpy.context.scene.frame_set(9)
    two = apply_motion(bpy.context.scene, rig.armature, motion, name="take", start_frame=1)
    assert one != two and curves(one) == curves(two)


def test_a_take_does_not_depend_on_the_pose_that_was_there(open_any: Callable[[str], OpenedRig]) -> None:
    """CesiumMan arrives with an animation that moves and shifts its bones."""
    import bpy

    from videomdm_blender.armature.apply import apply_take

    rig = open_any("CesiumMan.glb")
    motion = perform(1.0).motion
    for frame in (1, 30):
        bpy.context.scene.frame_set(frame)
        rig.armature.animation_data.action = bpy.data.actions["Anim_0"]
        rig.armature.animation_data.action_slot = bpy.data.actions["Anim_0"].slots[0]
        bpy.context.scene.frame_set(frame + 5)
        applied = apply_take(bpy.context.scene, rig.armature, motion, name="take", start_frame=1)
        errors = limb_errors(rig.armature, rig.truth, motion, range(1, applied.end_frame + 1), 24.0)
        assert errors.max() < 0.1


@pytest.mark.parametrize("clip", ["sample_000000/new_joints/000000.npy", "HumanML3D/new_joints/012314.npy"])
def test_published_clips_on_a_character(
    open_any: Callable[[str], OpenedRig], shared_data: Any, clip: str
) -> None:
    import bpy

    from videomdm_blender.armature.apply import apply_take

    path = shared_data / "humanml3d" / clip
    if not path.exists():
        pytest.skip(f"no {clip} in the shared data")
    motion = Motion(np.load(path).reshape(-1, 22, 3), 20.0)
    rig = open_any("human-male.glb")
    applied = apply_take(bpy.context.scene, rig.armature, motion, name="take", start_frame=1)
    frames = range(1, applied.end_frame + 1)
    errors = limb_errors(rig.armature, rig.truth, motion, frames, 24.0)
    assert np.median(errors) < MEDIAN and np.percentile(errors, 99) < P99
    feet = [rig.truth[f"{side}_toe"][0] for side in ("left", "right")]
    places = playback(rig.armature, frames, feet)
    lowest = np.min([places[foot][:, 0, 2] for foot in feet], axis=0)
    at_rest = rig.armature.data.bones[feet[0]].head_local.z
    assert abs(np.median(lowest) - at_rest) < 0.015 and lowest.min() > at_rest - 0.03


def test_a_mesh_without_armature_is_refused(bpy: Any, shared_data: Any) -> None:
    from videomdm.errors import UserError
    from videomdm_blender.armature.importing import open_rig

    with pytest.raises(UserError, match=r"human-a-pose\.glb holds no armature"):
        open_rig(shared_data / "rigs" / "human-a-pose.glb")
