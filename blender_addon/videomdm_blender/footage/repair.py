# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs of keypoints that Blender has no tool for: ignore, trust, exchange sides, take the detection back.

All change only keys on the chosen frames; everything else on the curves stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
import numpy.typing as npt

from videomdm.errors import UserError
from videomdm.keypoints.layout import NAMES, SWAP

from .keys import Keys
from .property_group import keypoints_group
from .shown import (
    FIRST_FRAME,
    Curves,
    action_of,
    bone,
    confidence_keys,
    confidence_now,
    confidence_path,
    curves,
    loaded,
    location_path,
    values,
)

Frames = npt.NDArray[np.intp]  # numbers of the footage's frames, from 0
AXES = (0, 1)


def chosen_frames(armature: bpy.types.Object, points: Sequence[int], current: int) -> Frames:
    """The frames that the panel's setting names; UserError where there are none."""
    count = len(loaded(armature))
    if keypoints_group(armature).frames == "CURRENT":
        if not FIRST_FRAME <= current < FIRST_FRAME + count:
            raise UserError(
                f"Frame {current} lies outside the footage, which has {count} frames.",
                f"Go to one from {FIRST_FRAME} to {FIRST_FRAME + count - 1}.",
                "no-frames",
            )
        return np.array([current - FIRST_FRAME])
    found = curves(armature)
    marked: set[int] = set()
    for point in points:
        for path, axes in ((location_path(NAMES[point]), AXES), (confidence_path(NAMES[point]), (0,))):
            for axis in axes:
                if (curve := found.get((path, axis))) is not None:
                    keys = Keys.read(curve)
                    marked.update(np.round(keys.frames[keys.selected]).astype(int).tolist())
    frames = np.array(sorted(marked), np.intp) - FIRST_FRAME
    frames = frames[(frames >= 0) & (frames < count)]
    if not len(frames):
        raise UserError(
            "The selected points have no selected keys.",
            "Select keys in the Dope Sheet, or choose This Frame.",
            "no-frames",
        )
    return frames


def set_confidence(armature: bpy.types.Object, points: Sequence[int], frames: Frames, value: float) -> None:
    """Points are ignored (0) or trusted (1) on some frames."""
    found, count = curves(armature), len(loaded(armature))
    for point in points:
        confidence = _confidence(armature, found, point, count)
        confidence[frames] = value
        _write_confidence(armature, found, point, confidence)
    _show(armature)


def swap_sides(armature: bpy.types.Object, points: Sequence[int], frames: Frames) -> None:
    """What was left becomes right and the other way round: places, keys and confidence.

    UserError where none of the points has another side.
    """
    pairs = sorted({(min(p, SWAP[p]), max(p, SWAP[p])) for p in points if SWAP[p] != p})
    if not pairs:
        raise UserError(
            "None of the selected points has another side.", "Select points of an arm or a leg.", "no-bone"
        )
    found, count = curves(armature), len(loaded(armature))
    numbers = frames + FIRST_FRAME
    for left, right in pairs:
        first, second = (_confidence(armature, found, point, count) for point in (left, right))
        first[frames], second[frames] = second[frames].copy(), first[frames].copy()
        for axis in AXES:
            ours, theirs = (_keys(found, point, axis) for point in (left, right))
            here, there = ours.on(numbers), theirs.on(numbers)
            to_left, to_right = theirs.where(there).selected_as(ours), ours.where(here).selected_as(theirs)
            _write(armature, found, left, axis, ours.where(~here).with_keys(to_left))
            _write(armature, found, right, axis, theirs.where(~there).with_keys(to_right))
        _write_confidence(armature, found, left, first)
        _write_confidence(armature, found, right, second)
    _show(armature)


def restore(armature: bpy.types.Object, points: Sequence[int], frames: Frames) -> None:
    """Points come back to where the detector saw them, and to its confidence."""
    before, found = loaded(armature), curves(armature)
    numbers = frames + FIRST_FRAME
    for point in points:
        seen = frames[before.confidence[frames, point] > 0]
        for axis in AXES:
            detected = Keys.new(FIRST_FRAME + seen, before.points[seen, point, axis], "bezier")
            keys = _keys(found, point, axis)
            _write(armature, found, point, axis, keys.where(~keys.on(numbers)).with_keys(detected))
        confidence = _confidence(armature, found, point, len(before))
        confidence[frames] = before.confidence[frames, point]
        _write_confidence(armature, found, point, confidence)
    _show(armature)


def _confidence(armature: bpy.types.Object, found: Curves, point: int, count: int) -> npt.NDArray[np.float32]:
    name = NAMES[point]
    return values(found.get((confidence_path(name), 0)), confidence_now(bone(armature, name)), count)


def _write_confidence(
    armature: bpy.types.Object, found: Curves, point: int, confidence: npt.NDArray[np.float32]
) -> None:
    path = confidence_path(NAMES[point])
    confidence_keys(confidence).write(found.get((path, 0)) or _new_curve(armature, point, path, 0))


def _keys(found: Curves, point: int, axis: int) -> Keys:
    curve = found.get((location_path(NAMES[point]), axis))
    return Keys.read(curve) if curve is not None else Keys.new([], [], "bezier")


def _write(armature: bpy.types.Object, found: Curves, point: int, axis: int, keys: Keys) -> None:
    """Give a channel of place its keys; a curve without keys would hold the point at 0."""
    path = location_path(NAMES[point])
    curve = found.get((path, axis))
    if len(keys):
        keys.write(curve or _new_curve(armature, point, path, axis))
    elif curve is not None:
        _bag(armature).fcurves.remove(curve)


def _new_curve(armature: bpy.types.Object, point: int, path: str, axis: int) -> bpy.types.FCurve:
    bag, name = _bag(armature), NAMES[point]
    curve = bag.fcurves.new(path, index=axis)
    curve.group = bag.groups.get(name) or bag.groups.new(name)
    return curve


def _bag(armature: bpy.types.Object) -> bpy.types.ActionChannelbag:
    """Where the armature's curves are."""
    strip = action_of(armature).layers[0].strips[0]
    data = armature.animation_data
    assert isinstance(strip, bpy.types.ActionKeyframeStrip) and data is not None
    assert data.action_slot is not None
    bag = strip.channelbag(data.action_slot, ensure=True)
    assert bag is not None
    return bag


def _show(armature: bpy.types.Object) -> None:
    """Let Blender see what curves have become."""
    armature.update_tag(refresh={"OBJECT", "DATA", "TIME"})
