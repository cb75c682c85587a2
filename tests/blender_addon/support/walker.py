# SPDX-License-Identifier: GPL-3.0-or-later
"""A walker whose feet stand where they should, or slide and tremble as those of generated motions do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tests.support.actor import OFFSETS

from videomdm.motion import Motion
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS
from videomdm_blender.retarget.slots import SIDES

STEP = 0.6  # seconds in which one foot swings while the other stands
STRIDE = 1.0  # metres from one place of a foot to its next
ANKLE, TOE = 0.075, 0.012  # heights above the floor
FOOT = 0.13  # metres from ankle to toe joint, level


@dataclass(frozen=True)
class Walk:
    """A motion, and when each foot truly stands, (2, T)."""

    motion: Motion
    stands: np.ndarray


def walk(seconds: float = 4.8, fps: float = 30.0, slide: float = 0.0, tremble: float = 0.0) -> Walk:
    """Walk along +Z.

    slide:   metres a second by which everything drifts on, standing feet too.
    tremble: metres of noise on ankles and toes.
    """
    time = np.arange(round(seconds * fps)) / fps
    count = len(time)
    rest = np.zeros((22, 3))
    for index, parent in enumerate(PARENTS):
        rest[index] = OFFSETS[index] + (rest[parent] if parent >= 0 else 0.0)
    positions = np.repeat(rest[None] - rest[0], count, axis=0)
    speed = STRIDE / (2 * STEP)
    positions += np.stack([0 * time, 0.89 + 0.01 * np.cos(2 * np.pi * time / STEP), speed * time], -1)[
        :, None
    ]
    noise = np.random.default_rng(0).normal(scale=tremble, size=(2, 2, count, 3))
    stands = np.zeros((2, count), bool)
    for number, side in enumerate(SIDES):
        phase = time / (2 * STEP) + 0.5 * number
        stand = (phase % 1.0) < 0.55
        swing = np.clip((phase % 1.0 - 0.55) / 0.45, 0.0, 1.0)
        ease = swing**3 * (10 - 15 * swing + 6 * swing**2)
        forward = STRIDE * (np.floor(phase) - 0.5 * number + ease) + 0.28 * STRIDE
        lift = 0.1 * np.sin(np.pi * swing) ** 2
        hip, knee, ankle, toe = (
            JOINT_NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "ankle", "foot")
        )
        place = np.stack([np.full(count, positions[0, hip, 0]), ANKLE + lift, forward - 0.03], axis=-1)
        positions[:, ankle] = place
        positions[:, toe] = np.add(place, (0.0, TOE - ANKLE, FOOT))
        _bend(positions, hip, knee, ankle)
        positions[:, ankle] += noise[number, 0]
        positions[:, toe] += noise[number, 1]
        stands[number] = stand
    positions[..., 2] += slide * time[:, None]
    contacts = np.repeat(stands.T, 2, axis=1)
    return Walk(Motion(positions, fps, contacts), stands)


def _bend(positions: np.ndarray, hip: int, knee: int, ankle: int) -> None:
    """Put the knee, to the front, between hip and ankle."""
    thigh, shin = (float(np.linalg.norm(OFFSETS[joint])) for joint in (knee, ankle))
    way = positions[:, ankle] - positions[:, hip]
    far = np.linalg.norm(way, axis=-1)
    assert far.max() < thigh + shin
    along = (far**2 + thigh**2 - shin**2) / (2 * far)
    out = np.sqrt(thigh**2 - along**2)
    direction = way / far[:, None]
    front = np.cross([1.0, 0.0, 0.0], direction)
    front = np.where(front[:, 2:] < 0, -front, front)
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    positions[:, knee] = positions[:, hip] + along[:, None] * direction + out[:, None] * front
