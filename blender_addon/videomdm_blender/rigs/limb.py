# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of a long limb are its upper half, its lower half, and its hand or foot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..retarget.rig import Array
from .tree import Tree

LONGEST_WAY = 14  # bones of a limb that are looked at, fingers or toes included
STRAIGHT = np.sin(np.radians(0.5))  # twist bones lie exactly on a line; elbows and knees hardly ever do
EVEN = 0.7  # power with which ratios of lengths count: of the halves of a limb, and of the way between both sides
# What a way to see a limb loses by each bone more than two: on the line, as twist bones are; a little off it;
# clearly off it.  By each bone more than one between trunk and limb.  By a straight middle although other joints
# are bent.  And what it gains by an end like a wrist or an ankle.
SPLIT, OFF, ASIDE, BEFORE, UNBENT, END = 0.85, 0.72, 0.6, 0.85, 0.8, 1.15
# Of legs: what a half loses that goes level; how much a foot goes down at most, and what the leg gains by one.
LYING, FLAT, FOOT = 0.4, 0.85, 1.3
# Of arms: what those without collars lose, and how near to each other shoulders begin, of the distance between
# the elbows, or less the more; from how many chains of bones on a hand is known, and what an end elsewhere loses;
# what those of more than two bones lose that go to the very end, which may be a finger's.
COLLARS, SHOULDERS, FINGERS, NO_HAND, TIP = 0.9, 0.4, 2, 0.4, 0.93
TURNED = np.cos(np.radians(20.0))  # halves of an upper arm or thigh may lie a little off the line
ANKLE = np.cos(np.radians(25.0))  # a foot turns off the shin by more


@dataclass(frozen=True)
class Limb:
    """The bones of a limb from the trunk outwards, as indices.

    before: what lies between the trunk and the limb: a collar, half a pelvis.
    end:    the hand or foot; empty where the limb ends at the tail of its lower half.
    length: of upper and lower half together.
    """

    before: tuple[int, ...]
    upper: tuple[int, ...]
    lower: tuple[int, ...]
    end: tuple[int, ...]
    length: float

    @property
    def root(self) -> int:
        """The bone that hangs on the trunk."""
        return (*self.before, *self.upper)[0]


@dataclass(frozen=True)
class Pair:
    """The limbs of both sides, seen alike.

    score: how much like arms or legs they are: the length, less what speaks against it.
    doubt: the score of the next best way to divide them, as a share.
    """

    limbs: tuple[Limb, Limb]
    score: float
    doubt: float

    @property
    def length(self) -> float:
        """The mean length of the two."""
        return (self.limbs[0].length + self.limbs[1].length) / 2


def read_legs(tree: Tree, roots: tuple[int, int], up: Array) -> Pair | None:
    """The legs that begin at two bones of a tree, or None where they are none.

    up: (3,) from where legs begin to where arms do: thighs and shins go down, feet less.
    """
    one, other = (_Way.down(tree, root) for root in roots)
    return _read(one, other, lambda way, places: way.score(*places) * way.stands(*places, up))


def read_arms(tree: Tree, roots: tuple[int, int]) -> Pair | None:
    """The same of arms, whose hands may have fingers.

    Shoulders are apart, and arms do not take them much farther from each other; collars begin near each other.
    """
    one, other = (_Way.down(tree, root) for root in roots)
    apart = [float(np.linalg.norm(one.points[k] - other.points[k])) for k in range(2)]
    bare = COLLARS * min(apart[0] / max(SHOULDERS * apart[1], 1e-12), 1.0) ** EVEN

    def score(way: _Way, places: tuple[int, int, int]) -> float:
        return way.score(*places) * way.grasps(places[0], places[-1]) * (1.0 if places[0] else bare)

    return _read(one, other, score)


def _read(one: _Way, other: _Way, score: Callable[[_Way, tuple[int, int, int]], float]) -> Pair | None:
    """Both are divided at the same places, so that a sword in one hand is not taken for a forearm."""
    count = min(len(one.points), len(other.points))
    scores = {
        places: min(score(way, places) for way in (one, other)) for places in combinations(range(count), 3)
    }
    if not scores:
        return None
    best = max(scores, key=lambda places: scores[places])
    rest = max((value for places, value in scores.items() if places != best), default=0.0)
    return Pair((one.limb(*best), other.limb(*best)), scores[best], rest / max(scores[best], 1e-12))


