# SPDX-License-Identifier: GPL-3.0-or-later
"""3ds Max Biped ("Bip01", "Bip001", "Biped"...), and the Source engine's ("ValveBiped.Bip01_") with its "Head1".

Names and numbering are 3ds Max's own.  With a triangle pelvis, as a rule, the thighs hang on the spine; the collars
hang on the neck or on the spine.
"""

from .family import Family

FAMILY = Family(
    key="biped",
    title="3ds Max Biped",
    sides=("L", "R"),
    names={
        "hips": "Pelvis",
        "spine": "Spine Spine1 Spine2 Spine3 Spine4",
        "neck": "Neck Neck1 Neck2",
        "head": "Head|Head1",
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
