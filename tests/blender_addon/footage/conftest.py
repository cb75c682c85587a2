# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints in Blender: somebody who walks, partly seen, and the armature that shows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import COUNT, INDEX

FRAMES = 12
KNEE, OTHER_KNEE, NECK = INDEX["left_knee"], INDEX["right_knee"], INDEX["neck"]


@pytest.fixture
def detected() -> Keypoints:
    """Twelve frames of a tall picture at 29.97 fps; the neck is never seen, the left knee not on frames 4 to 6."""
    random = np.random.default_rng(5)
    points = random.uniform(50.0, 900.0, (1, COUNT, 2)) + 7.0 * random.normal(size=(FRAMES, COUNT, 2))
    confidence = random.uniform(0.3, 0.99, (FRAMES, COUNT))
    confidence[:, NECK] = confidence[4:7, KNEE] = 0.0
    made = Keypoints(points, confidence, 29.97, 720, 1280, "hall.mp4", {"detector": "tests", "start": 1.0})
    return Keypoints.from_bytes(made.to_bytes())


@pytest.fixture
def character(bpy: Any, addon: None) -> Any:
    """An active armature, quickly made."""
    made = bpy.data.objects.new("Character", bpy.data.armatures.new("Character"))
    bpy.context.scene.collection.objects.link(made)
    bpy.context.view_layer.objects.active = made
    return made


@pytest.fixture
def shown(bpy: Any, character: Any, detected: Keypoints) -> Any:
    """The armature of the keypoints, in a window; the left knee is selected."""
    from videomdm_blender.footage.build import build
    from videomdm_blender.footage.present import enter
    from videomdm_blender.footage.property_group import keypoints_group
    from videomdm_blender.footage.shown import select

    armature = build(detected, "hall", None)
    group = keypoints_group(armature)
    group.home, group.character = bpy.context.scene, character
    enter(bpy.context.window, armature)
    for bone in armature.pose.bones:
        select(bone, bone.name == "left_knee")
    return armature
