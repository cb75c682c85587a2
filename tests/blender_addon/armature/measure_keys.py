# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures how long the keys of a take need: ``python -m tests.blender_addon.armature.measure_keys``.

65 bones turn for 300 frames, one of them moves, as in a take of a rig with fingers.  Each figure is the best and
the median of 15 runs, of process time, so that other work on the machine does not count.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import bpy
import numpy as np

from videomdm.motion import rotations
from videomdm_blender.armature.keys import write_action
from videomdm_blender.armature.tracks import Track
from videomdm_blender.edit.reduce import rotation_keys
from videomdm_blender.retarget.channels import channels

BONES, FRAMES, RUNS = 65, 300, 15


def main() -> None:
    """Measure, print a line for each way to write the keys."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    armature = make_armature()
    turns, path = movement()
    print(f"Blender {bpy.app.version_string}, {BONES} bones, {FRAMES} frames")
    for mode, interpolation in (("QUATERNION", "linear"), ("QUATERNION", "bezier"), ("XYZ", "linear")):
        report(
            f"foreach_set, {mode.lower()}, {interpolation}",
            lambda mode=mode, interpolation=interpolation: write(armature, turns, path, mode, interpolation),
        )
    every = np.zeros((BONES, FRAMES), bool)
    values = np.moveaxis(turns, 1, 0)
    report(
        "finding the keys that 1 degree needs",
        lambda: rotation_keys(values, values, "QUATERNION", every, np.radians(1.0), "bezier"),
    )
    report("keyframe_insert, quaternion", lambda: insert(armature, turns, path), runs=2)


def report(name: str, work: Callable[[], Any], runs: int = RUNS) -> None:
    """Time some work and undo it."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(1000.0 * (time.process_time() - start))
        for action in list(bpy.data.actions):
            bpy.data.actions.remove(action)
    print(f"{name:40} best {min(times):7.1f} ms   median {statistics.median(times):7.1f} ms", flush=True)


def write(
    armature: bpy.types.Object, turns: np.ndarray, path: np.ndarray, mode: str, interpolation: str
) -> None:
    """As takes are written, the conversion to the rotation mode included."""
    tracks = [Track("bone0", 'pose.bones["bone0"].location', path).on(None)]
    for bone in range(BONES):
        channel, values = channels(turns[:, bone], mode)
        tracks.append(Track(f"bone{bone}", f'pose.bones["bone{bone}"].{channel}', values).on(None))
    write_action(armature, "take", tracks, 1, interpolation)


def insert(armature: bpy.types.Object, turns: np.ndarray, path: np.ndarray) -> None:
    """As scripts often do it."""
    armature.animation_data_clear()
    for frame in range(FRAMES):
        for number, bone in enumerate(armature.pose.bones):
            bone.rotation_quaternion = turns[frame, number]
            bone.keyframe_insert("rotation_quaternion", frame=frame + 1, group=bone.name)
        armature.pose.bones[0].location = path[frame]
        armature.pose.bones[0].keyframe_insert("location", frame=frame + 1, group="bone0")


def make_armature() -> bpy.types.Object:
    """A chain of bones."""
    armature = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for number in range(BONES):
        bone = armature.data.edit_bones.new(f"bone{number}")
        bone.head, bone.tail = (0, 0, number), (0, 0, number + 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def movement() -> tuple[np.ndarray, np.ndarray]:
    """Smooth turns (T, B, 4) and a path (T, 3)."""
    random = np.random.default_rng(0)
    time = np.linspace(0.0, 1.0, FRAMES)[:, None, None]
    waves = sum(random.normal(size=(1, BONES, 4)) * np.sin(9.0 * k * time + k) for k in (1, 2, 3))
    turns = rotations.continuous(rotations.normalise(waves + np.array([4.0, 0.0, 0.0, 0.0])))
    return turns, np.cumsum(random.normal(size=(FRAMES, 3)), axis=0)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
