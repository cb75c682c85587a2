# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the body in a rig whose bone names say nothing: by topology, symmetry and the rest pose.

A humanoid has pairs of long mirrored limbs.  The pair that reaches the ground are the legs, the other one that
reaches farthest to the sides are the arms; the bone that carries all four are the hips, from there to the arms
runs the spine, and what goes on in the middle above the arms is neck and head.  Where the feet point is the
front.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..retarget.rig import Array, Mapping, RigRest
from ..retarget.slots import SIDES
from .check import side_of

TOLERANCE = 0.03  # of the rig's height, for what counts as mirrored or in the middle
CENTRED = 0.01  # of the rig's height, for what lies in the middle and is no half of a pair
LONG_LIMB = 0.2  # of the rig's height: shorter mirrored chains are eyes, breasts, pockets
AT_HIPS = 0.12  # of the rig's height: how far from the hip joints the hips may lie
STRAIGHT = np.radians(0.5)  # twist bones lie exactly on a line; elbows and knees hardly ever do
NEARLY = 0.8
FACE = 4  # a bone above the arms with so many children carries a face: it is the head
OFF_GROUND = 0.15  # of the rig's height: how far above the feet hanging hands must end
NECK_ABOVE = 0.02  # of the rig's height: how far above the arms a bone that carries them is a neck
HEAD_LENGTH = 1.3  # a last bone that is longer than this times the step to it is a head, not an end


def by_structure(rest: RigRest) -> Mapping | None:
    """The mapping of a humanoid rig, or None where the structure is not that of one."""
    tree = _Tree.of(rest)
    if tree is None:
        return None
    limbs = tree.limbs()
    if len(limbs) < 2:
        return None
    legs = min(limbs, key=lambda pair: tree.lowest(pair[0]))
    arms = max((pair for pair in limbs if pair != legs), key=lambda pair: tree.width(pair[0]))
    if tree.lowest(arms[0]) < tree.lowest(legs[0]) + OFF_GROUND * tree.height:
        return None  # it stands on four feet
    hips = tree.hips(legs, arms)
    attach = tree.common_ancestor(list(arms))
    if hips is None or attach is None or hips == attach:
        return None
    spine = tree.between(hips, attach)
    if not spine:
        return None
    left = tree.left(legs)
    above = tree.above(attach, arms)
    if len(spine) > 1 and tree.is_neck(attach, arms):
        above.insert(0, spine.pop())
    slots: dict[str, list[int]] = {"hips": [hips], "spine": spine, "neck": above[:-1], "head": above[-1:]}
    for pair, names in (
        (arms, ("collar", "upper_arm", "forearm", "hand")),
        (legs, ("", "thigh", "shin", "foot")),
    ):
        ordered = sorted(pair, key=lambda root: -float(rest.heads[root] @ left))
        for side, root in zip(SIDES, ordered, strict=True):
            parts = tree.limb(root, is_leg=pair is legs)
            if parts is None:
                return None
            slots |= {
                f"{side}_{name}": bones for name, bones in zip((*names, "toe"), parts, strict=True) if name
            }
    return Mapping(
        {slot: tuple(rest.names[i] for i in bones) for slot, bones in slots.items() if bones}, "structure"
    )


