# SPDX-License-Identifier: GPL-3.0-or-later
"""Export, import, compare: what another program reads must be what was made.

Programs and importers lay bone axes as they like, so bones are compared by where they are and by how far they
have turned from rest, both in the world.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from videomdm.errors import UserError
from videomdm.motion import rotations

from ..armature.apply import Applied
from ..armature.exporting import export_rig
from ..armature.importing import open_rig
from ..retarget.frames import compose, inverse
from ..retarget.rig import Array

FPS = 24.0  # at which an empty scene of Blender reads files


@dataclass(frozen=True)
class Seen:
    """Bones over time in the world: name -> (T, 3) where they begin, metres; (T, 4) how far they have turned."""

    heads: AnyMapping[str, Array]
    turns: AnyMapping[str, Array]


@dataclass(frozen=True)
class Difference:
    """The largest differences of any bone in any frame; ``bones`` is how many were found again."""

    angle_deg: float
    distance_mm: float
    bones: int


def see(scene: bpy.types.Scene, armature: bpy.types.Object, bones: list[str], frames: range) -> Seen:
    """Play ``frames`` and read the evaluated pose of ``bones``."""
    data = armature.data
    assert isinstance(data, bpy.types.Armature)
    world = np.array(armature.matrix_world, float)
    matrices = np.empty((len(frames), len(bones), 4, 4))
    depsgraph = scene.view_layers[0].depsgraph
    assert depsgraph is not None
    for t, frame in enumerate(frames):
        scene.frame_set(frame)
        evaluated = armature.evaluated_get(depsgraph)
        assert evaluated.pose is not None
        placed = np.array(evaluated.matrix_world, float)
        for b, name in enumerate(bones):
            matrices[t, b] = placed @ np.array(evaluated.pose.bones[name].matrix, float)
    resting = np.array([world @ np.array(data.bones[name].matrix_local, float) for name in bones])
    turned = rotations.from_matrix(_upright(matrices))
    at_rest = rotations.from_matrix(_upright(resting))
    return Seen(
        heads={name: matrices[:, b, :3, 3] for b, name in enumerate(bones)},
        turns={name: compose(turned[:, b], inverse(at_rest[b])) for b, name in enumerate(bones)},
    )


def compare(before: Seen, after: Seen, metre: float) -> Difference:
    """The largest differences between two readings of the same names and frames; ``metre`` in world units."""
    angles = [rotations.angle_between(before.turns[name], after.turns[name]) for name in after.turns]
    places = [np.linalg.norm(before.heads[name] - after.heads[name], axis=-1) for name in after.heads]
    return Difference(
        angle_deg=float(np.degrees(np.max(angles))),
        distance_mm=1000.0 * float(np.max(places)) / metre,
        bones=len(after.heads),
    )


def round_trip(
    suffix: str, armature: bpy.types.Object, applied: Applied, bones: list[str], metre: float
) -> Difference:
    """Write the take as ``suffix``, read it again and compare ``bones``.  What is open in Blender is replaced.

    bones: that must be found again.
    metre: world units that a metre of the motion's body has become.

    UserError where a bone or a frame is lost.
    """
    scene = bpy.context.scene
    assert scene is not None
    frames = range(applied.start_frame, applied.end_frame + 1)
    before = see(scene, armature, bones, frames)
    with tempfile.TemporaryDirectory() as folder:
        path = export_rig(Path(folder) / f"take{suffix}", scene, armature, applied)
        again = open_rig(path, armature.name if suffix == ".blend" else "").armature
        data, scene = again.animation_data, bpy.context.scene
        assert scene is not None
        if data is None or data.action is None:
            raise UserError(
                f"The {suffix} file came back without its take.", "Use another format.", "round-trip"
            )
        assert again.pose is not None
        found = _names(bones, [bone.name for bone in again.pose.bones])
        lost = [name for name in bones if name not in found]
        if lost:
            raise UserError(
                f"The {suffix} file came back without the bones {', '.join(lost[:5])}.",
                "Use another format.",
                "round-trip",
            )
        start, end = _range(suffix, scene, data.action)
        if end - start != len(frames) - 1:
            raise UserError(
                f"The {suffix} file came back with {end - start + 1} frames instead of {len(frames)}.",
                "Use another format.",
                "round-trip",
            )
        seen = see(scene, again, list(found.values()), range(start, end + 1))
    after = Seen(
        heads={name: seen.heads[found[name]] for name in bones},
        turns={name: seen.turns[found[name]] for name in bones},
    )
    return compare(before, after, metre)


def _range(suffix: str, scene: bpy.types.Scene, action: bpy.types.Action) -> tuple[int, int]:
    """First and last frame of a take that was read; USD leaves out frames in which nothing changes."""
    if suffix.startswith(".usd"):
        return scene.frame_start, scene.frame_end
    start, end = action.frame_range.to_tuple()
    return round(start), round(end)


def _upright(matrices: Array) -> Array:
    """(..., 3, 3) the rotations of transforms (..., 4, 4), their scale taken away."""
    part = matrices[..., :3, :3]
    result: Array = part / np.linalg.norm(part, axis=-2, keepdims=True)
    return result


def _names(wanted: list[str], present: list[str]) -> dict[str, str]:
    """Bone -> what it is called now: formats allow other characters in names."""
    plain = {re.sub(r"\W", "_", name): name for name in present}
    direct = set(present)
    found = {}
    for name in wanted:
        now = name if name in direct else plain.get(re.sub(r"\W", "_", name))
        if now is not None:
            found[name] = now
    return found
