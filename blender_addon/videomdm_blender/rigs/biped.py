# SPDX-License-Identifier: GPL-3.0-or-later
"""3ds Max Biped ("Bip01", "Bip001", "Biped"...)."""

from .family import Family

FAMILY = Family(
    key="biped",
    title="3ds Max Biped",
    sides=("L", "R"),
    names={
        "hips": "Pelvis",
        "spine": "Spine Spine1 Spine2 Spine3 Spine4",
        "neck": "Neck Neck1 Neck2",
        "head": "Head",
        "collar": "@Clavicle",
        "upper_arm": "@UpperArm",
        "forearm": "@Forearm",
        "hand": "@Hand",
        "thigh": "@Thigh",
        "shin": "@Calf",
        "foot": "@Foot",
        "toe": "@Toe0",
    },
)
