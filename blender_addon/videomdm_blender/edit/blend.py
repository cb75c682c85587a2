# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a take grow out of other animation, and return to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from videomdm.motion import rotations

from ..retarget.frames import compose, inverse, rotate
from ..retarget.rig import Array
from ..retarget.solve import Take
from ..retarget.stance import Stance
from .in_place import about, on_the_floor
from .posed import Posed, moved

CLOSE = np.radians(20.0)  # what a loop leaves open is far less


@dataclass(frozen=True)
class Existing:
    """What the rig's bones do on the frames of a take without the take.

    rotations: (T, B, 4) of the take's bones; location: (T, 3) of its root bone; as in a take.  Frames on which
    the take does not blend may hold anything.
    """

    rotations: Array
    location: Array


def weights(frames: int, into: int, out: int) -> Array:
    """(T,) what the take counts: 0 on its first frame, 1 ``into`` frames later, back to 0 on its last.

    Slopes are level at both ends, so the movement of both sides goes on.
    """
    time = np.arange(frames, dtype=float)
    rising = np.clip(time / into, 0.0, 1.0) if into else np.ones(frames)
    falling = np.clip((frames - 1 - time) / out, 0.0, 1.0) if out else np.ones(frames)
    share = np.minimum(rising, falling)
    result: Array = share * share * (3.0 - 2.0 * share)
    return result


def blended(take: Take, existing: Existing, share: Array) -> Take:
    """The take where ``share`` (T,) is 1, the existing animation where it is 0; turned the shorter way round."""
    mixed = rotations.slerp(
        existing.rotations, take.rotations, np.broadcast_to(share[:, None], take.rotations.shape[:2])
    )
    kept = share[:, None, None] == 1.0
    location = existing.location + share[:, None] * (take.location - existing.location)
    return replace(
        take,
        rotations=rotations.continuous(np.where(kept, take.rotations, mixed)),
        location=np.where(kept[..., 0], take.location, location),
    )


def aligned(stance: Stance, take: Take, existing: Existing) -> Take:
    """The take, moved over the floor so that it starts where the existing animation stands, facing the same way."""
    there = Posed(stance, replace(take, rotations=existing.rotations[:1], location=existing.location[:1]))
    here = Posed(stance, take)
    hips = stance.mapping.first("hips")
    place, yaw = on_the_floor(there.hips()[0], there.turn(hips)[0])
    start, start_yaw = on_the_floor(here.hips()[0], here.turn(hips)[0])
    turn = about(yaw - start_yaw)
    return moved(stance, take, turn, place - rotate(turn, start))


def closed_take(stance: Stance, take: Take, reach: int, *, travels: bool) -> Take:
    """A take whose last pose is exactly its first: what little the solver left open is spread over ``reach`` frames.

    travels: the take goes over the floor, so only its height closes.  Bones that end far from where they began
    turn with the body, and stay.
    """
    count = len(take.location)
    reach = min(max(reach, 1), (count - 1) // 2)
    u = np.arange(1, reach + 1) / reach
    share = np.zeros(count)
    share[count - reach :] = 0.5 * u * u * (3.0 - 2.0 * u)
    share[:reach] -= share[count - reach :][::-1]
    open_turn = compose(inverse(take.rotations[-1]), take.rotations[0])
    open_turn = np.where(open_turn[:, :1] < 0, -open_turn, open_turn)
    angle = rotations.angle_between(take.rotations[-1], take.rotations[0])
    closes = angle < CLOSE
    axis = rotations.normalise(open_turn[:, 1:])
    change = rotations.from_axis_angle(
        np.broadcast_to(axis, (count, *axis.shape)), share[:, None] * np.where(closes, angle, 0.0)
    )
    turned = rotations.continuous(rotations.normalise(compose(take.rotations, change)))
    sign = np.where(np.sum(turned[-1] * turned[0], axis=-1, keepdims=True) < 0, -1.0, 1.0)
    turned[-1] = np.where(closes[:, None], sign * turned[0], turned[-1])
    difference = take.location[0] - take.location[-1]
    if travels:
        up = Posed(stance, take).up()
        difference = (difference @ up) * up
    location = take.location + share[:, None] * difference
    if not travels:
        location[-1] = location[0]
    return replace(take, rotations=turned, location=location)
