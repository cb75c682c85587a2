# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves of a take's Action: put, changed, taken out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import bpy
import numpy as np
import numpy.typing as npt
from bpy.utils import escape_identifier

from ..armature.keys import Single, fill, key_points
from ..retarget.channels import channels
from ..retarget.rig import Array
from .limb import Setting


@dataclass(frozen=True)
class Curves:
    """The curves of the one slot of a take's Action.

    start: frame of the first key.
    """

    bag: bpy.types.ActionChannelbag
    start: int

    @classmethod
    def of(cls, action: bpy.types.Action, start: int) -> Curves:
        """The curves of ``action``, which has one layer, strip and slot."""
        strip = action.layers[0].strips[0]
        assert isinstance(strip, bpy.types.ActionKeyframeStrip)
        bag = strip.channelbag(action.slots[0], ensure=True)
        assert bag is not None
        return cls(bag, start)

    def put(
        self,
        bone: str,
        channel: str,
        values: Array,
        kept: npt.NDArray[np.intp] | None = None,
        interpolation: str = "linear",
    ) -> None:
        """Give a bone's channel the values (T, n), or (1, n) for the whole take, in place of what it has.

        kept: (k,) the frames that get keys, all if None.
        """
        path = f'pose.bones["{escape_identifier(bone)}"].{channel}'
        keys = key_points(values, np.arange(len(values)) if kept is None else kept, self.start)
        for index in range(values.shape[1]):
            self._put(bone, path, index, keys[:, index], interpolation)

    def channels(self, bone: str) -> dict[str, Array]:
        """Location, rotation and scale of a bone, as far as they have curves: channel -> (keys, n) their values."""
        start = f'pose.bones["{escape_identifier(bone)}"].'
        found: dict[str, list[Array]] = {}
        for curve in self.bag.fcurves:
            if curve.data_path.startswith(start):
                points = np.empty(2 * len(curve.keyframe_points))
                curve.keyframe_points.foreach_get("co", points)
                found.setdefault(curve.data_path.removeprefix(start), []).append(points[1::2])
        return {channel: np.stack(values, axis=-1) for channel, values in found.items()}

    def put_rotation(self, bone: bpy.types.PoseBone, quaternions: Array) -> None:
        """Give a bone the rotations (T, 4), in the rotation mode that it has."""
        self.put(bone.name, *channels(quaternions, bone.rotation_mode))

    def set(self, setting: Setting, value: float) -> None:
        """Key a custom property for the whole take."""
        bone, name = setting
        path = f'pose.bones["{escape_identifier(bone)}"]["{escape_identifier(name)}"]'
        self._put(
            bone, path, 0, key_points(np.array([[value]]), np.zeros(1, np.intp), self.start)[:, 0], "linear"
        )

    def drop(self, bones: Collection[str]) -> None:
        """Take out all channels of some bones, but not their custom properties."""
        starts = tuple(f'pose.bones["{escape_identifier(bone)}"].' for bone in bones)
        for curve in [curve for curve in self.bag.fcurves if curve.data_path.startswith(starts)]:
            self.bag.fcurves.remove(curve)

    def _put(self, bone: str, path: str, index: int, keys: Single, interpolation: str) -> None:
        curve = self.bag.fcurves.find(path, index=index)
        if curve is not None:
            self.bag.fcurves.remove(curve)
        curve = self.bag.fcurves.new(path, index=index)
        group = self.bag.groups.get(bone)
        curve.group = group if group is not None else self.bag.groups.new(bone)
        fill(curve, keys, interpolation)
