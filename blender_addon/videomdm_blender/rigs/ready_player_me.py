# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready Player Me: Mixamo's names without a prefix, with eyes and ends that Mixamo's own characters lack.

The platform's avatar standard names the whole hierarchy.
"""

from .family import Family

FAMILY = Family(
    key="ready-player-me",
    title="Ready Player Me",
    names={
        "hips": "Hips",
        "spine": "Spine Spine1 Spine2",
        "neck": "Neck",
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
    marks=("Hips", "LeftEye", "RightEye", "HeadTop_End"),
)
