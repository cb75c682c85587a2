# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of a long limb are its upper half, its lower half, and its hand or foot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..retarget.rig import Array
from .tree import Tree

LONGEST_WAY = 14  # bones of a limb that are looked at, fingers or toes included
STRAIGHT = np.sin(np.radians(0.5))  # twist bones lie exactly on a line; elbows and knees hardly ever do
# What a way to see a limb loses by each bone more than two: on the line, as twist bones are; a little off it;
# clearly off it.  By each bone more than one between trunk and limb.  By a straight middle although other joints
# are bent.  And what it gains by an end like a wrist or an ankle.
SPLIT, OFF, ASIDE, BEFORE, UNBENT, END = 0.85, 0.72, 0.6, 0.85, 0.8, 1.15
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

    score: how much like arms or legs they are: the shortest half's length, less what speaks against it.
    """

    limbs: tuple[Limb, Limb]
    score: float

    @property
    def length(self) -> float:
        """The mean length of the two."""
        return (self.limbs[0].length + self.limbs[1].length) / 2


def read_limbs(tree: Tree, roots: tuple[int, int]) -> Pair | None:
    """The limbs that begin at two bones of a tree, or None where they are none.

    Both are divided at the same places, so that a sword in one hand is not taken for a forearm.
    """
    one, other = (_Way.down(tree, root) for root in roots)
    count = min(len(one.points), len(other.points))
    scores = {
        places: min(one.score(*places), other.score(*places)) for places in combinations(range(count), 3)
    }
    if not scores:
        return None
    best = max(scores, key=lambda places: scores[places])
    return Pair((one.limb(*best), other.limb(*best)), scores[best])


@dataclass(frozen=True)
class _Way:
    """The way down a limb: its bones, the points at which they begin, and what is seen there.

    bent: the way is not exactly straight; turned: it is clearly bent; ends: it is like a wrist or an ankle.
    """

    bones: list[int]
    points: list[Array]
    bent: list[bool]
    turned: list[bool]
    ends: list[bool]

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
        )

    def halves(self, first: int, middle: int, last: int) -> list[float]:
        """The lengths of the two halves between three points."""
        return [
            float(np.linalg.norm(self.points[b] - self.points[a]))
            for a, b in ((first, middle), (middle, last))
        ]

    def score(self, first: int, middle: int, last: int) -> float:
        """How much like an arm or a leg the way is when it is divided at three points."""
        score: float = min(self.halves(first, middle, last)) * BEFORE ** max(first - 1, 0)
        for index in (*range(first + 1, middle), *range(middle + 1, last)):
            score *= ASIDE if self.turned[index] else OFF if self.bent[index] else SPLIT
        if self.ends[last]:
            score *= END
        if not self.bent[middle] and any(self.bent):
            score *= UNBENT
        return score

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


def _is_turned(points: list[Array], index: int, cosine: float) -> bool:
    """Whether the way turns at a point by more than an angle."""
    if not 0 < index < len(points) - 1:
        return False
    before, after = points[index] - points[index - 1], points[index + 1] - points[index]
    return bool(before @ after < cosine * np.linalg.norm(before) * np.linalg.norm(after))


def _are_parallel(one: Array, other: Array) -> bool:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return bool(float(np.linalg.norm(np.cross(one, other))) <= STRAIGHT * lengths)
