# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a take is: what the clean-up of contacts is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .contacts import Contacts
from .frames import cross, dot, norm
from .pose import Feet, Ground
from .rig import Array
from .slots import SIDES
from .stance import Stance

HEIGHT = 1.7  # metres: the body to which lengths are scaled


@dataclass(frozen=True)
class Measures:
    """Of a take, scaled to a body of 1.7 m.

    slide:       millimetres a frame by which standing feet move over the ground, 95th percentile.
    gap:         millimetres between standing feet, or their toes' tips, and the floor, 95th percentile.
    penetration: millimetres by which heel or ball of a foot is in the floor, 99th percentile of frames.
    jerk:        metres per second cubed, root mean square over hips, knees, ankles and balls of the feet.
    """

    slide: float
    gap: float
    penetration: float
    jerk: float


def measure(
    feet: Feet, path: Array, contacts: Contacts, stance: Stance, ground: Ground, fps: float
) -> Measures:
    """Measure a take with these ``feet`` and ``path``, whose feet should stand as ``contacts`` say."""
    scale = HEIGHT / body_height(stance, ground)
    ball, ankle = (
        np.abs(place[..., 1] - flat[:, None] - ground.floor)
        for place, flat in ((feet.ball, ground.ball), (feet.ankle, ground.ankle))
    )
    tip = np.abs(feet.tip[..., 1] + stance.toe_tips[:, 1:] - ground.ball[:, None] - ground.floor)
    gaps = [np.zeros(1), np.minimum(ball, tip)[contacts.ball & contacts.floor]]
    gaps.append(ankle[contacts.heel & contacts.ball & contacts.floor])
    depth = np.maximum(-feet.clearance(ground).min(axis=(0, 2)), 0.0)
    knee = feet.hip + feet.legs.thigh
    points = np.concatenate([path[None], knee, feet.ankle, feet.ball])
    return Measures(
        slide=scale * slide(feet, contacts),
        gap=1e3 * scale * quantile(np.concatenate(gaps), 0.95),
        penetration=1e3 * scale * quantile(depth, 0.99),
        jerk=scale * _jerk(points, fps),
    )


def slide(feet: Feet, contacts: Contacts) -> float:
    """Thousandths of the rig's unit a frame by which standing heels and balls move, 95th percentile.

    A foot on its toes stands where these begin or on their tips, whatever stays.
    """
    ball, tip, ankle = (
        norm(np.diff(place[..., [0, 2]], axis=1)) for place in (feet.ball, feet.tip, feet.ankle)
    )
    on_ball, on_heel = contacts.stays
    steps = [np.zeros(1), np.minimum(ball, tip)[on_ball], ankle[on_heel]]
    return 1e3 * quantile(np.concatenate(steps), 0.95)


def quantile(values: Array, share: float) -> float:
    """The value that a ``share`` of all values stay below, linear between two; NumPy's takes several times longer."""
    ordered = np.sort(values, axis=None)
    place = share * (len(ordered) - 1)
    low = int(place)
    return float(ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]))


def _jerk(points: Array, fps: float) -> float:
    """Root mean square of the third derivative of paths (K, T, 3)."""
    if points.shape[1] < 4:
        return 0.0
    jerk = np.diff(points, n=3, axis=1) * fps**3
    return float(np.sqrt(np.mean(dot(jerk, jerk))))


def direction_errors(before: Feet, after: Feet) -> Array:
    """(4, T) degrees between the thighs and shins of two poses."""
    pairs = [(before.legs.thigh, after.legs.thigh), (before.legs.shin, after.legs.shin)]
    errors = [np.arctan2(norm(cross(a, b)), dot(a, b)) for a, b in pairs]
    degrees: Array = np.degrees(np.concatenate(errors))
    return degrees


def body_height(stance: Stance, ground: Ground) -> float:
    """From the sole to the top of the mapped bones at rest, in the rig's unit."""
    slots = ("head", "neck", "spine")
    slot = next(slot for slot in slots if stance.mapping.chain(slot))
    top = stance.tails[stance.rest.index(stance.mapping.chain(slot)[-1])]
    feet = [stance.place(f"{side}_foot")[1] - ground.ankle[number] for number, side in enumerate(SIDES)]
    height = float(top[1] - min(feet))
    return height if height > 0.5 * stance.leg_length else 2.0 * stance.leg_length
