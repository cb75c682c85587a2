# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a body that bones are mapped to.

A slot holds a chain of one or more bones, from parent to child: most rigs have one thigh bone, some have a
second one that carries half of the twist; a spine has one to many.
"""

from __future__ import annotations

SIDES = ("left", "right")

CENTRE_SLOTS = ("hips", "spine", "neck", "head")
SIDE_SLOTS = ("collar", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")

SLOTS = CENTRE_SLOTS + tuple(f"{side}_{part}" for side in SIDES for part in SIDE_SLOTS)

# A rig without one of these is no humanoid that a motion could be put on.
REQUIRED = (
    "hips",
    "spine",
    *(f"{side}_{part}" for side in SIDES for part in ("upper_arm", "forearm", "thigh", "shin", "foot")),
)

# From the middle of the body outwards; missing slots are skipped.
CHAINS = (
    ("hips", "spine", "neck", "head"),
    *(
        ("hips", "spine", *(f"{side}_{p}" for p in ("collar", "upper_arm", "forearm", "hand")))
        for side in SIDES
    ),
    *(("hips", *(f"{side}_{p}" for p in ("thigh", "shin", "foot", "toe"))) for side in SIDES),
)


def mirrored(slot: str) -> str:
    """The slot on the other side of the body; slots in the middle stay."""
    for side, other in zip(SIDES, reversed(SIDES), strict=True):
        if slot.startswith(f"{side}_"):
            return f"{other}_{slot.removeprefix(f'{side}_')}"
    return slot


def words(slot: str) -> str:
    """The slot as a person says it."""
    return slot.replace("_", " ")
