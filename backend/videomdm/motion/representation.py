# SPDX-License-Identifier: Apache-2.0
"""The 263-wide motion representation of HumanML3D (Guo et al., CVPR 2022), encoded and decoded in batches.

Channels, in order: root angular velocity about Y (half the angle, radians a frame), root linear velocity on the
floor in the facing frame (x, z; metres a frame), root height (metres), 21 joint positions relative to the root
on the floor in the facing frame (heights stay absolute), 21 local rotations in 6D, 22 joint velocities in the
facing frame (metres a frame), 4 foot contacts.

A clip of T frames has T rows.  Velocities are forward differences, so the last row has none of its own and
repeats the row before it; decoding never reads it.  Decoding starts at the origin, facing +Z: the clip's place
on the floor is lost unless the caller keeps its :class:`Placement`.

Functions follow the array API standard (NumPy arrays and torch tensors, any leading batch axes) and are
differentiable under torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from . import rotations
from .skeleton import CHAINS, CONTACT_JOINTS, JOINT_COUNT, REST_DIRECTIONS

Array = Any

WIDTH = 263
ROOT_ANGULAR = slice(0, 1)
ROOT_LINEAR = slice(1, 3)
ROOT_HEIGHT = slice(3, 4)
POSITIONS = slice(4, 67)
ROTATIONS = slice(67, 193)
VELOCITIES = slice(193, 259)
CONTACTS = slice(259, 263)
GROUPS = {
    "root angular velocity": ROOT_ANGULAR,
    "root linear velocity": ROOT_LINEAR,
    "root height": ROOT_HEIGHT,
    "positions": POSITIONS,
    "rotations": ROTATIONS,
    "velocities": VELOCITIES,
    "contacts": CONTACTS,
}

FACING_SMOOTHING = 20.0  # frames: the Gaussian with which HumanML3D smooths the facing direction
CONTACT_THRESHOLD = 0.002  # squared metres a frame at 20 fps, HumanML3D's own
PROCESSED_FPS = 20.0


@dataclass(frozen=True)
class Placement:
    """Where a clip starts: ``yaw`` (...) radians about +Y from +Z, ``xz`` (..., 2) metres on the floor."""

    yaw: Array
    xz: Array


def facing_direction(positions: Array) -> Array:
    """Horizontal unit direction (..., 3) in which hips and shoulders of ``positions`` (..., 22, 3) face."""
    xp = array_namespace(positions)
    across = positions[..., 2, :] - positions[..., 1, :] + positions[..., 17, :] - positions[..., 16, :]
    zero = xp.zeros_like(across[..., 0])
    # up x across, whose height is always zero
    return rotations.normalise(xp.stack([across[..., 2], zero, -across[..., 0]], axis=-1))


@lru_cache(maxsize=64)
def _gaussian_matrix(frames: int, sigma: float) -> np.ndarray:
    """(T, T) matrix that convolves with a truncated Gaussian, the ends repeated (SciPy's mode "nearest")."""
    radius = int(4.0 * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    matrix = np.zeros((frames, frames))
    for t in range(frames):
        np.add.at(matrix[t], np.clip(t + offsets, 0, frames - 1), weights)
    return matrix


def facing_yaw(positions: Array, smoothing: float = FACING_SMOOTHING) -> Array:
    """Yaw (..., T) about +Y of the frame in which HumanML3D writes (..., T, 22, 3), smoothed over time.

    The published code swaps the hips here, so its facing is square to shoulders *minus* hips; its files, and
    all models and evaluators trained on them, hold that frame.  It is followed to the letter.
    """
    xp = array_namespace(positions)
    across = positions[..., 17, :] - positions[..., 16, :] + positions[..., 1, :] - positions[..., 2, :]
    across = rotations.normalise(across)
    direction = xp.stack([across[..., 2], xp.zeros_like(across[..., 0]), -across[..., 0]], axis=-1)
    if smoothing > 0:
        kernel = rotations.constant(_gaussian_matrix(positions.shape[-3], float(smoothing)), positions)
        direction = xp.matmul(kernel, direction)
    return rotations.yaw_facing(direction)


def place(positions: Array) -> Placement:
    """The placement of a clip (..., T, 22, 3) by its first frame, unsmoothed."""
    first = positions[..., 0, :, :]
    return Placement(rotations.yaw_facing(facing_direction(first)), first[..., 0, ::2])


def start(positions: Array) -> Placement:
    """Where :func:`decode` of :func:`encode` starts: the first frame's smoothed facing, and its root.

    ``put_back(decode(encode(x)), start(x))`` is x.
    """
    first = positions[..., 0, 0, :]
    return Placement(facing_yaw(positions)[..., 0], first[..., ::2])


def canonicalise(positions: Array) -> tuple[Array, Placement]:
    """Turn and move (..., T, 22, 3) so that the first frame faces +Z with its root above the origin."""
    xp = array_namespace(positions)
    placement = place(positions)
    shift = xp.stack([placement.xz[..., 0], xp.zeros_like(placement.yaw), placement.xz[..., 1]], axis=-1)
    turn = rotations.about_y(-placement.yaw)
    turned = rotations.rotate(turn[..., None, None, :], positions - shift[..., None, None, :])
    # NumPy 1 makes float64 of a float32 scalar and a Python number
    return xp.astype(turned, positions.dtype), placement


def put_back(positions: Array, placement: Placement) -> Array:
    """The inverse of :func:`canonicalise`."""
    xp = array_namespace(positions)
    shift = xp.stack([placement.xz[..., 0], xp.zeros_like(placement.yaw), placement.xz[..., 1]], axis=-1)
    turn = rotations.about_y(placement.yaw)
    placed = rotations.rotate(turn[..., None, None, :], positions) + shift[..., None, None, :]
    return xp.astype(placed, positions.dtype)


def _forward_difference(values: Array, axis_from_end: int) -> Array:
    """Differences to the next frame along an axis counted from the end; the last one is repeated."""
    xp = array_namespace(values)
    axis = values.ndim - axis_from_end
    count = values.shape[axis]
    if count < 2:
        return xp.zeros_like(values)
    later = values[(slice(None),) * axis + (slice(1, None),)]
    earlier = values[(slice(None),) * axis + (slice(None, -1),)]
    difference = later - earlier
    last = difference[(slice(None),) * axis + (slice(-1, None),)]
    return xp.concat([difference, last], axis=axis)


def foot_contacts(positions: Array, fps: float = PROCESSED_FPS) -> Array:
    """Contacts (..., T, 4), bool, of (..., T, 22, 3): joints of ``CONTACT_JOINTS`` that barely move.

    A joint touches the floor when it moves less than the square root of 0.002 m a frame at 20 fps (HumanML3D's
    rule, scaled to ``fps``).
    """
    xp = array_namespace(positions)
    feet = xp.stack([positions[..., j, :] for j in CONTACT_JOINTS], axis=-2)
    speed = xp.sum(_forward_difference(feet, 3) ** 2, axis=-1) * (fps / PROCESSED_FPS) ** 2
    return speed < CONTACT_THRESHOLD


# each joint's parent along its chain, and the joint whose turn it is relative to: a chain's first bone the root's
_ALONG = {
    joint: (parent, parent if place else 0)
    for c in CHAINS
    for place, (parent, joint) in enumerate(pairwise(c))
}
_PARENTS, _TURNED_BY = (
    list(joints) for joints in zip(*(_ALONG[j] for j in range(1, JOINT_COUNT)), strict=True)
)


def local_rotations(positions: Array, yaw: Array) -> Array:
    """Local rotations (..., T, 21, 4) of all joints but the root, by HumanML3D's inverse kinematics.

    Along each chain the shortest rotation takes the bone's rest direction to its observed one; the chain
    starts from the root's facing ``yaw`` (..., T), which HumanML3D stores inverted (world to facing frame).
    """
    xp = array_namespace(positions)
    root = rotations.about_y(-yaw)
    bones = positions[..., 1:, :] - positions[..., _PARENTS, :]
    swings = rotations.between(rotations.constant(REST_DIRECTIONS[1:], positions), bones)
    turned_by = xp.concat([root[..., None, :], swings], axis=-2)[..., _TURNED_BY, :]
    return rotations.multiply(rotations.conjugate(turned_by), swings)


def encode(positions: Array, smoothing: float = FACING_SMOOTHING) -> Array:
    """Encode joints (..., T, 22, 3), metres, Y up, floor at 0, 20 fps, as features (..., T, 263).

    ``smoothing`` is the Gaussian's standard deviation, in frames, for the facing direction (0: none).  The
    clip may stand and face anywhere; see :func:`start` to keep where.
    """
    xp = array_namespace(positions)
    if positions.ndim < 3 or positions.shape[-2:] != (22, 3):
        raise ValueError(f"positions must be (..., T, 22, 3), not {tuple(positions.shape)}")
    lead = positions.shape[:-2]
    # HumanML3D's local rotations are not the same in every direction; they are defined for clips that face +Z
    positions, _ = canonicalise(positions)
    yaw = facing_yaw(positions, smoothing)
    to_facing = rotations.about_y(-yaw)

    turn = _forward_difference(yaw, 1)
    turn = xp.atan2(xp.sin(turn), xp.cos(turn))
    # HumanML3D stores the half angle of the inverse facing rotation, hence the sign
    angular = -turn[..., None] / 2.0

    velocity = _forward_difference(positions, 3)
    next_facing = xp.concat([to_facing[..., 1:, :], to_facing[..., -1:, :]], axis=-2)
    root_velocity = rotations.rotate(next_facing, velocity[..., 0, :])

    root = positions[..., :1, :]
    floor_root = xp.concat([root[..., :1], xp.zeros_like(root[..., :1]), root[..., 2:]], axis=-1)
    relative = rotations.rotate(to_facing[..., None, :], positions - floor_root)
    joint_velocity = rotations.rotate(to_facing[..., None, :], velocity)
    sixd = rotations.to_sixd(local_rotations(positions, yaw))
    contacts = xp.astype(foot_contacts(positions), positions.dtype)
    return xp.concat(
        [
            angular,
            root_velocity[..., ::2],
            positions[..., 0, 1:2],
            xp.reshape(relative[..., 1:, :], (*lead, 63)),
            xp.reshape(sixd, (*lead, 126)),
            xp.reshape(joint_velocity, (*lead, 66)),
            contacts,
        ],
        axis=-1,
    )


def _shifted_cumulative_sum(values: Array) -> Array:
    """Sum over the frames before each one, along axis -2 of (..., T, N)."""
    xp = array_namespace(values)
    zero = xp.zeros_like(values[..., :1, :])
    return xp.cumulative_sum(xp.concat([zero, values[..., :-1, :]], axis=-2), axis=-2)


def root_trajectory(features: Array) -> tuple[Array, Array]:
    """Root facing quaternions (..., T, 4), facing to world, and positions (..., T, 3) of (..., T, 263)."""
    xp = array_namespace(features)
    yaw = -2.0 * _shifted_cumulative_sum(features[..., ROOT_ANGULAR])[..., 0]
    facing = rotations.about_y(yaw)
    step = features[..., ROOT_LINEAR]
    step = xp.stack([step[..., 0], xp.zeros_like(step[..., 0]), step[..., 1]], axis=-1)
    # a step is stored in the facing frame of the frame it leads to
    next_facing = xp.concat([facing[..., 1:, :], facing[..., -1:, :]], axis=-2)
    floor = _shifted_cumulative_sum(rotations.rotate(next_facing, step))
    root = xp.stack([floor[..., 0], features[..., 3], floor[..., 2]], axis=-1)
    return facing, root


def decode(features: Array, placement: Placement | None = None) -> Array:
    """Joints (..., T, 22, 3) of features (..., T, 263), starting at the origin facing +Z or at ``placement``.

    Only the root channels and the positions are read: they determine the rest.
    """
    xp = array_namespace(features)
    if features.ndim < 2 or features.shape[-1] != WIDTH:
        raise ValueError(f"features must be (..., T, {WIDTH}), not {tuple(features.shape)}")
    facing, root = root_trajectory(features)
    relative = xp.reshape(features[..., POSITIONS], (*features.shape[:-1], 21, 3))
    floor_root = xp.stack([root[..., 0], xp.zeros_like(root[..., 0]), root[..., 2]], axis=-1)
    joints = rotations.rotate(facing[..., None, :], relative) + floor_root[..., None, :]
    positions = xp.concat([root[..., None, :], joints], axis=-2)
    return positions if placement is None else put_back(positions, placement)
