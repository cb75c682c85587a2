# SPDX-License-Identifier: GPL-3.0-or-later
"""MakeHuman's and MPFB's default rig, whose limbs have two bones each that share the twist."""

from .family import Family

FAMILY = Family(
    key="makehuman",
    title="MakeHuman",
    sides=("L", "R"),
    names={
        "hips": "root",
        "spine": "spine05 spine04 spine03 spine02 spine01",
        "neck": "neck01 neck02 neck03",
        "head": "head",
        "collar": "clavicle.@ shoulder01.@",
        "upper_arm": "upperarm01.@ upperarm02.@",
        "forearm": "lowerarm01.@ lowerarm02.@",
        "hand": "wrist.@",
        "thigh": "upperleg01.@ upperleg02.@",
        "shin": "lowerleg01.@ lowerleg02.@",
        "foot": "foot.@",
        "toe": "toe1-1.@",
    },
)
