# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a mapping right for a rig?  What is wrong is said in sentences.

Looked at are the names, arms and legs, the sides, the chains, and the rest pose, in this order; after the
first of these in which something is wrong nothing else is said, because the rest follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np

from videomdm.errors import UserError

from ..retarget.rig import Array, Mapping, RigRest
from ..retarget.slots import CHAINS, REQUIRED, SIDES, SLOTS, mirrored, words
from .facing import body_axes, is_mirrored
from .families import family_called
from .family import Family

ADVICE = "Correct the mapping, or leave it out to have the bones found by themselves."
BESIDE = 0.01  # of the rig's size: collars closer to the middle than this are on neither side
NO_LENGTH = 1e-6  # of the rig's size
LIMBS = {"arm": ("collar", "upper_arm", "forearm", "hand"), "leg": ("thigh", "shin", "foot", "toe")}
LIMB_JOINTS = (("upper_arm", "forearm", "hand"), ("thigh", "shin", "foot"))
ROOTS = {"arm": "upper_arm", "leg": "thigh"}


def check(rest: RigRest, mapping: Mapping) -> None:
    """UserError with everything that is wrong with ``mapping`` for this rig."""
    found = problems(rest, mapping)
    if found:
        raise UserError(" ".join(["The mapping does not fit the rig:", *found]), ADVICE, "bad-mapping")


def problems(rest: RigRest, mapping: Mapping) -> list[str]:
    """What is wrong, one sentence each; empty where the mapping can be used."""
    checks = [_names, _arms_and_legs, _sides, _chains, _rest_pose]
    if _is_controls(mapping):  # of which each hangs where its mechanism wants it
        checks = [_names, _sides, _rest_pose]
    return next((found for one in checks if (found := list(one(rest, mapping)))), [])


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


def _arms_and_legs(rest: RigRest, mapping: Mapping) -> Iterator[str]:
    """Arms leave the way from the hips to the head later than legs."""
    top = (mapping.chain("head") or mapping.chain("spine"))[-1]
    way = list(reversed([top, *rest.ancestors(top)]))
    arms, legs = (
        [_meeting(rest, way, mapping.first(f"{side}_{root}")) for side in SIDES] for root in ROOTS.values()
    )
    if min(legs) > max(arms):
        yield "Arms and legs have changed places."


def _meeting(rest: RigRest, way: list[str], bone: str) -> int:
    """How far along ``way`` the bone leaves it."""
    return max((way.index(ancestor) for ancestor in rest.ancestors(bone) if ancestor in way), default=-1)


def _sides(rest: RigRest, mapping: Mapping) -> Iterator[str]:
    lefts = {limb: _left(rest, mapping, root) for limb, root in ROOTS.items()}
    if float(lefts["arm"] @ lefts["leg"]) < 0:
        turned = replace(
            mapping,
            slots={
                mirrored(s) if _part(s) in LIMBS["arm"] else s: chain for s, chain in mapping.slots.items()
            },
        )
        limb, other = ("leg", "arm") if is_mirrored(rest, turned) else ("arm", "leg")
        mapped = [part for part in LIMBS[limb] if _both(mapping, part)]
        wrong = [part for part in mapped if float(_left(rest, mapping, part) @ lefts[other]) < 0]
        yield _changed(limb if wrong == mapped else wrong[0])
    elif is_mirrored(rest, mapping):
        yield "Left and right are swapped."
    else:
        size = float(np.max(np.ptp(rest.heads, axis=0)))
        across, _ = body_axes(rest, mapping)
        if _both(mapping, "collar") and float(_left(rest, mapping, "collar") @ across) < -BESIDE * size:
            yield _changed("collar")
        for parts in LIMBS.values():
            mapped = [part for part in parts if _both(mapping, part)]
            crossed = (lower for upper, lower in pairwise(mapped) if _is_crossed(rest, mapping, upper, lower))
            yield from map(_changed, islice(crossed, 1))


def _is_crossed(rest: RigRest, mapping: Mapping, upper: str, lower: str) -> bool:
    """Whether each side's ``lower`` hangs on the other side's ``upper``."""
    return all(
        mapping.first(f"{other}_{upper}") in rest.ancestors(mapping.first(f"{side}_{lower}"))
        for side, other in zip(SIDES, reversed(SIDES), strict=True)
    )


def _chains(rest: RigRest, mapping: Mapping) -> Iterator[str]:
    """Every part must hang on the part before it; the first that does not is named."""
    for chain in CHAINS:
        bones = [(slot, bone) for slot in chain for bone in mapping.chain(slot)]
        for (_, upper), (slot, lower) in pairwise(bones):
            if upper not in rest.ancestors(lower):
                yield f"{lower!r} ({words(slot)}) does not hang on {upper!r}."
                return


def _rest_pose(rest: RigRest, mapping: Mapping) -> Iterator[str]:
    """Limbs that have no length point nowhere."""
    size = float(np.max(np.ptp(rest.heads, axis=0)))
    for side in SIDES:
        for parts in LIMB_JOINTS:
            slots = [f"{side}_{part}" for part in parts if mapping.chain(f"{side}_{part}")]
            for slot, after in pairwise(slots):
                bones = mapping.first(slot), mapping.first(after)
                if float(np.linalg.norm(rest.head(bones[0]) - rest.head(bones[1]))) <= NO_LENGTH * size:
                    yield f"At rest {bones[0]!r} ({words(slot)}) and {bones[1]!r} begin at the same place."


def _left(rest: RigRest, mapping: Mapping, part: str) -> Array:
    """(3,) from the right to the left of a part."""
    left, right = (rest.head(mapping.first(f"{side}_{part}")) for side in SIDES)
    return np.asarray(left - right)


def _both(mapping: Mapping, part: str) -> bool:
    return all(mapping.chain(f"{side}_{part}") for side in SIDES)


def _part(slot: str) -> str:
    return slot.split("_", 1)[-1]


def _changed(part: str) -> str:
    return f"The left and the right {words(part)} have changed places."
