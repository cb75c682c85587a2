# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts IK controls where a take's FK controls have the limbs.

The FK keys are played, hands and feet are read, and targets and poles placed to give the same.  What they hang on
may move with them (a pole with its hand, the toes with the roll of the foot), a pole may pull a little beside its
knee, and an IK that may stretch shortens the limb rather than bend it: so the result is played, too, and
corrected.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..retarget.frames import about, rotate, unit
from ..retarget.rig import Array, Mapping
from .curves import Curves
from .length import Length, slack
from .limb import IkLimb
from .placing import Hold, at_rest, following, moved_to
from .poles import bend, bend_at_rest, bend_direction, misses, pole_places
from .stage import Played, Stage

PASSES = 6
STILL = 1e-4  # of the limb's length: holds that move less between two passes are taken to stand
BESIDE = np.radians(0.2)  # a knee that lies no farther beside its pole's plane is left there
MISBENT = 5e-4  # of the limb's length: how far in or out its middle joint may lie
LEFT = 1e-6  # what the last pose must have left of a location or scale for it to be undone


@dataclass(frozen=True)
class FkLimb:
    """An IK limb of one side of a rig, with the FK controls that it has to match."""

    ik: IkLimb
    side: str
    upper: str
    lower: str
    end: str
    toe: str

    @classmethod
    def of(cls, armature: bpy.types.Object, mapping: Mapping, ik: IkLimb, side: str) -> FkLimb | None:
        """None where the rig lacks one of the bones, or more than one bone is mapped to a part."""
        chains = [mapping.chain(f"{side}_{slot}") for slot in (ik.upper, ik.lower, ik.end)]
        assert armature.pose is not None
        known = armature.pose.bones
        needed = (ik.target, ik.pole, ik.switch[0], *ik.shown)
        if any(len(chain) != 1 for chain in chains) or any(bone not in known for bone in needed):
            return None
        toes = mapping.chain(f"{side}_toe") if ik.toe in known else ()
        upper, lower, end = (chain[0] for chain in chains)
        return cls(ik, side, upper, lower, end, toes[0] if toes else "")

    @property
    def fk_bones(self) -> tuple[str, ...]:
        """The FK controls."""
        return tuple(filter(None, (self.upper, self.lower, self.end, self.toe)))

    @property
    def controls(self) -> tuple[str, ...]:
        """The IK controls that are placed frame by frame."""
        return (self.ik.target, self.ik.pole, *([self.ik.toe] if self.toe else []))


@dataclass
class _Goal:
    """Where the controls of a limb shall be, in armature space.

    target, toe: (T, 4, 4).
    joints:      (T, 3) of the FK limb: shoulder or hip, elbow or knee, wrist or ankle.
    direction:   (T, 3) to which the middle joint shall lie off the line between the others.
    towards:     (T, 3) the same for the pole: differs where the rig's pole pulls beside its knee.
    length:      scale of the chain.
    """

    target: Array
    toe: Array | None
    joints: tuple[Array, Array, Array]
    direction: Array
    towards: Array
    length: Length
    reach: float

    @property
    def size(self) -> float:
        """Length of the limb."""
        root, middle, end = self.joints
        return float(np.linalg.norm(middle[0] - root[0]) + np.linalg.norm(end[0] - middle[0]))


def place_ik(
    stage: Stage, action: bpy.types.Action, limbs: Sequence[FkLimb], frames: Sequence[int]
) -> list[float]:
    """Key the IK controls of ``limbs`` so that they match the FK keys of ``action``; the switches end on IK.

    Returns of each limb how far wrist or ankle is from where FK has it (95th percentile, armature units).
    """
    armature = stage.double
    curves = Curves.of(action, frames[0])
    for limb in limbs:
        curves.set(limb.ik.switch, limb.ik.fk)
    controls = [control for limb in limbs for control in limb.controls]
    watched = [*controls, *_parents(armature, controls)]
    fk_bones = [bone for limb in limbs for bone in limb.fk_bones]
    played = stage.play(action, frames, list(dict.fromkeys([*watched, *fk_bones])))
    goals = [_goal(armature, limb, played) for limb in limbs]
    for limb in limbs:
        _switch(armature, curves, limb.ik)
    watched += [bone for limb in limbs for bone in limb.ik.shown]
    errors = [np.inf] * len(limbs)
    holds = {control: Hold.of(armature, control, played) for control in controls}
    for _ in range(PASSES):
        for limb, goal in zip(limbs, goals, strict=True):
            _key(armature, curves, limb, goal, holds)
        played = stage.play(action, frames, list(dict.fromkeys(watched)))
        errors = [_error(goal, limb, played) for limb, goal in zip(limbs, goals, strict=True)]
        before, holds = holds, {control: Hold.of(armature, control, played) for control in controls}
        settled = [
            all(holds[c].differs(before[c]) < STILL * max(goal.size, 1.0) for c in limb.controls)
            & (not _pole_corrected(limb, goal, played))
            & (not _length_corrected(limb, goal, played))
            for limb, goal in zip(limbs, goals, strict=True)
        ]
        if all(settled):
            break
    for limb, goal in zip(limbs, goals, strict=True):
        _key_length(armature, curves, limb.ik, goal.length.best)
    return errors


