# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated Rigify rigs: what the deforming bones do when FK or IK controls carry the take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.controls.seen import apart, degrees_between, keyed_value, turns, use, watch
from tests.blender_addon.controls.snapshot import snapshot
from tests.blender_addon.support.stage_rigs import keyed_bones, limb_errors
from tests.blender_addon.support.true_mappings import RIGIFY, Table
from tests.support.actor import perform

from videomdm.motion import Motion
from videomdm.motion.skeleton import JOINT_NAMES

SIDES = ("L", "R")
LIMBS = [f"{part}.{side}" for part in ("upper_arm", "forearm", "thigh", "shin") for side in SIDES]
ENDS = [f"{part}.{side}" for part in ("hand", "foot") for side in SIDES]
TOES = [f"toe.{side}" for side in SIDES]
COLLARS = [f"shoulder.{side}" for side in SIDES]
FINGERS = ("thumb", "f_index", "f_middle", "f_ring", "f_pinky")
SETTINGS = [f"{limb}_parent.{side}" for limb in ("upper_arm", "thigh") for side in SIDES]
IK_BONES = {
    f"{name}.{side}"
    for side in SIDES
    for name in ("hand_ik", "foot_ik", "toe_ik", "upper_arm_ik_target", "thigh_ik_target", "upper_arm_ik",
                 "thigh_ik", "foot_heel_ik", "foot_spin_ik")
}  # fmt: skip
# Those that the skin follows.
DEFORMING: Table = {
    slot: (f"DEF-{chain[0].replace('_fk.', '.')}",) for slot, chain in RIGIFY.items() if "_fk." in chain[0]
}


def take_on(rig: Any, motion: Motion, controls: str = "FK", name: str = "take", settings: Any = None) -> Any:
    import bpy

    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.controls.limb import Controls

    return apply_take(
        bpy.context.scene,
        rig,
        motion,
        name=name,
        start_frame=1,
        controls=Controls[controls],
        settings=settings,
    )


def check_against_meta_rig(rig: Any, applied: Any, motion: Motion) -> None:
    """The meta-rig is the same body as a plain hierarchy: what it shows is what is wanted."""
    import bpy

    meta = bpy.data.objects["metarig"]
    take_on(meta, motion, name="wanted")
    frames = range(1, applied.end_frame + 1)
    head = "spine.006" if "spine.006" in meta.pose.bones else "spine.005"
    names = [*LIMBS, *ENDS, *TOES, *COLLARS, "spine", "spine.003", head]
    wanted = turns(meta, watch(meta, frames, names))
    seen = turns(rig, watch(rig, frames, [f"ORG-{name}" for name in names]))
    for name in names:
        assert degrees_between(seen[f"ORG-{name}"], wanted[name]).max() < 0.05, name


def check_same(rig: Any, fk: Any, ik: Any, later: int = 0) -> None:
    """The IK take shows what the FK take shows, also some frames later."""
    frames = range(1 + later, fk.end_frame + 1 + later)
    bones = [f"{kind}-{name}" for kind in ("ORG", "DEF") for name in (*LIMBS, *ENDS, *TOES)]
    use(rig, fk.action)
    wanted = watch(rig, frames, bones)
    use(rig, ik.action)
    seen = watch(rig, frames, bones)
    for bone in bones:
        assert apart(seen[bone], wanted[bone]).max() < 0.01, bone
        assert degrees_between(seen[bone][:, :3, :3], wanted[bone][:, :3, :3]).max() < 2.0, bone
    ends = np.concatenate([apart(seen[f"ORG-{name}"], wanted[f"ORG-{name}"]) for name in ENDS])
    assert np.percentile(ends, 95) < 0.001


