# SPDX-License-Identifier: GPL-3.0-or-later
"""Reallusion's Character Creator 3 and 4, iClone, ActorCore and AccuRig.

The same names in all of them, with "CC_Base_" before them or without; "RL_BoneRoot" above.  The hip carries the
pelvis (the legs) and the waist; twist and share bones hang beside the limbs.
"""

from .family import Family

FAMILY = Family(
    key="character-creator",
    title="Character Creator",
    sides=("L", "R"),
    names={
        "hips": "Hip",
        "spine": "Waist Spine01 Spine02",
        "neck": "NeckTwist01 NeckTwist02",
        "head": "Head",
        "collar": "@_Clavicle",
        "upper_arm": "@_Upperarm",
        "forearm": "@_Forearm",
        "hand": "@_Hand",
        "thigh": "@_Thigh",
        "shin": "@_Calf",
        "foot": "@_Foot",
        "toe": "@_ToeBase",
    },
)
