# SPDX-License-Identifier: GPL-3.0-or-later
"""Completes a take on a control rig: which controls of the limbs it keys, and what they hang on."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from bpy.utils import escape_identifier

from ..edit.posed import Posed
from .controlled import Controlled
from .curves import Curves
from .ik import FkLimb, place_ik
from .limb import Controls, Setting
from .settling import settle
from .stage import stage
from .thinning import Sparse, thin

MISSED = 0.01  # metres that IK may be away from FK before it is told


def finish(
    armature: bpy.types.Object,
    action: bpy.types.Action,
    controlled: Controlled,
    frames: range,
    posed: Posed,
    controls: Controls = Controls.FK,
    interpolation: str = "linear",
    sparse: Sparse | None = None,
) -> tuple[str, ...]:
    """Complete a take that keys the FK controls; returns what the user should know, one sentence each.

    Properties that decide what the controls hang on are keyed with the value that they have: the take was made
    for it.  Nothing but ``action`` is changed.

    posed:         how the FK controls shall be turned, against what carries the hips.
    interpolation: of the IK controls' keys.
    sparse:        how far IK controls may miss the take for keys to be left out, None to keep all.
    """
    curves = Curves.of(action, frames.start)
    for setting in controlled.kept:
        _keep(armature, curves, setting)
    notes: tuple[str, ...] = ()
    if controlled.uncertain:
        with stage(armature) as place:
            astray = settle(place, action, posed, frames, controlled.shown)
        if astray:
            notes = (f"{', '.join(astray)} of {armature.name} do not follow their controls rigidly.",)
    if controls is not Controls.FK:
        notes += _add_ik(armature, action, controlled, frames, controls, interpolation, sparse)
    return notes


def travelling(controlled: Controlled, controls: Controls) -> set[str]:
    """Data paths of the IK controls that a take moves: where the body goes on in a loop, so do they."""
    if controls is Controls.FK:
        return set()
    placed = [control for _, ik in controlled.ik for control in (ik.target, ik.pole)]
    return {f'pose.bones["{escape_identifier(control)}"].location' for control in placed}


def replaced(armature: bpy.types.Object, controlled: Controlled, controls: Controls) -> set[str]:
    """The FK controls whose keys only serve to place IK controls, and then go."""
    if controls is not Controls.IK:
        return set()
    return {bone for limb in _limbs(armature, controlled) for bone in limb.fk_bones}


def _limbs(armature: bpy.types.Object, controlled: Controlled) -> list[FkLimb]:
    found = (FkLimb.of(armature, controlled.mapping, ik, side) for side, ik in controlled.ik)
    return [limb for limb in found if limb is not None]


def _add_ik(
    armature: bpy.types.Object,
    action: bpy.types.Action,
    controlled: Controlled,
    frames: range,
    controls: Controls,
    interpolation: str,
    sparse: Sparse | None,
) -> tuple[str, ...]:
    curves = Curves.of(action, frames.start)
    limbs = _limbs(armature, controlled)
    if not limbs:
        return (f"IK controls are not known of {armature.name}; its FK bones were keyed.",)
    for limb in limbs:
        for setting in limb.ik.kept:
            _keep(armature, curves, setting)
    with stage(armature) as place:
        errors = place_ik(place, action, limbs, frames)
        thin(place, action, limbs, frames, interpolation, sparse)
    for limb in limbs:
        if controls is Controls.IK:
            curves.drop(limb.fk_bones)
        else:
            curves.set(limb.ik.switch, limb.ik.fk)
    return tuple(_notes(armature, limbs, errors, controls))


def _keep(armature: bpy.types.Object, curves: Curves, setting: Setting) -> None:
    assert armature.pose is not None
    bone = armature.pose.bones.get(setting[0])
    value = bone.get(setting[1]) if bone is not None else None
    if isinstance(value, (int, float)):
        curves.set(setting, float(value))


def _notes(
    armature: bpy.types.Object, limbs: list[FkLimb], errors: list[float], controls: Controls
) -> Iterator[str]:
    targets = ", ".join(limb.ik.target for limb in limbs)
    if controls is Controls.IK:
        yield f"The limbs follow the IK controls {targets}; their FK controls have no keys."
    else:
        yield f"The IK controls {targets} are keyed, too; their switches are left on FK."
    for limb, error in zip(limbs, errors, strict=True):
        metres = error * armature.matrix_world.median_scale
        if metres > MISSED:
            yield f"IK with {limb.ik.target} misses the motion by {100 * metres:.0f} cm in places."
