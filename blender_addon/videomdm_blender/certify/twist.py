# SPDX-License-Identifier: GPL-3.0-or-later
"""Twist of limbs about their own length: how far beyond what a body can, and does it jump?

A bone's turn against the one that carries it is a swing of its direction and a twist about it.  For shoulders
and hips the swing goes by way of the middle of their reach, so that the twist is defined wherever a limb can
point.  The limits are generous: about twice what clinical tables give for one side (American Academy of
Orthopaedic Surgeons, "Joint Motion: Method of Measuring and Recording", 1965), because rest poses differ;
beyond them a skin is wrung.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass

import numpy as np

from ..retarget.frames import compose, inverse, rotate, swing, unit
from ..retarget.rig import Array
from ..retarget.slots import SIDES


@dataclass(frozen=True)
class Joint:
    """A bone that can twist against another.

    slot, carrier: of the two bones.
    start, end:    joints between which the bone lies.
    centre:        middle of the directions that it takes, left side; none: its direction at rest.
    limit:         degrees of twist to either side.
    """

    slot: str
    carrier: str
    start: str
    end: str
    limit: float
    centre: tuple[float, float, float] | None = None


JOINTS = (
    Joint("upper_arm", "spine", "shoulder", "elbow", 150.0, (1.0, -0.6, 0.0)),
    Joint("forearm", "upper_arm", "elbow", "wrist", 110.0),
    Joint("thigh", "hips", "hip", "knee", 80.0, (0.0, -1.0, 0.4)),
    Joint("shin", "thigh", "knee", "ankle", 45.0),
)
STEP = 60.0  # degrees a frame at 20 fps: what an honest motion may change its twist by at most


def twists(turns: AnyMapping[str, Array], resting: AnyMapping[str, Array]) -> dict[str, tuple[Array, float]]:
    """Slot -> (T,) degrees of twist, continuous over time, and its limit."""
    found = {}
    for side in SIDES:
        for kind in JOINTS:
            carrier = kind.carrier if kind.carrier in turns else f"{side}_{kind.carrier}"
            slot = f"{side}_{kind.slot}"
            if slot not in turns or carrier not in turns:
                continue
            rest = unit(resting[f"{side}_{kind.end}"] - resting[f"{side}_{kind.start}"])
            centre = rest
            if kind.centre is not None:
                centre = unit(np.array(kind.centre) * ((1.0 if side == "left" else -1.0), 1.0, 1.0))
            turn = compose(inverse(turns[carrier]), turns[slot])
            natural = compose(swing(centre, rotate(turn, rest)), swing(rest, centre))
            about = compose(inverse(natural), turn)
            angle = 2.0 * np.arctan2(about[:, 1:] @ rest, about[:, 0])
            found[slot] = (np.degrees(np.unwrap((angle + np.pi) % (2 * np.pi) - np.pi)), kind.limit)
    return found


def twist_excess(turns: AnyMapping[str, Array], resting: AnyMapping[str, Array]) -> float:
    """Degrees by which the worst twist is beyond its limit, 0 where none is."""
    beyond = [float(np.abs(angle).max()) - limit for angle, limit in twists(turns, resting).values()]
    return max([0.0, *beyond])


def twist_jump(turns: AnyMapping[str, Array], resting: AnyMapping[str, Array], fps: float) -> float:
    """The largest change of a twist between two frames, degrees, as if at 20 fps."""
    found = [np.abs(np.diff(angle)).max(initial=0.0) for angle, _ in twists(turns, resting).values()]
    return float(max([0.0, *found])) * fps / 20.0
