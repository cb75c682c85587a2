# SPDX-License-Identifier: GPL-3.0-or-later
"""A place where a double of an armature is played, away from the user's scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np

from ..retarget.rig import Array


@dataclass(frozen=True)
class Played:
    """What was seen of some bones.

    matrices: bone -> (T, 4, 4) in armature space, after constraints and drivers.
    keys:     bone -> (T, 4, 4) its own location, rotation and scale, before them.
    """

    matrices: AnyMapping[str, Array]
    keys: AnyMapping[str, Array]

    def heads(self, bone: str) -> Array:
        """(T, 3) where a bone begins."""
        return self.matrices[bone][:, :3, 3]


@dataclass(frozen=True)
class Stage:
    """A scene of its own with nothing but the double of an armature."""

    scene: bpy.types.Scene
    double: bpy.types.Object

    def play(self, action: bpy.types.Action, frames: Sequence[int], bones: Sequence[str]) -> Played:
        """Play an Action on the double and watch some bones."""
        data = self.double.animation_data_create()
        assert data is not None
        data.action = action
        data.action_slot = action.slots[0]
        matrices, keys = np.empty((2, len(bones), len(frames), 4, 4))
        for t, frame in enumerate(frames):
            self.scene.frame_current = frame
            pose = self._evaluated()
            for b, bone in enumerate(bones):
                matrices[b, t] = np.array(pose.bones[bone].matrix, float)
                keys[b, t] = np.array(pose.bones[bone].matrix_basis, float)
        return Played(dict(zip(bones, matrices, strict=True)), dict(zip(bones, keys, strict=True)))

    def influences(self) -> dict[tuple[str, str], float]:
        """(bone, constraint) -> its influence now, as drivers set it."""
        self.double.update_tag()
        pose = self._evaluated()
        return {
            (bone.name, constraint.name): 0.0 if constraint.mute else constraint.influence
            for bone in pose.bones
            for constraint in bone.constraints
        }

    def _evaluated(self) -> bpy.types.Pose:
        """The double's pose after constraints and drivers."""
        view_layer = self.scene.view_layers[0]
        view_layer.update()
        assert view_layer.depsgraph is not None
        pose = self.double.evaluated_get(view_layer.depsgraph).pose
        assert pose is not None
        return pose


@contextmanager
def stage(armature: bpy.types.Object) -> Iterator[Stage]:
    """Build the stage for ``armature``; on leaving, nothing of it remains."""
    scene = bpy.data.scenes.new("stage")
    double = armature.copy()
    assert double is not None
    posed: bpy.types.Armature | None = None
    try:
        double.hide_viewport = False
        scene.collection.objects.link(double)
        if isinstance(double.data, bpy.types.Armature) and double.data.pose_position == "REST":
            posed = double.data.copy()
            assert posed is not None
            posed.pose_position = "POSE"
            double.data = posed
        yield Stage(scene, double)
    finally:
        bpy.data.objects.remove(double)
        if posed is not None:
            bpy.data.armatures.remove(posed)
        bpy.data.scenes.remove(scene)
