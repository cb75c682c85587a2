# SPDX-License-Identifier: GPL-3.0-or-later
"""A take seen from outside: how each bone is turned and where joints are, in the motion's axes, and back.

The forward direction of what ``retarget.solve`` does, with the same rules of what carries a bone along.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..retarget.carried import Carried, local_rotations
from ..retarget.frames import Y, compose, inverse, rotate
from ..retarget.rig import IDENTITY, Array
from ..retarget.solve import Take
from ..retarget.stance import Stance

LEG = ("thigh", "shin", "foot", "toe")


class Posed:
    """The turns (T, 4) of a take's bones against their rest pose."""

    def __init__(self, stance: Stance, take: Take) -> None:
        self.stance = stance
        self.take = take
        still = np.broadcast_to(np.array(IDENTITY), (len(take.location), 4))
        self.turns: dict[str, Array] = {"": still}  # the armature's
        carried = Carried(stance, self.turns)
        for number, bone in enumerate(take.bones):  # what carries a bone comes before it
            at_rest = stance.rotations[stance.rest.index(bone)]
            pose = take.rotations[:, number]
            self.turns[bone] = compose(carried.carrier(bone), at_rest, pose, inverse(at_rest))

    def turn(self, bone: str) -> Array:
        """(T, 4) of one of the take's bones."""
        return self.turns[bone]

    def up(self) -> Array:
        """(3,) the vertical in the axes of the take's location."""
        back = compose(inverse(location_axes(self.stance, self.take.root)), inverse(self.stance.axes))
        return rotate(back, Y)

    def hips(self) -> Array:
        """(T, 3) where the hips begin, armature units."""
        name = self.stance.mapping.first("hips")
        start: Array = self.stance.heads[self.stance.rest.index(name)]
        return start + self.travel()

    def travel(self) -> Array:
        """(T, 3) what the bone that carries the body is moved by, armature units."""
        return rotate(
            compose(self.stance.axes, location_axes(self.stance, self.take.root)), self.take.location
        )

    def leg(self, side: str) -> Array:
        """(N, T, 3) hip, knee, ankle and, where the rig has it, toe joint of one leg, armature units."""
        mapping = self.stance.mapping
        chain = [slot for part in LEG if mapping.chain(slot := f"{side}_{part}")]
        hips = mapping.first("hips")
        place = self.hips() + rotate(
            self.turn(hips), self.stance.place(chain[0]) - self.stance.heads[self.stance.rest.index(hips)]
        )
        places = [place]
        for slot, following in pairwise(chain):
            place = place + rotate(self.turn(mapping.chain(slot)[-1]), self.stance.bone(slot, following))
            places.append(place)
        return np.stack(places)


def location_axes(stance: Stance, bone: str) -> Array:
    """(4,) the rotation from the axes in which a bone's pose location counts to those of the armature."""
    rest, index = stance.rest, stance.rest.index(bone)
    if rest.local_location[index]:
        axes: Array = rest.rotations[index]
    elif rest.parents[index] >= 0:
        axes = rest.rotations[rest.parents[index]]
    else:
        axes = np.array(IDENTITY)
    return axes


def moved(stance: Stance, take: Take, turn: Array, shift: Array) -> Take:
    """The take after the whole body was turned about the vertical through the origin and then shifted.

    turn: (T, 4) or (4,) about Y; shift: (T, 3) or (3,) armature units; in the motion's axes.
    """
    posed = Posed(stance, take)
    turned = {bone: compose(turn, posed.turn(bone)) for bone in take.bones}
    rest_place = stance.heads[stance.rest.index(stance.mapping.first("hips"))]
    travel = rotate(turn, posed.hips()) + shift - rest_place
    back = compose(inverse(location_axes(stance, take.root)), inverse(stance.axes))
    return replace(take, rotations=local_rotations(stance, turned), location=rotate(back, travel))
