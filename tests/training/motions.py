# SPDX-License-Identifier: Apache-2.0
"""Walking and waving made by formula, and a packed data set of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from videomdm.motion import kinematics, rotations
from videomdm.motion.body import BONE_LENGTHS
from videomdm.motion.inverse import REST_DIRECTIONS
from videomdm.motion.skeleton import JOINT_NAMES, PARENTS
from videomdm_training.datasets.pack import Pack, Segment

FPS = 20.0


def person(frames: int, walking: float = 0.0, waving: float = 0.0, phase: float = 0.0) -> np.ndarray:
    """(T, 22, 3) float32 a person who walks at ``walking`` m/s and waves the right hand by ``waving`` radians.

    Metres, Y up, facing +Z from the origin, the lowest toe of the clip on the floor.
    """
    time = np.arange(frames) / FPS
    stride = 2 * np.pi * 0.9 * time + phase
    angles = {"left_shoulder": (0.0, 0.0, -1.3), "right_shoulder": (0.0, 0.0, 1.3)}
    turns = {name: np.tile(np.array(angles.get(name, (0.0, 0.0, 0.0))), (frames, 1)) for name in JOINT_NAMES}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = sign * np.sin(stride)
        turns[f"{side}_hip"][:, 0] = -0.35 * walking * swing
        turns[f"{side}_knee"][:, 0] = 0.5 * walking * np.clip(np.cos(stride) * sign, 0, None)
        turns[f"{side}_elbow"][:, 1] = -sign * (0.3 + 0.2 * walking * swing)
    if waving:
        turns["right_shoulder"][:, 2] = -0.9
        turns["right_elbow"][:, 2] = -0.6 + waving * np.sin(2 * np.pi * 1.5 * time + phase)
    vectors = np.stack([turns[name] for name in JOINT_NAMES], axis=1)
    local = rotations.from_axis_angle(rotations.normalise(vectors), np.linalg.norm(vectors, axis=-1))
    translations = np.tile(REST_DIRECTIONS * BONE_LENGTHS[:, None], (frames, 1, 1))
    translations[:, 0] = np.stack([0 * time, 0.95 + 0.02 * walking * np.cos(2 * stride), walking * time], -1)
    positions = kinematics.forward(PARENTS, local, translations)[0]
    positions[..., 1] -= positions[..., 1].min()
    return positions.astype(np.float32)


def variety(count: int, seed: int = 0) -> list[tuple[np.ndarray, str]]:
    """Motions of 1.5 to 3 seconds with their captions."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        frames, phase = int(rng.integers(30, 60)), float(rng.uniform(0, 6))
        if number % 2:
            motion, words = (
                person(frames, waving=rng.uniform(0.3, 0.6), phase=phase),
                "waves with the right hand",
            )
        else:
            motion, words = person(frames, walking=rng.uniform(0.6, 1.4), phase=phase), "walks forward"
        made.append((motion, f"a person {words}"))
    return made


def write_pack(path: Path, count: int = 24) -> Path:
    """A pack of :func:`variety`: a quarter each for the teacher, validation and test, the rest for the prior."""
    takes, segments = {}, []
    places = (("train", "teacher"), ("train", "prior"), ("val", "prior"), ("test", "prior"))
    for number, (motion, words) in enumerate(variety(count)):
        name = f"take{number}"
        split, role = places[number // 2 % 4]
        takes[name] = motion
        segments.append(
            Segment(
                name,
                name,
                0,
                len(motion),
                split,
                role,
                (words, f"{words}, once more"),
                "project",
                name,
                words,
            )
        )
    return Pack.save(path, takes, segments, {"credit": "made by formula", "licence": "CC0-1.0"})
