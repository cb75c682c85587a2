# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a motion repeat: its last frame is its first, but for the way it has gone.

Poses are compared and closed as seen from the body, facing ahead, so a walk may travel and turn.  A little
turning or drifting over a cycle is nobody's intention and is taken out evenly; a real turn stays, and such a
loop repeats only where each cycle starts from the heading that the last one ended with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from videomdm.errors import UserError
from videomdm.motion import Motion, rotations
from videomdm.motion.representation import facing_direction
from videomdm.motion.skeleton import JOINT_COUNT, PARENTS

from ..retarget.rig import Array
from .seam import bent, closed, slope_at_end, slope_at_start

STRAIGHT = np.radians(45.0)  # a cycle that turns by less goes straight; so near a full turn it is one
DRIFT_SPEED, DRIFT = 0.1, 0.3  # metres a second and metres: a cycle that travels slower and less stays
SHORTEST = 0.8  # seconds of a cycle that is searched for
VELOCITY_TIME = 0.15  # seconds: what a velocity counts against a distance
SHORTNESS = (
    0.03  # metres: how much worse the poses of a cycle of the whole clip may fit than those of a short one
)
GROUND = np.array([1.0, 0.0, 1.0])


@dataclass(frozen=True)
class Cycle:
    """A motion that repeats.

    motion: T frames; the last shows the pose of the first.
    turn:   radians about Y from one cycle to the next.
    travel: (3,) metres over the floor in one cycle, y = 0.
    """

    motion: Motion
    turn: float
    travel: Array

    def extended(self, frames: int) -> Motion:
        """The motion with up to ``frames`` more (at most one cycle) before and after, as it would repeat."""
        motion, count = self.motion, len(self.motion)
        assert motion.contacts is not None
        more = min(frames, count - 1)
        positions, origin = motion.positions.astype(float), motion.positions[0, 0].astype(float) * GROUND
        turn = rotations.about_y(np.array(self.turn))
        after = _turned(turn, positions[1 : more + 1] - origin) + origin + self.travel
        before = _turned(rotations.conjugate(turn), positions[count - 1 - more : -1] - origin - self.travel)
        contacts = [motion.contacts[count - 1 - more : -1], motion.contacts, motion.contacts[1 : more + 1]]
        return replace(
            motion,
            positions=np.concatenate([before + origin, positions, after]).astype(np.float32),
            contacts=np.concatenate(contacts),
        )


def looped(motion: Motion, window: float = 0.4) -> Cycle:
    """Close the whole motion; ``window`` seconds around the seam take up the difference.

    UserError where the motion is too short.
    """
    count = len(motion)
    if count < 4:
        raise UserError("The clip is too short to loop.", "Use one of at least half a second.", "loop")
    reach = max(1, round(window * motion.fps / 2))
    body = _Body.of(motion.positions.astype(float))
    time = np.arange(count) / (count - 1)

    turned = body.yaw[-1] - body.yaw[0]
    whole = 2.0 * np.pi * np.round(turned / (2.0 * np.pi))
    turn = float(whole if abs(turned - whole) < STRAIGHT else turned)
    straightening = (turn - turned) * time
    yaw = body.yaw + straightening
    yaw = bent(yaw, reach, np.zeros(()), slope_at_start(yaw) - slope_at_end(yaw))

    steps = np.diff(body.ground, axis=0)
    steps = _turned(rotations.about_y((straightening[1:] + straightening[:-1]) / 2), steps)
    ground = body.ground[0] + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    travelled = ground[-1] - ground[0]
    distance = float(np.linalg.norm(travelled))
    if distance < min(DRIFT, DRIFT_SPEED * motion.seconds):
        ground = ground - time[:, None] * travelled
    around = rotations.about_y(np.array(turn))
    ahead, arrives = slope_at_start(ground), slope_at_end(ground)
    ground = bent(
        ground,
        reach,
        np.zeros(3),
        _turned(around, ahead) - arrives,
        _turned(rotations.conjugate(around), arrives) - ahead,
    )
    closed_body = _Body(yaw, ground, _closed_pose(body.pose, reach))
    contacts = np.array(motion.contacts)
    contacts[-1] = contacts[0]
    positions = closed_body.positions().astype(np.float32)
    return Cycle(
        replace(motion, positions=positions, contacts=contacts, features=None),
        turn,
        ground[-1] - ground[0],
    )


