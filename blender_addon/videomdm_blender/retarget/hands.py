# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps hands where they should be in the scene: on a rail, a table, a wall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .frames import compose, norm, rotate, soft_step
from .pose import Pose
from .rig import Array
from .stance import LIMBS, Stance
from .two_bone import reach, softened


@dataclass(frozen=True)
class HandTarget:
    """Where a hand should be for a while; it keeps the turn that the motion gives it.

    side:       "left" or "right".
    place:      (x, y, z) of the wrist in armature space; None keeps it where it is at ``start``.
    start, end: seconds of the take between which the hand is there.
    fade:       seconds before and after in which it comes and goes.
    """

    side: Literal["left", "right"]
    start: float
    end: float
    place: tuple[float, float, float] | None = None
    fade: float = 0.3


def hold_hands(pose: Pose, stance: Stance, targets: tuple[HandTarget, ...], fps: float) -> Pose:
    """``pose`` with hands at their targets, as far as the arms reach; nothing else changes."""
    turns = dict(pose.turns)
    seconds = np.arange(len(pose.path)) / fps
    for target in targets:
        upper = stance.mapping.chain(f"{target.side}_upper_arm")
        forearm = stance.mapping.chain(f"{target.side}_forearm")
        now = Pose(turns, pose.path)
        start = bone_place(stance, now, upper[0])
        elbow = bone_place(stance, now, forearm[0])
        wrist = _wrist(stance, now, target.side)
        first = min(round(max(target.start, 0.0) * fps), len(seconds) - 1)
        place = wrist[first] if target.place is None else rotate(stance.axes, np.array(target.place, float))
        share = soft_step(seconds, target.start - target.fade, target.start)
        share = share * (1.0 - soft_step(seconds, target.end, target.end + target.fade))
        bones = elbow - start, wrist - elbow
        way = wrist + share[:, None] * (place - wrist) - start
        distance = norm(way)
        length = norm(bones[0]) + norm(bones[1])
        way = way * (softened(distance, length, norm(wrist - start)) / distance)[:, None]
        hinge = stance.limbs[LIMBS.index(("arm", target.side))].hinge()
        turn_upper, turn_lower = reach(*bones, rotate(turns[upper[-1]], hinge), way)
        turns |= {bone: compose(turn_upper, turns[bone]) for bone in upper}
        turns |= {bone: compose(turn_lower, turns[bone]) for bone in forearm}
    return Pose(turns, pose.path)


def bone_place(stance: Stance, pose: Pose, bone: str) -> Array:
    """(T, 3) where a mapped bone begins, in the motion's axes and the rig's unit."""
    rest = stance.rest
    here = stance.heads[rest.index(bone)]
    if bone == stance.mapping.first("hips"):
        return pose.path - rotate(pose.turns[bone], stance.middle - here)
    above = _carrier(stance, pose, bone)
    return bone_place(stance, pose, above) + rotate(pose.turns[above], here - stance.heads[rest.index(above)])


def _carrier(stance: Stance, pose: Pose, bone: str) -> str:
    """The mapped bone that carries another along; the hips where none does."""
    above = stance.rest.ancestors(bone)
    carrier = stance.mapping.carriers.get(bone)
    if carrier is not None and carrier.first:
        above = [carrier.first, *stance.rest.ancestors(carrier.first)]
    return next((name for name in above if name in pose.turns), stance.mapping.first("hips"))


def _wrist(stance: Stance, pose: Pose, side: str) -> Array:
    """(T, 3) where the forearm ends."""
    last = stance.mapping.chain(f"{side}_forearm")[-1]
    bone = stance.end(f"{side}_forearm", f"{side}_hand") - stance.heads[stance.rest.index(last)]
    return bone_place(stance, pose, last) + rotate(pose.turns[last], bone)
