# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves out keys that nobody would miss.

Frames are added to the first and last one until the curves through them, as Blender will evaluate them, stay
within a tolerance of the take on every frame (Ramer, Douglas and Peucker's refinement, all bones at once).
Turning points of a movement keep their keys, so that no swing loses its height, and so do the frames on which
feet touch down and leave.  Small errors of hip and knee add up at a foot: while it stands, the whole leg gets
keys until the foot is where the take has it.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace

import numpy as np

from videomdm.motion import rotations

from ..retarget.rig import Array, Flags
from ..retarget.slots import SIDES
from ..retarget.solve import Take
from ..retarget.stance import Stance
from .curves import as_quaternions, interpolated
from .posed import LEG, Posed

PROMINENCE = 2.0  # tolerances that a movement must swing back and forth for its turning point to keep a key
MARGIN = 0.98  # of a tolerance is used: Blender counts in single precision


@dataclass(frozen=True)
class Tolerance:
    """How far the take may be missed: by rotations in radians, by places in armature units."""

    angle: float
    distance: float


@dataclass(frozen=True)
class Kept:
    """Which frames get keys.

    rotations: bone -> (T,); location: (T,).
    """

    rotations: AnyMapping[str, Flags]
    location: Flags


@dataclass(frozen=True)
class Rotation:
    """The values (T, 3 or 4) of a bone's rotation channels in its rotation mode."""

    mode: str
    values: Array


def reduced(
    stance: Stance,
    take: Take,
    channels: AnyMapping[str, Rotation],
    contacts: Flags,
    tolerance: Tolerance,
    interpolation: str,
) -> Kept:
    """The keys that a take needs.

    channels: of each of the take's bones; contacts: (T, 4) as in a motion.
    """
    limit = Tolerance(tolerance.angle * MARGIN, tolerance.distance * MARGIN)
    legs = {side: _leg_bones(stance, side) for side in SIDES}
    bodies = {side: _bones_above(stance, side) for side in SIDES}
    steps = {side: changes(contacts[:, 2 * number : 2 * number + 2]) for number, side in enumerate(SIDES)}
    kept: dict[str, Flags] = {}
    for mode in dict.fromkeys(channel.mode for channel in channels.values()):
        bones = [bone for bone in take.bones if channels[bone].mode == mode]
        truth = np.stack([take.rotations[:, take.bones.index(bone)] for bone in bones])
        wanted = turning_points(truth, limit.angle)
        for number, bone in enumerate(bones):
            for side in SIDES:
                if bone in legs[side] | bodies[side]:
                    wanted[number] |= steps[side]
        flags = rotation_keys(
            np.stack([channels[bone].values for bone in bones]),
            truth,
            mode,
            wanted,
            limit.angle,
            interpolation,
        )
        kept |= dict(zip(bones, flags, strict=True))
    landed = location_turns(take.location, limit.distance) | steps["left"] | steps["right"]
    # Half for the body, so that legs may miss by something, too.
    location = location_keys(take.location, landed, limit.distance / 2.0, interpolation)
    result = Kept(kept, location)
    return _with_standing_feet(
        stance, take, channels, contacts, limit.distance, interpolation, result, legs, bodies
    )


def rotation_keys(
    values: Array, truth: Array, mode: str, wanted: Flags, angle: float, interpolation: str
) -> Flags:
    """(N, T) frames that keep the values (N, T, C) of N rotations within ``angle`` of ``truth`` (N, T, 4)."""

    def errors(kept: Flags) -> Array:
        shown = as_quaternions(interpolated(values, kept, interpolation), mode)
        apart: Array = rotations.angle_between(shown, truth)
        return apart

    return _refined(wanted, errors, angle)


def location_keys(path: Array, wanted: Flags, distance: float, interpolation: str) -> Flags:
    """(T,) frames that keep a path (T, 3) within ``distance``."""

    def errors(kept: Flags) -> Array:
        apart: Array = np.linalg.norm(interpolated(path[None], kept, interpolation) - path, axis=-1)
        return apart

    row: Flags = _refined(wanted[None], errors, distance)[0]
    return row


def _refined(wanted: Flags, errors: Callable[[Flags], Array], tolerance: float) -> Flags:
    """Add the worst frame of each stretch between keys until none errs by more than ``tolerance``."""
    kept: Flags = wanted.copy()
    kept[:, [0, -1]] = True
    while True:
        error = np.where(kept, 0.0, errors(kept))
        # A row begins with a key, so a stretch never reaches into the next row.
        starts = np.flatnonzero(kept)
        worst = np.maximum.reduceat(error.ravel(), starts)
        lengths = np.diff(np.append(starts, kept.size))
        peak = np.repeat(worst, lengths).reshape(kept.shape)
        more: Flags = (error == peak) & (error > tolerance)
        if not more.any():
            return kept
        np.logical_or(kept, more, out=kept)


def turning_points(q: Array, angle: float) -> Flags:
    """(N, T) frames at which rotations (N, T, 4) turn back, after and before swings well above ``angle``.

    Seen along the axis about which a bone turns most: nothing that moves in space stops altogether.
    """
    count = q.shape[1]
    middle = rotations.normalise(q.sum(axis=1, keepdims=True))
    apart = rotations.multiply(np.broadcast_to(rotations.conjugate(middle), q.shape), q)
    turn = 2.0 * apart[..., 1:] * np.where(apart[..., :1] < 0, -1.0, 1.0)
    spread = turn - turn.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(np.swapaxes(spread, 1, 2) @ spread)
    swing = np.einsum("ntc,nc->nt", spread, axes[..., -1])
    flags = np.zeros((len(q), count), bool)
    for row, values in enumerate(swing):
        flags[row] = _turns_of(values, PROMINENCE * angle)
    return flags


def location_turns(path: Array, distance: float) -> Flags:
    """(T,) frames at which a coordinate of a path (T, 3) turns back, swings well above ``distance`` around it."""
    turns: Flags = np.any([_turns_of(values, PROMINENCE * distance) for values in path.T], axis=0)
    return turns


def _turns_of(values: Array, least: float) -> Flags:
    """(T,) frames at which values (T,) turn back between swings of ``least``; the smallest swings drop out first."""
    step = np.sign(np.diff(values))
    # Where values stand still for a while they turn at the end of it.
    last = np.maximum.accumulate(np.where(step != 0, np.arange(len(step)), 0))
    step = step[last] if len(step) else step
    turns = [0, *(np.flatnonzero(step[1:] * step[:-1] < 0) + 1).tolist(), len(values) - 1]
    swings = np.abs(np.diff(values[turns])).tolist()
    while len(swings) > 1 and min(swings) < least:
        smallest = swings.index(min(swings))
        if smallest == 0:
            gone = [1]
        elif smallest == len(swings) - 1:
            gone = [smallest]
        else:
            gone = [smallest, smallest + 1]
        turns = [frame for number, frame in enumerate(turns) if number not in gone]
        swings = np.abs(np.diff(values[turns])).tolist()
    flags = np.zeros(len(values), bool)
    flags[turns[1:-1]] = True
    return flags


def changes(contacts: Flags) -> Flags:
    """(T,) the last frame before and the first frame after each change of contacts (T, 2)."""
    change = np.any(contacts[1:] != contacts[:-1], axis=-1)
    flags = np.zeros(len(contacts), bool)
    flags[:-1] |= change
    flags[1:] |= change
    return flags


def _leg_bones(stance: Stance, side: str) -> set[str]:
    """The mapped bones of a leg."""
    return {bone for part in LEG for bone in stance.mapping.chain(f"{side}_{part}")}


def _bones_above(stance: Stance, side: str) -> set[str]:
    """The mapped bones that carry a leg."""
    mapping = stance.mapping
    above = {*stance.rest.ancestors(mapping.first(f"{side}_thigh")), *mapping.chain("hips")}
    return above & set(mapping.bones) - _leg_bones(stance, side)


def _with_standing_feet(
    stance: Stance,
    take: Take,
    channels: AnyMapping[str, Rotation],
    contacts: Flags,
    distance: float,
    interpolation: str,
    kept: Kept,
    legs: AnyMapping[str, set[str]],
    bodies: AnyMapping[str, set[str]],
) -> Kept:
    """More keys on legs and body, until every foot that stands is within ``distance`` of where it should be."""
    dense = {side: Posed(stance, take).leg(side)[2:] for side in SIDES}
    flags = {bone: rows.copy() for bone, rows in kept.rotations.items()}
    location = kept.location.copy()
    while True:
        shown = Posed(stance, shown_take(take, channels, Kept(flags, location), interpolation))
        finished = True
        for number, side in enumerate(SIDES):
            stands = contacts[:, 2 * number : 2 * number + 2].any(axis=-1)
            miss = np.linalg.norm(shown.leg(side)[2:] - dense[side], axis=-1).max(axis=0)
            frames = worst_of_runs(np.where(stands, miss, 0.0), distance)
            if not len(frames):
                continue
            finished = False
            whole = np.all([flags[bone][frames] for bone in legs[side]], axis=0)
            for bone in legs[side]:
                flags[bone][frames] = True
            # Where the leg is right already, the body is not.
            location[frames[whole]] = True
            for bone in bodies[side]:
                flags[bone][frames[whole]] = True
        if finished:
            return Kept(flags, location)


def worst_of_runs(error: Array, tolerance: float) -> Array:
    """The worst frame of each run of frames whose error (T,) is above ``tolerance``."""
    above = np.concatenate([[False], error > tolerance, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1]).reshape(-1, 2)
    return np.array([start + int(np.argmax(error[start:end])) for start, end in edges], int)


def shown_take(take: Take, channels: AnyMapping[str, Rotation], kept: Kept, interpolation: str) -> Take:
    """The take as its keys show it on every frame."""
    rows = []
    for bone in take.bones:
        shown = interpolated(channels[bone].values[None], kept.rotations[bone][None], interpolation)
        rows.append(as_quaternions(shown, channels[bone].mode)[0])
    location = interpolated(take.location[None], kept.location[None], interpolation)[0]
    return replace(take, rotations=np.stack(rows, axis=1), location=location)
