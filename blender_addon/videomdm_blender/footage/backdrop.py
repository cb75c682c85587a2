# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture behind keypoints: a camera that sees just the footage, frame by frame with the points."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from videomdm.keypoints import Keypoints

from .keys import Keys
from .property_group import KEYPOINTS
from .shown import FIRST_FRAME, UNIT

DISTANCE = 10.0
OFFSET = "background_images[0].image_user.frame_offset"


def add_camera(scene: bpy.types.Scene, keypoints: Keypoints) -> bpy.types.Camera:
    """A camera that looks along +Y at the picture, whose upper left corner is the origin."""
    data = bpy.data.cameras.new("Footage")
    data.type = "ORTHO"
    data.ortho_scale = UNIT * max(keypoints.width, keypoints.height)
    camera = bpy.data.objects.new("Footage", data)
    camera.location = (UNIT * keypoints.width / 2, -DISTANCE, -UNIT * keypoints.height / 2)
    camera.rotation_euler = (np.pi / 2, 0.0, 0.0)
    camera.hide_select = True
    scene.collection.objects.link(camera)
    scene.camera = camera
    return data


def find_video(keypoints: Keypoints, file: Path) -> Path | None:
    """The footage of keypoints that came from ``file``, a video or keypoints of one; None if it is not there."""
    candidates = [file]
    if keypoints.source:
        source = Path(keypoints.source)
        candidates += [source, file.parent / source, file.parent / source.name]
    return next((c for c in candidates if c.is_file() and c.suffix.lower() != KEYPOINTS), None)


def add_video(camera: bpy.types.Camera, video: Path, keypoints: Keypoints) -> None:
    """Show a video behind everything, the right picture of it on each frame.

    RuntimeError where Blender cannot read it.  Where the points have another frame rate than the video, the curve
    of the picture's offset makes up for that.
    """
    clip = bpy.data.movieclips.load(str(video))  # it knows the frame rate, which an image does not
    rate, length = float(clip.fps), int(clip.frame_duration)
    bpy.data.movieclips.remove(clip)
    if not length or rate <= 0:
        raise RuntimeError(f"{video} is no video that Blender reads")
    image = bpy.data.images.load(str(video))
    behind = camera.background_images.new()
    behind.image = image
    behind.alpha = 1.0
    behind.display_depth = "BACK"
    behind.frame_method = "STRETCH"
    camera.show_background_images = True
    user = behind.image_user
    user.frame_start = FIRST_FRAME
    user.frame_duration = len(keypoints)
    user.use_auto_refresh = True
    start = keypoints.provenance.get("start")
    begin = float(start) if isinstance(start, int | float) and 0 <= start < 1e6 else 0.0
    frames = np.arange(len(keypoints))
    wanted = np.clip(np.round((begin + frames / keypoints.fps) * rate), 0, max(0, length - 1))
    offsets = (wanted - frames).astype(int)
    user.frame_offset = int(offsets[0])
    if (offsets != offsets[0]).any():
        _key_offsets(camera, offsets)


def _key_offsets(camera: bpy.types.Camera, offsets: np.ndarray) -> None:
    """Which picture is shown on each frame, as keys."""
    action = bpy.data.actions.new(camera.name)
    slot = action.slots.new(id_type="CAMERA", name=camera.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    assert isinstance(strip, bpy.types.ActionKeyframeStrip)
    bag = strip.channelbag(slot, ensure=True)
    assert bag is not None
    changes = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
    Keys.new(FIRST_FRAME + changes, offsets[changes], "constant").write(bag.fcurves.new(OFFSET))
    data = camera.animation_data_create()
    assert data is not None
    data.action = action
    data.action_slot = slot