@dataclass(frozen=True)
class _Way:
    """The way down a limb: its bones, the points at which they begin, and what is seen there.

    bent: the way is not exactly straight; turned: it is clearly bent; ends: it is like a wrist or an ankle;
    fans: several chains of bones go on from there, of the bones only.
    """

    bones: list[int]
    points: list[Array]
    bent: list[bool]
    turned: list[bool]
    ends: list[bool]
    fans: list[bool]

    @classmethod
    def down(cls, tree: Tree, root: int) -> _Way:
        bones = tree.way_down(root)[:LONGEST_WAY]
        points = [tree.heads[bone] for bone in bones]
        if len(bones) < 3:
            points.append(tree.rest.tails[bones[-1]])
        indices = range(len(points))
        return cls(
            bones,
            points,
            bent=[_is_bent(points, index) for index in indices],
            turned=[_is_turned(points, index, TURNED) for index in indices],
            ends=[_is_end(tree, bones, points, index) for index in indices],
            fans=[len(_fingers(tree, bone)) >= FINGERS for bone in bones],
        )

    def halves(self, first: int, middle: int, last: int) -> list[float]:
        """The lengths of the two halves between three points."""
        return [
            float(np.linalg.norm(self.points[b] - self.points[a]))
            for a, b in ((first, middle), (middle, last))
        ]

    def score(self, first: int, middle: int, last: int) -> float:
        """How much like an arm or a leg the way is when it is divided at three points."""
        short, long = sorted(self.halves(first, middle, last))
        score: float = (short + long) * (short / max(long, 1e-12)) ** EVEN * BEFORE ** max(first - 1, 0)
        for index in (*range(first + 1, middle), *range(middle + 1, last)):
            score *= ASIDE if self.turned[index] else OFF if self.bent[index] else SPLIT
        if self.ends[last]:
            score *= END
        if not self.bent[middle] and any(self.bent):
            score *= UNBENT
        return score

    def stands(self, first: int, middle: int, last: int, up: Array) -> float:
        """How well the way fits a leg: both halves go down, what follows goes to the front."""
        thigh, shin = (self._down(a, b, up) for a, b in ((first, middle), (middle, last)))
        fits = (LYING + (1.0 - LYING) * thigh) * (LYING + (1.0 - LYING) * shin)
        if last + 1 < len(self.points) and self._down(last, last + 1, up) < min(FLAT, shin):
            fits *= FOOT
        return fits

    def _down(self, start: int, end: int, up: Array) -> float:
        """The cosine between the way from one point to another and down, 0 where it goes up."""
        line = self.points[end] - self.points[start]
        return max(float(-(line @ up)) / max(float(np.linalg.norm(line)), 1e-12), 0.0)

    def grasps(self, first: int, last: int) -> float:
        """How well the way fits an arm: where fingers fan out is the hand; else the last of many bones is not."""
        if any(self.fans):
            return 1.0 if last < len(self.fans) and self.fans[last] else NO_HAND
        return TIP if last + 1 == len(self.points) and last - first > 2 else 1.0

    def limb(self, first: int, middle: int, last: int) -> Limb:
        """The limb when the way is divided at three points."""
        bones = tuple(self.bones)
        return Limb(
            before=bones[:first],
            upper=bones[first:middle],
            lower=bones[middle:last],
            end=bones[last : last + 1],
            length=sum(self.halves(first, middle, last)),
        )


def _is_bent(points: list[Array], index: int) -> bool:
    """Whether the way turns at a point."""
    if not 0 < index < len(points) - 1:
        return False
    return not _are_parallel(points[index] - points[index - 1], points[index + 1] - points[index])


def _is_end(tree: Tree, way: list[int], points: list[Array], index: int) -> bool:
    """Whether a point is like a wrist, from which several fingers go, or like an ankle, where the way turns."""
    if not 0 < index < len(way) - 1:
        return False
    after = points[index + 1] - points[index]
    beside = [tree.heads[child] - points[index] for child in tree.children[way[index]]]
    return any(not _are_parallel(line, after) for line in beside) or _is_turned(points, index, ANKLE)


def _fingers(tree: Tree, bone: int) -> list[int]:
    """The children of a bone that go on."""
    return [child for child in tree.children[bone] if tree.children[child]]


def _is_turned(points: list[Array], index: int, cosine: float) -> bool:
    """Whether the way turns at a point by more than an angle."""
    if not 0 < index < len(points) - 1:
        return False
    before, after = points[index] - points[index - 1], points[index + 1] - points[index]
    return bool(before @ after < cosine * np.linalg.norm(before) * np.linalg.norm(after))


def _are_parallel(one: Array, other: Array) -> bool:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return bool(float(np.linalg.norm(np.cross(one, other))) <= STRAIGHT * lengths)
