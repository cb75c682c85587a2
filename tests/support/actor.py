# SPDX-License-Identifier: Apache-2.0
"""An actor whose every rotation is known: walks in a circle, raises both arms overhead, bends and nods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from videomdm.motion import Motion, kinematics, rotations
from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.inverse import REST_DIRECTIONS
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS

OFFSETS = REST_DIRECTIONS * BONE_LENGTHS[:, None]
X, Y, Z = np.eye(3)


@dataclass(frozen=True)
class Performance:
    """A motion and the world rotations (T, 22, 4) of its joints against the T-pose."""

    motion: Motion
    world: np.ndarray


def perform(seconds: float = 4.0, fps: float = 20.0, turns: float = 1.0) -> Performance:
    """Walk ``turns`` times round a circle in ``seconds`` while the arms go up and come down again."""
    time = np.arange(round(seconds * fps)) / fps
    whole = time / seconds
    step = 2 * np.pi * 1.1 * time
    local = np.zeros((len(time), 22, 4))
    local[..., 0] = 1.0

    def turn(joint: str, *turns: tuple[np.ndarray, np.ndarray | float]) -> None:
        """Axes and angles in degrees, the first applied last."""
        for axis, angle in turns:
            radians = np.radians(np.broadcast_to(angle, time.shape))
            quaternion = rotations.from_axis_angle(np.broadcast_to(axis, (*time.shape, 3)), radians)
            index = JOINT_NAMES.index(joint)
            local[:, index] = rotations.multiply(local[:, index], quaternion)

    raised = 0.5 - 0.5 * np.cos(2 * np.pi * whole)
    turn("pelvis", (Y, 360 * turns * whole), (Z, 4 * np.sin(step)))
    for joint in ("spine1", "spine2", "spine3"):
        turn(joint, (X, 3 + 2 * np.sin(step)), (Y, -3 * np.sin(step)))
    turn("neck", (X, 8 * np.sin(step / 2)))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = sign * np.sin(step)
        turn(f"{side}_hip", (X, -28 * swing), (Z, 3 * sign))
        turn(f"{side}_knee", (X, 20 + 25 * np.clip(np.cos(step) * sign, 0, None)))
        turn(f"{side}_ankle", (X, 8 * swing - 10))
        turn(f"{side}_shoulder", (Z, sign * (-70 + 145 * raised)), (X, -20 * raised), (Y, -sign * 15 * swing))
        turn(f"{side}_elbow", (Y, -sign * (35 + 30 * raised)))
    path = turns or 1.0
    radius = 1.2 * seconds / (2 * np.pi * path)
    angle = 2 * np.pi * path * whole
    root = np.stack([radius * (1 - np.cos(angle)), np.full(len(time), 0.9), radius * np.sin(angle)], axis=-1)
    if not turns:
        root[:, [0, 2]] = np.stack([0 * time, 1.2 * time], axis=-1)
    translations = np.broadcast_to(OFFSETS, (len(time), 22, 3)).copy()
    translations[:, 0] = root
    positions, world = kinematics.forward(PARENTS, local, translations)
    # The lower foot stands on the floor in every frame.
    feet = [JOINT_NAMES.index(f"{side}_foot") for side in ("left", "right")]
    positions[..., 1] -= positions[:, feet, 1].min(axis=1)[:, None] - 0.01
    return Performance(Motion(positions, fps, caption="an actor"), world)


def joint(motion: Motion, name: str) -> np.ndarray:
    """(T, 3) float64 positions of one joint."""
    return motion.positions[:, JOINT_NAMES.index(name)].astype(float)
