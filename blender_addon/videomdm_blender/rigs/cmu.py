# SPDX-License-Identifier: GPL-3.0-or-later
"""The CMU motion capture database as cgspeed's MotionBuilder-friendly BVH has it."""

from .family import Family

FAMILY = Family(
    key="cmu",
    title="CMU (cgspeed)",
    names={
        "hips": "Hips",
        "spine": "LowerBack Spine Spine1",
        "neck": "Neck Neck1",
        "head": "Head",
        "collar": "@Shoulder",
        "upper_arm": "@Arm",
        "forearm": "@ForeArm",
        "hand": "@Hand",
        "thigh": "@UpLeg",
        "shin": "@Leg",
        "foot": "@Foot",
        "toe": "@ToeBase",
    },
)
