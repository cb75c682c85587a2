# SPDX-License-Identifier: GPL-3.0-or-later
"""Do feet and hands stay where they were asked to be?  Feet while they stand, hands at their targets.  Pure NumPy.

A standing joint is asked to stay over one place of the floor, as high over it as when the rig stands at rest; a
foot that stands flat also to lie flat and to point where the motion's does.  Toes stand where they
begin or on their tips: where they begin beneath the ankle, as on some rigs, no heel can rise without that leaving the
floor.  A hand is asked to be at its place and to keep the turn that it has without one.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from videomdm.motion import rotations

from ..retarget.contacts import runs
from ..retarget.frames import Y, about, rotate, unit
from ..retarget.rig import Array, Flags
from ..retarget.slots import SIDES

if TYPE_CHECKING:
    from .measures import Body

MILLIMETRES = 1000.0
LEVEL = 0.3  # of a foot's length: one that is less long over the floor at rest points nowhere
MOST = 95  # of 100 values


@dataclass(frozen=True)
class Hold:
    """What was asked of a hand.

    start, end: first and one past the last frame.
    place:      (3,) of the wrist.
    turn:       (T, 4) the hand's turn from rest without the target; None where the rig has no hand bone.
    """

    side: str
    start: int
    end: int
    place: Array
    turn: Array | None


def held(
    source: AnyMapping[str, Array], body: Body, contacts: Flags, holds: Sequence[Hold] = ()
) -> dict[str, float]:
    """Millimetres and degrees by which standing feet and held hands miss what was asked, 95 of 100 values.

    Of feet what the rig adds to the motion's own, whose feet may not stand still either.
    """
    own = _standing(source, contacts, _heights(source, contacts), {})
    rig = _standing(
        body.joints,
        contacts,
        {name: body.floor + place[1] - body.sole for name, place in body.resting.items()},
        body.tips,
    )
    places = [max(_most(rig) - _most(own), 0.0)]
    turns = [max(_most(_tilts(source, body, contacts)) - _most(_own_tilts(source, contacts)), 0.0)]
    for hold in holds:
        frames = slice(hold.start, hold.end)
        places.append(_most(np.linalg.norm(body.joints[f"{hold.side}_wrist"][frames] - hold.place, axis=-1)))
        if hold.turn is not None:
            turns.append(_most(_degrees(body.turns[f"{hold.side}_hand"][frames], hold.turn[frames])))
    return {"held_place_mm": MILLIMETRES * max(places), "held_turn_deg": max(turns)}


def _standing(
    joints: AnyMapping[str, Array],
    contacts: Flags,
    heights: AnyMapping[str, float],
    tips: AnyMapping[str, Array],
) -> Array:
    """Metres between standing joints or tips and where they stand: the middle of each stand, at ``heights``."""
    missed = [np.zeros(1)]
    for channel, name in enumerate(f"{side}_{part}" for side in SIDES for part in ("ankle", "foot")):
        for start, end in runs(contacts[:, channel]):
            missed.append(_missed(joints[name][start:end], heights[name]))
            if name in tips:
                missed[-1] = np.minimum(missed[-1], _missed(tips[name][start:end], heights[name]))
    return np.concatenate(missed)


def _missed(path: Array, height: float) -> Array:
    """(T,) metres between a path (T, 3) and its middle at ``height``."""
    place = path.mean(axis=0) * (1.0, 0.0, 1.0) + height * Y
    missed: Array = np.linalg.norm(path - place, axis=-1)
    return missed


def _heights(source: AnyMapping[str, Array], contacts: Flags) -> dict[str, float]:
    """How high the motion's joints are while they stand."""
    names = [f"{side}_{part}" for side in SIDES for part in ("ankle", "foot")]
    return {
        name: float(np.median(source[name][contacts[:, channel], 1])) if contacts[:, channel].any() else 0.0
        for channel, name in enumerate(names)
    }


def _flat(contacts: Flags, number: int) -> Flags:
    """(T,) whether both ends of a foot stand."""
    flat: Flags = contacts[:, 2 * number] & contacts[:, 2 * number + 1]
    return flat


def _tilts(source: AnyMapping[str, Array], body: Body, contacts: Flags) -> Array:
    """Degrees between feet that stand flat and feet that lie flat and point where the motion's do."""
    missed = [np.zeros(1)]
    for number, side in enumerate(SIDES):
        flat = _flat(contacts, number)
        turn = body.turns[f"{side}_foot"][flat]
        at_rest = body.resting[f"{side}_foot"] - body.resting[f"{side}_ankle"]
        wanted = (source[f"{side}_foot"] - source[f"{side}_ankle"])[flat]
        if np.hypot(at_rest[0], at_rest[2]) < LEVEL * np.linalg.norm(at_rest):
            up = rotate(turn, np.broadcast_to(Y, (len(turn), 3)))
            missed.append(np.degrees(np.arccos(np.clip(up[:, 1], -1.0, 1.0))))
        else:
            heading = np.arctan2(wanted[:, 0], wanted[:, 2]) - np.arctan2(at_rest[0], at_rest[2])
            missed.append(_degrees(turn, about(Y, heading)))
    return np.concatenate(missed)


def _own_tilts(source: AnyMapping[str, Array], contacts: Flags) -> Array:
    """Degrees by which the motion's feet that stand flat are pitched otherwise than most of the time."""
    missed = [np.zeros(1)]
    for number, side in enumerate(SIDES):
        flat = _flat(contacts, number)
        if flat.any():
            line = unit((source[f"{side}_foot"] - source[f"{side}_ankle"])[flat])
            pitch = np.degrees(np.arcsin(np.clip(line[:, 1], -1.0, 1.0)))
            missed.append(np.abs(pitch - np.median(pitch)))
    return np.concatenate(missed)


def _degrees(one: Array, other: Array) -> Array:
    """(T,) degrees between rotations (T, 4)."""
    degrees: Array = np.degrees(rotations.angle_between(one, other))
    return degrees


def _most(values: Array) -> float:
    return float(np.percentile(values, MOST))
