# SPDX-License-Identifier: GPL-3.0-or-later
"""What an armature does before it gets a take: asked of a double on a stage, so that nothing of the user's moves."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from videomdm.motion import rotations

from ..controls.stage import stage
from ..edit.blend import Existing
from ..retarget.rig import Array
from ..retarget.solve import Take


@dataclass(frozen=True)
class Before:
    """The channels of bones on the frames of a take that blends.

    share:           (T,) what the take counts.
    location, scale: bone -> (T, 3).
    """

    share: Array
    location: AnyMapping[str, Array]
    scale: AnyMapping[str, Array]


@dataclass(frozen=True)
class Watched:
    """What was seen of bones: bone -> location (T, 3), rotation (T, 4), scale (T, 3), before constraints."""

    locations: AnyMapping[str, Array]
    rotations: AnyMapping[str, Array]
    scales: AnyMapping[str, Array]


def watch(armature: bpy.types.Object, bones: Sequence[str], frames: Sequence[int]) -> Watched:
    """See what bones do on some frames."""
    shape = (len(bones), len(frames))
    location, scale, rotation = np.empty((*shape, 3)), np.empty((*shape, 3)), np.empty((*shape, 4))
    with stage(armature) as place:
        view_layer = place.scene.view_layers[0]
        for t, frame in enumerate(frames):
            place.scene.frame_set(frame)
            assert view_layer.depsgraph is not None
            pose = place.double.evaluated_get(view_layer.depsgraph).pose
            assert pose is not None
            for b, bone in enumerate(bones):
                seen = pose.bones[bone]
                location[b, t] = np.array(seen.location, float)
                scale[b, t] = np.array(seen.scale, float)
                rotation[b, t] = np.array(seen.matrix_basis.to_quaternion(), float)
    return Watched(
        dict(zip(bones, location, strict=True)),
        dict(zip(bones, rotation, strict=True)),
        dict(zip(bones, scale, strict=True)),
    )


def before_take(
    armature: bpy.types.Object, take: Take, start: int, into: int, out: int
) -> tuple[Existing, Watched]:
    """What the take's bones do over its first ``into`` and its last ``out`` frames; between them nothing."""
    count = len(take.location)
    bones = list(dict.fromkeys([take.root, *take.bones]))
    offsets = np.array(sorted({*range(into + 1), *range(count - 1 - out, count)}))
    seen = watch(armature, bones, (start + offsets).tolist())

    def spread(values: Array, default: tuple[float, ...]) -> Array:
        full = np.tile(np.array(default), (count, 1))
        full[offsets] = values
        return full

    turns = {bone: spread(values, (1.0, 0.0, 0.0, 0.0)) for bone, values in seen.rotations.items()}
    whole = Watched(
        {bone: spread(values, (0.0, 0.0, 0.0)) for bone, values in seen.locations.items()},
        turns,
        {bone: spread(values, (1.0, 1.0, 1.0)) for bone, values in seen.scales.items()},
    )
    existing = Existing(np.stack([turns[bone] for bone in take.bones], axis=1), whole.locations[take.root])
    return existing, whole


@dataclass(frozen=True)
class Place:
    """Where the user has put the armature object: its location (3,), its rotation (4,), and both rotation and scale
    as a matrix (3, 3), in the parent's axes.
    """

    location: Array
    rotation: Array
    linear: Array


def place_of(armature: bpy.types.Object, frame: int) -> Place:
    """Where the armature object is on ``frame``, before constraints."""
    with stage(armature) as place:
        place.scene.frame_set(frame)
        depsgraph = place.scene.view_layers[0].depsgraph
        assert depsgraph is not None
        seen = place.double.evaluated_get(depsgraph)
        return Place(
            np.array(seen.location, float), _rotation(seen), np.array(seen.matrix_basis.to_3x3(), float)
        )


def _rotation(thing: bpy.types.Object) -> Array:
    """(4,) the rotation that an object's channels hold, whatever its rotation mode."""
    mode = thing.rotation_mode
    if mode == "QUATERNION":
        return np.array(thing.rotation_quaternion, float)
    if mode == "AXIS_ANGLE":
        values = np.array(thing.rotation_axis_angle, float)
        turned: Array = rotations.from_axis_angle(rotations.normalise(values[1:]), values[0])
        return turned
    order = mode[::-1]
    angles = np.array(thing.rotation_euler, float)[["XYZ".index(axis) for axis in order]]
    turned = rotations.from_euler(angles, order)
    return turned
