# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the body is: travel in proportion to the legs, height so that feet stand where the motion's stand."""

from __future__ import annotations

import numpy as np

from .feet import Standing
from .frames import norm
from .legs import posed_legs
from .reference import joint
from .rig import Array
from .slots import SIDES
from .smoothing import average
from .stance import Stance

NEAR_FLOOR = 0.06  # metres: a joint much higher than this has no say in the height of the body
SAY_OF_NONE = 0.02  # what no joint on the floor weighs: in flight the correction fades to nothing
SMOOTHING = 0.1  # seconds


def leg_length(positions: Array) -> float:
    """Thigh and shin of the motion's body, mean of both sides and all frames, metres."""
    lengths = []
    for side in SIDES:
        for start, end in ((f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")):
            lengths.append(norm(positions[:, joint(end)] - positions[:, joint(start)]).mean())
    return float(sum(lengths) / 2)


def middle_path(
    positions: Array, fps: float, stance: Stance, turns: dict[str, Array], flat: Standing
) -> Array:
    """(T, 3) the point between the rig's hip joints, in its unit and the motion's axes.

    turns: bone -> (T, 4).
    """
    scale = stance.leg_length / leg_length(positions)
    shift = floor_shift(stance, flat, scale)
    hips = (positions[:, joint("left_hip")] + positions[:, joint("right_hip")]) / 2
    path: Array = stance.middle + scale * (hips - [0.0, flat.ankle, 0.0])
    ankle_at_rest = float(np.mean([stance.place(f"{side}_foot")[1] for side in SIDES]))
    path[:, 1] += ankle_at_rest + shift - stance.middle[1]
    path[:, 1] += _height_correction(positions, stance, turns, flat, path, scale, shift, fps)
    return path


def floor_shift(stance: Stance, flat: Standing, scale: float) -> float:
    """How much higher than at rest the rig stands in the scene."""
    return 0.0 if stance.floor is None else stance.floor - sole_height(stance, flat, scale)


def sole_height(stance: Stance, flat: Standing, scale: float) -> float:
    """Height of the soles at rest: below the lowest joint as far as below the motion's."""
    joints = [
        (f"{side}_{part}", lift) for side in SIDES for part, lift in (("foot", flat.ankle), ("toe", flat.toe))
    ]
    return min(
        float(stance.place(slot)[1]) - scale * lift for slot, lift in joints if stance.mapping.chain(slot)
    )


def _height_correction(
    positions: Array,
    stance: Stance,
    turns: dict[str, Array],
    flat: Standing,
    path: Array,
    scale: float,
    floor: float,
    fps: float,
) -> Array:
    """(T,) what brings the joints near the floor to the height at which the motion has them.

    Rigs with other proportions than the motion's body would float or sink without it.
    """
    wanted = np.full(len(path), 0.0)
    total = np.full(len(path), SAY_OF_NONE)
    legs = posed_legs(stance, turns)
    for number, side in enumerate(SIDES):
        ankle = path + legs.ankle[number]
        points = [
            (
                ankle[:, 1],
                stance.place(f"{side}_foot")[1],
                positions[:, joint(f"{side}_ankle"), 1],
                flat.ankle,
            )
        ]
        if stance.mapping.chain(f"{side}_toe"):
            toe = ankle + legs.sole[number]
            points.append(
                (toe[:, 1], stance.place(f"{side}_toe")[1], positions[:, joint(f"{side}_foot"), 1], flat.toe)
            )
        for height, at_rest, source, source_flat in points:
            lifted = source - source_flat
            weight = np.exp(-((np.maximum(lifted, 0.0) / NEAR_FLOOR) ** 2))
            wanted += weight * (at_rest + floor + scale * lifted - height)
            total += weight
    return average(wanted / total, SMOOTHING * fps)
