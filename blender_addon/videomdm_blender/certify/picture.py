# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a certificate: the motion's skeleton drawn over the rig, one row for each motion.

All frames stand in one scene, in rows square to the camera, and are rendered at once.  The camera has no
perspective, so sticks can be moved towards it until nothing hides them without moving in the picture.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from videomdm.motion.clip import write_atomically

from ..retarget.rig import Array
from .layout import Layout, extent, lay_out
from .snapshot import Snapshot

AZIMUTH, ELEVATION = math.radians(35), math.radians(10)  # from where the camera looks, seen from the front
PIXELS, MOST = 110, 8000  # a metre, and of the whole picture to a side
NEARER = 8.0  # metres by which sticks are moved towards the camera
COLOURS = {
    "skin": (0.62, 0.64, 0.68), "rig": (0.05, 0.3, 0.75), "source": (0.95, 0.35, 0.0), "ink": (0.1, 0.1, 0.12),
    "ticks": (0.3, 0.0, 0.45), "stands": (0.05, 0.6, 0.2), "slides": (0.85, 0.0, 0.25),
}  # fmt: skip
THICK, THIN = 0.022, 0.01  # radii of the sticks, metres
# The motion's axes (Y up, to the front +Z) in Blender's (Z up, to the front -Y).
STAND = np.array([[1.0, 0, 0, 0], [0, 0, -1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0]])


def overlay(rows: Sequence[Sequence[Snapshot]], path: Path) -> Path:
    """Render rows of snapshots into a PNG file; the open file of Blender gets a scene for it."""
    scene = bpy.data.scenes.new("Certificate")
    turn = _towards().to_track_quat("Z", "Y").to_matrix()
    across, up, away = np.array(turn, float).T
    layout = lay_out([[extent(_points(shot), across, up) for shot in row] for row in rows])
    _camera(scene, turn, layout)
    materials = {name: _material(name, colour) for name, colour in COLOURS.items()}
    for row, places, labels in zip(rows, layout.places, layout.labels, strict=True):
        for shot, (x, y), (label_x, label_y) in zip(row, places, labels, strict=True):
            put = _moved(across * x - up * y) @ Matrix(STAND.tolist())
            for mesh, matrix in shot.skin:
                _paint(mesh, materials["skin"])
                _object(scene, mesh, put @ Matrix(matrix.tolist()))
            near = _moved(away * NEARER)
            _object(scene, _sticks(shot.rig, THICK, materials["rig"]), near @ put)
            _object(scene, _sticks(shot.source, THIN, materials["source"]), near @ near @ put)
            for name, sticks in (("ticks", shot.ticks), ("stands", shot.stands), ("slides", shot.slides)):
                _object(scene, _sticks(sticks, THIN, materials[name]), near @ near @ put)
            floor = np.array([[[-0.8, 0, 0], [0.8, 0, 0]], [[0, 0, -0.5], [0, 0, 0.5]]], float)
            _object(scene, _sticks(floor, 0.004, materials["ink"]), put)
            written = across * label_x - up * label_y + away * NEARER
            _label(scene, shot.label, turn, written, materials["ink"])
    return _render(scene, path)


def _towards() -> Vector:
    """The direction to the camera."""
    level = math.cos(ELEVATION)
    return Vector((math.sin(AZIMUTH) * level, -math.cos(AZIMUTH) * level, math.sin(ELEVATION)))


def _points(shot: Snapshot) -> Array:
    """(N, 3) everything that a snapshot shows, in Blender's axes."""
    found = [shot.source.reshape(-1, 3), shot.rig.reshape(-1, 3)]
    for mesh, matrix in shot.skin:
        vertices = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", vertices)
        found.append(vertices.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
    points: Array = np.concatenate(found) @ STAND[:3, :3].T
    return points


def _camera(scene: bpy.types.Scene, turn: Matrix, layout: Layout) -> None:
    """A camera that holds the whole layout, whose upper left corner lies at the origin."""
    width, height = layout.width, layout.height
    data = bpy.data.cameras.new("Certificate")
    data.type = "ORTHO"
    data.ortho_scale = max(width, height)
    data.clip_end = 200.0
    camera = bpy.data.objects.new("Certificate", data)
    middle = turn @ Vector((width / 2, -height / 2, 60.0))
    camera.matrix_world = _moved(np.array(middle, float)) @ turn.to_4x4()
    scene.collection.objects.link(camera)
    scene.camera = camera
    pixels = min(PIXELS, MOST / max(width, height))
    scene.render.resolution_x, scene.render.resolution_y = round(pixels * width), round(pixels * height)
    scene.render.resolution_percentage = 100


def _moved(place: Array) -> Matrix:
    return Matrix.Translation(place.tolist())


def _object(scene: bpy.types.Scene, mesh: bpy.types.Mesh, matrix: Matrix) -> None:
    thing = bpy.data.objects.new(mesh.name, mesh)
    thing.matrix_world = matrix
    scene.collection.objects.link(thing)


def _material(name: str, colour: tuple[float, float, float]) -> bpy.types.Material:
    material = bpy.data.materials.new(f"Certificate {name}")
    material.diffuse_color = (*colour, 1.0)  # type: ignore[assignment]  # Blender takes tuples
    return material


def _paint(mesh: bpy.types.Mesh, material: bpy.types.Material) -> None:
    mesh.materials.clear()
    mesh.materials.append(material)


def _sticks(ends: Array, radius: float, material: bpy.types.Material) -> bpy.types.Mesh:
    """A mesh with a square bar for each pair of ends (N, 2, 3)."""
    along = ends[:, 1] - ends[:, 0]
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    other = np.where(np.abs(along[:, :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    u = np.cross(along, other)
    u = u / np.linalg.norm(u, axis=-1, keepdims=True)
    v = np.cross(along, u)
    corners = radius * np.stack([u + v, v - u, -u - v, u - v], axis=1)
    vertices = (ends[:, :, None] + corners[:, None]).reshape(-1, 3)
    box = np.array([(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (3, 2, 1, 0), (4, 5, 6, 7)])
    faces = (np.arange(len(ends))[:, None, None] * 8 + box).reshape(-1, 4)
    mesh = bpy.data.meshes.new("sticks")
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    _paint(mesh, material)
    return mesh


def _label(
    scene: bpy.types.Scene, text: str, turn: Matrix, place: Array, material: bpy.types.Material
) -> None:
    curve = bpy.data.curves.new("label", "FONT")
    assert isinstance(curve, bpy.types.TextCurve)
    curve.body = text
    curve.size = 0.15
    curve.materials.append(material)
    thing = bpy.data.objects.new("label", curve)
    thing.matrix_world = _moved(place) @ turn.to_4x4()
    scene.collection.objects.link(thing)


def _render(scene: bpy.types.Scene, path: Path) -> Path:
    scene.render.engine = "BLENDER_WORKBENCH"  # type: ignore[assignment]  # a list made at run time
    assert scene.view_settings is not None and scene.display is not None
    scene.view_settings.view_transform = "Standard"  # type: ignore[assignment]  # a list made at run time
    world = bpy.data.worlds.new("Certificate")
    world.color = (0.93, 0.94, 0.95)
    scene.world = world
    shading = scene.display.shading
    assert shading is not None
    shading.light = "STUDIO"
    shading.color_type = "MATERIAL"
    shading.show_shadows = False
    if hasattr(scene.render.image_settings, "media_type"):  # Blender 5.0 sorts the formats by kind
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "overlay.png")
        bpy.ops.render.render(write_still=True, scene=scene.name)
        return write_atomically(path, Path(scene.render.filepath).read_bytes())