def test_the_human_on_fk_and_on_ik(bpy: Any, rigify_file: Callable[[str], Path]) -> None:
    """The full rig with fingers and a face, whatever the user had the switches at."""
    bpy.ops.wm.open_mainfile(filepath=str(rigify_file("human")))
    bpy.context.view_layer.update()
    rig, motion = bpy.data.objects["rig"], perform(1.0, turns=0.2).motion
    before = snapshot()
    fk = take_on(rig, motion, "FK", "fk")
    assert snapshot(but=fk.action) == before
    frames = range(1, fk.end_frame + 1)
    fingers = keyed_bones(fk.action) - set(fk.mapping.bones) - set(SETTINGS)
    assert fingers == {f"{name}.0{joint}.{side}" for name in FINGERS for joint in (1, 2, 3) for side in SIDES}
    errors = limb_errors(rig, DEFORMING, motion, frames, 24.0)
    assert np.median(errors) < 0.5 and np.percentile(errors, 99) < 2.0
    ik = take_on(rig, motion, "IK", "ik")
    check_same(rig, fk, ik)
    errors = limb_errors(rig, DEFORMING, motion, frames, 24.0)
    assert np.median(errors) < 0.5 and np.percentile(errors, 99) < 2.0


@pytest.mark.parametrize("controls", ["FK", "IK", "BOTH"])
def test_nothing_of_the_rig_is_changed(rigify: Any, controls: str) -> None:
    before = snapshot()
    applied = take_on(rigify, perform(0.5).motion, controls)
    assert snapshot(but=applied.action) == before
    limbs = {b for slot, (b,) in RIGIFY.items() if slot[:4] in ("left", "righ") and "collar" not in slot}
    fk_bones = {chain[0] for chain in RIGIFY.values() if chain[0] in rigify.pose.bones}
    wanted = {"FK": fk_bones, "IK": (fk_bones - limbs) | IK_BONES, "BOTH": fk_bones | IK_BONES}[controls]
    assert keyed_bones(applied.action) == wanted | set(SETTINGS)
    for bone in SETTINGS:
        assert keyed_value(applied.action, bone, "IK_FK") == (0.0 if controls == "IK" else 1.0)
        assert keyed_value(applied.action, bone, "pole_vector") == (None if controls == "FK" else 1.0)
        assert keyed_value(applied.action, bone, "FK_limb_follow") == 0.0


def test_what_the_controls_follow_is_allowed_for_and_kept(rigify: Any) -> None:
    import bpy

    for bone in SETTINGS:
        rigify.pose.bones[bone]["FK_limb_follow"] = 0.7
    torso = rigify.pose.bones["torso"]
    torso["neck_follow"], torso["head_follow"] = 0.3, 0.8
    rigify.update_tag()
    bpy.context.view_layer.update()
    motion = perform(0.8, turns=0.3).motion
    applied = take_on(rigify, motion)
    assert keyed_value(applied.action, SETTINGS[0], "FK_limb_follow") == pytest.approx(0.7)
    assert keyed_value(applied.action, "torso", "head_follow") == pytest.approx(0.8)
    check_against_meta_rig(rigify, applied, motion)


def test_ik_controls_may_hang_on_anything(rigify: Any) -> None:
    """Hands on the chest, feet on the torso, poles on hands and feet."""
    import bpy

    for bone in SETTINGS:
        settings = rigify.pose.bones[bone]
        settings["IK_parent"] = 4 if "arm" in bone else 2
        settings["pole_parent"] = settings.id_properties_ui("pole_parent").as_dict()["max"]
    rigify.update_tag()
    bpy.context.view_layer.update()
    motion = perform(0.8, turns=0.3).motion
    ik = take_on(rigify, motion, "IK", "ik")
    assert keyed_value(ik.action, SETTINGS[0], "IK_parent") == 4.0
    check_same(rigify, take_on(rigify, motion, "FK", "fk"), ik)


