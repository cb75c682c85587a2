# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers as they hang in a hand that does nothing.

Angles are those of the relaxed hand, the curl growing from index to little finger; what a rig's fingers are bent
by at rest counts towards them, so that a hand that is modelled relaxed stays as it is.  The axes are those of the
rig: a finger curls in the plane of its own direction and the palm's normal, whatever the roll of its bones.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from videomdm.motion import rotations

from ..retarget.frames import about, compose, cross, inverse, partly, swing, unit
from ..retarget.rig import Array, RigRest
from .fingers import KINDS, THUMB, Finger, Hand

# Degrees in knuckle, middle and last joint; of the thumb in its two upper joints.
CURL = {
    "index": (20.0, 28.0, 12.0),
    "middle": (26.0, 33.0, 15.0),
    "ring": (31.0, 36.0, 17.0),
    "little": (35.0, 36.0, 18.0),
}
THUMB_CURL = (10.0, 18.0)
# Where a relaxed thumb points from the wrist, and where its tip curls to: shares of the directions to the fingers,
# to the thumb's side and out of the palm.
THUMB_WAY, THUMB_INTO = (0.80, 0.40, 0.45), (0.1, -0.8, 0.6)
THUMB_SWING = 15.0  # degrees that its root turns by, at most
SPREAD = 0.5  # of the angle that fingers are spread by is left
BENT_BACK = 20.0  # degrees; fingers that are bent back so far are not understood
OVERSTRETCHED = 10.0  # degrees that a joint bent back at rest is turned by beyond its curl, at most
LEAST = np.radians(0.5)  # turns that nobody sees


def relaxed(hand: Hand) -> dict[str, Array]:
    """Bone -> (4,) by how much it turns in a relaxed hand, in armature space at rest, carried along by its parents.

    Nothing at all where it cannot be told which side of the hand is the palm, or no finger needs to turn.
    """
    frame = _palm(hand)
    if frame is None:
        return {}
    found: dict[str, Array] = {}
    for finger in hand.fingers:
        turns = _thumb(finger, frame) if finger.kind == THUMB else _curled(finger, frame, hand.wrist)
        if turns is None:
            return {}
        found |= dict(zip(finger.bones, turns, strict=True))
    if all(_size(turn) < LEAST for turn in found.values()):
        return {}
    return found


def in_axes_of(rest: RigRest, bone: str, turn: Array) -> Array:
    """(4,) the pose rotation, in a bone's own axes, that turns it by ``turn`` (4,) in armature space."""
    at_rest = rest.rotations[rest.index(bone)]
    local = compose(inverse(at_rest), turn, at_rest)
    result: Array = rotations.normalise(local if local[0] >= 0 else -local)
    return result


def _palm(hand: Hand) -> Array | None:
    """(3, 3) rows: to the fingers, to the thumb's side, out of the palm.

    A left hand that points ahead with its thumb to the right shows its palm below, a right hand the other way
    round.
    """
    fingers = [finger for finger in hand.fingers if finger.kind != THUMB]
    thumb = next((finger for finger in hand.fingers if finger.kind == THUMB), None)
    knuckles = np.array([finger.points[0] for finger in fingers])
    ahead = unit(knuckles.mean(axis=0) - hand.wrist)
    if len(fingers) > 1:
        across = knuckles[0] - knuckles[-1]
    elif thumb is not None:
        across = thumb.points[-1] - knuckles[0]
    else:
        return None
    across = across - (across @ ahead) * ahead
    if np.linalg.norm(across) <= 0:
        return None
    across = unit(across)
    out = cross(ahead, across)
    return np.array([ahead, across, out if hand.side == "left" else -out])


def _curled(finger: Finger, frame: Array, wrist: Array) -> list[Array] | None:
    """(4,) turns of a finger's joints, in armature space at rest; None where it is bent backwards."""
    points, out = finger.points, frame[2]
    way = unit(points[-1] - points[0])
    axis = unit(cross(way, out))
    normal = cross(axis, way)
    lines = unit(np.diff(np.concatenate([wrist[None], points]), axis=0))
    bent = [_angle(before, after, axis) for before, after in pairwise(lines)]
    if sum(bent[1:]) < -np.radians(BENT_BACK):
        return None
    wanted = np.radians(CURL[finger.kind][: len(finger.bones)])
    turns = [
        about(axis, np.clip(want - now, 0.0, want + np.radians(OVERSTRETCHED)))
        for want, now in zip(wanted, bent, strict=False)
    ]
    together = about(normal, np.array(-(1.0 - SPREAD) * _angle(frame[0], way, normal)))
    return [compose(together, turns[0]), *turns[1:]]


def _thumb(finger: Finger, frame: Array) -> list[Array]:
    """(4,) the same of a thumb: its root turns towards the palm, the rest curls across it."""
    lines = unit(np.diff(finger.points, axis=0))
    whole = swing(lines[0], unit(np.array(THUMB_WAY) @ frame))
    root = partly(whole, min(np.radians(THUMB_SWING) / max(_size(whole), LEAST), 1.0))
    way = unit(finger.points[-1] - finger.points[0])
    axis = unit(cross(way, np.array(THUMB_INTO) @ frame))
    turns = [root]
    for want, before, after in zip(np.radians(THUMB_CURL), lines, lines[1:], strict=False):
        bent = _angle(before, after, axis)
        turns.append(about(axis, np.clip(want - bent, 0.0, want)))
    return turns


def _size(turn: Array) -> float:
    """Radians of a rotation (4,)."""
    return float(2.0 * np.arctan2(np.linalg.norm(turn[1:]), abs(turn[0])))


def _angle(one: Array, other: Array, axis: Array) -> float:
    """Radians from one direction to another, as seen along an axis."""
    one, other = one - (one @ axis) * axis, other - (other @ axis) * axis
    return float(np.arctan2(cross(one, other) @ axis, one @ other))


assert set(CURL) == set(KINDS)
