# SPDX-License-Identifier: GPL-3.0-or-later
"""From a motion to the pose rotations of a rig's mapped bones."""

from __future__ import annotations

from dataclasses import dataclass

from videomdm.motion import Motion

from . import feet, root
from .carried import local_rotations
from .frames import inverse, rotate
from .ground import grounded
from .rig import Array, Mapping, RigRest
from .stance import Stance
from .turns import body_turns


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
    turns = body_turns(positions, motion.fps, stance, flat)
    path = root.middle_path(positions, motion.fps, stance, turns, flat, options.in_place)
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
        scale=stance.leg_length / root.leg_length(positions),
    )


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
