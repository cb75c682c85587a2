# SPDX-License-Identifier: GPL-3.0-or-later
"""Toes whose skin is known: their tips stay on the floor as the heel rises, also those beneath the ankle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.rigs import A_POSE, Z_UP, body, into_motion_axes, play

from videomdm.motion import rotations
from videomdm_blender.certify.battery import BATTERY
from videomdm_blender.retarget import Mapping, Options, RigRest, Take, retarget
from videomdm_blender.retarget.contacts import runs
from videomdm_blender.retarget.slots import SIDES
from videomdm_blender.retarget.stance import Stance
from videomdm_blender.retarget.toes import bent_toes, rolled

AHEAD, BELOW = 0.16, 0.012  # metres from where the toes begin to the end of the sole
BENEATH = np.array([0.0, -0.075, 0.045])  # from the ankle to toes that begin beneath it


def boots(toes: np.ndarray = BENEATH) -> tuple[RigRest, Mapping]:
    """A rig whose toes begin at ``toes`` from its ankles and end ``AHEAD`` of there; its hair touches no floor."""
    rest, mapping = body(A_POSE)
    heads, skin = rest.heads.copy(), [np.array([0.0, 0.3, 1.6])]
    for side in SIDES:
        ankle, toe = (rest.index(mapping.first(f"{side}_{part}")) for part in ("foot", "toe"))
        heads[toe] = rest.heads[ankle] + rotations.rotate(Z_UP, toes)
        for ahead in np.linspace(-0.1, AHEAD, 9):
            skin.append(heads[toe] + rotations.rotate(Z_UP, np.array([0.0, -BELOW, ahead])))
            skin.append(heads[toe] + rotations.rotate(Z_UP, np.array([0.0, 0.05, ahead + 0.03])))
    return replace(rest, heads=heads, skin=np.array(skin)), mapping


def tips(rest: RigRest, mapping: Mapping, take: Take) -> np.ndarray:
    """(2, T, 3) where the soles end, in the motion's axes."""
    heads, turns = play(rest, take)
    offset = rotations.rotate(Z_UP, np.array([0.0, -BELOW, AHEAD]))
    bones = [mapping.first(f"{side}_toe") for side in SIDES]
    offsets = [rotations.rotate(turns[bone], np.broadcast_to(offset, heads[bone].shape)) for bone in bones]
    return into_motion_axes(np.stack([heads[bone] + by for bone, by in zip(bones, offsets, strict=True)]))


def test_the_sole_ends_where_the_skin_does() -> None:
    rest, mapping = boots()
    np.testing.assert_allclose(Stance(rest, mapping).toe_tips, [[AHEAD, BELOW]] * 2, atol=1e-9)
    bare = replace(rest, skin=np.zeros((0, 3)))
    assert not Stance(bare, mapping).toe_tips.any()


def test_toes_bend_until_their_tips_are_on_the_floor() -> None:
    tip = np.array([[0.16, 0.012]] * 2)
    height, lifted = np.array([[0.0, 0.02, 0.05, 0.3]] * 2), np.radians(40.0)
    pitch = lifted - bent_toes(np.full((2, 4), lifted), height, tip, 0.8)
    below = 0.16 * np.sin(pitch) + 0.012 * np.cos(pitch) - 0.012
    np.testing.assert_allclose(below[0, :3], height[0, :3], atol=1e-9)
    assert pitch[0, 3] == pytest.approx(lifted), "far from the floor they go with the foot"
    level = 0.16 * np.cos(pitch) - 0.012 * np.sin(pitch)
    np.testing.assert_allclose(rolled(height[:, :3], tip[:, None]), 0.16 - level[:, :3], atol=1e-9)


@pytest.mark.parametrize("toes", [BENEATH, np.array([0.0, -0.04, 0.135])], ids=["beneath", "ahead"])
def test_feet_that_roll_stand_on_the_tips_of_their_toes(toes: np.ndarray) -> None:
    motion = BATTERY["walk"]()
    rest, mapping = boots(toes)
    take = retarget(motion, rest, mapping, Options(contact="auto"))
    assert take.contact is not None and take.contact.kept
    places = tips(rest, mapping, take)
    floor = np.median(places[..., 1])
    assert places[..., 1].min() > floor - 0.003, "never in the floor"
    assert motion.contacts is not None
    for number in range(2):
        for start, end in runs(motion.contacts[:, 2 * number + 1]):
            path = places[number, start:end]
            away = np.linalg.norm(path - np.median(path, axis=0), axis=-1)
            assert away.max() < 0.003, "nor off its place"


def played_skin(armature: Any, bones: set[str]) -> np.ndarray:
    """(V, 3) where Blender shows the skin that follows the bones."""
    import bpy

    (mesh,) = (o for o in bpy.data.objects if o.type == "MESH" and o.find_armature() == armature)
    groups = {group.index for group in mesh.vertex_groups if group.name in bones}
    chosen = [
        v.index for v in mesh.data.vertices if sum(g.weight for g in v.groups if g.group in groups) > 0.9
    ]
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.data.vertices[v].co for v in chosen])


def test_the_skin_of_boots_with_toes_beneath_the_ankle_stays_on_the_floor(
    bpy: Any, shared_data: Path
) -> None:
    """Of the joint nothing is asked here: what is seen is the skin."""
    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.armature.importing import open_rig

    armature = open_rig(shared_data / "rigs" / "CesiumMan.glb").armature
    scene = bpy.context.scene
    motion = BATTERY["walk"]()
    assert motion.contacts is not None
    scene.render.fps, scene.render.fps_base = round(motion.fps), 1.0
    applied = apply_take(scene, armature, motion, name="walk", start_frame=0, options=Options(contact="auto"))
    metre = applied.take.scale * armature.matrix_world.median_scale
    heights, away = [], []
    for number, side in enumerate(SIDES):
        bones = {applied.mapping.first(f"{side}_{part}") for part in ("foot", "toe")}
        for start, end in runs(motion.contacts[:, 2 * number + 1])[1:3]:
            played = []
            for frame in range(start, end):
                scene.frame_set(frame)
                played.append(played_skin(armature, bones))
                heights.append(played[-1][:, 2].min() / metre)
            track = np.array(played)
            toes = track[0, :, 1] < track[0, :, 1].min() + 0.03 * metre  # the walker goes towards -Y
            tip = track[:, toes].mean(axis=1)[:, :2]
            away.append(np.linalg.norm(tip - np.median(tip, axis=0), axis=-1) / metre)
    assert np.max(np.abs(heights)) < 0.004
    assert np.percentile(np.concatenate(away), 95) < 0.01
