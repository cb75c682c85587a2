# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixamo, and the many rigs that took its names: MotionBuilder characters, LaFAN1, Kenney."""

from .family import Family

FAMILY = Family(
    key="mixamo",
    title="Mixamo",
    names={
        "hips": "Hips",
        "spine": "Spine Spine1|Chest Spine2|UpperChest Spine3 Spine4",
        "neck": "Neck Neck1 Neck2",
        "head": "Head",
        "collar": "@Shoulder",
        "upper_arm": "@Arm",
        "forearm": "@ForeArm",
        "hand": "@Hand",
        "thigh": "@UpLeg",
        "shin": "@Leg",
        "foot": "@Foot",
        "toe": "@ToeBase|@Toes|@Toe",
    },
)
