# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion ends at the toe joint: single toes keep their pose at rest, and bend with what carries them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from videomdm_blender.certify.battery import BATTERY

# Of the left foot, the first joint of each and what follows it.
TOES = {
    "Daz": {"lBigToe": "lBigToe_2", "lSmallToe1": "lSmallToe1_2", "lSmallToe4": "lSmallToe4_2"},
    "Auto-Rig Pro": {"c_toes_thumb1.l": "c_toes_thumb2.l", "c_toes_index1.l": "c_toes_index2.l",
                     "c_toes_pinky1.l": "c_toes_pinky2.l"},
}  # fmt: skip


def with_toes(armature: Any, toes: dict[str, str]) -> None:
    """Give the left toe bone toes of two joints each, spread and rolled."""
    import bpy

    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    base = bones["LeftToeBase"]
    along = base.tail - base.head
    for number, (first, second) in enumerate(toes.items()):
        place, parent = base.head + 0.4 * along, base
        place.x += 0.015 * (number - 1)
        for name in (first, second):
            bone = bones.new(name)
            bone.head, bone.tail, bone.roll = place, place + 0.3 * along, 0.7 * number
            bone.parent, place, parent = parent, place + 0.3 * along, bone
    bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize("kind", TOES)
def test_single_toes_stay_relaxed_while_the_foot_rolls(bpy: Any, kind: str) -> None:
    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.armature.keys import keyed_bones
    from videomdm_blender.mannequin.build import build_mannequin
    from videomdm_blender.retarget.solve import Options

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    armature = build_mannequin(scene)
    with_toes(armature, TOES[kind])
    every = {name for toe in TOES[kind].items() for name in toe}
    applied = apply_take(
        scene, armature, BATTERY["walk"](), name="walk", start_frame=1, options=Options(contact="auto")
    )
    assert applied.mapping.chain("left_toe") == ("LeftToeBase",)
    assert not keyed_bones(applied.action) & every
    bends = []
    for frame in range(1, applied.end_frame + 1):
        scene.frame_set(frame)
        pose = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        bends.append(pose["LeftToeBase"].matrix_basis.to_quaternion().angle)
        for name in every:
            now = pose[name].parent.matrix.inverted() @ pose[name].matrix
            rest = armature.data.bones[name]
            at_rest = rest.parent.matrix_local.inverted() @ rest.matrix_local
            np.testing.assert_allclose(np.array(now), np.array(at_rest), atol=1e-5)
    assert np.degrees(np.ptp(bends)) > 15.0, "the toe joint itself bends"
