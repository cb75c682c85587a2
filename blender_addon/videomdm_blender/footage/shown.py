# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints that are shown in a scene of their own: an armature with one bone for each point.

The channels of a bone's location are the file's own numbers: X pixels from the left edge of the picture, Y pixels
from its upper edge.  The custom property "confidence" of a bone is animated too; 0 means that the point is ignored
on that frame.  Footage frame n, from 0, is scene frame n + 1.  The armature keeps the keypoints as they were loaded.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from videomdm.errors import UserError
from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import NAMES

from ..armature.keys import curves_of
from ..generate.jobs import Target
from ..generate.property_group import settings
from .keys import Keys
from .property_group import keypoints_group

FIRST_FRAME = 1
CONFIDENCE = "confidence"
UNIT = 0.01  # Blender's units for a pixel
AGAIN = "Undo, or press Show Keypoints again."

Curves = Mapping[tuple[str, int], bpy.types.FCurve]  # by data path and index


def keep(scene: bpy.types.Scene, armature: bpy.types.Object, keypoints: Keypoints) -> None:
    """Store keypoints with an armature, and that a scene shows them."""
    settings(scene).footage.keypoints = armature
    keypoints_group(armature).loaded = base64.b85encode(zlib.compress(keypoints.to_bytes())).decode()


def loaded(armature: bpy.types.Object) -> Keypoints:
    """The keypoints that an armature was made from; UserError where they are damaged."""
    try:
        data = zlib.decompress(base64.b85decode(keypoints_group(armature).loaded))
    except (ValueError, binascii.Error, zlib.error) as error:
        raise UserError(
            f"The keypoints that {armature.name} was made from are damaged.", AGAIN, "bad-keypoints"
        ) from error
    return Keypoints.from_bytes(data, armature.name)


def keypoints_in(scene: bpy.types.Scene | None) -> bpy.types.Object | None:
    """The armature of keypoints in a scene; None where there is none, or somebody has deleted it."""
    if scene is None or not scene.is_property_set("videomdm"):  # which asking for the settings would change
        return None
    armature: bpy.types.Object | None = settings(scene).footage.keypoints
    return armature if armature is not None and scene.objects.get(armature.name) == armature else None


def shown_keypoints(context: bpy.types.Context) -> bpy.types.Object:
    """The armature of keypoints in the scene; UserError where there is none."""
    found = keypoints_in(context.scene)
    if found is None:
        raise UserError(
            "There are no keypoints in this scene.",
            "Press Show Keypoints, or go to the scene that holds them.",
            "no-keypoints",
        )
    return found


def all_shown() -> Iterator[tuple[bpy.types.Scene, bpy.types.Object]]:
    """Every scene that holds keypoints, and their armature."""
    for scene in bpy.data.scenes:
        armature = keypoints_in(scene)
        if armature is not None:
            yield scene, armature


def target(armature: bpy.types.Object) -> Target:
    """Where motion from an armature's keypoints goes; UserError where no character is chosen."""
    group = keypoints_group(armature)
    character: bpy.types.Object | None = group.character
    scenes = [*([group.home] if group.home is not None else []), *bpy.data.scenes]
    home = next(
        (s for s in scenes if character is not None and s.objects.get(character.name) == character), None
    )
    if character is None or home is None:
        raise UserError(
            "No character is chosen for these keypoints.",
            "Choose the armature that shall move.",
            "no-armature",
        )
    return Target.of(home, character)


def bone(armature: bpy.types.Object, point: str) -> bpy.types.PoseBone:
    """The bone of a point; UserError where somebody has removed or renamed it."""
    found = armature.pose.bones.get(point) if armature.pose is not None else None
    if found is None:
        raise UserError(
            f"{armature.name} has no bone {point} any more.",
            f"Give the bone its name again. {AGAIN}",
            "no-bone",
        )
    return found


def location_path(point: str) -> str:
    """The data path of a point's place."""
    return f'pose.bones["{point}"].location'


def confidence_path(point: str) -> str:
    """The data path of a point's confidence."""
    return f'pose.bones["{point}"]["{CONFIDENCE}"]'


def action_of(armature: bpy.types.Object) -> bpy.types.Action:
    """The Action that moves the points; UserError where there is none."""
    data = armature.animation_data
    if data is None or data.action is None or data.action_slot is None:
        raise UserError(f"{armature.name} has no Action: its points do not move.", AGAIN, "no-keypoints")
    return data.action


def curves(armature: bpy.types.Object) -> Curves:
    """The curves of the points; UserError where none of them has any."""
    found = {(c.data_path, c.array_index): c for c in curves_of(action_of(armature))}
    if not any((location_path(name), 0) in found for name in NAMES):
        raise UserError(f"The Action of {armature.name} moves no point.", AGAIN, "no-keypoints")
    return found


def values(fcurve: bpy.types.FCurve | None, default: float, frames: int) -> npt.NDArray[np.float32]:
    """(T,) what a curve is on the frames of the footage; without a curve the value stands still."""
    if fcurve is None:
        return np.full(frames, default, np.float32)
    evaluate = fcurve.evaluate
    return np.array([evaluate(float(FIRST_FRAME + n)) for n in range(frames)], np.float32)


def confidence_now(posed: bpy.types.PoseBone) -> float:
    """The confidence of a bone on the current frame; 1 where somebody has removed the property."""
    value = posed.get(CONFIDENCE, 1.0)
    return float(value) if isinstance(value, int | float) else 1.0


def confidence_keys(confidence: npt.NDArray[np.float32]) -> Keys:
    """Keys that hold (T,) confidence: one wherever it changes."""
    changes = np.flatnonzero(np.diff(confidence, prepend=np.float32(-1)))
    return Keys.new(FIRST_FRAME + changes, confidence[changes], "constant")


def selected_points(armature: bpy.types.Object) -> list[int]:
    """The points that are selected, by number; UserError where none is."""
    assert armature.pose is not None
    found = [
        number
        for number, name in enumerate(NAMES)
        if (posed := armature.pose.bones.get(name)) is not None and is_selected(posed)
    ]
    if not found:
        raise UserError("No point is selected.", "Click on one in pose mode, or press A for all.", "no-bone")
    return found


def is_selected(posed: bpy.types.PoseBone) -> bool:
    """Whether a bone is selected and to be seen."""
    return bool(_holder(posed).select) and not posed.bone.hide and is_visible(posed)


def select(posed: bpy.types.PoseBone, selected: bool) -> None:
    """Select a bone, or leave it out."""
    _holder(posed).select = selected


def _holder(posed: bpy.types.PoseBone) -> Any:
    """What knows whether a bone is selected: Blender 5.0 moved it to the pose."""
    return posed if hasattr(posed, "select") else posed.bone


def is_visible(posed: bpy.types.PoseBone) -> bool:
    """Whether one of a bone's collections is shown."""
    collections = posed.bone.collections
    return not collections or any(collection.is_visible_effectively for collection in collections)
