# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto-Rig Pro: the animator's controls ("c_"), or the deforming bones as its exporter leaves them.

Names and the meaning of ``ik_fk_switch`` (0 is IK, 1 is FK) are those that the add-on's public users agree on.
Of exported skeletons there are two: in the humanoid ones a limb's halves are "stretch" bones beside which the
"twist" bones hang, in the others the twist bones are the half of the limb that lies in the chain.
"""

from __future__ import annotations

from ..controls.limb import IkLimb, Setting
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
        "upper_arm": "c_arm_twist_offset.@|arm_twist.@ arm_stretch.@",
        "forearm": "forearm_stretch.@ forearm_twist.@",
        "hand": "hand.@",
        "thigh": "thigh_twist.@ thigh_stretch.@",
        "shin": "leg_stretch.@ leg_twist.@",
        "foot": "foot.@",
        "toe": "toes_01.@",
    },
)

CONTROLS = Family(
    key="auto-rig-pro-controls",
    title="Auto-Rig Pro controls",
    sides=FAMILY.sides,
    controls=True,
    names={
        "hips": "c_root_master.x",
        "spine": "c_spine_01.x c_spine_02.x c_spine_03.x c_spine_04.x c_spine_05.x",
        "neck": "c_neck.x",
        "head": "c_head.x",
        "collar": "c_shoulder.@",
        "upper_arm": "c_arm_fk.@",
        "forearm": "c_forearm_fk.@",
        "hand": "c_hand_fk.@",
        "thigh": "c_thigh_fk.@",
        "shin": "c_leg_fk.@",
        "foot": "c_foot_fk.@",
        "toe": "c_toes_fk.@",
    },
    switches={("c_hand_ik.@", "ik_fk_switch"): 1.0, ("c_foot_ik.@", "ik_fk_switch"): 1.0},
)

KEPT: tuple[Setting, ...] = (("c_head.x", "head_free"),)

IK_LIMBS = (
    IkLimb(
        upper="upper_arm",
        lower="forearm",
        end="hand",
        target="c_hand_ik.@",
        pole="c_arms_pole.@",
        shown=("arm.@", "forearm.@", "hand.@"),
        switch=("c_hand_ik.@", "ik_fk_switch"),
        fk=1.0,
        ik=0.0,
        kept=(("c_arms_pole.@", "pole_parent"), ("c_hand_ik.@", "auto_stretch")),
    ),
    IkLimb(
        upper="thigh",
        lower="shin",
        end="foot",
        target="c_foot_ik.@",
        pole="c_leg_pole.@",
        shown=("thigh.@", "leg.@", "foot.@"),
        switch=("c_foot_ik.@", "ik_fk_switch"),
        fk=1.0,
        ik=0.0,
        kept=(("c_leg_pole.@", "pole_parent"), ("c_foot_ik.@", "auto_stretch")),
        toe="c_toes_ik.@",
        at_rest=("c_foot_01.@", "c_foot_roll_cursor.@"),
    ),
)
