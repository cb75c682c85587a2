# SPDX-License-Identifier: GPL-3.0-or-later
"""From a motion to the pose rotations of a rig's mapped bones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from videomdm.motion import Motion

from . import feet, root
from .carried import local_rotations
from .cleanup import ContactReport, clean_up
from .contacts import find_contacts
from .frames import by_component, inverse, rotate
from .ground import grounded
from .hands import HandTarget, hold_hands
from .pose import Ground, Pose
from .rig import Array, Mapping, RigRest
from .stance import Stance
from .turns import body_turns


@dataclass(frozen=True)
class Options:
    """How to retarget.

    contact: whether standing feet are kept in place and out of the floor: always, never, or ("auto") where
             the take becomes better by every measure; see ``Take.contact`` for what was decided.
    hands:   where hands should be for a while.
    """

    contact: bool | Literal["auto"] = False
    hands: tuple[HandTarget, ...] = ()


@dataclass(frozen=True)
class Take:
    """Keys for a rig.

    bones:     B names of the mapped bones.
    rotations: (T, B, 4) their pose rotations in their own axes, continuous over time.
    root:      the bone that carries the body.
    location:  (T, 3) its pose location, as Blender counts it for that bone, in armature units.
    fps:       frames per second.
    scale:     armature units per metre of the motion.
    contact:   what became of the clean-up of contacts, None where it was not asked for.
    """

    bones: tuple[str, ...]
    rotations: Array
    root: str
    location: Array
    fps: float
    scale: float
    contact: ContactReport | None = None


def retarget(motion: Motion, rest: RigRest, mapping: Mapping, options: Options | None = None) -> Take:
    """Put ``motion`` onto a rig, frame by frame at the motion's own rate.

    Limbs take the directions of the motion's limbs; torso, neck, head and collars turn as far from the rig's
    rest pose as the motion's body turns from standing upright; hands stay in line with the forearms as they
    are at rest.  The hips travel in proportion to the length of the legs.
    """
    options = options or Options()
    stance = Stance(rest, mapping)
    flat = feet.standing(motion)
    positions = grounded(by_component(motion.positions), flat, motion.fps)
    turns = body_turns(positions, motion.fps, stance, flat)
    path = root.middle_path(positions, motion.fps, stance, turns, flat)
    scale = stance.leg_length / root.leg_length(positions)
    pose, report = _cleaned(Pose(turns, path), positions, motion, stance, flat, scale, options)
    if options.hands:
        pose = hold_hands(pose, stance, options.hands, motion.fps)
    turns, path = pose.turns, pose.path
    hips = mapping.first("hips")
    head = path - rotate(turns[hips], stance.middle - stance.place("hips"))
    travel = rotate(inverse(stance.axes), head - stance.place("hips"))
    moved = _moved(rest, hips)
    return Take(
        bones=tuple(turns),
        rotations=local_rotations(stance, turns),
        root=moved,
        location=_location(rest, moved, travel),
        fps=motion.fps,
        scale=scale,
        contact=report,
    )


def _cleaned(
    pose: Pose,
    positions: Array,
    motion: Motion,
    stance: Stance,
    flat: feet.Standing,
    scale: float,
    options: Options,
) -> tuple[Pose, ContactReport | None]:
    """The pose with its contacts cleaned up as the options want it."""
    if not options.contact:
        return pose, None
    shift, sole = root.floor_shift(stance, flat, scale), root.sole_height(stance, flat, scale)
    ground = Ground.under(stance, shift, sole, scale)
    contacts = find_contacts(positions, np.asarray(motion.contacts, bool), flat, motion.fps)
    return clean_up(pose, contacts, stance, ground, motion.fps, always=options.contact is True)


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
