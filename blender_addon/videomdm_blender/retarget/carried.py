# SPDX-License-Identifier: GPL-3.0-or-later
"""From turns in the world to pose rotations in the bones' own axes, whatever carries the bones along."""

from __future__ import annotations

import numpy as np

from videomdm.motion import rotations

from .frames import compose, inverse, mixed
from .rig import IDENTITY, Array
from .stance import Stance


def local_rotations(stance: Stance, turns: dict[str, Array]) -> Array:
    """(T, B, 4) pose rotations of the B bones of ``turns`` (T, 4) in their own axes, continuous over time."""
    carried = Carried(stance, turns)
    at_rest = stance.rotations[[stance.rest.index(bone) for bone in turns]]
    carriers = np.stack([carried.carrier(bone) for bone in turns], axis=1)
    turned = np.stack(list(turns.values()), axis=1)
    local = compose(inverse(at_rest), inverse(carriers), turned, at_rest)
    local = rotations.continuous(rotations.normalise(local))
    # Each bone starts on the half of the sphere of "not turned".
    upright: Array = np.where(local[:1, :, :1] < 0, -local, local)
    return upright


class Carried:
    """Turns (T, 4) of what carries each bone: of its nearest mapped ancestor, and of unmapped bones between."""

    def __init__(self, stance: Stance, turns: dict[str, Array]) -> None:
        self.stance = stance
        self.turns = turns
        frames = len(next(iter(turns.values())))
        self.still = np.broadcast_to(np.array(IDENTITY), (frames, 4))
        self.between: dict[str, Array] = {}

    def turn(self, name: str) -> Array:
        """Of any bone; what lies above the mapped bones is where the user has put the character."""
        if not name:
            return self.still
        if name in self.turns:
            return self.turns[name]
        if name not in self.between:
            self.between[name] = self._unmapped(name)
        return self.between[name]

    def _unmapped(self, name: str) -> Array:
        rest = self.stance.rest
        if not any(ancestor in self.turns for ancestor in rest.ancestors(name)):
            return self.still
        index = rest.index(name)
        if np.array_equal(rest.pose[index], IDENTITY):
            return self.carrier(name)
        at_rest = self.stance.rotations[index]
        return compose(self.carrier(name), at_rest, rest.pose[index], inverse(at_rest))

    def carrier(self, name: str) -> Array:
        """Of what carries the bone along."""
        carrier = self.stance.mapping.carriers.get(name)
        if carrier is not None:
            first = self.turn(carrier.first)
            return mixed(first, self.turn(carrier.second), carrier.share) if carrier.share else first
        rest = self.stance.rest
        index = rest.index(name)
        if rest.parents[index] < 0 or not rest.inherits[index]:
            return self.still
        return self.turn(rest.names[rest.parents[index]])