@dataclass(frozen=True)
class _Tree:
    """The bones as a tree that is mirrored in a plane.

    across: (3,) axis of the armature from side to side.
    offset: (N,) how far each bone's head lies beside the plane.
    height: of the rig.
    """

    rest: RigRest
    across: Array
    offset: Array
    height: float

    @classmethod
    def of(cls, rest: RigRest) -> _Tree | None:
        """Find the plane; None where the rig has no two sides."""
        height = float(np.ptp(rest.heads @ rest.up))
        if len(rest.names) < 10 or height <= 0:
            return None
        best, most = None, 0
        for axis in np.eye(3):
            if abs(axis @ rest.up) > 0.5:
                continue
            tree = cls(rest, axis, rest.heads @ axis - np.median(rest.heads @ axis), height)
            if (count := len(tree._partners())) > most:
                best, most = tree, count
        return best

    def _partners(self) -> dict[int, int]:
        """Bones on the positive side -> their mirror images on the other."""
        mirrored = self.rest.heads - 2.0 * self.offset[:, None] * self.across
        limit = TOLERANCE * self.height
        partners = {}
        for bone in np.flatnonzero(self.offset > limit):
            distance = np.linalg.norm(self.rest.heads - mirrored[bone], axis=-1)
            same_depth = self._depths == self._depths[bone]
            nearest = int(np.argmin(np.where(same_depth, distance, np.inf)))
            if distance[nearest] < limit and same_depth[nearest]:
                partners[int(bone)] = nearest
        return partners

    @cached_property
    def _depths(self) -> npt.NDArray[np.int64]:
        """(N,) number of ancestors."""
        depths: list[int] = []
        for parent in self.rest.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 0)
        return np.array(depths)

    def _ancestors(self, bone: int) -> list[int]:
        found = []
        parent = self.rest.parents[bone]
        while parent >= 0:
            found.append(parent)
            parent = self.rest.parents[parent]
        return found

    def _centred(self, bone: int) -> bool:
        return bool(abs(self.offset[bone]) <= TOLERANCE * self.height)

    def limbs(self) -> list[tuple[int, int]]:
        """Pairs of mirrored bones at which long limbs begin, collars included."""
        found: dict[tuple[int, int], None] = {}
        for bone, partner in self._partners().items():
            parents = self.rest.parents[bone], self.rest.parents[partner]
            starts = parents[0] == parents[1] or all(p >= 0 and self._centred(p) for p in parents)
            if starts and min(self.reach(bone), self.reach(partner)) > LONG_LIMB * self.height:
                found[self._beginning(bone, partner)] = None
        return list(found)

    def _beginning(self, bone: int, partner: int) -> tuple[int, int]:
        """Up to where the two sides meet: collars begin near the middle and are not seen as a pair."""
        while (parents := (self.rest.parents[bone], self.rest.parents[partner])) and parents[0] != parents[1]:
            if min(parents) < 0:
                break
            bone, partner = parents
        return bone, partner

    def hips(self, legs: tuple[int, int], arms: tuple[int, int]) -> int | None:
        """The highest bone of the tree that carries all four limbs and lies at the hips."""
        hips = self.common_ancestor([*legs, *arms])
        if hips is None:
            return None
        joints = self.rest.heads[list(legs)].mean(axis=0)
        near = [
            bone
            for bone in self._ancestors(hips)
            if float(np.linalg.norm(self.rest.heads[bone] - joints)) < AT_HIPS * self.height
        ]
        return near[-1] if near else hips

    def _below(self, bone: int) -> list[int]:
        found = [bone]
        for child in self.rest.children[bone]:
            found += self._below(child)
        return found

    def reach(self, bone: int) -> float:
        """How far the farthest bone below lies from this one."""
        ends = self.rest.heads[self._below(bone)]
        return float(np.max(np.linalg.norm(ends - self.rest.heads[bone], axis=-1)))

    def width(self, bone: int) -> float:
        """How far beside the middle the bones below this one reach."""
        return float(np.max(np.abs(self.offset[self._below(bone)])))

    def lowest(self, bone: int) -> float:
        """Height of the lowest bone below this one."""
        return float(np.min(self.rest.heads[self._below(bone)] @ self.rest.up))

    def common_ancestor(self, bones: list[int]) -> int | None:
        """The nearest bone that carries all of ``bones``."""
        lines = [self._ancestors(bone) for bone in bones]
        return next((bone for bone in lines[0] if all(bone in line for line in lines)), None)

    def between(self, upper: int, lower: int) -> list[int]:
        """The bones from below ``upper`` down to ``lower``, both central."""
        line = [lower, *self._ancestors(lower)]
        return list(reversed(line[: line.index(upper)])) if upper in line else []

    def left(self, legs: tuple[int, int]) -> Array:
        """(3,) towards the character's left: by the feet, else by the names, else as if it faced the front."""
        forward = np.zeros(3)
        for leg in legs:
            parts = self.limb(leg, is_leg=True)
            if parts and parts[3] and parts[4]:
                forward += self.rest.heads[parts[4][0]] - self.rest.heads[parts[3][0]]
        forward -= (forward @ self.rest.up) * self.rest.up
        if np.linalg.norm(forward) > 0.02 * self.height:
            return np.asarray(np.cross(self.rest.up, forward))
        names = [side_of(self.rest.names[leg]) for leg in legs]
        if set(names) == set(SIDES):
            towards = self.rest.heads[legs[names.index("left")]] - self.rest.heads[legs[names.index("right")]]
            return np.asarray(towards)
        return np.asarray(np.cross(self.rest.up, self.rest.front))

    def is_neck(self, attach: int, arms: tuple[int, int]) -> bool:
        """Whether the bone that carries the arms lies above them, as the neck of a Biped does."""
        heights = self.rest.heads @ self.rest.up
        return bool(heights[attach] > max(heights[list(arms)]) + NECK_ABOVE * self.height)

    def above(self, attach: int, arms: tuple[int, int]) -> list[int]:
        """Neck and head: the chain in the middle above the arms, without an end bone on top of the head."""
        heads, up = self.rest.heads, self.rest.up
        chain: list[int] = []
        at = attach
        while len(chain) == 0 or len(self.rest.children[at]) < FACE:
            above = [
                child
                for child in self.rest.children[at]
                if abs(self.offset[child]) < CENTRED * self.height
                and child not in arms
                and float((heads[child] - heads[at]) @ up) > CENTRED * self.height
            ]
            if not above:
                break
            at = max(above, key=lambda c: float(np.max(heads[self._below(c)] @ up)))
            chain.append(at)
        if len(chain) > 2 and not self.rest.children[chain[-1]]:
            step = float(np.linalg.norm(heads[chain[-1]] - heads[chain[-2]]))
            if float(np.linalg.norm(self.rest.tails[chain[-1]] - heads[chain[-1]])) < HEAD_LENGTH * step:
                chain.pop()
        return chain

    def limb(self, root: int, is_leg: bool) -> tuple[list[int], ...] | None:
        """The bones of (collar, upper, lower, end, toe) of the limb that begins at ``root``."""
        path = self._path(root, is_leg)
        points = [self.rest.heads[bone] for bone in path]
        if len(path) < 3:
            points.append(self.rest.tails[path[-1]])
        joints = _without_straight(points)
        if len(joints) < 3:
            return None
        first, bend, last = _two_long_bones([points[i] for i in joints])
        first, bend, last = joints[first], joints[bend], joints[last]
        toe = path[last + 1 : last + 2] if is_leg else []
        return path[max(first - 1, 0) : first], path[first:bend], path[bend:last], path[last : last + 1], toe

    def _path(self, root: int, is_leg: bool) -> list[int]:
        """From the root down, always to the child that reaches farthest; an arm ends where fingers begin."""
        path = [root]
        while children := self.rest.children[path[-1]]:
            long = [c for c in children if self.rest.children[c]]
            if not is_leg and len(path) > 2 and len(long) > 1:
                break
            path.append(max(children, key=self._length_below))
        return path

    def _length_below(self, bone: int) -> float:
        parent = self.rest.parents[bone]
        own = float(np.linalg.norm(self.rest.heads[bone] - self.rest.heads[parent]))
        return own + max((self._length_below(child) for child in self.rest.children[bone]), default=0.0)


