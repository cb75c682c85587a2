# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics: local rotations to world positions, and world rotations back to local ones.

Arrays are NumPy arrays or torch tensors; T, J below may be preceded by any number of batch axes.
"""

from __future__ import annotations

from collections.abc import Sequence

from array_api_compat import array_namespace

from . import rotations
from .rotations import Array


def forward(parents: Sequence[int], local: Array, translations: Array) -> tuple[Array, Array]:
    """World positions (..., J, 3) and world rotations (..., J, 4) of a tree of joints.

    parents:      J indices, -1 for a root, every parent before its children.
    local:        (..., J, 4) unit quaternions relative to the parent.
    translations: (..., J, 3) or (J, 3) position of each joint in its parent's frame; of a root, in the world.
    """
    xp = array_namespace(local, translations)
    translations = xp.broadcast_to(translations, (*local.shape[:-1], 3))
    positions: list[Array] = []
    world: list[Array] = []
    for joint, parent in enumerate(parents):
        if parent < 0:
            positions.append(translations[..., joint, :])
            world.append(local[..., joint, :])
        else:
            turned = rotations.rotate(world[parent], translations[..., joint, :])
            positions.append(positions[parent] + turned)
            world.append(rotations.multiply(world[parent], local[..., joint, :]))
    return xp.stack(positions, axis=-2), xp.stack(world, axis=-2)


def to_local(parents: Sequence[int], world: Array) -> Array:
    """Rotations (..., J, 4) relative to the parent, from world rotations (..., J, 4)."""
    xp = array_namespace(world)
    local = [
        world[..., joint, :]
        if parent < 0
        else rotations.multiply(rotations.conjugate(world[..., parent, :]), world[..., joint, :])
        for joint, parent in enumerate(parents)
    ]
    return xp.stack(local, axis=-2)
