# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts keypoints into a scene of their own, over their footage, as the bones of an armature; see ``shown.py``.

The scene has the footage's size, frame rate and length, so that a key is a frame of the footage, and nothing in
any other scene changes.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from videomdm.keypoints import Keypoints
from videomdm.keypoints.layout import NAMES

from .backdrop import add_camera, add_video
from .edited import height
from .keys import Keys
from .shown import (
    CONFIDENCE,
    FIRST_FRAME,
    UNIT,
    confidence_keys,
    confidence_path,
    is_visible,
    keep,
    location_path,
    select,
)

COLOURS = {"left": (1.0, 0.55, 0.0), "right": (0.0, 0.67, 1.0), "middle": (0.94, 0.94, 0.94)}
SELECTED, ACTIVE = (1.0, 0.9, 0.3), (1.0, 1.0, 1.0)
UNSEEN = "Never seen"
RING = 0.025  # of the person's height,
SMALLEST_RING = 0.006  # of the picture's
SMALL = 0.5  # of a ring: points of the face lie close together
FACE = ("nose", "eye", "ear")
CORNERS = 24


def side(point: str) -> str:
    """ "left", "right" or "middle"."""
    first = point.split("_")[0]
    return first if first in ("left", "right") else "middle"


def build(keypoints: Keypoints, name: str, video: Path | None) -> bpy.types.Object:
    """Make the scene; returns the armature.  RuntimeError where Blender cannot read the video; nothing is left."""
    keypoints = Keypoints.from_bytes(keypoints.to_bytes())  # rounded as they are stored
    before = _everything()
    try:
        scene = _scene(keypoints, f"{name} keypoints")
        camera = add_camera(scene, keypoints)
        if video is not None:
            add_video(camera, video, keypoints)
        armature = _armature(scene, keypoints, name)
        keep(scene, armature, keypoints)
        _animate(armature, keypoints)
    except BaseException:
        bpy.data.batch_remove(_everything() - before)
        raise
    scene.view_layers[0].update()
    return armature


def _everything() -> set[bpy.types.ID]:
    data = bpy.data
    kinds = (
        data.scenes, data.objects, data.armatures, data.meshes, data.cameras, data.images, data.movieclips,
        data.actions,
    )  # fmt: skip
    return {block for kind in kinds for block in kind}


def _scene(keypoints: Keypoints, name: str) -> bpy.types.Scene:
    scene = bpy.data.scenes.new(name)
    render = scene.render
    render.resolution_x, render.resolution_y = keypoints.width, keypoints.height
    render.fps = max(1, round(keypoints.fps))
    render.fps_base = render.fps / keypoints.fps
    scene.frame_start, scene.frame_end = FIRST_FRAME, FIRST_FRAME + len(keypoints) - 1
    scene.frame_current = FIRST_FRAME
    scene.tool_settings.use_keyframe_insert_auto = True  # what is moved is kept,
    scene.tool_settings.auto_keying_mode = "ADD_REPLACE_KEYS"  # also where nothing was seen
    scene.unit_settings.system = "NONE"  # the numbers are pixels
    assert scene.view_settings is not None
    with suppress(TypeError):  # a studio's own colour management has other names
        scene.view_settings.view_transform = "Standard"  # type: ignore[assignment]  # by configuration
    return scene


def _armature(scene: bpy.types.Scene, keypoints: Keypoints, name: str) -> bpy.types.Object:
    data = bpy.data.armatures.new(f"{name} keypoints")
    data.display_type = "STICK"
    armature = bpy.data.objects.new(data.name, data)
    armature.scale = (UNIT, UNIT, UNIT)
    armature.show_in_front = True
    scene.collection.objects.link(armature)
    view_layer = scene.view_layers[0]
    view_layer.objects.active = armature
    size = max(RING * height(keypoints), SMALLEST_RING * keypoints.height)
    with bpy.context.temp_override(
        scene=scene,
        view_layer=view_layer,
        object=armature,
        active_object=armature,
        selected_objects=[armature],
    ):
        bpy.ops.object.mode_set(mode="EDIT")
        for point in NAMES:
            bone = data.edit_bones.new(point)
            # A bone that points down has the axes of a picture: X to the right, Y down.
            bone.head, bone.tail, bone.roll = (0.0, 0.0, 0.0), (0.0, 0.0, -size), 0.0
        bpy.ops.object.mode_set(mode="OBJECT")
    _sort_into_collections(data, keypoints)
    ring = _ring(data.name)
    assert armature.pose is not None
    for posed in armature.pose.bones:
        _dress(posed, ring, size)
    return armature


