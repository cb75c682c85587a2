# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of fingers that a take relaxes: one for each joint, none where somebody has posed or animated them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from collections.abc import Mapping as AnyMapping

import bpy
import numpy as np
from bpy.utils import escape_identifier

from videomdm.motion import rotations

from ..controls.fingers import finger_controls, finger_masters
from ..controls.following import Following
from ..edit.fingers import find_hand
from ..edit.relaxed import in_axes_of, relaxed
from ..retarget.channels import channels
from ..retarget.rig import IDENTITY, Array, Mapping, RigRest
from ..retarget.slots import SIDES
from .existing import Before
from .tracks import Track, other_curves

ALIKE = np.radians(1.0)  # turns that differ by less are the same pose
MOVES = 1e-3  # what a channel must change by to count as animated
PLACED = 1e-4  # what a control must be moved or scaled by to count as posed
REST = np.array([[0.0], [1.0]])  # of location and scale
BONE = re.compile(r'^pose\.bones\["(.+?)"\]\.')


def finger_tracks(
    armature: bpy.types.Object, rest: RigRest, mapping: Mapping, before: Before | None
) -> Iterator[Track]:
    """The tracks of all fingers that are relaxed, hand by hand.

    mapping: of the bones that show the take.
    before:  what is there where the take blends.
    """
    assert armature.pose is not None
    follow: Following | None = None
    for side in SIDES:
        arm = mapping.chain(f"{side}_forearm"), mapping.chain(f"{side}_hand")
        if not all(arm):
            continue
        named = finger_controls(mapping.family, side)
        hand = find_hand(rest, side, (arm[0][0], arm[1][-1]), named)
        turns = relaxed(hand) if hand is not None else {}
        if named is None and turns:
            follow = follow or Following(armature, rest)
            turns = _on_controls(follow, rest, turns)
        poses = {bone: in_axes_of(rest, bone, turn) for bone, turn in turns.items()}
        masters = [bone for bone in finger_masters(mapping.family, side) if bone in rest]
        if not _free(armature, poses, masters) or set(poses) & set(mapping.bones):
            continue
        for bone, pose in poses.items():
            yield _track(armature.pose.bones[bone], pose, before)


def _on_controls(follow: Following, rest: RigRest, turns: AnyMapping[str, Array]) -> dict[str, Array]:
    """The same turns of the controls that bones follow; nothing where those do not hang on each other as they do."""
    controls = {bone: follow.control(bone) for bone in turns}
    if len(set(controls.values())) < len(controls):
        return {}
    for bone, control in controls.items():
        above = next((parent for parent in rest.ancestors(bone) if parent in turns), None)
        if above is not None and controls[above] not in rest.ancestors(control):
            return {}
    return {controls[bone]: turn for bone, turn in turns.items()}


def _free(armature: bpy.types.Object, poses: AnyMapping[str, Array], masters: Collection[str]) -> bool:
    """Whether the fingers of a hand are at rest or relaxed already, and nothing else moves them."""
    assert armature.pose is not None
    known, data = armature.pose.bones, armature.animation_data
    if any(constraint.enabled for bone in poses for constraint in known[bone].constraints):
        return False
    driven = {m[1] for curve in (data.drivers if data else ()) if (m := BONE.match(curve.data_path))}
    moved = {m[1] for curve in other_curves(armature) if (m := BONE.match(curve.data_path)) and _moves(curve)}
    watched = {*map(escape_identifier, poses), *map(escape_identifier, masters)}
    if watched & (driven | moved):
        return False
    still = np.array(IDENTITY)
    shown = {bone: np.array(known[bone].matrix_basis.to_quaternion(), float) for bone in (*poses, *masters)}
    at_rest = all(rotations.angle_between(turn, still) < ALIKE for turn in shown.values())
    ours = all(rotations.angle_between(shown[bone], pose) < ALIKE for bone, pose in poses.items())
    placed = [np.array([known[bone].location, known[bone].scale], float) - REST for bone in shown]
    return (at_rest or ours) and float(np.abs(placed).max(initial=0.0)) < PLACED


def _moves(curve: bpy.types.FCurve) -> bool:
    values = np.empty(2 * len(curve.keyframe_points))
    curve.keyframe_points.foreach_get("co", values)
    return len(values) > 0 and float(np.ptp(values[1::2])) > MOVES


def _track(bone: bpy.types.PoseBone, pose: Array, before: Before | None) -> Track:
    """One key; where the take blends, the way from the pose that is there to the relaxed one."""
    turns = pose[None]
    if before is not None:
        there = np.array(bone.matrix_basis.to_quaternion(), float)
        shape = (len(before.share), 4)
        turns = rotations.continuous(
            rotations.slerp(np.broadcast_to(there, shape), np.broadcast_to(pose, shape), before.share)
        )
    channel, values = channels(turns, bone.rotation_mode)
    track = Track(bone.name, f'pose.bones["{escape_identifier(bone.name)}"].{channel}', values)
    return track if before is None else track.on(None)