def test_what_the_last_pose_left_on_ik_controls_is_undone(rigify: Any) -> None:
    bones = rigify.pose.bones
    bones["hand_ik.L"].scale = (1.4, 1.4, 1.4)
    bones["toe_ik.R"].location, bones["foot_heel_ik.R"].rotation_euler = (0.0, 0.1, 0.0), (0.5, 0.2, 0.1)
    bones["thigh_ik.L"].rotation_euler, bones["hand_ik.R"].location = (0.3, 0.9, 0.0), (1.0, 2.0, 3.0)
    bones["foot_spin_ik.L"].location = (0.1, 0.0, 0.0)
    motion = perform(0.6, turns=0.2).motion
    fk, ik = take_on(rigify, motion, "FK", "fk"), take_on(rigify, motion, "IK", "ik")
    check_same(rigify, fk, ik)


def test_both_show_the_same_when_the_switch_is_thrown(rigify: Any) -> None:
    motion = perform(0.6, turns=0.2).motion
    fk, both = take_on(rigify, motion, "FK", "fk"), take_on(rigify, motion, "BOTH", "both")
    errors = limb_errors(rigify, RIGIFY, motion, range(1, both.end_frame + 1), 24.0)
    assert errors.max() < 0.1
    bag = both.action.layers[0].strips[0].channelbag(both.action.slots[0])
    for bone in SETTINGS:
        bag.fcurves.find(f'pose.bones["{bone}"]["IK_FK"]').keyframe_points[0].co[1] = 0.0
    check_same(rigify, fk, both)


@pytest.mark.parametrize("root", ["hips", "in-place", "bone"])
def test_loops_go_on_and_roots_travel_on_ik_as_on_fk(rigify: Any, root: str) -> None:
    from videomdm_blender.edit.settings import TakeSettings

    settings = TakeSettings(root=root, loop="whole", cycles=True)
    motion = perform(1.0, turns=0.0).motion
    fk = take_on(rigify, motion, "FK", "fk", settings)
    ik = take_on(rigify, motion, "IK", "ik", settings)
    check_same(rigify, fk, ik)
    check_same(rigify, fk, ik, later=round(1.5 * (fk.end_frame - 1)))


def test_straight_limbs_do_not_flip(rigify: Any) -> None:
    """Knees and elbows exactly on the line, as in a motion of a straight-legged march."""
    motion = perform(0.8, turns=0.1).motion
    positions = motion.positions.copy()
    for side in ("left", "right"):
        for joints in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            root, middle, end = (JOINT_NAMES.index(f"{side}_{joint}") for joint in joints)
            positions[:, middle] = (positions[:, root] + positions[:, end]) / 2
    motion = replace(motion, positions=positions, features=None)
    fk, ik = take_on(rigify, motion, "FK", "fk"), take_on(rigify, motion, "IK", "ik")
    frames = range(1, fk.end_frame + 1)
    bones = [f"ORG-{name}" for name in LIMBS]
    use(rigify, fk.action)
    wanted = watch(rigify, frames, bones)
    use(rigify, ik.action)
    seen = watch(rigify, frames, bones)
    for bone in bones:
        # Blender's IK that may stretch never gets quite straight.
        assert apart(seen[bone], wanted[bone]).max() < 0.005, bone
        assert degrees_between(seen[bone][:, :3, :3], wanted[bone][:, :3, :3]).max() < 1.0, bone
        assert degrees_between(seen[bone][1:, :3, :3], seen[bone][:-1, :3, :3]).max() < 30.0, bone


def test_the_command_can_ask_for_ik(bpy: Any, rigify_file: Callable[[str], Path], tmp_path: Path) -> None:
    from videomdm_blender.headless import Job
    from videomdm_blender.headless import perform as do

    clip = perform(0.4).motion.save(tmp_path / "walk.npz")
    rig = rigify_file("basic_human")
    done = do(Job(clip=str(clip), rig=str(rig), out=str(tmp_path / "out.blend"), controls="ik"))
    assert any("follow the IK controls hand_ik.L, foot_ik.L" in note for note in done.notes)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    assert keyed_bones(bpy.data.objects["rig"].animation_data.action) >= IK_BONES
