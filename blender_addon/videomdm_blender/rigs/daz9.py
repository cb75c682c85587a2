# SPDX-License-Identifier: GPL-3.0-or-later
"""Daz Genesis 9: hip carries pelvis (the legs) and spine1 (the rest); twist bones hang beside the limbs.

The names are those of the figure itself, which exporters to Unreal and Blender agree on.
"""

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
