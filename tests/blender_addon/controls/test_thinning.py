# SPDX-License-Identifier: GPL-3.0-or-later
"""IK controls with fewer keys: hands, feet and limbs stay where all keys have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.blender_addon.controls.control_rigs import STUDIO, build
from tests.blender_addon.controls.seen import apart, degrees_between, use, watch
from tests.blender_addon.support.walker import walk

from videomdm_blender.edit.reduce import changes

DEGREES, MILLIMETRES = 1.0, 4.0
TOLERANCE = {"reduce_degrees": DEGREES, "reduce_millimetres": MILLIMETRES}
RIGIFY_LIMBS = {"hand_ik.@": ("ORG-upper_arm.@", "ORG-forearm.@", "ORG-hand.@"),
                "foot_ik.@": ("ORG-thigh.@", "ORG-shin.@", "ORG-foot.@")}  # fmt: skip


def take_on(rig: Any, motion: Any, controls: str = "IK", **settings: Any) -> Any:
    import bpy

    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.controls.limb import Controls
    from videomdm_blender.edit.settings import TakeSettings

    return apply_take(
        bpy.context.scene,
        rig,
        motion,
        name="take",
        start_frame=1,
        controls=Controls[controls],
        settings=TakeSettings(**settings),
    )


def keys(action: Any, bone: str, channel: str) -> list[Any]:
    bag = action.layers[0].strips[0].channelbag(action.slots[0])
    return list(bag.fcurves.find(f'pose.bones["{bone}"].{channel}', index=0).keyframe_points)


def on_sides(names: tuple[str, ...], sides: tuple[str, str] = ("L", "R")) -> list[str]:
    return [name.replace("@", side) for side in sides for name in names]


def limbs_shown(rig: Any, action: Any, frames: range) -> dict[str, np.ndarray]:
    use(rig, action)
    return watch(rig, frames, [bone for limb in RIGIFY_LIMBS.values() for bone in on_sides(limb)])


def check_near(seen: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    """With some room: the body has fewer keys, too, and carries what hangs on it."""
    for bone, matrices in seen.items():
        if bone.startswith(("ORG-hand", "ORG-foot")):
            assert 1000.0 * apart(matrices, wanted[bone]).max() < 1.5 * MILLIMETRES, bone
        else:
            angles = degrees_between(matrices[:, :3, :3], wanted[bone][:, :3, :3])
            assert angles.max() < 1.5 * DEGREES, bone


@pytest.mark.parametrize("interpolation", ["linear", "bezier"])
def test_rigify_keeps_to_the_tolerance_with_fewer_keys(rigify: Any, interpolation: str) -> None:
    motion = walk(1.3).motion
    dense = take_on(rigify, motion, interpolation=interpolation)
    sparse = take_on(rigify, motion, interpolation=interpolation, **TOLERANCE)
    for name, most in (("hand_ik.L", 0.9), ("foot_ik.L", 0.9), ("thigh_ik_target.L", 0.9)):
        all_keys, few_keys = (keys(take.action, name, "location") for take in (dense, sparse))
        assert len(all_keys) == dense.end_frame and len(few_keys) < most * dense.end_frame, name
        assert {point.interpolation for point in (*all_keys, *few_keys)} == {interpolation.upper()}
    frames = range(1, dense.end_frame + 1)
    check_near(limbs_shown(rigify, sparse.action, frames), limbs_shown(rigify, dense.action, frames))


def test_both_agree_with_fewer_keys(rigify: Any) -> None:
    both = take_on(rigify, walk(1.3).motion, "BOTH", interpolation="bezier", **TOLERANCE)
    frames = range(1, both.end_frame + 1)
    on_fk = limbs_shown(rigify, both.action, frames)
    bag = both.action.layers[0].strips[0].channelbag(both.action.slots[0])
    for curve in bag.fcurves:
        if curve.data_path.endswith('["IK_FK"]'):
            curve.keyframe_points[0].co[1] = 0.0
    check_near(limbs_shown(rigify, both.action, frames), on_fk)


def test_steps_and_standing_feet_are_kept(scene: Any) -> None:
    """A foot that stands has the keys of its step and none between that it does not need."""
    rig = build(scene, STUDIO)
    walker = walk(2.4, fps=24.0)
    sparse = take_on(
        rig, walker.motion, reduce_degrees=DEGREES, reduce_millimetres=MILLIMETRES, interpolation="bezier"
    )
    assert walker.motion.contacts is not None
    for number, side in enumerate(STUDIO.sides):
        target = STUDIO.target["foot"].replace("@", side)
        framed = {round(point.co[0]) - 1 for point in keys(sparse.action, target, "location")}
        steps = np.flatnonzero(changes(walker.motion.contacts[:, 2 * number : 2 * number + 2]))
        assert set(steps.tolist()) <= framed and len(steps) > 2
        assert len(framed) < 0.75 * len(walker.motion)
