# SPDX-License-Identifier: GPL-3.0-or-later
"""From a motion to the pose rotations of a rig's mapped bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from videomdm.motion import Motion, rotations
from videomdm.motion.inverse import joint_rotations

from . import feet, root
from .collars import collar_turn
from .frames import compose, inverse, mixed, rotate
from .ground import grounded
from .limbs import lower_turn, read_limb, upper_turns
from .reference import joint
from .rig import IDENTITY, Array, Mapping, RigRest
from .slots import SIDES
from .stance import Stance, limb_kind

TRUNK = [joint(name) for name in ("pelvis", "spine3", "neck")]
LIMB_JOINTS = {"arm": ("shoulder", "elbow", "wrist"), "leg": ("hip", "knee", "ankle")}


@dataclass(frozen=True)
class Options:
    """How to retarget.

    in_place: the body stays where it stands and only its height changes.
    """

    in_place: bool = False


@dataclass(frozen=True)
class Take:
    """Keys for a rig.

    bones:     B names of the mapped bones.
    rotations: (T, B, 4) their pose rotations in their own axes, continuous over time.
    root:      the bone that carries the body.
    location:  (T, 3) its pose location, as Blender counts it for that bone, in armature units.
    fps:       frames per second.
    scale:     armature units per metre of the motion.
    """

    bones: tuple[str, ...]
    rotations: Array
    root: str
    location: Array
    fps: float
    scale: float


def retarget(motion: Motion, rest: RigRest, mapping: Mapping, options: Options | None = None) -> Take:
    """Put ``motion`` onto a rig, frame by frame at the motion's own rate.

    Limbs take the directions of the motion's limbs; torso, neck, head and collars turn as far from the rig's
    rest pose as the motion's body turns from standing upright; hands stay in line with the forearms as they
    are at rest.  The hips travel in proportion to the length of the legs.
    """
    options = options or Options()
    stance = Stance(rest, mapping)
    flat = feet.standing(motion)
    positions = grounded(motion.positions.astype(float), flat, motion.fps)
    slot_turns, bone_turns = _turns(positions, motion.fps, stance, flat)
    path = root.middle_path(positions, motion.fps, stance, slot_turns, flat, options.in_place)
    bones = tuple(bone_turns)
    carried = _Carried(stance, bone_turns, len(positions))
    local = np.stack(
        [rotations.continuous(stance.local(b, bone_turns[b], carried.carrier(b))) for b in bones], axis=1
    )
    hips = mapping.first("hips")
    head = path - rotate(bone_turns[hips], stance.middle - stance.place("hips"))
    travel = rotate(inverse(stance.axes), head - stance.place("hips"))
    moved = _moved(rest, hips)
    return Take(
        bones=bones,
        rotations=_start_upright(local),
        root=moved,
        location=_location(rest, moved, travel),
        fps=motion.fps,
        scale=stance.leg_length / root.leg_length(positions),
    )


def _turns(
    positions: Array, fps: float, stance: Stance, flat: feet.Standing
) -> tuple[dict[str, Array], dict[str, Array]]:
    """(T, 4) turns of each mapped slot (of its last bone) and of each mapped bone."""
    # The motion does not say how the head turns about the neck: it looks where the chest faces.
    pelvis, chest, head = np.moveaxis(joint_rotations(positions).world[:, TRUNK], 1, 0)
    chains: dict[str, list[Array]] = {
        "hips": [pelvis] * len(stance.mapping.chain("hips")),
        "spine": _spine(stance, pelvis, chest),
        "neck": _neck(stance, chest, head),
        "head": [head] * len(stance.mapping.chain("head")),
    }
    for side in SIDES:
        chains |= _arm(positions, fps, stance, side, chest)
        chains |= _leg(positions, fps, stance, side, pelvis, flat)
    mapped = {slot: turns for slot, turns in chains.items() if stance.mapping.chain(slot)}
    return (
        {slot: turns[-1] for slot, turns in mapped.items()},
        {
            b: turn
            for slot, turns in mapped.items()
            for b, turn in zip(stance.mapping.chain(slot), turns, strict=True)
        },
    )


def _spine(stance: Stance, pelvis: Array, chest: Array) -> list[Array]:
    """The bend from pelvis to chest spread evenly; a spine bone that carries the legs belongs to the pelvis."""
    chain = stance.mapping.chain("spine")
    above = {bone for side in SIDES for bone in stance.rest.ancestors(stance.mapping.first(f"{side}_thigh"))}
    low = sum(bone in above for bone in chain)
    free = max(len(chain) - low, 1)
    return [pelvis if i < low else mixed(pelvis, chest, (i - low + 1) / free) for i in range(len(chain))]


def _neck(stance: Stance, chest: Array, head: Array) -> list[Array]:
    """The same from chest to head; a neck bone that carries the arms belongs to the chest."""
    chain = stance.mapping.chain("neck")
    above = {b for side in SIDES for b in stance.rest.ancestors(stance.mapping.first(f"{side}_upper_arm"))}
    low = sum(bone in above for bone in chain)
    free = max(len(chain) - low, 1)
    return [chest if i < low else mixed(chest, head, (i - low + 1) / free) for i in range(len(chain))]


def _arm(positions: Array, fps: float, stance: Stance, side: str, chest: Array) -> dict[str, list[Array]]:
    chain = stance.mapping.chain
    shoulder, elbow, wrist = (positions[:, joint(f"{side}_{name}")] for name in LIMB_JOINTS["arm"])
    limb = read_limb(limb_kind("arm", side), elbow - shoulder, wrist - elbow, chest, fps)
    rest = stance.limb("arm", side)
    forearm = lower_turn(limb, rest)
    collar = collar_turn(positions, chest, side, stance.hanging(side))
    return {
        f"{side}_collar": [collar] * len(chain(f"{side}_collar")),
        f"{side}_upper_arm": upper_turns(limb, rest, len(chain(f"{side}_upper_arm"))),
        f"{side}_forearm": [forearm] * len(chain(f"{side}_forearm")),
        f"{side}_hand": [forearm] * len(chain(f"{side}_hand")),
    }


def _leg(
    positions: Array, fps: float, stance: Stance, side: str, pelvis: Array, flat: feet.Standing
) -> dict[str, list[Array]]:
    chain = stance.mapping.chain
    hip, knee, ankle = (positions[:, joint(f"{side}_{name}")] for name in LIMB_JOINTS["leg"])
    toe = positions[:, joint(f"{side}_foot")]
    limb = read_limb(limb_kind("leg", side), knee - hip, ankle - knee, pelvis, fps, toes=toe - ankle)
    rest = stance.limb("leg", side)
    shin = lower_turn(limb, rest)
    foot = feet.read_foot(ankle, toe, limb.lower_hinge(), flat)
    foot_turn = feet.foot_turn(foot, stance.foot_forward(side))
    return {
        f"{side}_thigh": upper_turns(limb, rest, len(chain(f"{side}_thigh"))),
        f"{side}_shin": [shin] * len(chain(f"{side}_shin")),
        f"{side}_foot": [foot_turn] * len(chain(f"{side}_foot")),
        f"{side}_toe": [feet.toe_turn(foot, foot_turn)] * len(chain(f"{side}_toe")),
    }


class _Carried:
    """Turns (T, 4) of what carries each bone: of its nearest mapped ancestor, and of unmapped bones between."""

    def __init__(self, stance: Stance, turns: dict[str, Array], frames: int) -> None:
        self.stance = stance
        self.turns = turns
        self.still = np.broadcast_to(np.array(IDENTITY), (frames, 4))

    def turn(self, name: str) -> Array:
        """Of any bone; what lies above the mapped bones is where the user has put the character."""
        if not name:
            return self.still
        if name in self.turns:
            return self.turns[name]
        rest = self.stance.rest
        if not any(ancestor in self.turns for ancestor in rest.ancestors(name)):
            return self.still
        index = rest.index(name)
        at_rest = self.stance.rotations[index]
        return compose(self.carrier(name), at_rest, rest.pose[index], inverse(at_rest))

    def carrier(self, name: str) -> Array:
        """Of what carries the bone along."""
        carrier = self.stance.mapping.carriers.get(name)
        if carrier is not None:
            first = self.turn(carrier.first)
            return mixed(first, self.turn(carrier.second), carrier.share) if carrier.share else first
        rest = self.stance.rest
        index = rest.index(name)
        if rest.parents[index] < 0 or not rest.inherits[index]:
            return self.still
        return self.turn(rest.names[rest.parents[index]])


def _moved(rest: RigRest, hips: str) -> str:
    """The bone that carries the body: the hips, or above them the first whose location has an effect."""
    candidates = [name for name in (hips, *rest.ancestors(hips)) if not rest.connected[rest.index(name)]]
    return candidates[0]


def _location(rest: RigRest, bone: str, travel: Array) -> Array:
    """(T, 3) pose location that moves ``bone`` by ``travel`` (T, 3, armature space), its parents at rest."""
    index = rest.index(bone)
    if rest.local_location[index]:
        return rotate(inverse(rest.rotations[index]), travel)
    parent = rest.parents[index]
    return rotate(inverse(rest.rotations[parent]), travel) if parent >= 0 else travel


def _start_upright(local: Array) -> Array:
    """Signs of (T, B, 4) such that each bone starts on the half of the sphere of "not turned"."""
    turned: Array = np.where(local[:1, :, :1] < 0, -local, local)
    return turned
