# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and films: the whole body is in sight, and the files are what they say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FRAMES = range(1, 13)


@pytest.fixture
def walker(mannequin: Any) -> Any:
    """The mannequin gliding 8 m to the front with a raised arm."""
    hips = mannequin.pose.bones["Hips"]
    for frame, distance in ((1, 0.0), (12, 8.0)):
        hips.location = (0.0, 0.0, distance)
        hips.keyframe_insert("location", frame=frame)
    arm = mannequin.pose.bones["LeftArm"]
    arm.rotation_mode = "XYZ"
    arm.rotation_euler = (0.0, 0.0, math.radians(80))
    return mannequin


def pixels(bpy: Any, path: Path) -> np.ndarray:
    """(height, width, 4)"""
    image = bpy.data.images.load(str(path))
    values = np.array(image.pixels[:], np.float32).reshape(image.size[1], image.size[0], 4)
    bpy.data.images.remove(image)
    return values


@pytest.mark.parametrize("metres", [0.0, 1.0, 8.0])
@pytest.mark.parametrize("size", [(320, 240), (240, 320)])
def test_the_camera_sees_the_whole_body_at_every_frame(
    bpy: Any, scene: Any, walker: Any, metres: float, size: tuple[int, int]
) -> None:
    from bpy_extras.object_utils import world_to_camera_view

    from videomdm_blender.render.stage import build_stage, follow

    walker.scale = [metres / 8.0 if metres else 1.0] * 3
    if not metres:
        walker.animation_data_clear()
    scene.render.resolution_x, scene.render.resolution_y = size
    build_stage(scene, follow(scene, walker, FRAMES))
    heights = []
    for frame in FRAMES:
        scene.frame_set(frame)
        ends = [
            world_to_camera_view(scene, scene.camera, walker.matrix_world @ end)
            for bone in walker.pose.bones
            for end in (bone.head, bone.tail)
        ]
        assert all(0 < end.x < 1 and 0 < end.y < 1 and end.z > 0 for end in ends), frame
        heights.append(max(end.y for end in ends) - min(end.y for end in ends))
    assert min(heights) > 0.3  # and it is not lost in the distance


def test_a_contact_sheet(bpy: Any, scene: Any, walker: Any, tmp_path: Path) -> None:
    from videomdm_blender.render.sheet import GAP, contact_sheet
    from videomdm_blender.render.stage import build_stage, follow

    scene.frame_set(5)
    scene.render.resolution_x, scene.render.resolution_y = 96, 72
    build_stage(scene, follow(scene, walker, FRAMES))
    path = contact_sheet(scene, tmp_path / "sheet.png", FRAMES, count=6, columns=4, size=(96, 72))
    sheet = pixels(bpy, path)
    assert sheet.shape == (2 * 72 + GAP, 4 * 96 + 3 * GAP, 4)
    first, last_of_row = sheet[-72:, :96], sheet[-72:, -96:]
    assert first[..., :3].std() > 0.05 and np.abs(first - last_of_row).mean() > 0.005
    empty = sheet[:72, -96:]
    assert np.allclose(empty, 1.0, atol=0.01)  # six pictures in a grid for eight
    assert scene.frame_current == 5
    assert {image.name for image in bpy.data.images} <= {"Render Result"}
    assert [item.name for item in tmp_path.iterdir()] == ["sheet.png"]


def test_a_film(bpy: Any, scene: Any, walker: Any, tmp_path: Path) -> None:
    from videomdm_blender.render.stage import build_stage, follow
    from videomdm_blender.render.video import video

    scene.render.fps = 12
    scene.render.resolution_x, scene.render.resolution_y = 96, 72
    build_stage(scene, follow(scene, walker, FRAMES))
    fractions: list[float] = []
    path = video(scene, tmp_path / "film.mp4", FRAMES, size=(96, 72), progress=fractions.append)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0 and len(fractions) == len(FRAMES)
    assert [item.name for item in tmp_path.iterdir()] == ["film.mp4"]
    clip = bpy.data.movieclips.load(str(path))
    assert tuple(clip.size) == (96, 72) and clip.frame_duration == len(FRAMES)
    assert clip.fps == pytest.approx(12)
    assert b"avc1" in path.read_bytes()  # H.264


def test_smoothing_keeps_a_straight_line_and_its_length() -> None:
    from videomdm_blender.render.stage import smooth

    frames = np.arange(50)
    values = smooth(frames.astype(float), frames)
    assert values.shape == (50,)
    assert np.allclose(values[10:-10], frames[10:-10])
