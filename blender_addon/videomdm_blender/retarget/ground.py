# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts standing feet of a motion onto the floor.

Motions made by models, and captures too, carry the standing foot a few centimetres above or below the floor.
Nobody sees it on dots; a character floats.  The whole body is raised or lowered with the standing foot,
smoothly, so no limb changes; what jumps, climbs or lies keeps its height.
"""

from __future__ import annotations

import numpy as np

from .feet import Standing
from .frames import Y, norm, soft_step
from .reference import joint
from .rig import Array
from .slots import SIDES
from .smoothing import fit

STANDS, MOVES = 0.15, 0.5  # metres a second: speeds of a foot that stands, and of one that does not
NEAR, FAR = 0.05, 0.10  # metres from the floor up to which a resting foot is taken to stand on it, and not
LOWEST = 0.01  # metres: of feet at different heights the lower one counts
STIFFNESS = 4.0  # resistance against changes of height, for frames at 20 fps
STIFFNESS_RATE = 20.0
KEPT = 0.01  # weight of "no change" against that of a standing foot


def grounded(positions: Array, flat: Standing, fps: float) -> Array:
    """(T, 22, 3) the motion with its standing feet on the floor."""
    points = [
        (f"{side}_{name}", lift)
        for side in SIDES
        for name, lift in (("ankle", flat.ankle), ("foot", flat.toe))
    ]
    heights = np.stack([positions[:, joint(name), 1] - lift for name, lift in points])
    stands = np.stack(
        [1.0 - soft_step(_speed(positions[:, joint(name)], fps), STANDS, MOVES) for name, _ in points]
    )
    stands = stands * (1.0 - soft_step(np.abs(heights), NEAR, FAR))
    share = stands * np.exp(-(heights - heights.min(axis=0)) / LOWEST)
    height = (share * heights).sum(axis=0) / np.maximum(share.sum(axis=0), 1e-9)
    weights = np.stack([share.max(axis=0), np.full(len(positions), KEPT)])
    change = fit(np.stack([height, np.zeros_like(height)]), weights, STIFFNESS * (fps / STIFFNESS_RATE) ** 2)
    result: Array = positions - change[:, None, None] * Y
    return result


def _speed(path: Array, fps: float) -> Array:
    """(T,) metres a second along a path (T, 3)."""
    if len(path) < 2:
        return np.zeros(len(path))
    speed: Array = norm(np.gradient(path, 1.0 / fps, axis=0))
    return speed
