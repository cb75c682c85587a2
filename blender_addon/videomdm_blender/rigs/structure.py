# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the body in a rig whose bone names say nothing: by topology, symmetry and proportions.

A humanoid has two pairs of long limbs, left and right as long as each other.  Where the legs begin are the
hips, from there to the arms runs the spine, and what goes on in the middle beyond the arms is neck and head.
Legs point away from the spine, which tells them from arms and humans from animals.  How the limbs are posed,
how the character lies in the scene and in which unit it is counted makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..retarget.rig import Array, Mapping, RigRest
from ..retarget.slots import SIDES, mirrored
from .facing import body_axes, foot_front, front_of, is_mirrored
from .limb import Limb, Pair, read_arms, read_legs
from .tree import Tree

SHORTEST = 0.15  # of the longest way through the rig: shorter pairs are eyes, breasts, pockets
DOWNWARDS = 0.3  # cosine: legs that point less away from the spine are those of an animal
PROPORTION = 0.35  # arms and legs that differ more in length are no arms and legs
# Of the body's height from ankles to shoulders:
TRUNKS = 2.3  # of the trunk's length: the height is no less
CENTRED = 0.012  # what lies in the middle
NECK_ABOVE = 0.025  # how far above the arms a bone that carries them is a neck
CROWN = 0.24  # how far above the shoulders a last bone is the top of the head and no head
TOE = 0.3  # cosine: a bone below the foot that points less to the front is a heel
BESIDE = 0.7  # toes that point to the front at least so much as the foremost lie beside it
HEAD_LENGTH = 1.3  # a last bone that is shorter than this times the step to it is an end, not a head
FACE = 4  # a bone above the arms with so many children carries a face: it is the head
HEADLESS = (
    0.7  # what a body loses by having no head above its arms: plaits on the head may be longer than arms
)
DOUBTFUL = 0.79  # a limb whose second best division is so much like the best is not understood
NEARER = 0.01  # of a leg: by how much nearer to the hip joints a bone must be to be the hips instead


def doubtful(rest: RigRest) -> str | None:
    """The limbs, "arms" or "legs", that could nearly as well be divided otherwise; None where there are none."""
    body = _find_body(Tree(rest))
    return None if body is None else body.doubtful


def by_structure(rest: RigRest) -> Mapping | None:
    """The mapping of a humanoid rig, or None where the structure is not that of one, or could be read otherwise."""
    tree = Tree(rest)
    body = _find_body(tree)
    if body is None or body.doubtful:
        return None
    slots = {"hips": body.hips, **body.trunk()}
    sides = zip(SIDES, body.arms, body.legs, strict=True)
    for side, arm, leg in sides:
        slots |= {
            f"{side}_collar": arm.before,
            f"{side}_upper_arm": arm.upper,
            f"{side}_forearm": arm.lower,
            f"{side}_hand": arm.end,
            f"{side}_thigh": leg.upper,
            f"{side}_shin": leg.lower,
            f"{side}_foot": leg.end,
        }
    named = {slot: tuple(rest.names[bone] for bone in bones) for slot, bones in slots.items() if bones}
    mapping = Mapping(named, "structure")
    if not all(mapping.chain(f"{side}_foot") for side in SIDES):
        return None
    mapping = Mapping(dict(mapping.slots) | _toes(tree, mapping), "structure")
    swapped = is_mirrored(rest, mapping)
    if swapped is None:
        swapped = bool(front_of(rest, mapping) @ rest.front < 0)
    return _swapped(mapping) if swapped else mapping


def _swapped(mapping: Mapping) -> Mapping:
    return Mapping({mirrored(slot): chain for slot, chain in mapping.slots.items()}, mapping.family)


