# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns controls that do not end up as they were meant to, because the rig holds them in a way of its own.

What carries the controls of a rig is read from parents and constraints, and that cannot be complete.  So the take
is played, and where controls are turned otherwise than wanted, they are turned back; from the hips outwards, since
what one does the next is carried along by.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix

from videomdm.motion import rotations

from ..edit.posed import Posed
from ..retarget.frames import compose, inverse
from ..retarget.rig import IDENTITY, Array
from .curves import Curves
from .placing import Hold, at_rest
from .stage import Played, Stage

PASSES = 12  # as many as there are controls from the hips to the toes, and some
LOOKS = 5  # frames that are looked at to see whether there is anything to do
OFF = np.radians(0.5)
ASTRAY = np.radians(2.0)


def wanted_turns(posed: Posed, shown: AnyMapping[str, str] | None = None) -> dict[str, Array]:
    """Control, or the bone that shows what it does -> (T, 4) how it shall be turned in armature space."""
    stance = posed.stance
    bones = {bone: bone for bone in posed.take.bones} if shown is None else shown
    return {
        seen: compose(
            inverse(stance.axes),
            posed.turn(bone),
            stance.axes,
            stance.rest.rotations[stance.rest.index(seen)],
        )
        for bone, seen in bones.items()
    }


def off_by(matrices: Array, turns: Array) -> Array:
    """(T,) radians between how bones with ``matrices`` (T, 4, 4) are turned and ``turns`` (T, 4)."""
    seen = np.array([Matrix(matrix).to_quaternion() for matrix in matrices], float)
    result: Array = 2.0 * np.arccos(np.clip(np.abs(np.sum(seen * turns, axis=-1)), 0.0, 1.0))
    return result


def settle(
    stage: Stage, action: bpy.types.Action, posed: Posed, frames: Sequence[int], shown: AnyMapping[str, str]
) -> list[str]:
    """Correct the rotation keys of ``action``; returns the bones that do not follow their controls even then.

    shown: control -> the bone that shows what it does.
    """
    few = sorted({round(i) for i in np.linspace(0, len(frames) - 1, LOOKS)})
    look = [frames[i] for i in few]
    carrier = _carrier(stage.double, posed.stance.mapping.first("hips"))

    def astray(goals: AnyMapping[str, Array]) -> dict[str, Array]:
        """Bone -> (LOOKS,) how far it is turned otherwise than wanted."""
        played = stage.play(action, look, [*goals, *carrier])
        turn = _carried(stage.double, carrier, played)
        return {b: off_by(played.matrices[b], compose(turn, turns[few])) for b, turns in goals.items()}

    wanted = wanted_turns(posed)
    if any(np.max(off) > OFF for off in astray(wanted).values()):
        _turn_back(stage, action, wanted, frames, carrier)
    return [b for b, off in astray(wanted_turns(posed, shown)).items() if np.median(off) > ASTRAY]


def _carrier(armature: bpy.types.Object, hips: str) -> list[str]:
    """The bone, if any, with which the whole body is placed or travels."""
    assert isinstance(armature.data, bpy.types.Armature)
    parent = armature.data.bones[hips].parent
    return [parent.name] if parent is not None else []


def _carried(armature: bpy.types.Object, carrier: Sequence[str], played: Played) -> Array:
    """(T, 4) how that bone is turned in armature space, or (4,) not at all."""
    if not carrier:
        return np.array(IDENTITY)
    seen = played.matrices[carrier[0]] @ np.linalg.inv(at_rest(armature, carrier[0]))
    return np.array([Matrix(matrix).to_quaternion() for matrix in seen], float)


def _turn_back(
    stage: Stage,
    action: bpy.types.Action,
    wanted: AnyMapping[str, Array],
    frames: Sequence[int],
    carrier: Sequence[str],
) -> None:
    armature, curves = stage.double, Curves.of(action, frames[0])
    assert isinstance(armature.data, bpy.types.Armature) and armature.pose is not None
    parents = [p.name for b in wanted if (p := armature.data.bones[b].parent) is not None]
    for _ in range(PASSES):
        played = stage.play(action, frames, list(dict.fromkeys([*wanted, *parents])))
        turn = _carried(armature, carrier, played)
        goals = {b: compose(turn, turns) for b, turns in wanted.items()}
        off = [b for b, turns in goals.items() if np.max(off_by(played.matrices[b], turns)) > OFF / 2]
        if not off:
            break
        for bone in off:
            goal = played.matrices[bone].copy()
            goal[:, :3, :3] = rotations.to_matrix(goals[bone])
            _, turns = Hold.of(armature, bone, played).keys(goal)
            curves.put_rotation(armature.pose.bones[bone], turns)