def _sort_into_collections(data: bpy.types.Armature, keypoints: Keypoints) -> None:
    """The sides, and what the detector does not know, which is hidden."""
    seen: npt.NDArray[np.bool_] = np.any(keypoints.confidence > 0, axis=0)
    collections = {name: data.collections.new(name.capitalize()) for name in COLOURS}
    unseen = data.collections.new(UNSEEN)
    unseen.is_visible = False
    for number, point in enumerate(NAMES):
        bone = data.bones[point]
        (collections[side(point)] if seen[number] else unseen).assign(bone)


def _dress(posed: bpy.types.PoseBone, ring: bpy.types.Object, size: float) -> None:
    """How a point looks, and what can be done to it."""
    posed.custom_shape = ring
    posed.use_custom_shape_bone_size = False
    small = SMALL if posed.name.split("_")[-1] in FACE else 1.0
    posed.custom_shape_scale_xyz = [small * size] * 3
    posed.custom_shape_wire_width = 2.0
    assert posed.color is not None
    posed.color.palette = "CUSTOM"
    colours = posed.color.custom
    assert colours is not None
    colours.normal, colours.select, colours.active = COLOURS[side(posed.name)], SELECTED, ACTIVE
    posed.lock_location = (False, False, True)  # type: ignore[assignment]  # not out of the picture
    posed.lock_rotation = posed.lock_scale = (True, True, True)  # type: ignore[assignment]  # tuples do
    posed.lock_rotation_w = True
    select(posed, is_visible(posed))
    posed[CONFIDENCE] = 0.0
    shown: Any = posed.id_properties_ui(CONFIDENCE)
    shown.update(
        min=0.0,
        max=1.0,
        soft_min=0.0,
        soft_max=1.0,
        default=1.0,
        description="How sure the point is on this frame; 0 means that it is ignored",
    )


def _ring(name: str) -> bpy.types.Object:
    """A circle of radius 1 in the picture's plane; it hangs in no scene."""
    angles = np.linspace(0.0, 2 * np.pi, CORNERS, endpoint=False)
    corners = np.stack([np.cos(angles), np.sin(angles), np.zeros(CORNERS)], axis=-1)
    edges = [(corner, (corner + 1) % CORNERS) for corner in range(CORNERS)]
    mesh = bpy.data.meshes.new(f"{name} ring")
    mesh.from_pydata(corners.tolist(), edges, [])
    return bpy.data.objects.new(mesh.name, mesh)


def _animate(armature: bpy.types.Object, keypoints: Keypoints) -> None:
    """Keys of place where a point was seen, keys of confidence where that changes."""
    action = bpy.data.actions.new(armature.name)
    slot = action.slots.new(id_type="OBJECT", name=armature.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    assert isinstance(strip, bpy.types.ActionKeyframeStrip)
    bag = strip.channelbag(slot, ensure=True)
    assert bag is not None and armature.pose is not None
    seen = keypoints.confidence > 0
    middle = np.median(keypoints.points[seen], axis=0) if seen.any() else np.zeros(2)
    for number, point in enumerate(NAMES):
        group = bag.groups.new(point)
        frames = np.flatnonzero(seen[:, number])
        for axis in (0, 1) if len(frames) else ():
            curve = bag.fcurves.new(location_path(point), index=axis)
            curve.group = group
            Keys.new(FIRST_FRAME + frames, keypoints.points[frames, number, axis], "bezier").write(curve)
        if not len(frames):
            armature.pose.bones[point].location[:2] = middle.tolist()
        curve = bag.fcurves.new(confidence_path(point))
        curve.group = group
        confidence_keys(keypoints.confidence[:, number]).write(curve)
    data = armature.animation_data_create()
    assert data is not None
    data.action = action
    data.action_slot = slot
