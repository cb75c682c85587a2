# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin of an armature object near the floor, as the solver wants it: it tells where soles end."""

from __future__ import annotations

import bpy
import numpy as np

from ..retarget.rig import Array

LOW = 0.1  # of the skin's height: what of it counts as low


def low_skin(armature: bpy.types.Object, up: Array) -> Array:
    """(K, 3) the lowest vertices of the meshes that the armature deforms, at rest, in armature space.

    up: (3,) the axis of the armature that points up.
    """
    into_armature = armature.matrix_world.inverted_safe()
    found = [np.zeros((0, 3))]
    for other in bpy.data.objects:
        data = other.data
        if isinstance(data, bpy.types.Mesh) and len(data.vertices) and _follows(other, armature):
            places = np.empty(3 * len(data.vertices), np.float32)
            data.vertices.foreach_get("co", places)
            matrix = np.array(into_armature @ other.matrix_world, float)
            found.append(places.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
    skin = np.concatenate(found)
    heights = skin @ up
    return skin[heights < np.min(heights) + LOW * np.ptp(heights)] if len(skin) else skin


def _follows(mesh: bpy.types.Object, armature: bpy.types.Object) -> bool:
    return any(
        isinstance(modifier, bpy.types.ArmatureModifier) and modifier.object == armature
        for modifier in mesh.modifiers
    )
