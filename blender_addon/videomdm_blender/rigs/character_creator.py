# SPDX-License-Identifier: GPL-3.0-or-later
"""Reallusion's Character Creator 3 and 4, iClone."""

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
