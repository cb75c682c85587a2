# SPDX-License-Identifier: GPL-3.0-or-later
"""How every mapped bone of a rig turns, read from the joints of a motion: all limbs of a clip in one batch."""

from __future__ import annotations

import numpy as np

from videomdm.motion.inverse import trunk_rotations

from . import feet
from .collars import collar_turns
from .frames import mixed
from .limbs import Limb, lower_turn, read_limb, upper_turn
from .reference import joint
from .rig import Array
from .slots import SIDES
from .stance import LIMBS, TWO_BONES, Stance, limb_kinds

LIMB_JOINTS = {"arm": ("shoulder", "elbow", "wrist"), "leg": ("hip", "knee", "ankle")}


def body_turns(positions: Array, fps: float, stance: Stance, flat: feet.Standing) -> dict[str, Array]:
    """(T, 4) turns of all mapped bones, for joint positions (T, 22, 3).

    Limbs take the directions of the motion's limbs; torso, neck, head and collars turn as far from the rig's
    rest pose as the motion's body turns from standing upright; hands stay in line with the forearms.
    """
    # The motion does not say how the head turns about the neck: it looks where the chest faces.
    pelvis, chest, head = np.moveaxis(trunk_rotations(positions), 1, 0)
    chain = stance.mapping.chain
    limbs = _read_limbs(positions, fps, pelvis, chest)
    upper, lower = _upper_turns(limbs, stance), lower_turn(limbs, stance.limbs)
    ankles, toes = (_places(positions, name) for name in ("ankle", "foot"))
    foot = feet.read_foot(ankles, toes, limbs[2:].lower_hinge(), flat)
    foot_turns = feet.foot_turn(foot, stance.feet_forward[:, None])
    toe_turns = feet.toe_turn(foot, foot_turns)
    collars = collar_turns(positions, chest, (stance.hanging("left"), stance.hanging("right")))
    slots: dict[str, list[Array]] = {
        "hips": [pelvis] * len(chain("hips")),
        "spine": _shared(stance, "spine", "thigh", pelvis, chest),
        "neck": _shared(stance, "neck", "upper_arm", chest, head),
        "head": [head] * len(chain("head")),
    }
    for number, side in enumerate(SIDES):
        slots |= {
            f"{side}_collar": [collars[number]] * len(chain(f"{side}_collar")),
            f"{side}_upper_arm": upper[number],
            f"{side}_forearm": [lower[number]] * len(chain(f"{side}_forearm")),
            f"{side}_hand": [lower[number]] * len(chain(f"{side}_hand")),
            f"{side}_thigh": upper[number + 2],
            f"{side}_shin": [lower[number + 2]] * len(chain(f"{side}_shin")),
            f"{side}_foot": [foot_turns[number]] * len(chain(f"{side}_foot")),
            f"{side}_toe": [toe_turns[number]] * len(chain(f"{side}_toe")),
        }
    return {b: turn for slot, turns in slots.items() for b, turn in zip(chain(slot), turns, strict=True)}


def _places(positions: Array, name: str) -> Array:
    """(2, T, 3) a joint of the left and of the right side."""
    return np.stack([positions[:, joint(f"{side}_{name}")] for side in SIDES])


def _read_limbs(positions: Array, fps: float, pelvis: Array, chest: Array) -> Limb:
    """The four limbs in the order of ``LIMBS``."""
    places = [
        np.concatenate([_places(positions, LIMB_JOINTS[limb][number]) for limb in LIMB_JOINTS])
        for number in range(3)
    ]
    start, middle, end = places
    toes = np.zeros_like(start)
    toes[2:] = _places(positions, "foot") - end[2:]
    trunk = np.stack([chest, chest, pelvis, pelvis])
    return read_limb(limb_kinds(), middle - start, end - middle, trunk, fps, toes=toes)


def _upper_turns(limbs: Limb, stance: Stance) -> list[list[Array]]:
    """For each limb the turns of its upper bones, which share its twist; the last has all of it."""
    counts = [len(stance.mapping.chain(f"{side}_{TWO_BONES[limb][0]}")) for limb, side in LIMBS]
    which = np.repeat(np.arange(len(LIMBS)), counts)
    shares = np.concatenate([np.arange(1, count + 1) / count for count in counts])
    turns = upper_turn(limbs[which], stance.limbs[which], shares[:, None])
    ends = np.cumsum(counts)
    return [list(turns[end - count : end]) for count, end in zip(counts, ends, strict=True)]


def _shared(stance: Stance, slot: str, carried: str, start: Array, end: Array) -> list[Array]:
    """The bend from ``start`` to ``end`` spread evenly over the bones of spine or neck.

    A bone that carries the legs (arms) belongs to the pelvis (chest) all the same.
    """
    chain = stance.mapping.chain(slot)
    above = {b for side in SIDES for b in stance.rest.ancestors(stance.mapping.first(f"{side}_{carried}"))}
    low = sum(bone in above for bone in chain)
    shares = np.array([max(i - low + 1, 0) / max(len(chain) - low, 1) for i in range(len(chain))])
    return list(mixed(start, end, shares[:, None])) if chain else []
