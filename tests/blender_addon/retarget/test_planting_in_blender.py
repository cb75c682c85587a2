# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted feet as Blender plays them, on real rigs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.blender_addon.support.stage_rigs import playback
from tests.blender_addon.support.walker import walk

FPS = 24.0


def played_slides(scene: Any, armature: Any, contact: Any) -> tuple[np.ndarray, Any]:
    """Millimetres a frame, at the size of the motion, that ankles and toes move over the floor while they stand."""
    from videomdm_blender.armature.apply import apply_take
    from videomdm_blender.retarget import Options

    scene.render.fps, scene.render.fps_base = int(FPS), 1.0
    truth = walk(3.0, FPS, slide=0.25, tremble=0.002)
    applied = apply_take(
        scene, armature, truth.motion, name="walk", start_frame=1, options=Options(contact=contact)
    )
    bones = [
        applied.mapping.first(f"{side}_{part}") for side in ("left", "right") for part in ("foot", "toe")
    ]
    places = playback(armature, range(1, applied.end_frame + 1), bones)
    stands = truth.stands.copy()
    for shift in (1, 2, 3):
        stands[:, shift:] &= truth.stands[:, :-shift]
        stands[:, :-shift] &= truth.stands[:, shift:]
    scale = 1.0 / (applied.take.scale * armature.matrix_world.median_scale)
    slides = []
    for number, bone in enumerate(bones):
        steps = np.linalg.norm(np.diff(places[bone][:, 0, :2], axis=0), axis=-1)
        pair = stands[number // 2, 1:] & stands[number // 2, :-1]
        slides.append(1e3 * scale * steps[pair])
    return np.concatenate(slides), applied


@pytest.mark.parametrize("name", ["mannequin", "human-male.glb", "Geno.fbx", "Female_Adult_01.fbx"])
def test_feet_stand_as_blender_plays_them(bpy: Any, request: pytest.FixtureRequest, name: str) -> None:
    from videomdm_blender.armature.importing import open_rig

    if name == "mannequin":
        armature = request.getfixturevalue("mannequin")
    else:
        folder: Path = request.getfixturevalue("shared_data")
        armature = open_rig(folder / "rigs" / name).armature
    scene = bpy.context.scene
    before, _ = played_slides(scene, armature, False)
    after, applied = played_slides(scene, armature, True)
    assert np.percentile(before, 95) > 8
    assert np.percentile(after, 95) < 2
    assert applied.take.contact is not None and applied.take.contact.kept
