# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the fingers of a hand in a rig at rest: by their names, or by how chains of bones fan out from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..retarget.frames import unit
from ..retarget.rig import Array, RigRest

THUMB = "thumb"
KINDS = ("index", "middle", "ring", "little")  # from the thumb's side
WORDS = {THUMB: "thumb", "index": "index|pointer", "middle": "mid", "ring": "ring", "little": "pink|little"}
END = re.compile(r"(end|leaf|nub|tip)\W*\w?\W*$", re.IGNORECASE)  # bones that only mark where another ends

JOINTS = 3
FEWEST = 2  # bones of a finger; what is shorter is a mitten, a socket or a helper
IN_PALM = 0.3  # of the way from wrist to finger tips: what begins nearer to the wrist lies in the palm
LENGTHS = (0.08, 0.9)  # of the forearm: what is shorter or longer is no finger
ASIDE = np.radians(15.0)  # by which a thumb points away from the fingers, at least
TIP = np.cos(np.radians(50.0))  # the tail of a last bone that points elsewhere does not mark the finger's tip


@dataclass(frozen=True)
class Finger:
    """One finger.

    kind:   THUMB or one of KINDS, "" as long as it is not known.
    bones:  1 to 3 names, from the knuckle on; of the thumb from the wrist on.
    points: (len(bones) + 1, 3) where they begin, and the finger's tip; armature space.
    """

    kind: str
    bones: tuple[str, ...]
    points: Array


@dataclass(frozen=True)
class Hand:
    """The fingers of one hand, the thumb first where there is one, the others from its side on.

    wrist: (3,) armature space.
    """

    side: str
    wrist: Array
    fingers: tuple[Finger, ...]


def find_hand(
    rest: RigRest, side: str, arm: tuple[str, str], named: AnyMapping[str, Sequence[str]] | None = None
) -> Hand | None:
    """The hand, or None where there are no fingers that could be told from other bones.

    arm:   the first bone of the forearm, and the hand.
    named: kind -> bones, where the rig's family says which they are.
    """
    wrist, elbow = rest.head(arm[1]), rest.head(arm[0])
    chains = (
        [(kind, tuple(bones)) for kind, bones in named.items()]
        if named is not None
        else [(_kind(chain), chain) for chain in _chains(rest, arm[1])]
    )
    if len({kind for kind, _ in chains if kind}) > 1:
        chains = [(kind, chain) for kind, chain in chains if kind]
    whole = [finger for kind, chain in chains if (finger := _whole(rest, kind, chain)) is not None]
    if len({finger.kind for finger in whole}) < len(whole) or any(not finger.kind for finger in whole):
        whole = _told_apart(whole, unit(wrist - elbow)) if len(whole) > 1 else []
    forearm = float(np.linalg.norm(wrist - elbow))
    order = (THUMB, *KINDS)
    fingers = [
        finger
        for long in sorted(whole, key=lambda finger: order.index(finger.kind))
        if (finger := _joints(long, wrist, forearm)) is not None
    ]
    return Hand(side, wrist, tuple(fingers)) if len(fingers) > 1 else None


def _chains(rest: RigRest, hand: str) -> Iterator[tuple[str, ...]]:
    """The ways from the hand to each last bone below it, without what several of them share."""
    ways: list[list[int]] = []
    waiting = [[child] for child in rest.children[rest.index(hand)]]
    while waiting:
        way = waiting.pop()
        below = rest.children[way[-1]]
        waiting += [[*way, child] for child in below]
        if not below:
            ways.append(way)
    bones = [bone for way in ways for bone in way]
    for way in sorted(ways):
        chain = tuple(rest.names[bone] for bone in way if bones.count(bone) == 1)
        if len(chain) >= FEWEST:
            yield chain


def _kind(chain: Sequence[str]) -> str:
    """The finger that a chain's names speak of, "" where they do not."""
    for kind, words in WORDS.items():
        if any(re.search(words, name, re.IGNORECASE) for name in chain):
            return kind
    return ""


def _whole(rest: RigRest, kind: str, chain: Sequence[str]) -> Finger | None:
    """A chain from the hand on as a finger, without an end bone; None where it is none."""
    if any(bone not in rest for bone in chain) or len(chain) < FEWEST:
        return None
    if any(above not in rest.ancestors(below) for above, below in pairwise(chain)):
        return None
    points = [rest.head(bone) for bone in chain]
    if END.search(chain[-1]):
        return Finger(kind, tuple(chain[:-1]), np.array(points))
    return Finger(kind, tuple(chain), np.array([*points, _tip(rest, chain[-1], points)]))


def _joints(finger: Finger, wrist: Array, forearm: float) -> Finger | None:
    """The joints of a finger, without the palm's bones and what lies beyond its last joint; None without joints."""
    bones, points = finger.bones, finger.points
    away = np.linalg.norm(points - wrist, axis=-1)
    palm = 0
    while finger.kind != THUMB and len(bones) - palm > JOINTS and away[palm] < IN_PALM * np.max(away):
        palm += 1
    bones, points = bones[palm : palm + JOINTS], points[palm : palm + JOINTS + 1]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    fits = LENGTHS[0] * forearm < float(steps.sum()) < LENGTHS[1] * forearm
    return Finger(finger.kind, bones, points) if fits and len(bones) >= FEWEST and np.min(steps) > 0 else None


def _tip(rest: RigRest, bone: str, points: Sequence[Array]) -> Array:
    """Where a finger ends: importers lay the tails of last bones as they like."""
    tail = rest.tails[rest.index(bone)] - points[-1]
    if len(points) < 2:
        return np.asarray(points[-1] + tail)
    before = points[-1] - points[-2]
    straight = float(tail @ before) > TIP * float(np.linalg.norm(tail) * np.linalg.norm(before))
    return np.asarray(points[-1] + (tail if straight else before))


def _told_apart(fingers: Sequence[Finger], arm: Array) -> list[Finger]:
    """The same with kinds: the thumb points aside, the others lie beside each other from it on."""
    ways = np.array([unit(finger.points[-1] - finger.points[0]) for finger in fingers])
    ahead = unit(np.median(ways, axis=0)) if len(fingers) > 2 else arm
    aside = np.arccos(np.clip(ways @ ahead, -1.0, 1.0))
    thumb = int(np.argmax(aside))
    others = [finger for number, finger in enumerate(fingers) if number != thumb]
    if aside[thumb] < ASIDE + float(np.mean(np.delete(aside, thumb))) or len(others) > len(KINDS):
        return []  # without a thumb nothing tells the palm from the back of the hand
    middles = np.array([finger.points.mean(axis=0) for finger in others])
    across = fingers[thumb].points.mean(axis=0) - middles.mean(axis=0)
    across = across - (across @ ahead) * ahead
    order = np.argsort(-(middles @ across))
    places = np.round(np.linspace(0, len(KINDS) - 1, len(others))).astype(int) if len(others) > 1 else [1]
    named = [
        Finger(KINDS[place], others[number].bones, others[number].points)
        for place, number in zip(places, order, strict=True)
    ]
    return [Finger(THUMB, fingers[thumb].bones, fingers[thumb].points), *named]
