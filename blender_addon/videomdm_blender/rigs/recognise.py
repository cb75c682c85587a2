# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out which bone is which: by the names of a known family, else by the structure of the rig."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from videomdm.errors import UserError

from ..retarget.rig import Mapping, RigRest
from ..retarget.slots import mirrored
from .check import problems
from .families import FAMILIES, family_called
from .structure import by_structure, doubtful
from .vrm import from_humanoid

PIECE = 3  # bones that make a piece of a body; fewer are controls, props, eyes
PIECES_NAMED = 4


def recognise(
    rest: RigRest, humanoid: AnyMapping[str, str] | None = None, name: str = "The armature"
) -> Mapping:
    """The mapping of a rig.

    humanoid: the table of humanoid bones that the rig's file declares (VRM), if it does.
    name:     what messages call the rig.

    UserError where the rig is no humanoid.
    """
    declared = from_humanoid(rest, humanoid) if humanoid else None
    matches = [declared] if declared else [m for family in FAMILIES if (m := family.match(rest)) is not None]
    usable = [right for match in matches if (right := _right_way_round(rest, match)) is not None]
    if usable:
        return max(usable, key=lambda mapping: _rank(rest, mapping))
    built = by_structure(rest)
    if built is not None and not problems(rest, built):
        return built
    raise _refusal(rest, matches, name)


def _refusal(rest: RigRest, matches: list[Mapping], name: str) -> UserError:
    """Why a rig cannot be mapped: what keeps its names from being used, or its pieces, or that it is no body."""
    by_hand = "Use a humanoid rig, or say which bone is which: in the panel Mapping, or in a mapping file."
    if matches:
        nearest = max(matches, key=lambda mapping: _rank(rest, mapping))
        family = family_called(nearest.family)
        assert family is not None
        wrong = " ".join(problems(rest, nearest))
        message = f"{name} has the bone names of {family.title}, but its bones do not make a body: {wrong}"
        return UserError(
            message, "Correct the rig, or say which bone is which in the panel Mapping.", "no-humanoid"
        )
    pieces = [
        bone for bone, parent in enumerate(rest.parents) if parent < 0 and _carries(rest, bone) >= PIECE
    ]
    if len(pieces) > 1:
        loose = ", ".join(repr(rest.names[bone]) for bone in pieces[:PIECES_NAMED])
        more = len(pieces) - PIECES_NAMED
        return UserError(
            f"{name} is in pieces, which do not move together: {loose}{f' and {more} more' if more > 0 else ''} "
            "hang on no other bone.",
            "Parent arms and legs to the body, keeping their offset, and try again.",
            "in-pieces",
        )
    if (limbs := doubtful(rest)) is not None:
        return UserError(
            f"{name} has bone names that tell nothing, and {limbs} whose bones could be meant in more than one way.",
            by_hand,
            "no-humanoid",
        )
    return UserError(
        f"{name} does not look like a human body with two arms and two legs.", by_hand, "no-humanoid"
    )


def _carries(rest: RigRest, bone: int) -> int:
    """How many bones there are from a bone on."""
    return 1 + sum(_carries(rest, child) for child in rest.children[bone])


def _rank(rest: RigRest, mapping: Mapping) -> tuple[bool, int, bool]:
    """Controls before bones that follow them, then more bones, then the family that the rig bears the marks of."""
    family = family_called(mapping.family)
    assert family is not None
    return family.controls, len(mapping.bones), family.is_marked(rest)


def _right_way_round(rest: RigRest, mapping: Mapping) -> Mapping | None:
    """The mapping, or its mirror image where the rig calls left what is right of the way its feet point."""
    if not problems(rest, mapping):
        return mapping
    family = family_called(mapping.family)
    if family is None:
        return None
    swapped = family.complete(rest, {mirrored(slot): chain for slot, chain in mapping.slots.items()})
    return swapped if not problems(rest, swapped) else None
