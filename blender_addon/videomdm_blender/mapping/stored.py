# SPDX-License-Identifier: GPL-3.0-or-later
"""The mapping that a take uses: the one that a person has given to the armature, else the one that is found."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

import bpy

from ..retarget.rig import Mapping, RigRest
from ..rigs.check import check
from ..rigs.recognise import recognise
from .property_group import given


def mapping_for(
    armature: bpy.types.Object, rest: RigRest, humanoid: AnyMapping[str, str] | None = None
) -> Mapping:
    """The mapping of an armature object.

    humanoid: the table of humanoid bones that the rig's file declares, if it does.

    UserError where the given mapping does not fit the rig, or none can be found.
    """
    mapping = given(armature).mapping(rest)
    if mapping is None:
        return recognise(rest, humanoid, f"The armature {armature.name}")
    check(rest, mapping)
    return mapping
