# SPDX-License-Identifier: GPL-3.0-or-later
"""When feet stand: from the contacts of the motion, cleaned of what flickers, and from how the feet move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .feet import Standing
from .frames import norm
from .reference import joint
from .rig import Array, Flags
from .slots import SIDES
from .smoothing import average

STILL, SLIDING = 0.25, 0.8  # metres a second: as fast as this a foot may stand; faster it never does
RESTS = 0.15
FASTER = 0.15  # metres a second by which a foot at the ends of a stand may be faster than in most of it
SMOOTHING = 0.1  # seconds: what is faster than this is noise of the joints
MOST = 0.4  # of a stand's frames, the slowest and the lowest, tell how fast and how high it is
HIGHER = 0.012  # metres, the same of its height
PIVOTS, TURNS = np.radians(25.0), np.radians(12.0)  # how fast (a second) and how far no flat foot turns
PIVOTING = 0.25  # seconds before and after over which that is seen
GAP, SHORTEST = 0.1, 0.15  # seconds: shorter breaks are closed, shorter contacts dropped
HIGH_SHORTEST = 0.4  # seconds: the same of a foot above the floor, which may be at the top of a jump
NEAR, LOWER = 0.08, 0.03  # metres above the floor, or above the other foot, up to which a foot may stand
DOWN, UP = (
    0.018,
    0.03,
)  # metres by which heel or ball is lifted higher than the other, on the ground and off it


@dataclass(frozen=True)
class Contacts:
    """When the feet stand, left and right.

    heel, ball: (2, T) the heel, the ball of the foot is on the ground.
    floor:      (2, T) the ground there is the floor.
    moved:      (2, T - 1, 3) metres that the motion's own foot moves from frame to frame: its ball where that
                stands in both, else its ankle.
    """

    heel: Flags
    ball: Flags
    floor: Flags
    moved: Array

    @property
    def standing(self) -> Flags:
        """(2, T) the foot stands, on whatever part."""
        return self.heel | self.ball

    def only(self, where: Flags, fps: float) -> Contacts:
        """The contacts that lie in ``where`` (2, T) and do not become too short."""
        where = self.standing & where
        where &= ~np.stack([_short(flags, SHORTEST * fps) for flags in where])
        return Contacts(self.heel & where, self.ball & where, self.floor, self.moved)

    @property
    def stays(self) -> tuple[Flags, Flags]:
        """(2, T - 1) each: the ball, the heel is on the ground in a frame and in the next."""
        return self.ball[:, 1:] & self.ball[:, :-1], self.heel[:, 1:] & self.heel[:, :-1]

    @cached_property
    def stands(self) -> npt.NDArray[np.intp]:
        """(2, T) the number of the stand that a foot is in, counted over both feet; -1 where it does not stand."""
        standing = self.standing
        begins = standing & ~np.concatenate([np.zeros((2, 1), bool), standing[:, :-1]], axis=1)
        numbers: npt.NDArray[np.intp] = np.where(standing, np.cumsum(begins).reshape(begins.shape) - 1, -1)
        return numbers

    @property
    def count(self) -> int:
        """How many times feet stand."""
        return int(np.max(self.stands)) + 1

    def means(self, values: Array, where: Flags) -> tuple[Array, Array]:
        """Means (N, C) of ``values`` (2, T, C) over the frames of each stand in ``where`` (2, T); how many, (N,)."""
        chosen = where & self.standing
        stands = self.stands[chosen]
        number = np.bincount(stands, minlength=self.count).astype(float)
        sums = [np.bincount(stands, column, minlength=self.count) for column in values[chosen].T]
        return np.stack(sums, axis=-1) / np.maximum(number, 1.0)[:, None], number


def find_contacts(positions: Array, flags: Flags, flat: Standing, fps: float) -> Contacts:
    """See when feet stand.

    positions: (T, 22, 3) metres; flags: (T, 4) the motion's own contacts, ankle and toe, left and right.
    """
    names = [f"{side}_{name}" for side in SIDES for name in ("ankle", "foot")]
    joints = positions[:, [joint(name) for name in names]]
    places = average(joints, SMOOTHING * fps)
    steps = np.diff(joints, axis=0)
    # What rests, rests, also in the first and last frame of a stand, which smoothing mixes with the step.
    slower = _slower(steps, fps)
    rests = slower < RESTS
    speed = np.where(rests, slower, _speed(places, fps))
    lift = np.where(rests, joints[..., 1], places[..., 1]) - np.tile([flat.ankle, flat.toe], 2)
    heel, ball, floor = [], [], []
    for foot in range(2):
        other = 1 - foot
        low = lift[:, 2 * foot + 1] < NEAR
        lowest = lift[:, 2 * foot + 1] < lift[:, 2 * other + 1] + LOWER
        slow = [
            _settled(speed[:, k], lift[:, k], flags[:, k] & (low | lowest)) for k in (2 * foot, 2 * foot + 1)
        ]
        raised = lift[:, 2 * foot] - lift[:, 2 * foot + 1]
        ball.append(_cleaned(slow[1] & _held(-raised, DOWN, UP), fps))
        ball[-1] &= low | ~_short(ball[-1] & ~low, HIGH_SHORTEST * fps)
        heel.append(_cleaned(slow[0] & _held(raised, DOWN, UP) | ball[-1] & (raised < 0.0), fps))
        pivots = _pivots(places[:, 2 * foot + 1] - places[:, 2 * foot], heel[-1], fps)
        heel[-1], ball[-1] = (_cleaned(part & ~pivots, fps) & ~pivots for part in (heel[-1], ball[-1]))
        floor.append(low)
    paths = np.moveaxis(steps, 1, 0)
    found = Contacts(np.array(heel), np.array(ball), np.array(floor), paths[::2])
    return replace(found, moved=np.where(found.stays[0][..., None], paths[1::2], paths[::2]))


def runs(flags: Flags) -> list[tuple[int, int]]:
    """The first and one past the last index of each run of True in (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _speed(places: Array, fps: float) -> Array:
    """(T, K) metres a second of points (T, K, 3)."""
    if len(places) < 2:
        return np.zeros(places.shape[:2])
    speed: Array = norm(np.gradient(places, 1.0 / fps, axis=0))
    return speed


def _slower(steps: Array, fps: float) -> Array:
    """(T, K) metres a second of the smaller one of the steps (T - 1, K, 3) to and from each frame."""
    speed = norm(steps) * fps
    many = np.full((1, speed.shape[1]), np.inf)
    slower: Array = np.minimum(np.concatenate([many, speed]), np.concatenate([speed, many]))
    return slower


def _settled(speed: Array, lift: Array, flags: Flags) -> Flags:
    """(T,) of the ``flags`` the frames in which the joint is as slow and as low as a standing one.

    Feet of generated motions slide as they stand: what counts is how fast, and how high, most of the stand is.
    """
    slow, settled = np.zeros((2, len(speed)), bool)
    for start, end in runs(flags):
        fast = max(_most(speed[start:end]), STILL) + FASTER
        slow[start:end] = speed[start:end] < min(fast, SLIDING)
    for start, end in runs(slow):
        settled[start:end] = lift[start:end] < _most(lift[start:end]) + HIGHER
    return settled


def _pivots(foot: Array, heel: Flags, fps: float) -> Flags:
    """(T,) the frames in which a foot (T, 3) turns on the spot while its ``heel`` is down."""
    pivots = np.zeros(len(heel), bool)
    span = max(1, round(PIVOTING * fps))
    for start, end in runs(heel):
        yaw = np.unwrap(np.arctan2(foot[start:end, 0], foot[start:end, 2]))
        if np.ptp(yaw) > TURNS:
            frames = np.arange(end - start)
            first, last = np.maximum(frames - span, 0), np.minimum(frames + span, end - start - 1)
            pivots[start:end] = np.abs(yaw[last] - yaw[first]) > PIVOTS * (last - first) / fps
    return pivots


def _most(values: Array) -> float:
    """What the least of the values, ``MOST`` of them, stay below."""
    return float(np.sort(values)[int(MOST * (len(values) - 1))])


def _held(values: Array, enter: float, leave: float) -> Flags:
    """(T,) True from where ``values`` fall below ``enter`` on, both ways, as long as they stay below ``leave``."""
    below = values < leave
    number = np.cumsum(np.concatenate([[False], below[1:] & ~below[:-1]]))
    deep = np.zeros(int(number[-1]) + 1, bool)
    np.logical_or.at(deep, number[values < enter], True)
    held: Flags = below & deep[number]
    return held


def _cleaned(flags: Flags, fps: float) -> Flags:
    """(T,) without short breaks and short contacts."""
    result: npt.NDArray[np.bool_] = flags.copy()
    for start, end in runs(~flags):
        if start > 0 and end < len(flags) and end - start <= GAP * fps:
            result[start:end] = True
    return result & ~_short(result, SHORTEST * fps)


def _short(flags: Flags, least: float) -> Flags:
    """(T,) the runs of True that are shorter than ``least`` frames."""
    short = np.zeros(len(flags), bool)
    for start, end in runs(flags):
        short[start:end] = end - start < least
    return short
