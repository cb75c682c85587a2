# SPDX-License-Identifier: GPL-3.0-or-later
"""Daz Genesis 9."""

from .family import Family

FAMILY = Family(
    key="daz9",
    title="Daz Genesis 9",
    sides=("l", "r"),
    names={
        "hips": "hip",
        "spine": "spine1 spine2 spine3 spine4",
        "neck": "neck1 neck2",
        "head": "head",
        "collar": "@_shoulder",
        "upper_arm": "@_upperarm",
        "forearm": "@_forearm",
        "hand": "@_hand",
        "thigh": "@_thigh",
        "shin": "@_shin",
        "foot": "@_foot",
        "toe": "@_toes",
    },
)