def _toes(tree: Tree, mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """The bones below the feet that point farthest to the front, on both sides alike.

    Which way the front is may not be known yet, but heels and toes point into opposite directions, and the
    foot bone, where it points into either, points to the toes.
    """
    rest = tree.rest
    across, _ = body_axes(rest, mapping)
    ways: list[dict[str, float]] = []
    tails: list[float] = []
    for side in SIDES:
        foot = rest.index(mapping.first(f"{side}_foot"))
        front = foot_front(rest, mapping, side)
        lines = {rest.names[child]: tree.heads[child] - tree.heads[foot] for child in tree.children[foot]}
        ways.append({name: _share(line, front) for name, line in lines.items()})
        tails.append(_share(rest.tails[foot] - tree.heads[foot], front))
    if not all(ways):
        return {}
    toes = [_big_toe(rest, way, across) for way in ways]
    shares = [way[toe] for way, toe in zip(ways, toes, strict=True)]
    if min(map(abs, shares)) < TOE or shares[0] * shares[1] < 0:
        return {}
    if min(map(abs, tails)) > TOE and tails[0] * tails[1] > 0 and shares[0] * tails[0] < 0:
        return {}
    return {f"{side}_toe": (toe,) for side, toe in zip(SIDES, toes, strict=True)}


def _big_toe(rest: RigRest, way: dict[str, float], across: Array) -> str:
    """The bone that points farthest to the front; where each toe has its own, the innermost."""
    farthest = max(way, key=lambda bone: abs(way[bone]))
    toes = [bone for bone in way if way[bone] / way[farthest] > BESIDE]
    if len(toes) < 3:
        return farthest
    middle = float(np.mean(rest.heads @ across))
    return min(toes, key=lambda bone: abs(float(rest.head(bone) @ across) - middle))


def _share(line: Array, direction: Array) -> float:
    """The cosine between a line and a direction; 0 where the line has no length."""
    length = float(np.linalg.norm(line))
    return float(line @ direction) / length if length > 0 else 0.0


def _find_body(tree: Tree) -> _Body | None:
    """The two pairs of limbs that are most like legs and arms."""
    if len(tree.heads) < 10:
        return None
    roots = tree.pairs(SHORTEST * float(np.max(tree.lengths)))
    arms = [(both, pair) for both in roots if (pair := read_arms(tree, both)) is not None]
    bodies = [
        body
        for leg_roots in roots
        for arm_roots, arm_pair in arms
        if arm_roots != leg_roots
        and (leg_pair := _legs(tree, leg_roots, arm_roots)) is not None
        and (body := _Body.of(tree, leg_pair, arm_pair)) is not None
    ]
    return max(bodies, key=lambda body: body.score, default=None)


def _legs(tree: Tree, legs: tuple[int, int], arms: tuple[int, int]) -> Pair | None:
    """The legs of a body whose arms begin elsewhere."""
    carriers = [tree.rest.parents[pair[0]] for pair in (legs, arms)]
    if tree.common_ancestor(carriers) in (None, carriers[1]):
        return None
    low, high = (tree.heads[list(pair)].mean(axis=0) for pair in (legs, arms))
    length = float(np.linalg.norm(high - low))
    return read_legs(tree, legs, (high - low) / length) if length > 0 else None


@dataclass(frozen=True)
class _Body:
    """Legs and arms, the first of each on the same side, and the spine between them.

    hips:   (1,) the bone of the hips.
    spine:  bones from above the hips to the one that carries the arms.
    across: (3,) from side to side; up: (3,) from the hip joints to the shoulders.
    height: from ankles to shoulders; of one with short legs as much as its trunk would have with longer ones.
    score:  how much like a body it is.
    doubt:  of arms and legs, how much the next best way to divide them is like the best.
    """

    tree: Tree
    legs: tuple[Limb, Limb]
    arms: tuple[Limb, Limb]
    hips: tuple[int]
    spine: tuple[int, ...]
    across: Array
    up: Array
    height: float
    score: float
    doubt: dict[str, float]

    @classmethod
    def of(cls, tree: Tree, leg_pair: Pair, arm_pair: Pair) -> _Body | None:
        """None where these are no legs and arms."""
        legs, arms = leg_pair.limbs, arm_pair.limbs
        carriers = [tree.rest.parents[pair[0].root] for pair in (legs, arms)]
        meeting = tree.common_ancestor(carriers)
        if meeting is None or meeting == carriers[1]:
            return None
        hip_joints, shoulders = (tree.heads[[limb.upper[0] for limb in pair]] for pair in (legs, arms))
        trunk = shoulders.mean(axis=0) - hip_joints.mean(axis=0)
        length = float(np.linalg.norm(trunk))
        ankles = [leg.end for leg in legs]
        if length <= 0 or not all(ankles):
            return None
        up = trunk / length
        leg_lines = tree.heads[[ankle[0] for ankle in ankles]] - hip_joints
        down = float(np.mean(leg_lines @ -up / np.linalg.norm(leg_lines, axis=-1)))
        sizes = leg_pair.length, arm_pair.length
        if down < DOWNWARDS or min(sizes) < PROPORTION * max(sizes):
            return None
        if (shoulders[0] - shoulders[1]) @ (hip_joints[0] - hip_joints[1]) < 0:
            arms, shoulders = (arms[1], arms[0]), shoulders[::-1]
        across = shoulders[0] - shoulders[1] + hip_joints[0] - hip_joints[1]
        across = across - (across @ up) * up
        width = float(np.linalg.norm(across))
        if width <= 0:
            return None
        hips = _hips(tree, meeting, np.asarray(hip_joints.mean(axis=0)), NEARER * sizes[0])
        spine = tuple(tree.between(hips, carriers[1]))
        score = leg_pair.score + arm_pair.score
        height = max(length + sizes[0], TRUNKS * length)
        body = cls(
            tree,
            legs,
            arms,
            (hips,),
            spine,
            across / width,
            up,
            height,
            score,
            {"arms": arm_pair.doubt, "legs": leg_pair.doubt},
        )
        return body if body.trunk()["head"] else replace(body, score=HEADLESS * score)

    @property
    def doubtful(self) -> str | None:
        """The limbs that could nearly as well be divided otherwise, if any."""
        limbs = max(self.doubt, key=lambda limbs: self.doubt[limbs])
        return limbs if self.doubt[limbs] > DOUBTFUL else None

    def trunk(self) -> dict[str, tuple[int, ...]]:
        """Spine, neck and head."""
        spine, above = list(self.spine), self._above(self.spine[-1])
        collars = self.tree.heads[[arm.root for arm in self.arms]]
        carrier = self.tree.heads[spine[-1]]
        if len(spine) > 1 and float(carrier @ self.up) > max(collars @ self.up) + NECK_ABOVE * self.height:
            above.insert(0, spine.pop())  # the arms hang on the neck, as those of a Biped do
        return {"spine": tuple(spine), "neck": tuple(above[:-1]), "head": tuple(above[-1:])}

    def _above(self, carrier: int) -> list[int]:
        """The bones in the middle above the arms, up to the head."""
        tree, heads = self.tree, self.tree.heads
        arms = {arm.root for arm in self.arms}
        chain: list[int] = []
        at = carrier
        while not chain or len(tree.children[at]) < FACE:
            above = [
                child
                for child in tree.children[at]
                if child not in arms
                and abs(float((heads[child] - heads[carrier]) @ self.across)) < CENTRED * self.height
                and float((heads[child] - heads[at]) @ self.up) > CENTRED * self.height
            ]
            if not above:
                break
            at = max(above, key=self._top)
            chain.append(at)
        while len(chain) > 1 and not tree.children[chain[-1]] and self._is_end(chain):
            chain.pop()
        return chain

    def _top(self, bone: int) -> float:
        """Height of the highest bone below this one."""
        below, waiting = [bone], [bone]
        while waiting:
            children = self.tree.children[waiting.pop()]
            below += children
            waiting += children
        return float(np.max(self.tree.heads[below] @ self.up))

    def _is_end(self, chain: list[int]) -> bool:
        """Whether the last bone only marks the top of the head: too high above the shoulders, or too short."""
        shoulders = self.tree.heads[[arm.upper[0] for arm in self.arms]].mean(axis=0)
        last = self.tree.heads[chain[-1]]
        steps = self.tree.steps[chain[-2:]]
        if float((last - shoulders) @ self.up) > CROWN * self.height and steps[1] > steps[0]:
            return True
        length = float(np.linalg.norm(self.tree.rest.tails[chain[-1]] - last))
        return len(chain) > 2 and length < HEAD_LENGTH * float(self.tree.steps[chain[-1]])


def _hips(tree: Tree, meeting: int, joints: Array, nearer: float) -> int:
    """The bone that carries all four limbs, or one above it that is nearer to the hip joints."""
    hips = meeting
    while (parent := tree.rest.parents[hips]) >= 0:
        distances = [float(np.linalg.norm(tree.heads[bone] - joints)) for bone in (hips, parent)]
        if distances[1] > distances[0] - nearer:
            break
        hips = parent
    return hips
