# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone is which in the rigs of the shared data and in Rigify's, written by hand from their bone lists."""

from __future__ import annotations

from videomdm_blender.retarget.slots import SIDES

Table = dict[str, tuple[str, ...]]


def table(
    spine: str, neck: str, sides: tuple[str, str], limbs: str, hips: str = "Hips", head: str = "Head"
) -> Table:
    """A mapping from words: ``limbs`` from the collar to the hand and from the thigh to the toe; @ is the side."""
    parts = ("collar", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")
    slots: Table = {"hips": (hips,), "spine": tuple(spine.split("|")), "head": (head,)}
    if neck:
        slots["neck"] = tuple(neck.split("|"))
    for side, letters in zip(SIDES, sides, strict=True):
        for part, bone in zip(parts, limbs.split("|"), strict=True):
            if bone:
                slots[f"{side}_{part}"] = (bone.replace("@", letters),)
    return slots


MIXAMO = "@Shoulder|@Arm|@ForeArm|@Hand|@UpLeg|@Leg|@Foot|@ToeBase"
LONG_SIDES = ("Left", "Right")
SHARED: dict[str, Table] = {
    "CesiumMan.glb": {
        "hips": ("Skeleton_torso_joint_1",),
        "spine": ("Skeleton_torso_joint_2", "torso_joint_3"),
        "neck": ("Skeleton_neck_joint_1",),
        "head": ("Skeleton_neck_joint_2",),
        "left_upper_arm": ("Skeleton_arm_joint_L__4_",),
        "left_forearm": ("Skeleton_arm_joint_L__3_",),
        "left_hand": ("Skeleton_arm_joint_L__2_",),
        "right_upper_arm": ("Skeleton_arm_joint_R",),
        "right_forearm": ("Skeleton_arm_joint_R__2_",),
        "right_hand": ("Skeleton_arm_joint_R__3_",),
        **{
            f"{side}_{part}": (f"leg_joint_{side[0].upper()}_{number}",)
            for side in SIDES
            for part, number in (("thigh", 1), ("shin", 2), ("foot", 3), ("toe", 5))
        },
    },
    "Example.vrm": table(
        "spine|chest",
        "neck",
        ("L", "R"),
        "shoulder.@|upper_arm.@|lower_arm.@|hand.@|upper_leg.@|lower_leg.@|foot.@|toes.@",
        hips="hips",
        head="head",
    ),
    "Female_Adult_01.fbx": table(
        "Bip01 Spine|Bip01 Spine1|Bip01 Spine2",
        "Bip01 Neck",
        ("Bip01 L", "Bip01 R"),
        "@ Clavicle|@ UpperArm|@ Forearm|@ Hand|@ Thigh|@ Calf|@ Foot|@ Toe0",
        hips="Bip01 Pelvis",
        head="Bip01 Head",
    ),
    "Geno.fbx": table("Spine|Spine1|Spine2|Spine3", "Neck|Neck1", LONG_SIDES, MIXAMO),
    "Neo.fbx": table(
        "Neo_Spine|Neo_Spine1|Neo_Spine2",
        "Neo_Neck",
        ("Neo_Left", "Neo_Right"),
        MIXAMO,
        "Neo_Hips",
        "Neo_Head",
    ),
    "human-kenney.glb": table(
        "Spine|Chest|UpperChest", "Neck", LONG_SIDES, MIXAMO.replace("ToeBase", "Toes")
    ),
    "human-male.glb": table(
        "spine_01|spine_02|spine_03",
        "neck_01",
        ("l", "r"),
        "clavicle_@|upperarm_@|lowerarm_@|hand_@|thigh_@|calf_@|foot_@|ball_@",
        hips="pelvis",
        head="head",
    ),
}
RIGIFY_META = table(
    "spine.001|spine.002|spine.003",
    "spine.004|spine.005",
    ("L", "R"),
    "shoulder.@|upper_arm.@|forearm.@|hand.@|thigh.@|shin.@|foot.@|toe.@",
    hips="spine",
    head="spine.006",
)
RIGIFY = table(
    "chest",
    "neck",
    ("L", "R"),
    "shoulder.@|upper_arm_fk.@|forearm_fk.@|hand_fk.@|thigh_fk.@|shin_fk.@|foot_fk.@|toe_fk.@",
    hips="torso",
    head="head",
)
