# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a rig when its Action plays, with all constraints and drivers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


def watch(armature: Any, frames: Iterable[int], bones: Iterable[str]) -> dict[str, np.ndarray]:
    """Bone -> (T, 4, 4) its matrix in armature space, without scale."""
    import bpy

    scene, bones = bpy.context.scene, list(bones)
    before = scene.frame_current
    found: dict[str, list[np.ndarray]] = {bone: [] for bone in bones}
    for frame in frames:
        scene.frame_set(frame)
        pose = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose
        for bone in bones:
            location, turn, _ = pose.bones[bone].matrix.decompose()
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = turn.to_matrix(), location
            found[bone].append(matrix)
    scene.frame_set(before)
    return {bone: np.array(matrices) for bone, matrices in found.items()}


def turns(armature: Any, seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bone -> (T, 3, 3) its rotation from rest."""
    rest = {bone: np.array(armature.data.bones[bone].matrix_local.to_3x3()) for bone in seen}
    return {bone: matrices[:, :3, :3] @ rest[bone].T for bone, matrices in seen.items()}


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(T,) between rotations (T, 3, 3)."""
    # From the distance: the arc cosine of the trace says nothing below a tenth of a degree.
    distance = np.linalg.norm(a - b, axis=(-2, -1))
    return np.degrees(2.0 * np.arcsin(np.clip(distance / np.sqrt(8.0), 0.0, 1.0)))


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(T,) metres between the places of matrices (T, 4, 4)."""
    return np.linalg.norm(a[:, :3, 3] - b[:, :3, 3], axis=-1)


def use(armature: Any, action: Any) -> None:
    """Make an Action the armature's."""
    armature.animation_data.action = action
    armature.animation_data.action_slot = action.slots[0]


def keyed_value(action: Any, bone: str, name: str) -> float | None:
    """The one key of a bone's custom property, None where it has none."""
    path = f'pose.bones["{bone}"]["{name}"]'
    bag = action.layers[0].strips[0].channelbag(action.slots[0])
    curve = bag.fcurves.find(path)
    if curve is None:
        return None
    assert len(curve.keyframe_points) == 1
    return float(curve.keyframe_points[0].co[1])
