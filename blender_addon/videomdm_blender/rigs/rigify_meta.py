# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigify's meta-rigs, and the deforming bones ("DEF-") of its generated rigs in game exports."""

from .family import Family

FAMILY = Family(
    key="rigify-meta",
    title="Rigify meta-rig",
    sides=("L", "R"),
    numbered=True,
    names={
        "hips": "spine",
        "spine": "spine.001 spine.002 spine.003",
        "neck": "spine.004 spine.005",
        "head": "spine.006",
        "collar": "shoulder.@",
        "upper_arm": "upper_arm.@ upper_arm.@.001",
        "forearm": "forearm.@ forearm.@.001",
        "hand": "hand.@",
        "thigh": "thigh.@ thigh.@.001",
        "shin": "shin.@ shin.@.001",
        "foot": "foot.@",
        "toe": "toe.@",
    },
)
