# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn so that twist, sliding and floating are seen: ticks on limbs, crosses on the floor.  Pure NumPy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..retarget.contacts import runs
from ..retarget.frames import X, Y, Z, rotate, unit
from ..retarget.rig import Array, Flags
from ..retarget.slots import SIDES
from .measures import Body

# Slots on whose middle a tick is drawn, with the joints between which they lie.
TICKS = tuple(
    (f"{side}_{slot}", f"{side}_{a}", f"{side}_{b}")
    for side in SIDES
    for slot, a, b in (("upper_arm", "shoulder", "elbow"), ("forearm", "elbow", "wrist"),
                       ("thigh", "hip", "knee"), ("shin", "knee", "ankle"))
)  # fmt: skip
TICK, CROSS = 0.15, 0.08  # metres, of a tick and from the middle of a cross
ALONG = 0.8  # cosine: a limb that points this much to the front at rest has no front of its own
SLID = 0.01  # metres: a standing joint that comes so far from its middle place has slid


def ticks(body: Body, t: int) -> Array:
    """(8, 2, 3) from the middle of each limb to where what was its front at rest has turned in frame ``t``."""
    found = []
    for slot, a, b in TICKS:
        line = unit(body.resting[b] - body.resting[a])
        front = Z if abs(line @ Z) < ALONG else Y
        middle = (body.joints[a][t] + body.joints[b][t]) / 2
        out = rotate(body.turns[slot][t], unit(front - (front @ line) * line))
        found.append((middle, middle + TICK * out))
    return np.array(found)


def stands(body: Body, contacts: Flags, t: int) -> tuple[Array, Array]:
    """(N, 2, 3) crosses on the floor where joints stand in frame ``t``: of those that stay, and of those that slide.

    Of what slides the way too that it takes while it stands.  contacts: (T, 4) of the motion.
    """
    marks: tuple[list[tuple[Array, Array]], ...] = ([], [])
    for channel, name in enumerate(f"{side}_{part}" for side in SIDES for part in ("ankle", "foot")):
        for start, end in runs(contacts[:, channel]):
            if start <= t < end:
                ways = [body.joints[name], *([body.tips[name]] if name in body.tips else [])]
                paths = [way[start:end] * (X + Z) + body.floor * Y for way in ways]
                path = min(paths, key=_wandering)
                middle, slid = path.mean(axis=0), _wandering(path) > SLID
                marks[slid].extend((middle - CROSS * axis, middle + CROSS * axis) for axis in (X, Z))
                if slid:
                    marks[slid].extend(pairwise(path))
    still, sliding = (np.array(found, float).reshape(-1, 2, 3) for found in marks)
    return still, sliding


def _wandering(path: Array) -> float:
    """How far a path (T, 3) comes from its middle."""
    return float(np.max(np.linalg.norm(path - path.mean(axis=0), axis=-1)))
