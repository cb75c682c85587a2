# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a mapping right for a rig?  What is wrong is said in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from videomdm.errors import UserError

from ..retarget.rig import Array, Mapping, RigRest
from ..retarget.slots import CHAINS, REQUIRED, SIDE_SLOTS, SIDES, SLOTS, words
from .families import family_called
from .family import Family

ADVICE = "Correct the mapping, or leave it out to have the bones found by themselves."
BESIDE = 0.01  # of the rig's size: bones closer to the middle than this are on neither side


def check(rest: RigRest, mapping: Mapping) -> None:
    """UserError with everything that is wrong with ``mapping`` for this rig."""
    found = problems(rest, mapping)
    if found:
        raise UserError(" ".join(["The mapping does not fit the rig:", *found]), ADVICE, "bad-mapping")


def problems(rest: RigRest, mapping: Mapping) -> list[str]:
    """What is wrong, one sentence each; empty where the mapping can be used."""
    found = list(_names(rest, mapping))
    if not found:
        if not _is_controls(mapping):
            found += _chains(rest, mapping)
        found += _sides(rest, mapping)
    return found


def _is_controls(mapping: Mapping) -> bool:
    family: Family | None = family_called(mapping.family)
    return family is not None and family.controls


def _names(rest: RigRest, mapping: Mapping) -> Iterator[str]:
    for slot in mapping.slots:
        if slot not in SLOTS:
            yield f"There is no part of the body called {slot!r}."
    missing = [words(slot) for slot in REQUIRED if not mapping.chain(slot)]
    if missing:
        yield f"No bone is given for {', '.join(missing)}."
    absent = [bone for bone in mapping.bones if bone not in rest]
    if absent:
        yield f"The rig has no bone called {', '.join(map(repr, absent))}."
    twice = sorted({bone for bone in mapping.bones if mapping.bones.count(bone) > 1})
    if twice:
        yield f"{', '.join(map(repr, twice))} is given for more than one part of the body."


def _chains(rest: RigRest, mapping: Mapping) -> Iterator[str]:
    """Every part must hang on the part before it."""
    reported = set()
    for chain in CHAINS:
        bones = [(slot, bone) for slot in chain for bone in mapping.chain(slot)]
        for (_, upper), (slot, lower) in pairwise(bones):
            if upper not in rest.ancestors(lower) and (upper, lower) not in reported:
                reported.add((upper, lower))
                yield f"{lower!r} ({words(slot)}) does not hang on {upper!r}."


def _sides(rest: RigRest, mapping: Mapping) -> Iterator[str]:
    across = _across(rest, mapping)
    size = float(np.max(np.ptp(rest.heads, axis=0)))
    for part in SIDE_SLOTS:
        chains = [mapping.chain(f"{side}_{part}") for side in SIDES]
        if all(chains):
            left, right = (rest.head(chain[0]) for chain in chains)
            if float((left - right) @ across) < -BESIDE * size:
                yield f"The left and the right {words(part)} have changed places."
    if _mirrored(rest, mapping, across):
        yield "Left and right are swapped."


def _across(rest: RigRest, mapping: Mapping) -> Array:
    """From the rig's right to its left, as the mapping has them."""
    parts = ("thigh", "upper_arm")
    sums = [sum(rest.head(mapping.first(f"{side}_{part}")) for part in parts) for side in SIDES]
    across: Array = np.asarray(sums[0] - sums[1], float)
    return across / max(float(np.linalg.norm(across)), 1e-9)


def _mirrored(rest: RigRest, mapping: Mapping, across: Array) -> bool:
    """Whether the feet point backwards for this left and right; without toes, what the names say."""
    facing = feet_point(rest, mapping)
    if facing is not None:
        shoulders, feet = (
            np.mean([rest.head(mapping.first(f"{side}_{part}")) for side in SIDES], axis=0)
            for part in ("upper_arm", "foot")
        )
        return float(np.cross(across, shoulders - feet) @ facing) < 0
    votes = [
        1 if side_of(bone) == side else -1
        for side in SIDES
        for part in SIDE_SLOTS
        for bone in mapping.chain(f"{side}_{part}")
        if side_of(bone)
    ]
    return sum(votes) < 0


def feet_point(rest: RigRest, mapping: Mapping) -> Array | None:
    """(3,) where the feet point, from ankles to toes; None where the rig has no toes."""
    if not all(mapping.chain(f"{side}_toe") for side in SIDES):
        return None
    bones = [rest.head(mapping.first(f"{s}_toe")) - rest.head(mapping.first(f"{s}_foot")) for s in SIDES]
    return np.asarray(sum(bones), float)


def side_of(name: str) -> str | None:
    """The side that a bone's name tells of, if it does."""
    lower = name.lower()
    for side in SIDES:
        letter = side[0]
        if side in lower or re.search(rf"(^|[^a-z]){letter}([^a-z]|$)", lower):
            return side
        if re.match(rf"{letter}(?=[A-Z])", name):
            return side
    return None