def _parents(armature: bpy.types.Object, controls: Sequence[str]) -> list[str]:
    assert isinstance(armature.data, bpy.types.Armature)
    parents = [armature.data.bones[control].parent for control in controls]
    return [parent.name for parent in parents if parent is not None]


def _goal(armature: bpy.types.Object, limb: FkLimb, played: Played) -> _Goal:
    upper, end = played.matrices[limb.upper], played.matrices[limb.end]
    joints = played.heads(limb.upper), played.heads(limb.lower), played.heads(limb.end)
    rest_upper, rest_end, rest_pole = (at_rest(armature, b) for b in (limb.upper, limb.end, limb.ik.pole))
    to_pole, _ = bend(*(matrix[None, :3, 3] for matrix in (rest_upper, rest_pole, rest_end)))
    rest_root, rest_middle, rest_last = (
        at_rest(armature, bone)[None, :3, 3] for bone in (limb.upper, limb.lower, limb.end)
    )
    bent = bend_at_rest(rest_root, rest_middle, rest_last, to_pole)
    turn = upper[:, :3, :3] @ np.linalg.inv(rest_upper[:3, :3])
    direction = bend_direction(*joints, np.einsum("tij,j->ti", turn, bent[0]))
    toe = None
    if limb.toe:
        toe = following(
            played.matrices[limb.toe], at_rest(armature, limb.toe), at_rest(armature, limb.ik.toe)
        )
    return _Goal(
        target=following(end, rest_end, at_rest(armature, limb.ik.target)),
        toe=toe,
        joints=joints,
        direction=direction,
        towards=direction,
        length=Length(slack(*joints)),
        reach=float(np.linalg.norm(to_pole)),
    )


def _switch(armature: bpy.types.Object, curves: Curves, ik: IkLimb) -> None:
    """IK on, and what must be at rest is so, whatever the last pose was."""
    assert armature.pose is not None
    curves.set(ik.switch, ik.ik)
    for setting, value in ik.needed.items():
        if setting[1] in armature.pose.bones[setting[0]].keys():  # noqa: SIM118  # it is no dict
            curves.set(setting, value)
    for bone in (*ik.at_rest, ik.base):
        if armature.pose.bones.get(bone) is not None:
            curves.put(bone, "location", np.zeros((1, 3)))
            curves.put_rotation(armature.pose.bones[bone], np.array([[1.0, 0.0, 0.0, 0.0]]))
    for bone in (ik.target, ik.toe, *ik.at_rest):
        left = armature.pose.bones.get(bone)
        if left is not None and any(abs(part - 1.0) > LEFT for part in left.scale):
            curves.put(bone, "scale", np.ones((1, 3)))
        if left is not None and bone == ik.toe and any(abs(part) > LEFT for part in left.location):
            curves.put(bone, "location", np.zeros((1, 3)))


def _key(
    armature: bpy.types.Object, curves: Curves, limb: FkLimb, goal: _Goal, holds: AnyMapping[str, Hold]
) -> None:
    assert armature.pose is not None
    pole = pole_places(*goal.joints, goal.towards, goal.reach)
    wanted = {limb.ik.target: goal.target, limb.ik.pole: moved_to(at_rest(armature, limb.ik.pole), pole)}
    if goal.toe is not None:
        wanted[limb.ik.toe] = goal.toe
    for control, matrices in wanted.items():
        location, turn = holds[control].keys(matrices)
        if control != limb.ik.toe:
            curves.put(control, "location", location)
        if control != limb.ik.pole:
            curves.put_rotation(armature.pose.bones[control], turn)
    _key_length(armature, curves, limb.ik, goal.length.scale)


def _key_length(armature: bpy.types.Object, curves: Curves, ik: IkLimb, scale: Array) -> None:
    """Give the chain its scale (T,) along all axes: a bone that is scaled along itself only would shear the next."""
    assert armature.pose is not None
    if armature.pose.bones.get(ik.base) is not None:
        curves.put(ik.base, "scale", np.repeat(scale[:, None], 3, axis=1))


def _pole_corrected(limb: FkLimb, goal: _Goal, played: Played) -> bool:
    """Turn the pole back by as much as it pulls beside; whether it did."""
    root, middle, end = (played.heads(bone) for bone in limb.ik.shown)
    miss = misses(root, middle, end, goal.direction)
    if np.percentile(np.abs(miss), 95) < BESIDE:
        return False
    line = unit(end - root)
    goal.towards = rotate(about(line, -miss), goal.towards)
    return True


def _length_corrected(limb: FkLimb, goal: _Goal, played: Played) -> bool:
    """Change the length of the chain where its middle joint lies too far out or in; whether it did."""
    if not limb.ik.base:
        return False
    root, middle, end = (played.heads(bone) for bone in limb.ik.shown)
    goal.length.correct(slack(root, middle, end))
    out = [np.linalg.norm(bend(*joints)[0], axis=-1) for joints in ((root, middle, end), goal.joints)]
    return bool(np.percentile(np.abs(out[0] - out[1]), 95) >= MISBENT * goal.size)


def _error(goal: _Goal, limb: FkLimb, played: Played) -> float:
    misplaced = played.heads(limb.ik.shown[2]) - goal.joints[2]
    return float(np.percentile(np.linalg.norm(misplaced, axis=-1), 95))