def best_stretch(motion: Motion) -> slice:
    """The frames of the stretch whose last pose and movement are most like its first; longer ones preferred.

    The whole motion where it is hardly longer than the shortest cycle.
    """
    count = len(motion)
    shortest = max(3, round(SHORTEST * motion.fps))
    if count <= shortest + 1:
        return slice(0, count)
    body = _Body.of(motion.positions.astype(float))
    travel = np.gradient(body.ground, 1.0 / motion.fps, axis=0)
    travel = _turned(rotations.about_y(-body.yaw), travel)
    movement = np.gradient(body.pose, 1.0 / motion.fps, axis=0) + travel[:, None]
    features = np.concatenate([body.pose, VELOCITY_TIME * movement], axis=1).reshape(count, -1)
    square = np.sum(features**2, axis=-1)
    apart = np.maximum(square[:, None] + square - 2.0 * features @ features.T, 0.0) / JOINT_COUNT
    length = np.arange(count) - np.arange(count)[:, None]
    cost = np.sqrt(apart) + SHORTNESS * (1.0 - length / count)
    cost[length < shortest] = np.inf
    start, end = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return slice(int(start), int(end) + 1)


def best_cycle(motion: Motion) -> Motion:
    """That stretch alone, moved to where the motion begins and turned so that it heads the way the motion does."""
    frames = best_stretch(motion)
    assert motion.contacts is not None
    positions = motion.positions[frames].astype(float)
    body = _Body.of(positions)
    # A walker's hips and shoulders turn with each step: ahead is the mean of a stretch that goes straight.
    ahead = body.yaw.mean() if abs(body.yaw[-1] - body.yaw[0]) < STRAIGHT else body.yaw[0]
    turn = rotations.about_y(np.array(-ahead))
    home = motion.positions[0, 0].astype(float) * GROUND
    return replace(
        motion,
        positions=(_turned(turn, positions - body.ground[0]) + home).astype(np.float32),
        contacts=motion.contacts[frames],
        features=None,
    )


@dataclass(frozen=True)
class _Body:
    """A motion in parts: yaw (T,), place on the floor (T, 3), joints (T, 22, 3) from there, facing +Z."""

    yaw: Array
    ground: Array
    pose: Array

    @classmethod
    def of(cls, positions: Array) -> _Body:
        yaw: Array = np.unwrap(rotations.yaw_facing(facing_direction(positions))).astype(float)
        ground = positions[:, 0] * GROUND
        return cls(yaw, ground, _turned(rotations.about_y(-yaw), positions - ground[:, None]))

    def positions(self) -> Array:
        return _turned(rotations.about_y(self.yaw), self.pose) + self.ground[:, None]


def _closed_pose(pose: Array, reach: int) -> Array:
    """(T, 22, 3) with closed directions of all bones; their lengths stay, and the last frame is the first."""
    parents = np.array(PARENTS[1:])
    bones = pose[:, 1:] - pose[:, parents]
    lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
    bones = rotations.normalise(closed(bones, reach)) * closed(lengths, reach)
    result = np.empty_like(pose)
    result[:, 0] = closed(pose[:, 0], reach)
    for joint, parent in enumerate(PARENTS[1:], 1):
        result[:, joint] = result[:, parent] + bones[:, joint - 1]
    return result


def _turned(q: Array, v: Array) -> Array:
    """Vectors (T, ..., 3) turned by q (T, 4) or (4,)."""
    shape = (*q.shape[:-1], *[1] * (v.ndim - q.ndim), 4) if q.ndim > 1 else q.shape
    result: Array = rotations.rotate(np.broadcast_to(q.reshape(shape), (*v.shape[:-1], 4)), v)
    return result
