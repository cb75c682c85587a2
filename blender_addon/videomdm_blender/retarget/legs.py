# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rig's legs are, for the turns of its bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .frames import rotate
from .rig import Array
from .slots import SIDES
from .stance import Stance


@dataclass(frozen=True)
class Legs:
    """Vectors (2, T, 3) of the left and the right leg, in the rig's unit and the motion's axes.

    hip:   from the point between the hip joints to the thigh.
    thigh: from there to the knee.
    shin:  from there to the ankle.
    sole:  from there to where the toes begin; zero where the rig has no bone to tell.
    """

    hip: Array
    thigh: Array
    shin: Array
    sole: Array

    @property
    def ankle(self) -> Array:
        """From the point between the hip joints to the ankles."""
        return self.hip + self.thigh + self.shin


def posed_legs(stance: Stance, turns: dict[str, Array]) -> Legs:
    """The legs as ``turns``, bone -> (T, 4), have them."""
    hips = turns[stance.mapping.chain("hips")[-1]]
    hip = np.stack([stance.place(f"{side}_thigh") - stance.middle for side in SIDES])
    return Legs(
        hip=rotate(hips, hip[:, None]),
        thigh=_along(stance, turns, "thigh", "shin"),
        shin=_along(stance, turns, "shin", "foot"),
        sole=_along(stance, turns, "foot", "toe"),
    )


def _along(stance: Stance, turns: dict[str, Array], part: str, following: str) -> Array:
    """(2, T, 3) from the beginning of a slot to its end, bone by bone."""
    sides = []
    for side in SIDES:
        slot = f"{side}_{part}"
        chain = stance.mapping.chain(slot)
        starts = [stance.heads[stance.rest.index(bone)] for bone in chain]
        ends = [*starts[1:], stance.end(slot, f"{side}_{following}")]
        pieces = np.stack(ends) - np.stack(starts)
        sides.append(rotate(np.stack([turns[bone] for bone in chain]), pieces[:, None]).sum(axis=0))
    return np.stack(sides)
