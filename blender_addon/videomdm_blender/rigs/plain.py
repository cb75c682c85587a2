# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs made by hand in Blender, with the usual words and ".L" / ".R"."""

from .family import Family

FAMILY = Family(
    key="plain",
    title="Plain names",
    sides=("L", "R"),
    names={
        "hips": "hips|hip|pelvis",
        "spine": "spine|spine1|torso|abdomen spine2|spine.001 chest|spine3|spine.002 upper_chest|spine4",
        "neck": "neck neck2|neck.001",
        "head": "head",
        "collar": "shoulder.@|clavicle.@|collar.@",
        "upper_arm": "upper_arm.@|upperarm.@|arm.@",
        "forearm": "forearm.@|lower_arm.@|lowerarm.@",
        "hand": "hand.@|wrist.@",
        "thigh": "thigh.@|upper_leg.@|upperleg.@|upleg.@",
        "shin": "shin.@|lower_leg.@|lowerleg.@|calf.@|leg.@",
        "foot": "foot.@|ankle.@",
        "toe": "toe.@|toes.@|ball.@",
    },
)
