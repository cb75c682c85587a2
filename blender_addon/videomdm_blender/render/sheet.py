# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets: a grid of pictures over time in one PNG file."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path as FilePath
from typing import Any

import bpy
import numpy as np

from videomdm.motion.clip import write_atomically

from .stage import current_frame_kept

COLUMNS = 4
GAP = 4  # pixels between the pictures


def contact_sheet(
    scene: bpy.types.Scene,
    path: FilePath,
    frames: range,
    *,
    count: int = 12,
    columns: int = COLUMNS,
    size: tuple[int, int] = (320, 240),
) -> FilePath:
    """Render ``count`` frames, evenly spread over ``frames``, into one PNG; each says its time in seconds."""
    chosen = np.unique(np.linspace(frames[0], frames[-1], count).round().astype(int))
    fps = scene.render.fps / scene.render.fps_base
    with tempfile.TemporaryDirectory() as folder, current_frame_kept(scene):
        pictures = [
            _render(scene, FilePath(folder) / f"{frame}.png", int(frame), (frame - frames[0]) / fps, size)
            for frame in chosen
        ]
    width, height = size
    rows = math.ceil(len(pictures) / columns)
    sheet = np.ones((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 4), np.float32)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        # Blender's images begin at the bottom.
        bottom, left = (rows - 1 - row) * (height + GAP), column * (width + GAP)
        sheet[bottom : bottom + height, left : left + width] = picture
    return _save(sheet, path)


def _render(
    scene: bpy.types.Scene, path: FilePath, frame: int, seconds: float, size: tuple[int, int]
) -> np.ndarray:
    """(height, width, 4) one picture, bottom row first."""
    render = scene.render
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    if hasattr(render.image_settings, "media_type"):  # Blender 5.0 sorts the formats by kind
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"
    render.filepath = str(path)
    _stamp(render, f"{seconds:.2f} s", size)
    scene.frame_set(frame)
    bpy.ops.render.render(write_still=True, scene=scene.name)
    image = bpy.data.images.load(str(path))
    try:
        pixels = np.empty(size[0] * size[1] * 4, np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
        render.use_stamp = False
    return pixels.reshape(size[1], size[0], 4)


def _stamp(render: bpy.types.RenderSettings, note: str, size: tuple[int, int]) -> None:
    """Write ``note`` in the corner of the picture, and nothing else."""
    for name in render.bl_rna.properties.keys():  # noqa: SIM118  (a collection of Blender, not a dict)
        if name.startswith("use_stamp_"):
            setattr(render, name, name == "use_stamp_note")
    render.use_stamp = True
    render.stamp_note_text = note
    render.stamp_font_size = max(10, size[1] // 16)
    render.stamp_foreground = (0.1, 0.1, 0.12, 1.0)  # type: ignore[assignment]  # Blender takes tuples
    render.stamp_background = (1.0, 1.0, 1.0, 0.0)  # type: ignore[assignment]  # Blender takes tuples


def _save(pixels: np.ndarray, path: FilePath) -> FilePath:
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(path.name, width, height, alpha=False)
    try:
        buffer: Any = np.ascontiguousarray(pixels, np.float32).ravel()
        image.pixels.foreach_set(buffer)
        with tempfile.TemporaryDirectory() as folder:
            image.filepath_raw = str(FilePath(folder) / "sheet.png")
            image.file_format = "PNG"
            image.save()
            return write_atomically(path, FilePath(image.filepath_raw).read_bytes())
    finally:
        bpy.data.images.remove(image)
