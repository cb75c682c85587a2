# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out which bone is which: by the names of a known family, else by the structure of the rig."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from videomdm.errors import UserError

from ..retarget.rig import Mapping, RigRest
from ..retarget.slots import mirrored
from .check import problems
from .families import FAMILIES, family_called
from .structure import by_structure
from .vrm import from_humanoid


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
    raise UserError(
        f"{name} does not look like a human body with two arms and two legs.",
        "Use a humanoid rig, or give a mapping file that names its bones.",
        "no-humanoid",
    )


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