def _without_straight(points: list[Array]) -> list[int]:
    """Indices of the points without those that lie on a line between their neighbours, while enough remain."""
    kept = list(range(len(points)))
    for index in range(1, len(points) - 1):
        if len(kept) <= 4:
            break
        at = kept.index(index)
        before, after = points[index] - points[kept[at - 1]], points[kept[at + 1]] - points[index]
        lengths = float(np.linalg.norm(before) * np.linalg.norm(after))
        if lengths < 1e-12 or np.linalg.norm(np.cross(before, after)) < STRAIGHT * lengths:
            kept.remove(index)
    return kept


def _two_long_bones(points: list[Array]) -> tuple[int, int, int]:
    """The three points between which the two longest bones of about equal length lie.

    Of solutions that are nearly as good, the one that starts latest and ends earliest: so neither a collar
    nor a foot is counted in.
    """
    scores = {}
    for a in range(len(points) - 2):
        for b in range(a + 1, len(points) - 1):
            for c in range(b + 1, len(points)):
                lengths = np.linalg.norm(points[b] - points[a]), np.linalg.norm(points[c] - points[b])
                scores[a, b, c] = float(min(lengths))
    best = max(scores.values())
    good = [key for key, score in scores.items() if score >= NEARLY * best]
    return min(good, key=lambda key: (key[2], -key[0], -scores[key]))
