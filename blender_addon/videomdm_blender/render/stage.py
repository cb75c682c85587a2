# SPDX-License-Identifier: GPL-3.0-or-later
"""A place to judge motion by eye: a checkered floor, a shadow, and a camera that keeps the body in sight.

Half-metre squares show foot skate and travelled distance; the shadow shows when a foot leaves the floor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

SQUARE = 0.5  # metres
BACKGROUND = (0.66, 0.72, 0.79)
LIGHT_SQUARE = (0.56, 0.58, 0.6, 1.0)
DARK_SQUARE = (0.4, 0.42, 0.45, 1.0)
LENS = 50.0
AZIMUTH, ELEVATION = math.radians(32), math.radians(13)  # from where the camera looks, seen from the front
FOLLOW_BEYOND = 1.2  # the camera follows when the path needs more than this times the body's own distance


@dataclass(frozen=True)
class Path:
    """Where a character is over time.

    frames: (T,) scene frames.
    low, high: (T, 3) corners of the box around its bones, world metres.
    root: (T, 3) its centre: the middle of the bones, smooth enough for a camera to follow.
    """

    frames: np.ndarray
    low: np.ndarray
    high: np.ndarray
    root: np.ndarray


@contextmanager
def current_frame_kept(scene: bpy.types.Scene) -> Iterator[None]:
    """Leave the scene on the frame on which it was."""
    frame = scene.frame_current
    try:
        yield
    finally:
        scene.frame_set(frame)


def follow(scene: bpy.types.Scene, armature: bpy.types.Object, frames: range) -> Path:
    """Play the scene and note where the armature's bones are."""
    low, high, root = [], [], []
    depsgraph = scene.view_layers[0].depsgraph
    assert depsgraph is not None
    with current_frame_kept(scene):
        for frame in frames:
            scene.frame_set(frame)
            evaluated = armature.evaluated_get(depsgraph)
            matrix = np.array(evaluated.matrix_world)
            assert evaluated.pose is not None
            ends = [[*end.to_tuple()] for bone in evaluated.pose.bones for end in (bone.head, bone.tail)]
            points = np.array(ends) @ matrix[:3, :3].T + matrix[:3, 3]
            low.append(points.min(0))
            high.append(points.max(0))
            root.append(points.mean(0))
    return Path(np.array(frames), np.array(low), np.array(high), np.array(root))


def build_stage(scene: bpy.types.Scene, path: Path) -> None:
    """Add the floor and the camera to ``scene`` and set it up for Workbench, the fast renderer."""
    _workbench(scene)
    centre = (path.low.min(0) + path.high.max(0)) / 2
    reach = float(np.max(path.high.max(0) - path.low.min(0)))
    _floor(scene, (centre[0], centre[1]), 14.0 + reach)
    _camera(scene, path)


def _workbench(scene: bpy.types.Scene) -> None:
    scene.render.engine = "BLENDER_WORKBENCH"  # type: ignore[assignment]  # a list made at run time
    assert scene.view_settings is not None and scene.display is not None
    scene.view_settings.view_transform = "Standard"  # type: ignore[assignment]  # a list made at run time
    world = bpy.data.worlds.new("Stage")
    world.color = BACKGROUND
    scene.world = world
    shading = scene.display.shading
    assert shading is not None
    shading.light = "STUDIO"
    shading.studio_light = "paint.sl"  # type: ignore[assignment]  # a list made at run time
    shading.color_type = "MATERIAL"
    shading.show_specular_highlight = True
    shading.show_cavity = True
    shading.cavity_type = "WORLD"
    shading.show_shadows = True
    shading.shadow_intensity = 0.55
    # Towards the light, X right, Y up.  High, so that shadows are short: long ones cost most of the time.
    scene.display.light_direction = (-0.3, 0.85, 0.42)
    scene.display.render_aa = "FXAA"  # a third of the time of the sampled kinds


def _floor(scene: bpy.types.Scene, centre: tuple[float, float], reach: float) -> None:
    count = 2 * math.ceil(reach / SQUARE)
    middle = [SQUARE * round(c / SQUARE) for c in centre]
    line = (np.arange(count + 1) - count // 2) * SQUARE
    x, y = np.meshgrid(line + middle[0], line + middle[1])
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], -1)
    row = np.arange(count)
    corner = (row[:, None] * (count + 1) + row).ravel()
    faces = corner[:, None] + (0, 1, count + 2, count + 1)
    mesh = bpy.data.meshes.new("Floor")
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    for name, colour in (("Floor light", LIGHT_SQUARE), ("Floor dark", DARK_SQUARE)):
        material = bpy.data.materials.new(name)
        material.diffuse_color = colour  # type: ignore[assignment]  # Blender takes tuples
        material.roughness = 0.9
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", ((row[:, None] + row) % 2).ravel().astype(np.int32))
    floor = bpy.data.objects.new("Floor", mesh)
    floor.display.show_shadows = False  # it casts none, and thousands of squares that try are slow
    scene.collection.objects.link(floor)


def _camera(scene: bpy.types.Scene, path: Path) -> None:
    """A camera that stands still where the whole path fits, and follows the character where it does not."""
    data = bpy.data.cameras.new("Stage camera")
    data.lens = LENS
    camera = bpy.data.objects.new("Stage camera", data)
    scene.collection.objects.link(camera)
    scene.camera = camera
    away = Vector(
        (
            math.sin(AZIMUTH) * math.cos(ELEVATION),
            -math.cos(AZIMUTH) * math.cos(ELEVATION),
            math.sin(ELEVATION),
        )
    )
    camera.rotation_euler = (-away).to_track_quat("-Z", "Y").to_euler()
    whole = (path.low.min(0) + path.high.max(0)) / 2
    centre = np.array([smooth(path.root[:, axis], path.frames) for axis in range(3)]).T
    centre[:, 2] = whole[2]
    body_distance = _distance(scene, camera, path.low - centre, path.high - centre)
    whole_distance = _distance(scene, camera, path.low - whole, path.high - whole)
    if whole_distance <= FOLLOW_BEYOND * body_distance:
        camera.location = Vector(whole) + away * whole_distance
        return
    for frame, target in zip(path.frames, centre, strict=True):
        camera.location = Vector(target) + away * body_distance
        camera.keyframe_insert("location", frame=float(frame))


def _distance(scene: bpy.types.Scene, camera: bpy.types.Object, low: np.ndarray, high: np.ndarray) -> float:
    """How far from its target the camera must stand to see all boxes, which are relative to the target."""
    corners = np.array(
        [np.where(choice, high, low) for choice in np.ndindex(2, 2, 2)]
    ).reshape(-1, 3)  # fmt: skip
    seen = corners @ np.array(camera.rotation_euler.to_matrix())  # camera axes: X right, Y up, Z backwards
    aspect = scene.render.resolution_y / scene.render.resolution_x
    half = 18.0 / LENS  # half of the 36 mm sensor, along the longer side of the picture
    half_x, half_y = (half, half * aspect) if aspect <= 1 else (half / aspect, half)
    margin = 1.06
    needed = np.maximum(np.abs(seen[:, 0]) / half_x, np.abs(seen[:, 1]) / half_y) * margin + seen[:, 2]
    return float(needed.max())


def smooth(values: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(T,) values without what is faster than about a second; the ends are held."""
    width = max(1, round(len(frames) / 12))
    kernel = np.hanning(2 * width + 3)
    kernel /= kernel.sum()
    padded = np.pad(values, width + 1, mode="edge")
    return np.convolve(padded, kernel, mode="valid")
