# SPDX-License-Identifier: GPL-3.0-or-later
"""Daz: Genesis 3 and 8 (bones in halves that share the twist), Genesis 1 and 2, and Poser-like BVH names.

The names are those of the figures themselves; the twist half lies in the chain ("lShldrBend", "lShldrTwist",
"lForearmBend").
"""

from .family import Family

FAMILY = Family(
    key="daz",
    title="Daz",
    sides=("l", "r"),
    names={
        "hips": "hip",
        "spine": "abdomenLower|abdomen abdomenUpper|abdomen2 chestLower|chest chestUpper",
        "neck": "neckLower|neck neckUpper",
        "head": "head",
        "collar": "@Collar",
        "upper_arm": "@ShldrBend|@Shldr @ShldrTwist",
        "forearm": "@ForearmBend|@ForeArm @ForearmTwist",
        "hand": "@Hand",
        "thigh": "@ThighBend|@Thigh @ThighTwist",
        "shin": "@Shin",
        "foot": "@Foot",
        "toe": "@Toe",
    },
)
