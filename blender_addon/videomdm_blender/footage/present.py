# SPDX-License-Identifier: GPL-3.0-or-later
"""Goes to the scene of keypoints in a window, and back."""

from __future__ import annotations

import bpy

from videomdm.errors import UserError

from .backdrop import add_camera
from .property_group import keypoints_group
from .shown import AGAIN, keypoints_in, loaded

CAMERA, FREE = "CAMERA", "PERSP"
_views: dict[int, str] = {}  # how 3D views looked before, by their address in memory


def enter(window: bpy.types.Window, armature: bpy.types.Object) -> None:
    """Show the scene of keypoints through its camera, the points ready to be moved; UserError without a scene."""
    scene = next((scene for scene in bpy.data.scenes if scene.objects.get(armature.name) == armature), None)
    if scene is None:
        raise UserError(f"{armature.name} hangs in no scene.", AGAIN, "no-keypoints")
    if scene.camera is None:  # somebody has deleted it
        add_camera(scene, loaded(armature))
    _remember(window)
    window.scene = scene
    view_layer = scene.view_layers[0]
    view_layer.objects.active = armature
    armature.select_set(True, view_layer=view_layer)
    if armature.mode != "POSE":
        with bpy.context.temp_override(
            window=window, scene=scene, view_layer=view_layer, object=armature, active_object=armature
        ):
            bpy.ops.object.mode_set(mode="POSE")
    _look_through_camera(window)


def _look_through_camera(window: bpy.types.Window) -> None:
    for _, region in _regions(window):
        region.view_perspective = CAMERA  # type: ignore[assignment]
    for area in window.screen.areas if window.screen is not None else ():
        view = next((region for region in area.regions if region.type == "WINDOW"), None)
        if area.type == "VIEW_3D" and view is not None:
            with bpy.context.temp_override(window=window, area=area, region=view):
                if isinstance(space := area.spaces.active, bpy.types.SpaceView3D) and space.local_view:
                    bpy.ops.view3d.localview()  # of another scene: nothing of this one would be seen
                bpy.ops.view3d.view_center_camera()


def leave(window: bpy.types.Window) -> None:
    """Back to the scene that the keypoints were shown from; UserError where there is no other scene."""
    armature = keypoints_in(window.scene)
    home = keypoints_group(armature).home if armature is not None else None
    others = [scene for scene in bpy.data.scenes if keypoints_in(scene) is None]
    if home is None and not others:
        raise UserError("There is no other scene to go to.", "Make one, with a character.", "no-scene")
    window.scene = home or others[0]
    for key, region in _regions(window):
        region.view_perspective = _views.pop(key, FREE)  # type: ignore[assignment]


def _remember(window: bpy.types.Window) -> None:
    if keypoints_in(window.scene) is None:
        _views.update({key: region.view_perspective for key, region in _regions(window)})


def _regions(window: bpy.types.Window) -> list[tuple[int, bpy.types.RegionView3D]]:
    """The 3D views of a window, each with a number of its own."""
    views = []
    for area in window.screen.areas if window.screen is not None else ():
        space = area.spaces.active
        if isinstance(space, bpy.types.SpaceView3D) and space.region_3d is not None:
            views.append((space.as_pointer(), space.region_3d))
    return views
