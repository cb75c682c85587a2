# SPDX-License-Identifier: GPL-3.0-or-later
"""Films: the scene's frames as an MP4 file (H.264) that every player and browser opens."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path as FilePath

import bpy

from .stage import current_frame_kept


def video(
    scene: bpy.types.Scene,
    path: FilePath,
    frames: range,
    *,
    size: tuple[int, int] = (400, 300),
    progress: Callable[[float], None] | None = None,
) -> FilePath:
    """Render ``frames`` into an MP4 at the scene's frame rate.

    ``progress`` is called with the fraction that is done after every frame.
    """
    render = scene.render
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    if hasattr(render.image_settings, "media_type"):  # Blender 5.0 sorts the formats by kind
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.image_settings.color_mode = "RGB"
    assert render.ffmpeg is not None
    render.ffmpeg.format = "MPEG4"
    render.ffmpeg.codec = "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.ffmpeg.ffmpeg_preset = "GOOD"
    render.ffmpeg.audio_codec = "NONE"
    render.use_stamp = False
    scene.frame_start, scene.frame_end, scene.frame_step = frames[0], frames[-1], 1

    def done(rendered: bpy.types.Scene, *_: object) -> None:
        if progress is not None:
            progress((rendered.frame_current - frames[0] + 1) / len(frames))

    path.parent.mkdir(parents=True, exist_ok=True)
    bpy.app.handlers.render_post.append(done)
    try:
        # Beside its place, so that the last step is a rename.
        with tempfile.TemporaryDirectory(dir=path.parent) as folder, current_frame_kept(scene):
            render.filepath = str(FilePath(folder) / "film.mp4")
            bpy.ops.render.render(animation=True, scene=scene.name)
            os.replace(render.filepath, path)
    finally:
        bpy.app.handlers.render_post.remove(done)
        render.filepath = ""
    return path
