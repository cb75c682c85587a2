# SPDX-License-Identifier: GPL-3.0-or-later
"""Unity's humanoid: the names of its ``HumanBodyBones``, as avatars and exporters take them over for their bones."""

from .family import Family

FAMILY = Family(
    key="unity",
    title="Unity humanoid",
    names={
        "hips": "Hips",
        "spine": "Spine Chest UpperChest",
        "neck": "Neck",
        "head": "Head",
        "collar": "@Shoulder",
        "upper_arm": "@UpperArm",
        "forearm": "@LowerArm",
        "hand": "@Hand",
        "thigh": "@UpperLeg",
        "shin": "@LowerLeg",
        "foot": "@Foot",
        "toe": "@Toes|@ToeBase",
    },
)
