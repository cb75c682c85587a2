# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto-Rig Pro: the deforming bones, as its exporter leaves them."""

from .family import Family

FAMILY = Family(
    key="auto-rig-pro",
    title="Auto-Rig Pro",
    sides=("l", "r"),
    names={
        "hips": "root.x",
        "spine": "spine_01.x spine_02.x spine_03.x spine_04.x spine_05.x",
        "neck": "neck.x",
        "head": "head.x",
        "collar": "shoulder.@",
        "upper_arm": "arm_stretch.@",
        "forearm": "forearm_stretch.@",
        "hand": "hand.@",
        "thigh": "thigh_stretch.@",
        "shin": "leg_stretch.@",
        "foot": "foot.@",
        "toe": "toes_01.@",
    },
)
