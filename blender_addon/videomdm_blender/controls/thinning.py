# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves out keys of IK controls that nobody would miss.

Targets and poles keep to millimetres, rotations to degrees, as the take's other keys do; turning points and the
frames on which feet touch down and leave stay.  What a limb makes of that is seen only when Blender's IK has bent
it: a target that is a little too near pushes a straight knee far out.  So the result is played, and where a limb is
off it gets more keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from videomdm.motion import rotations

from ..edit.curves import as_quaternions
from ..edit.reduce import (
    MARGIN,
    Tolerance,
    changes,
    location_keys,
    location_turns,
    rotation_keys,
    turning_points,
    worst_of_runs,
)
from ..retarget.rig import Array, Flags
from ..retarget.slots import SIDES
from .curves import Curves
from .ik import FkLimb
from .placing import at_rest
from .stage import Played, Stage

PASSES = 8  # of play and more keys
GREEDY = 3  # passes after which all frames that are off get keys, not only the worst of each stretch
SCALE = 0.4  # change of a chain's scale that moves its middle joint by a limb's length, where it is nearly straight


@dataclass(frozen=True)
class Sparse:
    """How far a take may be missed, and when feet stand: (T, 4) as in a motion."""

    tolerance: Tolerance
    contacts: Flags


@dataclass
class _Channel:
    """A channel of a control.

    values: (T, C); truth: (T, 4) the rotations that they are, None of places and scales; kept: (T,).
    """

    bone: str
    name: str
    values: Array
    mode: str
    kept: Flags

    def least(self, wanted: Flags, tolerance: Tolerance, size: float, interpolation: str) -> None:
        """Keep the frames that this channel needs by itself."""
        if self.name == "location":
            turns = wanted | location_turns(self.values, tolerance.distance)
            self.kept = location_keys(self.values, turns, tolerance.distance, interpolation)
        elif self.name == "scale":
            self.kept = location_keys(self.values, wanted, SCALE * tolerance.distance / size, interpolation)
        else:
            truth = as_quaternions(self.values, self.mode)[None]
            turns = wanted[None] | turning_points(truth, tolerance.angle)
            self.kept = rotation_keys(
                self.values[None], truth, self.mode, turns, tolerance.angle, interpolation
            )[0]


def thin(
    stage: Stage,
    action: bpy.types.Action,
    limbs: Sequence[FkLimb],
    frames: Sequence[int],
    interpolation: str,
    sparse: Sparse | None,
) -> None:
    """Write the keys of the IK controls as the take's other keys are: with its interpolation, and as few.

    The limbs must follow IK, with a key on each frame.
    """
    curves = Curves.of(action, frames[0])
    channels = [_channels(stage.double, curves, limb, len(frames)) for limb in limbs]
    if sparse is None:
        for keys in channels:
            _write(curves, keys, interpolation)
        return
    limit = Tolerance(sparse.tolerance.angle * MARGIN, sparse.tolerance.distance * MARGIN)
    shown = list(dict.fromkeys(bone for limb in limbs for bone in limb.ik.shown))
    dense = stage.play(action, frames, shown)
    for limb, keys in zip(limbs, channels, strict=True):
        wanted, size = _steps(limb, sparse.contacts), _size(dense, limb)
        poles = _of_pole(stage.double, limb, limit)
        for channel in keys:
            channel.least(wanted, poles if channel.bone == limb.ik.pole else limit, size, interpolation)
    for number in range(PASSES):
        for keys in channels:
            _write(curves, keys, interpolation)
        if number == PASSES - 1:
            break
        played = stage.play(action, frames, shown)
        finished = True
        for limb, keys in zip(limbs, channels, strict=True):
            off = _off(dense, played, limb, limit)
            more = worst_of_runs(off, 1.0) if number < GREEDY else np.flatnonzero(off > 1.0)
            for channel in keys:
                finished &= bool(channel.kept[more].all())
                channel.kept[more] = True
        if finished:
            break


def _channels(armature: bpy.types.Object, curves: Curves, limb: FkLimb, count: int) -> Sequence[_Channel]:
    """The channels of a limb's IK controls that have a key on each frame."""
    assert armature.pose is not None
    found = []
    for bone in dict.fromkeys(filter(None, (*limb.controls, limb.ik.base))):
        for name, values in curves.channels(bone).items():
            if len(values) == count > 1:
                mode = armature.pose.bones[bone].rotation_mode
                found.append(_Channel(bone, name, values, mode, np.ones(count, bool)))
    return found


def _steps(limb: FkLimb, contacts: Flags) -> Flags:
    """(T,) the frames on which the limb's foot touches down or leaves; of an arm none."""
    if limb.ik.end != "foot":
        return np.zeros(len(contacts), bool)
    number = 2 * SIDES.index(limb.side)
    return changes(contacts[:, number : number + 2])


def _size(played: Played, limb: FkLimb) -> float:
    """Length of a limb."""
    root, middle, end = (played.heads(bone)[0] for bone in limb.ik.shown)
    return float(np.linalg.norm(middle - root) + np.linalg.norm(end - middle))


def _of_pole(armature: bpy.types.Object, limb: FkLimb, limit: Tolerance) -> Tolerance:
    """The same tolerance for a pole: farther away it may miss by more until the limb turns by half an angle."""
    pole, middle = (at_rest(armature, bone)[:3, 3] for bone in (limb.ik.pole, limb.lower))
    reach = float(np.linalg.norm(pole - middle))
    return Tolerance(limit.angle, max(limit.distance, reach * limit.angle / 2.0))


def _off(dense: Played, played: Played, limb: FkLimb, limit: Tolerance) -> Array:
    """(T,) how far a limb is from where all keys have it, in tolerances."""
    upper, lower, end = limb.ik.shown
    miss = np.linalg.norm(played.heads(end) - dense.heads(end), axis=-1) / limit.distance
    for bone in (upper, lower):
        turns = [_turns(seen.matrices[bone]) for seen in (dense, played)]
        miss = np.maximum(miss, rotations.angle_between(*turns) / limit.angle)
    return np.asarray(miss)


def _turns(matrices: Array) -> Array:
    """(T, 4) the rotations of matrices (T, 4, 4) that may be scaled."""
    part = matrices[:, :3, :3]
    turns: Array = rotations.from_matrix(part / np.linalg.norm(part, axis=-2, keepdims=True))
    return turns


def _write(curves: Curves, channels: Sequence[_Channel], interpolation: str) -> None:
    for channel in channels:
        curves.put(channel.bone, channel.name, channel.values, np.flatnonzero(channel.kept), interpolation)
