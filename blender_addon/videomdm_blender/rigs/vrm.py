# SPDX-License-Identifier: GPL-3.0-or-later
"""VRM avatars: the names that VRoid Studio gives, and the table that every VRM file carries."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from ..retarget.rig import Mapping, RigRest
from ..retarget.slots import REQUIRED, SIDES
from .family import Family
from .trunk import with_whole_trunk

FAMILY = Family(
    key="vrm",
    title="VRM",
    sides=("L", "R"),
    names={
        "hips": "J_Bip_C_Hips",
        "spine": "J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest",
        "neck": "J_Bip_C_Neck",
        "head": "J_Bip_C_Head",
        "collar": "J_Bip_@_Shoulder",
        "upper_arm": "J_Bip_@_UpperArm",
        "forearm": "J_Bip_@_LowerArm",
        "hand": "J_Bip_@_Hand",
        "thigh": "J_Bip_@_UpperLeg",
        "shin": "J_Bip_@_LowerLeg",
        "foot": "J_Bip_@_Foot",
        "toe": "J_Bip_@_ToeBase",
    },
)

# Humanoid bones of the VRM specification (0.x and 1.0), in the order of their slots.
_CENTRE = {"hips": ("hips",), "spine": ("spine", "chest", "upperChest"), "neck": ("neck",), "head": ("head",)}
_SIDES = {
    "collar": "Shoulder",
    "upper_arm": "UpperArm",
    "forearm": "LowerArm",
    "hand": "Hand",
    "thigh": "UpperLeg",
    "shin": "LowerLeg",
    "foot": "Foot",
    "toe": "Toes",
}


def from_humanoid(rest: RigRest, humanoid: AnyMapping[str, str]) -> Mapping | None:
    """The mapping that a VRM file declares: humanoid bone -> node name.  None where required ones are missing."""
    slots = {
        slot: tuple(humanoid[bone] for bone in bones if humanoid.get(bone) in rest)
        for slot, bones in _CENTRE.items()
    }
    for side in SIDES:
        for part, bone in _SIDES.items():
            name = humanoid.get(f"{side}{bone}")
            slots[f"{side}_{part}"] = (name,) if name is not None and name in rest else ()
    filled = {slot: chain for slot, chain in slots.items() if chain}
    if not all(slot in filled for slot in REQUIRED):
        return None
    return FAMILY.complete(rest, with_whole_trunk(rest, filled))
