# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrects the rotations of an FBX file where Euler angles lock.

FBX stores rotations as angles about X, Y and Z.  Where the one about Y nears a quarter turn the other two share one
axis, and Blender's exporter, which counts in single precision, rounds each by itself: at a hundredth of a degree from
the lock the bone comes back turned by three hundredths.  Only their difference matters there, so the angle about X is
taken as it was written, and those about Y and Z are solved for it in double precision: the residual is that of the
angle about X times the cosine of the one about Y, which is next to nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from videomdm.motion import rotations

from ..retarget.rig import Array

LOCKED = 0.02  # cosine of the angle about Y below which rounding shows
CLOSE = np.radians(0.5)  # how far the file's rotation may be from the pose: else it is not that of the bone
ARRAYS = {"i": "int32", "l": "int64", "f": "float32", "d": "float64", "b": "bool", "c": "byte"}
VALUES = {"Z": "int8", "Y": "int16", "B": "bool", "C": "char", "I": "int32", "F": "float32", "D": "float64",
          "L": "int64", "R": "bytes", "S": "string"}  # fmt: skip


def sharpen(path: Path, scene: bpy.types.Scene, armature: bpy.types.Object, frames: range) -> int:
    """Correct a binary FBX file that holds the armature's Action with a key on each frame; how many keys it were.

    Nothing is written where no bone locks.
    """
    # Blender's own, and there wherever FBX can be written.
    from io_scene_fbx import encode_bin, parse_fbx  # type: ignore[import-not-found]  # it has no stubs

    data = armature.data
    assert isinstance(data, bpy.types.Armature)
    root, version = parse_fbx.parse(str(path))
    locked = {
        bone: angles
        for bone, angles in _curves(root)
        if bone in data.bones
        and all(len(part) == len(frames) for part in angles)
        and np.abs(np.cos(np.radians(np.asarray(angles[1])))).min() < LOCKED
    }
    if not locked:
        return 0
    changed = 0
    for angles, turns in zip(locked.values(), _turns(scene, armature, list(locked), frames), strict=True):
        written = np.radians(np.stack(angles, axis=-1).astype(float))
        solved, where = solve(written, turns)
        changed += int(where.sum())
        for part, values in zip(angles, np.degrees(solved).T, strict=True):
            for frame in np.flatnonzero(where):
                part[frame] = values[frame]
    if changed:
        beside = path.with_name(f"{path.name}.sharp")
        encode_bin.write(str(beside), _encoded(encode_bin, root), version)
        os.replace(beside, path)
    return changed


def solve(written: Array, turns: Array) -> tuple[Array, Array]:
    """Angles (T, 3) that show the rotations ``turns`` (T, 3, 3) and keep the first angle, where they lock.

    written: (T, 3) radians about the fixed axes X, Y, Z, as rounded.
    Returns them and the frames (T,) on which they were changed.
    """
    result = written.copy()
    shown = rotations.to_matrix(rotations.from_euler(written[:, ::-1], "ZYX"))
    apart = np.linalg.norm(shown - turns, axis=(1, 2)) / np.sqrt(2.0)
    where = (np.abs(np.cos(written[:, 1])) < LOCKED) & (apart < CLOSE)
    sine, cosine = np.sin(written[:, 0]), np.cos(written[:, 0])
    # Without the turn about X only those about Y and Z are left.
    second = turns[:, :, 1] * cosine[:, None] - turns[:, :, 2] * sine[:, None]
    third = turns[:, :, 1] * sine[:, None] + turns[:, :, 2] * cosine[:, None]
    found = np.stack(
        [np.arctan2(-turns[:, 2, 0], third[:, 2]), np.arctan2(-second[:, 0], second[:, 1])], axis=-1
    )
    found += 2.0 * np.pi * np.round((written[:, 1:] - found) / (2.0 * np.pi))
    result[where, 1:] = found[where]
    return result, where


def _curves(root: Any) -> Iterator[tuple[str, list[Any]]]:
    """Name of a model -> the arrays with the keys of its rotation about X, Y and Z, degrees."""
    sections = {element.id: element for element in root.elems}
    things = {element.props[0]: element for element in sections[b"Objects"].elems if element.props}
    links = [link.props for link in sections[b"Connections"].elems if link.props[0] == b"OP"]
    models = {link[1]: things[link[2]] for link in links if link[3] == b"Lcl Rotation" and link[2] in things}
    found: dict[int, dict[bytes, Any]] = {}
    for _, source, target, channel in links:
        if target in models and channel in (b"d|X", b"d|Y", b"d|Z"):
            keys = next(part for part in things[source].elems if part.id == b"KeyValueFloat")
            found.setdefault(target, {})[channel] = keys.props[0]
    for node, channels in found.items():
        if len(channels) == 3:
            yield models[node].props[1].split(b"\0")[0].decode(), [channels[c] for c in sorted(channels)]


def _turns(scene: bpy.types.Scene, armature: bpy.types.Object, bones: Sequence[str], frames: range) -> Array:
    """(B, T, 3, 3) how bones are turned against their parents."""
    result = np.empty((len(bones), len(frames), 3, 3))
    before = scene.frame_current
    for t, frame in enumerate(frames):
        scene.frame_set(frame)
        depsgraph = scene.view_layers[0].depsgraph
        assert depsgraph is not None
        pose = armature.evaluated_get(depsgraph).pose
        assert pose is not None
        for b, name in enumerate(bones):
            bone = pose.bones[name]
            local = np.array(bone.matrix, float)
            if bone.parent is not None:
                local = np.linalg.inv(np.array(bone.parent.matrix, float)) @ local
            result[b, t] = local[:3, :3] / np.linalg.norm(local[:3, :3], axis=0)
    scene.frame_set(before)
    return result


def _encoded(encode_bin: Any, element: Any) -> Any:
    """A tree that was read, as the writer wants it."""
    made = encode_bin.FBXElem(element.id)
    for kind, value in zip(element.props_type.decode(), element.props, strict=True):
        add = f"add_{ARRAYS[kind]}_array" if kind in ARRAYS else f"add_{VALUES[kind]}"
        getattr(made, add)(value)
    made.elems = [_encoded(encode_bin, child) for child in element.elems]
    return made
