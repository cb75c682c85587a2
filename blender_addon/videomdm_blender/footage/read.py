# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads keypoints back from the curves of their armature."""

from __future__ import annotations

import bpy
import numpy as np

from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import COUNT, NAMES

from .edited import edited
from .keys import Keys
from .shown import FIRST_FRAME, bone, confidence_now, confidence_path, curves, loaded, location_path, values

STILL = 0.01  # pixels


def read(armature: bpy.types.Object) -> Keypoints:
    """The keypoints as the curves have them now; UserError where they cannot be read.

    Keypoints that nobody has touched come back as they were loaded, number for number.
    """
    before = loaded(armature)
    found = curves(armature)
    frames = len(before)
    points, confidence = np.zeros((frames, COUNT, 2), np.float32), np.zeros((frames, COUNT), np.float32)
    keyed = np.zeros((frames, COUNT), np.bool_)
    drawn = np.zeros(COUNT, np.bool_)
    numbers = np.arange(FIRST_FRAME, FIRST_FRAME + frames)
    for number, point in enumerate(NAMES):
        posed = bone(armature, point)
        for axis in (0, 1):
            curve = found.get((location_path(point), axis))
            points[:, number, axis] = values(curve, posed.location[axis], frames)
            if curve is not None:
                drawn[number] = True
                keys = Keys.read(curve)
                keyed[:, number] |= np.isin(numbers, np.round(keys.frames[keys.on(numbers)]))
        sure = found.get((confidence_path(point), 0))
        confidence[:, number] = values(sure, confidence_now(posed), frames)
    return edited(before, points, confidence, keyed, drawn)


def unkeyed(armature: bpy.types.Object, frame: int) -> list[str]:
    """The points that were moved on ``frame``, the current one, without a key: Blender forgets such changes."""
    found = curves(armature)
    moved = []
    for point in NAMES:
        posed = bone(armature, point)
        for axis in (0, 1):
            curve = found.get((location_path(point), axis))
            if curve is not None and abs(curve.evaluate(float(frame)) - posed.location[axis]) > STILL:
                moved.append(point)
                break
    return moved
