# SPDX-License-Identifier: GPL-3.0-or-later
"""Unreal Engine's mannequins (UE4, UE5) and the rigs made to fit them, such as MPFB's "game engine" rig."""

from .family import Family

FAMILY = Family(
    key="unreal",
    title="Unreal Engine",
    sides=("l", "r"),
    names={
        "hips": "pelvis",
        "spine": "spine_01 spine_02 spine_03 spine_04 spine_05",
        "neck": "neck_01 neck_02",
        "head": "head",
        "collar": "clavicle_@",
        "upper_arm": "upperarm_@",
        "forearm": "lowerarm_@",
        "hand": "hand_@",
        "thigh": "thigh_@",
        "shin": "calf_@",
        "foot": "foot_@",
        "toe": "ball_@",
    },
)
