# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines between keypoints and dots in the colour of their confidence, drawn over 3D views."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from videomdm.keypoints.layout import CONNECTIONS, NAMES

from .build import COLOURS, side
from .shown import confidence_now, is_visible, keypoints_in

Colour = tuple[float, float, float, float]

LINE_PIXELS = 2.0
DOT = 0.6  # of a point's ring
CORNERS = 12
FAINTEST = 0.15  # how much is seen of a line to a point that is ignored
UNSURE, SURE = (1.0, 0.1, 0.1), (0.2, 1.0, 0.3)
_handlers: list[Any] = []


def install() -> None:
    """Draw from now on."""
    _handlers.append(bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW"))


def remove() -> None:
    """Draw no more."""
    while _handlers:
        bpy.types.SpaceView3D.draw_handler_remove(_handlers.pop(), "WINDOW")


def _draw() -> None:
    context = bpy.context
    armature, space = keypoints_in(context.scene), context.space_data
    if armature is None or not isinstance(space, bpy.types.SpaceView3D) or not space.overlay.show_overlays:
        return
    if not armature.visible_get():
        return
    places, sure = _points(armature)
    lines = [(a, b) for a, b in CONNECTIONS if a in places and b in places]
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("ALPHA")
    _draw_lines(places, sure, lines)
    _draw_dots(armature, sure)
    gpu.state.blend_set("NONE")


def _points(armature: bpy.types.Object) -> tuple[dict[int, Any], dict[int, float]]:
    """Where the points that are shown lie in the world, and how sure they are, by number."""
    places: dict[int, Any] = {}
    sure: dict[int, float] = {}
    assert armature.pose is not None
    for number, name in enumerate(NAMES):
        posed = armature.pose.bones.get(name)
        if posed is not None and not posed.bone.hide and is_visible(posed):
            places[number] = armature.matrix_world @ posed.head
            sure[number] = min(1.0, max(0.0, confidence_now(posed)))
    return places, sure


def _draw_lines(places: dict[int, Any], sure: dict[int, float], lines: list[tuple[int, int]]) -> None:
    ends, colours = [], []
    for a, b in lines:
        certain = min(sure[a], sure[b])
        colour = _line_colour(a, b, certain)
        ends += [places[a], places[b]]
        colours += [colour, colour]
    if not ends:
        return
    shader = gpu.shader.from_builtin("POLYLINE_SMOOTH_COLOR")
    _, _, width, height = gpu.state.viewport_get()
    shader.bind()
    shader.uniform_float("viewportSize", (width, height))
    shader.uniform_float("lineWidth", LINE_PIXELS)
    batch_for_shader(shader, "LINES", {"pos": ends, "color": colours}).draw(shader)


def _draw_dots(armature: bpy.types.Object, sure: dict[int, float]) -> None:
    assert armature.pose is not None
    angles = np.linspace(0.0, 2 * np.pi, CORNERS + 1)
    rim = np.stack([np.cos(angles), np.zeros(CORNERS + 1), np.sin(angles)], axis=-1)
    fan = np.stack([np.zeros((CORNERS, 3)), rim[:-1], rim[1:]], axis=1).reshape(-1, 3)  # triangles
    corners, colours = [], []
    for number, certain in sure.items():
        posed = armature.pose.bones[NAMES[number]]
        corners.append(np.array(posed.head) + DOT * posed.custom_shape_scale_xyz[0] * fan)
        colours += [_dot_colour(certain)] * len(fan)
    if not corners:
        return
    shader = gpu.shader.from_builtin("FLAT_COLOR")
    content: dict[str, Any] = {"pos": np.concatenate(corners).astype(np.float32), "color": colours}
    gpu.matrix.push()
    gpu.matrix.multiply_matrix(armature.matrix_world)
    batch_for_shader(shader, "TRIS", content).draw(shader)
    gpu.matrix.pop()


def _line_colour(a: int, b: int, certain: float) -> Colour:
    sides = {side(NAMES[a]), side(NAMES[b])}
    red, green, blue = COLOURS[sides.pop() if len(sides) == 1 else "middle"]
    return red, green, blue, FAINTEST + (1 - FAINTEST) * certain


def _dot_colour(certain: float) -> Colour:
    """From red over yellow to green; grey where the point is ignored."""
    if certain <= 0:
        return 0.3, 0.3, 0.3, 0.8
    mixed = [certain * sure + (1 - certain) * unsure for sure, unsure in zip(SURE, UNSURE, strict=True)]
    brightest = max(mixed)
    red, green, blue = (value / brightest for value in mixed)
    return red, green, blue, 1.0
