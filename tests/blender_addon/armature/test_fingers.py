# SPDX-License-Identifier: GPL-3.0-or-later
"""Relaxed fingers on real rigs: towards the palm on both hands, once, and never where somebody has posed them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.stage_rigs import OpenedRig, curves, keyed_bones
from tests.support.actor import perform

# Rig -> its left hand, the joints of the index finger, the first of the little one where there is one, the end of
# the thumb, the words for the sides, and how far tips go into the palm at least, by the length of the finger.
RIGS = {
    "human-male.glb": (
        "hand_l", ("index_01_l", "index_02_l", "index_03_l"), "pinky_01_l", "thumb_03_l", ("_l", "_r"), 0.3,
    ),
    "Geno.fbx": (
        "LeftHand", ("LeftHandIndex1", "LeftHandIndex2", "LeftHandIndex3"), "LeftHandPinky1", "LeftHandThumb3",
        ("Left", "Right"), 0.3,
    ),
    "human-kenney.glb": (
        "LeftHand", ("LeftHandIndex1", "LeftHandIndex2", "LeftHandIndex3"), "", "LeftHandThumb2",
        ("Left", "Right"), 0.3,
    ),
    "rigify human generated": (  # its hands are made half closed
        "DEF-hand.L", ("DEF-f_index.01.L", "DEF-f_index.02.L", "DEF-f_index.03.L"), "DEF-f_pinky.01.L",
        "DEF-thumb.03.L", (".L", ".R"), 0.1,
    ),
}  # fmt: skip


def take_on(armature: Any, **settings: Any) -> Any:
    import bpy

    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.edit.settings import TakeSettings

    return apply_take(
        bpy.context.scene,
        armature,
        perform(0.3).motion,
        name="take",
        start_frame=1,
        settings=TakeSettings(**settings),
    )


def tips(armature: Any, hand: str, bones: list[str]) -> np.ndarray:
    """(N, 3) tails of bones in the axes that the hand has at rest, as seen from it."""
    import bpy

    bpy.context.view_layer.update()
    pose = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose
    back = armature.data.bones[hand].matrix_local @ pose.bones[hand].matrix.inverted()
    return np.array([back @ pose.bones[bone].tail for bone in bones])


@pytest.mark.parametrize("name", RIGS)
def test_fingers_curl_into_the_palm(open_any: Callable[[str], OpenedRig], name: str) -> None:
    """Finger tips go into the palm and nearer to the wrist, on both sides alike; thumbs not out of the palm."""
    import bpy

    hand, index, little, thumb, words, least = RIGS[name]
    armature = open_any(name).armature
    applied = take_on(armature)
    bpy.context.scene.frame_set(applied.end_frame)
    bones = armature.data.bones
    depths = []
    for number, word in enumerate(words):
        wrist, knuckle, last, tip, *small = (
            bones[bone.replace(words[0], word)] for bone in (hand, index[0], index[-1], thumb, little) if bone
        )
        palm = np.array(armature.matrix_world.to_3x3().inverted())[:, 2] * -1.0  # palms look down
        if (
            small
        ):  # beside each other seen from above, index and little finger of a left hand lie to the right
            rays = [np.array(bone.head_local - wrist.head_local) for bone in (knuckle, *small)]
            palm = np.cross(*rays) * (1.0, -1.0)[1 - number]
        seen = tips(armature, wrist.name, [last.name, tip.name])
        rest = np.array([last.tail_local, tip.tail_local])
        length = np.linalg.norm(last.tail_local - knuckle.head_local)
        moved = (seen - rest) @ palm / np.linalg.norm(palm) / length
        reach = np.linalg.norm(np.array([seen[0], rest[0]]) - np.array(wrist.head_local), axis=-1)
        assert moved[0] > least and moved[1] > -0.02 and reach[0] < reach[1], (word, moved)
        depths.append(moved)
    np.testing.assert_allclose(depths[0], depths[1], atol=0.05)
    bag = applied.action.layers[0].strips[0].channelbag(applied.action.slots[0])
    extra = keyed_bones(applied.action) - set(applied.mapping.bones)
    fingers = [curve for curve in bag.fcurves if curve.group.name in extra and "rotation" in curve.data_path]
    assert fingers and all(len(curve.keyframe_points) == 1 for curve in fingers)


def test_they_can_be_left_alone(open_any: Callable[[str], OpenedRig]) -> None:
    armature = open_any("human-male.glb").armature
    applied = take_on(armature, fingers="rest")
    assert keyed_bones(applied.action) == set(applied.mapping.bones)


def test_the_next_take_relaxes_them_as_the_first(open_any: Callable[[str], OpenedRig]) -> None:
    import bpy

    armature = open_any("human-male.glb").armature
    first = take_on(armature)
    bpy.context.scene.frame_set(2)
    assert curves(take_on(armature).action) == curves(first.action)


def test_a_blended_take_leads_them_there(open_any: Callable[[str], OpenedRig]) -> None:
    armature = open_any("human-male.glb").armature
    applied = take_on(armature, blend_in=0.2)
    path = 'pose.bones["index_02_l"].rotation_quaternion'
    bag = applied.action.layers[0].strips[0].channelbag(applied.action.slots[0])
    real = bag.fcurves.find(path, index=0)
    values = [real.evaluate(frame) for frame in range(1, applied.end_frame + 1)]
    assert values[0] == pytest.approx(1.0) and values[-1] < 0.98 and (np.diff(values) < 1e-6).all()


@pytest.mark.parametrize("what", ["posed", "animated", "constrained", "driven"])
def test_fingers_that_somebody_has_seen_to_stay(open_any: Callable[[str], OpenedRig], what: str) -> None:
    """Of that hand; the other one is relaxed."""
    armature = open_any("human-male.glb").armature
    bone = armature.pose.bones["ring_02_l"]
    if what == "posed":
        bone.rotation_quaternion = (0.9, 0.0, 0.0, 0.43589)
    elif what == "animated":
        for frame, angle in ((1, 0.0), (20, 0.5)):
            bone.rotation_quaternion = (np.cos(angle), 0.0, 0.0, np.sin(angle))
            bone.keyframe_insert("rotation_quaternion", frame=frame)
        bone.rotation_quaternion = (1.0, 0.0, 0.0, 0.0)
    elif what == "constrained":
        constraint = bone.constraints.new("COPY_ROTATION")
        constraint.target, constraint.subtarget = armature, "index_02_l"
    else:
        bone.driver_add("rotation_quaternion", 3).driver.expression = "0.1"
    keyed = keyed_bones(take_on(armature).action)
    assert "ring_02_r" in keyed and not any(
        name.startswith(("ring", "index")) and name.endswith("_l") for name in keyed
    )


def test_a_finger_that_rigify_bends_as_a_whole_stays(open_any: Callable[[str], OpenedRig]) -> None:
    armature = open_any("rigify human generated").armature
    armature.pose.bones["f_ring.01_master.L"].scale = (1.0, 0.7, 1.0)
    keyed = keyed_bones(take_on(armature).action)
    assert "f_ring.02.R" in keyed and "f_index.02.L" not in keyed
