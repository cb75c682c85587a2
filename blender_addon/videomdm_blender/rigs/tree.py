# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones of a rig as a tree: what hangs on what, and how long it is.

Only the lengths of bones are looked at here, so that the rest pose does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from ..retarget.rig import Array, RigRest

ALIKE = 0.1  # by how much the lengths of left and right may differ
COMPARED = 2  # bones of two limbs that must be of the same lengths


@dataclass(frozen=True)
class Tree:
    """Bones are counted as in ``rest``."""

    rest: RigRest

    @property
    def heads(self) -> Array:
        """(N, 3) where the bones begin."""
        return self.rest.heads

    @property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The children of each bone."""
        return self.rest.children

    @cached_property
    def steps(self) -> Array:
        """(N,) how far each bone's head lies from its parent's."""
        parents = np.array(self.rest.parents)
        steps = np.linalg.norm(self.heads - self.heads[parents], axis=-1)
        return np.asarray(np.where(parents < 0, 0.0, steps))

    @cached_property
    def lengths(self) -> Array:
        """(N,) length of the longest way down from each bone's parent through the bone."""
        lengths = self.steps.copy()
        for bone in reversed(range(len(lengths))):  # children come after their parents
            lengths[bone] += max((lengths[child] for child in self.children[bone]), default=0.0)
        return np.asarray(lengths)

    def ancestors(self, bone: int) -> list[int]:
        """The bone's parent, its parent's parent and so on."""
        found = []
        parent = self.rest.parents[bone]
        while parent >= 0:
            found.append(parent)
            parent = self.rest.parents[parent]
        return found

    def common_ancestor(self, bones: list[int]) -> int | None:
        """The nearest bone on which all of ``bones`` hang or which is one of them."""
        lines = [[bone, *self.ancestors(bone)] for bone in bones]
        return next((bone for bone in lines[0] if all(bone in line for line in lines)), None)

    def between(self, upper: int, lower: int) -> list[int]:
        """The bones from below ``upper`` down to ``lower``; none where that does not hang on it."""
        line = [lower, *self.ancestors(lower)]
        return list(reversed(line[: line.index(upper)])) if upper in line else []

    def way_down(self, bone: int) -> list[int]:
        """From the bone on, always to the child from which it goes on farthest."""
        way = [bone]
        while children := self.children[way[-1]]:
            way.append(max(children, key=lambda child: float(self.lengths[child])))
        return way

    def pairs(self, shortest: float) -> list[tuple[int, int]]:
        """Children of one bone that are as long as each other, bone by bone; shorter ones are left out."""
        return [
            (one, other)
            for children in self.children
            for one, other in combinations(children, 2)
            if min(self._reach(one), self._reach(other)) > shortest and self._alike(one, other)
        ]

    def _reach(self, bone: int) -> float:
        """How long it goes on below a bone."""
        return float(self.lengths[bone] - self.steps[bone])

    def _alike(self, one: int, other: int) -> bool:
        ways = [self.way_down(bone)[1 : COMPARED + 1] for bone in (one, other)]
        a, b = (self.steps[way] for way in ways)
        return len(a) == len(b) and bool(np.sum(np.abs(a - b)) <= ALIKE * max(np.sum(a), np.sum(b)))
