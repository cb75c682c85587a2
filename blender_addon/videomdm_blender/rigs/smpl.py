# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL and its relatives: each bone has the name of the joint at which it begins, so the thigh is "L_Hip".

The joint names are those of the models' papers and code; the FBX characters have "m_avg_" or "f_avg_" before them.
"""

from .family import Family, Names

_NAMES: Names = {
    "hips": "Pelvis",
    "spine": "Spine1 Spine2 Spine3",
    "neck": "Neck",
    "head": "Head",
    "collar": "@_Collar",
    "upper_arm": "@_Shoulder",
    "forearm": "@_Elbow",
    "hand": "@_Wrist",
    "thigh": "@_Hip",
    "shin": "@_Knee",
    "foot": "@_Ankle",
    "toe": "@_Foot",
}

FAMILY = Family(key="smpl", title="SMPL", sides=("L", "R"), names=_NAMES)

# SMPL-X writes the sides out; so do this project's own BVH files.
LONG_NAMES = Family(
    key="smplx", title="SMPL-X", sides=("left", "right"), names=_NAMES, marks=("left_hip", "right_hip")
)
