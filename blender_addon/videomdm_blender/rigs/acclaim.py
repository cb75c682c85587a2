# SPDX-License-Identifier: GPL-3.0-or-later
"""The CMU motion capture database with its own names (Acclaim ASF), which name each bone by its anatomy.

Its hierarchy section is the same for all subjects: lhipjoint and rhipjoint lie between the root and the thighs.
"""

from .family import Family

FAMILY = Family(
    key="acclaim",
    title="CMU (Acclaim)",
    sides=("l", "r"),
    names={
        "hips": "root",
        "spine": "lowerback upperback thorax",
        "neck": "lowerneck upperneck",
        "head": "head",
        "collar": "@clavicle",
        "upper_arm": "@humerus",
        "forearm": "@radius",
        "hand": "@wrist",
        "thigh": "@femur",
        "shin": "@tibia",
        "foot": "@foot",
        "toe": "@toes",
    },
)
